// How tokens and numbers are written.
import { h } from '/lib/vue.js';

const MARKS = { ' ': '␣', '\n': '⏎', '\r': '␍', '\t': '⇥' };

/** White space, controls, halves of characters, and formats such as a change of direction; joiners belong to words. */
const UNSEEN = /((?![\u200c\u200d])[\p{Z}\p{Cc}\p{Cf}\p{Cs}])/u;

function mark(character) {
    const code = character.codePointAt(0).toString(16);
    return MARKS[character] ?? (code.length > 2 ? `\\u{${code}}` : '\\x' + code.padStart(2, '0'));
}

/** The stretches of a token as {text, mark}: a mark for each character that would not be seen, everything else as it is. */
export function parts(token) {
    return token
        .split(UNSEEN)
        .filter(part => part !== '')
        .map(part => (UNSEEN.test(part) ? { text: mark(part), mark: true } : { text: part, mark: false }));
}

/** A token as plain text in which everything can be seen. */
export function visible(token) {
    return parts(token)
        .map(part => part.text)
        .join('');
}

/** A token as an element, with faint marks. */
export function token(text, attributes = {}) {
    return h(
        'span',
        { ...attributes, class: ['token', attributes.class] },
        parts(text).map(part => (part.mark ? h('span', { class: 'space' }, part.text) : part.text))
    );
}

/** A probability in per cent, with three digits where they matter. */
export function percent(probability) {
    if (probability == null) {
        return '–';
    }
    const value = probability * 100;
    return value >= 99.95 && value < 100
        ? '>99.9%'
        : value >= 10
          ? value.toFixed(1) + '%'
          : value >= 0.01
            ? value.toFixed(2) + '%'
            : '<0.01%';
}

/** With a sign, as effects are read; a minus as wide as a plus. */
export function signed(number, digits = 3) {
    if (number == null) {
        return '';
    }
    const text = Math.abs(number).toFixed(digits);
    return (Number(text) === 0 ? '±' : number > 0 ? '+' : '−') + text;
}

export function fixed(number, digits = 2) {
    return number == null ? '' : (number < 0 ? '−' : '') + Math.abs(number).toFixed(digits);
}

/** A measure, which may be as small as 1e-9. */
export function measured(number) {
    if (number == null) {
        return '';
    }
    const size = Math.abs(number);
    const text =
        size !== 0 && size < 1e-4
            ? size.toExponential(2)
            : size >= 1000
              ? Math.round(size).toLocaleString('en')
              : size.toPrecision(4);
    return (number < 0 ? '−' : '') + text;
}

/** How many decimals show four digits of the largest of some numbers, so that their points line up. */
export function decimals(numbers) {
    const largest = Math.max(...numbers.filter(Number.isFinite).map(Math.abs), 0);
    return largest === 0 ? 3 : Math.min(9, Math.max(0, 3 - Math.floor(Math.log10(largest))));
}

const isRank = measure => measure.startsWith('rank:');

/** The value of a measure by its name, such as `kl` or `rank:" king"`. */
export function valueOf(measure, value, digits) {
    return isRank(measure) ? (value == null ? '' : rank(value)) : fixed(value, digits);
}

/** The change of a measure; of a rank in places. */
export function changeOf(measure, change, digits) {
    return signed(change, isRank(measure) ? 0 : digits);
}

/** The unit of a measure. */
export function unitOf(measure) {
    return /^(kl|entropy|log-probability)/.test(measure) ? 'nats' : /^rank/.test(measure) ? 'places' : '';
}

/** Ranks are counted from 0 by the server and from 1 by people. */
export function rank(fromZero) {
    return '#' + (fromZero + 1).toLocaleString('en');
}

export function plural(count, what) {
    return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}
