// What the screen and the system ask for.
import { ref } from '/lib/vue.js';

function matches(query) {
    const media = window.matchMedia(query);
    const matching = ref(media.matches);
    media.addEventListener('change', () => (matching.value = media.matches));
    return matching;
}

export const isDark = matches('(prefers-color-scheme: dark)');
export const isNarrow = matches('(max-width: 760px)');
const STILL = '(prefers-reduced-motion: reduce)';

/** Brings an element into sight, at once where motion is not wanted. */
export function show(element, block = 'center') {
    element?.scrollIntoView({ block, behavior: window.matchMedia(STILL).matches ? 'instant' : 'smooth' });
}
