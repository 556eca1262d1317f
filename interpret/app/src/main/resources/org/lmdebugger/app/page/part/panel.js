// Details of a value vector, beside whatever view it was met in.
import { h, onMounted, onUnmounted, watch } from '/lib/vue.js';
import { getBuilt } from '../api.js';
import { label } from '../edits.js';
import { useLoad } from '../load.js';
import { link, nameOf, session } from '../state.js';
import { fixed } from '../text.js';
import { Coefficients } from './coefficients.js';
import { iconButton } from './icon.js';
import { interveneWords } from './neuron.js';
import { busyLine, problemNotice } from './notice.js';
import { Rename } from './rename.js';
import { bars } from './values.js';

export const Panel = {
    setup() {
        let opener = null;
        const value = useLoad(
            () => session.panel && label(session.panel),
            (name, signal, progress) => getBuilt(`/api/v1/values/${name}?top=20`, signal, progress)
        );
        watch(
            () => session.panel,
            (panel, before) => {
                if (panel && !before) {
                    opener = document.activeElement;
                } else if (!panel) {
                    opener?.focus();
                }
            }
        );
        const close = () => (session.panel = null);
        const escape = event => event.key === 'Escape' && close();
        onMounted(() => window.addEventListener('keydown', escape));
        onUnmounted(() => window.removeEventListener('keydown', escape));

        return () => {
            const { layer, neuron } = session.panel ?? {};
            const shown = value.data;
            return (
                session.panel &&
                h('aside', { class: 'drawer', 'aria-label': `Details of ${label(session.panel)}` }, [
                    h('header', { class: 'row spread' }, [
                        h('h2', [
                            label(session.panel),
                            nameOf(layer, neuron) && h('span', { class: 'name' }, nameOf(layer, neuron))
                        ]),
                        iconButton('close', 'Close (Esc)', close, { onVnodeMounted: node => node.el.focus() })
                    ]),
                    busyLine(value),
                    problemNotice(value.problem, () => value.again++),
                    h(Rename, { key: label(session.panel), layer, neuron }),
                    h('div', { class: 'row' }, [
                        interveneWords(layer, neuron),
                        h('a', { href: link('value', label(session.panel)), onClick: () => (session.panel = null) }, 'Explore')
                    ]),
                    h(Coefficients, { layer, neuron }),
                    shown && [
                        h(
                            'p',
                            { class: 'hint' },
                            `Norm ${fixed(shown.norm)}; logits that one unit of its coefficient adds, without the final normalisation.`
                        ),
                        h('div', { class: 'halves' }, [bars(shown.top, 'promotes'), bars(shown.bottom, 'suppresses')])
                    ]
                ])
            );
        };
    }
};
