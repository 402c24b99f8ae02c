'use strict';

const SVG = 'http://www.w3.org/2000/svg';
function make(tag, attributes = {}, ...children) {
  const element = ['svg', 'path', 'line', 'rect', 'circle', 'text', 'title'].includes(tag)
    ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const sum = values => values.reduce((total, value) => total + value, 0);
const known = values => values.filter(value => value !== null);
const mean = values => sum(values) / values.length;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** A round number of units above the data, so that axes read well. */
function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 1.5, 2, 3, 4, 5, 8, 10].find(step => step * unit >= value * 0.9999);
}

/** One time series with a cursor; `seek` is called with the frame that a pointer chooses. */
class Chart {
  constructor({ name, title, values, more = {}, low, high, show, label, bars }, times, seek) {
    Object.assign(this, { values, times, show, low, high });
    const [W, H] = [420, 138];
    Object.assign(this, { W, left: 46, right: W - 14, top: 10, bottom: H - 22 });
    this.output = make('output');
    this.cursor = make('line', { class: 'cursor', y1: this.top, y2: this.bottom });
    this.dot = make('circle', { class: 'dot', r: 5 });
    this.svg = make('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `${title} over time` },
      ...this.axes(label), ...(bars ? this.bars(bars) : []),
      ...this.lines(), ...Object.entries(more).map(([part, scores]) => make('path', { class: `part ${part}`,
        d: this.path(scores) })), this.cursor, this.dot);
    const point = event => {
      const box = this.svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * W;
      const t = (x - this.left) / (this.right - this.left) * this.times.at(-1);
      seek(this.times.reduce((best, time, n) => Math.abs(time - t) < Math.abs(this.times[best] - t) ? n : best, 0));
    };
    this.svg.addEventListener('pointerdown', event => { this.svg.setPointerCapture(event.pointerId); point(event); });
    this.svg.addEventListener('pointermove', event => { if (event.buttons) point(event); });
    this.element = make('figure', { class: `chart ${name}` },
      make('figcaption', {}, make('span', {}, title), this.output), this.svg);
  }

  x(frame) { return this.left + (this.right - this.left) * this.times[frame] / (this.times.at(-1) || 1); }
  y(value) { return this.bottom - (this.bottom - this.top) * (value - this.low) / (this.high - this.low); }

  axes(label) {
    const parts = [];
    for (const value of [this.low, (this.low + this.high) / 2, this.high]) {
      parts.push(make('line', { class: 'grid', x1: this.left, x2: this.right, y1: this.y(value), y2: this.y(value) }),
        make('text', { x: this.left - 8, y: this.y(value) + 4, 'text-anchor': 'end' }, label(value)));
    }
    const end = this.times.at(-1);
    for (const [time, anchor] of [[0, 'start'], [end, 'end']]) {
      parts.push(make('text', { x: time ? this.right : this.left, y: this.bottom + 16, 'text-anchor': anchor },
        `${time.toFixed(time ? 2 : 0)} s`));
    }
    return parts;
  }

  bars(counts) {
    const most = Math.max(...counts, 1);
    const wide = Math.max(1.5, 0.5 * (this.right - this.left) / this.times.length);
    return counts.map((count, n) => make('rect', { class: 'bar', x: this.x(n) - wide / 2, width: wide, rx: 1.5,
      y: this.bottom - 26 * count / most, height: 26 * count / most }));
  }

  /** A line through the known values. */
  path(values) {
    return values.map((value, n) => value === null ? ''
      : `${n && values[n - 1] !== null ? 'L' : 'M'}${this.x(n).toFixed(1)},${this.y(value).toFixed(1)}`).join('');
  }

  lines() {
    let area = '', open = false;
    this.values.forEach((value, n) => {
      if (value === null) { open = false; return; }
      const place = `${this.x(n).toFixed(1)},${this.y(value).toFixed(1)}`;
      area += open ? `L${place}` : `M${this.x(n).toFixed(1)},${this.bottom}L${place}`;
      if (n + 1 === this.values.length || this.values[n + 1] === null) area += `L${this.x(n).toFixed(1)},${this.bottom}Z`;
      open = true;
    });
    return [make('path', { class: 'area', d: area }), make('path', { class: 'line', d: this.path(this.values) })];
  }

  draw(frame) {
    const value = this.values[frame];
    this.cursor.setAttribute('x1', this.x(frame));
    this.cursor.setAttribute('x2', this.x(frame));
    this.dot.style.display = value === null ? 'none' : '';
    if (value !== null) { this.dot.setAttribute('cx', this.x(frame)); this.dot.setAttribute('cy', this.y(value)); }
    this.output.replaceChildren(...[this.show(value, frame)].flat());
  }
}

/** Small bars around zero, all frames on one scale. */
class Bars {
  constructor(rows, names) {
    this.rows = rows;
    this.most = Math.max(...rows.flat().map(Math.abs), 1e-6);
    const count = rows[0].length;
    this.rects = rows[0].map((_, n) => make('rect', { x: n + 0.15, width: 0.7 }, make('title')));
    this.names = names;
    this.element = make('svg', { class: 'bars', viewBox: `0 -1 ${count} 2`, preserveAspectRatio: 'none' },
      make('line', { x1: 0, x2: count, y1: 0, y2: 0, 'vector-effect': 'non-scaling-stroke' }), ...this.rects);
  }

  draw(frame) {
    this.rows[frame].forEach((value, n) => {
      const tall = Math.abs(value) / this.most;
      this.rects[n].setAttribute('height', tall);
      this.rects[n].setAttribute('y', value > 0 ? -tall : 0);
      this.rects[n].firstChild.textContent = `${this.names[n] ?? n}: ${value}`;
    });
  }
}

function quaternion(R) {
  const [[a, b, c], [d, e, f], [g, h, i]] = R;
  const size = [1 + a + e + i, 1 + a - e - i, 1 - a + e - i, 1 - a - e + i].map(v => Math.sqrt(Math.max(v, 0)) / 2);
  const signs = [1, h - f, c - g, d - b].map(v => v < 0 ? -1 : 1);
  return size.map((v, n) => v * signs[n]);
}
