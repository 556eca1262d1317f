// The name of a value vector, which can be changed.
import { h, ref, watch } from '/lib/vue.js';
import { label } from '../edits.js';
import { nameOf, rename, say, session } from '../state.js';
import { problemNotice } from './notice.js';

export const Rename = {
    props: { layer: { type: Number, required: true }, neuron: { type: Number, required: true } },
    setup(props) {
        const text = ref('');
        const problem = ref(null);
        watch(
            () => nameOf(props.layer, props.neuron),
            name => (text.value = name ?? ''),
            { immediate: true }
        );

        /** Characters, of which JavaScript's texts may have two units each. */
        const shortened = name => [...name].slice(0, session.model?.limits.name_characters).join('');

        async function save(event) {
            event.preventDefault();
            try {
                await rename(props.layer, props.neuron, text.value.trim());
                problem.value = null;
                say(text.value.trim() === '' ? 'Name removed' : 'Name saved');
            } catch (failure) {
                problem.value = failure;
            }
        }

        return () =>
            h('form', { class: 'rename', onSubmit: save }, [
                h('div', { class: 'row' }, [
                    h('input', {
                        type: 'text',
                        value: text.value,
                        placeholder: 'Give it a name',
                        'aria-label': `Name of ${label(props)}`,
                        onInput: event => (event.target.value = text.value = shortened(event.target.value))
                    }),
                    h(
                        'button',
                        { type: 'submit', disabled: text.value.trim() === (nameOf(props.layer, props.neuron) ?? '') },
                        'Rename'
                    )
                ]),
                problemNotice(problem.value)
            ]);
    }
};
