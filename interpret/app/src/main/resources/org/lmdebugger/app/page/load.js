// Loading what a view shows, again and again as its inputs change.
import { onScopeDispose, shallowReactive, watch } from '/lib/vue.js';

const SETTLE = 120; // milliseconds in which a slider's next value replaces the last

/**
 * Calls `load(inputs, signal, progress)` whenever what `inputs()` returns has changed. What is there stays until the new
 * has come, and an answer that is no longer wanted is dropped. Inputs of null mean that there is nothing to load,
 * undefined that it is not known yet.
 *
 * @returns {data, problem, busy, progress}, reactive
 */
export function useLoad(inputs, load) {
    const state = shallowReactive({ data: null, problem: null, busy: false, progress: null, again: 0 });
    let controller = null;
    let timer = null;

    async function run(wanted) {
        const mine = (controller = new AbortController());
        state.busy = true;
        try {
            const data = await load(wanted, mine.signal, progress => (state.progress = progress));
            if (controller === mine) {
                Object.assign(state, { data, problem: null, busy: false, progress: null });
            }
        } catch (problem) {
            if (controller === mine) {
                Object.assign(state, { problem, busy: false, progress: null });
            }
        }
    }

    function stop() {
        clearTimeout(timer);
        controller?.abort();
        controller = null;
    }

    watch(
        () => [JSON.stringify(inputs()), state.again],
        ([text]) => {
            if (text === undefined) {
                return;
            }
            stop();
            const wanted = JSON.parse(text);
            if (wanted === null) {
                Object.assign(state, { data: null, problem: null, busy: false, progress: null });
            } else if (state.data === null) {
                run(wanted);
            } else {
                state.busy = true;
                timer = setTimeout(() => run(wanted), SETTLE);
            }
        },
        { immediate: true }
    );
    onScopeDispose(stop);
    return state;
}
