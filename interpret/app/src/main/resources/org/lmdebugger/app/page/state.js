// What the page is about: all of it is in the address, so that a link reproduces the view.
import { reactive, watch } from '/lib/vue.js';
import { get, keepTo, request } from './api.js';
import { onRestore, remember, revisit } from './history.js';
import { editText, FORM, isUnfinished, kindOf, label, newEdit, parseEdit, switchText } from './edits.js';

/** What a link holds beside prompt and interventions; only what differs from these is written. */
const DEFAULTS = {
    mode: 'exact',
    position: -1,
    token: '', // followed
    against: '', // the token whose logit is subtracted from it
    head: 0,
    other: '', // the prompt whose activations are taken
    direction: 'denoise',
    sites: ['pre', 'attention', 'ffn', 'heads'],
    columns: 'each', // position by itself, or all
    number: 'normalised',
    top: 5,
    order: 'score', // of neurons
    heat: 'top',
    side: 'clean',
    layer: 0,
    share: 0.1, // of links of a flow that are shown
    measured: false, // their effects
    edges: '*>*', // that are measured
    strongest: 30, // of these that are shown
    length: 40,
    temperature: 0,
    topK: 0,
    topP: 1,
    seed: 0, // of a generation
    neurons: 'all',
    operation: 'off',
    at: 'last',
    samples: 1, // texts that =resample: takes
    onTop: true, // of the interventions in force
    measures: ['kl'],
    sweep: '',
    words: '',
    weigh: false,
    tokens: [],
    suppress: false,
    reading: 'raw'
};
const VIEWS = ['prediction', 'step', 'attribution', 'attention', 'flow', 'patching', 'generation', 'explore', 'value', 'cluster', 'sweep', 'experiments'];

export const state = reactive({ view: 'prediction', id: '', prompt: '', edits: [], ...structuredClone(DEFAULTS) });

/** What does not belong into a link. */
export const session = reactive({ model: null, linked: null, problem: null, names: {}, namesProblem: null, ignored: null, panel: null, guide: null, folded: new Set(), corpora: 0, said: '' });

/** The text of an intervention as the mode has it; null if it has it not, or something is missing. */
export function textOf(edit) {
    return state.mode === 'lm-debugger' ? switchText(edit) : isUnfinished(edit) ? null : editText(edit);
}

/** The interventions that are in force. */
export function enabledEdits() {
    return state.edits.filter(edit => edit.enabled && textOf(edit) !== null);
}

export function enabledTexts() {
    return enabledEdits().map(textOf);
}

export function addEdit(layer, neuron, changes) {
    state.edits.push(newEdit(layer, neuron, changes));
    say(`${label({ layer, neuron })} added to the interventions`);
}

/** Adds an intervention in its text form. */
export function addText(text) {
    state.edits.push(parseEdit(text));
    say(`${text} added to the interventions`);
}

export function isEdited(layer, neuron) {
    return state.edits.some(edit => edit.layer === layer && edit.neuron === neuron);
}

/** Takes away the interventions for which `isMeant`. */
export function removeEdits(isMeant, what) {
    state.edits = state.edits.filter(edit => !isMeant(edit));
    say(`${what} removed from the interventions`);
}

/** Follows a token through the layers; again, and it is let go. */
export function follow(id) {
    state.token = state.token === '#' + id ? '' : '#' + id;
}

/** Tells those who do not see it. */
export function say(text) {
    session.said = text;
}

// Addresses

const textInLink = edit => (edit.enabled ? '' : '-') + editText(edit);

/** The loaded model, as links name it; null while it is not known. */
const ownModel = () => session.model && `${session.model.model}@${session.model.fingerprint.slice(0, 8)}`;

/** The model that the address names, where another is loaded; else null. */
export const otherModel = () => (session.model && session.linked !== null && session.linked !== ownModel() ? session.linked : null);

function hash(all) {
    const parameters = new URLSearchParams();
    if (all.prompt !== '') {
        parameters.set('prompt', all.prompt);
    }
    all.edits.forEach(edit => parameters.append('edit', textInLink(edit)));
    for (const [name, value] of Object.entries(DEFAULTS)) {
        if (JSON.stringify(all[name]) !== JSON.stringify(value)) {
            const values = [all[name]].flat();
            (values.length === 0 ? [''] : values).forEach(each => parameters.append(name, each));
        }
    }
    const model = session.linked ?? ownModel();
    if (model !== null) {
        parameters.set('model', model);
    }
    const text = parameters.toString();
    return '#/' + all.view + (all.id === '' ? '' : '/' + encodeURIComponent(all.id)) + (text === '' ? '' : '?' + text);
}

