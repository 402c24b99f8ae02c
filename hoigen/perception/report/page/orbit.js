const FIELD = 0.75;  // radians that the view is high

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const plus = (a, b, scale) => a.map((value, n) => value + scale * b[n]);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** A view that mouse, fingers and keys turn around a target; y points down. `changed` is called after each move. */
class Orbit {
  constructor(canvas, changed, reset) {
    Object.assign(this, { canvas, changed, reset, target: [0, 0, 1], distance: 1, yaw: 0, pitch: 0,
      pointers: new Map() });
    const on = (name, act, options) => canvas.addEventListener(name, act.bind(this), options);
    on('pointerdown', event => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
    });
    for (const name of ['pointerup', 'pointercancel']) on(name, event => this.pointers.delete(event.pointerId));
    on('pointermove', this.drag);
    on('wheel', event => {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
    }, { passive: false });
    on('contextmenu', event => event.preventDefault());
    on('dblclick', () => reset());
    on('keydown', this.key);
  }

  /** Look at `target` from `eye`'s side of it: a little from the right and from above. */
  look(target, eye, [right, down, ahead]) {
    Object.assign(this, { target, distance: 1.5 * Math.hypot(...plus(target, eye, -1)) || 1,
      yaw: Math.atan2(right, ahead) + 0.45, pitch: clamp(Math.asin(clamp(down, -1, 1)) + 0.3, -1.5, 1.5) });
  }

  /** Right, down and forward, the eye, and the tangents of half its angles. */
  pose(aspect) {
    const { yaw, pitch } = this, tall = Math.tan(FIELD / 2);
    const ahead = [Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch)];
    const right = [Math.cos(yaw), 0, -Math.sin(yaw)];
    return { axes: [right, cross(ahead, right), ahead], eye: plus(this.target, ahead, -this.distance),
      half: [tall * aspect, tall] };
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    const others = [...this.pointers.values()].filter(other => other.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (others.length) {  // two fingers move and zoom
      const apart = one => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
      this.move(dx / 2, dy / 2);
      this.zoom(apart(before) / apart(event));
    } else if (event.buttons & 6 || event.shiftKey) {
      this.move(dx, dy);
    } else {
      this.turn(dx, dy);
    }
  }

  turn(dx, dy) {
    this.yaw += 0.006 * dx;
    this.pitch = clamp(this.pitch + 0.006 * dy, -1.5, 1.5);
    this.changed(true);
  }

  move(dx, dy) {
    const { axes: [right, down], half } = this.pose(1);
    const unit = 2 * this.distance * half[1] / this.canvas.clientHeight;
    this.target = plus(plus(this.target, right, -dx * unit), down, -dy * unit);
    this.changed(true);
  }

  zoom(factor) {
    this.distance *= factor;
    this.changed(true);
  }

  key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way && event.shiftKey) this.move(-30 * way[0], -30 * way[1]);
    else if (way) this.turn(12 * way[0], 12 * way[1]);
    else if (event.key === '+' || event.key === '=') this.zoom(0.9);
    else if (event.key === '-') this.zoom(1 / 0.9);
    else if (event.key === 'r' || event.key === 'R') this.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
