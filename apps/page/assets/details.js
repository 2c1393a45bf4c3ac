// The side panel: one frame, its fields and its octets.
import {el, linkText, seconds, shown} from './format.js';
import {dissect} from './dissect.js';

const ROW = 8;  // octets in a row, so that the panel need not scroll sideways

function list(entries) {
  return el('dl', {}, entries.filter(([, v]) => v !== undefined && v !== null && v !== '').map(([k, v, kind]) => [el('dt', {}, shown(k, 60)), el('dd', {class: kind}, v instanceof Node ? v : shown(v, 600))]));
}

/** The fields as they were told; what is nested gets its names one after the other. */
export function flat(fields, before = '') {
  return Object.entries(fields ?? {}).slice(0, 80).flatMap(([k, v]) => {
    const name = before ? `${before}.${k}` : k;
    if (v !== null && typeof v === 'object') return before.split('.').length > 3 ? [[name, JSON.stringify(v)]] : flat(v, name);
    return [[name, typeof v === 'number' && !Number.isInteger(v) ? String(+v.toPrecision(6)) : v]];
  });
}

export class Details {
  constructor({panel, body, title}, store, {moved, closed}) {
    Object.assign(this, {panel, body, title, store, moved, closed, id: null});
    panel.addEventListener('keydown', (e) => {
      if (e.key === 'Escape') this.close();
    });
  }

  open(id) {
    const f = this.store.frame(id);
    if (!f) return false;
    this.id = id;
    this.panel.hidden = false;
    document.body.classList.add('with-details');
    this.title.textContent = `Frame ${id}`;
    const {octets, parts} = dissect(f);
    this.body.replaceChildren(...[this.verdictOf(f), list(this.facts(f, octets)), el('h3', {}, 'Fields'), this.partsOf(parts), this.told(f), el('h3', {}, `Octets (${octets.length}${octets.length >= 256 ? ', cut' : ''})`), this.dump(octets, parts)].filter(Boolean));
    return true;
  }

  verdictOf(f) {
    if (this.store.flagged.has(f.id)) return el('p', {class: 'note bad'}, 'This frame shows the weakness.');
    if (typeof f.open === 'string') return el('div', {class: 'note readable'}, el('p', {}, 'Mary\u2019s stolen keys read this frame:'), el('blockquote', {dir: 'ltr'}, shown(f.open, 4000)));
    if (f.kind === 'record') return el('p', {class: 'note good'}, 'Nobody without the keys of this link reads this frame.');
    return null;
  }

  facts(f, octets) {
    return [['Time', `${seconds(this.store.since(f.t))} s`], ['Channel', f.channel], ['Kind', f.kind], ['Subframe', f.subframe], ['Resource blocks', f.prbs ? `${f.prb_start} to ${f.prb_start + f.prbs - 1}` : ''],
      ['From', f.src, 'mono'], ['To', f.dst, 'mono'], ['Link, as the UEs know it', linkText(f.link)], ['Length', octets.length ? `${octets.length} octets` : '']];
  }

  partsOf(parts) {
    const on = (k) => () => this.light(k);
    return el('ol', {class: 'parts'}, parts.map((p, k) => el('li',
      {class: `part k-${p.kind}`, 'data-part': k, tabindex: 0, pointerenter: on(k), pointerleave: on(-1), focus: on(k), blur: on(-1)},
      el('b', {}, p.name), ' ', el('span', {class: 'mono'}, shown(p.value, 64)))));
  }

  told(f) {
    const entries = flat(f.fields);
    return entries.length ? el('details', {open: f.channel === 'PSCCH' || f.channel === 'PSBCH'}, el('summary', {}, 'As the receiver told it'), list(entries.map(([k, v]) => [k.replaceAll('_', ' '), v]))) : null;
  }

  dump(octets, parts) {
    const kind = (i) => parts.findIndex((p) => i >= p.from && i < p.to);
    const rows = [];
    for (let at = 0; at < octets.length; at += ROW) {
      const row = octets.subarray(at, at + ROW), cells = [], letters = [];
      row.forEach((x, k) => {
        const part = kind(at + k);
        const of = {class: `o k-${parts[part]?.kind ?? 'plain'}`, 'data-part': part};
        cells.push(el('span', of, x.toString(16).padStart(2, '0')), k === 3 ? '\u2002' : ' ');
        letters.push(el('span', of, x >= 32 && x < 127 ? String.fromCharCode(x) : '\u00b7'));
      });
      rows.push(el('div', {class: 'row'}, el('span', {class: 'offset'}, at.toString(16).padStart(4, '0')), el('span', {class: 'cells'}, cells), el('span', {class: 'letters'}, letters)));
    }
    return el('div', {class: 'dump', dir: 'ltr', role: 'img', 'aria-label': 'Octets in hexadecimal and as text', tabindex: 0}, rows);
  }

  light(part) {
    for (const e of this.body.querySelectorAll('[data-part]')) e.classList.toggle('lit', part >= 0 && Number(e.dataset.part) === part);
  }

  step(way) {
    const place = this.store.at.get(this.id);
    const f = place === undefined ? undefined : this.store.frames[place - this.store.dropped + way];
    if (f) this.moved(f.id);
  }

  close() {
    this.panel.hidden = true;
    this.id = null;
    document.body.classList.remove('with-details');
    this.closed();
  }
}
