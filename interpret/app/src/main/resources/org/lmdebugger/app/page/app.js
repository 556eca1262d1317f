// The page: what is always there, and the view that the address names.
import { createApp, h, nextTick, onMounted, watch } from '/lib/vue.js';
import { Panel } from './part/panel.js';
import { problemNotice } from './part/notice.js';
import { Guide } from './part/guide.js';
import { Models } from './part/models.js';
import { Shortcuts } from './part/shortcuts.js';
import { link, loadModel, otherModel, session, start, state } from './state.js';
import { plural } from './text.js';
import { Attention } from './view/attention.js';
import { Attribution } from './view/attribution.js';
import { Cluster } from './view/cluster.js';
import { Experiments } from './view/experiments.js';
import { Explore } from './view/explore.js';
import { Flow } from './view/flow.js';
import { Generation } from './view/generation.js';
import { Patching } from './view/patching.js';
import { Prediction } from './view/prediction.js';
import { Step } from './view/step.js';
import { Sweep } from './view/sweep.js';
import { Value } from './view/value.js';

const VIEWS = {
    prediction: Prediction,
    step: Step,
    attribution: Attribution,
    attention: Attention,
    flow: Flow,
    patching: Patching,
    generation: Generation,
    explore: Explore,
    value: Value,
    cluster: Cluster,
    sweep: Sweep,
    experiments: Experiments
};
const TABS = {
    prediction: 'Prediction',
    step: 'Step',
    attribution: 'Attribution',
    attention: 'Attention',
    flow: 'Flow',
    patching: 'Patching',
    generation: 'Generation',
    explore: 'Exploration',
    sweep: 'Sweep',
    experiments: 'Experiments'
};
const WITH_PROMPT = ['prediction', 'step', 'attribution', 'attention', 'flow', 'patching', 'generation', 'sweep'];
const PARENTS = { value: 'explore', cluster: 'explore' };

/** On a narrow screen the current tab may be out of sight. */
function showTab() {
    document.querySelector('.top [aria-current=page]').scrollIntoView({ block: 'nearest', inline: 'center' });
}

/** Says that a link was made with another model. */
const foreignNotice = () =>
    h('div', { class: 'notice problem row spread', role: 'alert' }, [
        h('span', [
            'This link was made with ',
            h('b', otherModel()),
            `, and ${session.model.model} is loaded: its numbers are others, and neurons and heads of the same names are other parts.`
        ]),
        h('button', { type: 'button', onClick: () => (session.linked = null) }, `Use it with ${session.model.model}`)
    ]);

const App = {
    setup() {
        watch(
            () => [state.view, state.id],
            () => {
                session.panel = null;
                document.title = `${TABS[PARENTS[state.view] ?? state.view]} · LM-Debugger`;
                nextTick(() => {
                    window.scrollTo(0, 0);
                    showTab();
                });
            }
        );
        onMounted(showTab);
        watch(() => session.model, () => nextTick(showTab)); // whose name takes room

        const tab = ([view, text]) =>
            h(
                'a',
                {
                    key: view,
                    href: link(view),
                    'aria-current': (PARENTS[state.view] ?? state.view) === view ? 'page' : undefined
                },
                text
            );

        return () => [
            h(
                'a',
                {
                    class: 'skip',
                    href: '#main',
                    onClick: event => {
                        event.preventDefault();
                        document.getElementById('main').focus();
                    }
                },
                'Skip to the content'
            ),
            h('header', { class: 'top' }, [
                h('a', { class: 'brand', href: link('prediction') }, [
                    h('img', { src: '/icon.svg', alt: '', width: 22, height: 22 }),
                    'LM-Debugger'
                ]),
                h('nav', { 'aria-label': 'Views' }, Object.entries(TABS).map(tab)),
                state.edits.length > 0 &&
                    !WITH_PROMPT.includes(state.view) &&
                    h('a', { class: 'badge', href: link('prediction') }, plural(state.edits.length, 'intervention')),
                h(Models),
                h(Shortcuts, { views: Object.keys(TABS) })
            ]),
            h('main', { id: 'main', tabindex: -1 }, [
                problemNotice(session.problem, loadModel),
                otherModel() && foreignNotice(),
                PARENTS[state.view] === undefined && h('h1', { class: 'unseen' }, TABS[state.view]),
                h(VIEWS[state.view], { key: `${state.view} ${state.id}` })
            ]),
            h(Guide),
            h(Panel),
            h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' }, session.said)
        ];
    }
};

start();
createApp(App).mount('#app');
