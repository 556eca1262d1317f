// Path patching: how much of an effect goes from one part of the network straight to another, each edge measured by itself.
import { computed, h } from '/lib/vue.js';
import { session, state } from '../state.js';
import { fixed, plural, signed, token } from '../text.js';
import { addressOf, edgeChart, nodeOf } from './edge-chart.js';
import { Export } from './export.js';
import { problemNotice } from './notice.js';
import { pairOf } from './pair.js';
import { useRun } from './run.js';
import { segments } from './segments.js';

const COUNTS = [10, 30, 100]; // edges that are shown

export const Edges = {
    setup() {
        const { run, start, bar } = useRun('/api/v1/edges', 'edge', 'All edges are measured');
        const wanted = () => ({
            ...pairOf(state),
            answers: state.token === '' ? [] : [state.token],
            wrong: state.against === '' ? [] : [state.against],
            edges: state.edges.split(/[\s,]+/).filter(text => text !== ''),
            direction: state.direction
        });
        const differs = () => JSON.stringify(wanted()) !== JSON.stringify(run.request);
        const strongest = computed(() =>
            run.data.edges.filter(each => each.effect).sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, state.strongest)
        );

        const field = (says, name, placeholder) =>
            h('label', { class: 'field grow' }, [
                says,
                h('input', {
                    type: 'text',
                    dir: 'auto',
                    value: state[name],
                    spellcheck: false,
                    placeholder,
                    onChange: event => (state[name] = event.target.value)
                })
            ]);

        const form = () =>
            h(
                'form',
                {
                    class: 'row wrap bottom patch-from',
                    onSubmit: event => {
                        event.preventDefault();
                        start(wanted());
                    }
                },
                [
                    field('Another prompt, of as many tokens', 'other', 'Once upon a time there was a little girl named'),
                    field('Edges, sender>receiver', 'edges', '*>*'),
                    h('button', { type: 'submit', class: 'primary', disabled: run.progress !== null || state.other === '' }, 'Measure edges')
                ]
            );

        /** A sender or receiver, which leads to its head or FFN. */
        const part = name => {
            const href = addressOf(nodeOf(name));
            return href === null ? name : h('a', { href }, name);
        };

        const table = () =>
            h('div', { class: 'scroll' }, [
                h('table', { class: 'causes edge-table' }, [
                    h('caption', { class: 'unseen' }, 'Strongest edges'),
                    h('thead', h('tr', ['sender', 'receiver', 'change', 'normalised', 'KL'].map(text => h('th', { scope: 'col' }, text)))),
                    h(
                        'tbody',
                        strongest.value.map(each =>
                            h('tr', { key: `${each.sender}>${each.receiver}` }, [
                                h('th', { scope: 'row' }, part(each.sender)),
                                h('td', part(each.receiver)),
                                h('td', { class: 'figure' }, h('span', { class: each.effect < 0 ? 'against' : 'for' }, signed(each.effect))),
                                h('td', { class: 'figure' }, each.normalised === null ? '–' : fixed(each.normalised, 3)),
                                h('td', { class: 'figure' }, fixed(each.kl, 4))
                            ])
                        )
                    )
                ])
            ]);

        const content = ({ direction, answers, wrong, edges }) => {
            const [runs, other] = direction === 'denoise' ? ['corrupted', 'clean'] : ['clean', 'corrupted'];
            return [
                h('p', [
                    h('b', `“${run.request[runs]}”`),
                    ' runs; each receiver by itself reads one sender’s output of ',
                    h('b', `“${run.request[other]}”`),
                    '. Each weight is the measured change of the logit of ',
                    token(answers[0].token),
                    ' minus that of ',
                    token(wrong[0].token),
                    ': ',
                    h('span', { class: 'for' }, 'upwards'),
                    ' or ',
                    h('span', { class: 'against' }, 'downwards'),
                    '.'
                ]),
                differs() && h('p', { class: 'notice problem', role: 'status' }, 'These edges are of other settings than those above.'),
                strongest.value.length === 0
                    ? h('p', 'No edge changes anything.')
                    : [edgeChart(strongest.value, session.model.layers, session.model.heads), table()],
                h('p', { class: 'hint' }, `The ${strongest.value.length} strongest of ${plural(edges.length, 'edge')}; the file has all.`)
            ];
        };

        return () =>
            h('section', { class: 'panel stack', 'aria-label': 'Edges', 'aria-busy': String(run.progress !== null) }, [
                h('div', { class: 'row spread' }, [
                    h('h2', 'Edges, each measured'),
                    run.data && h('div', { class: 'row' }, [
                        segments('Edges shown', COUNTS.map(count => [count, count]), state.strongest, count => (state.strongest = count)),
                        h(Export, { what: 'edges', picture: strongest.value.length > 0, rows: () => run.data.edges })
                    ])
                ]),
                h('p', { class: 'hint' }, [
                    'Above, lines are attention between tokens. Here they lead from part to part: from a head, an FFN or the embedding ',
                    'to the queries, keys or values of a head, to an FFN or to the logits. Interventions play no part.'
                ]),
                form(),
                bar(),
                problemNotice(run.problem),
                run.data && content(run.data)
            ]);
    }
};
