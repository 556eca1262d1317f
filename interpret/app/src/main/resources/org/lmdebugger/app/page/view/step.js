// The walk up the network: what the edits so far have done at each layer, and what to edit next.
import { computed, h } from '/lib/vue.js';
import { enabledEdits, say, session, state, textOf } from '../state.js';
import { percent, plural, token } from '../text.js';
import { atPosition, followed, positionText, useTrace } from '../trace.js';
import { Interventions } from '../part/interventions.js';
import { effectsHint, LayerCard } from '../part/layer-card.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { Prompt } from '../part/prompt.js';
import { glance, Strip } from '../part/strip.js';
import { Target } from '../part/target.js';
import { promoted } from '../part/values.js';
import { Outcome, results } from './prediction.js';

export const Step = {
    setup() {
        const layers = computed(() => session.model?.layers ?? 1);
        const layer = computed(() => Math.min(Math.max(0, Math.trunc(state.layer)), layers.value - 1));
        const soFar = computed(() => enabledEdits().filter(edit => edit.layer <= layer.value));
        const later = computed(() => enabledEdits().length - soFar.value.length);
        const textsSoFar = () => soFar.value.map(textOf);
        const trace = useTrace(
            () => session.model && { positions: atPosition(), top: 10, total: true, ...followed() },
            textsSoFar
        );

        function move(to) {
            if (to >= 0 && to < layers.value) {
                state.layer = to;
                say(`Layer ${to}`);
            }
        }

        const ladder = (clean, edited) =>
            h('nav', { class: 'panel ladder', 'aria-label': 'Layers' }, [
                h('h2', 'Layers'),
                h(
                    'ol',
                    clean.layers.map((each, index) => {
                        const [first, second] = [each.after[0], edited?.layers[index].after[0]];
                        return h(
                            'li',
                            { key: index },
                            h(
                                'button',
                                {
                                    type: 'button',
                                    class: { ahead: index > layer.value },
                                    'aria-current': index === layer.value ? 'step' : undefined,
                                    onClick: () => move(index)
                                },
                                [
                                    h('span', { class: 'number' }, `L${index}`),
                                    second && second.id !== first.id
                                        ? h('span', [
                                              token(first.token, { class: 'clean' }),
                                              ' → ',
                                              token(second.token, { class: 'edited' })
                                          ])
                                        : token(first.token),
                                    h('span', { class: second ? 'edited' : 'clean' }, percent((second ?? first).probability)),
                                    enabledEdits().some(edit => edit.layer === index) &&
                                        h('span', { class: 'badge', title: 'edited' }, '●')
                                ]
                            )
                        );
                    })
                )
            ]);

        const content = ({ tokens, clean: [clean], edited: edits }) => {
            const edited = edits?.[0];
            return h('div', { class: 'walk' }, [
                ladder(clean, edited),
                h('div', { class: 'stack' }, [
                    h('div', { class: 'row spread' }, [
                        h(
                            'button',
                            { type: 'button', disabled: layer.value === 0, onClick: () => move(layer.value - 1) },
                            '← Layer below'
                        ),
                        h('p', { class: 'hint' }, [
                            soFar.value.length === 0 ? 'No edit so far' : plural(soFar.value.length, 'edit') + ' so far',
                            later.value > 0 && `; ${plural(later.value, 'edit')} above ${later.value === 1 ? 'waits' : 'wait'}`
                        ]),
                        h(
                            'button',
                            {
                                type: 'button',
                                class: 'primary',
                                disabled: layer.value === layers.value - 1,
                                onClick: () => move(layer.value + 1)
                            },
                            'Layer above →'
                        )
                    ]),
                    h(Target, { position: clean, choose: false }),
                    effectsHint(clean),
                    h(LayerCard, {
                        key: layer.value,
                        layer: clean.layers[layer.value],
                        other: edited?.layers[layer.value],
                        at: positionText(clean.position, tokens.length),
                        extra: promoted
                    }),
                    h('p', { class: 'hint' }, 'If nothing above were edited, the model would predict:'),
                    h(Outcome, { tokens, clean, edited, texts: textsSoFar })
                ])
            ]);
        };

        return () =>
            h('div', { class: 'view', 'aria-busy': String(trace.busy.value) }, [
                h(Prompt),
                state.prompt !== '' && h(Strip, glance(trace)),
                h(Interventions),
                busyLine({ busy: trace.busy.value }),
                problemNotice(trace.problem.value, trace.again),
                state.prompt === ''
                    ? emptyNotice('Write a prompt above to walk through the layers.')
                    : trace.data.value && !trace.clean.problem && results(trace, content(trace.data.value))
            ]);
    }
};
