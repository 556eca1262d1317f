// The effects of a sweep, layers × neurons, drawn on a canvas as there may be hundreds of thousands.
import { h, onMounted, onUnmounted, ref, watch } from '/lib/vue.js';
import { label } from '../edits.js';
import { isDark } from '../media.js';
import { draw as drawOn } from '../picture.js';
import { colours } from '../scale.js';
import { measured, unitOf } from '../text.js';
import { Export } from './export.js';
import { nameOf } from '../state.js';
import { segments } from './segments.js';

const LEFT = 34; // for the layers' names
const STEPS = Array.from({ length: 31 }, (_, step) => step / 15 - 1); // of the legend's colours

export const SweepMap = {
    props: { map: { type: Object, required: true } },
    emits: ['pick'],
    setup(props, { emit }) {
        const canvas = ref(null);
        const sorted = ref(false);
        const hovered = ref(null);
        let rows = []; // of each layer the columns: the strongest effects of some neurons
        let size = {};

        /** As many neurons to a column as it takes to have columns of at least a pixel. */
        function arrange(width) {
            rows = props.map.changes.map((changes, layer) => {
                const cells = changes.map((change, neuron) => ({ layer, neuron, change })).filter(each => each.change !== null);
                const ordered = sorted.value
                    ? cells.sort((a, b) => Math.abs(b.change) - Math.abs(a.change))
                    : changes.map((change, neuron) => ({ layer, neuron, change }));
                const together = Math.max(1, Math.ceil(ordered.length / width));
                return Array.from({ length: Math.ceil(ordered.length / together) }, (_, column) =>
                    ordered
                        .slice(column * together, (column + 1) * together)
                        .reduce((a, b) => (Math.abs(b.change ?? 0) > Math.abs(a.change ?? 0) ? b : a))
                );
            });
        }

        function draw() {
            const element = canvas.value;
            if (!element) {
                return;
            }
            const width = element.parentElement.clientWidth;
            const height = Math.max(8, Math.min(28, 320 / props.map.changes.length));
            arrange(width - LEFT);
            const most = Math.max(1, ...rows.map(row => row.length));
            size = { height, cell: (width - LEFT) / most, width };
            Object.assign(element.style, { width: `${width}px`, height: `${height * rows.length}px` });
            drawOn(element, [width, height * rows.length], window.devicePixelRatio, paint);
        }

        function paint(pen, style) {
            const largest = Math.max(1e-12, ...rows.flat().map(each => Math.abs(each.change ?? 0)));
            const colour = colours(...['--against', '--surface', '--for'].map(name => style.getPropertyValue(name).trim()));
            rows.forEach((row, layer) => {
                row.forEach((each, column) => {
                    pen.fillStyle =
                        each.change === null
                            ? style.getPropertyValue('--page').trim()
                            : colour(Math.sign(each.change) * Math.sqrt(Math.abs(each.change) / largest));
                    pen.fillRect(LEFT + column * size.cell, layer * size.height, Math.ceil(size.cell), size.height - 1);
                });
                pen.fillStyle = style.color;
                pen.font = `11px ${style.fontFamily}`;
                if (size.height >= 11 || layer % 4 === 0) {
                    pen.fillText(`L${layer}`, 2, layer * size.height + size.height / 2 + 4);
                }
            });
        }

        function at(event) {
            const box = canvas.value.getBoundingClientRect();
            const row = rows[Math.floor((event.clientY - box.top) / size.height)];
            const each = row?.[Math.floor((event.clientX - box.left - LEFT) / size.cell)];
            return each?.change == null ? null : each;
        }

        function pick(event) {
            const each = at(event);
            if (each) {
                emit('pick', each);
            }
        }

        const observer = new ResizeObserver(draw);
        onMounted(() => {
            observer.observe(canvas.value.parentElement);
            draw();
        });
        onUnmounted(() => observer.disconnect());
        watch([() => props.map, sorted, isDark], draw);

        const write = each => [
            h('b', label(each)),
            nameOf(each.layer, each.neuron) && ` ${nameOf(each.layer, each.neuron)}`,
            `: ${props.map.measure} ${each.change < 0 ? '' : '+'}${measured(each.change)}`
        ];

        /** The change by each neuron that was measured. */
        const filed = () =>
            props.map.changes.flatMap((changes, layer) =>
                changes.map((change, neuron) => ({ layer, neuron, change })).filter(each => each.change !== null)
            );

        const legend = () => {
            const largest = props.map.changes.flat().reduce((most, change) => Math.max(most, Math.abs(change ?? 0)), 0);
            const end = sign => `${sign}${measured(largest)} ${unitOf(props.map.measure)}`;
            const scale = STEPS.map(share => h('span', { class: share < 0 ? 'against' : 'for', style: { '--heat-share': Math.abs(share) } }));
            return h('p', { class: 'legend hint' }, [end('−'), h('span', { 'aria-hidden': 'true' }, scale), end('+')]);
        };

        return () =>
            h('section', { class: 'panel sweep-map', 'aria-label': 'Map of effects' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', ['Layers × neurons: change of ', props.map.measure]),
                    h('div', { class: 'row' }, [
                        segments(
                            'Order of the neurons',
                            [
                                [false, 'by number'],
                                [true, 'strongest first']
                            ],
                            sorted.value,
                            value => (sorted.value = value)
                        ),
                        h(Export, { what: `map of ${props.map.measure}`, rows: filed })
                    ])
                ]),
                h('div', { class: 'picture' }, [
                    h(
                        'div',
                        { class: 'canvas' },
                        h('canvas', {
                            ref: canvas,
                            role: 'img',
                            'aria-label': `Change of ${props.map.measure} by layer and neuron; the table below has the strongest`,
                            onMousemove: event => (hovered.value = at(event)),
                            onMouseleave: () => (hovered.value = null),
                            onClick: pick
                        })
                    ),
                    legend()
                ]),
                h(
                    'p',
                    { class: 'hint' },
                    hovered.value
                        ? write(hovered.value)
                        : 'Square-root scale. Point at a neuron to read it, click to add it to the interventions.'
                )
            ]);
    }
};
