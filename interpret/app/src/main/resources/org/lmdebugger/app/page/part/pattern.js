// Attention weights of a head, position × position, drawn on a canvas: a row for each token that reads.
import { h, onMounted, ref, watch } from '/lib/vue.js';
import { isDark } from '../media.js';
import { draw as drawOn } from '../picture.js';
import { colours } from '../scale.js';

const LETTERS = 11; // pixels

export const Pattern = {
    props: {
        rows: { type: Array, required: true }, // of each position the weights of those up to it
        size: { type: Number, required: true }, // pixels
        chosen: { type: Number, default: -1 }, // the row that is marked
        tokens: { type: Array, default: () => [] }, // as files have them beside rows and columns
        name: { type: String, required: true }
    },
    emits: ['point', 'pick'],
    setup(props, { emit }) {
        const canvas = ref(null);

        function draw() {
            const length = props.rows.length;
            const scale = Math.max(1, Math.ceil((props.size * window.devicePixelRatio) / length));
            drawOn(canvas.value, [length, length], scale, paint, named);
        }

        /** A unit is a token. */
        function paint(pen, style) {
            const length = props.rows.length;
            const colour = colours(...['--raised', '--raised', '--accent'].map(name => style.getPropertyValue(name).trim()));
            pen.fillStyle = style.getPropertyValue('--page').trim();
            pen.fillRect(0, 0, length, length);
            props.rows.forEach((row, query) =>
                row.forEach((weight, key) => {
                    pen.fillStyle = colour(Math.sqrt(weight ?? 0));
                    pen.fillRect(key, query, 1, 1);
                })
            );
            if (props.chosen >= 0) {
                const line = length / props.size; // a pixel
                pen.strokeStyle = style.getPropertyValue('--edited').trim();
                pen.lineWidth = line;
                pen.strokeRect(line / 2, props.chosen + line / 2, props.chosen + 1 - line, 1 - line);
            }
        }

        /** The same with the tokens that read on the left, and those that are read on top. */
        function named(pen, style) {
            paint(pen, style);
            const size = Math.min(0.8, (LETTERS * props.rows.length) / props.size);
            const room = size * (1 + 0.6 * Math.max(0, ...props.tokens.map(each => each.length)));
            pen.fillStyle = style.getPropertyValue('--page').trim();
            pen.fillRect(-room, -room, room, room); // the picture reaches that far
            Object.assign(pen, { fillStyle: style.color, font: `${size}px ${style.fontFamily}`, textBaseline: 'middle' });
            props.tokens.forEach((each, position) => {
                pen.fillText(each, -room, position + 0.5);
                pen.save();
                pen.translate(position + 0.5, -size / 2);
                pen.rotate(-Math.PI / 2);
                pen.fillText(each, 0, 0);
                pen.restore();
            });
        }

        /** The position that reads and the one that is read, under the mouse; null above the diagonal. */
        function at(event) {
            const box = canvas.value.getBoundingClientRect();
            const [key, query] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map(share =>
                Math.min(props.rows.length - 1, Math.floor(share * props.rows.length))
            );
            return key > query ? null : { query, key };
        }

        onMounted(draw);
        watch([() => props.rows, () => props.chosen, isDark], draw);
        return () =>
            h('canvas', {
                ref: canvas,
                class: ['pattern', { large: props.chosen >= 0 }],
                style: { width: `${props.size}px`, height: `${props.size}px` },
                role: 'img',
                'aria-label': props.name,
                onMousemove: event => emit('point', at(event)),
                onMouseleave: () => emit('point', null),
                onClick: event => at(event) && emit('pick', at(event))
            });
    }
};
