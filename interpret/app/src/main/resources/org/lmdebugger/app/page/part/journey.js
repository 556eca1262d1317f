// The way of a followed token through the layers: its rank, clean and edited.
import { h } from '/lib/vue.js';
import { Export } from './export.js';
import { isNarrow } from '../media.js';
import { linear, logarithmic, path } from '../scale.js';
import { percent, rank, token } from '../text.js';

const HEIGHT = 170;
const MARGIN = { left: 56, right: 12, top: 14, bottom: 22 };

function points(position) {
    return position.layers.flatMap(({ layer, chosen }) => [
        { at: layer + 0.25, ...chosen[0].before },
        { at: layer + 0.75, ...chosen[0].after }
    ]);
}

export function journey(clean, edited) {
    const width = isNarrow.value ? 340 : 760; // about that of the screen, so that texts are as large as elsewhere
    const lines = [['clean', points(clean)], edited && ['edited', points(edited)]].filter(Boolean);
    const worst = Math.max(10, ...lines.flatMap(([, line]) => line.map(each => each.rank + 1)));
    const x = linear([0, clean.layers.length], [MARGIN.left, width - MARGIN.right]);
    const y = logarithmic([1, worst], [MARGIN.top, HEIGHT - MARGIN.bottom]);
    const way = line => path(line.map(each => [x(each.at), y(each.rank + 1)]));
    const chosen = clean.layers.at(-1).chosen[0];
    const says = lines
        .map(([kind, line]) => `${kind}: ${rank(line[0].rank)} at first, ${rank(line.at(-1).rank)} at last`)
        .join('; ');
    const ranks = [1, 10, 100, 1000, 10000].filter(each => each <= worst);
    const every = Math.ceil(clean.layers.length / (isNarrow.value ? 8 : 12));
    const rows = () =>
        lines.flatMap(([run, line]) =>
            line.map(({ at, rank, probability }) => ({
                run,
                layer: Math.floor(at),
                at: at % 1 < 0.5 ? 'before' : 'after',
                token: chosen.token,
                rank: rank + 1,
                probability
            }))
        );
    return h('figure', { class: 'journey' }, [
        h('figcaption', [
            h('span', ['Rank of ', token(chosen.token), ' through the layers']),
            h(Export, { what: `rank of ${chosen.token}`, rows })
        ]),
        h('svg', { class: 'picture', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': `Rank of the followed token, ${says}` }, [
            ranks.map(each =>
                h('g', { class: 'grid', key: each }, [
                    h('line', { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(each), y2: y(each) }),
                    h('text', { x: MARGIN.left - 6, y: y(each) + 4, 'text-anchor': 'end' }, rank(each - 1))
                ])
            ),
            clean.layers
                .filter(({ layer }) => layer % every === 0)
                .map(({ layer }) =>
                    h('text', { key: 'x' + layer, x: x(layer + 0.5), y: HEIGHT - 6, 'text-anchor': 'middle' }, `L${layer}`)
                ),
            lines.map(([kind, line]) =>
                h('g', { class: kind, key: kind }, [
                    h('path', { d: way(line) }),
                    line.map((each, index) =>
                        h(
                            'circle',
                            { key: index, cx: x(each.at), cy: y(each.rank + 1), r: 2.6 },
                            h(
                                'title',
                                `${index % 2 ? 'after' : 'before'} layer ${index >> 1}: ${rank(each.rank)}, ${percent(each.probability)}`
                            )
                        )
                    )
                ])
            )
        ])
    ]);
}
