// The likeliest tokens, clean and edited beside each other, with what changed marked.
import { h } from '/lib/vue.js';
import { follow, state } from '../state.js';
import { percent, token } from '../text.js';

/** Joins two lists by what `key` returns: those of the second, in its order, then those that only the first has. */
export function join(clean, edited, key) {
    const places = new Map(clean.map((each, index) => [key(each), index]));
    const joined = (edited ?? clean).map((each, index) => ({
        key: key(each),
        clean: edited ? clean[places.get(key(each))] : each,
        edited: edited ? each : undefined,
        moved: edited && places.has(key(each)) ? places.get(key(each)) - index : 0
    }));
    if (edited) {
        const there = new Set(edited.map(key));
        joined.push(...clean.filter(each => !there.has(key(each))).map(each => ({ key: key(each), clean: each, moved: 0 })));
    }
    return joined;
}

/** What became of a row, for eyes and for ears. */
export function change({ clean, edited, moved }) {
    const [sign, word] = !clean
        ? ['new', 'new in the list']
        : !edited
          ? ['out', 'no longer in the list']
          : moved > 0
            ? ['▲', `up by ${moved}`]
            : moved < 0
              ? ['▼', `down by ${-moved}`]
              : ['', ''];
    return h(
        'span',
        {
            class: ['change', sign && `is-${{ '▲': 'up', '▼': 'down' }[sign] ?? sign}`],
            title: word,
            'aria-label': word || undefined,
            role: word ? 'img' : undefined
        },
        sign
    );
}

function bar(kind, each) {
    return h('span', { class: ['bar', kind], style: { width: `${(each?.probability ?? 0) * 100}%` } });
}

const isSame = ({ clean, edited }) => percent(clean?.probability) === percent(edited?.probability);

/** The rows as files have them. */
export const predictionRows = (clean, edited, count) =>
    rowsOf(clean, edited, count).map(({ clean, edited: other }) => ({
        id: (clean ?? other).id,
        token: (clean ?? other).token,
        clean: clean?.probability,
        ...(edited ? { edited: other?.probability } : {})
    }));

/** A row's key is its place in the clean list: it stays as edits come, and another prompt's row takes over its elements. */
const rowsOf = (clean, edited, count) =>
    join(clean.slice(0, count), edited?.slice(0, count), each => each.id).map(row => {
        const place = clean.findIndex(each => each.id === row.key);
        return { ...row, key: place < 0 ? `edited ${row.key}` : place, clean: clean[place], listed: row.clean };
    });

/**
 * @param clean  a list of {id, token, probability}
 * @param edited the same, or null
 * @param count  of entries of each list
 */
export function predictions(clean, edited, count, caption) {
    const rows = rowsOf(clean, edited, count);
    return h('table', { class: ['predictions', 'picture', { both: edited }] }, [
        h('caption', { class: 'unseen' }, caption),
        h(
            'thead',
            { class: edited ? '' : 'unseen' },
            h('tr', [
                h('th', { scope: 'col' }, 'token'),
                h('th', { 'aria-hidden': 'true' }),
                h('th', { scope: 'col', class: 'clean' }, edited ? 'clean' : 'probability'),
                edited && [h('th', { scope: 'col', class: 'edited' }, 'edited'), h('th', h('span', { class: 'unseen' }, 'change'))]
            ])
        ),
        h(
            'tbody',
            rows.map(row => {
                const { id, token: text } = row.clean ?? row.edited;
                const followed = state.token === '#' + id;
                return h('tr', { key: row.key, class: { followed, left: edited && !row.edited } }, [
                    h(
                        'th',
                        { scope: 'row' },
                        h(
                            'button',
                            {
                                type: 'button',
                                class: 'token-button',
                                title: 'Follow this token through the layers',
                                'aria-pressed': String(followed),
                                onClick: () => follow(id)
                            },
                            token(text)
                        )
                    ),
                    h('td', { class: 'bars', 'aria-hidden': 'true' }, [
                        bar('clean', row.clean),
                        edited && bar('edited', row.edited)
                    ]),
                    h('td', { class: 'clean' }, percent(row.clean?.probability)),
                    edited && [
                        h('td', { class: isSame(row) ? 'same' : 'edited' }, percent(row.edited?.probability)),
                        h('td', change({ ...row, clean: row.listed }))
                    ]
                ]);
            })
        )
    ]);
}
