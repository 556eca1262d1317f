// A first visit: one finding in the sample model, in five steps. It is offered once, on an empty page.
import { h, nextTick, ref, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { keep, kept } from '../kept.js';
import { link, session, state } from '../state.js';
import { problemNotice } from './notice.js';

const PROMPT = 'Once upon a time there was a little';
const HEAD = 'L2H0=0@last';
const BOTH = { prompt: PROMPT, position: -1, side: 'clean', heat: 'top', mode: 'exact' };

/** Each step: its view, what it is about, and the texts that are read of the page. `girl` and `boy` are ids. */
const STEPS = [
    {
        view: 'prediction',
        title: 'A girl or a boy?',
        text: 'After “there was a little”, the model predicts ␣girl with 48 % and ␣boy with 31 %. Why the girl?'
    },
    {
        view: 'prediction',
        changes: ({ girl }) => ({ token: girl, heat: 'rank' }),
        title: 'It is decided late',
        text: 'The chart shows the rank of ␣girl through the layers: first after layer 0, by a hair, second after layers 1 and 2, where ␣boy leads, and first again in the end.'
    },
    {
        view: 'attribution',
        changes: ({ girl, boy }) => ({ token: girl, against: boy }),
        title: 'Who speaks for the girl',
        text: 'The logit of ␣girl minus that of ␣boy is 0.450, the sum of these bars. The FFN of layer 2 is against the girl. Open “L2 attention”: its head L2H0 brings +0.300.'
    },
    {
        view: 'attribution',
        edits: [HEAD],
        changes: ({ girl, boy }) => ({ token: girl, against: boy }),
        title: 'Take it away',
        text: 'The head L2H0 is switched off at the last position: the difference falls from 0.450 to 0.140, the girl from 48 % to 43 %. So it is a cause, not only a correlate. The total effect of the head is that fall.'
    },
    {
        view: 'attention',
        edits: [HEAD],
        changes: () => ({ layer: 2, head: 0 }),
        title: 'Where it looks',
        text: 'That head reads ␣little itself. Go on from here: Flow shows the routes, Sweep measures every neuron, and the address holds all that you see: share it.'
    }
];

/** Whether the visit is to be offered: once, and where the finding is. */
export const isOffered = () => session.guide === null && session.model?.model === 'sample' && kept('visited') === null;

export function decline() {
    keep('visited', 'yes');
    session.guide = null;
}

const idOf = async text => '#' + (await post('/api/v1/tokenize', { text })).tokens[0].id;

export const Guide = {
    setup() {
        const heading = ref(null);
        const problem = ref(null);
        let ids = null;

        async function show(step) {
            try {
                ids ??= { girl: await idOf(' girl'), boy: await idOf(' boy') };
                problem.value = null;
            } catch (failure) {
                problem.value = failure;
                return;
            }
            const { view, edits = [], changes = () => ({}) } = STEPS[step];
            const parameters = new URLSearchParams(link(view, '', { ...BOTH, edits: [], token: '', against: '', ...changes(ids) }).split('?')[1]);
            edits.forEach(text => parameters.append('edit', text));
            location.hash = `#/${view}?${parameters}`;
            nextTick(() => heading.value?.focus());
        }

        watch(() => session.guide, step => {
            if (step !== null) {
                keep('visited', 'yes');
                show(step);
            }
        });

        const move = by => (session.guide += by);

        return () => {
            if (session.guide === null) {
                return null;
            }
            const { title, text } = STEPS[session.guide];
            const isLast = session.guide === STEPS.length - 1;
            return h(
                'aside',
                { class: 'guide panel', 'aria-label': 'First visit', onKeydown: event => event.key === 'Escape' && decline() },
                [
                    h('h2', { ref: heading, tabindex: -1 }, `${session.guide + 1} of ${STEPS.length}: ${title}`),
                    h('p', text),
                    problemNotice(problem.value, () => show(session.guide)),
                    h('div', { class: 'row spread' }, [
                        h('button', { type: 'button', class: 'quiet', onClick: decline }, isLast ? 'Close' : 'Skip'),
                        h('div', { class: 'row' }, [
                            h('button', { type: 'button', disabled: session.guide === 0, onClick: () => move(-1) }, 'Back'),
                            isLast
                                ? h('button', { type: 'button', class: 'primary', onClick: decline }, 'Done')
                                : h('button', { type: 'button', class: 'primary', onClick: () => move(1) }, 'Next')
                        ])
                    ])
                ]
            );
        };
    }
};
