// state.js: a link reproduces the view.
const { addEdit, enabledTexts, follow, go, isEdited, link, nameOf, otherModel, removeEdits, rename, session, start, state } =
    await import('/state.js');
const { canRedo, canUndo, redo, undo } = await import('/history.js');

const HARD = ' Once+upon & a time?#=%20\n\t"Ça" 語🙂\u202e';

start();

async function until(condition) {
    while (!condition()) {
        await new Promise(resolve => setTimeout(resolve, 5));
    }
}

await until(() => session.model !== null);
const OWN = 'model=' + encodeURIComponent(`${session.model.model}@${session.model.fingerprint.slice(0, 8)}`);

/** Follows a link, and returns once the state is that of the address. */
async function open(hash) {
    if (location.hash !== hash) {
        const changed = new Promise(resolve => window.addEventListener('hashchange', resolve, { once: true }));
        location.hash = hash;
        await changed;
    }
}

/** Opens a link from elsewhere: the state is what the link was made of, and gives the same link. */
async function roundTrip(view, id, changes) {
    await open('#/experiments');
    const hash = link(view, id, changes);
    await open(hash);
    for (const [name, value] of Object.entries({ view, id, ...changes })) {
        equal(state[name], value, name);
    }
    equal(link(state.view, state.id), hash, 'link');
}

test('an empty address is the prediction of no prompt', async () => {
    await open('#/');
    equal([state.view, state.prompt, state.edits, session.ignored], ['prediction', '', [], null]);
    equal(link('prediction'), '#/prediction?' + OWN);
});

test('an unknown view is the prediction', async () => {
    await open('#/nowhere/3?prompt=a');
    equal([state.view, state.prompt], ['prediction', 'a']);
});

test('every view and its id come back', async () => {
    for (const view of ['prediction', 'step', 'patching', 'generation', 'explore', 'value', 'cluster', 'sweep', 'experiments']) {
        for (const id of ['', '7', 'L1D2', HARD, 'a/b?c']) {
            await roundTrip(view, id, {});
        }
    }
});

test('an id that cannot be decoded stays as it is', async () => {
    await open('#/value/%E0%A4');
    equal([state.view, state.id], ['value', '%E0%A4']);
});

test('a prompt comes back, whatever is in it', async () => {
    await roundTrip('prediction', '', { prompt: HARD });
    await roundTrip('prediction', '', { prompt: ' ' });
});

test('settings of each kind come back', async () => {
    await roundTrip('step', '', { top: 7, position: 0, layer: 3, token: '#12' });
    await roundTrip('generation', '', { temperature: 0.7, topP: 1e-9, seed: 2 ** 53 - 1 });
    await roundTrip('explore', '', { words: HARD, weigh: true, suppress: true, tokens: [HARD, ' girl', ' girl'] });
    await roundTrip('sweep', '', { neurons: 'L0-3', operation: 'set:3', measures: ['entropy', 'logit:" a,b"'] });
    await roundTrip('sweep', '', { at: '', onTop: false });
    await roundTrip('flow', '', { share: 0.25, measured: true, edges: '*>logits', strongest: 100 });
    await roundTrip('patching', '', { other: HARD, direction: 'noise', sites: ['q'], columns: 'all', number: 'kl' });
});

test('a list from which all is removed comes back empty', async () => {
    await roundTrip('sweep', '', { measures: [] });
});

test('only what differs from the defaults is in a link', async () => {
    await open('#/');
    equal(link('sweep', '', { top: 5, weigh: false, measures: ['kl'], seed: 1 }), '#/sweep?seed=1&' + OWN);
});

test('the model of a link stays in it until it is let go', async () => {
    await open('#/?model=gpt2%4001234567');
    equal([otherModel(), link('step')], ['gpt2@01234567', '#/step?model=gpt2%4001234567']);
    session.linked = null;
    equal([otherModel(), link('step')], [null, '#/step?' + OWN]);
    await open('#/?' + OWN);
    equal(otherModel(), null);
});

test('a number that is none is the default', async () => {
    await open('#/prediction?top=many&layer=2&seed=Infinity&temperature=');
    equal([state.top, state.layer, state.seed, state.temperature], [5, 2, 0, 0]);
});

