// A field for tokens: what is typed becomes the one token that it is.
import { h, ref } from '/lib/vue.js';
import { post, Problem } from '../api.js';
import { iconButton } from './icon.js';
import { problemNotice } from './notice.js';

export const TOKEN_HINT =
    'king means ␣king, with a leading space, where that is a token; "king" in quotation marks means exactly what is between them.';

/** The texts of tokens that `typed` may mean, the likeliest first. */
function meanings(typed) {
    const quoted = /^"(.*)"$/s.exec(typed.trim());
    return quoted ? [quoted[1]] : typed.startsWith(' ') ? [typed] : [' ' + typed, typed];
}

/** The {id, text} of the token that was typed. @throws Problem if it is not one token */
export async function resolveToken(typed) {
    let spelt = [];
    for (const text of meanings(typed)) {
        const { tokens: all, added } = await post('/api/v1/tokenize', { text });
        const tokens = all.filter((_, position) => !added.includes(position));
        if (tokens.length === 1) {
            return { id: tokens[0].id, text };
        }
        spelt = tokens.map(each => each.text);
    }
    throw new Problem(
        'Not one token.',
        `${typed} is ${spelt.map(text => `"${text}"`).join(', ')} (expected: a single token of this model)`
    );
}

export const TokenInput = {
    props: { label: { type: String, required: true }, action: { type: String, default: 'Add' } },
    emits: ['token'],
    setup(props, { emit }) {
        const typed = ref('');
        const problem = ref(null);

        async function add(event) {
            event.preventDefault();
            try {
                const { id, text } = await resolveToken(typed.value);
                emit('token', text, id);
                typed.value = '';
                problem.value = null;
            } catch (failure) {
                problem.value = failure;
            }
        }

        return () =>
            h('div', { class: 'token-input' }, [
                h('div', { class: 'row' }, [
                    h('input', {
                        type: 'text',
                        value: typed.value,
                        'aria-label': props.label,
                        placeholder: 'king',
                        title: TOKEN_HINT,
                        spellcheck: false,
                        onInput: event => (typed.value = event.target.value),
                        onKeydown: event => event.key === 'Enter' && typed.value !== '' && add(event)
                    }),
                    h('button', { type: 'button', disabled: typed.value === '', onClick: add }, props.action)
                ]),
                problemNotice(problem.value)
            ]);
    }
};

/** Things that were added, each with a button that takes it away. */
export function removable(list, write, remove) {
    return list.map((each, index) =>
        h('span', { class: 'chip static', key: index }, [write(each), iconButton('close', `Remove ${each}`, () => remove(index))])
    );
}
