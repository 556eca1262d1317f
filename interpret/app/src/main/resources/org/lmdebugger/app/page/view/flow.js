// The routes by which a prediction came about: which positions are read, layer by layer, and what that does.
import { computed, h, ref, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { useLoad } from '../load.js';
import { above, ffnKey, linkKey, measurable } from '../routes.js';
import { enabledEdits, enabledTexts, link, session, state } from '../state.js';
import { fixed, percent, plural, signed, token } from '../text.js';
import { atPosition, followed, positionText, useTrace } from '../trace.js';
import { Edges } from '../part/edges.js';
import { Export } from '../part/export.js';
import { FlowChart } from '../part/flow-chart.js';
import { Interventions } from '../part/interventions.js';
import { textButton } from '../part/neuron.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { Prompt } from '../part/prompt.js';
import { segments } from '../part/segments.js';
import { glance, Strip } from '../part/strip.js';
import { Target, targetText } from '../part/target.js';
import { results } from './prediction.js';

const LEAST = 0.02; // the smallest share that is asked for
const MOST = 0.5;

export const Flow = {
    setup() {
        const chosen = ref(null); // {layer, position}
        const trace = useTrace(() => ({ positions: atPosition(), top: 1, ...followed() }));
        const isEdited = () => state.side === 'edited' && enabledEdits().length > 0;
        const edits = () => (isEdited() ? { edits: enabledTexts(), mode: state.mode } : {});
        const place = () => ({ prompt: state.prompt, ...(state.position < 0 ? {} : { position: state.position }) });
        const flow = useLoad(
            () => (state.prompt === '' ? null : { ...place(), ...edits(), least: LEAST }),
            (body, signal) => post('/api/v1/flow', body, signal),
            ({ prompt, position }) => [prompt, position]
        );
        const share = computed(() => Math.min(MOST, Math.max(LEAST, state.share)));
        const routes = computed(() => flow.data && above(flow.data, share.value));

        // Effects are measured of what is shown, and kept as the threshold moves.
        const target = computed(() => trace.clean.data?.positions[0]);
        const isMeasurable = () => !isEdited() || state.position < 0;
        const question = () => {
            const { target: { id }, against } = target.value;
            return { ...place(), ...edits(), target: '#' + id, ...(against ? { against: '#' + against.id } : {}) };
        };
        let known = { of: '', effects: new Map() };
        const parts = () => measurable(routes.value, share.value, session.model.heads).slice(0, session.model.limits.interventions);
        const effects = useLoad(
            () =>
                !state.measured || !isMeasurable() || !target.value || !routes.value || !session.model
                    ? null
                    : { question: question(), parts: parts() },
            async ({ question, parts }, signal) => {
                const of = JSON.stringify(question);
                const effects = new Map(known.of === of ? known.effects : []);
                const missing = parts.filter(each => !effects.has(each.key));
                if (missing.length > 0) {
                    const body = { ...question, interventions: missing.map(each => each.edits) };
                    const found = (await post('/api/v1/effects', body, signal)).effects;
                    missing.forEach(({ key }, index) => effects.set(key, found[index]));
                }
                known = { of, effects };
                return effects;
            },
            ({ question }) => question
        );
        const none = new Map();
        const measured = () => effects.data ?? none;

        watch(routes, shown => {
            const { layer, position } = chosen.value ?? {};
            const isThere =
                shown &&
                (shown.nodes.some(each => each.layer === layer && each.position === position) ||
                    (layer === -1 && shown.entries.includes(position)));
            if (shown && !isThere) {
                chosen.value = { layer: shown.nodes[0].layer, position: flow.data.position };
            }
        }, { immediate: true });

        const effect = key => {
            const value = measured().get(key);
            return value === undefined || value === null ? '' : h('span', { class: value < 0 ? 'against' : 'for' }, signed(value));
        };

        const positionOf = (position, tokens) => (position === tokens.length - 1 ? -1 : position);

        /** Links and FFNs in a table: of the chosen node, or all that are drawn. */
        const table = (rows, tokens, caption) =>
            h(
                'div',
                { class: 'scroll' },
                h('table', { class: 'causes flow-table' }, [
                    h('caption', { class: 'unseen' }, caption),
                    h(
                        'thead',
                        h('tr', [
                            ...['at', 'takes', 'norm', 'share', 'effect'].map(text => h('th', { scope: 'col' }, text)),
                            h('th', h('span', { class: 'unseen' }, 'Tools'))
                        ])
                    ),
                    h('tbody', rows.map(each => row(each, tokens)))
                ])
            );

        const at = (layer, position, tokens) => [`L${layer} `, token(tokens[position].text), h('sub', position)];

        const row = (each, tokens) =>
            h('tr', { key: each.name }, [
                h('th', { scope: 'row' }, at(each.layer, each.position, tokens)),
                h(
                    'td',
                    each.link
                        ? h(
                              'a',
                              {
                                  href: link('attention', '', {
                                      layer: each.layer,
                                      head: each.link.head,
                                      position: positionOf(each.position, tokens)
                                  })
                              },
                              [token(tokens[each.link.key].text), h('sub', each.link.key), `, most by H${each.link.head}`]
                          )
                        : 'the FFN’s output'
                ),
                h('td', { class: 'figure' }, fixed(each.norm, 3)),
                h('td', { class: 'figure' }, percent(each.share)),
                h('td', { class: 'figure' }, effect(each.name)),
                h('td', { class: 'end' }, [
                    !each.link &&
                        textButton(`L${each.layer}.ffn=0@${positionText(each.position, tokens.length)}`, `the FFN of layer ${each.layer}`)
                ])
            ]);

        const linkRow = each => ({ name: linkKey(each), layer: each.layer, position: each.query, link: each, norm: each.norm, share: each.share });
        const ffnRow = each => ({ name: ffnKey(each), layer: each.layer, position: each.position, norm: each.ffn, share: each.ffn_share });

        /** The rows of a node, or of all. */
        const rowsOf = ({ nodes, links }, node) => {
            const isMeant = (layer, position) => !node || (node.layer === layer && node.position === position);
            return [
                ...nodes
                    .filter(each => isMeant(each.layer, each.position) && (node || each.ffn_share >= share.value))
                    .map(ffnRow),
                ...links.filter(each => isMeant(each.layer, each.query)).map(linkRow)
            ].sort((a, b) => b.layer - a.layer || b.share - a.share);
        };

        const filed = tokens =>
            rowsOf(routes.value).map(each => ({
                layer: each.layer,
                position: each.position,
                token: tokens[each.position].text,
                ...(each.link
                    ? { part: 'attention', read: each.link.key, read_token: tokens[each.link.key].text, head: each.link.head }
                    : { part: 'ffn' }),
                norm: each.norm,
                share: each.share,
                total_effect: measured().get(each.name) ?? undefined
            }));

        const controls = () =>
            h('div', { class: 'row wrap' }, [
                h('label', { class: 'row check' }, [
                    'Links of at least',
                    h('input', {
                        type: 'range',
                        min: LEAST,
                        max: MOST,
                        step: 0.01,
                        value: share.value,
                        'aria-valuetext': percent(share.value),
                        onInput: event => (state.share = Number(event.target.value))
                    }),
                    h('output', percent(share.value))
                ]),
                h('label', { class: 'row check' }, [
                    h('input', {
                        type: 'checkbox',
                        checked: state.measured,
                        disabled: !isMeasurable(),
                        onChange: event => (state.measured = event.target.checked)
                    }),
                    'measure effects'
                ]),
                enabledEdits().length > 0 &&
                    segments(
                        null,
                        [
                            ['clean', 'clean'],
                            ['edited', 'edited']
                        ],
                        state.side,
                        value => (state.side = value)
                    )
            ]);

        /** What enters the chosen node. */
        const node = tokens => {
            const { layer, position } = chosen.value;
            const address = link('prediction', '', { layer: Math.max(0, layer), position: positionOf(position, tokens) });
            return h('section', { class: 'stack node-of', 'aria-label': 'Chosen node', 'aria-live': 'polite' }, [
                h('div', { class: 'row spread' }, [
                    h('h3', [layer < 0 ? 'Embedding of ' : `What enters layer ${layer} at `, token(tokens[position].text), h('sub', position)]),
                    h('a', { href: address }, 'Prediction here')
                ]),
                layer >= 0 && table(rowsOf(routes.value, chosen.value), tokens, 'What enters the chosen node')
            ]);
        };

        /** Which of the weights are measured. */
        const legend = clean => {
            const all = rowsOf(routes.value);
            const count = all.filter(each => measured().get(each.name) != null).length;
            return h('p', { class: 'hint', role: 'status' }, [
                effects.busy
                    ? 'Measuring … '
                    : !isMeasurable()
                      ? 'With interventions, effects are measured at the last position alone. '
                      : '',
                count === 0
                    ? ['Weights are ', h('b', 'norms'), ', not effects: a line is as wide as its share of what enters the node.']
                    : [
                          h('b', count === all.length ? 'All weights are measured effects' : `${count} of ${plural(all.length, 'weight')} are measured effects`),
                          ': the logit of ',
                          targetText(clean),
                          ' minus the same with the link off in all heads of the layer, or the FFN at that position; ',
                          h('span', { class: 'for' }, 'for'),
                          ' it or ',
                          h('span', { class: 'against' }, 'against'),
                          ' it, as wide as they are large among links, or FFNs.',
                          count < all.length && ' The others, in blue, are norms.'
                      ]
            ]);
        };

        const words = () =>
            h('details', { class: 'words' }, [
                h('summary', 'What nodes, lines and shares are'),
                h('dl', [
                    h('dt', 'node'),
                    h('dd', 'The residual stream at a token after a layer; the larger the circle, the more its FFN brought. Click it to see its predictions.'),
                    h('dt', 'line'),
                    h('dd', 'Attention of all heads of a layer from the token above to the token below. Click it to see the head that brings most.'),
                    h('dt', 'norm'),
                    h('dd', '‖A·v·W‖ summed over the heads as vectors: how much attention brings from there.'),
                    h('dt', 'share'),
                    h('dd', 'That norm, as a part of the norms of the stream before the layer and of all that its attention brings there.'),
                    h('dt', 'effect'),
                    h('dd', 'Total effect: the logit minus the same with that link or FFN switched off, through all later layers.')
                ])
            ]);

        const content = ({ tokens, clean: [clean] }) =>
            routes.value &&
            h('div', { class: 'stack' }, [
                h('section', { class: 'panel stack', 'aria-label': 'Flow' }, [
                    h('div', { class: 'row spread' }, [
                        h('h2', ['Routes to the prediction after ', token(tokens[clean.position].text), isEdited() && ', edited']),
                        h('div', { class: 'row wrap' }, [
                            h(Target, { position: clean }),
                            h(Export, { what: 'flow', rows: () => filed(tokens) })
                        ])
                    ]),
                    controls(),
                    legend(clean),
                    h(FlowChart, {
                        tokens: tokens.slice(0, clean.position + 1),
                        layers: clean.layers.length,
                        routes: routes.value,
                        chosen: chosen.value,
                        effects: measured(),
                        onChoose: node => (chosen.value = node)
                    }),
                    words(),
                    chosen.value && node(tokens)
                ]),
                h('section', { class: 'panel', 'aria-label': 'All links' }, [
                    h('details', [
                        h('summary', `All ${plural(rowsOf(routes.value).length, 'weight')} as a table`),
                        table(rowsOf(routes.value), tokens, 'Links and FFNs above the threshold')
                    ])
                ])
            ]);

        return () =>
            h('div', { class: 'view', 'aria-busy': String(trace.busy.value || flow.busy || effects.busy) }, [
                h(Prompt),
                state.prompt !== '' && h(Strip, glance(trace)),
                h(Interventions),
                busyLine({ busy: trace.busy.value || flow.busy || effects.busy }),
                problemNotice(trace.problem.value ?? flow.problem ?? effects.problem, () => {
                    trace.again();
                    flow.again++;
                    effects.again++;
                }),
                state.prompt === ''
                    ? emptyNotice('Write a prompt above to see by which routes its prediction came about.')
                    : [trace.data.value && !trace.clean.problem && results(trace, content(trace.data.value)), h(Edges)]
            ]);
    }
};
