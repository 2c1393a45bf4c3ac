// The table of frames. Only the rows in sight are elements, so that 10^5 frames cost no more than a hundred.
import {CHANNELS, el, linkText, seconds, shown} from './format.js';

export const ROW_PX = 30;
const BEYOND = 6;  // rows above and below the ones in sight
const MOST_PX = 30_000_000;

const COLUMNS = [
  {name: 'Time', key: 't', of: (f, s) => seconds(s.since(f.t)), by: (f) => f.t},
  {name: 'Channel', key: 'channel', of: (f) => f.channel, by: (f) => CHANNELS.indexOf(f.channel)},
  {name: 'Kind', key: 'kind', of: (f) => f.kind, by: (f) => f.kind ?? ''},
  {name: 'From', key: 'src', of: (f) => f.src ?? '', by: (f) => f.src ?? '', mono: true},
  {name: 'To', key: 'dst', of: (f) => f.dst ?? '', by: (f) => f.dst ?? '', mono: true},
  {name: 'Link', key: 'link', of: (f) => linkText(f.link), by: (f) => f.link ?? ''},
  {name: 'Octets', key: 'size', of: (f) => sizeOf(f) || '', by: sizeOf},
  {name: 'Content', key: 'octets', of: (f) => (typeof f.open === 'string' ? f.open : f.octets ?? ''), by: (f) => f.octets ?? '', wide: true},
];

function sizeOf(f) {
  return f.fields?.octets ?? (f.octets?.length ?? 0) / 2;
}

export class Table {
  constructor(place, store, {select, counted}) {
    Object.assign(this, {place, store, select, counted, chosen: null, filter: {}, sort: {key: 't', down: true}});
    this.rows = [];        // frames, in the order shown; newest first where sorted by time
    this.head = el('div', {class: 'tr th', role: 'row', 'aria-rowindex': 1}, COLUMNS.map((c) => el('button', {type: 'button', role: 'columnheader', class: `c-${c.key}`, 'data-key': c.key, click: () => this.sortBy(c.key)}, c.name)));
    this.room = el('div', {class: 'room', role: 'rowgroup'});
    this.body = el('div', {class: 'scroll', role: 'presentation'}, this.room);
    place.append(this.head, this.body);
    this.body.addEventListener('scroll', () => this.draw(), {passive: true});
    place.addEventListener('keydown', (e) => this.key(e));
    new ResizeObserver(() => this.draw()).observe(this.body);
    this.rebuild();
  }

  matches(f) {
    const {channel, kind, link, text, flagged} = this.filter;
    if (channel && f.channel !== channel) return false;
    if (kind && f.kind !== kind) return false;
    if (link && (link === '-' ? f.link : f.link !== link)) return false;
    if (flagged && !this.store.flagged.has(f.id)) return false;
    if (!text) return true;
    return [f.src, f.dst, f.octets, f.open, f.kind, f.channel, f.link, String(f.id)].some((x) => typeof x === 'string' && x.toLowerCase().includes(text));
  }

  set(change) {
    Object.assign(this.filter, change);
    this.body.scrollTop = 0;
    this.rebuild();
  }

  sortBy(key) {
    this.sort = {key, down: this.sort.key === key ? !this.sort.down : key === 't'};
    this.rebuild();
  }

  rebuild() {
    this.rows = this.store.frames.filter((f) => this.matches(f));
    const {key, down} = this.sort, by = COLUMNS.find((c) => c.key === key).by;
    if (key !== 't') this.rows.sort((a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : a.id - b.id));
    for (const b of this.head.children) b.setAttribute('aria-sort', b.dataset.key === key ? (down ? 'descending' : 'ascending') : 'none');
    this.draw();
  }

  /** Frames came. In the order of time they only join; else, and where known ones changed, all is sorted again at the next call of refresh(). */
  added({added, changed}) {
    if (this.sort.key !== 't' || changed || this.store.dropped !== this.knownDropped) {
      this.knownDropped = this.store.dropped;
      this.stale = true;
      return;
    }
    const fresh = this.store.frames.slice(this.store.frames.length - added).filter((f) => this.matches(f));
    for (const f of fresh) this.rows.push(f);
    if (this.sort.down && this.body.scrollTop > ROW_PX) this.body.scrollTop += fresh.length * ROW_PX;
    this.dirty = true;
  }

  refresh() {
    if (this.stale) this.rebuild();
    else if (this.dirty) this.draw();
    this.stale = this.dirty = false;
  }

  row(k) {
    return this.rows[this.sort.down ? this.rows.length - 1 - k : k];
  }

  placeOf(id) {
    const k = this.rows.findIndex((f) => f.id === id);
    return k < 0 ? k : this.sort.down ? this.rows.length - 1 - k : k;
  }

  draw() {
    const n = this.rows.length, height = Math.min(MOST_PX, n * ROW_PX);
    this.room.style.height = `${height}px`;
    const from = Math.max(0, Math.floor(this.body.scrollTop / ROW_PX) - BEYOND);
    const to = Math.min(n, from + Math.ceil(this.body.clientHeight / ROW_PX) + 2 * BEYOND);
    const rows = [];
    for (let k = from; k < to; ++k) rows.push(this.element(this.row(k), k));
    this.room.replaceChildren(...rows);
    this.place.setAttribute('aria-rowcount', n + 1);
    this.counted(n, this.store.frames.length);
  }

  element(f, k) {
    const open = typeof f.open === 'string', flagged = this.store.flagged.has(f.id);
    const dot = el('i', {class: `dot ${CHANNELS.includes(f.channel) ? f.channel.toLowerCase() : ''}`});
    const cells = COLUMNS.map((c) => el('span', {role: 'gridcell', class: `c-${c.key}${c.mono || (c.wide && !open) ? ' mono' : ''}`},
      c.key === 'channel' ? dot : null, shown(c.of(f, this.store), c.wide ? 120 : 40)));
    const row = el('div', {class: `tr${open ? ' open' : ''}${flagged ? ' flagged' : ''}`, role: 'row', id: `frame-${f.id}`, 'aria-rowindex': k + 2,
      'aria-selected': String(f.id === this.chosen), click: () => this.select(f.id)}, cells);
    row.style.transform = `translateY(${k * ROW_PX}px)`;
    return row;
  }

  choose(id, follow) {
    this.chosen = id;
    const k = this.placeOf(id);
    if (follow && k >= 0) {
      const y = k * ROW_PX, inside = y >= this.body.scrollTop && y + ROW_PX <= this.body.scrollTop + this.body.clientHeight;
      if (!inside) this.body.scrollTop = Math.max(0, y - this.body.clientHeight / 2);
    }
    if (id === null) this.place.removeAttribute('aria-activedescendant');
    else this.place.setAttribute('aria-activedescendant', `frame-${id}`);
    this.draw();
  }

  key(e) {
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW_PX) - 1);
    const way = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity}[e.key];
    if (way === undefined || !this.rows.length || e.target !== this.place) return;
    e.preventDefault();
    const at = this.chosen === null ? -1 : this.placeOf(this.chosen);
    this.select(this.row(Math.max(0, Math.min(this.rows.length - 1, at + way))).id);
  }
}
