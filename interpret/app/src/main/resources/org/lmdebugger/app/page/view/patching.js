// Activation patching: each part of the network, by itself, becomes in one prompt's run what it is in another's.
import { h } from '/lib/vue.js';
import { addText, enabledEdits, state } from '../state.js';
import { fixed, signed, token } from '../text.js';
import { followed, useTrace } from '../trace.js';
import { iconButton } from '../part/icon.js';
import { Interventions } from '../part/interventions.js';
import { textButton } from '../part/neuron.js';
import { emptyNotice, problemNotice } from '../part/notice.js';
import { Pair, pairOf, stateOf } from '../part/pair.js';
import { cellsOf, NUMBERS, PatchGrid, placeOf, textOf } from '../part/patch-grid.js';
import { useRun } from '../part/run.js';
import { segments } from '../part/segments.js';
import { patchCommand, patchJava, Share } from '../part/share.js';
import { glance, Strip } from '../part/strip.js';
import { TokenInput } from '../part/token-input.js';

const SITES = ['pre', 'mid', 'post', 'attention', 'ffn', 'heads', 'q', 'k', 'v', 'pattern'];
const STRONGEST = 10; // cells of all grids that are listed
const WORDS = {
    denoise: 'the corrupted prompt runs: which parts of the clean run restore its answer?',
    noise: 'the clean prompt runs: which parts of the corrupted run break its answer?',
    'pre, mid, post': 'the residual stream before a layer, between its attention and its FFN, after it',
    'attention, ffn': 'what a layer’s attention or FFN adds to the residual stream',
    heads: 'the values that a head has mixed (z); q, k, v, pattern: its queries, keys, values, attention weights',
    'logit difference': 'the logit of the answer minus that of the wrong token, after the last position',
    normalised: 'the logit difference on the scale on which 1 is as after the clean prompt and 0 as after the corrupted one',
    KL: 'the Kullback–Leibler divergence of the prediction without patching from the patched one, in nats'
};

