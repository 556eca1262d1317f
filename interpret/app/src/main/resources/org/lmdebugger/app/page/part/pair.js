// Two prompts that differ in some information, with their tokens side by side.
import { computed, h, reactive, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { useLoad } from '../load.js';
import { state } from '../state.js';
import { plural, token } from '../text.js';
import { problemNotice } from './notice.js';

const EXAMPLES = [
    ['Once upon a time there was a little girl named', 'Once upon a time there was a little boy named'],
    ['Sara was sad. Then', 'Tom was sad. Then']
];

/** The clean and the corrupted prompt: one runs, as the prompt of all views, and takes activations of the other. */
export const pairOf = ({ direction, prompt, other }) =>
    direction === 'denoise' ? { clean: other, corrupted: prompt } : { clean: prompt, corrupted: other };

/** The same pair as part of the state. */
export const stateOf = (direction, { clean, corrupted }) =>
    direction === 'denoise' ? { direction, prompt: corrupted, other: clean } : { direction, prompt: clean, other: corrupted };

/** The first position at which two lists of tokens differ; -1 if they are the same. */
const parting = (first, second) =>
    Array.from({ length: Math.max(first.length, second.length) }).findIndex((_, at) => first[at]?.id !== second[at]?.id);

export const Pair = {
    setup() {
        const drafts = reactive(pairOf(state));
        watch(
            () => pairOf(state),
            pair => Object.assign(drafts, pair)
        );
        const tokenized = name =>
            useLoad(
                () => (drafts[name] === '' ? null : { text: drafts[name] }),
                (body, signal) => post('/api/v1/tokenize', body, signal)
            );
        const [clean, corrupted] = [tokenized('clean'), tokenized('corrupted')];
        const lists = computed(() => [clean, corrupted].map(each => each.data?.tokens ?? []));

        const take = pair => Object.assign(state, stateOf(state.direction, pair));

        const field = (name, says) =>
            h('label', { class: 'field' }, [
                h('span', [h('b', name), ` prompt, ${says}`]),
                h('textarea', {
                    rows: 1,
                    dir: 'auto',
                    value: drafts[name],
                    spellcheck: false,
                    'aria-label': `${name} prompt`,
                    onInput: event => (drafts[name] = event.target.value),
                    onChange: () => take(drafts),
                    onKeydown: event => {
                        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
                            event.preventDefault();
                            take(drafts);
                        }
                    }
                })
            ]);

        const aligned = ([first, second]) =>
            h(
                'ol',
                { class: 'aligned', 'aria-label': 'Tokens of both prompts by position' },
                Array.from({ length: Math.max(first.length, second.length) }, (_, at) =>
                    h(
                        'li',
                        { key: at, class: { differs: first[at]?.id !== second[at]?.id } },
                        [first[at], second[at]].map(each =>
                            each ? token(each.text) : h('span', { class: 'none', 'aria-label': 'no token' }, '–')
                        ).concat(h('sub', at))
                    )
                )
            );

        const difference = ([first, second]) => {
            const at = parting(first, second);
            return first.length !== second.length
                ? h('p', { class: 'notice problem', role: 'status' }, [
                      `${plural(first.length, 'token')} and ${second.length}, which differ from position ${at} on `,
                      '(expected: equally many, so that positions are those of each other)'
                  ])
                : at < 0 && h('p', { class: 'notice problem', role: 'status' }, 'Both prompts are the same (expected: two that differ)');
        };

        return () =>
            h('section', { class: 'panel stack pair', 'aria-label': 'Pair of prompts' }, [
                h('div', { class: 'halves texts' }, [
                    field('clean', state.direction === 'denoise' ? 'which gives activations' : 'which runs'),
                    field('corrupted', state.direction === 'denoise' ? 'which runs' : 'which gives activations')
                ]),
                problemNotice(clean.problem ?? corrupted.problem),
                lists.value.some(each => each.length > 0) && aligned(lists.value),
                lists.value.every(each => each.length > 0) && difference(lists.value),
                h('div', { class: 'examples' }, [
                    h('span', 'Try'),
                    EXAMPLES.map(([first, second]) =>
                        h(
                            'button',
                            { type: 'button', class: 'link', onClick: () => take({ clean: first, corrupted: second }) },
                            `${first} / ${second}`
                        )
                    )
                ])
            ]);
    }
};
