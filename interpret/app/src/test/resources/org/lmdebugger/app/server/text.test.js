// text.js: how tokens and numbers are written.
const { changeOf, decimals, fixed, measured, parts, percent, plural, rank, signed, token, unitOf, valueOf, visible } = await import('/text.js');

test('a token without anything unseen stays as it is', () => {
    for (const text of ['girl', 'Ça', '語', '👩‍🔬', 'می‌خواهم', '<b>&amp;', '�', '']) {
        equal(visible(text), text);
    }
});

test('spaces and breaks of lines have marks', () => {
    equal(visible(' girl'), '␣girl');
    equal(visible('  a b '), '␣␣a␣b␣');
    equal(visible('\r\n\t'), '␍⏎⇥');
});

test('controls are escaped', () => {
    equal(visible('\0a\x1b[2J'), '\\x00a\\x1b[2J');
    equal(visible('\x7f\x80\x9f'), '\\x7f\\x80\\x9f');
});

test('spaces of other widths, and what has no width, are escaped', () => {
    equal(visible('\xa0\u2003\u3000'), '\\xa0\\u{2003}\\u{3000}');
    equal(visible('a\xadb\u200bc\ufeff'), 'a\\xadb\\u{200b}c\\u{feff}');
    equal(visible('\u2028\u2029'), '\\u{2028}\\u{2029}');
    equal(visible('\u{e0041}'), '\\u{e0041}');
});

test('what turns the direction of text is escaped', () => {
    equal(visible('abc\u202edef\u202c'), 'abc\\u{202e}def\\u{202c}');
    equal(visible('\u200e\u200f\u061c\u2066\u2069'), '\\u{200e}\\u{200f}\\u{61c}\\u{2066}\\u{2069}');
});

test('half a character is escaped', () => {
    equal(visible('a\ud800b\udc00'), 'a\\u{d800}b\\u{dc00}');
    equal(visible('🙂'), '🙂');
});

test('the stretches of a token are its marks and what is between', () => {
    equal(parts(' a\nb'), [
        { text: '␣', mark: true },
        { text: 'a', mark: false },
        { text: '⏎', mark: true },
        { text: 'b', mark: false }
    ]);
    equal(parts(''), []);
});

test('an element of a token keeps the attributes, and faint marks are its own elements', () => {
    const element = token(' a', { class: 'match', title: 'b' });
    equal([element.type, element.props.class, element.props.title], ['span', 'token match', 'b']);
    const [space, letter] = element.children;
    equal([space.type, space.props.class, space.children, letter], ['span', 'space', '␣', 'a']);
});

test('a probability has three digits where they matter', () => {
    equal([0, 0.00009, 0.0001, 0.0123].map(percent), ['<0.01%', '<0.01%', '0.01%', '1.23%']);
    equal([0.1, 0.9994, 0.9996, 1].map(percent), ['10.0%', '99.9%', '>99.9%', '100.0%']);
});

test('signs are as wide as each other', () => {
    equal([signed(1.5), signed(-1.5), signed(0), signed(-0.0004)], ['+1.500', '−1.500', '±0.000', '±0.000']);
    equal(signed(0.0004, 4), '+0.0004');
    equal([fixed(1.005, 1), fixed(-2), fixed(0)], ['1.0', '−2.00', '0.00']);
});

test('a measure has four digits, however small or large', () => {
    equal([0, 0.0001, -0.00001].map(measured), ['0.000', '0.0001000', '−1.00e-5']);
    equal([1.23456, 1000.4, -1234567.8].map(measured), ['1.235', '1,000', '−1,234,568']);
});

test('a column has as many decimals as show four digits of its largest number', () => {
    equal([[0.0063, 0.0001], [-12.3], [1234567], [0], [NaN, null], [1e-12]].map(decimals), [6, 2, 0, 3, 3, 9]);
    equal(['kl', 'log-probability:" a"', 'rank:" a"', 'logit:" a"'].map(unitOf), ['nats', 'nats', 'places', '']);
});

test('a number that is missing has a text too', () => {
    for (const none of [null, undefined]) {
        equal([percent(none), signed(none), fixed(none), measured(none)], ['–', '', '', '']);
    }
});

test('ranks are counted from 1, and nouns with their number', () => {
    equal([rank(0), rank(50256)], ['#1', '#50,257']);
    equal([valueOf('rank:" king"', 0, 3), valueOf('rank:" king"', null, 3), valueOf('kl', 0, 3)], ['#1', '', '0.000']);
    equal([changeOf('rank:" king"', 2, 3), changeOf('rank:" king"', 0, 3), changeOf('kl', -0.5, 2)], ['+2', '±0', '−0.50']);
    equal([plural(0, 'edit'), plural(1, 'edit'), plural(1000, 'edit')], ['0 edits', '1 edit', '1,000 edits']);
});
