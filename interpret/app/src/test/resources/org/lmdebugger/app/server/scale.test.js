// scale.js: where numbers are in figures, and their colours.
const { colours, linear, logarithmic, path } = await import('/scale.js');

test('a number is as far in the range as in the domain', () => {
    equal([0, 5, 10, 20].map(linear([0, 10], [100, 200])), [100, 150, 200, 300]);
    equal([1, 10, 100].map(logarithmic([1, 100], [14, 4])).map(Math.round), [14, 9, 4]);
    equal([3].map(linear([3, 3], [0, 10])), [5]);
});

test('a line goes through its points', () => {
    equal([path([]), path([[1, 2]]), path([[1, 2], [3, 4.5], [5, 6]])], ['', 'M1,2', 'M1,2L3,4.5L5,6']);
});

test('a colour is between the ends and the middle, and not beyond', () => {
    const colour = colours('#ff0000', '#ffffff', '#0000ff');
    equal([-1, 0, 1].map(colour), ['rgb(255, 0, 0)', 'rgb(255, 255, 255)', 'rgb(0, 0, 255)']);
    equal([-0.2, 0.2, -7, 7].map(colour), ['rgb(255, 204, 204)', 'rgb(204, 204, 255)', 'rgb(255, 0, 0)', 'rgb(0, 0, 255)']);
});
