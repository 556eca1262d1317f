// One layer at one position: before, what its feed-forward part adds, after.
import { h } from '/lib/vue.js';
import { label } from '../edits.js';
import { show } from '../media.js';
import { enabledEdits, link, say, session, state } from '../state.js';
import { isFollowed } from '../trace.js';
import { percent, rank, token } from '../text.js';
import { dominant, dominantRows } from './dominant.js';
import { Export } from './export.js';
import { useLater } from './later.js';
import { predictionRows, predictions } from './predictions.js';
import { targetText } from './target.js';

/** Neurons of two lists, without those of the second that the first has; of these it has more numbers. */
function joined(first, second) {
    const numbers = new Map(second.map(each => [label(each), each]));
    const there = new Set(first.map(label));
    return [...first.map(each => ({ ...each, ...numbers.get(label(each)) })), ...second.filter(each => !there.has(label(each)))];
}

/**
 * The value vectors of a traced layer, clean and edited, as {layer, neuron, …}: those with the largest scores.
 *
 * @param other  the layer under the edits; null without
 * @param ranked [clean, edited], those with the largest of another number, which join them; null without
 */
export const neuronsOf = (layer, other, ranked) =>
    [layer, other].map((each, run) => {
        const scored = each?.dominant.map(update => ({ ...update, layer: each.layer }));
        return scored && joined(ranked?.[run] ?? [], scored);
    });

/** Whether only the head of a layer's card is shown. */
export const isFolded = layer => session.folded.has(layer);

function fold(layer, folded) {
    folded ? session.folded.add(layer) : session.folded.delete(layer);
}

export function foldAll(layers, folded) {
    session.folded = new Set(folded ? Array.from({ length: layers }, (_, layer) => layer) : []);
    say(folded ? 'All layers collapsed' : 'All layers open');
}

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

/** The way to the view Step, which is rendered with the address and not with the card. */
const StepLink = ({ layer }) => h('a', { class: 'quiet', href: link('step', '', { layer }) }, 'Step from here');
StepLink.props = ['layer'];

const Card = ({ layer, other, ranked, at, extra = null, step }) => {
    const index = layer.layer;
    const edits = enabledEdits().filter(edit => edit.layer === index).length;
    const chosen = isFollowed() && layer.chosen[0];
    const neurons = neuronsOf(layer, other, ranked);
    const rows = () => [
        ...predictionRows(layer.before, other?.before, state.top).map(row => ({ table: 'before', ...row })),
        ...dominantRows(...neurons, state.top).map(row => ({ table: 'neurons', ...row })),
        ...predictionRows(layer.after, other?.after, state.top).map(row => ({ table: 'after', ...row }))
    ];
    return h(
        'article',
        {
            class: ['panel', 'layer', { opened: state.layer === index, rich: extra }],
            id: `layer-${index}`,
            tabindex: -1,
            'aria-label': `Layer ${index}`
        },
        [
            h('header', { class: 'row spread' }, [
                h('h3', [
                    step
                        ? h(
                              'button',
                              {
                                  type: 'button',
                                  class: 'fold',
                                  'aria-expanded': String(!isFolded(index)),
                                  onClick: () => fold(index, !isFolded(index))
                              },
                              [h('span', { 'aria-hidden': 'true' }, isFolded(index) ? '▸' : '▾'), `Layer ${index}`]
                          )
                        : `Layer ${index}`,
                    edits > 0 && h('span', { class: 'badge' }, edits === 1 ? '1 edit' : `${edits} edits`)
                ]),
                chosen &&
                    h('span', { class: 'row standings' }, [
                        token(chosen.token),
                        standing(chosen, 'clean'),
                        other?.chosen[0] && standing(other.chosen[0], 'edited')
                    ]),
                h('div', { class: 'row' }, [
                    step && h(StepLink, { layer: index }),
                    h(Export, { what: `layer ${index}`, picture: !(step && isFolded(index)), rows })
                ])
            ]),
            !(step && isFolded(index)) && h('div', { class: 'columns picture' }, [
                h('section', [
                    h('h4', 'Before'),
                    predictions(layer.before, other?.before, state.top, `Likeliest tokens before layer ${index}`)
                ]),
                h('section', { class: 'wide' }, [
                    h('h4', 'Dominant sub-updates'),
                    dominant(...neurons, { count: state.top, at, extra })
                ]),
                h('section', [
                    h('h4', 'After'),
                    predictions(layer.after, other?.after, state.top, `Likeliest tokens after layer ${index}`)
                ])
            ])
        ]
    );
};
Card.props = ['layer', 'other', 'ranked', 'at', 'extra', 'step'];

export const LayerCard = {
    props: {
        layer: { type: Object, required: true }, // of a traced position, clean
        other: { type: Object, default: null }, // the same under the edits
        ranked: { type: Array, default: null }, // see neuronsOf
        at: { type: String, required: true }, // the position, as an intervention names it
        extra: { type: Function, default: null }, // see dominant
        step: { type: Boolean, default: false } // whether the card leads to the view Step, and can be folded
    },
    setup(props) {
        const { shown, onSkip } = useLater(() => ({ ...props }));
        return () => h(Card, { ...shown.value, onContentvisibilityautostatechange: onSkip });
    }
};

/** Opens the card of a layer and brings it into sight. */
export function showLayer(layer) {
    state.layer = layer;
    fold(layer, false);
    say(`Layer ${layer}`);
    const card = document.getElementById(`layer-${layer}`);
    show(card, 'start');
    card?.focus({ preventScroll: true });
}

const term = (word, ...meaning) => [h('dt', word), h('dd', meaning)];

/** The words of the tables, where they stand. */
export function effectsHint(position) {
    return h('details', { class: 'words' }, [
        h('summary', [
            isFollowed() ? 'Click the followed token again to let it go. ' : 'Effects are on the prediction; click a token to follow another. ',
            'What the columns mean'
        ]),
        h('dl', [
            term('before, after', 'The logit lens: the tokens that the model would predict if it ended here.'),
            term('coefficient', 'The activation of the neuron, which weighs its value vector.'),
            term('score', 'Coefficient times the norm of the value vector, without sign: how much it weighs in the layer.'),
            term('direct effect', 'Direct logit attribution: the share of coefficient × value vector in the logit of ', targetText(position), '.'),
            term(
                'total effect',
                position.against ? 'Measured: the logit difference ' : 'Measured: the log-probability of ',
                targetText(position),
                ' minus the same with this neuron switched off at this position.'
            )
        ])
    ]);
}
