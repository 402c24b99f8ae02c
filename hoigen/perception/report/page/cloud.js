const VERTEX = `
attribute vec4 place; attribute vec4 colour; uniform mat4 view; uniform float zoom, lift; varying vec4 shade;
void main() {
  gl_Position = view * vec4(place.xyz, 1.0);
  gl_PointSize = clamp(place.w * zoom / gl_Position.w, 1.5, 40.0);
  gl_Position.z -= lift * gl_Position.w;
  shade = colour;
}`;
const FRAGMENT = `
precision mediump float; varying vec4 shade; uniform bool round;
void main() {
  if (round && length(gl_PointCoord - 0.5) > 0.5) discard;
  gl_FragColor = shade;
}`;
const STRIDE = 20;  // bytes of a vertex: x, y, z, size as floats, then four bytes of colour
const LIFT = 0.0006;  // lines are drawn so much nearer than they are, lest the points that they lie on hide them
const FLOWN = 14;  // frames that a track's tail lasts here

/** Vertices that are written anew for every frame. */
class Vertices {
  constructor(capacity) {
    const buffer = new ArrayBuffer(capacity * STRIDE);
    Object.assign(this, { floats: new Float32Array(buffer), bytes: new Uint8Array(buffer), count: 0 });
  }

  add(x, y, z, size, r, g, b, a) {
    const f = this.count * STRIDE / 4, c = this.count * STRIDE + 16;
    this.floats[f] = x; this.floats[f + 1] = y; this.floats[f + 2] = z; this.floats[f + 3] = size;
    this.bytes[c] = r; this.bytes[c + 1] = g; this.bytes[c + 2] = b; this.bytes[c + 3] = a;
    this.count++;
  }
}

const median = values => values.sort((a, b) => a - b)[values.length >> 1];

/** The scene of one frame as points, with tracks and cameras: x right, y down, z forward, as its first camera saw. */
class CloudPanel {
  constructor(data) {
    Object.assign(this, { data, geometry: data.geometry, frame: 0, ready: false, pending: false, ride: false,
      shown: { scene: true, hand: true, object: true, tracks: true, camera: true, unsure: true } });
    this.canvas = make('canvas', { tabindex: 0, 'aria-label': 'point cloud; arrows turn, shift and arrows move, plus '
      + 'and minus zoom, R resets' });
    this.gl = this.canvas.getContext('webgl', { antialias: true });
    const toggles = Object.keys(this.shown).map(name => this.toggle(name, name, () => {
      this.shown[name] = !this.shown[name];
      if (name === 'unsure' && this.ready) this.build(this.frame);
      return this.shown[name];
    }, true));
    this.rider = this.toggle('as filmed', 'ride', () => { this.ride = !this.ride; return this.ride; }, false);
    this.grow = make('button', { class: 'grow', title: 'larger, smaller', 'aria-label': '3D larger, smaller' }, '⤢');
    this.element = make('figure', { class: 'panel cloud' }, this.canvas,
      make('figcaption', {}, make('b', {}, '3D'), make('small', {}, 'drag turns, right drag moves, wheel zooms')),
      this.grow,
      make('div', { class: 'toggles' }, ...toggles, this.rider,
        make('button', { onclick: () => this.reset(), title: 'back to the first view (R)' }, 'reset')));
    if (!this.gl) {
      this.element.append(make('div', { class: 'none' }, 'This browser draws no WebGL, which the 3D view needs.'));
      return;
    }
    this.begin();
    this.orbit = new Orbit(this.canvas, () => { this.filmed(false); this.redraw(); }, () => this.reset());
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  toggle(title, name, act, pressed) {
    return make('button', { 'data-part': name, 'aria-pressed': pressed, onclick: event => {
      event.currentTarget.setAttribute('aria-pressed', act());
      this.redraw();
    } }, title);
  }

  begin() {
    const { gl } = this, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.uniform = Object.fromEntries(['view', 'zoom', 'lift', 'round'].map(name =>
      [name, gl.getUniformLocation(program, name)]));
    this.attribute = ['place', 'colour'].map(name => gl.getAttribLocation(program, name));
    this.attribute.forEach(at => gl.enableVertexAttribArray(at));
    this.buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.vertexAttribPointer(this.attribute[0], 4, gl.FLOAT, false, STRIDE, 0);
    gl.vertexAttribPointer(this.attribute[1], 4, gl.UNSIGNED_BYTE, true, STRIDE, 16);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0.035, 0.04, 0.055, 1);
  }

