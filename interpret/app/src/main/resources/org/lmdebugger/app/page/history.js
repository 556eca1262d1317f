// The steps that can be undone: prompts and interventions as they were.
import { shallowReactive } from '/lib/vue.js';

const MOST = 200;
const steps = shallowReactive({ list: [], at: -1, restore: null });

/** What `restore` does with a step. */
export function onRestore(restore) {
    steps.restore = restore;
}

const isAt = (step, at) => JSON.stringify(steps.list[at]) === JSON.stringify(step);

/** Moves to a step beside the last one, to which the browser went back or forward. */
export function revisit(step) {
    steps.at += [0, -1, 1].find(by => isAt(step, steps.at + by)) ?? 0;
}

/**
 * Takes note of prompt and interventions as they are now, [prompt, ...texts].
 *
 * @param isSame whether it goes on with the last step, as a slider does that moves
 */
export function remember(step, isSame) {
    if (isAt(step, steps.at)) {
        return;
    }
    const before = steps.list.slice(Math.max(0, steps.at - MOST), steps.at + (isSame ? 0 : 1));
    steps.list = [...before, step];
    steps.at = before.length;
}

export const canUndo = () => steps.at > 0;
export const canRedo = () => steps.at < steps.list.length - 1;

export function undo() {
    if (canUndo()) {
        steps.restore(steps.list[--steps.at]);
    }
}

export function redo() {
    if (canRedo()) {
        steps.restore(steps.list[++steps.at]);
    }
}
