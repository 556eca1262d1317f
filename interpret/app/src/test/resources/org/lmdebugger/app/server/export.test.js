// part/export.js: rows as CSV, and the names of files.
const { csvOf, fileName } = await import('/part/export.js');
const { session, state } = await import('/state.js');

test('a line of names, then each row', () => {
    equal(csvOf([{ layer: 1, direct: -0.5 }, { layer: 2, direct: 3e-9 }]), 'layer,direct\r\n1,-0.5\r\n2,3e-9\r\n');
});

test('a row without a column, and nothing, are empty', () => {
    equal(csvOf([{ a: 1 }, { b: null, c: [' x', 'y'] }]), 'a,b,c\r\n1,,\r\n,," x y"\r\n');
    equal(csvOf([]), '\r\n');
});

test('commas, quotation marks, line breaks and white space at the ends are kept', () => {
    equal(csvOf([{ token: ',' }, { token: '"' }, { token: '\n' }, { token: ' a' }]), 'token\r\n","\r\n""""\r\n"\n"\r\n" a"\r\n');
});

test('a file is named after what it shows, the model and the prompt', () => {
    session.model = { model: 'openai-community/gpt2' };
    state.prompt = ' Çа va? "語" /../x';
    equal(fileName('rank of  girl', 'svg'), 'rank-of-girl_openai-community-gpt2_Çа-va-語-x.svg');
    state.prompt = 'a '.repeat(500);
    equal(fileName('x', 'csv').length < 90, true);
    state.prompt = '';
    session.model = null;
    equal(fileName('attribution', 'json'), 'attribution.json');
});
