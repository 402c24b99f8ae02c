const SPEEDS = [[0.25, '¼×'], [0.5, '½×'], [1, '1×'], [2, '2×']];
const HOLD_S = 0.6;  // the last frame stays this long before the loop begins again
const ICONS = {
  play: 'M4 2.5v11l9-5.5z', pause: 'M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z',
  back: 'M11.5 3 5 8l6.5 5zM3 3h1.8v10H3z', on: 'M4.5 3 11 8l-6.5 5zM11.2 3H13v10h-1.8z',
  loop: 'M8 3V.8l3.6 3.1L8 7V4.7a3.5 3.5 0 1 0 3.5 3.5h1.7A5.2 5.2 0 1 1 8 3z',
};
const PANELS = {
  source: ['Source', 'size'], generated: ['Generated', 'size'],
  points: ['Condition', 'points'], tracking: ['Condition', 'tracks'], coloured: ['Condition', 'colours'],
  mask: ['Scene', 'hand and object'], depth: ['Scene', 'depth'],
};

const icon = name => make('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, make('path', { d: ICONS[name] }));

class Episode {
  constructor(data) {
    Object.assign(this, { data, frame: 0, clock: 0, speed: 1, loop: true, playing: false, pictures: null,
      wanted: !matchMedia('(prefers-reduced-motion: reduce)').matches });
    this.canvases = {};
    this.charts = this.makeCharts();
    this.shown = this.makeLabels();
    this.element = make('article', { tabindex: 0, onkeydown: event => this.key(event) }, this.header(),
      ...this.faults(), this.stage(), this.controls(),
      make('div', { class: 'charts' }, ...this.charts.map(chart => chart.element)), this.labels, ...this.details());
    this.draw();
  }

  get count() { return this.data.times.length; }

  /** Whether lengths are metres: of some footage nobody knows how large anything is. */
  get metric() { return !this.data.footage || this.data.conditions.settings.metric === 'True'; }

  header() {
    const { data } = this, rate = (this.count - 1) / (data.times.at(-1) || 1);
    const scores = known(data.fidelity.value);
    const chips = [data.name, `${this.count} frames at ${+rate.toFixed(2)} Hz`];
    if (data.provenance) chips.push(`seed ${data.provenance.seed}`);
    if (scores.length) chips.push(`fidelity ${mean(scores).toFixed(2)}`);
    return make('header', {}, make('h2', { class: 'task' }, data.task || data.name),
      make('div', { class: 'chips' }, ...chips.map(text => make('span', { class: 'chip' }, text))));
  }

  faults() {
    const { rejection, faults: [first, ...more] } = this.data;
    const rejected = rejection ? [make('p', { class: 'fault' }, `Rejected: ${rejection}`)] : [];
    if (!first) return rejected;
    if (!more.length) return [...rejected, make('p', { class: 'fault' }, first)];
    return [...rejected, make('details', { class: 'fault' }, make('summary', {}, `${first}; and ${more.length} more`),
      make('ul', {}, ...more.map(text => make('li', {}, text))))];
  }

  stage() {
    const [, ...between] = Object.keys(this.data.sizes).slice(0, -1);
    const [width, height] = this.data.sizes.generated || this.data.sizes[between[0]] || this.data.sizes.source;
    const panels = Object.keys(this.data.sizes).map(name => {
      const [usual, kind] = PANELS[name] || ['Condition', name];
      const title = name !== 'generated' ? usual : this.data.edited ? 'Edited' : this.data.rejection ? 'Rejected' : usual;
      const size = this.data.sizes[name], what = kind === 'size' ? (size || []).join('×') : kind;
      const canvas = make('canvas', { width, height, 'aria-label': `${title} ${what}` });
      const none = make('div', { class: 'none', hidden: '' }, name === 'generated' ? 'not generated' : 'no picture');
      this.canvases[name] = { canvas, none };
      return make('figure', { class: `panel ${name}${between.includes(name) ? ' between' : ''}` }, canvas, none,
        make('figcaption', {}, make('b', {}, title), ...(what ? [make('small', {}, what)] : [])));
    });
    return make('div', { class: 'stage', style: `--aspect: ${width / height}; --count: ${between.length}`, onclick: () => this.toggle() }, ...panels);
  }

  controls() {
    this.button = make('button', { class: 'play', onclick: () => this.toggle() });
    this.scrub = make('input', { class: 'scrub', type: 'range', min: 0, max: this.count - 1, step: 1,
      'aria-label': 'frame', oninput: () => this.seek(+this.scrub.value) });
    this.clockText = make('span', { class: 'clock' });
    const again = make('button', { 'aria-pressed': 'true', 'aria-label': 'loop', title: 'loop', onclick: () => {
      this.loop = !this.loop;
      again.setAttribute('aria-pressed', this.loop);
    } }, icon('loop'));
    const speeds = SPEEDS.map(([speed, text]) => make('button', { 'aria-pressed': speed === 1, onclick: event => {
      this.speed = speed;
      speeds.forEach(button => button.setAttribute('aria-pressed', button === event.currentTarget));
    } }, text));
    const step = (by, name, title) => make('button', { 'aria-label': title, title,
      onclick: () => this.seek(this.frame + by) }, icon(name));
    this.showState();
    return make('div', { class: 'controls' }, this.button, step(-1, 'back', 'one frame back'),
      step(1, 'on', 'one frame on'), this.scrub, this.clockText, make('div', { class: 'speeds' }, ...speeds), again);
  }

  makeCharts() {
    const { frames, times } = this.data, { value, outline, motion } = this.data.fidelity;
    const seek = frame => this.seek(frame);
    const low = Math.min(0.5, ...known([...value, ...outline, ...motion]).map(score => Math.floor(score * 10) / 10));
    const part = (name, scores, n) => scores[n] === null ? '' : `${name} ${scores[n].toFixed(2)}`;
    const truth = new Chart({ name: 'truth', title: 'Fidelity', values: value, more: { outline, motion }, low, high: 1,
      label: score => score.toFixed(2), show: (score, n) => score === null ? 'none' : [score.toFixed(3),
        make('small', {}, `${part('outline', outline, n)} ${part('motion', motion, n)}`)] }, times, seek);
    if (this.data.footage) return [this.moved(seek), truth];
    const forces = frames.map(frame => sum(frame.forces)), counts = frames.map(frame => frame.forces.length);
    const heights = frames.map(frame => frame.position && 100 * frame.position[2]);
    const top = ceiling(Math.max(...known(heights), 1)), floor = Math.min(0, ...known(heights));
    return [
      new Chart({ name: 'force', title: 'Contact force', values: forces, low: 0, high: ceiling(Math.max(...forces, 1)),
        bars: counts, label: value => `${+value.toFixed(1)} N`, show: (value, n) => [`${value.toFixed(1)} N`,
          make('small', {}, `${counts[n]} contact${counts[n] === 1 ? '' : 's'}`)] }, times, seek),
      new Chart({ name: 'height', title: 'Object height', values: heights, low: floor < 0 ? -ceiling(-floor) : 0,
        high: top, label: value => `${+value.toFixed(1)} cm`, show: value => value === null ? 'unknown'
          : `${value.toFixed(1)} cm` }, times, seek),
      truth,
    ];
  }

  /** Of footage nobody knows which way is up: how far the object is from where it was first seen. */
  moved(seek) {
    const places = this.data.frames.map(frame => frame.position), first = known(places)[0];
    const [scale, unit] = this.metric ? [100, ' cm'] : [1, ''];
    const values = places.map(place => place && scale * Math.hypot(...place.map((x, n) => x - first[n])));
    return new Chart({ name: 'height', title: 'Object moved', values, low: 0,
      high: ceiling(Math.max(...known(values), scale / 100)), label: value => `${+value.toFixed(2)}${unit}`,
      show: value => value === null ? 'unknown' : `${value.toFixed(scale === 1 ? 3 : 1)}${unit}` }, this.data.times, seek);
  }

  makeLabels() {
    const { frames, joints, actions } = this.data, parts = [];
    this.labels = make('dl', { class: 'now' });
    const add = (title, content, draw, wide) => {
      this.labels.append(make('div', wide ? { class: 'wide' } : {}, make('dt', {}, title), make('dd', {}, content)));
      parts.push(draw);
    };
    const text = (title, say, wide) => {
      const value = make('span');
      add(title, value, n => { value.textContent = say(frames[n], n); }, wide);
    };
    const digits = values => values.map(value => (value < 0 ? '−' : ' ') + Math.abs(value).toFixed(3)).join('  ');
    text('Stamp', (_, n) => `${this.data.stamps[n]} s`);
    text(`Object position x y z${this.metric ? ', m' : ''}`, frame => frame.position ? digits(frame.position) : 'unknown');
    text('Object rotation w x y z', frame => frame.rotation ? digits(quaternion(frame.rotation)) : 'unknown');
    const part = ([fraction]) => fraction == null ? 'unknown' : `${Math.round(100 * fraction)} %`;
    text('Object visible', frame => part(frame.visible));
    for (const [title, key] of [[`Joints (${joints.length})`, 'joints'], [`Action (${actions.length})`, 'action']]) {
      if (!frames[0][key].length) continue;
      const bars = new Bars(frames.map(frame => frame[key]), key === 'joints' ? joints : actions);
      add(title, bars.element, n => bars.draw(n));
    }
    return parts;
  }

  details() {
    const { data } = this, made = data.provenance;
    const table = (title, rows, mono) => {
      const entries = Object.entries(rows);
      if (!entries.length) return [];
      return [make('section', {}, make('h3', {}, title), make('dl', mono ? { class: 'mono' } : {},
        ...entries.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, `${value}`)))))];
    };
    const fold = (title, ...tables) => make('details', {}, make('summary', {}, title),
      make('div', { class: 'facts' }, ...tables.flat()));
    const recording = { bag: data.name, size: `${(data.bytes / 1e6).toFixed(1)} MB`,
      camera: data.sizes.source.join('×'), generator: (data.sizes.generated || ['none']).join('×') };
    const folds = [], found = data.conditions;
    if (found) {
      folds.push(fold(data.footage ? 'Conditions from footage' : 'Conditions', table('Settings', found.settings), table('Origin', { source: found.source }),
        table('Timings', found.timings), table('Licences', found.licences), table('Weights, SHA-256', found.weights, true)));
    }
    if (made) {
      folds.push(fold('Settings and timings', table('Settings', made.settings), table('Timings', made.timings)),
        fold('Provenance', table('Origin', { seed: made.seed, source: made.source || 'not told' }),
          table('Versions', made.versions), table('Licences', made.licences),
          table('Weights, SHA-256', made.weights, true)));
    }
    folds.push(fold('Recording', table('Bag', recording), table('Messages by topic', data.counts)));
    return folds;
  }

  /** Decode every picture before the first is drawn, so that no panel is ever behind another. */
  async load() {
    if (this.loading) return;
    this.loading = true;
    const panels = this.data.panels || await fetchPanels(this.data);
    if (!panels) {
      for (const { none } of Object.values(this.canvases)) {
        none.textContent = `${this.data.file}, beside this page, is missing`;
        none.hidden = false;
      }
      return;
    }
    const decode = async uri => {
      if (uri === null) return null;
      const image = new Image();
      image.src = uri;
      await image.decode();
      return image;
    };
    const entries = Object.entries(panels).map(async ([name, uris]) => [name, await Promise.all(uris.map(decode))]);
    this.pictures = Object.fromEntries(await Promise.all(entries));
    for (const [name, { canvas }] of Object.entries(this.canvases)) {
      const first = known(this.pictures[name])[0];
      if (first) [canvas.width, canvas.height] = [first.naturalWidth, first.naturalHeight];
    }
    this.draw();
    this.element.dataset.ready = 'true';
  }

  draw() {
    for (const [name, { canvas, none }] of Object.entries(this.canvases)) {
      const picture = this.pictures ? this.pictures[name][this.frame] : null;
      const pen = canvas.getContext('2d');
      if (picture) pen.drawImage(picture, 0, 0);
      else pen.clearRect(0, 0, canvas.width, canvas.height);
      none.hidden = !this.pictures || Boolean(picture);
    }
    this.charts.forEach(chart => chart.draw(this.frame));
    this.shown.forEach(draw => draw(this.frame));
    this.scrub.value = this.frame;
    this.clockText.replaceChildren(make('b', {}, `${this.frame + 1}`), ` / ${this.count}`,
      `  ·  ${this.data.times[this.frame].toFixed(2)} s`);
    this.element.dataset.frame = this.frame;
  }

  show(frame) {
    if (frame === this.frame) return;
    this.frame = frame;
    this.draw();
  }

  /** A person chose a frame: stay there. */
  seek(frame) {
    this.wanted = false;
    this.play(false);
    this.show(clamp(frame, 0, this.count - 1));
    this.clock = this.data.times[this.frame];
  }

  toggle() {
    this.wanted = !this.playing;
    if (this.wanted && this.frame === this.count - 1) this.clock = 0;
    this.play(this.wanted);
  }

  play(playing) {
    if (playing === this.playing) return;
    this.playing = playing;
    this.showState();
    if (playing) { this.load(); this.last = null; requestAnimationFrame(now => this.tick(now)); }
  }

  showState() {
    this.button.replaceChildren(icon(this.playing ? 'pause' : 'play'));
    this.button.setAttribute('aria-label', this.playing ? 'pause' : 'play');
  }

  tick(now) {
    if (!this.playing) return;
    const { times } = this.data;
    if (this.pictures && this.last !== null) this.clock += this.speed * Math.min(now - this.last, 250) / 1000;
    this.last = now;
    if (this.clock >= times.at(-1) + HOLD_S) {
      if (!this.loop) { this.show(this.count - 1); this.wanted = false; this.play(false); return; }
      this.clock = 0;
    }
    this.show(Math.max(0, times.findLastIndex(time => time <= this.clock + 1e-6)));
    requestAnimationFrame(next => this.tick(next));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.target.matches('input, button, summary') && !step) return;
    if (step) this.seek(this.frame + step);
    else if (event.key === ' ') this.toggle();
    else return;
    event.preventDefault();
  }
}