  load(loaded) {
    this.loaded = loaded;
    if (!this.gl) return;
    const [T, tall, wide] = loaded.inverse.shape, [, maskTall, maskWide] = loaded.masks.shape;
    Object.assign(this, { T, tall, wide });
    const [width, height] = this.data.size, { every, first } = this.geometry;
    this.maskAt = new Uint32Array(tall * wide);
    for (let y = 0, n = 0; y < tall; y++) {
      for (let x = 0; x < wide; x++, n++) {
        this.maskAt[n] = Math.floor((first + every * y + 0.5) * maskTall / height) * maskWide
          + Math.floor((first + every * x + 0.5) * maskWide / width);
      }
    }
    this.roles = this.data.instances.map(one => ({ role: one.role, colour: rgbOf(one.colour) }));
    this.parts = Object.fromEntries(['scene', 'hand', 'object'].map(name => [name, new Vertices(tall * wide)]));
    this.parts.lines = new Vertices(2 * FLOWN * loaded.tracks.count + 4 * T + 64 + 40 * this.data.hand_places.length);
    this.parts.heads = new Vertices(loaded.tracks.count);
    this.pen = new OffscreenCanvas(wide, tall).getContext('2d', { willReadFrequently: true });
    this.ready = true;
    this.build(this.frame);
    this.reset();
  }

  draw(frame) {
    this.frame = frame;
    if (!this.ready) return;
    this.build(frame);
    this.redraw();
  }

  /** All vertices of a frame. */
  build(frame) {
    Object.values(this.parts).forEach(part => { part.count = 0; });
    this.buildPoints(frame);
    this.size = 0.12 * this.middle(frame);
    if (this.loaded.tracks.places) this.buildTracks(frame);
    this.buildCameras(frame);
    this.buildObject(frame);
    this.buildHands(frame);
  }

  buildPoints(frame) {
    const { tall, wide, loaded: { masks, inverse, sure, pictures }, geometry: { every, first } } = this;
    this.pen.drawImage(pictures[frame], 0, 0, wide, tall);
    const rgb = this.pen.getImageData(0, 0, wide, tall).data, codes = tall * wide * frame;
    const ids = masks.shape[1] * masks.shape[2] * frame;
    const [fx, fy, cx, cy, a, b, c, x0, d, e, f, y0, g, h, i, z0] = this.geometry.cameras[frame];
    for (let row = 0, n = 0; row < tall; row++) {
      const v = (first + every * row - cy) / fy;
      for (let column = 0; column < wide; column++, n++) {
        const code = inverse.values[codes + n];
        if (!code || !(this.shown.unsure || sure[codes + n])) continue;
        const z = 1 / (inverse.low + (code - 1) * inverse.step), x = (first + every * column - cx) / fx * z, y = v * z;
        const under = inverse.values[codes + n + wide], drop = row + 1 < tall && under
          ? z - 1 / (inverse.low + (under - 1) * inverse.step) : 0;
        const apart = every * z / fx, slope = Math.abs(drop) < 4 * apart ? drop : 0;  // rows of a slope lie far apart
        const one = this.roles[masks.values[ids + this.maskAt[n]] - 1], mix = one ? 0.4 : 0;
        const colour = one ? one.colour : [0, 0, 0], light = one ? 0.6 : 0.85;
        this.parts[one ? one.role : 'scene'].add(a * x + b * y + c * z + x0, d * x + e * y + f * z + y0,
          g * x + h * y + i * z + z0, 1.2 * Math.hypot(apart, slope), light * rgb[4 * n] + mix * colour[0],
          light * rgb[4 * n + 1] + mix * colour[1], light * rgb[4 * n + 2] + mix * colour[2], 255);
      }
    }
  }

