// Many neurons edited, each by itself: which of them cause the prediction?
import { h, onUnmounted, reactive, watch } from '/lib/vue.js';
import { events, get, post, request } from '../api.js';
import { label, parseEdit } from '../edits.js';
import { useLoad } from '../load.js';
import { addText, enabledTexts, nameOf, say, state } from '../state.js';
import { changeOf, decimals, fixed, plural, unitOf, valueOf } from '../text.js';
import { Export } from '../part/export.js';
import { iconButton } from '../part/icon.js';
import { Interventions } from '../part/interventions.js';
import { neuronLink } from '../part/neuron.js';
import { busyLine, emptyNotice, problemNotice, progressBar } from '../part/notice.js';
import { Prompt } from '../part/prompt.js';
import { isResampled } from '../part/samples.js';
import { segments } from '../part/segments.js';
import { SweepForm } from '../part/sweep-form.js';
import { SweepMap } from '../part/sweep-map.js';
import { tokens } from '../part/values.js';

/** How far a value is from the unedited prompt's, where that is another number. */
function difference(measure, change, isAnother, digits) {
    const tone = change === 0 ? '' : change < 0 ? 'against' : 'for';
    return isAnother && h('span', { class: ['difference', tone] }, changeOf(measure, change, digits));
}

/** Whether a selection is of other parts than neurons, such as heads. */
const isSites = text => /^(heads|[qkv]|pattern|links|pre|mid|post|attention|ffn)\b|^L\d+(H|\.)/.test(text);

const LISTED = 50; // effects
const SEARCHED = 1000; // of the strongest, for names and words

/** Whether a search is for a neuron, a head or a layer, by the beginning of its name. */
const isPart = search => /^L\d/.test(search);

/** Whether an effect's neuron has a name, or promotes a token, with these words in it. */
const isNamed = ({ layer, neuron, says }, words) =>
    [nameOf(layer, neuron) ?? '', ...says].some(text => text.toLowerCase().includes(words.toLowerCase()));

/** The edit that a sweep made of a neuron. */
function editOf({ mode, operations, at }, neuron) {
    const [name, amount] = (operations?.[0] ?? 'off').split(/:(.*)/s);
    const change =
        mode === 'lm-debugger'
            ? '=' + name
            : { off: '=0', set: '=' + amount, scale: '*=' + amount, add: '+=' + amount }[name] ?? `=${name}:${amount}`;
    return label(neuron) + change + (mode === 'lm-debugger' || at === 'all' ? '' : '@' + (at ?? 'last'));
}

