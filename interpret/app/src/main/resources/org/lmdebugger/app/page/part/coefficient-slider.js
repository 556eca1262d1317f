// A slider for what an intervention writes, with the mark of the coefficient as it is without.
import { h } from '/lib/vue.js';
import { fixed } from '../text.js';

/** How far to either side: twice what is there, rounded up to what reads well. */
function reach(operation, value, clean) {
    const least = operation === '*=' ? 4 : 6;
    return Math.max(least, Math.ceil(2 * Math.abs(clean ?? 0)), Math.ceil(Math.abs(value) * 1.25));
}

/** Where an intervention that changes nothing would stand. */
function neutral(operation, clean) {
    return operation === '*=' ? 1 : operation === '+=' ? 0 : clean;
}

export const CoefficientSlider = {
    props: {
        edit: { type: Object, required: true },
        clean: { type: Number, default: null },
        name: { type: String, required: true }
    },
    setup(props) {
        let held = null; // the ends do not move while the slider does
        return () => {
            const { operation, value } = props.edit;
            const end = held ?? reach(operation, value, props.clean);
            const mark = neutral(operation, props.clean);
            return h('div', { class: 'slider' }, [
                mark != null &&
                    h('span', {
                        class: 'clean-mark',
                        'aria-hidden': 'true',
                        title: `unchanged: ${fixed(mark)}`,
                        style: { left: `calc(8px + (100% - 16px) * ${(mark + end) / (2 * end)})` }
                    }),
                h('input', {
                    type: 'range',
                    min: -end,
                    max: end,
                    step: 'any',
                    value,
                    'aria-label': `Value for ${props.name}`,
                    'aria-valuetext': mark == null ? String(value) : `${value}; unchanged: ${fixed(mark)}`,
                    onPointerdown: () => (held = end),
                    onPointerup: () => (held = null),
                    onPointercancel: () => (held = null),
                    onInput: event => (props.edit.value = Number(Number(event.target.value).toPrecision(3))),
                    onKeydown: event => step(event, end)
                })
            ]);
        };

        /** Keys go in steps of a fortieth; the mouse goes anywhere. */
        function step(event, end) {
            const sign = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
            if (sign) {
                event.preventDefault();
                const next = props.edit.value + (sign * end) / 20;
                props.edit.value = Number(Math.min(end, Math.max(-end, next)).toFixed(3));
            }
        }
    }
};
