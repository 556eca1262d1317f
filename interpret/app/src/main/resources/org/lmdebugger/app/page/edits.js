// Interventions in their text form, as the server, the command line and links write them. White space is [ \t-\r], as
// in the server's patterns; \s would take more.

const NEURON = /^[ \t-\r]*L(\d{1,9})D(\d{1,9})[ \t-\r]*/;
const FROM = /^=[ \t-\r]*from:"(?<from>.*)"(?<where>[^"]*)$/s;
const OF_CORPUS =
    /^=[ \t-\r]*(?<operation>mean|mean-at|resample):(?<corpus>[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?:#\d{1,18})?)(?<where>.*)$/s;
const TAKEN = /^[^=]*=[ \t-\r]*(?<operation>mean|mean-at|resample):(?<corpus>[\w.-]+)/; // of any part
const SWITCH = /^=[ \t-\r]*(?<operation>on|off)(?<where>.*)$/s;
const CHANGE =
    /^(?<operation>=|\*=|\+=)[ \t-\r]*(?<value>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?<where>.*)$/s;
const WHERE = /^[ \t-\r]*(?:@(\S+)[ \t-\r]*)?$/;
const RANGE = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/;
const PART = /^[ \t-\r]*L(?<layer>\d{1,9})(?:H(?:\d{1,9}|\*)|\.(?:pre|mid|post|attention|ffn)\b)/;

export const FORM =
    'L12D34 (switch it off), L12D34=3.5, L12D34*=2, L12D34+=1, L12D34=from:"other prompt", L12D34=mean:CORPUS, ' +
    '=mean-at:CORPUS or =resample:CORPUS#SEED, or LM-Debugger’s L12D34=on or L12D34=off, ' +
    'then @last, @3 or @2..5 if not all positions are meant; or of another part, such as the head L1H3=0';
let lastKey = 0;

export const OPERATIONS = {
    '=': 'set to',
    '*=': 'times',
    '+=': 'plus',
    from: 'as in',
    mean: 'mean of',
    'mean-at': 'mean there of',
    resample: 'drawn from',
    off: 'LM-Debugger’s off',
    on: 'LM-Debugger’s on'
};
export const NAMED_POSITIONS = ['all', 'prompt', 'generated', 'last'];

/** An intervention that switches a value vector off at all positions; `changes` says what is else. */
export function newEdit(layer, neuron, changes = {}) {
    return {
        key: ++lastKey,
        layer,
        neuron,
        enabled: true,
        operation: '=',
        value: 0,
        from: '', // the other prompt, of the operation from
        corpus: '', // its name, of the operations of a corpus; of resample with the seed, as in stories#7
        at: 'all',
        ...changes
    };
}

/** The same intervention once more. */
export function copyOf(edit) {
    return { ...edit, key: ++lastKey };
}

export function label({ layer, neuron }) {
    return `L${layer}D${neuron}`;
}

/** A value vector from its label; null if it is none. */
export function parseNeuron(text) {
    const match = NEURON.exec(text);
    return match && match[0].length === text.length ? { layer: Number(match[1]), neuron: Number(match[2]) } : null;
}

/** An intervention from its text form, a leading minus meaning that it is disabled; null if it is none. */
export function parseEdit(text) {
    const enabled = !text.startsWith('-');
    const written = enabled ? text : text.slice(1);
    const part = PART.exec(written);
    if (part) {
        return { key: ++lastKey, layer: Number(part.groups.layer), enabled, part: written.trim() };
    }
    const neuron = NEURON.exec(written);
    if (!neuron) {
        return null;
    }
    const rest = written.slice(neuron[0].length);
    const edit = newEdit(Number(neuron[1]), Number(neuron[2]), { enabled });
    if (rest === '') {
        return edit;
    }
    const match = FROM.exec(rest) ?? OF_CORPUS.exec(rest) ?? SWITCH.exec(rest) ?? CHANGE.exec(rest);
    const where = match && WHERE.exec(match.groups.where);
    if (!where || (match.groups.corpus?.includes('#') && match.groups.operation !== 'resample')) {
        return null;
    }
    const { operation = 'from', from = '', corpus = '', value = 0 } = match.groups;
    const at = where[1] ?? 'all';
    const isFloat = Number.isFinite(Math.fround(value));
    return isFloat && isPositions(at) ? { ...edit, operation, from, corpus, value: Number(value), at } : null;
}

/** Whether an intervention is LM-Debugger's switch, on or off, and thus has no value. */
export function isSwitch(edit) {
    return edit.operation === 'on' || edit.operation === 'off';
}

/** Whether an intervention takes its value from a corpus. */
export function isOfCorpus({ operation }) {
    return ['mean', 'mean-at', 'resample'].includes(operation);
}

/** The corpus that an intervention takes values from; null if from none. */
export const corpusOf = edit => corpusIn(editText(edit));

/** The same of an intervention's text, or of its end from the equals sign on. */
export function corpusIn(text) {
    return TAKEN.exec(text)?.groups.corpus ?? null;
}

/** Whether such a text takes numbers from a text of a corpus. */
export function isSample(text) {
    return TAKEN.exec(text)?.groups.operation === 'resample';
}

/** Whether a text names a corpus, and for `resample` it may be a seed. */
export function isCorpus(operation, text) {
    return parseEdit(`L0D0=${operation}:${text}`)?.corpus === text;
}

/** Whether an intervention still lacks the prompt that it takes a coefficient from. */
export function isUnfinished(edit) {
    return edit.operation === 'from' && edit.from === '';
}

/** The text form; of a part that is no neuron, such as a head, what was written: the server reads it. */
export function editText(edit) {
    return edit.part ?? label(edit) + change(edit) + (edit.at === 'all' ? '' : '@' + edit.at);
}

/** The same in LM-Debugger's mode, which has on and off alone, at all positions; null for what is neither. */
export function switchText(edit) {
    const isOff = edit.operation === 'off' || (edit.operation === '=' && edit.value === 0);
    return edit.operation === 'on' ? label(edit) + '=on' : isOff ? label(edit) + '=off' : null;
}

/** A text form without its amount: as a slider moves, this stays. */
export function kindOf(text) {
    return text.replace(/=[ \t-\r]*[-+.\deE]+(?=@|$)/, '=');
}

function change(edit) {
    if (edit.operation === 'from') {
        return `=from:"${edit.from}"`;
    }
    if (isOfCorpus(edit)) {
        return `=${edit.operation}:${edit.corpus}`;
    }
    return isSwitch(edit) ? '=' + edit.operation : edit.operation + edit.value;
}

export function isPositions(text) {
    return (
        NAMED_POSITIONS.includes(text) ||
        text.split(',').every(range => {
            const [, first, last = first] = RANGE.exec(range) ?? [];
            return Number(first) <= Number(last);
        })
    );
}