/** The address of another view of the same prompt and interventions, apart from `changes`. */
export function link(view, id = '', changes = {}) {
    return hash({ ...state, view, id: String(id), ...changes });
}

export function go(view, id = '') {
    location.hash = link(view, id);
}

/** Takes the state from an address, also from LM-Debugger's own form of it: ?L=12&D=34&visualize=true. */
function read() {
    const old = new URLSearchParams(location.search);
    if (old.has('L') && old.has('D')) {
        history.replaceState(null, '', `${location.pathname}#/value/L${old.get('L')}D${old.get('D')}`);
    }
    const [path, query = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
    const [view, id = ''] = path.split('/');
    const parameters = new URLSearchParams(query);
    const next = {
        view: VIEWS.includes(view) ? view : 'prediction',
        id: decoded(id),
        prompt: parameters.get('prompt') ?? ''
    };
    for (const [name, value] of Object.entries(DEFAULTS)) {
        next[name] = parameters.has(name) ? converted(parameters.getAll(name), value) : structuredClone(value);
    }
    session.linked = parameters.get('model');
    const texts = parameters.getAll('edit');
    if (JSON.stringify(texts) !== JSON.stringify(state.edits.map(textInLink))) {
        const edits = texts.map(parseEdit);
        next.edits = edits.filter(edit => edit !== null);
        const wrong = texts.filter((_, index) => edits[index] === null);
        session.ignored =
            wrong.length === 0 ? null : { title: 'Left out of the link:', message: `${wrong.join('  ')} (expected: ${FORM})` };
    }
    Object.assign(state, next);
}

/** An id from an address; as it stands there if it is not encoded as it should be. */
function decoded(id) {
    try {
        return decodeURIComponent(id);
    } catch {
        return id;
    }
}

/** A parameter's values as something of the kind of `example`. */
function converted(texts, example) {
    if (Array.isArray(example)) {
        return texts.filter(text => text !== ''); // an empty list is written as one empty text
    }
    const text = texts[0];
    if (typeof example === 'number') {
        return Number.isFinite(Number(text)) ? Number(text) : example;
    }
    return typeof example === 'boolean' ? text === 'true' : text;
}

const ADDRESS = 50; // milliseconds after a change in which the address may change again
const STEP = 600; // milliseconds in which changes are one step, as those of a slider that moves
let timer = null;
let written = { step: null, at: -Infinity }; // what the address was last written for

/** Prompt and interventions: back and forward, undo and redo walk through them. */
const step = () => [state.prompt, ...state.edits.map(textInLink)];

function restore([prompt, ...texts]) {
    Object.assign(state, { prompt, edits: texts.map(parseEdit), position: prompt === state.prompt ? state.position : -1 });
}

/** Makes the address that of the state; a new prompt or intervention makes a new entry of the browser's history. */
function write() {
    const now = { step: step(), at: performance.now() };
    const isSame = JSON.stringify(now.step) === JSON.stringify(written.step);
    const kinds = ([prompt, ...texts]) => JSON.stringify([prompt, ...texts.map(kindOf)]);
    const goesOn = now.at - written.at < STEP && kinds(now.step) === kinds(written.step);
    remember(now.step, goesOn);
    if (location.hash !== hash(state)) {
        isSame || goesOn ? history.replaceState(null, '', hash(state)) : history.pushState(null, '', hash(state));
    }
    written = isSame ? written : now;
}

export function start() {
    read();
    written = { step: step(), at: -Infinity };
    remember(step(), false);
    onRestore(restore);
    window.addEventListener('hashchange', () => {
        clearTimeout(timer);
        read();
        revisit(step());
    });
    watch(
        () => hash(state),
        () => {
            clearTimeout(timer);
            timer = setTimeout(write, ADDRESS);
        }
    );
    loadModel();
    loadNames();
    window.addEventListener('focus', loadNames); // another page may have named some
}

// Model and names

export async function loadModel() {
    try {
        session.model = await get('/api/v1/model');
        keepTo(session.model.fingerprint);
        session.problem = null;
    } catch (problem) {
        session.problem = problem;
    }
}

async function loadNames() {
    try {
        const { names } = await get('/api/v1/names');
        session.names = Object.fromEntries(names.map(each => [label(each), each.name]));
        session.namesProblem = null;
    } catch (problem) {
        session.namesProblem = problem; // labels are shown instead
    }
}

export function nameOf(layer, neuron) {
    return session.names[label({ layer, neuron })] ?? null;
}

/** Names a value vector; an empty name takes it away. */
export async function rename(layer, neuron, name) {
    const path = '/api/v1/names/' + label({ layer, neuron });
    await (name === '' ? request('DELETE', path) : request('PUT', path, { name }));
    await loadNames();
}
