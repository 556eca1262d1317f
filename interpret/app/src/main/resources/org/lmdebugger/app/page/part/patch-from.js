// A part that becomes what it is in another prompt's run.
import { h } from '/lib/vue.js';
import { link, state } from '../state.js';
import { textButton } from './neuron.js';

/**
 * A field for the other prompt, and buttons that patch.
 *
 * @param parts their names
 * @param at    the position, with @ before it
 */
export const patchFrom = (parts, at) =>
    h('div', { class: 'row wrap bottom patch-from' }, [
        h('label', { class: 'field grow' }, [
            'As in another prompt',
            h('input', {
                type: 'text',
                dir: 'auto',
                value: state.other,
                spellcheck: false,
                placeholder: 'a prompt that has this position',
                onChange: event => (state.other = event.target.value)
            })
        ]),
        state.other !== '' && [
            parts.map(part =>
                h('span', { class: 'row', key: part }, [
                    h('code', part),
                    textButton(`${part}=from:"${state.other}"${at}`, `${part} from the other prompt`, 'Patch')
                ])
            ),
            h('a', { href: link('patching') }, 'Patch every part')
        ]
    ]);
