// What the logit of a token, or the difference of two, is made of: a waterfall of direct effects.
import { h, ref } from '/lib/vue.js';
import { state } from '../state.js';
import { fixed, signed, token } from '../text.js';
import { atPosition, followed, positionText, useTrace } from '../trace.js';
import { parseNeuron } from '../edits.js';
import { Export } from '../part/export.js';
import { Interventions } from '../part/interventions.js';
import { interveneButton, neuronLink, textButton } from '../part/neuron.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { Prompt } from '../part/prompt.js';
import { glance, Strip } from '../part/strip.js';
import { Target, targetText } from '../part/target.js';
import { groupsOf, joinGroups } from '../part/groups.js';
import { results } from './prediction.js';

const SOURCES = 5; // of a head that are listed

export const Attribution = {
    setup() {
        const open = ref(new Set());
        const trace = useTrace(() => ({ positions: atPosition(), top: 1, attribution: true, neurons: 10, ...followed() }));

        function toggle(name) {
            const next = new Set(open.value);
            next.delete(name) || next.add(name);
            open.value = next;
        }

        const opener = name =>
            h(
                'button',
                { type: 'button', class: 'link', 'aria-expanded': String(open.value.has(name)), onClick: () => toggle(name) },
                [open.value.has(name) ? '▾ ' : '▸ ', name]
            );

        const figure = (value, kind) =>
            h('td', { class: ['figure', kind] }, value == null ? '' : h('span', { class: value < 0 ? 'against' : 'for' }, signed(value)));

        /** The bar of a row, from where those above it have led. */
        const bar = (from, value, scale, kind) =>
            value !== undefined &&
            h('span', {
                class: ['fall', kind, value < 0 ? 'against' : 'for'],
                style: { left: `${scale(Math.min(from, from + value))}%`, width: `${Math.abs(scale(value) - scale(0))}%` }
            });

        const group = (row, scale, both) =>
            h('tr', { key: row.name, class: 'group' }, [
                h('th', { scope: 'row' }, row.parts.length > 0 ? opener(row.name) : row.name),
                h('td', { class: 'falls', 'aria-hidden': 'true' }, [
                    h('span', { class: 'zero', style: { left: `${scale(0)}%` } }),
                    bar(row.from, row.direct, scale, ''),
                    both && bar(row.editedFrom, row.edited, scale, 'second')
                ]),
                figure(row.direct),
                both && figure(row.edited, 'edited'),
                figure(row.total),
                h('td')
            ]);

        const tool = (part, at) => {
            const neuron = parseNeuron(part);
            const text = `${part}=0${at === 'all' ? '' : '@' + at}`;
            return neuron
                ? interveneButton(neuron.layer, neuron.neuron, at)
                : /^L\d+(H\d+|\.ffn)$/.test(part) && textButton(text, part);
        };

        const part = (each, at, both) =>
            h('tr', { key: each.name, class: 'part' }, [
                h('th', { scope: 'row' }, parseNeuron(each.name) ? neuronLink(...Object.values(parseNeuron(each.name))) : each.name),
                h('td', { class: 'hint' }, [each.note]),
                figure(each.direct),
                both && figure(each.edited, 'edited'),
                figure(each.total),
                h('td', { class: 'end' }, [tool(each.name, at)])
            ]);

        /** What is said beside a part: where a head looks, how active a neuron is. */
        const noted = (each, tokens) => ({
            ...each,
            note: each.sources
                ? [...each.sources]
                      .sort((a, b) => Math.abs(b.direct) - Math.abs(a.direct))
                      .slice(0, SOURCES)
                      .map(source => [token(tokens[source.position].text), ` ${signed(source.direct, 2)}  `])
                : each.coefficient !== undefined && `coefficient ${fixed(each.coefficient)}`
        });

        /** The rows as files have them: groups, their parts, the sum. */
        const filed = (rows, clean, edited) => {
            const numbers = each => ({
                direct: each.direct,
                ...(edited ? { edited_direct: each.edited } : {}),
                total: each.total,
                coefficient: each.coefficient
            });
            return [
                ...rows.flatMap(row => [
                    { group: row.name, part: '', ...numbers(row) },
                    ...row.parts.map(each => ({ group: row.name, part: each.name, ...numbers(each) }))
                ]),
                { group: 'sum', part: '', ...numbers({ direct: clean.attribution.logit, edited: edited && edited.attribution.logit }) }
            ];
        };

        const content = ({ tokens, clean: [clean], edited }) => {
            const rows = joinGroups(groupsOf(clean.attribution), edited && groupsOf(edited[0].attribution));
            const ends = rows.flatMap(row => [row.from, row.from + row.direct, row.editedFrom, row.editedFrom + row.edited]);
            const [least, most] = [Math.min(0, ...ends.filter(Number.isFinite)), Math.max(0, ...ends.filter(Number.isFinite))];
            const scale = value => ((value - least) / (most - least || 1)) * 100;
            const at = positionText(clean.position, tokens.length);
            const both = edited !== null;
            return h('section', { class: 'panel', 'aria-label': 'Attribution' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', ['What the logit of ', targetText(clean), ' is made of']),
                    h('div', { class: 'row wrap' }, [
                        h(Target, { position: clean }),
                        h(Export, { what: 'attribution', rows: () => filed(rows, clean, both && edited[0]) })
                    ])
                ]),
                h('p', { class: 'hint' }, [
                    h('b', 'Direct effect'),
                    ': the share of a part’s output in the logit; all of them add up to it. ',
                    h('b', 'Total effect'),
                    ': the logit minus the same with the part switched off at this position, so that later parts change too. Open a row for its heads, with the tokens that they read most, or its neurons.'
                ]),
                h(
                    'div',
                    { class: 'scroll' },
                    h('table', { class: 'attribution picture' }, [
                        h('caption', { class: 'unseen' }, 'Direct effects by part of the network'),
                        h(
                            'thead',
                            h('tr', [
                                h('th', { scope: 'col' }, 'part'),
                                h('th', { scope: 'col', class: 'falls' }, `0 to ${fixed(clean.attribution.logit)}`),
                                h('th', { scope: 'col' }, 'direct'),
                                both && h('th', { scope: 'col' }, 'edited'),
                                h('th', { scope: 'col' }, 'total'),
                                h('th', h('span', { class: 'unseen' }, 'Tools'))
                            ])
                        ),
                        h('tbody', [
                            rows.map(row => [
                                group(row, scale, both),
                                open.value.has(row.name) && row.parts.map(each => part(noted(each, tokens), at, both))
                            ]),
                            h('tr', { class: 'sum' }, [
                                h('th', { scope: 'row' }, clean.against ? 'logit difference' : 'logit'),
                                h('td', { class: 'hint' }, `the sum; ${signed(clean.attribution.remainder, 6)} by rounding`),
                                h('td', { class: 'figure' }, signed(clean.attribution.logit)),
                                both && h('td', { class: 'figure edited' }, signed(edited[0].attribution.logit)),
                                h('td'),
                                h('td')
                            ])
                        ])
                    ])
                )
            ]);
        };

        return () =>
            h('div', { class: 'view', 'aria-busy': String(trace.busy.value) }, [
                h(Prompt),
                state.prompt !== '' && h(Strip, glance(trace)),
                h(Interventions),
                busyLine({ busy: trace.busy.value }),
                problemNotice(trace.problem.value, trace.again),
                state.prompt === ''
                    ? emptyNotice('Write a prompt above to see what its prediction is made of.')
                    : trace.data.value && !trace.clean.problem && results(trace, content(trace.data.value))
            ]);
    }
};
