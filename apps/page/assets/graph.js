// Who talks to whom: pairs of layer-2 IDs as the sniffer sees them, beside the links as the UEs know them.
import {called, shown, svg} from './format.js';

const RECENT_S = 12, MOST_PAIRS = 5;
const WIDTH = 440, ROW = 40;

function arrow(x1, x2, y, n, kind) {
  const way = Math.sign(x2 - x1), width = Math.min(5, 1 + Math.log10(1 + n));
  return svg('g', {class: `edge ${kind}`},
    svg('line', {x1, y1: y, x2: x2 - way * 6, y2: y, 'stroke-width': width.toFixed(1)}),
    svg('path', {d: `M${x2} ${y}l${-way * 9} -5v10z`}));
}

function lock(x, y, open) {
  return svg('g', {class: open ? 'lock open' : 'lock', transform: `translate(${x} ${y})`},
    svg('path', {d: open ? 'M-4 -1v-5a4 4 0 0 1 7.4 -2' : 'M-4 -1v-4a4 4 0 0 1 8 0v4', fill: 'none', 'stroke-width': 1.8}),
    svg('rect', {x: -6, y: -1, width: 12, height: 9, rx: 2}));
}

/** What passed lately, both directions of a pair in one row; what is gone fades. */
export function drawSeen(place, store) {
  const rows = new Map();
  for (const p of store.pairs.values()) {
    if (p.last < store.now - RECENT_S) continue;
    const [a, b] = [p.src, p.dst].sort();
    const r = rows.get(a + b) ?? {a, b, to: 0, back: 0, last: 0, open: false};
    rows.set(a + b, r);
    if (p.src === a) r.to += p.n;
    else r.back += p.n;
    r.last = Math.max(r.last, p.last);
    r.open ||= p.open;
  }
  const list = [...rows.values()].filter((r) => r.to + r.back > 1).sort((x, y) => y.to + y.back - x.to - x.back).slice(0, MOST_PAIRS);
  list.sort((x, y) => (x.a < y.a ? -1 : 1));
  const height = Math.max(150, list.length * ROW + 10), top = (height - list.length * ROW) / 2;
  place.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  place.replaceChildren(...list.map((r, k) => pairRow(r, top + k * ROW + ROW / 2, 1 - 0.8 * Math.min(1, (store.now - r.last) / RECENT_S))));
  if (!list.length) place.append(svg('text', {x: WIDTH / 2, y: height / 2, class: 'none', 'text-anchor': 'middle'}, 'Nothing heard yet'));
  return list.length;
}

function pairRow(r, y, strength) {
  const left = 50, right = WIDTH - 50, g = svg('g', {opacity: strength.toFixed(2), class: r.open ? 'pair open' : 'pair'});
  for (const [x, id] of [[left, r.a], [right, r.b]])
    g.append(svg('rect', {x: x - 42, y: y - 13, width: 84, height: 26, rx: 13, class: 'node'}), svg('text', {x, y: y + 4, class: 'id', 'text-anchor': 'middle'}, shown(r.a === id ? r.a : r.b, 8)));
  const kind = r.open ? 'open' : '';
  if (r.to) g.append(arrow(left + 48, right - 48, y - 5, r.to, kind));
  if (r.back) g.append(arrow(right - 48, left + 48, y + 6, r.back, kind));
  g.append(svg('rect', {x: WIDTH / 2 - 66, y: y - 10, width: 132, height: 20, rx: 10, class: 'plate'}),
    svg('text', {x: WIDTH / 2 + 11, y: y + 4, class: 'small', 'text-anchor': 'middle'}, r.open ? `${r.to + r.back} frames, read` : `${r.to + r.back} frames`), lock(WIDTH / 2 - 52, y - 1, r.open));
  return g;
}

export function drawKnown(place, store) {
  const names = store.hello.names?.length ? store.hello.names.slice(0, 8) : [...new Set([...store.links.values()].flatMap((l) => l.names))].sort();
  const height = 150, y = 62, at = new Map(names.map((n, k) => [n, names.length < 2 ? WIDTH / 2 : 52 + k * (WIDTH - 104) / (names.length - 1)]));
  place.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  const parts = [];
  for (const l of store.links.values()) {
    const [a, b] = l.names.map((n) => at.get(n));
    if (a === undefined || b === undefined) continue;
    const open = store.opened(l.key), middle = (a + b) / 2, bend = Math.abs(a - b) > WIDTH / 2 + 10 ? 60 : 0;
    parts.push(svg('g', {class: `link ${l.up ? 'up' : 'down'}${open ? ' open' : ''}`, 'data-link': l.key},
      svg('path', {d: `M${a} ${y}Q${middle} ${y - bend} ${b} ${y}`, fill: 'none'}),
      lock(middle, y - bend / 2 - 14, open),
      svg('text', {x: middle, y: y + 50, class: 'small', 'text-anchor': 'middle'}, open ? 'read with Mary\u2019s keys' : l.up ? 'dark' : 'down'),
      svg('text', {x: middle, y: y + 66, class: 'small', 'text-anchor': 'middle'}, l.up ? `epoch ${l.epoch ?? '?'}` : ''),
      svg('text', {x: middle, y: y + 82, class: 'id small', 'text-anchor': 'middle'}, shown(l.fingerprint ?? '', 16))));
  }
  for (const [name, x] of at)
    parts.push(svg('g', {class: 'ue'}, svg('circle', {cx: x, cy: y, r: 28}), svg('text', {x, y: y + 5, 'text-anchor': 'middle'}, called(name).slice(0, 8))));
  place.replaceChildren(...parts);
}
