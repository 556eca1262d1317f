// The dominant sub-updates of a layer: what weighs most, and its direct and total effect on a token.
import { h } from '/lib/vue.js';
import { fixed, signed } from '../text.js';
import { interveneButton, neuronLink } from './neuron.js';
import { change, join } from './predictions.js';

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

/** @param extra what else a row shows of a value vector; null if nothing */
export function dominant(clean, edited, count, target, extra = null) {
    const both = edited !== undefined && edited !== null;
    const rows = join(clean.slice(0, count), edited?.slice(0, count), each => each.neuron).map(row => ({
        ...row,
        listed: row.clean,
        clean: row.clean ?? clean.find(each => each.neuron === row.key),
        edited: row.edited ?? edited?.find(each => each.neuron === row.key),
        stays: row.edited
    }));
    const largest = Math.max(...clean.map(each => each.score), ...(edited ?? []).map(each => each.score), 1e-9);
    const totals = clean.some(each => each.total !== undefined);
    const head = (text, title) => h('th', { scope: 'col', title, class: text }, text);
    return h('table', { class: 'dominant' }, [
        h('caption', { class: 'unseen' }, 'Dominant sub-updates'),
        h(
            'thead',
            h('tr', [
                head('value vector'),
                extra && head('promotes'),
                head('coeff.', 'The coefficient, with its sign'),
                head('score', 'Coefficient times length of the value vector, without sign'),
                head('direct', `Direct effect: its share in the logit of ${target}`),
                totals &&
                    head(
                        'total',
                        `Total effect, measured: the log-probability of ${target} minus that with this switched off here`
                    ),
                h('th', h('span', { class: 'unseen' }, 'Change and tools'))
            ])
        ),
        h(
            'tbody',
            rows.map(row => {
                const { layer, neuron } = row.clean ?? row.edited;
                const at = name => [row.clean?.[name], both ? row.edited?.[name] : null];
                return h('tr', { key: row.key, class: { left: both && !row.stays } }, [
                    h('th', { scope: 'row' }, neuronLink(layer, neuron)),
                    extra && h('td', { class: 'promotes' }, extra(layer, neuron)),
                    pair(...at('coefficient'), value => fixed(value)),
                    h('td', { class: 'score' }, [
                        h('span', {
                            class: 'bar',
                            'aria-hidden': 'true',
                            style: { width: `${((row.edited ?? row.clean).score / largest) * 100}%` }
                        }),
                        h('span', fixed((row.edited ?? row.clean).score))
                    ]),
                    pair(...at('direct'), value => signed(value), direction),
                    totals && pair(...at('total'), value => signed(value), direction),
                    h('td', { class: 'end' }, [
                        both && change({ ...row, clean: row.listed, edited: row.stays }),
                        interveneButton(layer, neuron)
                    ])
                ]);
            })
        )
    ]);
}
