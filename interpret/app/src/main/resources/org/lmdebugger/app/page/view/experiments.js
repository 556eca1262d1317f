// Prompts and interventions that were saved, with what came of them.
import { h, reactive } from '/lib/vue.js';
import { get, post, request } from '../api.js';
import { enabledTexts, link, say, session, state } from '../state.js';
import { plural } from '../text.js';
import { Export } from '../part/export.js';
import { emptyNotice, problemNotice } from '../part/notice.js';
import { useLoad } from '../load.js';

const VERSION = 1;
const PARTS = ['version', 'name', 'prompt', 'edits', 'mode', 'view', 'results'];

export const Experiments = {
    setup() {
        const saved = useLoad(
            () => ({}),
            (_, signal) => get('/api/v1/experiments', signal)
        );
        const form = reactive({ name: '', problem: null, asked: null });

        /** Does something with the server, then shows the list as it has become. */
        async function change(work, said) {
            try {
                await work();
                form.problem = null;
                say(said);
                saved.again++;
            } catch (problem) {
                form.problem = problem;
            }
        }

        async function save(event) {
            event.preventDefault();
            await change(async () => {
                const edits = enabledTexts();
                const { positions, edited } = await post('/api/v1/trace', {
                    prompt: state.prompt,
                    edits,
                    mode: state.mode,
                    top: 10
                });
                const after = list => list?.[0].layers.at(-1).after ?? null;
                await post('/api/v1/experiments', {
                    version: VERSION,
                    name: form.name,
                    prompt: state.prompt,
                    edits,
                    mode: state.mode,
                    view: { hash: link('prediction') },
                    results: { clean: after(positions), edited: after(edited?.positions) }
                });
                form.name = '';
            }, 'Saved');
        }

        async function load(id) {
            await change(async () => {
                const { view, prompt } = await get('/api/v1/experiments/' + id);
                const hash = view?.hash;
                location.hash =
                    typeof hash === 'string' && hash.startsWith('#/') ? hash : '#/prediction?' + new URLSearchParams({ prompt });
            }, 'Loaded');
        }

        const importFile = event =>
            change(async () => {
                const [file] = event.target.files;
                let json;
                try {
                    json = JSON.parse(await file.text());
                } catch {
                    throw {
                        title: 'Not read.',
                        message: `${file.name} is not JSON (expected: an experiment that was downloaded here)`
                    };
                }
                await post('/api/v1/experiments', Object.fromEntries(PARTS.map(part => [part, json?.[part]])));
                event.target.value = '';
            }, 'Imported');

        const remove = id =>
            form.asked === id ? change(() => request('DELETE', '/api/v1/experiments/' + id), 'Deleted') : (form.asked = id);

        const deleteButton = (id, name) =>
            h(
                'button',
                {
                    type: 'button',
                    class: form.asked === id ? 'danger' : 'quiet',
                    'aria-label': `Delete ${name}`,
                    onClick: () => remove(id)
                },
                form.asked === id ? 'Really delete' : 'Delete'
            );

        const damagedRow = each =>
            h('tr', { key: each.id, class: 'damaged' }, [
                h('th', { scope: 'row' }, each.id),
                h('td', { colspan: 4 }, `This file is damaged: ${each.problem}`),
                h('td', { class: 'row' }, deleteButton(each.id, each.id))
            ]);

        const rows = () =>
            saved.data.experiments.map(({ id, name, prompt, mode, edits, model, fingerprint, saved }) => ({
                id,
                name,
                prompt,
                mode,
                edits: edits.join('; '),
                model,
                fingerprint,
                saved
            }));

        const row = each =>
            h('tr', { key: each.id }, [
                h(
                    'th',
                    { scope: 'row' },
                    h('button', { type: 'button', class: 'link', onClick: () => load(each.id) }, each.name)
                ),
                h('td', { class: 'prompt-text' }, each.prompt),
                h('td', each.edits.join('  ') || 'none'),
                h('td', [
                    each.model,
                    each.fingerprint !== session.model?.fingerprint &&
                        h('span', { class: 'badge', title: 'Saved with another model' }, 'other model')
                ]),
                h('td', { class: 'hint' }, h('time', { datetime: each.saved }, new Date(each.saved).toLocaleString())),
                h('td', { class: 'row' }, [
                    h(
                        'a',
                        {
                            class: 'quiet',
                            href: '/api/v1/experiments/' + each.id,
                            download: `${each.name.replace(/[^\w-]+/g, '-')}.json`
                        },
                        'JSON'
                    ),
                    deleteButton(each.id, each.name)
                ])
            ]);

        return () =>
            h('div', { class: 'view', 'aria-busy': String(saved.busy) }, [
                h('section', { class: 'panel saving' }, [
                    h('h2', 'Save what you look at'),
                    h(
                        'p',
                        { class: 'hint' },
                        state.prompt === ''
                            ? 'Trace a prompt first; then it can be saved here, with its interventions and prediction.'
                            : [
                                  `“${state.prompt}” with ${enabledTexts().length === 0 ? 'no interventions' : plural(enabledTexts().length, 'intervention')}`
                              ]
                    ),
                    h('div', { class: 'row spread' }, [
                        h('form', { class: 'row', onSubmit: save }, [
                            h('input', {
                                type: 'text',
                                value: form.name,
                                placeholder: 'Name',
                                maxlength: 200,
                                'aria-label': 'Name of the experiment',
                                onInput: event => (form.name = event.target.value)
                            }),
                            h(
                                'button',
                                { type: 'submit', class: 'primary', disabled: state.prompt === '' || form.name.trim() === '' },
                                'Save'
                            )
                        ]),
                        h('label', { class: 'file' }, [
                            'Import a file',
                            h('input', { type: 'file', accept: 'application/json,.json', onChange: importFile })
                        ])
                    ])
                ]),
                problemNotice(form.problem),
                problemNotice(saved.problem, () => saved.again++),
                saved.data &&
                    (saved.data.experiments.length + saved.data.damaged.length + saved.data.more === 0
                        ? emptyNotice('Nothing is saved yet.')
                        : h('section', { class: 'panel' }, [
                              h('div', { class: 'row spread' }, [
                                  h('h2', plural(saved.data.experiments.length, 'experiment')),
                                  h(Export, { what: 'experiments', picture: false, rows })
                              ]),
                              h(
                                  'div',
                                  { class: 'scroll' },
                                  h('table', { class: 'experiments' }, [
                                      h(
                                          'thead',
                                          h(
                                              'tr',
                                              ['name', 'prompt', 'interventions', 'model', 'saved']
                                                  .map(text => h('th', { scope: 'col' }, text))
                                                  .concat(h('th', h('span', { class: 'unseen' }, 'Tools')))
                                          )
                                      ),
                                      h('tbody', [...saved.data.experiments.map(row), ...saved.data.damaged.map(damagedRow)])
                                  ])
                              ),
                              saved.data.more > 0 &&
                                  h('p', { class: 'hint' }, `${saved.data.more} more are there. Delete some of these to see them.`)
                          ]))
            ]);
    }
};
