const TAIL = 10;  // frames that a track's tail lasts
const FILL = 0.36;
const LABEL = 16;  // pixels of the screen that a box's name is high

/** A panel with a canvas that is as sharp as the screen; `paint(pen, scale, frame)` draws in the video's pixels. */
class Panel {
  constructor(name, title, more, [width, height]) {
    Object.assign(this, { name, width, height, frame: 0, ready: false });
    this.canvas = make('canvas', { 'aria-label': title });
    this.caption = make('small', {}, more);
    this.grow = make('button', { class: 'grow', title: 'larger, smaller', 'aria-label': `${title} larger or smaller` },
      '⤢');
    this.element = make('figure', { class: `panel ${name}` }, this.canvas,
      make('figcaption', {}, make('b', {}, title), this.caption), this.grow);
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  resize() {
    const sharp = window.devicePixelRatio || 1, box = this.element.getBoundingClientRect();
    if (!box.width) return;
    [this.canvas.width, this.canvas.height] = [Math.round(box.width * sharp), Math.round(box.height * sharp)];
    this.draw(this.frame);
  }

  draw(frame) {
    this.frame = frame;
    if (!this.ready || !this.canvas.width) return;
    const pen = this.canvas.getContext('2d'), scale = this.canvas.width / this.width;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(scale, 0, 0, scale, scale / 2, scale / 2);  // pixel centres lie at integers
    this.paint(pen, scale, frame);
  }

  /** The picture under everything, whose corner pixel's corner is at -0.5. */
  under(pen, picture) { pen.drawImage(picture, -0.5, -0.5, this.width, this.height); }
}

class MaskPanel extends Panel {
  constructor(data) {
    super('masks', 'Hand and object', 'masks and boxes', data.size);
    this.data = data;
  }

  load(loaded) {
    this.loaded = loaded;
    const [, tall, wide] = loaded.masks.shape;
    this.sheet = new OffscreenCanvas(wide, tall);
    this.layer = new ImageData(wide, tall);
    this.colours = this.data.instances.map(one => rgbOf(one.colour));
    this.ready = true;
  }

  /** Fill every instance thinly and its border fully. */
  fillLayer(frame) {
    const { width: wide, height: tall, data: out } = this.layer;
    const ids = this.loaded.masks.values.subarray(frame * wide * tall, (frame + 1) * wide * tall);
    out.fill(0);
    for (let y = 0, n = 0; y < tall; y++) {
      for (let x = 0; x < wide; x++, n++) {
        const id = ids[n];
        if (!id) continue;
        const rim = x === 0 || y === 0 || x === wide - 1 || y === tall - 1 || ids[n - 1] !== id || ids[n + 1] !== id
          || ids[n - wide] !== id || ids[n + wide] !== id;
        const colour = this.colours[id - 1];
        out[4 * n] = colour[0]; out[4 * n + 1] = colour[1]; out[4 * n + 2] = colour[2];
        out[4 * n + 3] = rim ? 255 : 255 * FILL;
      }
    }
    this.sheet.getContext('2d').putImageData(this.layer, 0, 0);
  }

  paint(pen, scale, frame) {
    this.under(pen, this.loaded.pictures[frame]);
    this.fillLayer(frame);
    this.under(pen, this.sheet);
    const sharp = (window.devicePixelRatio || 1) / scale;
    this.data.boxes.forEach((rows, n) => {
      const box = rows.boxes[frame];
      if (!box) return;
      const other = { name: rows.role, colour: '#fff' }, mine = this.data.instances[n];
      const same = mine?.role === rows.role ? mine : other;
      const [left, top, right, bottom] = box;
      pen.strokeStyle = same.colour;
      pen.lineWidth = 1.5 * sharp;
      pen.strokeRect(left, top, right - left, bottom - top);
      const edge = rows.role === 'hand' ? top - LABEL * sharp : bottom;  // names shall not cover each other
      this.label(pen, `${same.name}  ${rows.scores[frame].toFixed(2)}`, left, edge, same.colour, sharp);
    });
    this.bones(pen, frame, sharp);
  }

  /** Wrist and fingers of every hand that is seen, with its side at the wrist. */
  bones(pen, frame, sharp) {
    for (const { side, keypoints } of this.data.hands) {
      const points = keypoints[frame];
      if (!points) continue;
      pen.strokeStyle = pen.fillStyle = HAND_COLOURS[side];
      pen.lineWidth = 1.5 * sharp;
      for (let finger = 0; finger < 5; finger++) {
        pen.beginPath();
        pen.moveTo(...points[0]);
        for (let joint = 1; joint <= 4; joint++) pen.lineTo(...points[4 * finger + joint]);
        pen.stroke();
      }
      for (const [x, y] of points) {
        pen.beginPath();
        pen.arc(x, y, 2 * sharp, 0, 2 * Math.PI);
        pen.fill();
      }
      this.label(pen, side, ...points[0], pen.fillStyle, sharp);
    }
  }

  /** A name with its upper left corner there, or as near as the picture allows. */
  label(pen, text, left, top, colour, sharp) {
    pen.font = `600 ${11 * sharp}px system-ui, sans-serif`;
    const wide = pen.measureText(text).width + 10 * sharp, tall = LABEL * sharp;
    const x = clamp(left - 0.75 * sharp, -0.5, this.width - wide), y = clamp(top, -0.5, this.height - tall);
    pen.fillStyle = colour;
    pen.fillRect(x, y, wide, tall);
    pen.fillStyle = '#101216';
    pen.fillText(text, x + 5 * sharp, y + 11.8 * sharp);
  }
}

class TrackPanel extends Panel {
  constructor(data) {
    super('tracks', 'Tracks', '', data.size);
    this.data = data;
    const { shown, count: all } = data.tracks;
    this.caption.textContent = `${all} points${shown < all ? `, ${shown} drawn` : ''}; hollow: hidden`;
    this.frames = data.times.length;
  }

