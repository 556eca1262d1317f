// The strip that stays in sight: the prediction, clean and edited, the interventions, undo and redo.
import { h, onMounted, onUnmounted } from '/lib/vue.js';
import { post } from '../api.js';
import { canRedo, canUndo, redo, undo } from '../history.js';
import { enabledEdits } from '../state.js';
import { percent, plural, token } from '../text.js';
import { fileName } from './export.js';
import { iconButton } from './icon.js';
import { command, java, Share } from './share.js';

const isTyping = element => element.closest('input, textarea, select') !== null;

function key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z' && !isTyping(event.target)) {
        event.preventDefault();
        event.shiftKey ? redo() : undo();
    }
}

/** The likeliest token after a position, and what interventions make of it. */
export function headline(clean, edited) {
    const [first, second] = [clean.layers.at(-1).after[0], edited?.layers.at(-1).after[0]];
    const probability = (kind, each) => h('span', { class: kind }, percent(each.probability));
    return !second
        ? [token(first.token), probability('clean', first)]
        : first.id === second.id
          ? [token(first.token), probability('clean', first), '→', probability('edited', second)]
          : [token(first.token, { class: 'clean' }), '→', token(second.token, { class: 'edited' }), probability('edited', second)];
}

/** The properties of a strip above a trace of one position. */
export function glance({ data, isOutdated, request }) {
    const shown = isOutdated.value ? null : data.value;
    return { tokens: shown?.tokens, clean: shown?.clean[0], edited: shown?.edited?.[0], request };
}

export const Strip = {
    props: { tokens: { type: Array, default: null }, clean: { type: Object, default: null }, edited: { type: Object, default: null }, request: { type: Function, required: true } },
    setup(props, { slots }) {
        onMounted(() => window.addEventListener('keydown', key));
        onUnmounted(() => window.removeEventListener('keydown', key));
        return () =>
            h('section', { class: 'strip', 'aria-label': 'At a glance' }, [
                h('p', { class: 'row glance', role: 'status' }, [
                    props.clean
                        ? ['After ', token(props.tokens[props.clean.position].text), ...headline(props.clean, props.edited)]
                        : h('span', { class: 'hint' }, 'Computing …')
                ]),
                slots.default?.(),
                h('div', { class: 'row' }, [
                    h('span', { class: 'hint' }, plural(enabledEdits().length, 'intervention')),
                    iconButton('undo', 'Undo (Ctrl+Z)', undo, { disabled: !canUndo() }),
                    iconButton('redo', 'Redo (Ctrl+Shift+Z)', redo, { disabled: !canRedo() }),
                    props.clean &&
                        h(Share, {
                            command: command(props.clean),
                            java: java(props.clean),
                            file: fileName('trace', 'json'),
                            load: () => post('/api/v1/trace', props.request())
                        })
                ])
            ]);
    }
};
