// The interventions: what happens to which coefficients, and where.
import { computed, h, ref } from '/lib/vue.js';
import { post } from '../api.js';
import {
    copyOf,
    editText,
    FORM,
    isCorpus,
    isOfCorpus,
    isPositions,
    isSwitch,
    label,
    NAMED_POSITIONS,
    OPERATIONS,
    parseEdit,
    switchText
} from '../edits.js';
import { useLoad } from '../load.js';
import { session, state } from '../state.js';
import { fixed } from '../text.js';
import { CoefficientSlider } from './coefficient-slider.js';
import { Corpora } from './corpora.js';
import { iconButton } from './icon.js';
import { neuronLink } from './neuron.js';
import { problemNotice } from './notice.js';
import { segments } from './segments.js';

const FOLDED = 6; // rows; the others are shown on demand
const BUNDLED = 'stories'; // the corpus that comes along
const LM_DEBUGGER =
    'Overwrites the neuron before the activation, at every position: with 0 for off, with more than the layer’s largest score for on';

export const Interventions = {
    setup() {
        const typed = ref('');
        const wrong = ref(null);
        // The coefficients as they are without edits, whether or not an intervention is enabled. What is wrong with the
        // prompt or an intervention, the view itself says.
        const neurons = computed(() => [...new Set(state.edits.filter(edit => !edit.part).map(label))].sort());
        const clean = useLoad(
            () => (state.prompt === '' || neurons.value.length === 0 ? null : { prompt: state.prompt, neurons: neurons.value }),
            async (body, signal) => (await post('/api/v1/coefficients', body, signal)).neurons,
            ({ prompt }) => prompt
        );
        const all = ref(false);

        function cleanValue(edit) {
            const values = clean.data?.find(each => each.layer === edit.layer && each.neuron === edit.neuron)?.clean;
            return values?.at(state.position) ?? null;
        }

        function add(event) {
            event.preventDefault();
            const edit = parseEdit(typed.value);
            wrong.value = edit ? null : { title: 'Not an intervention.', message: `Expected: ${FORM}` };
            if (edit) {
                state.edits.push(edit);
                typed.value = '';
            }
        }

        const remove = edit =>
            state.edits.splice(
                state.edits.findIndex(each => each.key === edit.key),
                1
            );
        const duplicate = edit => state.edits.splice(state.edits.indexOf(edit) + 1, 0, copyOf(edit));
        const force = enabled => state.edits.forEach(edit => (edit.enabled = enabled));

        /** What a field of text or number becomes; of an empty one, what it was. */
        function numberOf(event, before) {
            const number = event.target.value.trim() === '' ? NaN : Number(event.target.value);
            event.target.value = Number.isFinite(number) ? number : before;
            return Number.isFinite(number) ? number : before;
        }

        const operation = (edit, name) =>
            h(
                'select',
                {
                    value: edit.operation,
                    'aria-label': `What happens to ${name}`,
                    onChange: event => {
                        edit.operation = event.target.value;
                        edit.value = { '=': 0, '*=': 2, '+=': 1 }[edit.operation] ?? 0;
                        edit.corpus = isOfCorpus(edit) ? BUNDLED : '';
                    }
                },
                Object.entries(OPERATIONS).map(([value, text]) => h('option', { value }, text))
            );

        /** A field that keeps what it had if what is typed is `wrong`, a problem. */
        function take(event, edit, field, problem) {
            const text = event.target.value.trim();
            wrong.value = problem(text);
            if (wrong.value) {
                event.target.value = edit[field];
            } else {
                edit[field] = text;
            }
        }

        const corpus = (edit, name) =>
            h('input', {
                class: 'corpus',
                type: 'text',
                value: edit.corpus,
                spellcheck: false,
                'aria-label': `Corpus for ${name}`,
                title: 'A corpus that lmdebug corpus build has made, or stories, which comes along' + (edit.operation === 'resample' ? '; then it may be # and a seed' : ''),
                onChange: event =>
                    take(event, edit, 'corpus', text =>
                        isCorpus(edit.operation, text)
                            ? null
                            : {
                                  title: 'Not a corpus.',
                                  message: `${text} (expected: a name such as stories${edit.operation === 'resample' ? ', or with a seed, stories#7' : ''})`
                              }
                    )
            });

        const amount = (edit, name) =>
            !isSwitch(edit) &&
            (isOfCorpus(edit)
                ? corpus(edit, name)
                : edit.operation === 'from'
                ? h('input', {
                      class: 'other-prompt',
                      type: 'text',
                      value: edit.from,
                      placeholder: 'other prompt',
                      'aria-label': `Prompt whose coefficient ${name} takes`,
                      onChange: event => (edit.from = event.target.value)
                  })
                : [
                      h(CoefficientSlider, { edit, name, clean: cleanValue(edit) }),
                      h('input', {
                          class: 'number',
                          type: 'number',
                          step: 'any',
                          value: edit.value,
                          'aria-label': `Value for ${name}, as a number`,
                          onChange: event => (edit.value = numberOf(event, edit.value))
                      })
                  ]);

        const where = (edit, name) =>
            h('input', {
                class: 'where',
                type: 'text',
                list: 'positions',
                value: edit.at,
                'aria-label': `Positions at which ${name} is changed`,
                title: 'all, prompt, generated, last, or indices: 3, 1,4 or 2..5',
                onChange: event =>
                    take(event, edit, 'at', text =>
                        isPositions(text)
                            ? null
                            : {
                                  title: 'Not positions.',
                                  message: `${text} (expected: all, prompt, generated, last, or indices such as 3 or 1,4 or 2..5)`
                              }
                    )
            });

        const switched = (edit, name) =>
            segments(
                `Switch ${name}`,
                [
                    ['off', 'off'],
                    ['on', 'on']
                ],
                switchText(edit)?.replace(/.*=/, ''),
                value => (edit.operation = value)
            );

        const row = edit => {
            const name = edit.part ?? label(edit);
            const value = edit.part ? null : cleanValue(edit);
            const isLeftOut = state.mode === 'lm-debugger' && switchText(edit) === null;
            return h('li', { class: ['edit', { disabled: !edit.enabled }], key: edit.key }, [
                h('label', { class: 'switch', title: edit.enabled ? 'In force' : 'Not in force' }, [
                    h('input', {
                        type: 'checkbox',
                        checked: edit.enabled,
                        'aria-label': `${name} in force`,
                        onChange: event => (edit.enabled = event.target.checked)
                    }),
                    h('span')
                ]),
                edit.part ? h('code', edit.part) : neuronLink(edit.layer, edit.neuron),
                ...(edit.part
                    ? []
                    : state.mode === 'lm-debugger'
                      ? [switched(edit, name)]
                      : [operation(edit, name), amount(edit, name), where(edit, name)]),
                h(
                    'span',
                    { class: 'hint was' },
                    isLeftOut ? `${editText(edit)} is neither on nor off: not in force here` : value == null ? '' : `is ${fixed(value)}`
                ),
                h('span', { class: 'tools' }, [
                    iconButton('copy', `Duplicate ${name}`, () => duplicate(edit)),
                    iconButton('close', `Delete ${name}`, () => remove(edit))
                ])
            ]);
        };

        return () =>
            h('section', { class: 'panel interventions', 'aria-label': 'Interventions' }, [
                h('div', { class: 'row spread' }, [
                    h('div', { class: 'row wrap' }, [
                        h('h2', 'Interventions'),
                        h('form', { class: 'row add', onSubmit: add }, [
                            h('input', {
                                type: 'text',
                                value: typed.value,
                                'aria-label': 'Intervention',
                                placeholder: 'L1D483=0',
                                spellcheck: false,
                                title: FORM,
                                onInput: event => {
                                    typed.value = event.target.value;
                                    wrong.value = null;
                                }
                            }),
                            h('button', { type: 'submit', disabled: typed.value.trim() === '' }, 'Add')
                        ])
                    ]),
                    h('div', { class: 'row wrap' }, [
                        h('label', { class: 'row check', title: LM_DEBUGGER }, [
                            h('input', {
                                type: 'checkbox',
                                checked: state.mode === 'lm-debugger',
                                onChange: event => (state.mode = event.target.checked ? 'lm-debugger' : 'exact')
                            }),
                            'as LM-Debugger does'
                        ]),
                        state.edits.length > 1 && [
                            h('button', { type: 'button', class: 'quiet', onClick: () => force(false) }, 'All out of force'),
                            h('button', { type: 'button', class: 'quiet', onClick: () => force(true) }, 'All in force')
                        ],
                        state.edits.length > 0 &&
                            h('button', { type: 'button', class: 'quiet', onClick: () => (state.edits = []) }, 'Clear')
                    ])
                ]),
                h(Corpora),
                problemNotice(wrong.value),
                problemNotice(session.ignored),
                state.edits.length === 0
                    ? h('p', { class: 'hint' }, [
                          'None. Add one by its name, or with the ',
                          h('b', '+'),
                          ' beside a value vector.'
                      ])
                    : h('ul', { class: 'edits' }, (all.value ? state.edits : state.edits.slice(0, FOLDED)).map(row)),
                state.edits.length > FOLDED &&
                    h(
                        'button',
                        { type: 'button', class: 'link', 'aria-expanded': String(all.value), onClick: () => (all.value = !all.value) },
                        all.value ? `Show the first ${FOLDED}` : `Show all ${state.edits.length}`
                    ),
                h(
                    'datalist',
                    { id: 'positions' },
                    NAMED_POSITIONS.map(value => h('option', { value }))
                )
            ]);
    }
};