export const Sweep = {
    setup() {
        const run = reactive({ job: null, problem: null, starting: false, measure: null, order: 'measure', change: 'any', search: '', began: null });
        let controller = null;
        const path = () => '/api/v1/sweeps/' + encodeURIComponent(state.sweep);
        const ready = () => (run.job?.state === 'done' && run.measure !== null ? { path: path(), measure: run.measure, change: run.change } : null);
        const part =
            name =>
            ({ path, ...query }, signal) =>
                get(`${path}/${name}?${new URLSearchParams(query)}`, signal);
        const found = () => (run.search === '' ? { top: LISTED } : isPart(run.search) ? { top: LISTED, part: run.search } : { top: SEARCHED });
        const strongest = useLoad(() => ready() && { ...ready(), ...found() }, part('strongest'), ({ path }) => path);
        const map = useLoad(() => ready() && { path: path(), measure: run.measure }, part('map'), ({ path }) => path);

        /** What the form asks for. */
        const wanted = () => ({
            prompts: [state.prompt],
            mode: state.mode,
            ...(isSites(state.neurons) ? { sites: state.neurons } : { neurons: state.neurons }),
            edits: state.onTop ? enabledTexts() : [],
            operations: [state.operation],
            at: state.at,
            ...(isResampled() && state.samples > 1 ? { samples: state.samples } : {}),
            measures: state.measures
        });
        const differs = () =>
            Object.entries(wanted()).some(
                ([name, value]) => JSON.stringify(value) !== JSON.stringify(run.job.request[name])
            );

        /** Makes the form that of the sweep which is shown. */
        function takeOver() {
            const { prompts, mode, neurons, sites, edits, operations, at, samples, measures } = run.job.request;
            Object.assign(state, {
                prompt: prompts[0],
                mode: mode ?? 'exact',
                neurons: neurons ?? sites ?? 'all',
                operation: operations?.[0] ?? 'off',
                at: at ?? 'last',
                samples: samples ?? 1,
                measures: measures ?? ['kl'],
                edits: (edits ?? []).map(parseEdit),
                onTop: true
            });
        }

        async function start() {
            Object.assign(run, { job: null, problem: null, starting: true });
            try {
                state.sweep = (await post('/api/v1/sweeps', wanted())).id;
            } catch (problem) {
                run.problem = problem;
            }
            run.starting = false;
        }

        /** Follows the sweep of that id to its end. */
        async function follow(id) {
            controller?.abort();
            const mine = (controller = new AbortController());
            Object.assign(run, { job: null, problem: null, began: null });
            if (id === '') {
                return;
            }
            try {
                for await (const { data } of events('GET', path() + '/events', undefined, mine.signal)) {
                    run.job = data;
                    run.began ??= data.state === 'running' ? { at: performance.now(), done: data.done } : null;
                    run.measure = data.measures.includes(run.measure)
                        ? run.measure
                        : (data.measures.find(each => !each.startsWith('top:')) ?? null);
                }
                run.problem = run.job.problem ? { title: run.job.problem.title, message: run.job.problem.detail } : null;
                say(`The sweep is ${run.job.state}`);
            } catch (problem) {
                if (problem.name !== 'AbortError') {
                    run.problem = problem;
                }
            }
        }
        watch(() => state.sweep, follow, { immediate: true });
        onUnmounted(() => controller?.abort());

        async function cancel() {
            try {
                await request('DELETE', path());
            } catch (problem) {
                run.problem = problem;
            }
        }

        function left() {
            const seconds = (performance.now() - run.began?.at) / 1000;
            const rate = (run.job.done - run.began?.done) / seconds;
            return rate > 0 ? `, about ${Math.ceil((run.job.effects - run.job.done) / rate)} s left` : '';
        }

        const isRunning = () => run.job && ['waiting', 'running'].includes(run.job.state);

        const progress = () =>
            h('section', { class: 'panel row spread' }, [
                progressBar(
                    run.job.done,
                    run.job.effects,
                    run.job.state === 'waiting'
                        ? 'waits for its turn'
                        : `${run.job.done.toLocaleString('en')} of ${plural(run.job.effects, 'effect')}, ${Math.round(run.job.gflop).toLocaleString('en')} GFLOP${left()}`
                ),
                h('button', { type: 'button', class: 'danger', onClick: cancel }, 'Cancel')
            ]);

        const shown = () =>
            run.search === '' || isPart(run.search)
                ? strongest.data.effects
                : strongest.data.effects.filter(each => isNamed(each, run.search)).slice(0, LISTED);

        const sorted = () =>
            run.order === 'measure' ? shown() : [...shown()].sort((a, b) => a.layer - b.layer || a.neuron - b.neuron);

        /** Of each measure, how many decimals its column has. */
        const digits = () =>
            strongest.data.measures.map((_, index) =>
                decimals([strongest.data.clean[index], ...strongest.data.effects.map(each => each.values[index])])
            );

        /** What the results are of; where the form asks for something else, that is said. */
        const of = () => {
            const { prompts, neurons, sites, edits, operations, at, samples } = run.job.request;
            return h('section', { class: ['panel', 'of'], 'aria-label': 'What was measured' }, [
                h('p', [
                    h('b', `“${prompts[0]}”`),
                    `: ${sites ? `parts ${sites}` : `neurons ${neurons}`}, ${operations.join(', ')} at ${at}${samples ? `, means over ${samples} texts` : ''}`,
                    edits?.length > 0 ? `, on top of ${edits.join('  ')}` : ', with no other interventions'
                ]),
                differs() &&
                    h('div', { class: 'notice problem row spread', role: 'status' }, [
                        'These are the results of that sweep; the form above asks for another.',
                        h('button', { type: 'button', onClick: takeOver }, 'Take its settings')
                    ])
            ]);
        };

        const heading = (text, chosen, choose, unit) =>
            h(
                'th',
                { scope: 'col', 'aria-sort': chosen ? (text === 'value vector' ? 'ascending' : 'descending') : undefined },
                h('button', { type: 'button', class: 'link', onClick: choose }, [
                    text,
                    chosen && (text === 'value vector' ? ' ↑' : ' ↓')
                ]),
                unit && h('span', { class: 'unit' }, ` ${unit}`)
            );

        /** The rows as files have them. */
        const filed = () =>
            sorted().map(({ edits, layer, neuron, says, values, standard_errors: errors }) => ({
                edit: edits[0],
                ...(layer < 0 ? {} : { layer, neuron }),
                promotes: says,
                ...Object.fromEntries(strongest.data.measures.map((measure, index) => [measure, values[index]])),
                ...Object.fromEntries((errors ?? []).map((error, index) => [`standard error of ${strongest.data.measures[index]}`, error]))
            }));

        const causes = (columns = digits()) =>
            h('section', { class: 'panel', 'aria-label': 'Causes' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', `The ${plural(shown().length, 'strongest cause')}${run.search === '' ? '' : ` of “${run.search}”`}`),
                    h('input', {
                        type: 'search',
                        'aria-label': 'Search the effects',
                        placeholder: 'L2D304, L2, a name, a token',
                        title: `Neurons, heads or layers among all effects; names and promoted tokens among the ${SEARCHED} strongest`,
                        value: run.search,
                        spellcheck: false,
                        onChange: event => (run.search = event.target.value.trim())
                    }),
                    segments(
                        'Change of the measure',
                        [
                            ['any', 'all'],
                            ['raises', 'raise it'],
                            ['lowers', 'lower it']
                        ],
                        run.change,
                        change => (run.change = change)
                    ),
                    h(
                        'div',
                        { class: 'row' },
                        [h(Export, { what: 'strongest causes', rows: filed }), ...['csv', 'parquet'].map(format =>
                            h(
                                'a',
                                { class: 'button', href: `${path()}/effects.${format}`, download: `effects.${format}` },
                                `Download ${{ csv: 'CSV', parquet: 'Parquet' }[format]}`
                            )
                        )]
                    )
                ]),
                h(
                    'div',
                    { class: 'scroll' },
                    h('table', { class: 'causes picture' }, [
                        h('thead', [
                            h('tr', [
                                heading('value vector', run.order === 'vector', () => (run.order = 'vector')),
                                h('th', { scope: 'col' }, 'promotes'),
                                strongest.data.measures.map(measure =>
                                    heading(
                                        measure,
                                        run.order === 'measure' && measure === strongest.data.sorted_by,
                                        () => Object.assign(run, { measure, order: 'measure' }),
                                        unitOf(measure)
                                    )
                                ),
                                h('th', h('span', { class: 'unseen' }, 'Tools'))
                            ]),
                            h('tr', { class: 'unedited' }, [
                                h('th', { scope: 'row' }, 'unedited'),
                                h('td'),
                                strongest.data.clean.map((value, index) =>
                                    h('td', { class: 'figure' }, valueOf(strongest.data.measures[index], value, columns[index]))
                                ),
                                h('td')
                            ])
                        ]),
                        h(
                            'tbody',
                            sorted().map(each =>
                                h('tr', { key: each.edits[0] }, [
                                    h('th', { scope: 'row' }, each.layer < 0 ? each.edits[0] : neuronLink(each.layer, each.neuron)),
                                    h('td', { class: 'promotes' }, tokens(each.says)),
                                    each.values.map((value, index) =>
                                        h(
                                            'td',
                                            { key: index, class: 'figure' },
                                            value === null
                                                ? 'not finite'
                                                : [
                                                      valueOf(strongest.data.measures[index], value, columns[index]),
                                                      each.standard_errors &&
                                                          h('span', { class: 'error', title: 'Standard error of the mean' }, ` ± ${fixed(each.standard_errors[index], columns[index])}`),
                                                      difference(
                                                          strongest.data.measures[index],
                                                          value - strongest.data.clean[index],
                                                          strongest.data.clean[index] !== 0,
                                                          columns[index]
                                                      )
                                                  ]
                                        )
                                    ),
                                    h(
                                        'td',
                                        { class: 'end' },
                                        iconButton('add', `Add ${each.layer < 0 ? each.edits[0] : label(each)} to the interventions`, () =>
                                            addText(each.edits[0])
                                        )
                                    )
                                ])
                            )
                        )
                    ])
                )
            ]);

        return () =>
            h(
                'div',
                {
                    class: ['view', { stale: strongest.busy && strongest.data }],
                    'aria-busy': String(Boolean(run.starting || isRunning() || strongest.busy))
                },
                [
                    h(Prompt, { traced: false }),
                    h(Interventions),
                    h(SweepForm, { running: Boolean(run.starting || isRunning()), onStart: start }),
                    busyLine({ busy: run.starting || strongest.busy }),
                    problemNotice(run.problem ?? strongest.problem ?? map.problem),
                    isRunning()
                        ? progress()
                        : run.job?.state === 'cancelled'
                          ? emptyNotice(`Cancelled after ${run.job.done} of ${plural(run.job.effects, 'effect')}.`)
                          : !run.job &&
                            !run.problem &&
                            emptyNotice(
                                state.prompt === ''
                                    ? 'Write a prompt above; a sweep measures what each neuron does to its prediction.'
                                    : 'Start a sweep: each chosen neuron is edited by itself, and what that does to the prediction is measured.'
                            ),
                    run.job && of(),
                    map.data &&
                        !map.problem &&
                        run.job.request.neurons !== undefined &&
                        h(SweepMap, { map: map.data, onPick: neuron => addText(editOf(run.job.request, neuron)) }),
                    strongest.data && !strongest.problem && causes()
                ]
            );
    }
};
