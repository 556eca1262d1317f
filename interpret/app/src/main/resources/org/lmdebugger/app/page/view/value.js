// The page of a value vector: what it promotes and suppresses, what is like it, its cluster, its name.
import { h } from '/lib/vue.js';
import { getBuilt } from '../api.js';
import { label } from '../edits.js';
import { useLoad } from '../load.js';
import { link, nameOf, session, state } from '../state.js';
import { fixed } from '../text.js';
import { cloud } from '../part/cloud.js';
import { Coefficients } from '../part/coefficients.js';
import { Export } from '../part/export.js';
import { Examples } from '../part/examples.js';
import { interveneWords, neuronLink } from '../part/neuron.js';
import { busyLine, problemNotice } from '../part/notice.js';
import { Rename } from '../part/rename.js';
import { segments } from '../part/segments.js';
import { bars, logitRows, tokens } from '../part/values.js';

const BARS = 40;

export const Value = {
    setup() {
        const path = '/api/v1/values/' + encodeURIComponent(state.id);
        const value = useLoad(
            () => ({ reading: state.reading }),
            ({ reading }, signal, progress) => getBuilt(`${path}?top=50&reading=${encodeURIComponent(reading)}`, signal, progress)
        );
        const similar = useLoad(
            () => value.data && {},
            (_, signal, progress) => getBuilt(path + '/similar?top=10', signal, progress)
        );
        const cluster = useLoad(
            () => value.data && {},
            (_, signal, progress) => getBuilt(path + '/cluster', signal, progress)
        );

        const readings = () =>
            segments(
                'Reading',
                [
                    ['raw', 'raw'],
                    ['final-norm', 'as after the final norm']
                ],
                state.reading,
                reading => (state.reading = reading)
            );

        const step = (by, text) => {
            const { layer, neuron } = value.data;
            const to = neuron + by;
            return (
                to >= 0 &&
                to < (session.model?.neurons ?? 0) &&
                h('a', { class: 'quiet', href: link('value', label({ layer, neuron: to })) }, text)
            );
        };

        const head = () =>
            h('section', { class: 'panel' }, [
                h('div', { class: 'row spread' }, [
                    h('h1', [
                        state.id,
                        nameOf(value.data.layer, value.data.neuron) &&
                            h('span', { class: 'name' }, nameOf(value.data.layer, value.data.neuron))
                    ]),
                    h('div', { class: 'row' }, [step(-1, '‹ previous'), step(1, 'next ›')])
                ]),
                h('div', { class: 'row wrap' }, [
                    h(Rename, { layer: value.data.layer, neuron: value.data.neuron }),
                    interveneWords(value.data.layer, value.data.neuron),
                    h('span', { class: 'hint' }, `norm ${fixed(value.data.norm)}`)
                ])
            ]);

        const alike = () =>
            h('section', { class: 'panel', 'aria-label': 'Similar' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', 'Similar value vectors'),
                    similar.data && h(Export, { what: `similar to ${state.id}`, picture: false, rows: () => similar.data.similar })
                ]),
                busyLine(similar),
                problemNotice(similar.problem, () => similar.again++),
                similar.data &&
                    h(
                        'ol',
                        { class: 'found' },
                        similar.data.similar.map(each =>
                            h('li', { key: label(each) }, [
                                h('div', { class: 'row' }, [
                                    h('a', { href: link('value', label(each)) }, each.name ?? label(each)),
                                    h('span', { class: 'hint' }, `cosine ${fixed(each.score, 3)}`)
                                ]),
                                tokens(each.tokens)
                            ])
                        )
                    )
            ]);

        const family = () =>
            h('section', { class: 'panel', 'aria-label': 'Cluster' }, [
                h('h2', 'Cluster'),
                busyLine(cluster),
                problemNotice(cluster.problem, () => cluster.again++),
                cluster.data && [
                    h('p', [
                        h('a', { href: link('cluster', cluster.data.label) }, `Cluster ${cluster.data.label}`),
                        ` of ${cluster.data.size} value vectors`
                    ]),
                    tokens(cluster.data.tokens.slice(0, 12).map(each => each.token)),
                    h(
                        'p',
                        { class: 'row wrap' },
                        cluster.data.members.map(each => neuronLink(each.layer, each.neuron))
                    )
                ]
            ]);

        return () =>
            h('div', { class: ['view', { stale: value.busy && value.data }], 'aria-busy': String(value.busy) }, [
                busyLine(value),
                problemNotice(value.problem, () => value.again++),
                value.data &&
                    !value.problem && [
                        head(),
                        state.prompt !== '' &&
                            h('section', { class: 'panel' }, h(Coefficients, { layer: value.data.layer, neuron: value.data.neuron })),
                        h('div', { class: 'value-columns' }, [
                            h('section', { class: 'panel' }, [
                                h('div', { class: 'row spread' }, [
                                    h('h2', 'What it says'),
                                    h('div', { class: 'row' }, [
                                        readings(),
                                        h(Export, { what: `tokens of ${state.id}`, rows: () => logitRows(value.data) })
                                    ])
                                ]),
                                cloud(value.data.top, `The tokens that ${state.id} promotes, the larger the more`),
                                h('div', { class: 'halves' }, [
                                    bars(value.data.top.slice(0, BARS), 'promotes'),
                                    bars(value.data.bottom.slice(0, BARS), 'suppresses')
                                ])
                            ]),
                            h('div', { class: 'stack' }, [alike(), family()])
                        ]),
                        h(Examples, { layer: value.data.layer, neuron: value.data.neuron })
                    ]
            ]);
    }
};
