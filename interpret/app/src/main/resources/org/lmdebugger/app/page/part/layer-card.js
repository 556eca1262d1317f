// One layer at one position: before, what its feed-forward part adds, after.
import { h } from '/lib/vue.js';
import { link, state } from '../state.js';
import { percent, rank, token } from '../text.js';
import { dominant } from './dominant.js';
import { predictions } from './predictions.js';

/** How a followed token fares in this layer. */
function standing(chosen, kind) {
    return h('span', { class: ['standing', kind] }, [
        rank(chosen.before.rank),
        ' → ',
        rank(chosen.after.rank),
        ', ',
        percent(chosen.before.probability),
        ' → ',
        percent(chosen.after.probability)
    ]);
}

/**
 * @param position clean, of the trace
 * @param edited   the same position under the edits; null without
 * @param extra    see dominant
 */
export function layerCard(position, edited, index, { extra = null, step = true } = {}) {
    const layer = position.layers[index];
    const other = edited?.layers[index];
    const edits = state.edits.filter(edit => edit.enabled && edit.layer === index).length;
    const chosen = layer.chosen[0];
    const named = layers => ({ ...layers, dominant: layers.dominant.map(each => ({ ...each, layer: index })) });
    return h(
        'article',
        {
            class: ['panel', 'layer', { opened: state.layer === index, rich: extra }],
            id: `layer-${index}`,
            key: index,
            tabindex: -1,
            'aria-label': `Layer ${index}`
        },
        [
            h('header', { class: 'row spread' }, [
                h('h3', [
                    `Layer ${index}`,
                    edits > 0 && h('span', { class: 'badge' }, edits === 1 ? '1 edit' : `${edits} edits`)
                ]),
                chosen &&
                    h('span', { class: 'row standings' }, [
                        token(chosen.token),
                        standing(chosen, 'clean'),
                        other && standing(other.chosen[0], 'edited')
                    ]),
                step && h('a', { class: 'quiet', href: link('step', '', { layer: index }) }, 'Step from here')
            ]),
            h('div', { class: 'columns' }, [
                h('section', [
                    h('h4', 'Before'),
                    predictions(layer.before, other?.before, state.top, `Likeliest tokens before layer ${index}`)
                ]),
                h('section', { class: 'wide' }, [
                    h('h4', 'Dominant sub-updates'),
                    dominant(
                        named(layer).dominant,
                        other && named(other).dominant,
                        state.top,
                        position.target.token,
                        extra
                    )
                ]),
                h('section', [
                    h('h4', 'After'),
                    predictions(layer.after, other?.after, state.top, `Likeliest tokens after layer ${index}`)
                ])
            ])
        ]
    );
}
