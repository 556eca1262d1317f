// Keys for what is done most, and the list of them.
import { h, nextTick, onMounted, onUnmounted, ref } from '/lib/vue.js';
import { keep, kept } from '../kept.js';
import { go, session, state } from '../state.js';
import { foldAll, isFolded, showLayer } from './layer-card.js';

const isTyping = element => element.closest('input:not([type=checkbox], [type=range]), textarea, select, dialog') !== null;

const layers = () => document.querySelectorAll('.layer').length;

function step(by) {
    const layer = state.layer + by;
    if (state.view === 'step') {
        state.layer = Math.min(Math.max(0, layer), (session.model?.layers ?? 1) - 1);
    } else if (layer >= 0 && layer < layers()) {
        showLayer(layer);
    }
}

/** The neighbouring token's button, which the prompt's list of tokens handles. */
function token(by) {
    const chips = [...document.querySelectorAll('.prompt .chips .chip:not(:disabled)')];
    chips[chips.findIndex(each => each.getAttribute('aria-pressed') === 'true') + by]?.click();
}

/** What single keys do: [key, what, action]. */
const KEYS = [
    ['/', 'write a prompt', () => document.getElementById('prompt')?.focus()],
    ['i', 'write an intervention', () => document.querySelector('.interventions .add input')?.focus()],
    ['[', 'the layer below', () => step(-1)],
    [']', 'the layer above', () => step(1)],
    [',', 'the token before', () => token(-1)],
    ['.', 'the token after', () => token(1)],
    ['c', 'collapse all layers, or open them', () => foldAll(layers(), !isFolded(0))]
];

const OTHERS = [
    ['Ctrl+Z', 'undo'],
    ['Ctrl+Shift+Z', 'redo'],
    ['← →', 'another token, on the prompt’s tokens'],
    ['← → ↑ ↓', 'another cell or node, on layers × positions, grids and routes'],
    ['Esc', 'close what is open']
];

export const Shortcuts = {
    props: { views: { type: Array, required: true } }, // in the order of their tabs
    setup(props) {
        const dialog = ref(null);
        const isOn = ref(kept('keys') !== 'off');

        const shown = ref(false);

        async function show() {
            shown.value = true;
            await nextTick();
            dialog.value.showModal();
        }

        function key(event) {
            if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) {
                return;
            }
            if (event.key === '?' && isOn.value) {
                event.preventDefault();
                show();
                return;
            }
            const number = '1234567890'.indexOf(event.key);
            const action = isOn.value && (KEYS.find(([name]) => name === event.key)?.[2] ?? (props.views[number] && (() => go(props.views[number]))));
            if (action) {
                event.preventDefault();
                action();
            }
        }
        onMounted(() => window.addEventListener('keydown', key));
        onUnmounted(() => window.removeEventListener('keydown', key));

        function visit() {
            dialog.value.close();
            session.guide = null;
            nextTick(() => (session.guide = 0));
        }

        const list = rows => rows.map(([name, text]) => [h('dt', h('kbd', name)), h('dd', text)]);

        return () => [
            h('button', { type: 'button', class: 'quiet', 'aria-label': 'Keyboard shortcuts', title: 'Keyboard shortcuts (?)', onClick: show }, '?'),
            h('dialog', { ref: dialog, class: 'shortcuts', 'aria-labelledby': 'shortcuts', onClose: () => (shown.value = false) }, shown.value && [
                h('h2', { id: 'shortcuts' }, 'Keyboard shortcuts'),
                h('dl', [
                    ...list(KEYS),
                    ...list([
                        ['1 … 9, 0', 'the views, from left to right'],
                        ['?', 'this list']
                    ]),
                    ...list(OTHERS)
                ]),
                h('label', { class: 'row check' }, [
                    h('input', {
                        type: 'checkbox',
                        checked: isOn.value,
                        onChange: event => {
                            isOn.value = event.target.checked;
                            keep('keys', isOn.value ? 'on' : 'off');
                        }
                    }),
                    'single keys are shortcuts'
                ]),
                h('div', { class: 'row spread' }, [
                    session.model?.model === 'sample' ? h('button', { type: 'button', class: 'link', onClick: visit }, 'Show the first visit') : h('span'),
                    h('button', { type: 'button', onClick: () => dialog.value.close() }, 'Close')
                ])
            ])
        ];
    }
};
