// The routes to a prediction as a drawing: tokens from left to right, layers from the embeddings at the bottom up.
import { computed, h, nextTick, onMounted, ref, watch } from '/lib/vue.js';
import { isNarrow } from '../media.js';
import { link } from '../state.js';
import { signed, visible } from '../text.js';
import { ffnKey, isFfn, linkKey } from '../routes.js';

const [LEFT, TOP, BOTTOM] = [52, 18, 30];
const WIDEST = 9; // of a line

export const FlowChart = {
    props: {
        tokens: { type: Array, required: true },
        layers: { type: Number, required: true },
        routes: { type: Object, required: true }, // {nodes, links, entries}
        chosen: { type: Object, default: null }, // {layer, position}; layer −1 is the embedding
        effects: { type: Map, required: true } // by key
    },
    emits: ['choose'],
    setup(props, { emit }) {
        const box = ref(null);
        const row = computed(() => Math.max(26, Math.min(64, 520 / (props.layers + 1))));
        const column = computed(() => Math.max(46, Math.min(110, (isNarrow.value ? 300 : 1000) / props.tokens.length)));
        const x = position => LEFT + (position + 0.5) * column.value;
        const y = layer => TOP + (props.layers - 1 - layer) * row.value + row.value / 2; // after a layer; −1: below all
        /** The largest effect of a kind, links or FFNs: whole FFNs do so much more that links could not be told apart. */
        const largest = isOfKind =>
            Math.max(1e-9, ...[...props.effects].filter(([key]) => isOfKind(key)).map(([, effect]) => Math.abs(effect ?? 0)));
        const most = computed(() => ({ links: largest(key => !isFfn(key)), ffns: largest(isFfn) }));

        const measured = key => props.effects.get(key) ?? null;

        /** How wide and of which kind a line or circle is: by its effect where that is measured, else by its share. */
        const look = (key, share) => {
            const effect = measured(key);
            return effect === null
                ? { class: 'by-norm', size: share }
                : { class: effect < 0 ? 'against' : 'for', size: Math.abs(effect) / most.value[isFfn(key) ? 'ffns' : 'links'] };
        };

        const isChosen = (layer, position) => props.chosen?.layer === layer && props.chosen?.position === position;

        /** From the read position below a layer to the position that reads, above it; a token's own reading bends aside. */
        const path = ({ layer, query, key }) => {
            const [from, to] = [
                [x(key), y(layer - 1)],
                [x(query), y(layer)]
            ];
            const middle = (from[1] + to[1]) / 2;
            const aside = query === key ? -column.value / 3 : 0;
            return `M${from}C${from[0] + aside},${middle} ${to[0] + aside},${middle} ${to}`;
        };

        const line = each => {
            const { class: kind, size } = look(linkKey(each), each.share);
            return h(
                'a',
                {
                    key: linkKey(each),
                    href: link('attention', '', { layer: each.layer, head: each.head, position: positionOf(each.query) }),
                    tabindex: -1,
                    class: ['link', kind, { lit: isChosen(each.layer, each.query) }],
                    onMouseenter: () => emit('choose', { layer: each.layer, position: each.query })
                },
                [
                    h('path', { d: path(each), 'stroke-width': 1 + (WIDEST - 1) * size }),
                    h('title', `Layer ${each.layer}: ${name(each.query)} reads ${name(each.key)}`)
                ]
            );
        };

        const positionOf = position => (position === props.tokens.length - 1 ? -1 : position);
        const name = position => `${visible(props.tokens[position].text)} (${position})`;

        const node = (layer, position, ffn) => {
            const { class: kind, size } = ffn ? look(ffnKey(ffn), ffn.ffn_share) : { class: 'by-norm', size: 0 };
            const effect = ffn && measured(ffnKey(ffn));
            return h(
                'a',
                {
                    key: `${layer} ${position}`,
                    href: link('prediction', '', { layer: Math.max(0, layer), position: positionOf(position) }),
                    tabindex: isChosen(layer, position) ? 0 : -1,
                    'data-node': `${layer} ${position}`,
                    class: ['node', kind, { lit: isChosen(layer, position) }],
                    'aria-label':
                        `${layer < 0 ? 'Embedding' : `Layer ${layer}`} at ${name(position)}` +
                        (effect == null ? '' : `, FFN ${signed(effect)}`) +
                        ', open in Prediction',
                    onMouseenter: () => emit('choose', { layer, position }),
                    onFocus: () => emit('choose', { layer, position })
                },
                h('circle', { cx: x(position), cy: y(layer), r: 4 + 5 * size })
            );
        };

        /** The nearest node in a direction. */
        function key(event) {
            const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
            if (right === undefined || !props.chosen) {
                return;
            }
            event.preventDefault();
            const { layer, position } = props.chosen;
            const there = [
                ...props.routes.nodes,
                ...props.routes.entries.map(each => ({ layer: -1, position: each }))
            ].filter(each => (right ? each.layer === layer && (each.position - position) * right > 0 : each.layer === layer + up));
            const [nearest] = there.sort((a, b) => Math.abs(a.position - position) - Math.abs(b.position - position));
            if (nearest) {
                emit('choose', { layer: nearest.layer, position: nearest.position });
                nextTick(() => box.value.querySelector(`[data-node="${nearest.layer} ${nearest.position}"]`)?.focus());
            }
        }

        /** A long prompt begins at its end, where the routes come together. */
        const toEnd = () => (box.value.scrollLeft = box.value.scrollWidth);
        onMounted(toEnd);
        watch(() => props.tokens, () => nextTick(toEnd));

        return () => {
            const { nodes, links, entries } = props.routes;
            const [width, height] = [LEFT + props.tokens.length * column.value + 12, y(-1) + BOTTOM + 14];
            return h(
                'div',
                { class: 'scroll', ref: box },
                h('svg', { class: 'flow picture', viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': 'Routes to the prediction; arrow keys move, Enter opens', onKeydown: key }, [
                    Array.from({ length: props.layers + 1 }, (_, index) =>
                        h('g', { class: 'grid', key: index }, [
                            h('line', { x1: LEFT, x2: width, y1: y(index - 1), y2: y(index - 1) }),
                            h('text', { x: 4, y: y(index - 1) + 4 }, index === 0 ? 'emb.' : `L${index - 1}`)
                        ])
                    ),
                    props.tokens.map((each, position) =>
                        h('text', { key: position, class: ['word', { reached: entries.includes(position) }], x: x(position), y: height - 8, 'text-anchor': 'middle' }, visible(each.text).slice(0, 9))
                    ),
                    nodes.map(({ layer, position }) =>
                        h('line', { key: `s${layer} ${position}`, class: 'stream', x1: x(position), x2: x(position), y1: y(layer - 1), y2: y(layer) })
                    ),
                    [...links].sort((a, b) => look(linkKey(a), a.share).size - look(linkKey(b), b.share).size).map(line),
                    nodes.map(each => node(each.layer, each.position, each)),
                    entries.map(position => node(-1, position, null))
                ])
            );
        };
    }
};
