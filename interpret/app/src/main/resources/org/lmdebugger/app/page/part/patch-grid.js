// The numbers of patching each part of a kind: parts × positions, or layers × heads where all positions are patched at once.
import { computed, h, ref } from '/lib/vue.js';
import { fixed, signed, visible } from '../text.js';
import { Export } from './export.js';
import { HeatCanvas } from './heat-canvas.js';
import { textButton } from './neuron.js';

export const NUMBERS = { normalised: 'normalised', effect: 'logit difference', kl: 'KL' };

/** A cell's part and place, as an intervention names it. */
export const placeOf = ({ part, column }) => part + (column === 'all' ? '' : '@' + column);

/** What is to be written before a cell becomes what it is: it takes the part of the other prompt. */
export const textOf = ({ part, column }, from) => `${part}=from:"${from}"` + (column === 'all' ? '' : '@' + column);

/** All numbers of a cell in words. */
const says = (cell, tokens) =>
    `${placeOf(cell)}${cell.column === 'all' ? '' : ' ' + visible(tokens[cell.column].token)}: ` +
    (cell.effect === 0
        ? 'without any effect'
        : `normalised ${cell.normalised === null ? '–' : fixed(cell.normalised, 3)}, logit difference ${signed(cell.difference)} ` +
          `(${signed(cell.effect)}), KL ${fixed(cell.kl, 4)}`);

/** The cells of a grid: {sites, part, column, difference, effect, normalised, kl}, by part and column. */
export const cellsOf = ({ sites, parts, columns, ...numbers }) =>
    parts.map((part, row) =>
        columns.map((column, at) => ({
            sites,
            part,
            column,
            ...Object.fromEntries(Object.entries(numbers).map(([name, values]) => [name, values[row][at]]))
        }))
    );

/** Layers × heads where there is one column: {rows, columns, cells}. */
function arranged(grid, tokens) {
    const cells = cellsOf(grid);
    const heads = grid.parts.map(part => /^L(\d+)H(\d+)/.exec(part));
    if (grid.columns.length > 1 || heads.some(each => each === null)) {
        const columns = grid.columns.map(column => (column === 'all' ? 'all positions' : visible(tokens[column].token)));
        return { rows: grid.parts, columns, cells };
    }
    const layers = Map.groupBy(cells.flat(), ({ part }) => part.replace(/H.*/, ''));
    return {
        rows: [...layers.keys()],
        columns: [...layers.values()][0].map(({ part }) => part.replace(/^L\d+/, '')),
        cells: [...layers.values()]
    };
}

/** The place, [column, row], of the largest effect. */
function strongestIn(cells) {
    const places = cells.flatMap((row, at) => row.map((cell, column) => ({ place: [column, at], size: Math.abs(cell.effect ?? 0) })));
    return places.reduce((a, b) => (b.size > a.size ? b : a)).place;
}

export const PatchGrid = {
    props: {
        grid: { type: Object, required: true },
        tokens: { type: Array, required: true },
        number: { type: String, required: true },
        unpatched: { type: Number, required: true }, // what the number is where nothing changes
        largest: { type: Number, required: true }, // change of the number that has the full colour
        from: { type: String, default: null } // the prompt that gives activations; null if the other is not looked at
    },
    emits: ['add'],
    setup(props, { emit }) {
        const shown = computed(() => arranged(props.grid, props.tokens));
        const chosen = ref(strongestIn(shown.value.cells));
        const cell = computed(() => {
            const { number, unpatched, largest, tokens } = props;
            return (column, row) => {
                const found = shown.value.cells[row][column];
                const value = found[number];
                return {
                    heat: value === null ? null : (value - unpatched) / largest,
                    text: value === null || found.effect === 0 ? '·' : fixed(value),
                    changed: false,
                    says: says(found, tokens)
                };
            };
        });
        function open(column, row, by) {
            chosen.value = [column, row];
            if (by === 'click' && props.from !== null) {
                emit('add', textOf(shown.value.cells[row][column], props.from));
            }
        }

        return () => {
            const { rows, columns, cells } = shown.value;
            const [column, row] = chosen.value;
            return h('section', { class: 'panel patch-grid', 'aria-label': props.grid.sites }, [
                h('div', { class: 'row spread' }, [
                    h('h2', props.grid.sites),
                    h('div', { class: 'row' }, [
                        props.from !== null && [
                            h('span', { class: 'hint' }, placeOf(cells[row][column])),
                            textButton(textOf(cells[row][column], props.from), placeOf(cells[row][column]), 'Patch')
                        ],
                        h(Export, { what: `patching of ${props.grid.sites}`, rows: () => cells.flat() })
                    ])
                ]),
                h(HeatCanvas, {
                    name: `Effects of ${props.grid.sites}`,
                    rows,
                    columns,
                    headed: true,
                    chosen: chosen.value,
                    cell: cell.value,
                    onOpen: open
                })
            ]);
        };
    }
};
