// Attention weights of a head, position × position, drawn on a canvas: a row for each token that reads.
import { h, onMounted, ref, watch } from '/lib/vue.js';
import { isDark } from '../media.js';

export const Pattern = {
    props: {
        rows: { type: Array, required: true }, // of each position the weights of those up to it
        size: { type: Number, required: true }, // pixels
        chosen: { type: Number, default: -1 }, // the row that is marked
        name: { type: String, required: true }
    },
    emits: ['point', 'pick'],
    setup(props, { emit }) {
        const canvas = ref(null);

        function draw() {
            const length = props.rows.length;
            const scale = Math.max(1, Math.ceil((props.size * window.devicePixelRatio) / length));
            const element = canvas.value;
            element.width = element.height = length * scale;
            const style = getComputedStyle(element);
            const pen = element.getContext('2d');
            const colour = window.d3.scaleLinear([0, 1], ['--raised', '--accent'].map(name => style.getPropertyValue(name).trim()));
            pen.fillStyle = style.getPropertyValue('--page').trim();
            pen.fillRect(0, 0, element.width, element.height);
            props.rows.forEach((row, query) =>
                row.forEach((weight, key) => {
                    pen.fillStyle = colour(Math.sqrt(weight ?? 0));
                    pen.fillRect(key * scale, query * scale, scale, scale);
                })
            );
            if (props.chosen >= 0) {
                pen.strokeStyle = style.getPropertyValue('--edited').trim();
                pen.lineWidth = Math.max(1, window.devicePixelRatio);
                pen.strokeRect(0.5, props.chosen * scale + 0.5, (props.chosen + 1) * scale - 1, scale - 1);
            }
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
