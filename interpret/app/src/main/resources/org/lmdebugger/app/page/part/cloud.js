// Tokens as a cloud of words, the heavier the larger, placed along a spiral from the middle without overlap.
import { h } from '/lib/vue.js';
import { linear } from '../scale.js';
import { parts, visible } from '../text.js';

const WIDTH = 640;
const HEIGHT = 300;
const FAMILY = 'Inter, system-ui, sans-serif';
const pen = document.createElement('canvas').getContext('2d');

/** Places for all words, in the largest size in which there is room for them. */
function place(words) {
    let placed = [];
    for (let size = 46; size >= 16 && placed.length < words.length; size -= 3) {
        placed = placeAt(words, size);
    }
    return placed;
}

function placeAt(words, most) {
    const logits = words.map(each => each.logit);
    const weight = linear([Math.min(...logits) * 0.9, Math.max(...logits)], [0, 1]);
    const placed = [];
    for (const each of words) {
        const size = most * (0.3 + 0.7 * weight(each.logit));
        pen.font = `600 ${size}px ${FAMILY}`;
        const box = free(pen.measureText(visible(each.token)).width + 8, size * 1.12, placed);
        if (box) {
            placed.push({ ...box, id: each.id, token: each.token, size, weight: weight(each.logit) });
        }
    }
    return placed;
}

function free(width, height, placed) {
    for (let angle = 0; angle < 160; angle += 0.15) {
        const x = WIDTH / 2 + 1.9 * angle * Math.cos(angle) - width / 2;
        const y = HEIGHT / 2 + 0.95 * angle * Math.sin(angle) - height / 2;
        if (
            x >= 0 &&
            y >= 0 &&
            x + width <= WIDTH &&
            y + height <= HEIGHT &&
            placed.every(
                other => x + width < other.x || other.x + other.width < x || y + height < other.y || other.y + other.height < y
            )
        ) {
            return { x, y, width, height };
        }
    }
    return null;
}

/** @param words a list of {id, token, logit}; those that weigh nothing are left out */
export function cloud(words, caption) {
    return h(
        'svg',
        { class: 'cloud picture', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': caption },
        place(words.filter(each => each.logit > 0)).map(each =>
            h(
                'text',
                {
                    key: each.id,
                    x: each.x + each.width / 2,
                    y: each.y + each.height * 0.78,
                    'font-size': each.size,
                    'text-anchor': 'middle',
                    class: each.weight > 0.66 ? 'heavy' : each.weight > 0.33 ? 'middle' : 'light'
                },
                parts(each.token).map(part =>
                    part.mark ? h('tspan', { class: 'mark', 'font-size': each.size * 0.7 }, part.text) : part.text
                )
            )
        )
    );
}
