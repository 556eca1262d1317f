// What is looked at, elsewhere: as a link, as a command, as Java, as JSON.
import { h, ref } from '/lib/vue.js';
import { enabledTexts, say, session, state } from '../state.js';
import { download } from './export.js';
import { problemNotice } from './notice.js';

const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;

/** The command that prints the same trace. */
export function command({ target, against }) {
    const options = [
        ...(session.model ? [`--model ${quoted(session.model.model)}`] : []),
        ...(state.position < 0 ? [] : [`--position ${state.position}`]),
        ...(state.token === '' ? [] : [`--target ${quoted(target.token)}`]),
        ...(against ? [`--against ${quoted(against.token)}`] : []),
        ...enabledTexts().map(text => `--edit ${quoted(text)}`),
        ...(state.mode === 'exact' ? [] : [`--mode ${state.mode}`])
    ];
    return ['lmdebug trace', quoted(state.prompt), ...options, '--total'].join(' ');
}

/** The call of the library that returns the same trace. */
export function java({ against }) {
    const texts = enabledTexts().map(text => JSON.stringify(text)).join(', ');
    const list = state.mode === 'exact' ? texts : `Mode.LM_DEBUGGER, List.of(${texts})`;
    const edits = texts === '' ? 'Intervention.NONE' : `Intervention.parse(${list})`;
    const options = [
        'TraceOptions.DEFAULT',
        ...(state.position < 0 ? [] : [`at(${state.position})`]),
        ...(state.token === '' ? [] : [`following(${state.token.slice(1)})`]),
        ...(against ? [`against(${against.id})`] : []),
        'withTotalEffects()'
    ].join('.');
    return `debugger.trace(${JSON.stringify(state.prompt)}, ${edits}, ${options})`;
}

/** The command that patches the same pair. @param tokens {target, against} as traced */
export function patchCommand({ clean, corrupted, answers, wrong, sites, direction, at }, { target, against }) {
    const options = [
        ...(session.model ? [`--model ${quoted(session.model.model)}`] : []),
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