test('interventions come back in their order, with those that are disabled', async () => {
    await open('#/');
    const texts = ['L1D2=0', '-L3D4*=2@last', `L1D2=from:"${HARD}"@0,2..5`, 'L1D2=0'];
    await open('#/prediction?' + new URLSearchParams(texts.map(text => ['edit', text])));
    equal(state.edits.map(edit => edit.enabled), [true, false, true, true]);
    equal(new URLSearchParams(link('step').split('?')[1]).getAll('edit'), texts);
    equal(enabledTexts(), texts.filter(text => !text.startsWith('-')));
    equal([isEdited(3, 4), isEdited(3, 5)], [true, false]);
});

test('interventions that stay keep their keys when another setting changes', async () => {
    await open('#/prediction?edit=L1D2%3D0&edit=-L3D4%3D0');
    const keys = state.edits.map(edit => edit.key);
    await open(link('prediction', '', { top: 9 }));
    equal(state.edits.map(edit => edit.key), keys);
    equal(state.top, 9);
});

test('what is no intervention is left out, and said', async () => {
    await open('#/prediction?edit=L1D2%3D0&edit=L1&edit=L1D2%3D0@5..2');
    equal(enabledTexts(), ['L1D2=0']);
    equal(session.ignored.message.split(' (expected: ')[0], 'L1  L1D2=0@5..2');
    await open('#/prediction?edit=L1D2%3D0&edit=L1D3%3D0');
    equal(session.ignored, null);
});

test('what the page changes is soon in the address', async () => {
    await open('#/');
    state.prompt = HARD;
    addEdit(1, 2, { at: 'last' });
    equal(session.said, 'L1D2 added to the interventions');
    await until(() => location.hash === link('prediction'));
    equal(new URLSearchParams(location.hash.split('?')[1]).getAll('edit'), ['L1D2=0@last']);
    go('value', 'L1D2');
    await until(() => state.view === 'value');
    equal([state.id, state.prompt], ['L1D2', HARD]);
});

test('what has no on or off is not in force in LM-Debugger’s mode, and stays in the link', async () => {
    await open('#/prediction?edit=L1D2*%3D5&edit=L1D3%3D0%40last&mode=lm-debugger');
    equal(enabledTexts(), ['L1D3=off']);
    state.mode = 'exact';
    equal(enabledTexts(), ['L1D2*=5', 'L1D3=0@last']);
});

test('prompts and interventions are undone and done again, and the browser goes back to them', async () => {
    const settled = async hash => until(() => location.hash === hash && link('prediction') === hash);
    await open('#/prediction?prompt=a');
    const pause = () => new Promise(resolve => setTimeout(resolve, 700));
    const steps = [link('prediction')];
    for (const change of [() => addEdit(1, 2), () => addEdit(1, 3), () => removeEdits(edit => edit.neuron === 2, 'L1D2')]) {
        change();
        steps.push(link('prediction'));
        await settled(steps.at(-1));
    }
    await pause();
    for (const value of [1, 2, 3]) {
        state.edits[0].value = value; // a slider moves: one step
        await settled(link('prediction'));
    }
    undo();
    equal([link('prediction'), canRedo()], [steps[3], true]);
    await settled(steps[3]);
    undo();
    await settled(steps[2]);
    equal(enabledTexts(), ['L1D2=0', 'L1D3=0']);
    redo();
    await settled(steps[3]);
    history.back();
    await settled(steps[2]);
    history.back();
    await settled(steps[3]);
    equal([enabledTexts(), canUndo()], [['L1D3=0'], true]);
});

test('a token is followed, and let go', async () => {
    await open('#/');
    follow(12);
    equal(state.token, '#12');
    follow(13);
    equal(state.token, '#13');
    follow(13);
    equal(state.token, '');
});

test('the model and the names are the server’s', async () => {
    await until(() => session.model !== null);
    equal(session.problem, null);
    const name = HARD.replaceAll(/[\n\t]/g, ' ').trim();
    await rename(1, 2, name);
    equal(nameOf(1, 2), name);
    await rename(1, 2, '');
    equal(nameOf(1, 2), null);
});
