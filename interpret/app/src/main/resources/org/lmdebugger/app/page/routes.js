// The routes to a prediction: what a server's flow has, above a threshold, and how interventions name its parts.

/** The name of a link or of an FFN at a position, by which its effect is kept. */
export const linkKey = ({ layer, query, key }) => `L${layer} ${query}→${key}`;
export const ffnKey = ({ layer, position }) => `L${layer} FFN ${position}`;
export const isFfn = key => key.includes('FFN');

/**
 * The part of a flow that is left when only links of at least a share lead on: {nodes, links, entries}, nodes as
 * {layer, position, stream, ffn, ffn_share}, and the positions whose embeddings are reached.
 */
export function above(flow, share) {
    const layers = Math.max(...flow.nodes.map(each => each.layer)) + 1;
    let reached = new Set([flow.position]);
    const [nodes, links] = [[], []];
    for (let layer = layers - 1; layer >= 0; layer--) {
        const isReached = position => reached.has(position);
        nodes.push(...flow.nodes.filter(each => each.layer === layer && isReached(each.position)));
        const taken = flow.links.filter(each => each.layer === layer && isReached(each.query) && each.share >= share);
        links.push(...taken);
        reached = new Set([...reached, ...taken.map(each => each.key)]);
    }
    return { nodes, links, entries: [...reached].sort((a, b) => a - b) };
}

/**
 * What can be measured of some routes, the largest shares first: {key, edits} of each link, switched off in all heads,
 * and of each FFN of a share, switched off at its position. The first position reads itself alone, which must stay.
 */
export function measurable({ nodes, links }, share, heads) {
    const ofLinks = links
        .filter(each => each.query > 0)
        .map(each => ({
            share: each.share,
            key: linkKey(each),
            edits: Array.from({ length: heads }, (_, head) => `L${each.layer}H${head}.link=off@${each.query}->${each.key}`)
        }));
    const ofFfns = nodes
        .filter(each => each.ffn_share >= share)
        .map(each => ({ share: each.ffn_share, key: ffnKey(each), edits: [`L${each.layer}.ffn=0@${each.position}`] }));
    return [...ofLinks, ...ofFfns].sort((a, b) => b.share - a.share);
}
