// Edges as a drawing: heads of a layer side by side, its FFN above them, from the embedding at the bottom to the logits.
import { h } from '/lib/vue.js';
import { link } from '../state.js';
import { signed } from '../text.js';

const [ROW, LEFT, WIDTH, WIDEST] = [30, 12, 900, 7];
const NODE = [58, 20]; // width and height

/** The head, FFN, embedding or logits that a sender or receiver, such as L1H2.q, is or belongs to. */
export const nodeOf = name => name.replace(/(H\d+)\.[qkv]$/, '$1');

/** A node's layer and head, which is undefined for an FFN; null for the embedding and the logits. */
function placeOf(node) {
    const [, layer, head] = /^L(\d+)(?:H(\d+)|\.ffn)$/.exec(node) ?? [];
    return layer === undefined ? null : { layer: Number(layer), ...(head === undefined ? {} : { head: Number(head) }) };
}

/** Where a node is looked at: a head in Attention, an FFN in Prediction; null for the embedding and the logits. */
export function addressOf(node) {
    const place = placeOf(node);
    return place && link('head' in place ? 'attention' : 'prediction', '', place);
}

/**
 * @param edges  {sender, receiver, effect}; those with the largest effects lie above
 * @param layers of the model
 * @param heads  of a layer
 */
export function edgeChart(edges, layers, heads) {
    const height = (2 * layers + 2) * ROW;
    const middle = LEFT + WIDTH / 2;
    const at = node => {
        const place = placeOf(node);
        const row = place ? 2 * place.layer + ('head' in place ? 1 : 2) : node === 'embedding' ? 0 : 2 * layers + 1;
        return [place && 'head' in place ? LEFT + ((place.head + 0.5) / heads) * WIDTH : middle, height - (row + 0.5) * ROW];
    };
    const largest = Math.max(1e-9, ...edges.map(each => Math.abs(each.effect)));
    const drawn = [...edges].sort((a, b) => Math.abs(a.effect) - Math.abs(b.effect));
    const nodes = [...new Set(edges.flatMap(each => [each.sender, each.receiver].map(nodeOf)))];

    const line = each => {
        const [[x, y], [toX, toY]] = [at(each.sender), at(nodeOf(each.receiver))];
        const bend = x === toX && y - toY > 2 * ROW ? NODE[0] : 0; // else it would run through what lies between
        return h(
            'path',
            {
                key: `${each.sender}>${each.receiver}`,
                class: each.effect < 0 ? 'against' : 'for',
                d: `M${x},${y}C${x + bend},${(y + toY) / 2} ${toX + bend},${(y + toY) / 2} ${toX},${toY}`,
                'stroke-width': 1 + (WIDEST - 1) * (Math.abs(each.effect) / largest)
            },
            h('title', `${each.sender} to ${each.receiver}: ${signed(each.effect)}`)
        );
    };

    const node = name => {
        const [x, y] = at(name);
        const box = [
            h('rect', { x: x - NODE[0] / 2, y: y - NODE[1] / 2, width: NODE[0], height: NODE[1], rx: 6 }),
            h('text', { x, y: y + 4, 'text-anchor': 'middle' }, name === 'embedding' ? 'emb.' : name)
        ];
        const href = addressOf(name);
        return href === null
            ? h('g', { key: name, class: 'part' }, box)
            : h('a', { key: name, class: 'part', href, 'aria-label': `Look at ${name}` }, box);
    };

    return h('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Strongest edges' }, [
        h('svg', { class: 'edges picture', viewBox: `0 0 ${WIDTH + 2 * LEFT} ${height}`, width: WIDTH + 2 * LEFT, height }, [
            drawn.map(line),
            nodes.map(node)
        ])
    ]);
}
