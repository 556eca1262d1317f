// Parts of a view that are out of sight: they are rendered once the parts in sight have been painted.
import { onScopeDispose, ref, shallowRef, watch } from '/lib/vue.js';

const waiting = ref(0);

/** Whether a part out of sight shows other inputs than the newest. */
export const isBehind = () => waiting.value > 0;

/**
 * Inputs of an element with `content-visibility: auto`, which the browser skips where it is out of sight.
 *
 * @returns {shown, onSkip}: the inputs to render, and what the element must call at `contentvisibilityautostatechange`
 */
export function useLater(inputs) {
    const shown = shallowRef(inputs());
    let isSkipped = false; // a browser that does not tell skips nothing
    let pending = null; // the frame, then the timer, after which the newest inputs are taken

    function end() {
        if (pending !== null) {
            cancelAnimationFrame(pending.frame);
            clearTimeout(pending.timer);
            pending = null;
            waiting.value--;
        }
    }

    function take() {
        end();
        shown.value = inputs();
    }

    watch(inputs, () => {
        if (!isSkipped) {
            take();
        } else if (pending === null) {
            pending = {};
            waiting.value++;
            pending.frame = requestAnimationFrame(() => (pending.timer = setTimeout(take)));
        }
    });
    onScopeDispose(end);
    return { shown, onSkip: event => (isSkipped = event.skipped) };
}
