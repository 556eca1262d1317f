// Loading what a view shows, again and again as its inputs change.
import { onScopeDispose, shallowReactive, watch } from '/lib/vue.js';

/**
 * Calls `load(inputs, signal, progress)` whenever what `inputs()` returns has changed. Inputs of null mean that there is
 * nothing to load, undefined that it is not known yet.
 *
 * As long as `subject(inputs)` is the same, what is there stays until the new has come, and a request in flight ends
 * before the newest inputs are asked for: a slider's numbers move with the hand. Of another subject nothing stays, and
 * the request in flight is cancelled.
 *
 * @returns {data, problem, busy, progress}, reactive
 */
export function useLoad(inputs, load, subject = () => null) {
    const state = shallowReactive({ data: null, problem: null, busy: false, progress: null, again: 0 });
    let controller = null; // of the request in flight
    let next; // the inputs that wait for its end
    let about = null;

    async function run(wanted) {
        const mine = (controller = new AbortController());
        state.busy = true;
        const came = await load(wanted, mine.signal, progress => (state.progress = progress)).then(
            data => ({ data, problem: null }),
            problem => ({ problem })
        );
        if (controller !== mine) {
            return;
        }
        controller = null;
        if (next === undefined) {
            Object.assign(state, came, { busy: false, progress: null });
        } else {
            Object.assign(state, came);
            run(taken());
        }
    }

    function taken() {
        const wanted = next;
        next = undefined;
        return wanted;
    }

    function stop() {
        controller?.abort();
        controller = null;
        next = undefined;
    }

    function change(wanted) {
        const before = about;
        about = wanted === null ? null : JSON.stringify(subject(wanted));
        if (about !== before) {
            stop();
            Object.assign(state, { data: null, problem: null, busy: false, progress: null });
        }
        if (wanted !== null && controller !== null) {
            next = wanted;
        } else if (wanted !== null) {
            run(wanted);
        }
    }

    watch(
        () => [JSON.stringify(inputs()), state.again],
        ([text]) => text !== undefined && change(JSON.parse(text)),
        { immediate: true }
    );
    onScopeDispose(stop);
    return state;
}
