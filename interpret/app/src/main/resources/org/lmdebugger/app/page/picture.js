// Pictures of what the page shows, as shapes: boxes, lines and texts at their places, which become SVG or pixels.

const MARGIN = 12;
const SCALE = 3; // pixels of a PNG to one of the page
const LEFT_OUT = '.unseen, .export, button.icon, input, select, textarea, nav';
const drawings = new WeakMap(); // how the page's canvases were drawn

/**
 * Draws on a canvas, and remembers how, so that a picture of it has shapes instead of pixels.
 *
 * @param ratio pixels of the canvas to one of its units
 * @param paint   (pen, style); of a pen it uses what {@link Recorder} has
 * @param inFiles the same for pictures, where they show more
 */
export function draw(canvas, [width, height], ratio, paint, inFiles = paint) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    paint(pen, getComputedStyle(canvas));
    drawings.set(canvas, { width, paint: inFiles });
}

/** A pen for canvases that takes note of shapes; only texts may be turned. */
class Recorder {
    shapes = [];
    matrix = new DOMMatrix();
    saved = [];

    constructor({ left, top, scale }) {
        Object.assign(this, { left, top, scale, fillStyle: '#000', strokeStyle: '#000', lineWidth: 1, font: '', textBaseline: 'alphabetic' });
    }

    save() {
        this.saved.push(this.matrix);
    }

    restore() {
        this.matrix = this.saved.pop();
    }

    translate(x, y) {
        this.matrix = this.matrix.translate(x, y);
    }

    rotate(angle) {
        this.matrix = this.matrix.rotate((angle * 180) / Math.PI);
    }

    at(x, y) {
        const point = this.matrix.transformPoint({ x, y });
        return { x: this.left + point.x * this.scale, y: this.top + point.y * this.scale };
    }

    box(x, y, width, height) {
        return { kind: 'box', ...this.at(x, y), width: width * this.scale, height: height * this.scale, radius: 0 };
    }

    fillRect(...place) {
        this.shapes.push({ ...this.box(...place), fill: this.fillStyle });
    }

    strokeRect(...place) {
        this.shapes.push({ ...this.box(...place), stroke: this.strokeStyle, thickness: this.lineWidth * this.scale });
    }

    fillText(text, x, y, room = Infinity) {
        pen.font = this.font;
        const [, size, family] = /([\d.]+)px (.*)$/.exec(this.font);
        const baseline = this.textBaseline === 'middle' ? Number(size) * 0.36 : 0;
        this.shapes.push({
            kind: 'text',
            text: upTo(room, text),
            ...this.at(x, y + baseline),
            turn: (Math.atan2(this.matrix.b, this.matrix.a) * 180) / Math.PI,
            fill: this.fillStyle,
            font: { size: size * this.scale, family, weight: '400', style: 'normal' },
            anchor: 'start'
        });
    }
}

const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const colours = new Map();

/** A colour of CSS, of any form, as {rgb, alpha}; null if it cannot be seen. */
function colourOf(css) {
    if (!colours.has(css)) {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = '#0000';
        pen.fillStyle = css;
        pen.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
        colours.set(css, alpha === 0 ? null : { rgb: `rgb(${red},${green},${blue})`, alpha: alpha / 255 });
    }
    return colours.get(css);
}

/** A node's shapes and those of all that is in it; texts end where `edge` cuts them off. */
function shapesOf(node, edge = Infinity) {
    if (node.nodeType === Node.TEXT_NODE) {
        return textsOf(node, edge);
    }
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(LEFT_OUT) || !node.checkVisibility({ visibilityProperty: true })) {
        return [];
    }
    const style = getComputedStyle(node);
    const own = node instanceof SVGGraphicsElement ? linesOf(node, style) : node instanceof HTMLElement ? boxesOf(node, style) : [];
    const inside = style.overflowX === 'hidden' ? Math.min(edge, node.getBoundingClientRect().right) : edge;
    return [...own, ...(node.localName === 'title' ? [] : [...node.childNodes].flatMap(each => shapesOf(each, inside)))];
}

