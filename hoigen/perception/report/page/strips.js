const ROW = 24;
const AXIS = 20;

/** What happens over time, one row each, all under the slider: who is in view, how many tracks are seen, the camera. */
class Strips {
  constructor(data, seek) {
    Object.assign(this, { data, frame: 0, rows: Strips.rowsOf(data) });
    this.canvas = make('canvas', { 'aria-label': 'what happens over time' });
    this.outputs = this.rows.map(() => make('output'));
    const point = event => {
      const box = this.canvas.getBoundingClientRect();
      seek(this.nearest((event.clientX - box.left - INSET) / (box.width - 2 * INSET) * data.times.at(-1)));
    };
    this.canvas.addEventListener('pointerdown', event => {
      this.canvas.setPointerCapture(event.pointerId);
      point(event);
    });
    this.canvas.addEventListener('pointermove', event => { if (event.buttons) point(event); });
    const column = (name, parts) => make('div', { class: name, style: `--row: ${ROW}px` }, ...parts);
    this.element = make('div', { class: 'strips' },
      column('names', this.rows.map(row => make('span', { style: `color: ${row.colour}` }, row.name))), this.canvas,
      column('values', this.outputs));
    new ResizeObserver(() => this.draw(this.frame)).observe(this.canvas);
  }

  static rowsOf({ instances, tracks_visible: visible, geometry, size: [width, height] }) {
    const rows = instances.map(one => ({ name: one.name, colour: one.colour, values: one.pixels, bars: true,
      show: value => value ? `${(100 * value / width / height).toFixed(2)} %` : 'not seen' }));
    rows.push({ name: 'tracks seen', colour: '#8fd694', values: visible, least: 1,
      show: value => value === null ? 'none' : `${(100 * value).toFixed(0)} %` });
    if (geometry) {
      const { speed, turn, unit } = geometry;
      rows.push({ name: 'camera speed', colour: '#a79bff', values: [null, ...speed], least: 0.05,
        show: value => value === null ? '' : `${value.toFixed(3)} ${unit}/s` },
      { name: 'camera turn', colour: '#a79bff', values: [null, ...turn], least: 5,
        show: value => value === null ? '' : `${value.toFixed(1)} °/s` });
    }
    return rows;
  }

  nearest(time) {
    const { times } = this.data;
    return times.reduce((best, other, n) => Math.abs(other - time) < Math.abs(times[best] - time) ? n : best, 0);
  }

  x(time, wide) { return INSET + (wide - 2 * INSET) * time / (this.data.times.at(-1) || 1); }

  /** Where a frame begins and ends: halfway to its neighbours. */
  span(n, wide) {
    const { times } = this.data, middle = other => (times[n] + times[other]) / 2;
    const ends = [n ? middle(n - 1) : times[0], n + 1 < times.length ? middle(n + 1) : times[n]];
    return ends.map(time => Math.round(this.x(time, wide)));
  }

  draw(frame) {
    this.frame = frame;
    const sharp = window.devicePixelRatio || 1, wide = this.canvas.clientWidth, tall = ROW * this.rows.length + AXIS;
    if (!wide) return;
    this.canvas.style.height = `${tall}px`;
    [this.canvas.width, this.canvas.height] = [Math.round(wide * sharp), Math.round(tall * sharp)];
    const pen = this.canvas.getContext('2d');
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    this.rows.forEach((row, n) => this.drawRow(pen, row, n * ROW + 3, ROW - 6, wide));
    this.drawAxis(pen, wide, tall);
    const x = this.x(this.data.times[frame], wide);
    pen.fillStyle = getComputedStyle(this.element).color;
    pen.fillRect(x - 0.75, 0, 1.5, tall - AXIS + 4);
    this.rows.forEach((row, n) => { this.outputs[n].textContent = row.show(row.values[frame]); });
  }

  drawRow(pen, { values, colour, bars, least = 1e-9 }, top, tall, wide) {
    const most = Math.max(...known(values), least);
    pen.fillStyle = colour;
    values.forEach((value, n) => {
      const [left, right] = this.span(n, wide), width = Math.max(right - left, 1.5);
      if (bars ? value : value !== null) {
        pen.globalAlpha = bars ? 0.25 : 0.12;
        pen.fillRect(left, top, width, tall);
        pen.globalAlpha = 0.9;
        const part = Math.max(tall * value / most, bars ? 1.5 : 0);
        pen.fillRect(left, top + tall - part, width, part);
      } else if (bars) {
        pen.globalAlpha = 0.7;
        pen.fillRect(left, top + tall / 2 - 0.5, width, 1);
      }
    });
    pen.globalAlpha = 1;
  }

  /** A tick for every frame, so that one sees a rate that varies, and round times. */
  drawAxis(pen, wide, tall) {
    const { times } = this.data, end = times.at(-1) || 1, style = getComputedStyle(this.element);
    const top = tall - AXIS + 2;
    pen.fillStyle = style.getPropertyValue('--faint');
    for (const time of times) pen.fillRect(this.x(time, wide) - 0.5, top, 1, 4);
    pen.font = `11px ${style.fontFamily}`;
    const wanted = end / Math.max(2, wide / 90), unit = 10 ** Math.floor(Math.log10(wanted));
    const step = unit * [1, 2, 5, 10].find(part => part * unit >= wanted);
    for (let time = 0, n = 0; time <= end * 1.0001; time = ++n * step) {
      pen.textAlign = n ? 'center' : 'left';
      pen.fillText(`${+time.toFixed(3)} s`, n ? Math.min(this.x(time, wide), wide - 14) : 0, tall - 3);
    }
  }
}
