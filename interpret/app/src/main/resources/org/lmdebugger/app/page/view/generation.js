// Continuations, token by token as they come, clean and edited side by side.
import { h, onUnmounted, reactive } from '/lib/vue.js';
import { events } from '../api.js';
import { enabledTexts, say, session, state } from '../state.js';
import { percent, plural, token } from '../text.js';
import { Export, fileName } from '../part/export.js';
import { Interventions } from '../part/interventions.js';
import { emptyNotice, problemNotice } from '../part/notice.js';
import { Prompt } from '../part/prompt.js';
import { generateCommand, generateJava, Share } from '../part/share.js';

const ENDS = { length: 'as many as asked for', end_of_text: 'the model ended its text', cancelled: 'stopped' };

export const Generation = {
    setup() {
        const run = reactive({ texts: [], ends: [], request: null, busy: false, problem: null });
        let controller = null;

        async function generate() {
            controller?.abort();
            const mine = (controller = new AbortController());
            const edits = enabledTexts();
            const request = {
                prompt: state.prompt,
                mode: state.mode,
                tokens: state.length,
                temperature: state.temperature,
                top_k: state.topK,
                top_p: state.topP,
                continuations: [{ seed: state.seed }, ...(edits.length > 0 ? [{ edits, seed: state.seed }] : [])]
            };
            Object.assign(run, {
                texts: request.continuations.map(() => []),
                ends: [],
                request,
                busy: true,
                problem: null
            });
            try {
                for await (const { name, data } of events('POST', '/api/v1/generate', request, mine.signal)) {
                    if (name === 'token') {
                        run.texts[data.continuation].push(data);
                    } else {
                        run.ends = data.generations.map(each => each.end);
                    }
                }
                say('Generation finished');
            } catch (problem) {
                if (problem.name !== 'AbortError') {
                    run.problem = problem;
                }
            }
            if (controller === mine) {
                run.busy = false;
            }
        }

        function stop() {
            controller?.abort();
            run.busy = false;
            run.ends = run.texts.map(() => 'cancelled');
        }
        onUnmounted(() => controller?.abort());

        const number = (name, text, title, attributes) =>
            h('label', { class: 'field', title }, [
                text,
                h('input', {
                    type: 'number',
                    value: state[name],
                    ...attributes,
                    onChange: event => (event.target.value = state[name] = Number(event.target.value.trim() || state[name]))
                })
            ]);

        const controls = () =>
            h(
                'form',
                {
                    class: 'panel row controls',
                    'aria-label': 'Sampling',
                    onSubmit: event => {
                        event.preventDefault();
                        generate();
                    }
                },
                [
                    number('length', 'tokens', 'How many, at most', { min: 1, max: session.model?.limits.generated_tokens }),
                    number('temperature', 'temperature', '0: the likeliest token each time', { min: 0, step: 'any' }),
                    number('topK', 'top-k', 'Of the k likeliest tokens; 0: of all', {
                        min: 0,
                        disabled: state.temperature === 0
                    }),
                    number('topP', 'top-p', 'Of the likeliest tokens that together have this probability', {
                        min: 0,
                        max: 1,
                        step: 'any',
                        disabled: state.temperature === 0
                    }),
                    number('seed', 'seed', 'The same for both sides, so that they differ by the edits alone', {
                        disabled: state.temperature === 0
                    }),
                    h('span', { class: 'grow' }),
                    run.busy
                        ? h('button', { key: 'stop', type: 'button', class: 'danger', onClick: stop }, 'Stop')
                        : h(
                              'button',
                              { key: 'start', type: 'submit', class: 'primary', disabled: state.prompt === '' },
                              'Generate'
                          )
                ]
            );

        const rowsOf = text => text.map(({ id, text, log_probability }, at) => ({ at, id, token: text, log_probability }));

        const pane = (kind, index) => {
            const text = run.texts[index];
            const apart = index === 0 ? -1 : text.findIndex((each, at) => run.texts[0][at] && run.texts[0][at].id !== each.id);
            return h('section', { class: ['panel', 'text', kind], 'aria-label': `${kind} continuation` }, [
                h('header', { class: 'row spread' }, [
                    h('h2', kind === 'clean' ? 'Clean' : 'Edited'),
                    h('div', { class: 'row' }, [
                        h('span', { class: 'hint' }, kind === 'clean' ? '' : run.request.continuations[1].edits.join('  ')),
                        h(Export, { what: `${kind} continuation`, picture: false, rows: () => rowsOf(text) })
                    ])
                ]),
                h('p', { class: 'prose', 'aria-live': 'off' }, [
                    h('span', { class: 'given' }, run.request.prompt),
                    text.map((each, at) =>
                        h(
                            'span',
                            {
                                key: at,
                                class: ['generated', { apart: apart >= 0 && at >= apart }],
                                style: { '--sure': Math.exp(each.log_probability).toFixed(3) },
                                title: `${percent(Math.exp(each.log_probability))}, token ${each.id}`
                            },
                            each.text
                        )
                    ),
                    run.busy && h('span', { class: 'caret', 'aria-hidden': 'true' })
                ]),
                h('p', { class: 'hint' }, [
                    plural(text.length, 'token'),
                    run.ends[index] && `; ${ENDS[run.ends[index]]}`,
                    apart >= 0 && ['; apart from token ', String(apart), ', ', token(text[apart].text), ', on']
                ])
            ]);
        };

        return () =>
            h('div', { class: 'view', 'aria-busy': String(run.busy) }, [
                h(Prompt, { traced: false }),
                h(Interventions),
                controls(),
                problemNotice(run.problem, generate),
                run.texts.length === 0
                    ? emptyNotice(
                          state.prompt === ''
                              ? 'Write a prompt above; its continuation appears here.'
                              : 'Press Generate. With interventions in force, the edited continuation appears beside the clean one.'
                      )
                    : [
                          h('div', { class: 'row spread' }, [
                              h('span'),
                              h(Share, {
                                  command: generateCommand(run.request),
                                  java: generateJava(run.request),
                                  file: fileName('generation', 'json'),
                                  load: () => ({ ...run.request, generations: run.texts.map((tokens, at) => ({ end: run.ends[at], tokens })) })
                              })
                          ]),
                          h('div', { class: 'halves texts' }, [pane('clean', 0), run.texts.length > 1 && pane('edited', 1)])
                      ]
            ]);
    }
};
