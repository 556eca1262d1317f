// A prompt traced, clean and edited. The clean run is asked for once; an intervention that changes asks for the edited
// run alone.
import { computed, shallowRef, watch } from '/lib/vue.js';
import { post } from './api.js';
import { kindOf } from './edits.js';
import { useLoad } from './load.js';
import { enabledTexts, session, state } from './state.js';

const load = (body, signal) => post('/api/v1/trace', body, signal);

/** The place that is looked at, as a trace takes it. */
export const atPosition = () => (state.position < 0 ? 'last' : [state.position]);

/** A position as an intervention names it. */
export const positionText = (position, length) => (position === length - 1 ? 'last' : String(position));

/** Whether a token is followed; else effects are on the prediction. */
export const isFollowed = () => state.token !== '';

/** The tokens that effects are on, as a trace takes them. */
export const followed = () => ({
    ...(isFollowed() ? { target: state.token } : {}),
    ...(state.against === '' ? {} : { against: state.against })
});

/**
 * @param options what is asked for beside the prompt, {positions, top, …}; null if nothing is, undefined if it is not
 *                known yet
 * @param texts   the interventions
 * @returns {request, clean, edited, data, isOutdated, busy, problem, again}; `data` is {tokens, clean, edited}, lists of
 *          positions, with `edited` null while there is no edited run. It stays when it is outdated, so that a view need
 *          not jump, but must not be seen then.
 */
export function useTrace(options, texts = enabledTexts) {
    const wanted = () => (state.prompt === '' || options() === null ? null : options() && { prompt: state.prompt, ...options() });
    // Total effects take longer than all the rest together, so they follow, unless rows are in their order.
    const isLate = () => Boolean(wanted()?.total) && state.order !== 'total';
    const clean = useLoad(
        () => wanted() && { ...wanted(), total: wanted().total && !isLate() },
        load,
        ({ prompt, positions }) => [prompt, positions]
    );
    const edited = useLoad(
        () => {
            const traced = clean.data;
            if (traced === null || traced.prompt !== state.prompt || !options() || texts().length === 0) {
                return null;
            }
            const { total, ...rest } = options();
            const target = traced.positions.length === 1 ? { target: '#' + traced.positions[0].target.id } : {};
            return { prompt: state.prompt, ...target, ...rest, edits: texts(), mode: state.mode, clean: false };
        },
        load,
        ({ prompt, positions, target, mode, edits }) => [prompt, positions, target, mode, edits.map(kindOf)]
    );
    const total = useLoad(
        () => (isLate() && clean.data !== null && !clean.busy ? wanted() : null),
        load,
        ({ prompt, positions, target, against }) => [prompt, positions, target, against]
    );
    watch(
        () => session.corpora,
        () => edited.again++
    );
    const data = shallowRef(null);
    watch([() => clean.data, () => edited.data, () => total.data], () => {
        if (clean.data) {
            data.value = {
                tokens: clean.data.tokens,
                clean: (total.data ?? clean.data).positions,
                edited: edited.data?.edited.positions ?? null
            };
        }
    });
    return {
        /** What a program would ask for, both runs at once. */
        request: () => ({ prompt: state.prompt, ...options(), ...(texts().length > 0 ? { edits: texts(), mode: state.mode } : {}) }),
        clean,
        edited,
        data,
        isOutdated: computed(() => clean.data === null),
        busy: computed(() => clean.busy || edited.busy || total.busy),
        problem: computed(() => clean.problem ?? edited.problem ?? total.problem),
        again() {
            clean.again++;
            edited.again++;
            total.again++;
        }
    };
}
