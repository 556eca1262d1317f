// Work that is started by a button and answered by events: how far it is, its result, and its end by another button.
import { h, onUnmounted, shallowReactive } from '/lib/vue.js';
import { events } from '../api.js';
import { say } from '../state.js';
import { plural } from '../text.js';
import { progressBar } from './notice.js';

/**
 * @param path where requests go
 * @param what is counted, such as cell
 * @param done what is told at the end to those who do not see it
 * @returns {run, start, bar}; `run` is {request, data, progress, problem}, reactive, `start` takes a request, and `bar`
 *          returns a bar with a button that cancels, while it runs
 */
export function useRun(path, what, done) {
    const run = shallowReactive({ request: null, data: null, progress: null, problem: null });
    let controller = null;

    async function start(request) {
        cancel();
        const mine = (controller = new AbortController());
        Object.assign(run, { request, data: null, progress: { done: 0 }, problem: null });
        try {
            for await (const { name, data } of events('POST', path, request, mine.signal)) {
                Object.assign(run, name === 'end' ? { data } : { progress: data });
            }
            say(done);
        } catch (problem) {
            run.problem = problem.name === 'AbortError' ? run.problem : problem;
        }
        if (controller === mine) {
            cancel();
        }
    }

    function cancel() {
        controller?.abort();
        controller = null;
        run.progress = null;
    }
    onUnmounted(cancel);

    const bar = () => {
        const { done, [what + 's']: total } = run.progress ?? {};
        return (
            run.progress !== null &&
            h('section', { class: 'panel row spread' }, [
                progressBar(done, total ?? 0, total === undefined ? 'waits for its turn' : `${done.toLocaleString('en')} of ${plural(total, what)}`),
                h('button', { type: 'button', class: 'danger', onClick: cancel }, 'Cancel')
            ])
        );
    };
    return { run, start, bar };
}
