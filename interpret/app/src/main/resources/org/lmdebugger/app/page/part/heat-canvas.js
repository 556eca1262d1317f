// Rows × columns as small cells on a canvas: layers × positions of a long prompt, parts of the network × positions.
import { h, onMounted, onUnmounted, ref, shallowRef, watch } from '/lib/vue.js';
import { isDark } from '../media.js';
import { draw as drawOn } from '../picture.js';
import { colours } from '../scale.js';

const LETTER = 7; // pixels, about
const LINE = 12; // pixels of a row or column that has its name beside it
const READABLE = 46; // pixels of a cell that its text fits into
const TALLEST = 96; // pixels of the columns' names where they stand upright

/** Pixels of a cell. */
export const cellHeight = rows => Math.max(6, Math.min(24, 336 / rows));

const longest = names => Math.max(...names.map(name => name.length)) * LETTER + 8;

export const HeatCanvas = {
    props: {
        name: { type: String, required: true },
        rows: { type: Array, required: true }, // their names
        columns: { type: Array, required: true }, // their names
        headed: { type: Boolean, default: false }, // with the columns' names above
        chosen: { type: Array, required: true }, // [column, row]
        cell: { type: Function, required: true } // (column, row) => {heat, text, says, changed}; heat is −1 to 1, or null
    },
    emits: ['open'], // column, row, and by what: click, tap or key
    setup(props, { emit }) {
        const canvas = ref(null);
        const pointed = ref(null);
        const size = shallowRef({ left: 0, top: 0, width: 0, height: 0 });

        function draw() {
            const element = canvas.value;
            const width = element.parentElement.clientWidth;
            const left = longest(props.rows);
            const column = (width - left) / props.columns.length;
            const top = !props.headed || column < LINE ? 0 : column >= READABLE ? 20 : Math.min(TALLEST, longest(props.columns));
            size.value = { left, top, width: column, height: cellHeight(props.rows.length) };
            const height = top + size.value.height * props.rows.length;
            Object.assign(element.style, { width: `${width}px`, height: `${height}px` });
            drawOn(element, [width, height], window.devicePixelRatio, paint);
        }

        function paint(pen, style) {
            const { left, top, width, height } = size.value;
            const of = name => style.getPropertyValue(name).trim();
            const colour = colours(of('--cold'), of('--raised'), of('--heat'));
            const edge = width > 4 ? 1 : 0;
            const [isReadable, named] = [width >= READABLE, Math.ceil(LINE / height)];
            pen.font = `11px ${style.fontFamily}`;
            pen.textBaseline = 'middle';
            props.rows.forEach((name, row) => {
                const y = top + row * height;
                props.columns.forEach((_, column) => {
                    const { heat, text, changed } = props.cell(column, row);
                    const x = left + column * width;
                    pen.fillStyle = heat === null ? of('--page') : colour(heat);
                    pen.fillRect(x, y, width - edge, height - 1);
                    if (changed) {
                        pen.fillStyle = of('--edited-bar');
                        pen.fillRect(x, y + height - 4, width - edge, 3);
                    }
                    if (isReadable && height >= LINE) {
                        pen.fillStyle = style.color;
                        pen.fillText(text, x + 3, y + height / 2, width - 6);
                    }
                });
                if (row % named === 0) {
                    pen.fillStyle = style.color;
                    pen.fillText(name, 2, y + height / 2);
                }
            });
            if (top > 0) {
                pen.fillStyle = style.color;
                props.columns.forEach((name, column) => head(pen, name, left + column * width, isReadable));
            }
        }

        /** Writes a column's name; where the column is narrow, upright. */
        function head(pen, name, x, isReadable) {
            if (isReadable) {
                pen.fillText(name, x + 3, size.value.top / 2, size.value.width - 6);
                return;
            }
            pen.save();
            pen.translate(x + size.value.width / 2, size.value.top - 4);
            pen.rotate(-Math.PI / 2);
            pen.fillText(name, 0, 0, size.value.top - 6);
            pen.restore();
        }

        const isInside = ([column, row]) => column >= 0 && column < props.columns.length && row >= 0 && row < props.rows.length;

        function at(event) {
            const box = canvas.value.getBoundingClientRect();
            const cell = [
                Math.floor((event.clientX - box.left - size.value.left) / size.value.width),
                Math.floor((event.clientY - box.top - size.value.top) / size.value.height)
            ];
            return isInside(cell) ? cell : null;
        }

        function key(event) {
            const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
            if (step || event.key === 'Enter') {
                event.preventDefault();
                const cell = props.chosen.map((each, index) => each + (step?.[index] ?? 0));
                if (isInside(cell)) {
                    emit('open', ...cell, step ? 'key' : 'click');
                }
            }
        }

        const observer = new ResizeObserver(draw);
        onMounted(() => observer.observe(canvas.value.parentElement)); // which draws, too
        onUnmounted(() => observer.disconnect());
        watch([() => props.cell, isDark], draw);

        /** Where the chosen cell is, whose frame is an element: it moves without all cells being drawn anew. */
        const frame = () => {
            const { left, top, width, height } = size.value;
            const [column, row] = props.chosen;
            return {
                left: `${left + column * width - 1}px`,
                top: `${top + row * height - 1}px`,
                width: `${Math.max(3, width) + 2}px`,
                height: `${height + 1}px`
            };
        };

        return () => {
            const { says } = props.cell(...(pointed.value ?? props.chosen));
            return [
                h('div', { class: 'canvas picture' }, [
                    h('canvas', {
                        ref: canvas,
                        tabindex: 0,
                        role: 'application',
                        'aria-label': `${props.name}; arrow keys move, Enter opens. ${says}`,
                        onKeydown: key,
                        onMousemove: event => (pointed.value = at(event)),
                        onMouseleave: () => (pointed.value = null),
                        onClick: event => at(event) && emit('open', ...at(event), event.pointerType === 'touch' ? 'tap' : 'click')
                    }),
                    h('span', { class: 'frame', style: frame() })
                ]),
                h('p', { class: 'hint readout' }, says)
            ];
        };
    }
};
