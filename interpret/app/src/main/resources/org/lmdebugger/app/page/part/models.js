// The model that is loaded, and the choice of another: one at a time, for all who use the server.
import { h, nextTick, reactive, ref } from '/lib/vue.js';
import { get, pause, post } from '../api.js';
import { session, state } from '../state.js';
import { problemNotice } from './notice.js';

const PAUSE = 300; // milliseconds between questions whether it is there

const megabytes = bytes => `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;

export const Models = {
    setup() {
        const dialog = ref(null);
        const shown = ref(false);
        const now = reactive({ found: null, problem: null, loading: null });

        async function open() {
            shown.value = true;
            await nextTick();
            dialog.value.showModal();
            try {
                Object.assign(now, { found: await get('/api/v1/models'), problem: null });
            } catch (problem) {
                now.problem = problem;
            }
        }

        /** What the server has when it answers again: while it changes models it does not. */
        async function loaded() {
            while (true) {
                await pause(PAUSE);
                try {
                    const found = await get('/api/v1/models');
                    if (found.loaded === now.loading || found.failure) {
                        return found;
                    }
                } catch (problem) {
                    if (problem.status !== 0 && problem.status !== 503) {
                        throw problem;
                    }
                }
            }
        }

        /** Loads a model, and then this page anew: interventions, tokens and sweeps were the other model's. */
        async function load(name) {
            Object.assign(now, { loading: name, problem: null });
            try {
                await post('/api/v1/models', { model: name });
                now.found = await loaded();
                if (now.found.loaded === name) {
                    location.hash = '#/' + state.view + (state.prompt === '' ? '' : '?' + new URLSearchParams({ prompt: state.prompt }));
                    location.reload();
                    return;
                }
                now.problem = { title: 'Not loaded.', message: now.found.failure };
            } catch (problem) {
                now.problem = problem;
            }
            now.loading = null;
        }

        const row = ({ name, bytes }) =>
            h(
                'li',
                { key: name },
                h('div', { class: 'row spread' }, [
                    h('span', [h('b', name), h('span', { class: 'hint' }, `  ${megabytes(bytes)}`)]),
                    name === now.found.loaded
                        ? h('span', { class: 'hint' }, 'loaded')
                        : h(
                              'button',
                              { type: 'button', disabled: now.loading !== null, 'aria-label': `Load ${name}`, onClick: () => load(name) },
                              'Load'
                          )
                ])
            );

        return () =>
            session.model && [
                h(
                    'button',
                    {
                        type: 'button',
                        class: 'model quiet',
                        title: `${session.model.hardware}; fingerprint ${session.model.fingerprint}`,
                        'aria-label': `Model ${session.model.model}; choose another`,
                        onClick: open
                    },
                    [
                        h('b', session.model.model),
                        h('span', { class: 'details' }, `${session.model.device} ${session.model.precision} · ${session.model.layers} × ${session.model.neurons}`)
                    ]
                ),
                h('dialog', { ref: dialog, class: 'shortcuts', 'aria-labelledby': 'models', onClose: () => (shown.value = false) }, shown.value && [
                    h('h2', { id: 'models' }, 'Models'),
                    h(
                        'p',
                        { class: 'hint' },
                        'One is loaded at a time, for everybody who uses this server. Another ends what was begun with this one: results of sweeps go, and interventions are put away; names and saved experiments stay.'
                    ),
                    problemNotice(now.problem),
                    now.loading
                        ? h('p', { role: 'status' }, `Loading ${now.loading} …`)
                        : now.found && h('ul', { class: 'found' }, now.found.models.map(row)),
                    now.found?.models.length === 0 && h('p', 'This server offers no choice.'),
                    h('div', { class: 'row spread' }, [h('span'), h('button', { type: 'button', onClick: () => dialog.value.close() }, 'Close')])
                ])
            ];
    }
};
