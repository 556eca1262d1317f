// A value vector in a list: its label or name, which opens its details, and a button that adds it to the interventions.
import { h } from '/lib/vue.js';
import { label } from '../edits.js';
import { addEdit, addText, isEdited, nameOf, removeEdits, session, state } from '../state.js';
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

const remove = (layer, neuron) =>
    removeEdits(edit => edit.layer === layer && edit.neuron === neuron, label({ layer, neuron }));

/** Adds it, or takes it away again. @param at the positions that the numbers beside it are of */
export function interveneButton(layer, neuron, at = 'all') {
    const name = label({ layer, neuron });
    return isEdited(layer, neuron)
        ? iconButton('remove', `Remove ${name} from the interventions`, () => remove(layer, neuron), { class: ['icon', 'on'] })
        : iconButton('add', `Add ${name} to the interventions`, () => addEdit(layer, neuron, { at }));
}

/** Adds an intervention in its text form, such as a head's, or takes it away again. @param verb what it does to `name` */
export function textButton(text, name, verb = 'Switch off') {
    const isThere = state.edits.some(edit => edit.part === text);
    return isThere
        ? iconButton('remove', `Remove ${name} from the interventions`, () => removeEdits(edit => edit.part === text, text), {
              class: ['icon', 'on']
          })
        : iconButton('add', `${verb} ${name}`, () => addText(text));
}

/** The same in words, where there is room. */
export function interveneWords(layer, neuron) {
    return isEdited(layer, neuron)
        ? h('button', { type: 'button', onClick: () => remove(layer, neuron) }, 'Remove from the interventions')
        : h('button', { type: 'button', onClick: () => addEdit(layer, neuron) }, 'Add to the interventions');
}
