// A row of buttons of which one is chosen.
import { h } from '/lib/vue.js';

/** `choices` are pairs of a value and what its button says; `choose` is called with a value; without `name` it is unnamed. */
export const segments = (name, choices, chosen, choose) =>
    h(
        'div',
        { class: 'segments', role: 'group', 'aria-label': name },
        choices.map(([value, text]) =>
            h('button', { type: 'button', 'aria-pressed': String(chosen === value), onClick: () => choose(value) }, text)
        )
    );
