// Search for value vectors: by the words that they say, or by what they do to chosen tokens.
import { computed, h, ref } from '/lib/vue.js';
import { getBuilt } from '../api.js';
import { label, parseNeuron } from '../edits.js';
import { useLoad } from '../load.js';
import { go, session, state } from '../state.js';
import { fixed, plural, token } from '../text.js';
import { Export } from '../part/export.js';
import { interveneButton, neuronLink } from '../part/neuron.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { segments } from '../part/segments.js';
import { removable, TOKEN_HINT, TokenInput } from '../part/token-input.js';
import { tokens } from '../part/values.js';

export const Explore = {
    setup() {
        const words = ref(state.words);
        const typed = ref('');
        const problem = ref(null);
        const query = computed(() => {
            const parameters = new URLSearchParams({ top: 20 });
            if (state.words !== '') {
                parameters.set('words', state.words);
                state.weigh && parameters.set('weigh', true);
                return '/api/v1/search?' + parameters;
            }
            state.tokens.forEach(each => parameters.append('token', each));
            parameters.set('suppress', state.suppress);
            return state.tokens.length > 0 ? '/api/v1/search/tokens?' + parameters : null;
        });
        const found = useLoad(() => query.value, getBuilt);

        function search(event) {
            event.preventDefault();
            state.tokens = [];
            state.words = words.value.trim();
        }

        function addToken(text) {
            state.words = words.value = '';
            state.tokens = [...state.tokens, text];
        }

        function open(event) {
            event.preventDefault();
            const neuron = parseNeuron(typed.value.trim().toUpperCase());
            problem.value = neuron
                ? null
                : { title: 'Not a value vector.', message: `${typed.value} (expected: a layer and a neuron, such as L12D34)` };
            if (neuron) {
                go('value', label(neuron));
            }
        }

        const forms = () =>
            h('div', { class: 'panel searches' }, [
                h('form', { onSubmit: search }, [
                    h('h2', 'By words'),
                    h('div', { class: 'row' }, [
                        h('input', {
                            type: 'text',
                            value: words.value,
                            'aria-label': 'Words, separated by commas',
                            placeholder: 'king, queen',
                            onInput: event => (words.value = event.target.value)
                        }),
                        h('button', { type: 'submit', class: 'primary', disabled: words.value.trim() === '' }, 'Search')
                    ]),
                    h('label', { class: 'row check hint', title: 'A token counts the more, the more it is promoted' }, [
                        h('input', {
                            type: 'checkbox',
                            checked: state.weigh,
                            onChange: event => (state.weigh = event.target.checked)
                        }),
                        'weigh tokens by their logits'
                    ]),
                    h('p', { class: 'hint' }, 'Among the 50 tokens that each value vector promotes most.')
                ]),
                h('section', [
                    h('h2', 'By tokens'),
                    h(TokenInput, { label: 'Token', onToken: addToken }),
                    h('div', { class: 'row wrap' }, [
                        segments(
                            'Effect on the tokens',
                            [
                                [false, 'those that promote'],
                                [true, 'that suppress']
                            ],
                            state.suppress,
                            value => (state.suppress = value)
                        ),
                        removable(state.tokens, token, index => (state.tokens = state.tokens.filter((_, each) => each !== index)))
                    ]),
                    h('p', { class: 'hint' }, ['Over the whole vocabulary, exactly. ', TOKEN_HINT])
                ]),
                h('form', { onSubmit: open }, [
                    h('h2', 'By name'),
                    h('div', { class: 'row' }, [
                        h('input', {
                            type: 'text',
                            value: typed.value,
                            'aria-label': 'Value vector',
                            placeholder: 'L3D42',
                            list: 'names',
                            spellcheck: false,
                            onInput: event => (typed.value = event.target.value)
                        }),
                        h('button', { type: 'submit', disabled: typed.value === '' }, 'Open')
                    ]),
                    h(
                        'datalist',
                        { id: 'names' },
                        Object.entries(session.names).map(([value, name]) => h('option', { value }, name))
                    ),
                    problemNotice(problem.value)
                ])
            ]);

        const said = each =>
            each.tokens.length > 0 && each.tokens[0].token !== undefined
                ? h(
                      'span',
                      { class: 'tokens' },
                      each.tokens.map(one => [token(one.token, { class: one.matches ? 'match' : '' }), ' '])
                  )
                : tokens(each.tokens);

        const rows = () =>
            found.data.results.map(({ layer, neuron, name, score, tokens }) => ({
                layer,
                neuron,
                name,
                score,
                tokens: tokens.map(each => each.token ?? each)
            }));

        const results = () =>
            found.data.results.length === 0
                ? emptyNotice(
                      'No value vector was found. Fewer or other words may say more: only tokens of the vocabulary are found, such as parts of rare words.'
                  )
                : h('section', { class: 'panel', 'aria-label': 'Found' }, [
                      h('div', { class: 'row spread' }, [
                          h('h2', plural(found.data.results.length, 'value vector')),
                          h(Export, { what: 'found value vectors', picture: false, rows })
                      ]),
                      h('p', { class: 'hint' }, [
                          h('b', 'Score'),
                          state.words !== ''
                              ? ': how well the words match the tokens that the value vector promotes (BM25)' +
                                (state.weigh ? ', times their logits.' : '.')
                              : `: the mean logit that one unit of its coefficient adds to the tokens, the ${state.suppress ? 'smallest' : 'largest'} first.`
                      ]),
                      h(
                          'ol',
                          { class: 'found listed' },
                          found.data.results.map(each =>
                              h('li', { key: label(each) }, [
                                  h('div', { class: 'row' }, [
                                      neuronLink(each.layer, each.neuron),
                                      h('span', { class: 'hint' }, `score ${fixed(each.score, 3)}`),
                                      interveneButton(each.layer, each.neuron)
                                  ]),
                                  said(each)
                              ])
                          )
                      )
                  ]);

        const named = () => {
            const names = Object.keys(session.names);
            return names.length === 0
                ? emptyNotice('Search for value vectors; what you name is listed here.')
                : h('section', { class: 'panel' }, [
                      h('h2', 'Named'),
                      h(
                          'ul',
                          { class: 'named' },
                          names.map(name => {
                              const { layer, neuron } = parseNeuron(name);
                              return h('li', { key: name }, neuronLink(layer, neuron));
                          })
                      )
                  ]);
        };

        return () =>
            h('div', { class: ['view', { stale: found.busy && found.data }], 'aria-busy': String(found.busy) }, [
                forms(),
                problemNotice(session.namesProblem),
                busyLine(found),
                problemNotice(found.problem, () => found.again++),
                query.value === null ? named() : found.data && !found.problem && results()
            ]);
    }
};
