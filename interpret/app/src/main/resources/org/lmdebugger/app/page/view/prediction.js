// How the prediction comes about, layer by layer, clean and edited.
import { computed, h, nextTick, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { parseNeuron } from '../edits.js';
import { useLoad } from '../load.js';
import { enabledTexts, link, session, state } from '../state.js';
import { token } from '../text.js';
import { atPosition, followed, isFollowed, positionText, useTrace } from '../trace.js';
import { decline, isOffered } from '../part/guide.js';
import { HeatMap, heightOf } from '../part/heat-map.js';
import { Interventions } from '../part/interventions.js';
import { journey } from '../part/journey.js';
import { isBehind } from '../part/later.js';
import { dominant, dominantRows, ORDERS } from '../part/dominant.js';
import { Export } from '../part/export.js';
import { effectsHint, foldAll, isFolded, LayerCard, neuronsOf, showLayer } from '../part/layer-card.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { predictionRows, predictions } from '../part/predictions.js';
import { Prompt } from '../part/prompt.js';
import { Samples } from '../part/samples.js';
import { segments } from '../part/segments.js';
import { glance, headline, Strip } from '../part/strip.js';
import { Target } from '../part/target.js';
import { TokenInput } from '../part/token-input.js';

const MOST = 10; // neurons of each layer that are asked for
const RANKED = ['direct', 'coefficient']; // numbers by which a trace can rank all neurons of a layer

/** On a first visit, one finding. */
const offer = () =>
    isOffered() &&
    h('p', { class: 'row wrap offer' }, [
        'Your first visit? See one finding, in five steps. ',
        h('button', { type: 'button', class: 'primary', onClick: () => (session.guide = 0) }, 'Show me'),
        h('button', { type: 'button', class: 'quiet', onClick: decline }, 'No, thanks')
    ]);

const welcome = () =>
    emptyNotice(
        offer(),
        h('h2', 'How does the next token come about?'),
        h('p', 'Write a prompt, or try one above.'),
        h('ol', [
            h('li', [h('b', 'Look'), 'at what each layer would predict, and at the value vectors that weigh most in it.']),
            h('li', [h('b', 'Change'), 'a coefficient, and see the clean and the edited prediction side by side.']),
            h('li', [h('b', 'Share'), 'the address: it holds the prompt, the interventions and the view.'])
        ])
    );

/** The likeliest next tokens, and in words what became of the first. `texts()` are the interventions. */
export const Outcome = ({ tokens, clean, edited, texts = enabledTexts }) => {
    const shown = [clean.layers.at(-1).after, edited?.layers.at(-1).after, 10];
    return h('section', { class: 'panel outcome', 'aria-label': 'Prediction' }, [
        h('div', { class: 'row spread' }, [
            h('h2', ['After ', token(tokens[clean.position].text)]),
            h(Export, { what: 'prediction', rows: () => predictionRows(...shown) })
        ]),
        h('p', { class: 'headline' }, headline(clean, edited)),
        predictions(...shown, 'Likeliest next tokens'),
        edited && h(Samples, { texts })
    ]);
};
Outcome.props = ['tokens', 'clean', 'edited', 'texts'];

/** A stack of results, out of sight while they are those of another prompt or position. */
export const results = (trace, content) =>
    h('div', { class: ['stack', { outdated: trace.isOutdated.value }] }, content);

/** The neurons of an attribution, by layer, as a trace has them. */
const attributed = position =>
    position.attribution.parts
        .filter(({ part }) => part.endsWith('.ffn'))
        .map(({ neurons = [] }) => neurons.map(({ neuron, coefficient, direct }) => ({ ...parseNeuron(neuron), coefficient, direct })));

/** The token that is followed in a traced position, if one is. */
const chosenIn = position => position?.layers[0].chosen[0]?.id;

export const Prediction = {
    setup() {
        const detail = useTrace(() => ({ positions: atPosition(), top: MOST, total: true, ...followed() }));
        const target = computed(() => detail.clean.data?.positions[0].target.id);
        const targetId = () => (target.value === undefined ? undefined : '#' + target.value);
        // The whole prompt, once; the edited run only where it is drawn, and a token only if its ranks are.
        const ranks = () => (state.heat === 'rank' ? { tokens: [targetId()] } : {});
        const overview = useTrace(
            () => (state.heat === 'rank' && targetId() === undefined ? undefined : { positions: 'all', top: 1, ...ranks() }),
            () => (state.side === 'edited' ? enabledTexts() : [])
        );
        // The way of the prediction, which is known once it has been traced; of a followed token the detail has it.
        const way = useLoad(
            () =>
                isFollowed() || target.value === undefined
                    ? null
                    : { prompt: state.prompt, positions: atPosition(), top: 1, target: targetId() },
            (body, signal) => post('/api/v1/trace', body, signal),
            ({ prompt, positions }) => [prompt, positions]
        );

        // A trace lists neurons by score; an attribution those of all with the largest direct effects or coefficients.
        const ranking = useTrace(() =>
            RANKED.includes(state.order)
                ? { positions: atPosition(), top: 1, attribution: true, neurons: MOST, neurons_by: state.order, ...followed() }
                : null
        );
        /** Of each layer its neurons by the order's number, [clean, edited]; null while they are not there. */
        const ranked = computed(() => {
            if (!RANKED.includes(state.order) || ranking.isOutdated.value || !ranking.data.value) {
                return null;
            }
            const { clean, edited } = ranking.data.value;
            const second = edited && attributed(edited[0]);
            return attributed(clean[0]).map((neurons, layer) => [neurons, second?.[layer]]);
        });

        watch(detail.data, trace =>
            nextTick(() => {
                document.title = `${trace.tokens.map(each => each.text).join('').trim().slice(-40)} · LM-Debugger`;
            })
        );

        const order = () =>
            segments('Order of the neurons', Object.entries(ORDERS), state.order, value => (state.order = value));

        const density = () =>
            segments(
                'Rows of each list',
                [3, 5, 10].map(count => [count, count]),
                state.top,
                count => (state.top = count)
            );

        /** Collapses all layers, or opens them if all are collapsed. */
        const folding = count => {
            const isOpen = Array.from({ length: count }, (_, layer) => layer).some(layer => !isFolded(layer));
            return h('button', { type: 'button', class: 'quiet', onClick: () => foldAll(count, isOpen) }, isOpen ? 'Collapse all' : 'Open all');
        };

        const ways = ({ clean, edited }) => {
            const first = chosenIn(clean) === undefined ? way.data?.positions[0] : clean;
            const second = chosenIn(edited) === chosenIn(first) ? edited : undefined; // else it is about to come
            return h('section', { class: 'panel way', 'aria-label': 'Through the layers' }, [
                first && journey(first, second),
                h(TokenInput, { label: 'Token to follow', action: 'Follow', onToken: (text, id) => (state.token = '#' + id) })
            ]);
        };
        ways.props = ['clean', 'edited'];

        const neurons = ({ tokens, clean, edited }) => {
            const lists = clean.layers.map((layer, index) => neuronsOf(layer, edited?.layers[index], ranked.value?.[index]));
            const all = [lists.flatMap(([first]) => first), edited && lists.flatMap(([, second]) => second)];
            return h('section', { class: 'panel', 'aria-label': 'Neurons of all layers' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', ['Neurons of all layers, by ', ORDERS[state.order]]),
                    h(Export, { what: 'neurons of all layers', rows: () => dominantRows(...all, state.top) })
                ]),
                state.order !== 'score' &&
                    ranked.value === null &&
                    h('p', { class: 'hint' }, [
                        `Of the ${MOST} with the largest scores in each layer`,
                        state.order === 'total' && ['; ', h('a', { href: link('sweep') }, 'a sweep'), ' measures the total effects of all'],
                        '.'
                    ]),
                dominant(...all, { count: state.top, at: positionText(clean.position, tokens.length) })
            ]);
        };
        neurons.props = ['tokens', 'clean', 'edited'];

        const content = ({ tokens, clean: [clean], edited: edits }, edited = edits?.[0]) => [
            h('div', { class: 'overview' }, [
                results(detail, [h(Outcome, { tokens, clean, edited }), h(neurons, { tokens, clean, edited })]),
                h('div', { class: 'stack' }, [
                    h(
                        'div',
                        { style: { minHeight: `${heightOf(clean.layers.length, tokens.length)}px` } },
                        overview.data.value && !overview.isOutdated.value && h(HeatMap, { trace: overview.data.value })
                    ),
                    results(detail, [h(ways, { clean, edited })])
                ])
            ]),
            results(detail, layersOf(tokens, clean, edited))
        ];

        const layersOf = (tokens, clean, edited) => [
            h('div', { class: 'row spread layers-head' }, [
                h('h2', ['Layers at position ', String(clean.position), ', ', token(tokens[clean.position].text)]),
                h('div', { class: 'row wrap' }, [order(), density(), folding(clean.layers.length)])
            ]),
            h(Target, { position: clean, choose: false }),
            effectsHint(clean),
            clean.layers.map((layer, index) =>
                h(LayerCard, {
                    key: index,
                    layer,
                    other: edited?.layers[index],
                    ranked: ranked.value?.[index],
                    at: positionText(clean.position, tokens.length),
                    step: true
                })
            )
        ];

        const index = () => {
            const layers = detail.data.value?.clean[0].layers ?? [];
            return h(
                'nav',
                { class: 'row index', 'aria-label': 'Layers' },
                layers.map((_, layer) =>
                    h('button', { key: layer, type: 'button', class: 'quiet', onClick: () => showLayer(layer) }, `L${layer}`)
                )
            );
        };

        return () =>
            h('div', { class: 'view', 'aria-busy': String(detail.busy.value || overview.busy.value || ranking.busy.value || way.busy || isBehind()) }, [
                h(Prompt),
                state.prompt !== '' && h(Strip, glance(detail), index),
                h(Interventions),
                busyLine({ busy: detail.busy.value }),
                problemNotice(detail.problem.value ?? overview.problem.value ?? ranking.problem.value ?? way.problem, () => {
                    detail.again();
                    overview.again();
                    ranking.again();
                    way.again++;
                }),
                state.prompt === ''
                    ? welcome()
                    : detail.data.value && !detail.clean.problem && content(detail.data.value)
            ]);
    }
};
