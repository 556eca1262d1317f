// A value vector in a list: its label or name, which opens its details, and a button that adds it to the interventions.
import { h } from '/lib/vue.js';
import { label } from '../edits.js';
import { addEdit, isEdited, nameOf, session } from '../state.js';
import { iconButton } from './icon.js';

export function neuronLink(layer, neuron) {
    const name = nameOf(layer, neuron);
    return h(
        'button',
        {
            type: 'button',
            class: ['neuron', { edited: isEdited(layer, neuron) }],
            title: 'Details of this value vector',
            'aria-label': `Details of ${label({ layer, neuron })}${name ? ', ' + name : ''}`,
            onClick: () => (session.panel = { layer, neuron })
        },
        [label({ layer, neuron }), name && h('span', { class: 'name' }, name)]
    );
}

export function interveneButton(layer, neuron) {
    return iconButton('add', `Add ${label({ layer, neuron })} to the interventions`, () => addEdit(layer, neuron));
}

/** The same in words, where there is room. */
export function interveneWords(layer, neuron) {
    return h('button', { type: 'button', onClick: () => addEdit(layer, neuron) }, 'Add to the interventions');
}