  buildTracks(frame) {
    const { T, loaded: { tracks }, parts: { lines, heads } } = this, { places, visible, colours } = tracks;
    for (let m = 0; m < tracks.count; m++) {
      const x = 3 * m * T, y = x + T, z = y + T, rgb = colours.subarray(3 * m, 3 * m + 3);
      for (let t = Math.max(1, frame - FLOWN + 1); t <= frame; t++) {
        const seen = visible[m * T + t] && visible[m * T + t - 1];
        const alpha = (seen ? 230 : 60) * (1 - (frame - t) / FLOWN);
        lines.add(places[x + t - 1], places[y + t - 1], places[z + t - 1], 0, ...rgb, alpha);
        lines.add(places[x + t], places[y + t], places[z + t], 0, ...rgb, alpha);
      }
      heads.add(places[x + frame], places[y + frame], places[z + frame], 0.035 * this.size, ...rgb,
        visible[m * T + frame] ? 255 : 70);
    }
    this.cameraFrom = lines.count;
  }

  buildCameras(frame) {
    const { parts: { lines }, geometry: { cameras } } = this;
    this.cameraFrom = lines.count;
    const put = (place, rgb, alpha) => lines.add(...place, 0, ...rgb, alpha);
    const eye = ([, , , , , , , x, , , , y, , , , z]) => [x, y, z];
    for (let t = 1; t < cameras.length; t++) {
      for (const camera of [cameras[t - 1], cameras[t]]) put(eye(camera), [150, 138, 255], t <= frame ? 255 : 140);
    }
    const camera = cameras[frame], [fx, fy, cx, cy] = camera, [width, height] = this.data.size;
    const out = (u, v) => {
      const ray = [(u - cx) / fx, (v - cy) / fy, 1].map(value => value * this.size);
      return [0, 1, 2].map(row => dot(camera.slice(4 + 4 * row, 7 + 4 * row), ray) + camera[7 + 4 * row]);
    };
    const [right, bottom] = [width - 0.5, height - 0.5];
    const corners = [out(-0.5, -0.5), out(right, -0.5), out(right, bottom), out(-0.5, bottom)];
    corners.forEach((corner, n) => {
      for (const place of [eye(camera), corner, corner, corners[(n + 1) % 4]]) put(place, [255, 255, 255], 200);
    });
  }

  /** The axes of the object's pose, where it is known. */
  buildObject(frame) {
    const pose = this.data.object_poses?.[frame], { lines } = this.parts;
    this.objectFrom = lines.count;
    if (!pose) return;
    const at = [pose[3], pose[7], pose[11]];
    [[255, 84, 84], [84, 220, 110], [90, 150, 255]].forEach((rgb, axis) => {
      lines.add(...at, 0, ...rgb, 255);
      lines.add(...at.map((value, row) => value + 0.6 * this.size * pose[4 * row + axis]), 0, ...rgb, 255);
    });
  }

  /** Wrist and fingers of the hands whose keypoints are known in 3D. */
  buildHands(frame) {
    const { lines } = this.parts;
    this.handsFrom = lines.count;
    for (const { side, keypoints } of this.data.hand_places) {
      const points = keypoints[frame];
      if (!points) continue;
      for (let joint = 1; joint <= 20; joint++) {
        const from = joint % 4 === 1 ? 0 : joint - 1;
        for (const place of [points[from], points[joint]]) lines.add(...place, 0, ...rgbOf(HAND_COLOURS[side]), 255);
      }
    }
  }

  /** Where to look: between the middle of hand and object and the middle of everything. */
  focus() {
    const { hand, object, scene } = this.parts, middle = parts => [0, 1, 2].map(axis => median(parts.flatMap(part => {
      const step = Math.ceil(part.count / 2000), values = [];
      for (let n = 0; n < part.count; n += step) values.push(part.floats[n * STRIDE / 4 + axis]);
      return values;
    })));
    const all = middle([hand, object, scene]), acting = middle([hand, object]);
    if (all[0] === undefined) return [0, 0, 1];
    return acting[0] === undefined ? all : all.map((value, axis) => (value + acting[axis]) / 2);
  }

