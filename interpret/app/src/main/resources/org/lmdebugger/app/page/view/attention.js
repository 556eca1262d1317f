// Attention: where each head looks, what its output promotes, and what it does to the prediction.
import { h, ref } from '/lib/vue.js';
import { post } from '../api.js';
import { useLoad } from '../load.js';
import { isNarrow } from '../media.js';
import { enabledEdits, enabledTexts, session, state } from '../state.js';
import { fixed, percent, signed, token, visible } from '../text.js';
import { atPosition, followed, positionText, useTrace } from '../trace.js';
import { Export } from '../part/export.js';
import { Interventions } from '../part/interventions.js';
import { textButton } from '../part/neuron.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { patchFrom } from '../part/patch-from.js';
import { Pattern } from '../part/pattern.js';
import { Prompt } from '../part/prompt.js';
import { segments } from '../part/segments.js';
import { glance, Strip } from '../part/strip.js';
import { Target, targetText } from '../part/target.js';
import { tokens as words } from '../part/values.js';
import { results } from './prediction.js';

const STRONGEST = 12; // heads that are listed of all layers

export const Attention = {
    setup() {
        const pointed = ref(null); // {query, key} under the mouse, or the query that has the focus
        const trace = useTrace(() => ({ positions: atPosition(), top: 8, attention: true, ...followed() }));
        const layer = () => Math.min(Math.max(0, Math.trunc(state.layer)), (session.model?.layers ?? 1) - 1);
        const isEdited = () => state.side === 'edited' && enabledEdits().length > 0;
        const weights = useLoad(
            () =>
                state.prompt === '' || !session.model
                    ? null
                    : {
                          prompt: state.prompt,
                          layer: layer(),
                          ...(isEdited() ? { edits: enabledTexts(), mode: state.mode } : {})
                      },
            (body, signal) => post('/api/v1/attention', body, signal),
            ({ prompt, layer }) => [prompt, layer]
        );
        const head = () => Math.min(Math.max(0, Math.trunc(state.head)), (session.model?.heads ?? 1) - 1);

        function choose(layer, head) {
            Object.assign(state, { layer, head });
        }

        const effect = value => h('td', { class: ['figure', value < 0 ? 'against' : 'for'] }, value == null ? '' : signed(value));

        const place = ({ clean: [clean], tokens }) => {
            const at = positionText(clean.position, tokens.length);
            return at === 'all' ? '' : '@' + at;
        };

        const headRow = ({ layer, head, direct, total, promotes }) => ({
            layer,
            head,
            direct,
            total,
            promotes: promotes.map(each => each.token)
        });

        /** The heads of all layers with the largest direct effects: which to look at. */
        const strongest = data => {
            const { attention } = data.clean[0];
            const heads = [...attention].sort((a, b) => Math.abs(b.direct) - Math.abs(a.direct)).slice(0, STRONGEST);
            return h('section', { class: 'panel', 'aria-label': 'Strongest heads' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', 'Heads with the largest direct effects'),
                    h('div', { class: 'row wrap' }, [
                        h(Target, { position: data.clean[0] }),
                        h(Export, { what: 'strongest heads', rows: () => heads.map(headRow) })
                    ])
                ]),
                h('p', { class: 'hint' }, [
                    h('b', 'Direct effect'),
                    ': the share of the head’s output in the logit of ',
                    targetText(data.clean[0]),
                    '. ',
                    h('b', 'Total effect'),
                    ': that logit minus the same with the head switched off at this position.'
                ]),
                h(
                    'div',
                    { class: 'scroll' },
                    h('table', { class: 'causes picture' }, [
                        h(
                            'thead',
                            h('tr', [
                                ...['head', 'promotes', 'direct', 'total'].map(text => h('th', { scope: 'col' }, text)),
                                h('th', h('span', { class: 'unseen' }, 'Tools'))
                            ])
                        ),
                        h(
                            'tbody',
                            heads.map(each => {
                                const name = `L${each.layer}H${each.head}`;
                                return h('tr', { key: name }, [
                                    h(
                                        'th',
                                        { scope: 'row' },
                                        h(
                                            'button',
                                            {
                                                type: 'button',
                                                class: 'link',
                                                'aria-label': `Look at ${name}`,
                                                onClick: () => choose(each.layer, each.head)
                                            },
                                            name
                                        )
                                    ),
                                    h('td', { class: 'promotes' }, words(each.promotes.slice(0, 5).map(promoted => promoted.token))),
                                    effect(each.direct),
                                    effect(each.total),
                                    h('td', { class: 'end' }, textButton(`${name}=0${place(data)}`, name))
                                ]);
                            })
                        )
                    ])
                )
            ]);
        };

        /** The prompt's tokens, coloured by how much the chosen position, or the one that is pointed at, reads them. */
        const attended = (tokens, rows, chosen) => {
            const query = pointed.value?.query ?? chosen;
            return h('div', { class: 'stack' }, [
                h('p', { class: 'hint' }, ['How much ', token(tokens[query].text), ` at position ${query} reads of each token:`]),
                h(
                    'div',
                    { class: 'attended', role: 'group', 'aria-label': 'Tokens; point at one to see what it reads' },
                    tokens.map((each, position) =>
                        h(
                            'button',
                            {
                                key: position,
                                type: 'button',
                                class: 'chip',
                                style: { '--heat-share': (rows[query][position] ?? 0).toFixed(3) },
                                'aria-pressed': String(position === query),
                                'aria-label': `${visible(each.text)} at position ${position}: read ${percent(rows[query][position] ?? 0)}`,
                                onMouseenter: () => (pointed.value = { query: position, key: position }),
                                onMouseleave: () => (pointed.value = null),
                                onFocus: () => (pointed.value = { query: position, key: position }),
                                onBlur: () => (pointed.value = null),
                                onClick: () => (state.position = position === tokens.length - 1 ? -1 : position)
                            },
                            [token(each.text), position <= query && h('sub', percent(rows[query][position]))]
                        )
                    )
                )
            ]);
        };

        /** What a head reads at the chosen position, the strongest first. */
        const sources = ({ layer, head, sources: list }, { position }, tokens) => {
            const link = read => `L${layer}H${head}.link=off@${position}->${read}`;
            return h('section', { class: 'stack', 'aria-label': 'Sources' }, [
                h('div', { class: 'row spread' }, [
                    h('h3', ['What ', token(tokens[position].text), ' reads here']),
                    h(Export, { what: `sources of L${layer}H${head}`, rows: () => list })
                ]),
                h('table', { class: 'sources picture' }, [
                    h(
                        'thead',
                        h('tr', [
                            ...['token', 'weight', '‖A·v·W‖'].map(text => h('th', { scope: 'col' }, text)),
                            h('th', h('span', { class: 'unseen' }, 'Tools'))
                        ])
                    ),
                    h(
                        'tbody',
                        list.map(each =>
                            h('tr', { key: each.position }, [
                                h('th', { scope: 'row' }, [token(each.token), h('sub', each.position)]),
                                h('td', percent(each.weight)),
                                h('td', fixed(each.norm, 3)),
                                h('td', { class: 'end' }, textButton(link(each.position), `the link to position ${each.position}`))
                            ])
                        )
                    )
                ]),
                h('p', { class: 'hint' }, '‖A·v·W‖: the norm of what comes from there, weight × value × output weights. + switches the link off.')
            ]);
        };

        const one = (data, rows) => {
            const { tokens, clean } = data;
            const [chosen] = clean;
            const name = `L${layer()}H${head()}`;
            const found = chosen.attention.find(each => each.layer === layer() && each.head === head());
            const edited = data.edited?.[0].attention.find(each => each.layer === layer() && each.head === head());
            const weightRows = () =>
                rows.flatMap((row, position) =>
                    row.slice(0, position + 1).map((weight, read) => ({
                        position,
                        token: tokens[position].text,
                        read,
                        read_token: tokens[read].text,
                        weight
                    }))
                );
            const { query, key } = pointed.value ?? {};
            return h('section', { class: 'panel stack', 'aria-label': `Head ${name}` }, [
                h('div', { class: 'row spread' }, [
                    h('h2', [`Head ${name}`, isEdited() ? ', edited' : '']),
                    h('div', { class: 'row' }, [
                        h('span', { class: 'hint' }, [
                            `direct ${signed(found.direct)}`,
                            found.total !== undefined && `, total ${signed(found.total)}`,
                            edited && `; edited: direct ${signed(edited.direct)}`
                        ]),
                        textButton(`${name}=0${place(data)}`, name),
                        h(Export, { what: `attention of ${name}`, rows: weightRows })
                    ])
                ]),
                h(Pattern, {
                    class: 'picture',
                    rows,
                    size: isNarrow.value ? 300 : 420,
                    chosen: chosen.position,
                    tokens: tokens.map(each => visible(each.text)),
                    name: `Attention of ${name}: a row for each token that reads, a column for each that is read`,
                    onPoint: at => (pointed.value = at),
                    onPick: ({ query }) => (state.position = query === tokens.length - 1 ? -1 : query)
                }),
                h(
                    'p',
                    { class: 'hint' },
                    pointed.value
                        ? [token(tokens[query].text), ' reads ', token(tokens[key].text), `: ${percent(rows[query][key])}`]
                        : 'A row for each token that reads, a column for each that is read; square-root scale. Point to read, click to choose the position.'
                ),
                attended(tokens, rows, chosen.position),
                sources(found, chosen, tokens),
                h('p', ['Its output promotes ', words(found.promotes.map(each => each.token))]),
                patchFrom([name, `${name}.pattern`], place(data))
            ]);
        };

        const content = data => [
            strongest(data),
            weights.data &&
                weights.data.heads[0].length === data.tokens.length &&
                h('div', { class: 'attention-columns' }, [
                    h('section', { class: 'panel stack', 'aria-label': 'Heads of a layer' }, [
                        h('div', { class: 'row spread' }, [
                            h('h2', `Heads of layer ${weights.data.layer}`),
                            h('div', { class: 'row' }, [
                                enabledEdits().length > 0 &&
                                    segments(
                                        null,
                                        [
                                            ['clean', 'clean'],
                                            ['edited', 'edited']
                                        ],
                                        state.side,
                                        value => (state.side = value)
                                    ),
                                h(Export, { what: `heads of layer ${weights.data.layer}` })
                            ])
                        ]),
                        h(
                            'div',
                            { class: 'row wrap' },
                            Array.from({ length: session.model?.layers ?? 0 }, (_, each) =>
                                h(
                                    'button',
                                    {
                                        key: each,
                                        type: 'button',
                                        class: 'quiet',
                                        'aria-pressed': String(each === layer()),
                                        onClick: () => (state.layer = each)
                                    },
                                    `L${each}`
                                )
                            )
                        ),
                        h(
                            'div',
                            { class: 'heads picture' },
                            weights.data.heads.map((rows, each) =>
                                h(
                                    'button',
                                    {
                                        key: each,
                                        type: 'button',
                                        'aria-pressed': String(each === head()),
                                        'aria-label': `Head ${each}`,
                                        onClick: () => (state.head = each)
                                    },
                                    [h(Pattern, { rows, size: 96, name: `Attention of head ${each}` }), `H${each}`]
                                )
                            )
                        )
                    ]),
                    one(data, weights.data.heads[head()])
                ])
        ];

        return () =>
            h('div', { class: 'view', 'aria-busy': String(trace.busy.value || weights.busy) }, [
                h(Prompt),
                state.prompt !== '' && h(Strip, glance(trace)),
                h(Interventions),
                busyLine({ busy: trace.busy.value || weights.busy }),
                problemNotice(trace.problem.value ?? weights.problem, () => {
                    trace.again();
                    weights.again++;
                }),
                state.prompt === ''
                    ? emptyNotice('Write a prompt above to see where its heads look.')
                    : trace.data.value && !trace.clean.problem && results(trace, content(trace.data.value))
            ]);
    }
};
