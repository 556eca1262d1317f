// A neuron's place in a corpus: where its coefficient is largest and smallest.
import { h, ref } from '/lib/vue.js';
import { get, getBuilt } from '../api.js';
import { label } from '../edits.js';
import { useLoad } from '../load.js';
import { fixed, percent, token } from '../text.js';
import { Export } from './export.js';
import { busyLine, problemNotice } from './notice.js';

const STORIES = 'stories'; // the corpus that comes along
const TOP = 5;

export const Examples = {
    props: { layer: { type: Number, required: true }, neuron: { type: Number, required: true } },
    setup(props) {
        const wanted = ref(null); // a corpus that is to be read first, which may take minutes
        const corpora = useLoad(
            () => ({}),
            (_, signal) => get('/api/v1/corpora', signal)
        );
        const loaded = useLoad(
            () => wanted.value ?? corpora.data?.corpora[0]?.name ?? null,
            (corpus, signal, progress) =>
                getBuilt(
                    `/api/v1/values/${label(props)}/examples?top=${TOP}&corpus=${encodeURIComponent(corpus)}`,
                    signal,
                    progress
                ),
            corpus => corpus
        );

        const example = (each, largest) =>
            h('li', { key: `${each.document} ${each.position}` }, [
                h('span', { class: 'figure' }, fixed(each.coefficient)),
                h(
                    'span',
                    { class: 'passage', dir: 'auto' },
                    each.tokens.map((text, index) => {
                        const value = each.coefficients[index];
                        return token(text, {
                            class: { at: index === each.at, negative: value < 0 },
                            title: `coefficient ${fixed(value, 3)}`,
                            style: { '--heat-share': (Math.min(1, Math.abs(value) / largest) * 0.7).toFixed(3) }
                        });
                    })
                )
            ]);

        const list = (title, examples) =>
            examples.length > 0 && [
                h('h3', title),
                h(
                    'ol',
                    { class: 'examples-of' },
                    examples.map(each => example(each, Math.max(1e-9, Math.abs(examples[0].coefficient))))
                )
            ];

        const rows = () =>
            ['largest', 'smallest'].flatMap(list =>
                loaded.data[list].map(({ document, position, coefficient, tokens, at }) => ({
                    list,
                    document,
                    position,
                    token: tokens[at],
                    coefficient,
                    passage: tokens.join('')
                }))
            );

        const content = ({ corpus, summary, tokens, largest, smallest }) => [
            h(
                'p',
                { class: 'hint' },
                `Over ${corpus.tokens.toLocaleString('en')} tokens of ${corpus.name}: mean ${fixed(summary.mean)}, ` +
                    `standard deviation ${fixed(Math.sqrt(summary.variance))}, above zero at ${percent(summary.positive)}.`
            ),
            h('p', ['Largest on average at ', tokens.slice(0, 8).map(each => [token(each.token), ' '])]),
            list('Largest coefficients', largest),
            list('Smallest coefficients', smallest)
        ];

        return () =>
            h('section', { class: 'panel stack', 'aria-label': 'Examples' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', 'In a corpus'),
                    loaded.data && h(Export, { what: `${label(props)} in ${loaded.data.corpus.name}`, picture: false, rows })
                ]),
                busyLine(loaded),
                problemNotice(corpora.problem ?? loaded.problem, () => {
                    corpora.again++;
                    loaded.again++;
                }),
                loaded.data
                    ? content(loaded.data)
                    : corpora.data &&
                      !loaded.busy &&
                      h('p', [
                          'No corpus has been read for this model yet. ',
                          h('button', { type: 'button', onClick: () => (wanted.value = STORIES) }, `Read “${STORIES}”`)
                      ])
            ]);
    }
};