  load(loaded) { this.loaded = loaded; this.ready = true; }

  paint(pen, scale, frame) {
    const { count, pixels, visible, css } = this.loaded.tracks, T = this.frames;
    const sharp = (window.devicePixelRatio || 1) / scale;
    this.under(pen, this.loaded.pictures[frame]);
    pen.fillStyle = 'rgb(8 10 14 / .5)';
    pen.fillRect(-0.5, -0.5, this.width, this.height);
    pen.lineWidth = 1.3 * sharp;
    pen.lineJoin = 'round';
    for (let m = 0; m < count; m++) {
      const u = 2 * m * T, v = u + T, seen = m * T;
      pen.strokeStyle = pen.fillStyle = css[m];
      pen.globalAlpha = 0.75;
      pen.beginPath();
      for (let t = Math.max(1, frame - TAIL + 1), open = false; t <= frame; t++) {
        const joined = visible[seen + t] && visible[seen + t - 1];
        if (joined && !open) pen.moveTo(pixels[u + t - 1], pixels[v + t - 1]);
        if (joined) pen.lineTo(pixels[u + t], pixels[v + t]);
        open = joined;
      }
      pen.stroke();
      if (isNaN(pixels[u + frame])) continue;
      pen.globalAlpha = visible[seen + frame] ? 1 : 0.5;
      pen.beginPath();
      pen.arc(pixels[u + frame], pixels[v + frame], (visible[seen + frame] ? 2 : 2.4) * sharp, 0, 7);
      if (visible[seen + frame]) pen.fill(); else pen.stroke();
    }
    pen.globalAlpha = 1;
  }
}

class DepthPanel extends Panel {
  constructor(data) {
    super('depth', 'Depth', data.geometry.method, data.size);
    this.data = data;
    const { near, far, unit } = data.geometry;
    this.probe = make('output', { class: 'probe' });
    this.ramp = make('canvas', { class: 'ramp', width: 1, height: 256 });
    const ticks = near ? [0, 0.25, 0.5, 0.75, 1].map(part => make('span', { style: `top: ${100 * part}%` },
      (1 / ((1 - part) / near + part / far)).toPrecision(2))) : [];
    this.element.append(make('div', { class: 'scale' }, this.ramp, ...ticks, make('em', {}, unit)), this.probe);
    this.element.addEventListener('pointermove', event => this.read(event));
    this.element.addEventListener('pointerleave', () => { this.probe.textContent = ''; });
  }

  load(loaded) {
    this.loaded = loaded;
    const { near, far } = this.data.geometry, [, tall, wide] = loaded.inverse.shape;
    const { turbo, inverse: { low, step } } = loaded;
    this.sheet = new OffscreenCanvas(wide, tall);
    this.layer = new ImageData(wide, tall);
    this.table = new Uint32Array(4096).fill(0xff000000);  // colour of every code; unknown is black
    const pixel = new DataView(this.table.buffer), little = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
    for (let code = 1; near && code < 4096; code++) {
      const part = (low + (code - 1) * step - 1 / far) / (1 / near - 1 / far);
      const at = 3 * Math.round(255 * clamp(part, 0, 1));
      pixel.setUint32(4 * code, turbo[at] | turbo[at + 1] << 8 | turbo[at + 2] << 16 | 0xff000000, little);
    }
    const pen = this.ramp.getContext('2d');
    for (let n = 0; n < 256; n++) {
      pen.fillStyle = `rgb(${turbo.subarray(3 * (255 - n), 3 * (255 - n) + 3).join()})`;
      pen.fillRect(0, n, 1, 1);
    }
    this.ready = true;
  }

  codes(frame) {
    const [, tall, wide] = this.loaded.inverse.shape;
    return this.loaded.inverse.values.subarray(frame * tall * wide, (frame + 1) * tall * wide);
  }

  paint(pen, scale, frame) {
    const codes = this.codes(frame), out = new Uint32Array(this.layer.data.buffer);
    for (let n = 0; n < codes.length; n++) out[n] = this.table[codes[n]];
    this.sheet.getContext('2d').putImageData(this.layer, 0, 0);
    pen.imageSmoothingEnabled = false;
    this.under(pen, this.sheet);
  }

  /** The depth under the pointer. */
  read(event) {
    if (!this.ready) return;
    const box = this.canvas.getBoundingClientRect(), [, tall, wide] = this.loaded.inverse.shape;
    const x = Math.floor((event.clientX - box.left) / box.width * wide);
    const y = Math.floor((event.clientY - box.top) / box.height * tall);
    if (x < 0 || y < 0 || x >= wide || y >= tall) return;
    const code = this.codes(this.frame)[y * wide + x], { low, step } = this.loaded.inverse;
    const depth = 1 / (low + (code - 1) * step);
    this.probe.textContent = code ? `${depth.toFixed(3)} ${this.data.geometry.unit}` : 'unknown';
    this.probe.style.left = `${event.clientX - box.left}px`;
    this.probe.style.top = `${event.clientY - box.top}px`;
  }
}
