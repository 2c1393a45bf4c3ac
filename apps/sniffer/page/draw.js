'use strict';
// Elements, bars and drawings. Text becomes text nodes only: nothing that was heard is ever read as markup.

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false));
  return e;
}
function svg(tag, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes || {})) e.setAttribute(name, value);
  if (text !== undefined) e.textContent = text;
  return e;
}
/** A part of a bar from `from` to `to` (0..1); a mark where `to` is missing. */
function part(kind, from, to) {
  const e = el('i', {class: kind});
  e.style.left = 100 * from + '%';
  if (to !== undefined) e.style.width = Math.max(0.4, 100 * (to - from)) + '%';
  return e;
}
function scale(marks) {
  return el('div', {class: 'scale'}, marks.map(([at, text], i) => {
    const e = el('span', {class: i === marks.length - 1 ? 'end' : null}, text);
    e.style.left = 100 * at + '%';
    return e;
  }));
}
const fixed = (v, digits) => v === null || v === undefined ? '' : v.toFixed(digits);
const plenty = n => n.toLocaleString('en-US').replaceAll(',', '\u202f');

// p on a logarithmic bar: 1 at the left, 1e-12 and less at the right.
const P_DECADES = 12;
const p_place = p => Math.min(1, Math.max(0, -Math.log10(Math.max(p, 1e-300)) / P_DECADES));
const p_text = p => p >= 0.001 ? p.toPrecision(2) : p.toExponential(0).replace('e-', '\u00b710\u207b').replace(/\u207b(\d+)/, (_, d) => '\u207b' + [...d].map(c => '\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079'[c]).join(''));
const p_scale = () => scale([[0, 'p = 1'], [0.25, '10\u207b\u00b3'], [0.5, '10\u207b\u2076'], [0.75, '10\u207b\u2079'], [1, '10\u207b\u00b9\u00b2']]);
function p_bar(q) {
  const bar = el('div', {class: 'bar', role: 'img', title: 'p = ' + p_text(q.p_value) + '; a finding below ' + p_text(q.threshold) + '; rests on ' + plenty(q.n)});
  bar.setAttribute('aria-label', bar.title);
  bar.append(part('zone', p_place(q.threshold)));
  if (q.state !== 'not_run') bar.append(part('dot' + (q.state === 'failed' ? ' failed' : ''), p_place(q.p_value)));
  return bar;
}
/** The share of right guesses with its 95 % interval; the tick is what guessing reaches. */
function interval_bar(r) {
  const warn = r.trials > 0 && r.low > r.chance ? ' warn' : '';
  const bar = el('div', {class: 'bar', role: 'img', 'aria-label': r.sentence});
  if (r.trials > 0) bar.append(part('range' + warn, r.low, r.high), part('dot' + warn, r.success), part('tick', r.chance));
  return bar;
}

/** Draws at the size that there is on the screen, again when that changes. height: px, or a function of the width. */
function chart(height_of, draw, label) {
  const box = el('div', {class: 'chart', role: 'img', 'aria-label': label});
  let width = 0;
  const again = () => {
    const now = Math.floor(box.clientWidth);
    if (now === width || now < 60) return;
    width = now;
    const height = typeof height_of === 'function' ? height_of(width) : height_of;
    const s = svg('svg', {viewBox: '0 0 ' + width + ' ' + height, height});
    draw(s, width, height);
    box.replaceChildren(s);
  };
  new ResizeObserver(again).observe(box);
  return box;
}
/** Round values in [low, high], some `most` of them. */
function ticks(low, high, most) {
  const rough = (high - low) / Math.max(1, most), unit = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map(m => m * unit).find(s => s >= rough) || unit;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) out.push([v, (Math.abs(v) < 1e-12 ? 0 : v).toFixed(digits)]);
  return out;
}
const RIGHT = 14;
const left_of = width => width > 620 ? 124 : 66;  // what is drawn over time lies one below the other
function time_axis(s, left, width, y, top, seconds) {
  const x = t => left + t / seconds * (width - left - RIGHT);
  for (const [t, text] of ticks(0, seconds, (width - left) / 90)) {
    if (top < y) s.append(svg('path', {class: 'grid', d: 'M' + x(t) + ' ' + top + 'V' + y}));
    s.append( svg('path', {class: 'axis', d: 'M' + x(t) + ' ' + y + 'v5'}),
      svg('text', {x: x(t), y: y + 17, 'text-anchor': 'middle'}, text));
  }
  s.append(svg('text', {x: width - RIGHT, y: y + 32, 'text-anchor': 'end'}, 'time, s'));
  return x;
}
function spectrogram(of, input) {
  const absolute = input.frequency_hz > 0, centre = absolute ? input.frequency_hz / 1e6 : 0, half = input.sample_rate_hz / 2e6;
  return chart(322, (s, width) => {
    const top = 8, bottom = 280, left = left_of(width);
    s.append(svg('image', {id: 'spectrogram', href: of.png, x: left, y: top, width: width - left - RIGHT, height: bottom - top, preserveAspectRatio: 'none', 'image-rendering': 'pixelated'}));
    const y = f => top + (centre + half - f) / (2 * half) * (bottom - top);
    for (const [f, text] of ticks(centre - half, centre + half, 6))
      s.append(svg('path', {class: 'axis', d: 'M' + left + ' ' + y(f) + 'h-5'}), svg('text', {x: left - 8, y: y(f) + 4, 'text-anchor': 'end'}, text));
    s.append(svg('text', {x: left - 54, y: (top + bottom) / 2, 'text-anchor': 'middle', transform: 'rotate(-90 ' + (left - 54) + ' ' + (top + bottom) / 2 + ')'}, absolute ? 'frequency, MHz' : 'offset, MHz'));
    time_axis(s, left, width, bottom, bottom, of.seconds);
  }, 'Spectrogram: ' + fixed(of.seconds, 1) + ' s, ' + fixed(2 * half, 2) + ' MHz');
}
/** The colours' meaning: low to high, dB. */
function colour_key(of) {
  return chart(34, (s, width) => {
    const left = left_of(width), w = Math.min(260, width - left - RIGHT), g = svg('linearGradient', {id: 'heat'});
    ['#0c0c28', '#2d2d78', '#1e6e8c', '#28a56e', '#96cd3c', '#fde75a'].forEach((c, i) => g.append(svg('stop', {offset: i / 5, 'stop-color': c})));
    s.append(g, svg('rect', {x: left, y: 2, width: w, height: 10, fill: 'url(#heat)'}), svg('text', {x: left, y: 26}, fixed(of.low_db, 0)),
      svg('text', {x: left + w, y: 26, 'text-anchor': 'end'}, fixed(of.high_db, 0)), svg('text', {x: left + w / 2, y: 26, 'text-anchor': 'middle'}, 'dB full scale, a bin'));
  }, 'Colours from ' + fixed(of.low_db, 0) + ' to ' + fixed(of.high_db, 0) + ' dB full scale a bin');
}

