const SPEEDS = [[0.25, '¼×'], [0.5, '½×'], [1, '1×'], [2, '2×'], [4, '4×']];
const HOLD_S = 0.6;  // the last frame stays this long before the film begins again
const INSET = 8;  // half a slider's knob: strips and slider share one scale
const ICONS = {
  play: 'M4 2.5v11l9-5.5z', pause: 'M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z',
  back: 'M11.5 3 5 8l6.5 5zM3 3h1.8v10H3z', on: 'M4.5 3 11 8l-6.5 5zM11.2 3H13v10h-1.8z',
};
const icon = name => make('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, make('path', { d: ICONS[name] }));

class Player {
  constructor(data) {
    Object.assign(this, { data, frame: 0, clock: 0, speed: 1, playing: false, loaded: false });
    this.panels = [new MaskPanel(data), ...(data.geometry ? [new CloudPanel(data)] : []), new TrackPanel(data),
      ...(data.geometry ? [new DepthPanel(data)] : [])];
    const [width, height] = data.size, count = this.panels.length;
    this.stage = make('div', { class: `views count${count}`, style: `--aspect: ${width / height}` },
      ...this.panels.map(panel => panel.element));
    for (const { grow, element } of this.panels) {
      grow.addEventListener('click', () => {
        const alone = element.classList.toggle('alone');
        this.stage.classList.toggle('one', alone);
      });
    }
    this.strips = new Strips(data, frame => this.seek(frame));
    this.element = make('article', { tabindex: 0, onkeydown: event => this.key(event) }, ...this.notes(), this.stage,
      this.controls(), this.strips.element, ...this.numbers());
  }

  get last() { return this.data.times.length - 1; }

  notes() {
    const { notes, reason, geometry } = this.data, parts = [];
    if (!geometry) {
      parts.push(make('div', { class: 'refused' }, make('b', {}, 'Boxes, masks and tracks only: '), reason));
    }
    if (notes.length) parts.push(make('ul', { class: 'notes' }, ...notes.map(note => make('li', {}, note))));
    return parts;
  }

  controls() {
    this.button = make('button', { class: 'play', onclick: () => this.toggle() });
    this.scrub = make('input', { class: 'scrub', type: 'range', min: 0, max: this.data.times.at(-1) || 1, step: 'any',
      'aria-label': 'time', oninput: () => this.seek(this.strips.nearest(+this.scrub.value)) });
    this.clockText = make('span', { class: 'clock' });
    const step = (by, name, title) => make('button', { 'aria-label': title, title,
      onclick: () => this.seek(this.frame + by) }, icon(name));
    const speeds = make('select', { 'aria-label': 'speed', onchange: () => { this.speed = +speeds.value; } },
      ...SPEEDS.map(([speed, text]) => make('option', { value: speed, ...(speed === 1 && { selected: '' }) }, text)));
    this.showState();
    return make('div', { class: 'time' },
      make('div', { class: 'buttons' }, step(-1, 'back', 'one frame back'), this.button, step(1, 'on', 'one frame on'),
        speeds), this.scrub, this.clockText);
  }

  numbers() {
    const { facts, provenance: made } = this.data;
    const table = (title, rows, kind = '') => Object.keys(rows).length ? [make('section', {}, make('h3', {}, title),
      make('dl', { class: kind }, ...Object.entries(rows).map(([name, value]) =>
        make('div', {}, make('dt', {}, name), make('dd', {}, `${value}`)))))] : [];
    const tables = Object.entries(facts).flatMap(([title, rows]) => table(title, rows));
    const cards = make('div', { class: 'cards' }, ...tables);
    const origin = { seed: made.seed, source: made.source || 'not told' };
    return [cards, make('details', {}, make('summary', {}, 'How it was made'), make('div', { class: 'facts' },
      ...table('Origin', origin), ...table('Settings', made.settings), ...table('Versions', made.versions),
      ...table('Licences', made.licences), ...table('Weights, SHA-256', made.weights, 'mono')))];
  }

  async load() {
    this.show(0);
    const loaded = await unpackAll(this.data);
    this.panels.forEach(panel => panel.load(loaded));
    this.loaded = true;
    this.show(this.frame);
    this.element.dataset.ready = 'true';
    this.play(this.last > 0 && !matchMedia('(prefers-reduced-motion: reduce)').matches);
  }

  show(frame) {
    this.frame = frame;
    const { times, stamps } = this.data;
    if (this.loaded) this.panels.forEach(panel => panel.draw(frame));
    this.strips.draw(frame);
    this.scrub.value = times[frame];
    this.clockText.replaceChildren('frame ', make('b', {}, `${frame}`), `  ·  ${times[frame].toFixed(2)} s`);
    this.clockText.title = `stamp ${stamps[frame]} s`;
    this.element.dataset.frame = frame;
  }

  /** A person chose a frame: stay there. */
  seek(frame) {
    this.play(false);
    this.show(clamp(frame, 0, this.last));
    this.clock = this.data.times[this.frame];
  }

  toggle() {
    if (!this.playing && this.frame === this.last) this.clock = 0;
    this.play(!this.playing);
  }

  play(playing) {
    if (playing === this.playing) return;
    this.playing = playing;
    this.showState();
    if (playing) { this.before = null; requestAnimationFrame(now => this.tick(now)); }
  }

  showState() {
    this.button.replaceChildren(icon(this.playing ? 'pause' : 'play'));
    this.button.setAttribute('aria-label', this.playing ? 'pause' : 'play');
  }

  tick(now) {
    if (!this.playing) return;
    const { times } = this.data;
    if (this.before !== null) this.clock += this.speed * Math.min(now - this.before, 250) / 1000;
    this.before = now;
    if (this.clock >= times.at(-1) + HOLD_S) this.clock = 0;
    const frame = Math.max(0, times.findLastIndex(time => time <= this.clock + 1e-6));
    if (frame !== this.frame) this.show(frame);
    requestAnimationFrame(next => this.tick(next));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.target.matches('button, select, summary') && !step) return;
    if (step) this.seek(this.frame + step);
    else if (event.key === ' ') this.toggle();
    else return;
    event.preventDefault();
  }
}

const read = name => JSON.parse(document.querySelector(`script.${name}`).textContent);

function begin() {
  const { rate, geometry } = read('card'), data = read('content');
  const player = new Player(data);
  document.body.classList.toggle('framed', self !== top);
  const chips = [`${data.times.length} frames`, rate, data.size.join('×'), geometry || 'no point map'];
  document.getElementById('chips').append(...chips.map(text => make('span', { class: 'chip' }, text)));
  document.getElementById('clip').append(player.element);
  player.element.focus({ preventScroll: true });
  player.load();
}

begin();