/** Images that stand in a file beside the page, by its name; null if it is not there. */
const received = {};
function receive(name, panels) { received[name] = panels; }
function fetchPanels({ file }) {
  const [folder, name] = file.split('/');
  return new Promise(done => document.head.append(make('script', { src: `${folder}/${encodeURIComponent(name)}`,
    onload: () => done(received[name]), onerror: () => done(null) })));
}

function summarise(contents) {
  const rejected = contents.filter(data => data.rejection);
  const scores = contents.flatMap(data => data.rejection ? [] : known(data.fidelity?.value || []));
  const models = [...new Set(contents.map(data => data.provenance?.settings.model).filter(Boolean))];
  const facts = [['episodes', contents.length], ['frames', sum(contents.map(data => data.times?.length || 0))]];
  if (rejected.length) facts.push(['rejected', rejected.length]);
  if (models.length) facts.push(['model', models.join(', ')]);
  if (scores.length) facts.push(['mean fidelity', mean(scores).toFixed(3)]);
  document.getElementById('summary').append(...facts.map(([name, value]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, `${value}`))));
}

function begin() {
  const contents = [...document.querySelectorAll('script.episode')].map(script => JSON.parse(script.textContent));
  const main = document.getElementById('episodes');
  const players = new Map();
  const seen = new IntersectionObserver(entries => entries.forEach(entry => {
    const player = players.get(entry.target);
    if (entry.isIntersecting) player.load();
    player.play(entry.isIntersecting && player.wanted);
  }), { rootMargin: '80px' });
  summarise(contents);
  for (const data of contents) {
    if (data.error) {
      main.append(make('article', {}, make('header', {}, make('h2', {}, data.name)),
        make('div', { class: 'fault' }, `This bag cannot be shown. ${data.error}`)));
      continue;
    }
    const player = new Episode(data);
    players.set(player.element, player);
    main.append(player.element);
    seen.observe(player.element);
  }
}

begin();
