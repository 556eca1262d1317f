// The token, or the difference of two, that effects are on.
import { h } from '/lib/vue.js';
import { state } from '../state.js';
import { token } from '../text.js';
import { iconButton } from './icon.js';
import { TokenInput } from './token-input.js';

/** A token as words in a sentence: the target, or how much larger its logit is than another's. */
export const targetText = ({ target, against }) => [token(target.token), against && [' − ', token(against.token)]];

/** @param position traced, with its target */
export const Target = {
    props: { position: { type: Object, required: true }, choose: { type: Boolean, default: true } },
    setup(props) {
        const field = (label, action, name) =>
            h(TokenInput, { label, action, onToken: (text, id) => (state[name] = '#' + id) });
        const chosen = (each, name) =>
            h('span', { class: 'chip static' }, [token(each.token), iconButton('close', `Let ${each.token} go`, () => (state[name] = ''))]);
        return () => {
            const { target, against } = props.position;
            return h('div', { class: 'row wrap target' }, [
                'Effects on ',
                state.token === '' ? token(target.token) : chosen(target, 'token'),
                props.choose && field('Token to follow', 'Follow', 'token'),
                against ? ['minus ', chosen(against, 'against')] : field('Second token', 'Subtract', 'against')
            ]);
        };
    }
};
