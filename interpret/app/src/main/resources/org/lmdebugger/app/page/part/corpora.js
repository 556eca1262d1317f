// The corpora that interventions and sweeps take values from. The one that comes along is read on demand, before it has any.
import { computed, h, ref } from '/lib/vue.js';
import { get, getBuilt } from '../api.js';
import { corpusIn, corpusOf } from '../edits.js';
import { useLoad } from '../load.js';
import { session, state } from '../state.js';
import { busyLine, problemNotice } from './notice.js';

const STORIES = 'stories'; // the corpus that comes along

export const Corpora = {
    setup() {
        const reads = ref(false);
        const isSwept = () => state.view === 'sweep' && corpusIn('=' + state.operation) === STORIES;
        const isUsed = computed(() => isSwept() || state.edits.some(edit => corpusOf(edit) === STORIES));
        const list = useLoad(
            () => (isUsed.value ? { made: session.corpora } : null),
            (_, signal) => get('/api/v1/corpora', signal)
        );
        const reading = useLoad(
            () => reads.value || null,
            async (_, signal, progress) => {
                await getBuilt(`/api/v1/corpora/${STORIES}`, signal, progress);
                session.corpora++; // what was refused without it is asked for again
                reads.value = false;
            }
        );
        const isMissing = () => list.data !== null && list.data.corpora.every(each => each.name !== STORIES);
        return () =>
            isMissing() &&
            h('div', { class: 'stack' }, [
                h('div', { class: 'row wrap' }, [
                    h('span', { class: 'hint' }, `The corpus ${STORIES} has not been read for this model yet; with a large model that takes minutes.`),
                    h('button', { type: 'button', disabled: reads.value, onClick: () => (reads.value = true) }, `Read “${STORIES}”`)
                ]),
                busyLine(reading),
                problemNotice(reading.problem)
            ]);
    }
};
