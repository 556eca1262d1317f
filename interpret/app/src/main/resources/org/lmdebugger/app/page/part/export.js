// A menu that keeps a figure as a picture, and a table or the numbers of a figure as a file.
import { h, nextTick, ref } from '/lib/vue.js';
import { pictureOf, pngOf, svgOf } from '../picture.js';
import { say, session, state } from '../state.js';
import { problemNotice } from './notice.js';

const LONGEST = 60; // characters of a prompt in a file's name

const words = text =>
    text
        .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
        .slice(0, LONGEST)
        .replaceAll(/^-+|-+$/g, '');

/** The name of a file: what it shows, of which model, of which prompt. */
export const fileName = (what, ending) =>
    [what, session.model?.model ?? '', state.prompt].map(words).filter(each => each !== '').join('_') + '.' + ending;

/** Has the browser keep a file. */
export function download(content, name, type) {
    const address = URL.createObjectURL(new Blob([content], { type }));
    Object.assign(document.createElement('a'), { href: address, download: name }).click();
    URL.revokeObjectURL(address);
}

const cell = value => {
    const text = value == null ? '' : Array.isArray(value) ? value.join(' ') : String(value);
    return /[",\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Rows, each an object, as CSV (RFC 4180) with a line of names; a row need not have all of them. */
export function csvOf(rows) {
    const names = [...new Set(rows.flatMap(Object.keys))];
    return [names, ...rows.map(row => names.map(name => row[name]))].map(line => line.map(cell).join(',') + '\r\n').join('');
}

/** The picture is of the element of class `picture` in the section, article or figure around the menu. */
export const Export = {
    props: {
        what: { type: String, required: true }, // for people and the names of files
        rows: { type: Function, default: null }, // returns a list of objects, with numbers as the server gave them
        picture: { type: Boolean, default: true }
    },
    setup(props) {
        const menu = ref(null);
        const problem = ref(null);
        const shown = () => pictureOf(menu.value.closest('section, article, figure').querySelector('.picture'));
        const files = {
            SVG: [() => svgOf(shown()), 'image/svg+xml'],
            PNG: [() => pngOf(shown()), 'image/png'],
            CSV: [() => csvOf(props.rows()), 'text/csv'],
            JSON: [() => JSON.stringify(props.rows(), null, 2) + '\n', 'application/json']
        };

        async function save(kind) {
            const [content, type] = files[kind];
            const name = fileName(props.what, kind.toLowerCase());
            try {
                download(await content(), name, type);
                problem.value = null;
                close();
                say(`${name} downloaded`);
            } catch (failure) {
                problem.value = failure;
            }
        }

        function close() {
            menu.value.open = false;
            nextTick(() => menu.value?.querySelector('summary').focus());
        }

        return () =>
            h(
                'details',
                {
                    ref: menu,
                    class: 'export',
                    onKeydown: event => event.key === 'Escape' && menu.value.open && close(),
                    onFocusout: event => event.relatedTarget && !menu.value?.contains(event.relatedTarget) && (menu.value.open = false)
                },
                [
                    h('summary', { 'aria-label': `Export ${props.what}` }, 'Export'),
                    h('div', { class: 'panel row' }, [
                        [...(props.picture ? ['SVG', 'PNG'] : []), ...(props.rows ? ['CSV', 'JSON'] : [])].map(kind =>
                            h('button', { type: 'button', 'aria-label': `${props.what} as ${kind}`, onClick: () => save(kind) }, kind)
                        ),
                        problemNotice(problem.value)
                    ])
                ]
            );
    }
};
