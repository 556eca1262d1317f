// Scales of figures: from numbers to places, and to colours.

/** From a domain, [start, end], evenly to a range; of a domain without width, to the middle. */
export const linear =
    ([start, end], [from, to]) =>
    value =>
        from + (to - from) * (end === start ? 0.5 : (value - start) / (end - start));

/** The same, evenly in the logarithm. */
export function logarithmic(domain, range) {
    const scale = linear(domain.map(Math.log), range);
    return value => scale(Math.log(value));
}

/** The path of a line through points, [x, y]. */
export const path = points => points.map((point, index) => (index === 0 ? 'M' : 'L') + point.join(',')).join('');

const channels = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));

/** From −1 to 1 evenly to the colours between `less`, `none` and `more`, each in the form #rrggbb. */
export function colours(less, none, more) {
    const middle = channels(none);
    const ends = [less, more].map(channels);
    return value => {
        const end = ends[value < 0 ? 0 : 1];
        const share = Math.min(1, Math.abs(value));
        return `rgb(${middle.map((channel, index) => Math.round(channel + (end[index] - channel) * share)).join(', ')})`;
    };
}
