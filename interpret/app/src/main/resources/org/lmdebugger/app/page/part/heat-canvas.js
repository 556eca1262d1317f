// Layers × positions as small cells on a canvas, for prompts too long for a table.
import { h, onMounted, onUnmounted, ref, watch } from '/lib/vue.js';
import { isDark } from '../media.js';
import { visible } from '../text.js';

const LEFT = 34; // for the layers' names
const READABLE = 46; // pixels of a cell that its token fits into

/** Pixels of a cell. */
export const cellHeight = layers => Math.max(6, Math.min(24, 336 / layers));

export const HeatCanvas = {
    props: {
        layers: { type: Number, required: true },
        positions: { type: Number, required: true },
        chosen: { type: Array, required: true }, // [position, layer]
        cell: { type: Function, required: true } // (position, layer) => {heat, text, says, changed}
    },
    emits: ['open'],
    setup(props, { emit }) {
        const canvas = ref(null);
        const pointed = ref(null);
        let size = {};

        function draw() {
            const element = canvas.value;
            const width = element.parentElement.clientWidth;
            const ratio = window.devicePixelRatio;
            size = { width: (width - LEFT) / props.positions, height: cellHeight(props.layers) };
            element.width = width * ratio;
            element.height = size.height * props.layers * ratio;
            Object.assign(element.style, { width: `${width}px`, height: `${size.height * props.layers}px` });
            const pen = element.getContext('2d');
            pen.scale(ratio, ratio);
            paint(pen, getComputedStyle(element));
        }

        function paint(pen, style) {
            const of = name => style.getPropertyValue(name).trim();
            const colour = window.d3.scaleLinear([0, 1], [of('--raised'), of('--heat')]);
            const edge = size.width > 4 ? 1 : 0;
            pen.font = `11px ${style.fontFamily}`;
            pen.textBaseline = 'middle';
            for (let layer = 0; layer < props.layers; layer++) {
                for (let position = 0; position < props.positions; position++) {
                    const { heat, text, changed } = props.cell(position, layer);
                    const [x, y] = [LEFT + position * size.width, layer * size.height];
                    pen.fillStyle = colour(heat);
                    pen.fillRect(x, y, size.width - edge, size.height - 1);
                    if (changed) {
                        pen.fillStyle = of('--edited-bar');
                        pen.fillRect(x, y + size.height - 4, size.width - edge, 3);
                    }
                    if (size.width >= READABLE) {
                        pen.fillStyle = style.color;
                        pen.fillText(visible(text), x + 3, y + size.height / 2, size.width - 6);
                    }
                }
                if (size.height >= 11 || layer % 4 === 0) {
                    pen.fillStyle = style.color;
                    pen.fillText(`L${layer}`, 2, layer * size.height + size.height / 2);
                }
            }
            const [position, layer] = props.chosen;
            pen.strokeStyle = of('--ink');
            pen.lineWidth = 2;
            pen.strokeRect(LEFT + position * size.width, layer * size.height, Math.max(3, size.width), size.height - 1);
        }

        function at(event) {
            const box = canvas.value.getBoundingClientRect();
            const position = Math.floor((event.clientX - box.left - LEFT) / size.width);
            const layer = Math.floor((event.clientY - box.top) / size.height);
            const isInside = position >= 0 && position < props.positions && layer >= 0 && layer < props.layers;
            return isInside ? [position, layer] : null;
        }

        function key(event) {
            const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
            if (step) {
                event.preventDefault();
                const [position, layer] = props.chosen.map((each, index) => each + step[index]);
                if (position >= 0 && position < props.positions && layer >= 0 && layer < props.layers) {
                    emit('open', position, layer, false);
                }
            }
        }

        const observer = new ResizeObserver(draw);
        onMounted(() => observer.observe(canvas.value.parentElement)); // which draws, too
        onUnmounted(() => observer.disconnect());
        watch([() => props.cell, () => props.chosen.join(), isDark], draw);

        return () => {
            const [position, layer] = pointed.value ?? props.chosen;
            const says = `Layer ${layer}, position ${position}: ${props.cell(position, layer).says}`;
            return [
                h(
                    'div',
                    { class: 'canvas' },
                    h('canvas', {
                        ref: canvas,
                        tabindex: 0,
                        role: 'application',
                        'aria-label': `Layers and positions; arrow keys move. ${says}`,
                        onKeydown: key,
                        onMousemove: event => (pointed.value = at(event)),
                        onMouseleave: () => (pointed.value = null),
                        onClick: event => at(event) && emit('open', ...at(event), true)
                    })
                ),
                h('p', { class: 'hint readout' }, says)
            ];
        };
    }
};
