// A neuron's coefficients on the prompt's tokens.
import { computed, h } from '/lib/vue.js';
import { post } from '../api.js';
import { label } from '../edits.js';
import { useLoad } from '../load.js';
import { state } from '../state.js';
import { fixed, token } from '../text.js';
import { Export } from './export.js';
import { problemNotice } from './notice.js';

export const Coefficients = {
    props: { layer: { type: Number, required: true }, neuron: { type: Number, required: true } },
    setup(props) {
        const loaded = useLoad(
            () => (state.prompt === '' ? null : { prompt: state.prompt, neurons: [label(props)] }),
            async (body, signal) => {
                const [{ tokens }, { neurons }] = await Promise.all([
                    post('/api/v1/tokenize', { text: body.prompt }, signal),
                    post('/api/v1/coefficients', body, signal)
                ]);
                return { tokens, values: neurons[0].clean };
            },
            body => body
        );
        const largest = computed(() => Math.max(1e-9, ...(loaded.data?.values ?? []).map(Math.abs)));
        const rows = () =>
            loaded.data.tokens.map(({ id, text }, position) => ({ position, id, token: text, coefficient: loaded.data.values[position] }));
        return () =>
            loaded.problem
                ? problemNotice(loaded.problem)
                : loaded.data &&
                  h('section', { class: 'activity', 'aria-label': 'Coefficients on the prompt' }, [
                      h('div', { class: 'row spread' }, [
                          h('h2', 'On the prompt’s tokens'),
                          h(Export, { what: `coefficients of ${label(props)}`, rows })
                      ]),
                      h(
                          'div',
                          { class: 'attended picture', dir: 'auto' },
                          loaded.data.tokens.map((each, position) => {
                              const value = loaded.data.values[position];
                              return h(
                                  'span',
                                  {
                                      key: position,
                                      class: ['chip', 'static', { negative: value < 0 }],
                                      style: { '--heat-share': (Math.abs(value) / largest.value).toFixed(3) },
                                      title: `coefficient ${fixed(value, 3)} at position ${position}`
                                  },
                                  [token(each.text), h('sub', fixed(value))]
                              );
                          })
                      ),
                      h('p', { class: 'hint' }, 'Its coefficient at each position, without interventions.')
                  ]);
    }
};
