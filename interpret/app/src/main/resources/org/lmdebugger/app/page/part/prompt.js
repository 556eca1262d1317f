// The prompt, its tokens as they are typed, and the position that is looked at.
import { computed, h, nextTick, ref, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { useLoad } from '../load.js';
import { say, session, state } from '../state.js';
import { token } from '../text.js';
import { problemNotice } from './notice.js';

const EXAMPLES = [
    'Once upon a time there was a little',
    'It was the first time that two',
    'Toward the end of the video, they sit on a',
    'the weather is going to be',
    'My wife is working as a'
];

export const Prompt = {
    props: { traced: { type: Boolean, default: true } }, // else it is only there for others to take
    setup(props) {
        const draft = ref(state.prompt);
        const list = ref(null);
        watch(
            () => state.prompt,
            prompt => (draft.value = prompt)
        );
        const tokens = useLoad(
            () => (draft.value === '' ? null : { text: draft.value }),
            (body, signal) => post('/api/v1/tokenize', body, signal)
        );
        const count = computed(() => tokens.data?.tokens.length ?? 0);
        const chosen = computed(() => (state.position < 0 ? count.value - 1 : state.position));

        function submit(position = -1) {
            state.prompt = draft.value;
            state.position = position;
        }

        function choose(position) {
            if (position < 0 || position >= count.value) {
                return;
            }
            submit(position === count.value - 1 ? -1 : position);
            say(`Position ${position}`);
            nextTick(() => list.value?.querySelector('[aria-pressed=true]')?.focus());
        }

        function key(event) {
            const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            if (step) {
                event.preventDefault();
                choose(chosen.value + step);
            }
        }

        const isAdded = position => tokens.data.added.includes(position);

        const chip = (each, position) =>
            h(
                'button',
                {
                    class: ['chip', { added: isAdded(position) }],
                    key: position,
                    type: 'button',
                    title:
                        `token ${each.id} at position ${position}` +
                        (each.text.includes('\ufffd') ? `, bytes of a part of a character: ${each.raw}` : '') + (isAdded(position) ? ', added by the tokenizer' : ''),
                    disabled: !props.traced,
                    tabindex: position === chosen.value ? 0 : -1,
                    'aria-pressed': props.traced ? String(position === chosen.value) : undefined,
                    onClick: () => choose(position)
                },
                [token(each.text), h('sub', position)]
            );

        const examples = () =>
            h('div', { class: ['examples', { used: state.prompt !== '' }] }, [
                h('span', 'Try'),
                EXAMPLES.map(text =>
                    h(
                        'button',
                        {
                            type: 'button',
                            class: 'link',
                            onClick: () => {
                                draft.value = text;
                                submit();
                            }
                        },
                        text
                    )
                )
            ]);

        const size = () =>
            h(
                'span',
                { class: 'hint' },
                count.value === 0
                    ? ''
                    : `${count.value} of at most ${session.model?.positions ?? '…'} tokens` +
                          (draft.value !== state.prompt ? '; press Enter to trace' : '')
            );

        return () =>
            h('section', { class: 'panel prompt', 'aria-label': 'Prompt' }, [
                h(
                    'form',
                    {
                        onSubmit: event => {
                            event.preventDefault();
                            submit();
                        }
                    },
                    [
                        h('label', { class: 'unseen', for: 'prompt' }, 'Prompt'),
                        h('textarea', {
                            id: 'prompt',
                            rows: Math.min(8, draft.value.split('\n').reduce((rows, line) => rows + (Math.ceil(line.length / 100) || 1), 0)),
                            dir: 'auto',
                            value: draft.value,
                            spellcheck: false,
                            placeholder: 'Write a text whose continuation you wonder about',
                            onInput: event => {
                                draft.value = event.target.value;
                                if (!props.traced) {
                                    submit();
                                }
                            },
                            onKeydown: event => {
                                if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
                                    event.preventDefault();
                                    submit();
                                }
                            }
                        }),
                        props.traced && h('button', { class: 'primary', type: 'submit', disabled: draft.value === '' }, 'Trace')
                    ]
                ),
                problemNotice(tokens.problem),
                count.value > 0 &&
                    h(
                        'div',
                        {
                            class: 'chips',
                            ref: list,
                            role: 'group',
                            onKeydown: key,
                            'aria-label': props.traced ? 'Tokens; choose the position to look at' : 'Tokens'
                        },
                        tokens.data.tokens.map(chip)
                    ),
                h('div', { class: 'row spread' }, [examples(), size()])
            ]);
    }
};
