// What a sweep does: which neurons, what to them, where, and what is measured.
import { computed, h, ref } from '/lib/vue.js';
import { isOfCorpus } from '../edits.js';
import { enabledTexts, session, state } from '../state.js';
import { plural } from '../text.js';
import { removable, resolveToken, TOKEN_HINT } from './token-input.js';
import { problemNotice } from './notice.js';
import { isResampled, samplesField } from './samples.js';

const QUANTITIES = {
    kl: 'KL divergence',
    entropy: 'entropy',
    logit: 'logit of',
    probability: 'probability of',
    'log-probability': 'log-probability of',
    rank: 'rank of',
    difference: 'logit difference of'
};
const OPERATIONS = {
    off: 'switch off',
    set: 'set to',
    scale: 'times',
    add: 'plus',
    mean: 'mean over corpus',
    'mean-at': 'mean there, over corpus',
    resample: 'texts of corpus'
};
const AMOUNTS = { set: ':3', scale: ':2', add: ':1', mean: ':stories', 'mean-at': ':stories', resample: ':stories' };

export const SweepForm = {
    props: { running: { type: Boolean, required: true } },
    emits: ['start'],
    setup(props, { emit }) {
        const quantity = ref('logit');
        const typed = ref('');
        const problem = ref(null);
        const operation = computed(() => state.operation.split(':'));
        const choices = computed(() => (state.mode === 'lm-debugger' ? { off: 'switch off', on: 'switch on' } : OPERATIONS));

        async function addMeasure() {
            try {
                const ofTokens = !['kl', 'entropy'].includes(quantity.value);
                const tokens = await Promise.all(ofTokens ? typed.value.split('/').map(resolveToken) : []);
                if (ofTokens && tokens.length !== (quantity.value === 'difference' ? 2 : 1)) {
                    throw {
                        title: 'Not understood.',
                        message: `${typed.value} (expected: ${quantity.value === 'difference' ? 'two tokens, as in king/queen' : 'one token'})`
                    };
                }
                const text = ofTokens ? `${quantity.value}:${tokens.map(({ text }) => `"${text}"`).join('/')}` : quantity.value;
                state.measures = [...new Set([...state.measures, text])];
                typed.value = '';
                problem.value = null;
            } catch (failure) {
                problem.value = failure;
            }
        }

        const field = (text, title, ...inputs) => h('label', { class: 'field', title }, [text, ...inputs]);

        const operations = () =>
            h('div', { class: 'field' }, [
                h('span', 'operation'),
                h('div', { class: 'row wrap' }, [
                    h(
                        'select',
                        {
                            'aria-label': 'Operation',
                            value: operation.value[0],
                            onChange: event => (state.operation = event.target.value + (AMOUNTS[event.target.value] ?? ''))
                        },
                        Object.entries(choices.value).map(([value, text]) => h('option', { value }, text))
                    ),
                    operation.value.length > 1 &&
                        h('input', {
                            ...(isOfCorpus({ operation: operation.value[0] })
                                ? { class: 'corpus', type: 'text', spellcheck: false, 'aria-label': 'Corpus', title: 'stories, which comes along, or one that lmdebug corpus build has made' }
                                : { class: 'number', type: 'number', step: 'any', 'aria-label': 'Amount' }),
                            value: operation.value[1],
                            onChange: event => {
                                const amount = event.target.value.trim() || operation.value[1]; // an empty one is none
                                event.target.value = amount;
                                state.operation = `${operation.value[0]}:${amount}`;
                            }
                        }),
                    isResampled() && samplesField()
                ])
            ]);

        const measures = () =>
            h('div', { class: 'field grow' }, [
                h('span', 'measures'),
                h('div', { class: 'row wrap' }, [
                    removable(
                        state.measures,
                        text => text.replaceAll('" ', '"␣'),
                        index => (state.measures = state.measures.filter((_, each) => each !== index))
                    ),
                    h(
                        'select',
                        {
                            'aria-label': 'Measure',
                            value: quantity.value,
                            onChange: event => (quantity.value = event.target.value)
                        },
                        Object.entries(QUANTITIES).map(([value, text]) => h('option', { value }, text))
                    ),
                    !['kl', 'entropy'].includes(quantity.value) &&
                        h('input', {
                            type: 'text',
                            class: 'measured',
                            value: typed.value,
                            'aria-label': 'Token to measure',
                            placeholder: quantity.value === 'difference' ? 'boy/girl' : 'girl',
                            title: TOKEN_HINT,
                            spellcheck: false,
                            onInput: event => (typed.value = event.target.value),
                            onKeydown: event => {
                                if (event.key === 'Enter') {
                                    event.preventDefault();
                                    addMeasure();
                                }
                            }
                        }),
                    h('button', { type: 'button', onClick: addMeasure }, 'Add')
                ])
            ]);

        const term = (word, meaning) => [h('dt', word), h('dd', meaning)];

        const words = () =>
            h('details', { class: 'words' }, [
                h('summary', 'What the measures mean'),
                h('dl', [
                    term('KL divergence', 'How far the edited prediction is from the unedited one, over all tokens, in nats; 0 if nothing changes.'),
                    term('entropy', 'How undecided the prediction is, in nats; 0 if one token is certain.'),
                    term('logit', 'The number of a token before the softmax.'),
                    term('probability, log-probability', 'Of a token, after the softmax; the log-probability in nats.'),
                    term('rank', 'How many tokens are likelier, plus 1.'),
                    term('difference', 'The logit of one token minus that of another.'),
                    term('change', 'The total effect of the edit, with its sign turned: the measure with the edit minus without it.')
                ])
            ]);

        return () =>
            h(
                'form',
                {
                    class: 'panel sweep-form',
                    'aria-label': 'Sweep',
                    onSubmit: event => {
                        event.preventDefault();
                        emit('start');
                    }
                },
                [
                    h('div', { class: 'row wrap bottom' }, [
                        field(
                            'neurons or parts',
                            'all; L0-3; L2D5,L3D7; L2D5-99; dominant:20, of each layer those that weigh most; or parts: heads, heads:L2-4, L1H3, attention, ffn',
                            h('input', {
                                type: 'text',
                                list: 'choices',
                                value: state.neurons,
                                spellcheck: false,
                                onChange: event => (state.neurons = event.target.value.trim())
                            })
                        ),
                        h(
                            'datalist',
                            { id: 'choices' },
                            ['all', 'dominant:20', `L0-${(session.model?.layers ?? 1) - 1}`, 'L0', 'heads', 'attention', 'ffn'].map(value =>
                                h('option', { value })
                            )
                        ),
                        operations(),
                        state.mode === 'exact' &&
                            field(
                                'at',
                                'Where the neuron is edited: last, all, or indices: 3, 1,4 or 2..5; last is much the fastest',
                                h('input', {
                                    type: 'text',
                                    class: 'where',
                                    list: 'places',
                                    value: state.at,
                                    onChange: event => (state.at = event.target.value.trim())
                                })
                            ),
                        h(
                            'datalist',
                            { id: 'places' },
                            ['last', 'all'].map(value => h('option', { value }))
                        ),
                        measures(),
                        enabledTexts().length > 0 &&
                            h('label', { class: 'row check' }, [
                                h('input', {
                                    type: 'checkbox',
                                    checked: state.onTop,
                                    onChange: event => (state.onTop = event.target.checked)
                                }),
                                `on top of ${plural(enabledTexts().length, 'intervention')}`
                            ]),
                        h(
                            'button',
                            {
                                type: 'submit',
                                class: 'primary',
                                disabled: props.running || state.prompt === '' || state.measures.length === 0
                            },
                            'Start the sweep'
                        )
                    ]),
                    words(),
                    problemNotice(problem.value)
                ]
            );
    }
};
