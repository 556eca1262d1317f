// What this browser keeps of its user's wishes. Where it keeps nothing, they hold for this page alone.
import { shallowReactive } from '/lib/vue.js';

const here = shallowReactive(new Map());

export function keep(name, value) {
    here.set(name, value);
    try {
        localStorage.setItem('lmdebugger.' + name, value);
    } catch {
        // as in a private window: then here alone
    }
}

/** A text that was kept; null if none was. */
export function kept(name) {
    try {
        return here.get(name) ?? localStorage.getItem('lmdebugger.' + name);
    } catch {
        return here.get(name) ?? null;
    }
}