export const Patching = {
    setup() {
        const { run, start, bar } = useRun('/api/v1/patch', 'cell', 'Patching is done');
        const trace = useTrace(() => ({ positions: 'last', top: 1, ...followed() })); // of the prompt that runs

        /** What the form asks for. */
        const wanted = () => ({
            ...pairOf(state),
            answers: state.token === '' ? [] : [state.token],
            wrong: state.against === '' ? [] : [state.against],
            sites: SITES.filter(site => state.sites.includes(site)),
            direction: state.direction,
            at: state.columns
        });
        const isReady = () => Object.values(wanted()).every(value => value !== '') && wanted().sites.length > 0;
        const differs = () => JSON.stringify(wanted()) !== JSON.stringify(run.request);

        /** Makes the form that of the results which are shown. */
        function takeOver() {
            const { answers, wrong, sites, direction, at, ...pair } = run.request;
            Object.assign(state, stateOf(direction, pair), { token: answers[0] ?? '', against: wrong[0] ?? '', sites, columns: at });
        }

        /** The other direction: the other prompt runs. */
        function turn(direction) {
            Object.assign(state, stateOf(direction, pairOf(state)));
        }

        function toggle(site) {
            state.sites = state.sites.includes(site) ? state.sites.filter(each => each !== site) : [...state.sites, site];
        }

        /** A token that was chosen, or a field for one; without one it is the likeliest one. */
        const tokenField = (name, says, field, found) =>
            h('div', { class: 'field' }, [
                h('span', says),
                state[field] === ''
                    ? h(TokenInput, { label: `The ${name}`, action: 'Choose', onToken: (_, id) => (state[field] = '#' + id) })
                    : h('span', { class: 'chip static' }, [
                          token(found?.token ?? state[field]),
                          iconButton('close', `Let the ${name} go`, () => (state[field] = ''))
                      ])
            ]);

        const form = () => {
            const traced = trace.isOutdated.value ? null : trace.clean.data.positions[0];
            return h(
                'form',
                {
                    class: 'panel stack patch-form',
                    'aria-label': 'Patching',
                    onSubmit: event => {
                        event.preventDefault();
                        start(wanted());
                    }
                },
                [
                    h('div', { class: 'row wrap bottom' }, [
                        h('div', { class: 'field' }, [
                            h('span', 'direction'),
                            segments(
                                'Direction',
                                [
                                    ['denoise', 'denoise'],
                                    ['noise', 'noise']
                                ],
                                state.direction,
                                turn
                            )
                        ]),
                        tokenField('answer', 'answer, or the likeliest after clean', 'token', traced?.target),
                        tokenField('wrong token', 'minus wrong token, or the likeliest after corrupted', 'against', traced?.against),
                        h('div', { class: 'field' }, [
                            h('span', 'positions'),
                            segments(
                                'Positions',
                                [
                                    ['each', 'each by itself'],
                                    ['all', 'all at once']
                                ],
                                state.columns,
                                columns => (state.columns = columns)
                            )
                        ])
                    ]),
                    h('div', { class: 'row wrap spread' }, [
                        h(
                            'div',
                            { class: 'row wrap', role: 'group', 'aria-label': 'Kinds of parts' },
                            SITES.map(site =>
                                h('label', { class: 'row check', key: site }, [
                                    h('input', { type: 'checkbox', checked: state.sites.includes(site), onChange: () => toggle(site) }),
                                    site
                                ])
                            )
                        ),
                        h('button', { type: 'submit', class: 'primary', disabled: !isReady() || run.progress !== null }, 'Patch')
                    ]),
                    h('details', { class: 'words' }, [
                        h('summary', 'What the words mean'),
                        h(
                            'dl',
                            Object.entries(WORDS).map(([word, text]) => [h('dt', word), h('dd', text)])
                        )
                    ])
                ]
            );
        };

        /** The number that is shown: without a scale, the difference itself. */
        const number = () => (state.number === 'normalised' && run.data.divisor === null ? 'effect' : state.number);

        /** What the results are of; where the form asks for something else, that is said. */
        const of = ({ clean, corrupted, answers, wrong, direction, right, divisor }) =>
            h('section', { class: ['panel', 'of'], 'aria-label': 'What was measured' }, [
                h('div', { class: 'row spread' }, [
                    h('p', [
                        `${direction}: `,
                        h('b', `“${run.request[direction === 'denoise' ? 'corrupted' : 'clean']}”`),
                        ' runs, with activations of ',
                        h('b', `“${run.request[direction === 'denoise' ? 'clean' : 'corrupted']}”`),
                        enabledEdits().length > 0 && '; without the interventions in force'
                    ]),
                    h(Share, {
                        command: patchCommand(run.request, { target: answers[0], against: wrong[0] }),
                        java: patchJava(run.request),
                        file: 'patch.json',
                        load: () => run.data
                    })
                ]),
                h('p', [
                    'Logit difference of ',
                    token(answers[0].token),
                    ' − ',
                    token(wrong[0].token),
                    `: clean ${signed(clean.difference)}, corrupted ${signed(corrupted.difference)}`,
                    !right && '; the model is wrong after the clean prompt'
                ]),
                divisor === null && h('p', 'Clean and corrupted are too close to each other for a normalised difference.'),
                differs() &&
                    h('div', { class: 'notice problem row spread', role: 'status' }, [
                        'These results are of other settings than those above.',
                        h('button', { type: 'button', onClick: takeOver }, 'Take their settings')
                    ])
            ]);

        /** How far the number goes from where nothing changes, and where that is. */
        function scale({ grids, direction }) {
            const unpatched = number() === 'normalised' && direction === 'noise' ? 1 : 0;
            const changes = grids.flatMap(grid => grid[number()].flat()).map(value => Math.abs((value ?? unpatched) - unpatched));
            return { unpatched, largest: Math.max(number() === 'normalised' ? 1 : 1e-9, ...changes) };
        }

        const legend = ({ unpatched, largest }) => [
            h('span', fixed(unpatched - largest)),
            h('span', { class: 'diverging', 'aria-hidden': 'true' }),
            h('span', fixed(unpatched + largest)),
            h('span', `${fixed(unpatched)} in the middle: nothing changes`)
        ];

        const strongest = (data, from) => {
            const cells = data.grids.flatMap(grid => cellsOf(grid).flat()).filter(each => each.effect !== 0);
            const by = number() === 'kl' ? 'kl' : 'effect';
            const listed = cells.sort((a, b) => Math.abs(b[by]) - Math.abs(a[by])).slice(0, STRONGEST);
            const figure = (value, write) => h('td', { class: 'figure' }, value === null ? '–' : write(value));
            return h('section', { class: 'panel', 'aria-label': 'Strongest effects' }, [
                h('h2', `The ${listed.length} strongest`),
                h(
                    'div',
                    { class: 'scroll' },
                    h('table', { class: 'causes strongest' }, [
                        h(
                            'thead',
                            h('tr', [
                                ...['part', 'token', 'normalised', 'logit difference', 'change', 'KL'].map(text =>
                                    h('th', { scope: 'col' }, text)
                                ),
                                h('th', h('span', { class: 'unseen' }, 'Tools'))
                            ])
                        ),
                        h(
                            'tbody',
                            listed.map(each =>
                                h('tr', { key: `${each.sites} ${placeOf(each)}` }, [
                                    h('th', { scope: 'row' }, placeOf(each)),
                                    h('td', each.column === 'all' ? 'all' : token(data.clean.tokens[each.column].token)),
                                    figure(each.normalised, value => fixed(value, 3)),
                                    figure(each.difference, signed),
                                    figure(each.effect, value => h('span', { class: value < 0 ? 'against' : 'for' }, signed(value))),
                                    figure(each.kl, value => fixed(value, 4)),
                                    h('td', { class: 'end' }, from !== null && textButton(textOf(each, from), placeOf(each), 'Patch'))
                                ])
                            )
                        )
                    ])
                )
            ]);
        };

        const results = data => {
            const { clean, corrupted, direction } = run.request;
            const isOfPrompt = state.prompt === (direction === 'denoise' ? corrupted : clean);
            const from = isOfPrompt ? (direction === 'denoise' ? clean : corrupted) : null;
            const scaled = scale(data);
            return [
                of(data),
                h('div', { class: 'row wrap spread' }, [
                    h('div', { class: 'row scale hint' }, legend(scaled)),
                    segments('Number', Object.entries(NUMBERS), number(), chosen => (state.number = chosen))
                ]),
                h(
                    'div',
                    { class: 'patch-grids' },
                    data.grids.map(grid =>
                        h(PatchGrid, {
                            key: grid.sites,
                            grid,
                            tokens: data.clean.tokens,
                            number: number(),
                            ...scaled,
                            from,
                            onAdd: addText
                        })
                    )
                ),
                h('p', { class: 'hint' }, 'Point at a cell to read it; click it, or press Enter, to make it an intervention in the prompt that runs.'),
                strongest(data, from)
            ];
        };

        return () =>
            h('div', { class: 'view', 'aria-busy': String(trace.busy.value || run.progress !== null) }, [
                h(Pair),
                state.prompt !== '' && h(Strip, glance(trace)),
                form(),
                problemNotice(run.problem ?? trace.problem.value),
                bar(),
                run.data !== null
                    ? results(run.data)
                    : run.progress === null &&
                      run.problem === null &&
                      emptyNotice(
                          run.request !== null
                              ? 'Cancelled.'
                              : 'Write two prompts of equally many tokens that differ in one thing; patching shows where the network keeps it.'
                      ),
                h(Interventions)
            ]);
    }
};
