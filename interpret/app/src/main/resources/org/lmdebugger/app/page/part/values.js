// What value vectors say: their tokens, loaded once each, as bars and as words.
import { h, shallowReactive } from '/lib/vue.js';
import { get } from '../api.js';
import { label } from '../edits.js';
import { fixed, token } from '../text.js';

const loaded = shallowReactive(new Map());

/** The first tokens that a value vector promotes, as soon as they are there. */
export function promoted(layer, neuron, count = 6) {
    const name = label({ layer, neuron });
    if (!loaded.has(name)) {
        loaded.set(name, null);
        get(`/api/v1/values/${name}?top=12`).then(
            value => loaded.set(name, value.top),
            () => loaded.set(name, [])
        ); // its details say why
    }
    return tokens((loaded.get(name) ?? []).slice(0, count).map(each => each.token));
}

export function tokens(texts) {
    return h(
        'span',
        { class: 'tokens' },
        texts.map((text, index) => [index > 0 && ' ', token(text)])
    );
}

/** The tokens of a value vector as files have them, as many as the server gave. */
export const logitRows = ({ top, bottom }) =>
    [['promotes', top], ['suppresses', bottom]].flatMap(([list, tokens]) =>
        tokens.map(({ id, token, logit }) => ({ list, id, token, logit }))
    );

/** Bars of logits to the right, or to the left where they are negative. */
export function bars(list, caption) {
    const largest = Math.max(...list.map(each => Math.abs(each.logit)), 1e-9);
    return h('table', { class: 'value-bars' }, [
        h('caption', caption),
        h(
            'tbody',
            list.map(each =>
                h('tr', { key: each.id }, [
                    h('th', { scope: 'row', title: each.raw }, token(each.token)),
                    h(
                        'td',
                        { class: 'bars', 'aria-hidden': 'true' },
                        h('span', {
                            class: ['bar', each.logit < 0 ? 'against' : 'for'],
                            style: { width: `${(Math.abs(each.logit) / largest) * 100}%` }
                        })
                    ),
                    h('td', { class: 'figure' }, fixed(each.logit))
                ])
            )
        )
    ]);
}
