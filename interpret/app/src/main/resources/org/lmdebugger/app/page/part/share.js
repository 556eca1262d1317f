// What is looked at, elsewhere: as a link, as a command, as Java, as JSON.
import { h, ref } from '/lib/vue.js';
import { post } from '../api.js';
import { enabledTexts, say, session, state } from '../state.js';
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

/** Has the browser keep a text as a file. */
export function download(text, name, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    Object.assign(document.createElement('a'), { href: address, download: name }).click();
    URL.revokeObjectURL(address);
}

export const Share = {
    props: { position: { type: Object, required: true }, request: { type: Object, required: true } },
    setup(props) {
        const problem = ref(null);

        async function json() {
            try {
                download(JSON.stringify(await post('/api/v1/trace', props.request), null, 2), 'trace.json', 'application/json');
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
                    line('command', command(props.position)),
                    line('Java', java(props.position)),
                    h('button', { type: 'button', onClick: json }, 'Download JSON'),
                    problemNotice(problem.value)
                ])
            ]);
    }
};
