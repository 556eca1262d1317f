// The walk up the network: what the edits so far have done at each layer, and what to edit next.
import { computed, h } from '/lib/vue.js';
import { post } from '../api.js';
import { editText } from '../edits.js';
import { useLoad } from '../load.js';
import { enabledEdits, say, session, state } from '../state.js';
import { percent, plural, token } from '../text.js';
import { Interventions } from '../part/interventions.js';
import { layerCard } from '../part/layer-card.js';
import { busyLine, emptyNotice, problemNotice } from '../part/notice.js';
import { Prompt } from '../part/prompt.js';
import { promoted } from '../part/values.js';
import { atPosition, outcome, traceRequest } from './prediction.js';

export const Step = {
    setup() {
        const layers = computed(() => session.model?.layers ?? 1);
        const layer = computed(() => Math.min(Math.max(0, Math.trunc(state.layer)), layers.value - 1));
        const soFar = computed(() => enabledEdits().filter(edit => edit.layer <= layer.value));
        const later = computed(() => enabledEdits().length - soFar.value.length);
        const trace = useLoad(
            () =>
                session.model &&
                traceRequest({
                    edits: soFar.value.map(edit => editText(edit, state.mode)),
                    positions: atPosition(),
                    top: 10,
                    total: true
                }),
            (body, signal) => post('/api/v1/trace', body, signal)
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
                                    state.edits.some(edit => edit.layer === index && edit.enabled) &&
                                        h('span', { class: 'badge', title: 'edited' }, '●')
                                ]
                            )
                        );
                    })
                )
            ]);

        const results = () => {
            const clean = trace.data.positions[0];
            const edited = trace.data.edited?.positions[0];
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
                    layerCard(clean, edited, layer.value, { extra: (layer, neuron) => promoted(layer, neuron), step: false }),
                    h('p', { class: 'hint' }, 'If nothing above were edited, the model would predict:'),
                    outcome(trace.data.tokens, clean, edited)
                ])
            ]);
        };

        return () =>
            h('div', { class: ['view', { stale: trace.busy && trace.data }], 'aria-busy': String(trace.busy) }, [
                h(Prompt),
                h(Interventions),
                busyLine(trace),
                problemNotice(trace.problem, () => trace.again++),
                state.prompt === ''
                    ? emptyNotice('Write a prompt above to walk through the layers.')
                    : trace.data && !trace.problem && results()
            ]);
    }
};
