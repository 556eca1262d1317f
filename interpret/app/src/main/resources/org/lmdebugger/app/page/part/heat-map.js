// Layers × positions: what each layer would predict at each position, or how a chosen token ranks there.
import { computed, h, nextTick, ref } from '/lib/vue.js';
import { show } from '../media.js';
import { enabledEdits, say, state } from '../state.js';
import { percent, rank, token, visible } from '../text.js';
import { Export } from './export.js';
import { cellHeight, HeatCanvas } from './heat-canvas.js';
import { segments } from './segments.js';

const AT_ONCE = 24; // positions, as each cell is an element; longer prompts are drawn
const NEARBY = 12; // positions of a long prompt that are shown as a table

/** Returns what each cell shows: how strong its colour is, its text, and whether edits changed it. */
function reader(clean, shown, ranks) {
    return (position, layer) => {
        const [before, after] = [clean[position].layers[layer], shown[position].layers[layer]];
        const top = after.after[0];
        const standing = after.chosen[0]?.after;
        return ranks
            ? {
                  heat: 1 - Math.min(1, Math.log10(standing.rank + 1) / 4),
                  text: (standing.rank + 1).toLocaleString('en'),
                  says: `${visible(after.chosen[0].token)} ranks ${rank(standing.rank)}, ${percent(standing.probability)}`,
                  changed: standing.rank !== before.chosen[0].after.rank
              }
            : {
                  heat: top.probability,
                  text: top.token,
                  says: `${visible(top.token)} ${percent(top.probability)}`,
                  changed: top.id !== before.after[0].id
              };
    };
}

/** How high the map of a prompt is, in pixels, before it is there. */
export const heightOf = (layers, positions) =>
    positions > AT_ONCE ? layers * cellHeight(layers) + 112 : layers * 27 + 108;

