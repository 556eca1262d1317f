// Layers × positions: what each layer would predict at each position, or how a chosen token ranks there.
import { computed, h, nextTick, ref } from '/lib/vue.js';
import { show } from '../media.js';
import { enabledEdits, say, state } from '../state.js';
import { percent, rank, token, visible } from '../text.js';
import { iconButton } from './icon.js';
import { segments } from './segments.js';

const AT_ONCE = 48; // positions, as each cell is an element

export const HeatMap = {
    props: { trace: { type: Object, required: true } },
    setup(props) {
        const page = ref(Infinity); // the last part, where the prediction is
        const table = ref(null);
        const tokenOf = positions => positions?.[0].layers[0].chosen[0]?.id;
        const sides = computed(() => {
            const { clean, edited } = props.trace;
            return { clean, edited: tokenOf(edited) === tokenOf(clean) ? edited : null }; // else it is about to come
        });
        const side = computed(() => (sides.value.edited ? state.side : 'clean'));
        const last = computed(() => Math.ceil(props.trace.tokens.length / AT_ONCE) - 1);
        const first = computed(() => Math.min(page.value, last.value) * AT_ONCE);
        const chosen = computed(() => (state.position < 0 ? props.trace.tokens.length - 1 : state.position));
        const ranks = computed(() => state.heat === 'rank' && props.trace.clean[0].layers[0].chosen.length > 0);

        function open(position, layer, focus = false) {
            state.position = position === props.trace.tokens.length - 1 ? -1 : position;
            state.layer = layer;
            say(`Layer ${layer} at position ${position}`);
            nextTick(() =>
                focus
                    ? table.value.querySelector(`[data-cell="${layer} ${position}"]`)?.focus()
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
            const clean = sides.value.clean[position].layers[layer];
            const shown = sides.value[side.value][position].layers[layer];
            const top = shown.after[0];
            const standing = shown.chosen[0]?.after;
            const changed =
                side.value === 'edited' &&
                (ranks.value ? standing.rank !== clean.chosen[0].after.rank : top.id !== clean.after[0].id);
            const heat = ranks.value ? 1 - Math.min(1, Math.log10(standing.rank + 1) / 4) : top.probability;
            const says = ranks.value
                ? `${visible(shown.chosen[0].token)} ranks ${rank(standing.rank)}, ${percent(standing.probability)}`
                : `${visible(top.token)} ${percent(top.probability)}`;
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
                    ranks.value ? (standing.rank + 1).toLocaleString('en') : token(top.token)
                )
            );
        }

        const pager = () =>
            last.value > 0 &&
            h('div', { class: 'row' }, [
                iconButton('left', 'Earlier positions', () => (page.value = first.value / AT_ONCE - 1), {
                    disabled: first.value === 0
                }),
                h(
                    'span',
                    { class: 'hint' },
                    `${first.value} to ${Math.min(first.value + AT_ONCE, props.trace.tokens.length) - 1}`
                ),
                iconButton('right', 'Later positions', () => (page.value = first.value / AT_ONCE + 1), {
                    disabled: first.value / AT_ONCE === last.value
                })
            ]);

        return () => {
            const positions = props.trace.tokens.map((_, index) => index).slice(first.value, first.value + AT_ONCE);
            const followed = props.trace.clean[0].layers[0].chosen[0];
            return h('section', { class: 'panel heat', 'aria-label': 'Layers and positions' }, [
                h('div', { class: 'row spread' }, [
                    h('h2', 'Layers × positions'),
                    h('div', { class: 'row' }, [
                        pager(),
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
                            )
                    ])
                ]),
                h(
                    'div',
                    { class: 'scroll', tabindex: -1 },
                    h('table', { class: ['heat-map', { ranks: ranks.value }], ref: table, onKeydown: key }, [
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