  /** The median depth of what the frame shows, by which cameras and axes are drawn neither too small nor too large. */
  middle(frame) {
    const { tall, wide, loaded: { inverse } } = this, found = [];
    for (let n = 0; n < tall * wide; n += 37) {
      const code = inverse.values[tall * wide * frame + n];
      if (code) found.push(1 / (inverse.low + (code - 1) * inverse.step));
    }
    return found.length ? median(found) : 1;
  }

  /** Whether to look through the recording camera. */
  filmed(ride) {
    this.ride = ride;
    this.rider.setAttribute('aria-pressed', ride);
  }

  reset() {
    this.filmed(false);
    if (!this.ready) return;
    const { axes, eye } = this.filming();
    this.orbit.look(this.focus(), eye, axes[2]);
    this.redraw();
  }

  /** The recording camera's view, as in `Orbit.pose`. */
  filming() {
    const [, fy, , , a, b, c, x, d, e, f, y, g, h, i, z] = this.geometry.cameras[this.frame];
    const half = this.data.size[1] / 2 / fy;
    return { axes: [[a, d, g], [b, e, h], [c, f, i]], eye: [x, y, z],
      half: [half * this.canvas.width / this.canvas.height, half] };
  }

  resize() {
    const sharp = Math.min(window.devicePixelRatio || 1, 2), box = this.element.getBoundingClientRect();
    if (!box.width) return;
    [this.canvas.width, this.canvas.height] = [Math.round(box.width * sharp), Math.round(box.height * sharp)];
    this.redraw();
  }

  redraw() {
    if (this.pending || !this.ready) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.render(); });
  }

  render() {
    const { gl, canvas, shown, parts } = this;
    if (!canvas.width) return;
    const { axes, eye, half } = this.ride ? this.filming() : this.orbit.pose(canvas.width / canvas.height);
    const near = 0.02 * this.orbit.distance, far = 1000 * this.orbit.distance;
    const depth = (far + near) / (far - near), shift = -2 * far * near / (far - near);
    const rows = [axes[0].map(v => v / half[0]), axes[1].map(v => -v / half[1]), axes[2].map(v => v * depth), axes[2]];
    const last = [0, 0, shift, 0].map((extra, n) => extra - dot(rows[n], eye));
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const columns = [0, 1, 2].flatMap(column => rows.map(row => row[column]));
    gl.uniformMatrix4fv(this.uniform.view, false, columns.concat(last));
    gl.uniform1f(this.uniform.zoom, canvas.height / 2 / half[1]);
    gl.uniform1i(this.uniform.round, 0);
    gl.uniform1f(this.uniform.lift, 0);
    const put = (part, kind, from = 0, to = part.count) => {
      if (to <= from) return;
      gl.bufferData(gl.ARRAY_BUFFER, part.bytes.subarray(from * STRIDE, to * STRIDE), gl.STREAM_DRAW);
      gl.drawArrays(kind, 0, to - from);
    };
    for (const name of ['scene', 'hand', 'object']) if (shown[name]) put(parts[name], gl.POINTS);
    gl.uniform1f(this.uniform.lift, LIFT);
    if (shown.tracks) put(parts.lines, gl.LINES, 0, this.cameraFrom);
    if (shown.camera && !this.ride) put(parts.lines, gl.LINES, this.cameraFrom, this.objectFrom);
    gl.disable(gl.DEPTH_TEST);  // the object's axes begin inside of it, bones are inside of the hand
    if (shown.object) put(parts.lines, gl.LINES, this.objectFrom, this.handsFrom);
    if (shown.hand) put(parts.lines, gl.LINES, this.handsFrom);
    gl.enable(gl.DEPTH_TEST);
    gl.uniform1i(this.uniform.round, 1);
    if (shown.tracks) put(parts.heads, gl.POINTS);
    this.element.dataset.drawn = this.frame;
  }
}
