const cards = [...document.querySelectorAll('script.card')].map(script => JSON.parse(script.textContent));
const film = document.getElementById('film'), part = document.getElementById('part');

function choose(name) {
  const known = cards.some(card => card.name === name) ? name : cards[0].name;
  part.src = `report/${encodeURIComponent(known)}.html`;
  for (const link of film.children) link.setAttribute('aria-current', link.dataset.name === known);
  film.querySelector('[aria-current=true]').scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

film.append(...cards.map(card => make('a', { href: `#${encodeURIComponent(card.name)}`, 'data-name': card.name },
  make('img', { src: card.picture, alt: '', loading: 'lazy' }),
  make('span', { class: 'name' }, card.name, make('small', {}, `${(card.start - cards[0].start).toFixed(1)} s`)),
  make('span', { class: 'seen' }, ...card.instances.map(([name, colour, seen]) =>
    make('i', { style: `--part: ${100 * seen}%; --colour: ${colour}`,
      title: `${name}: seen in ${(100 * seen).toFixed(0)} %` }))),
  ...(card.notes ? [make('b', { class: 'warn', title: `${card.notes} notes` }, `${card.notes}`)] : []))));
const facts = { stretches: cards.length, frames: sum(cards.map(card => card.frames)),
  'with point map': cards.filter(card => card.geometry).length };
document.getElementById('summary').append(...Object.entries(facts).map(([name, value]) =>
  make('div', {}, make('dt', {}, name), make('dd', {}, `${value}`))));
const wanted = () => choose(decodeURIComponent(location.hash.slice(1)));
addEventListener('hashchange', wanted);
wanted();
