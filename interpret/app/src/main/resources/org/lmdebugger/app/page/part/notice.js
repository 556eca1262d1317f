// What is said instead of, or above, results: a problem, work that goes on, nothing to show.
import { h } from '/lib/vue.js';

/** A problem as the server words it; `again`, if given, repeats what failed. */
export function problemNotice(problem, again) {
    return (
        problem &&
        h('div', { class: 'notice problem', role: 'alert' }, [
            h('strong', problem.title ?? 'Error'),
            ' ',
            h('span', problem.message),
            problem.title === 'Another model'
                ? h('button', { class: 'quiet', onClick: () => location.reload() }, 'Reload the page')
                : again && h('button', { class: 'quiet', onClick: again }, 'Try again')
        ])
    );
}

export function emptyNotice(...text) {
    return h('div', { class: 'notice empty' }, text);
}

/** A thin line that moves while something is loading; with a known end, how far it is. */
export function busyLine(loaded) {
    const { done, total, what } = loaded.progress ?? {};
    return h(
        'div',
        { class: 'busy', role: 'status' },
        !loaded.busy
            ? []
            : loaded.progress
              ? [
                    progressBar(
                        done,
                        total,
                        `The server computes ${what}, once for this model: ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`
                    )
                ]
              : [h('div', { class: 'busy-line' }), h('span', { class: 'unseen' }, 'Loading')]
    );
}

export function progressBar(done, total, text) {
    return h('div', { class: 'progress' }, [
        h('progress', { value: done, max: Math.max(total, 1), 'aria-label': text }),
        h('span', text)
    ]);
}
