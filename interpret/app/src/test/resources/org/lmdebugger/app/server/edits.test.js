// edits.js: the page's own forms; those that the server has too are compared with its parsers.
const {
    copyOf,
    corpusOf,
    isCorpus,
    editText,
    isPositions,
    isSample,
    isSwitch,
    kindOf,
    label,
    NAMED_POSITIONS,
    newEdit,
    OPERATIONS,
    parseEdit,
    parseNeuron,
    switchText
} = await import('/edits.js');

const without = ({ key, ...rest }) => rest;
const read = text => {
    const edit = parseEdit(text);
    return edit && without(edit);
};
const off = without(newEdit(12, 345));

test('a new intervention switches its value vector off at all positions', () => {
    equal(editText(newEdit(12, 345)), 'L12D345=0');
    equal(newEdit(1, 2, { at: 'last' }).at, 'last');
});

test('each intervention has a key of its own, a copy too', () => {
    const edit = newEdit(1, 2);
    equal(without(copyOf(edit)), without(edit));
    equal(new Set([edit.key, copyOf(edit).key, newEdit(1, 2).key, parseEdit('L1D2').key]).size, 4);
});

test('a neuron alone is switched off', () => {
    equal(read('L12D345'), off);
    equal(read(' L12D345 '), off);
    equal(read('L12D345@last'), null);
});

test('a minus before it disables an intervention', () => {
    equal(read('-L12D345'), { ...off, enabled: false });
    equal(read('-L12D345*=-2@3'), { ...off, enabled: false, operation: '*=', value: -2, at: '3' });
    equal(read('--L12D345'), null);
    equal(read('+L12D345'), null);
});

test('each operation is read into what the page shows', () => {
    equal(read('L12D345=3.5'), { ...off, value: 3.5 });
    equal(read('L12D345*=2@last'), { ...off, operation: '*=', value: 2, at: 'last' });
    equal(read('L12D345 += -1.5e-3 @2..5,9'), { ...off, operation: '+=', value: -0.0015, at: '2..5,9' });
    equal(read('L12D345=from:"a "b" @c"@prompt'), { ...off, operation: 'from', from: 'a "b" @c', at: 'prompt' });
    equal(read('L12D345=mean:stories@last'), { ...off, operation: 'mean', corpus: 'stories', at: 'last' });
    equal(read('L12D345= mean-at:my-texts.2'), { ...off, operation: 'mean-at', corpus: 'my-texts.2' });
    equal(read('L12D345=resample:stories#7 @3'), { ...off, operation: 'resample', corpus: 'stories#7', at: '3' });
    equal(['L1D2=mean:stories#7', 'L1D2=mean:', 'L1D2=resample:a b'].map(read), [null, null, null]);
    equal(read('L12D345=on'), { ...off, operation: 'on' });
    equal(read('L12D345= off @last'), { ...off, operation: 'off', at: 'last' });
});

test('each operation has a name, and two of them have no value', () => {
    const texts = ['L1D2', 'L1D2*=2', 'L1D2+=1', 'L1D2=from:"a"', 'L1D2=mean:a', 'L1D2=mean-at:a', 'L1D2=resample:a', 'L1D2=off', 'L1D2=on'];
    const operations = texts.map(text => read(text).operation);
    equal(Object.keys(OPERATIONS), operations);
    equal(operations.filter(operation => isSwitch({ operation })), ['off', 'on']);
});

test('in LM-Debugger’s mode there are on and off alone, at all positions; an amount is neither', () => {
    const written = text => switchText(read(text));
    equal(['L1D2=0@last', 'L1D2=on@last', 'L1D2=off'].map(written), ['L1D2=off', 'L1D2=on', 'L1D2=off']);
    equal(['L1D2=mean:a', 'L1D2=3', 'L1D2*=5', 'L1D2*=0', 'L1D2+=0', 'L1D2=from:"a"', 'L1H2=0'].map(written), Array(7).fill(null));
});

test('an intervention in another part is what was written, and the server reads it', () => {
    for (const text of ['L1H3=0', 'L1H*.pattern=0@last', 'L2.mid+=4*L3D42', 'L1H2.link=off@7->2']) {
        const edit = parseEdit(` ${text} `);
        equal([edit.part, edit.layer, edit.enabled, editText(edit)], [text, Number(text[1]), true, text]);
        equal(parseEdit('-' + text).enabled, false);
    }
    equal(['L1', 'L1H', 'L1.middle=0', 'H3=0'].map(parseEdit), [null, null, null, null]);
});

test('an intervention is of the same kind as its amount changes', () => {
    equal(['L1D2=3@last', 'L1D2=-0.5@last'].map(kindOf), ['L1D2=@last', 'L1D2=@last']);
    equal(['L1D2*=1e-3', 'L1D2=on', 'L1D2=from:"3"', 'L1D2=resample:a#7'].map(kindOf), ['L1D2*=', 'L1D2=on', 'L1D2=from:"3"', 'L1D2=resample:a#7']);
});

test('the text form is read as the same intervention', () => {
    for (const operation of ['=', '*=', '+=']) {
        for (const value of [0, 1, -2.5, 1e21, -1e-7, 0.1]) {
            for (const at of [...NAMED_POSITIONS, '3', '0,2..5']) {
                const edit = { ...off, operation, value, at };
                equal(read(editText(edit)), edit);
            }
        }
    }
    for (const [operation, corpus] of [['mean', 'a'], ['mean-at', 'a-b.c_9'], ['resample', 'a#007']]) {
        const edit = { ...off, operation, corpus, at: 'last' };
        equal(read(editText(edit)), edit);
        equal(isCorpus(operation, corpus), true, corpus);
    }
    equal(['L1D2=mean:a', 'L1H3.q= resample:a-b.c#7@last', 'L1D2=mean', 'L1D2=from:"a"'].map(text => corpusOf(parseEdit(text) ?? newEdit(1, 2))), ['a', 'a-b.c', null, null]);
    const quoted = 'L1D2=from:"a =resample:b"';
    equal(corpusOf(parseEdit(quoted)), null);
    equal(['L1D2=resample:a', 'L1H3.q= resample:a#7@last', '=resample:a', 'L1D2=mean:a', 'L1D2=0', quoted].map(isSample), [true, true, true, false, false, false]);
    equal(['', 'a b', 'a@last', 'a#7', '-'].map(text => isCorpus('mean', text)), Array(5).fill(false));
    for (const operation of ['on', 'off']) {
        const edit = { ...off, operation, at: '3' };
        equal(read(editText(edit)), edit);
    }
    for (const from of ['', 'a', ' "', '@last', '\n', '語🙂']) {
        const edit = { ...off, operation: 'from', from };
        equal(read(editText(edit)), edit);
    }
});

test('a label is read as the same neuron', () => {
    equal(parseNeuron(label({ layer: 12, neuron: 345 })), { layer: 12, neuron: 345 });
    equal(parseNeuron('L12D345=0'), null);
});

test('a text of a hundred thousand characters is refused at once', () => {
    for (const piece of ['0', ' ', '"', '1,', '1..2,', '@', 'L1D2=']) {
        equal(read('L1D2=1' + piece.repeat(100_000) + 'x'), null, piece);
        equal(isPositions(piece.repeat(100_000) + 'x'), false, piece);
    }
});