export const HeatMap = {
    props: { trace: { type: Object, required: true } },
    setup(props) {
        const near = ref(false); // of a long prompt, the positions around the chosen one, as a table
        const table = ref(null);
        const tokenOf = positions => positions?.[0].layers[0].chosen[0]?.id;
        const sides = computed(() => {
            const { clean, edited } = props.trace;
            return { clean, edited: tokenOf(edited) === tokenOf(clean) ? edited : null }; // else it is about to come
        });
        const side = computed(() => (sides.value.edited ? state.side : 'clean'));
        const isLong = computed(() => props.trace.tokens.length > AT_ONCE);
        const chosen = computed(() => (state.position < 0 ? props.trace.tokens.length - 1 : state.position));
        const ranks = computed(() => state.heat === 'rank' && props.trace.clean[0].layers[0].chosen.length > 0);

        const reading = computed(() => reader(sides.value.clean, sides.value[side.value], ranks.value));

        /** The same as a canvas shows it, with the place in words. */
        const drawn = computed(() => (position, layer) => {
            const { text, says, ...rest } = reading.value(position, layer);
            return { ...rest, text: visible(text), says: `Layer ${layer}, position ${position}: ${says}` };
        });

        function open(position, layer, focus = false) {
            state.position = position === props.trace.tokens.length - 1 ? -1 : position;
            state.layer = layer;
            say(`Layer ${layer} at position ${position}`);
            nextTick(() =>
                focus
                    ? table.value?.querySelector(`[data-cell="${layer} ${position}"]`)?.focus()
                    : show(document.getElementById(`layer-${layer}`))
            );
        }

        function key(event) {
            const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
            const cell = event.target.dataset.cell?.split(' ').map(Number);
            if (!step || !cell) {
                return;
            }
            event.preventDefault();
            const layer = Math.min(props.trace.clean[0].layers.length - 1, Math.max(0, cell[0] + step[0]));
            open(Math.min(props.trace.tokens.length - 1, Math.max(0, cell[1] + step[1])), layer, true);
        }

        function cell(position, layer) {
            const { heat, text, says, changed } = reading.value(position, layer);
            const current = position === chosen.value && layer === state.layer;
            return h(
                'td',
                { key: position, class: { column: position === chosen.value } },
                h(
                    'button',
                    {
                        type: 'button',
                        class: ['cell', { changed, current }],
                        'data-cell': `${layer} ${position}`,
                        tabindex: current ? 0 : -1,
                        style: { '--heat-share': heat.toFixed(3) },
                        title: says,
                        'aria-label': `Layer ${layer}, position ${position}: ${says}${changed ? ', changed' : ''}`,
                        onClick: () => open(position, layer)
                    },
                    ranks.value ? text : token(text)
                )
            );
        }

        /** Of each cell the numbers that it shows. */
        const rows = () => {
            const { tokens } = props.trace;
            return tokens.flatMap((each, position) =>
                sides.value[side.value][position].layers.map(({ layer, after, chosen }) => {
                    const { token, rank, probability } = ranks.value ? { token: chosen[0].token, ...chosen[0].after } : after[0];
                    return { layer, position, after: each.text, token, ...(ranks.value ? { rank: rank + 1 } : {}), probability };
                })
            );
        };

        const zoom = () =>
            isLong.value &&
            segments(
                'Zoom',
                [
                    [false, 'all positions'],
                    [true, 'those nearby']
                ],
                near.value,
                value => (near.value = value)
            );

        return () => {
            const first = isLong.value ? Math.max(0, Math.min(chosen.value - NEARBY / 2, props.trace.tokens.length - NEARBY)) : 0;
            const positions = props.trace.tokens.map((_, index) => index).slice(first, isLong.value ? first + NEARBY : undefined);
            const followed = props.trace.clean[0].layers[0].chosen[0];
            return h('section', { class: 'panel heat', 'aria-label': 'Layers and positions' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', 'Layers × positions'),
                    h('div', { class: 'row' }, [
                        zoom(),
                        segments(
                            null,
                            [
                                ['top', 'likeliest token'],
                                ['rank', followed ? ['rank of ', token(followed.token)] : 'rank of a token']
                            ],
                            state.heat,
                            value => (state.heat = value)
                        ),
                        enabledEdits().length > 0 &&
                            segments(
                                null,
                                [
                                    ['clean', 'clean'],
                                    ['edited', 'edited']
                                ],
                                state.side,
                                value => (state.side = value)
                            ),
                        h(Export, { what: 'layers and positions', rows })
                    ])
                ]),
                isLong.value && !near.value
                    ? h(HeatCanvas, {
                          name: 'Layers and positions',
                          rows: props.trace.clean[0].layers.map((_, layer) => `L${layer}`),
                          columns: props.trace.tokens.map(each => visible(each.text)),
                          chosen: [chosen.value, Math.min(state.layer, props.trace.clean[0].layers.length - 1)],
                          cell: drawn.value,
                          onOpen: (position, layer, by) => open(position, layer, by === 'key')
                      })
                    : h(
                    'div',
                    { class: 'scroll', tabindex: -1 },
                    h('table', { class: ['heat-map', 'picture', { ranks: ranks.value }], ref: table, onKeydown: key }, [
                        h(
                            'thead',
                            h('tr', [
                                h('th', h('span', { class: 'unseen' }, 'Layer')),
                                positions.map(position =>
                                    h(
                                        'th',
                                        {
                                            scope: 'col',
                                            key: position,
                                            class: { column: position === chosen.value }
                                        },
                                        token(props.trace.tokens[position].text)
                                    )
                                )
                            ])
                        ),
                        h(
                            'tbody',
                            props.trace.clean[0].layers.map((_, layer) =>
                                h('tr', { key: layer }, [
                                    h('th', { scope: 'row' }, `L${layer}`),
                                    positions.map(position => cell(position, layer))
                                ])
                            )
                        )
                    ])
                ),
                h(
                    'p',
                    { class: 'hint' },
                    ranks.value
                        ? 'Rank after each layer; the stronger the colour, the closer to first. Click to open.'
                        : 'What would be predicted after each layer; the stronger the colour, the likelier. Click to open.'
                )
            ]);
        };
    }
};
