// For each channel the latest equalised points, where they should be, and the EVM.
import {CHANNELS, colour, el, octetsOfBase64, sharp, shown} from './format.js';

const MOST = 600, SCALE = 32, REACH = 1.6;

/** Ideal points with a mean power of 1 (TS 36.211 7.1). */
export function ideal(modulation) {
  const side = {BPSK: 0, QPSK: 1, '16QAM': 2, '64QAM': 4}[String(modulation).toUpperCase()];
  if (side === 0) return [[Math.SQRT1_2, Math.SQRT1_2], [-Math.SQRT1_2, -Math.SQRT1_2]];
  if (!side) return [];
  const levels = [];
  for (let k = -2 * side + 1; k < 2 * side; k += 2) levels.push(k);
  const norm = Math.sqrt(2 * levels.reduce((sum, k) => sum + k * k, 0) / levels.length);
  return levels.flatMap((i) => levels.map((q) => [i / norm, q / norm]));
}

export class Constellations {
  constructor(place) {
    this.place = place;
    this.channels = new Map();
  }

  clear() {
    this.channels.clear();
    this.place.replaceChildren();
  }

  channel(name) {
    if (this.channels.has(name)) return this.channels.get(name);
    const canvas = el('canvas', {role: 'img', 'aria-label': `Constellation of ${name}`}), evm = el('span', {class: 'evm'});
    const figure = el('figure', {'data-channel': name}, canvas, el('figcaption', {}, el('b', {}, name), evm));
    const x = {name, canvas, evm, i: new Float32Array(MOST), q: new Float32Array(MOST), n: 0, at: 0, modulation: '', stale: true};
    this.channels.set(name, x);
    const order = [...this.channels.keys()].sort((a, b) => CHANNELS.indexOf(a) - CHANNELS.indexOf(b));
    this.place.insertBefore(figure, this.place.children[order.indexOf(name)] ?? null);
    return x;
  }

  add(p) {
    if (!CHANNELS.includes(p.channel)) return;
    const x = this.channel(p.channel);
    const raw = new Int8Array(octetsOfBase64(p.iq).buffer);
    if (p.modulation !== x.modulation) x.n = x.at = 0;
    for (let k = 0; k + 1 < raw.length; k += 2) {
      x.i[x.at] = raw[k] / SCALE;
      x.q[x.at] = raw[k + 1] / SCALE;
      x.at = (x.at + 1) % MOST;
      x.n = Math.min(MOST, x.n + 1);
    }
    x.modulation = p.modulation;
    x.stale = true;
    x.evm.textContent = `${shown(p.modulation, 8)}${Number.isFinite(p.evm) ? ` \u00b7 EVM ${(100 * p.evm).toFixed(0)} %` : ''}`;
  }

  draw(always) {
    for (const x of this.channels.values()) {
      if (!x.stale && !always) continue;
      x.stale = false;
      this.drawOne(x);
    }
  }

  drawOne(x) {
    const {c, width, height} = sharp(x.canvas), unit = Math.min(width, height) / 2 / REACH;
    const at = (i, q) => [width / 2 + i * unit, height / 2 - q * unit];
    c.clearRect(0, 0, width, height);
    c.strokeStyle = colour('line');
    c.beginPath();
    c.moveTo(0, height / 2);
    c.lineTo(width, height / 2);
    c.moveTo(width / 2, 0);
    c.lineTo(width / 2, height);
    c.stroke();
    c.fillStyle = colour(x.name.toLowerCase());
    c.globalAlpha = 0.45;
    for (let k = 0; k < x.n; ++k) {
      const [px, py] = at(x.i[k], x.q[k]);
      c.fillRect(px - 1.25, py - 1.25, 2.5, 2.5);
    }
    c.globalAlpha = 1;
    c.strokeStyle = colour('ink');
    c.lineWidth = 1.25;
    for (const [i, q] of ideal(x.modulation)) {
      const [px, py] = at(i, q), r = x.modulation === '64QAM' ? 2.5 : 4.5;
      c.beginPath();
      c.moveTo(px - r, py);
      c.lineTo(px + r, py);
      c.moveTo(px, py - r);
      c.lineTo(px, py + r);
      c.stroke();
    }
  }
}
