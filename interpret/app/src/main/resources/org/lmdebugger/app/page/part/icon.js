// Signs on buttons, drawn, so that they do not depend on fonts.
import { h } from '/lib/vue.js';

const PATHS = {
    add: 'M8 3v10M3 8h10',
    close: 'M4 4l8 8M12 4l-8 8',
    remove: 'M3 8h10',
    undo: 'M6 4L3 7l3 3M3 7h6a4 4 0 0 1 0 8H7',
    redo: 'M10 4l3 3-3 3M13 7H7a4 4 0 0 0 0 8h2',
    copy: 'M6 6h7v7H6zM10 6V3H3v7h3',
    left: 'M10 3L5 8l5 5',
    right: 'M6 3l5 5-5 5'
};

/** A button that shows a sign and is called `name`. */
export function iconButton(sign, name, onClick, attributes = {}) {
    return h(
        'button',
        { type: 'button', class: 'icon', title: name, 'aria-label': name, onClick, ...attributes },
        h('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, h('path', { d: PATHS[sign] }))
    );
}
