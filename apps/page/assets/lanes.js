// Identifiers over time: a lane for each direction of a link, a bar for each layer-2 ID, marks where keys change.
import {called, niceStep, shown, svg} from './format.js';

const WINDOW_S = 90, ROW = 30, MOST_OTHER_ROWS = 3, MOST_BARS = 160;
const SIGN = {'set-up': '\u25b2', rekeying: '\u25c6', epoch: '\u2502', release: '\u2715', withdrawn: '\u2715'};

export class Lanes {
  constructor(place, store, select) {
    Object.assign(this, {place, store, select});
  }

  draw() {
    const width = Math.max(300, this.place.clientWidth || 900), left = width < 600 ? 86 : 124;
    const end = this.store.now, begin = Math.max(this.store.zero ?? 0, end - WINDOW_S), length = Math.max(10, end - begin);
    const x = (t) => left + (Math.max(begin, t) - begin) / length * (width - left - 8);
    const {known, others} = this.split(begin);
    const rows = [...known.keys()].sort(), packed = this.pack(others);
    const height = (rows.length + packed.length) * ROW + 34;
    const parts = [this.axis(x, begin, length, height, width)];
    rows.forEach((key, k) => parts.push(this.lane(key, known.get(key), 6 + k * ROW, x, left)));
    packed.forEach((bars, k) => parts.push(this.otherLane(bars, 6 + (rows.length + k) * ROW, x, left, k === 0)));
    this.place.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.place.setAttribute('height', height);
    this.place.replaceChildren(...parts);
  }

  split(begin) {
    const known = new Map(), others = [];
    for (const l of this.store.links.values())
      for (const [a, b] of [l.names, [...l.names].reverse()]) known.set(`${a} ${b}`, []);
    for (const id of this.store.ids.values()) {
      if (id.last < begin || id.n === 0) continue;
      if (id.owner) {
        const key = `${id.owner} ${id.peer}`;
        if (!known.has(key)) known.set(key, []);
        known.get(key).push(id);
      } else {
        others.push(id);
      }
    }
    return {known, others: others.sort((a, b) => a.first - b.first).slice(-MOST_BARS)};
  }

  /** Bars that nobody explains, in as few rows as hold them. */
  pack(others) {
    const rows = [];
    for (const id of others) {
      let row = rows.find((r) => r[r.length - 1].last + 0.5 < id.first);
      if (!row) {
        if (rows.length === MOST_OTHER_ROWS) row = rows[rows.length - 1];
        else rows.push(row = []);
      }
      row.push(id);
    }
    return rows;
  }

  axis(x, begin, length, height, width) {
    const g = svg('g', {class: 'axis'}), step = niceStep(length, width / 110), zero = this.store.zero ?? 0;
    for (let k = Math.ceil((begin - zero) / step); k * step <= begin - zero + length; ++k) {
      const at = x(k * step + zero);
      g.append(svg('line', {x1: at, x2: at, y1: 0, y2: height - 24}), svg('text', {x: at, y: height - 8, 'text-anchor': 'middle'}, `${+(k * step).toFixed(2)} s`));
    }
    return g;
  }

  lane(key, ids, y, x, left) {
    const [name, peer] = key.split(' ');
    const g = svg('g', {class: 'lane', 'data-lane': key}, svg('text', {x: left - 8, y: y + 17, 'text-anchor': 'end', class: 'who'}, `${called(name)} \u2192 ${called(peer)}`));
    ids.sort((a, b) => a.first - b.first).forEach((id, k) => g.append(this.bar(id, y, x, k % 2 ? 'odd' : 'even')));
    for (const m of this.store.marks)
      if (m.name === name && m.peer === peer && m.t >= this.store.now - WINDOW_S) g.append(this.mark(m, y, x));
    return g;
  }

  mark(m, y, x) {
    return svg('text', {x: x(m.t), y: y + 18, 'text-anchor': 'middle', class: `mark ${m.what}`}, svg('title', {}, `${m.what} at ${this.store.since(m.t).toFixed(2)} s`), SIGN[m.what]);
  }

  otherLane(ids, y, x, left, first) {
    const g = svg('g', {class: 'lane other'}, first ? svg('text', {x: left - 8, y: y + 17, 'text-anchor': 'end', class: 'who'}, 'set-ups') : null);
    for (const id of ids) g.append(this.bar(id, y, x, 'unknown'));
    return g;
  }

  bar(id, y, x, kind) {
    const from = x(id.first), width = Math.max(4, x(id.last) - from);
    const g = svg('g', {class: `bar ${kind}${id.open ? ' open' : ''}`}, svg('title', {}, `${shown(id.id, 8)}: ${id.n} frames`),
      svg('rect', {x: from, y: y + 3, width, height: ROW - 8, rx: 4}));
    if (width > 58) g.append(svg('text', {x: from + width / 2, y: y + 17, 'text-anchor': 'middle', class: 'id'}, shown(id.id, 8)));
    g.addEventListener('click', () => this.select(id.id));
    return g;
  }
}
