// Several texts of a corpus in place of one, where something is resampled: how many, and the means over them.
import { h, watch } from '/lib/vue.js';
import { post } from '../api.js';
import { isSample } from '../edits.js';
import { useLoad } from '../load.js';
import { session, state } from '../state.js';
import { measured, percent, token } from '../text.js';
import { followed } from '../trace.js';
import { problemNotice } from './notice.js';

const MOST = 256; // texts

/** Whether a sweep takes texts of a corpus. */
export const isResampled = () => state.operation.startsWith('resample:');

/** How many texts are taken. */
export const samplesField = () =>
    h('label', { class: 'row', title: 'Each text has a seed of its own; of several, means and their standard errors are shown' }, [
        h('input', {
            class: 'number',
            type: 'number',
            min: 1,
            max: MOST,
            'aria-label': 'Texts of the corpus',
            value: state.samples,
            onChange: event => {
                state.samples = Math.min(MOST, Math.max(1, Math.trunc(Number(event.target.value)) || 1));
                event.target.value = state.samples;
            }
        }),
        state.samples === 1 ? 'text' : 'texts'
    ]);

/** A mean with its standard error. */
const mean = (of, write) => `${write(of.mean)} ± ${write(of.standard_error)}`;

/** The prediction under interventions that take a text of a corpus, over several texts. */
export const Samples = {
    props: { texts: { type: Function, required: true } }, // returns the interventions
    setup(props) {
        const isMeant = () => props.texts().some(isSample);
        const means = useLoad(
            () =>
                isMeant() && state.samples > 1 && state.position < 0
                    ? { prompt: state.prompt, top: 1, edits: props.texts(), mode: state.mode, samples: state.samples, ...followed() }
                    : null,
            async (body, signal) => (await post('/api/v1/trace', body, signal)).samples
        );
        watch(
            () => session.corpora,
            () => means.again++
        );
        const row = ({ token: text, clean, edited }) =>
            h('tr', [
                h('th', { scope: 'row' }, token(text)),
                h('td', { class: 'figure clean' }, percent(clean)),
                h('td', { class: 'figure edited' }, mean(edited, percent))
            ]);
        const table = ({ tokens, kl }) =>
            h('table', [
                h('caption', 'Means ± standard errors'),
                h('thead', h('tr', ['token', 'clean', 'edited'].map(text => h('th', { scope: 'col', class: text }, text)))),
                h('tbody', [
                    tokens.map(row),
                    h('tr', [h('th', { scope: 'row' }, 'KL divergence'), h('td'), h('td', { class: 'figure edited' }, mean(kl, measured) + ' nats')])
                ])
            ]);
        return () =>
            isMeant() &&
            h('div', { class: 'samples', 'aria-busy': String(means.busy) }, [
                h('div', { class: 'row wrap' }, [
                    h('span', { class: 'hint' }, state.samples === 1 ? 'Above, with one text of the corpus; over' : 'Above, with the first text; over'),
                    samplesField(),
                    state.position >= 0 && state.samples > 1 && h('span', { class: 'hint' }, 'at the last position only')
                ]),
                problemNotice(means.problem),
                means.data && table(means.data)
            ]);
    }
};
