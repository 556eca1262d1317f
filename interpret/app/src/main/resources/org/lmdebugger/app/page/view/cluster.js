// The page of a cluster of value vectors: what they say together, and each for itself.
import { h } from '/lib/vue.js';
import { getBuilt } from '../api.js';
import { label } from '../edits.js';
import { useLoad } from '../load.js';
import { link, state } from '../state.js';
import { cloud } from '../part/cloud.js';
import { Export } from '../part/export.js';
import { interveneButton } from '../part/neuron.js';
import { busyLine, problemNotice } from '../part/notice.js';
import { bars } from '../part/values.js';

export const Cluster = {
    setup() {
        const cluster = useLoad(
            () => ({}),
            (_, signal, progress) => getBuilt('/api/v1/clusters/' + encodeURIComponent(state.id), signal, progress)
        );

        const member = each =>
            h('section', { class: 'panel', key: label(each), 'aria-label': label(each) }, [
                h('div', { class: 'row spread' }, [
                    h('a', { href: link('value', label(each)) }, each.name ? `${label(each)} ${each.name}` : label(each)),
                    interveneButton(each.layer, each.neuron)
                ]),
                bars(each.top, 'promotes')
            ]);

        return () =>
            h('div', { class: 'view', 'aria-busy': String(cluster.busy) }, [
                busyLine(cluster),
                problemNotice(cluster.problem, () => cluster.again++),
                cluster.data && [
                    h('section', { class: 'panel' }, [
                        h('div', { class: 'row spread' }, [
                            h('h1', `Cluster ${cluster.data.label}`),
                            h(Export, { what: `cluster ${cluster.data.label}`, rows: () => cluster.data.tokens })
                        ]),
                        h('p', { class: 'hint' }, [
                            `${cluster.data.size} value vectors; one of ${cluster.data.clusters} clusters by ${cluster.data.method.replaceAll('_', ' ')}; in its middle `,
                            h(
                                'a',
                                { href: link('value', label(cluster.data.representative)) },
                                cluster.data.representative.name ?? label(cluster.data.representative)
                            )
                        ]),
                        cloud(cluster.data.tokens, 'The tokens that its value vectors promote together, the larger the more')
                    ]),
                    h('div', { class: 'members' }, cluster.data.members.map(member))
                ]
            ]);
    }
};
