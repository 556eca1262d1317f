// How the prediction comes about, layer by layer, clean and edited.
import { h, nextTick, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { useLoad } from '../load.js';
import { enabledTexts, state } from '../state.js';
import { percent, token, visible } from '../text.js';
import { HeatMap } from '../part/heat-map.js';
import { Interventions } from '../part/interventions.js';
import { journey } from '../part/journey.js';
import { layerCard } from '../part/layer-card.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { predictions } from '../part/predictions.js';
import { Prompt } from '../part/prompt.js';
import { segments } from '../part/segments.js';
import { TokenInput } from '../part/token-input.js';

const welcome = () =>
    emptyNotice(
        h('h2', 'How does the next token come about?'),
        h('p', 'Write a prompt, or try one above.'),
        h('ol', [
            h('li', [h('b', 'Look'), 'at what each layer would predict, and at the value vectors that weigh most in it.']),
            h('li', [h('b', 'Change'), 'a coefficient, and see the clean and the edited prediction side by side.']),
            h('li', [h('b', 'Share'), 'the address: it holds the prompt, the interventions and the view.'])
        ])
    );

/** What is asked of every trace. */
export function traceRequest(more) {
    return state.prompt === ''
        ? null
        : {
              prompt: state.prompt,
              edits: enabledTexts(),
              mode: state.mode,
              tokens: state.token === '' ? [] : [state.token],
              ...more
          };
}

export const atPosition = () => (state.position < 0 ? 'last' : [state.position]);

/** The likeliest next tokens, and in words what became of the first. */
export function outcome(tokens, clean, edited) {
    const [first, second] = [clean.layers.at(-1).after[0], edited?.layers.at(-1).after[0]];
    return h('section', { class: 'panel outcome', 'aria-label': 'Prediction' }, [
        h('h2', ['After ', token(tokens[clean.position].text)]),
        h(
            'p',
            { class: 'headline', role: 'status' },
            !second
                ? [token(first.token), h('span', { class: 'clean' }, percent(first.probability))]
                : first.id === second.id
                  ? [
                        token(first.token),
                        h('span', { class: 'clean' }, percent(first.probability)),
                        '→',
                        h('span', { class: 'edited' }, percent(second.probability))
                    ]
                  : [
                        token(first.token, { class: 'clean' }),
                        '→',
                        token(second.token, { class: 'edited' }),
                        h('span', { class: 'edited' }, percent(second.probability))
                    ]
        ),
        predictions(clean.layers.at(-1).after, edited?.layers.at(-1).after, 10, 'Likeliest next tokens')
    ]);
}

export const Prediction = {
    setup() {
        const detail = useLoad(
            () => traceRequest({ positions: atPosition(), top: 10, total: true }),
            (body, signal) => post('/api/v1/trace', body, signal)
        );
        // The prediction is followed if no other token is: that is known once the detail is there.
        const overview = useLoad(
            () =>
                state.prompt === ''
                    ? null
                    : isCurrent()
                      ? traceRequest({ positions: 'all', top: 1, tokens: ['#' + detail.data.positions[0].target.id] })
                      : undefined,
            (body, signal) => post('/api/v1/trace', body, signal)
        );
        function isCurrent() {
            const { prompt, tokens, positions } = detail.data ?? {};
            const position = state.position < 0 ? tokens?.length - 1 : state.position;
            return (
                prompt === state.prompt &&
                positions[0].position === position &&
                (state.token === '' || state.token === '#' + positions[0].target.id || !state.token.startsWith('#'))
            );
        }

        watch(
            () => detail.data,
            trace =>
                nextTick(() => {
                    document.title = trace
                        ? `${visible(trace.tokens.map(each => each.text).join('')).slice(-40)} · LM-Debugger`
                        : 'LM-Debugger';
                })
        );

        const density = () =>
            segments(
                'Rows of each list',
                [3, 5, 10].map(count => [count, count]),
                state.top,
                count => (state.top = count)
            );

        const way = position =>
            position < overview.data.positions.length &&
            h('section', { class: 'panel way', 'aria-label': 'Through the layers' }, [
                journey(overview.data.positions[position], overview.data.edited?.positions[position]),
                h(TokenInput, { label: 'Token to follow', action: 'Follow', onToken: (text, id) => (state.token = '#' + id) })
            ]);

        const results = () => {
            const clean = detail.data.positions[0];
            const edited = detail.data.edited?.positions[0];
            const target = clean.target.token;
            return [
                h('div', { class: 'overview' }, [
                    outcome(detail.data.tokens, clean, edited),
                    overview.data &&
                        !overview.problem &&
                        h('div', { class: 'stack' }, [h(HeatMap, { trace: overview.data }), way(clean.position)])
                ]),
                h('div', { class: 'row spread layers-head' }, [
                    h('h2', [
                        'Layers at position ',
                        String(clean.position),
                        ', ',
                        token(detail.data.tokens[clean.position].text)
                    ]),
                    h('p', { class: 'hint' }, [
                        h('b', 'direct'),
                        ' and ',
                        h('b', 'total'),
                        ' effects are on ',
                        token(target),
                        state.token === '' ? ', the prediction; click a token to follow another' : '; click it again to let it go'
                    ]),
                    density()
                ]),
                clean.layers.map((_, index) => layerCard(clean, edited, index))
            ];
        };

        return () =>
            h(
                'div',
                { class: ['view', { stale: detail.busy && detail.data }], 'aria-busy': String(detail.busy || overview.busy) },
                [
                    h(Prompt),
                    h(Interventions),
                    busyLine(detail),
                    problemNotice(detail.problem ?? overview.problem, () => {
                        detail.again++;
                        overview.again++;
                    }),
                    state.prompt === '' ? welcome() : detail.data && !detail.problem && results()
                ]
            );
    }
};
