// What is looked at, elsewhere: as a link, as a command, as Java, as JSON.
import { h, ref } from '/lib/vue.js';
import { enabledTexts, say, session, state } from '../state.js';
import { download } from './export.js';
import { problemNotice } from './notice.js';

const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;

const modelOption = () => (session.model ? [`--model ${quoted(session.model.model)}`] : []);
const editOptions = (texts, mode) => [...texts.map(text => `--edit ${quoted(text)}`), ...(mode === 'exact' ? [] : [`--mode ${mode}`])];

/** Interventions as the library takes them. */
function editsJava(texts, mode) {
    const list = texts.map(text => JSON.stringify(text)).join(', ');
    return list === '' ? 'Intervention.NONE' : `Intervention.parse(${mode === 'exact' ? list : `Mode.LM_DEBUGGER, List.of(${list})`})`;
}

/** The command that prints the same trace. */
export function command({ target, against }) {
    const options = [
        ...modelOption(),
        ...(state.position < 0 ? [] : [`--position ${state.position}`]),
        ...(state.token === '' ? [] : [`--target ${quoted(target.token)}`]),
        ...(against ? [`--against ${quoted(against.token)}`] : []),
        ...editOptions(enabledTexts(), state.mode)
    ];
    return ['lmdebug trace', quoted(state.prompt), ...options, '--total'].join(' ');
}

/** The call of the library that returns the same trace. */
export function java({ against }) {
    const options = [
        'TraceOptions.DEFAULT',
        ...(state.position < 0 ? [] : [`at(${state.position})`]),
        ...(state.token === '' ? [] : [`following(${state.token.slice(1)})`]),
        ...(against ? [`against(${against.id})`] : []),
        'withTotalEffects()'
    ].join('.');
    return `debugger.trace(${JSON.stringify(state.prompt)}, ${editsJava(enabledTexts(), state.mode)}, ${options})`;
}

/** The command that patches the same pair. @param tokens {target, against} as traced */
export function patchCommand({ clean, corrupted, answers, wrong, sites, direction, at }, { target, against }) {
    const options = [
        ...modelOption(),
        ...(answers.length === 0 ? [] : [`--answer ${quoted(target.token)}`]),
        ...(wrong.length === 0 ? [] : [`--wrong ${quoted(against.token)}`]),
        `--sites ${sites.join(',')}`,
        ...(direction === 'denoise' ? [] : [`--direction ${direction}`]),
        ...(at === 'each' ? [] : [`--at ${at}`])
    ];
    return ['lmdebug patch', quoted(clean), quoted(corrupted), ...options].join(' ');
}

/** The call of the library that patches the same pair. */
export function patchJava({ clean, corrupted, answers, wrong, sites, direction, at }) {
    const list = ids => `List.of(${ids.map(id => `Measure.Token.ofId(${id.slice(1)})`).join(', ')})`;
    const prompts = [clean, corrupted].map(text => `Prompt.of(${JSON.stringify(text)})`).join(', ');
    const how = `Direction.${direction.toUpperCase()}, Columns.${at === 'each' ? 'POSITIONS' : 'ALL'}`;
    const patchings = sites.map(site => `new Patching(PartSelection.parse("${site}"), ${how})`).join(', ');
    return `debugger.patch(Pair.completed(debugger.model(), ${prompts}, ${list(answers)}, ${list(wrong)}), List.of(${patchings}), Progress.NONE)`;
}

/** The command that generates the same continuations. */
export function generateCommand({ prompt, mode, tokens, temperature, top_k, top_p, continuations }) {
    const { edits = [], seed } = continuations.at(-1);
    const options = [
        ...modelOption(),
        ...(edits.length === 0 ? [] : ['--compare']),
        ...editOptions(edits, mode),
        `--tokens ${tokens}`,
        ...(temperature === 0 ? [] : [`--temperature ${temperature} --top-k ${top_k} --top-p ${top_p} --seed ${seed}`])
    ];
    return ['lmdebug generate', quoted(prompt), ...options].join(' ');
}

/** The call of the library that generates the same continuations. */
export function generateJava({ prompt, mode, tokens, temperature, top_k, top_p, continuations }) {
    const list = continuations.map(({ edits = [], seed }) => `new Continuation(${editsJava(edits, mode)}, ${seed})`).join(', ');
    const options = `new GenerationOptions(${tokens}, new Sampling(${temperature}f, ${top_k}, ${top_p}f))`;
    return `debugger.generate(${JSON.stringify(prompt)}, List.of(${list}), ${options}, (continuation, token) -> true)`;
}

export const Share = {
    props: {
        command: { type: String, required: true },
        java: { type: String, required: true },
        file: { type: String, required: true }, // the name of the JSON
        load: { type: Function, required: true } // returns the JSON, or a promise of it
    },
    setup(props) {
        const problem = ref(null);

        async function json() {
            try {
                download(JSON.stringify(await props.load(), null, 2), props.file, 'application/json');
                problem.value = null;
            } catch (failure) {
                problem.value = failure;
            }
        }

        const line = (name, text) =>
            h('label', { class: 'field' }, [
                name,
                h('span', { class: 'row' }, [
                    h('input', { type: 'text', readonly: true, value: text, onFocus: event => event.target.select() }),
                    h(
                        'button',
                        {
                            type: 'button',
                            'aria-label': `Copy as ${name}`,
                            onClick: () => navigator.clipboard.writeText(text).then(() => say('Copied'), failure => (problem.value = failure))
                        },
                        'Copy'
                    )
                ])
            ]);

        return () =>
            h('details', { class: 'share' }, [
                h('summary', 'Share'),
                h('div', { class: 'panel stack' }, [
                    line('link', location.origin + '/' + location.hash),
                    line('command', props.command),
                    line('Java', props.java),
                    h('button', { type: 'button', onClick: json }, 'Download JSON'),
                    problemNotice(problem.value)
                ])
            ]);
    }
};