/** The background, borders and marks of an element, and what is on a canvas. */
function boxesOf(element, style) {
    const { left: x, top: y, width, height } = element.getBoundingClientRect();
    const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, height / 2);
    const box = { kind: 'box', x, y, width, height, radius, opacity: Number(style.opacity) };
    const inner = by => ({ ...box, x: x + by, y: y + by, width: width - 2 * by, height: height - 2 * by });
    const [, mark, spread] = /^(.*) 0px 0px 0px ([\d.]+)px inset$/.exec(style.boxShadow) ?? [];
    const border = parseFloat(style.borderTopWidth);
    const isFramed = border > 0 && parseFloat(style.borderLeftWidth) > 0;
    const drawing = drawings.get(element);
    return [
        { ...box, fill: style.backgroundColor },
        isFramed && { ...inner(border / 2), stroke: style.borderTopColor, thickness: border },
        border > 0 && !isFramed && { ...box, height: border, radius: 0, fill: style.borderTopColor },
        mark && { ...inner(spread / 2), stroke: mark, thickness: Number(spread) },
        style.outlineStyle === 'solid' && { ...inner(1), stroke: style.outlineColor, thickness: parseFloat(style.outlineWidth) },
        ...(drawing ? recorded(drawing, { left: x, top: y, scale: width / drawing.width }, style) : [])
    ].filter(Boolean);
}

function recorded({ paint }, place, style) {
    const recorder = new Recorder(place);
    paint(recorder, style);
    return recorder.shapes;
}

const ANCHORS = { right: 'end', end: 'end', center: 'middle' };

const PATHS = {
    path: each => each.getAttribute('d'),
    line: each => `M${each.x1.baseVal.value} ${each.y1.baseVal.value}L${each.x2.baseVal.value} ${each.y2.baseVal.value}`,
    circle: each => {
        const [x, y, r] = [each.cx, each.cy, each.r].map(length => length.baseVal.value);
        return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
    },
    rect: each => {
        const [x, y, width, height] = [each.x, each.y, each.width, each.height].map(length => length.baseVal.value);
        return `M${x} ${y}h${width}v${height}h${-width}z`;
    }
};

/** What an element of an SVG draws. */
function linesOf(element, style) {
    const path = PATHS[element.localName]?.(element);
    const { a, b, c, d, e, f } = element.getScreenCTM();
    return path
        ? [
              {
                  kind: 'path',
                  path,
                  matrix: [a, b, c, d, e, f],
                  fill: style.fill,
                  stroke: style.stroke,
                  opacity: Number(style.opacity),
                  thickness: parseFloat(style.strokeWidth),
                  dashes: style.strokeDasharray === 'none' ? [] : style.strokeDasharray.split(/[ ,]+/).map(parseFloat)
              }
          ]
        : [];
}

/** A text, line by line as it is broken. */
function textsOf(node, edge) {
    const parent = node.parentElement;
    const style = getComputedStyle(parent);
    const scale = parent instanceof SVGGraphicsElement ? parent.getScreenCTM().a : 1;
    const font = { size: parseFloat(style.fontSize) * scale, family: style.fontFamily, weight: style.fontWeight, style: style.fontStyle };
    pen.font = fontText(font);
    const { fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = pen.measureText('x');
    const isDrawn = parent instanceof SVGElement;
    const fill = isDrawn ? style.fill : style.color;
    const anchor = (!isDrawn && ANCHORS[style.textAlign]) || 'start';
    const range = new Range();
    const lines = [];
    for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        const { left, right, top, height, width } = range.getBoundingClientRect();
        const last = lines.at(-1);
        if (width > 0 && last?.top === top) {
            last.text += ' ' + word;
            last.right = right;
        } else if (width > 0) {
            const y = top + (height * ascent) / (ascent + descent);
            lines.push({ kind: 'text', text: word, left, right, y, top, fill, font, anchor });
        }
    }
    const at = { start: line => line.left, middle: line => (line.left + Math.min(edge, line.right)) / 2, end: line => line.right }[anchor];
    return lines.map(line => ({ ...line, x: at(line), text: upTo(edge - line.left, line.text) }));
}

/** As much of a text as there is room for, in the font of `pen`. */
function upTo(room, text) {
    const width = pen.measureText(text).width;
    return width <= room + 1 ? text : text.slice(0, Math.max(0, Math.floor((text.length * room) / width) - 1)) + '…';
}

const fontText = ({ style, weight, size, family }) => `${style} ${weight} ${size}px ${family}`;

/** An element as {width, height, shapes, background}; places count from its upper left corner. */
export function pictureOf(element) {
    const shapes = shapesOf(element);
    const own = element.getBoundingClientRect();
    const boxes = [own, ...shapes.filter(each => each.kind === 'box')];
    const [left, top] = [Math.min(...boxes.map(each => each.x)), Math.min(...boxes.map(each => each.y))];
    return {
        left: left - MARGIN,
        top: top - MARGIN,
        width: Math.ceil(Math.max(...boxes.map(each => each.x + each.width)) - left + 2 * MARGIN),
        height: Math.ceil(Math.max(...boxes.map(each => each.y + each.height)) - top + 2 * MARGIN),
        background: getComputedStyle(document.documentElement).getPropertyValue('--surface').trim(),
        shapes
    };
}