const IDEAL = {2: 2, 4: 4, 6: 8};  // bits a symbol: levels an axis
function ideal_levels(bits) {
  const n = IDEAL[bits] || 2, all = Array.from({length: n}, (_, i) => 2 * i - n + 1);
  const norm = Math.sqrt(2 * all.reduce((sum, v) => sum + v * v, 0) / n);
  return all.map(v => v / norm);
}
function evm_percent(points, levels) {
  const near = v => levels.reduce((best, l) => Math.abs(l - v) < Math.abs(best - v) ? l : best);
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) sum += (points[i] / 100 - near(points[i] / 100)) ** 2 + (points[i + 1] / 100 - near(points[i + 1] / 100)) ** 2;
  return 100 * Math.sqrt(sum / (points.length / 2));
}
function constellation(c) {
  const levels = ideal_levels(c.bits), edge = 1.6, r_of = width => Math.min(width - 34, 230) / 2, name = {2: 'QPSK', 4: '16QAM', 6: '64QAM'}[c.bits] || '';
  const plot = chart(width => 2 * r_of(width) + 26, (s, width) => {
    const r = r_of(width), cx = 30 + r, cy = 4 + r, at = v => v / edge * r;
    s.append(svg('rect', {class: 'axis', x: cx - r, y: cy - r, width: 2 * r, height: 2 * r}), svg('path', {class: 'grid', d: 'M' + (cx - r) + ' ' + cy + 'h' + 2 * r + 'M' + cx + ' ' + (cy - r) + 'v' + 2 * r}));
    let d = '';
    for (let i = 0; i < c.points.length; i += 2)
      if (Math.max(Math.abs(c.points[i]), Math.abs(c.points[i + 1])) < 100 * edge) d += 'M' + fixed(cx + at(c.points[i] / 100), 1) + ' ' + fixed(cy - at(c.points[i + 1] / 100), 1) + 'h0';
    const dots = svg('path', {d, 'stroke-width': 2.4, 'stroke-linecap': 'round', 'stroke-opacity': 0.45, stroke: 'currentColor', class: c.channel});
    dots.id = 'points_' + c.channel + c.bits;
    s.append(dots);
    for (const i of levels) for (const q of levels) s.append(svg('circle', {cx: cx + at(i), cy: cy - at(q), r: 4, fill: 'none', stroke: 'var(--ink)', 'stroke-width': 1.2}));
    for (const v of [-1, 0, 1]) s.append(svg('text', {x: cx + at(v), y: cy + r + 15, 'text-anchor': 'middle'}, v), svg('text', {x: cx - r - 5, y: cy - at(v) + 4, 'text-anchor': 'end'}, v));
    s.append(svg('text', {x: cx + r, y: cy + r + 15, 'text-anchor': 'end'}, 'I'), svg('text', {x: cx - r - 5, y: cy - r + 10, 'text-anchor': 'end'}, 'Q'));
  }, 'Constellation of ' + c.channel);
  return el('figure', {}, el('figcaption', {}, el('b', {class: c.channel}, c.channel), ' ' + name + ', EVM ' + fixed(evm_percent(c.points, levels), 1) + ' %, ' + plenty(c.points.length / 2) + ' symbols'), plot);
}
