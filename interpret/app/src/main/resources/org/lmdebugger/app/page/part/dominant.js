// The dominant sub-updates of a layer: what weighs most, and its direct and total effect on a token.
import { h } from '/lib/vue.js';
import { label } from '../edits.js';
import { state } from '../state.js';
import { fixed, signed } from '../text.js';
import { interveneButton, neuronLink } from './neuron.js';
import { change } from './predictions.js';

/** A number, and below it the edited one where that reads differently. */
function pair(clean, edited, write, tone = () => '') {
    const [first, second] = [clean == null ? null : write(clean), edited == null ? null : write(edited)];
    const cell = (kind, value, text) => h('span', { class: [kind, tone(value)] }, text);
    return h('td', { class: 'figure' }, [
        first !== null && cell('clean', clean, first),
        second !== null && second !== first && cell('edited', edited, second)
    ]);
}

const direction = value => (Math.abs(value) < 0.0005 ? '' : value > 0 ? 'for' : 'against');

/** The listed rows in the order of the clean run, so that none moves as edits come; then those that only edits bring. */
function rowsOf(clean, edited, count) {
    const place = (list, key) => list?.findIndex(each => label(each) === key) ?? -1;
    const row = key => {
        const [before, after] = [place(clean, key), place(edited, key)];
        return {
            key: before < 0 ? key : before, // as edits come it stays, and another position's row takes over its elements
            clean: clean[before],
            edited: edited?.[after],
            listed: before >= 0 && before < count ? clean[before] : undefined,
            stays: after >= 0 && after < count ? edited[after] : undefined,
            moved: before - after
        };
    };
    const shown = [...clean.slice(0, count), ...(edited ?? []).slice(0, count)].map(label);
    return [...new Set(shown)].map(row);
}

export const ORDERS = { score: 'score', direct: 'direct effect', total: 'total effect', coefficient: 'coefficient' };

/** Value vectors in the chosen order, the largest size first; of an edited run, which has no total effects, by score. */
const sorted = list => {
    const by = list.every(each => each[state.order] !== undefined) ? state.order : 'score';
    return [...list].sort((a, b) => Math.abs(b[by]) - Math.abs(a[by]));
};

const listed = (clean, edited, count) => rowsOf(sorted(clean), edited && sorted(edited), count);

const NUMBERS = ['coefficient', 'score', 'direct', 'total'];

/** The rows as files have them. */
export const dominantRows = (clean, edited, count) =>
    listed(clean, edited, count).map(({ clean, edited: other }) => {
        const { layer, neuron } = clean ?? other;
        const numbers = (from, name) => NUMBERS.map(each => [name(each), from?.[each]]);
        return {
            layer,
            neuron,
            ...Object.fromEntries(numbers(clean, each => each)),
            ...(edited ? Object.fromEntries(numbers(other, each => `edited_${each}`)) : {})
        };
    });

/**
 * @param clean  of a layer, or of several: {layer, neuron, coefficient, score, direct, total}
 * @param edited the same under the edits; null without
 * @param at     the position, as an intervention names it
 * @param extra  what else a row shows of a value vector; null if nothing
 */
export function dominant(clean, edited, { count, at, extra = null }) {
    const both = edited !== undefined && edited !== null;
    const rows = listed(clean, edited, count);
    const largest = Math.max(...[...clean, ...(edited ?? [])].map(each => each.score ?? 0), 1e-9);
    const head = text => h('th', { scope: 'col', class: text }, text);
    return h('table', { class: 'dominant picture' }, [
        h('caption', { class: 'unseen' }, 'Dominant sub-updates'),
        h(
            'thead',
            h('tr', [
                head('value vector'),
                extra && head('promotes'),
                head('coeff.'),
                head('score'),
                head('direct'),
                head('total'),
                h('th', h('span', { class: 'unseen' }, 'Change and tools'))
            ])
        ),
        h(
            'tbody',
            rows.map(row => {
                const { layer, neuron } = row.clean ?? row.edited;
                const values = name => [row.clean?.[name], both ? row.edited?.[name] : null];
                return h('tr', { key: row.key, class: { left: both && !row.stays } }, [
                    h('th', { scope: 'row' }, neuronLink(layer, neuron)),
                    extra && h('td', { class: 'promotes' }, extra(layer, neuron)),
                    pair(...values('coefficient'), value => fixed(value)),
                    h('td', { class: 'score' }, [
                        h('span', {
                            class: 'bar',
                            'aria-hidden': 'true',
                            style: { width: `${(((row.edited ?? row.clean).score ?? 0) / largest) * 100}%` }
                        }),
                        h('span', fixed((row.edited ?? row.clean).score))
                    ]),
                    pair(...values('direct'), value => signed(value), direction),
                    pair(...values('total'), value => signed(value), direction),
                    h('td', { class: 'end' }, [
                        both && change({ ...row, clean: row.listed, edited: row.stays }),
                        interveneButton(layer, neuron, at)
                    ])
                ]);
            })
        )
    ]);
}
