// routes.js: the part of a flow above a threshold, and what can be measured of it.
const { above, linkKey, measurable } = await import('/routes.js');

const node = (layer, position, ffn_share = 0.1) => ({ layer, position, stream: 1, ffn: 1, ffn_share });
const link = (layer, query, key, share) => ({ layer, query, key, share, norm: 1, head: 0, head_norm: 1 });

const FLOW = {
    position: 2,
    least: 0.02,
    nodes: [node(1, 2, 0.3), node(0, 0), node(0, 1), node(0, 2)],
    links: [link(1, 2, 0, 0.05), link(1, 2, 1, 0.2), link(0, 0, 0, 0.9), link(0, 1, 0, 0.4), link(0, 2, 2, 0.1)]
};
const names = links => links.map(linkKey);

test('only what a large enough link leads to is left', () => {
    const { nodes, links, entries } = above(FLOW, 0.15);
    equal(nodes.map(each => [each.layer, each.position]), [[1, 2], [0, 1], [0, 2]]);
    equal(names(links), ['L1 2→1', 'L0 1→0']);
    equal(entries, [0, 1, 2]);
});

test('the stream of the position itself always stays', () => {
    const { nodes, links, entries } = above(FLOW, 0.95);
    equal(nodes.map(each => [each.layer, each.position]), [[1, 2], [0, 2]]);
    equal([links, entries], [[], [2]]);
});

test('at the smallest share all is left', () => {
    equal(names(above(FLOW, 0.02).links), names(FLOW.links));
});

test('links are measured in all heads, FFNs of a share at their position, the largest first', () => {
    const parts = measurable(above(FLOW, 0.15), 0.15, 2);
    equal(parts.map(each => each.edits), [
        ['L0H0.link=off@1->0', 'L0H1.link=off@1->0'],
        ['L1.ffn=0@2'],
        ['L1H0.link=off@2->1', 'L1H1.link=off@2->1']
    ]);
});

test('the first position, which reads itself alone, is not measured', () => {
    equal(measurable({ nodes: [], links: [link(0, 0, 0, 0.9)] }, 0.1, 2), []);
});