const escaped = text => text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);
const short = number => String(Number(number.toFixed(2)));

function attributes(values) {
    return Object.entries(values)
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => ` ${name}="${escaped(typeof value === 'number' ? short(value) : value)}"`)
        .join('');
}

/** How a shape is filled and stroked, as attributes of SVG. */
function ink({ fill, stroke, thickness, opacity = 1, dashes = [] }) {
    const [inside, line] = [fill && colourOf(fill), stroke && thickness > 0 && colourOf(stroke)];
    return {
        fill: inside ? inside.rgb : 'none',
        'fill-opacity': inside && inside.alpha < 1 ? inside.alpha : undefined,
        ...(line ? { stroke: line.rgb, 'stroke-opacity': line.alpha < 1 ? line.alpha : undefined, 'stroke-width': thickness } : {}),
        opacity: opacity < 1 ? opacity : undefined,
        'stroke-dasharray': dashes.join(' ')
    };
}

const ELEMENTS = {
    box: ({ x, y, width, height, radius, ...rest }) => `<rect${attributes({ x, y, width, height, rx: radius || undefined, ...ink(rest) })}/>`,
    path: ({ path, matrix, ...rest }) => `<path${attributes({ d: path, transform: `matrix(${matrix.map(each => Number(each.toFixed(5))).join(' ')})`, ...ink(rest) })}/>`,
    text: ({ x, y, text, fill, font, anchor, turn = 0 }) =>
        `<text${attributes({
            x,
            y,
            transform: turn === 0 ? undefined : `rotate(${short(turn)} ${short(x)} ${short(y)})`,
            'text-anchor': anchor === 'start' ? undefined : anchor,
            'font-family': font.family,
            'font-size': font.size,
            'font-weight': font.weight === '400' ? undefined : font.weight,
            'font-style': font.style === 'normal' ? undefined : font.style,
            ...ink({ fill })
        })}>${escaped(text)}</text>`
};

const isSeen = ({ fill, stroke }) => (fill && colourOf(fill)) || (stroke && colourOf(stroke));

/** The picture as the text of an SVG file. */
export function svgOf({ left, top, width, height, background, shapes }) {
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${short(left)} ${short(top)} ${width} ${height}">`,
        ELEMENTS.box({ x: left, y: top, width, height, fill: background }),
        ...shapes.filter(isSeen).map(shape => ELEMENTS[shape.kind](shape)),
        '</svg>\n'
    ].join('\n');
}

function paintPath(pen, path, { fill, stroke, thickness, opacity = 1, dashes = [] }) {
    pen.globalAlpha = opacity;
    if (fill && fill !== 'none') {
        pen.fillStyle = fill;
        pen.fill(path);
    }
    if (stroke && stroke !== 'none' && thickness > 0) {
        Object.assign(pen, { strokeStyle: stroke, lineWidth: thickness });
        pen.setLineDash(dashes);
        pen.stroke(path);
    }
}

const STROKES = {
    box(pen, { x, y, width, height, radius, ...rest }) {
        const path = new Path2D();
        path.roundRect(x, y, width, height, radius);
        paintPath(pen, path, rest);
    },
    path(pen, { path, matrix, ...rest }) {
        pen.transform(...matrix);
        paintPath(pen, new Path2D(path), rest);
    },
    text(pen, { x, y, text, fill, font, anchor, turn = 0 }) {
        Object.assign(pen, { fillStyle: fill, font: fontText(font), textAlign: anchor === 'middle' ? 'center' : anchor });
        pen.translate(x, y);
        pen.rotate((turn * Math.PI) / 180);
        pen.fillText(text, 0, 0);
    }
};

/** Promises the picture as a PNG. */
export function pngOf({ left, top, width, height, background, shapes }) {
    const canvas = Object.assign(document.createElement('canvas'), { width: width * SCALE, height: height * SCALE });
    const pen = canvas.getContext('2d');
    pen.scale(SCALE, SCALE);
    pen.translate(-left, -top);
    for (const shape of [{ kind: 'box', x: left, y: top, width, height, radius: 0, fill: background }, ...shapes.filter(isSeen)]) {
        pen.save();
        STROKES[shape.kind](pen, shape);
        pen.restore();
    }
    return new Promise((resolve, reject) =>
        canvas.toBlob(blob => (blob ? resolve(blob) : reject(new Error('The picture is too large for the browser.'))), 'image/png')
    );
}
