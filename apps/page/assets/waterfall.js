// Power over time and frequency, with a box for each decoded frame.
import {colour, niceStep, octetsOfBase64, sharp} from './format.js';

const KEPT_S = 60;
const LEFT = 58, BOTTOM = 24, TOP = 6, RIGHT = 8;
const SHOWN_BEYOND_CARRIER = 1.12;
const PRB_HZ = 180e3;
const SHOWN_RANGE = 80;  // of 255 for 120 dB: 38 dB

/** Blue-black, teal, green, yellow: brighter is stronger, also for eyes that do not see red. */
function palette() {
  const stops = [[0, 8, 14, 30], [0.25, 19, 54, 84], [0.5, 24, 116, 124], [0.72, 84, 184, 120], [0.88, 226, 222, 96], [1, 255, 252, 222]];
  const out = new Uint32Array(256);
  for (let i = 0; i < 256; ++i) {
    const x = i / 255, k = Math.max(1, stops.findIndex((s) => s[0] >= x));
    const [a, b] = [stops[k - 1], stops[k]], f = (x - a[0]) / (b[0] - a[0]);
    const [r, g, l] = [1, 2, 3].map((j) => Math.round(a[j] + f * (b[j] - a[j])));
    out[i] = 0xff000000 | l << 16 | g << 8 | r;
  }
  return out;
}

export class Waterfall {
  constructor(canvas, store, {under, select}) {
    Object.assign(this, {canvas, store, under, select, span: 2, paused: false, chosen: null, colours: palette()});
    this.image = document.createElement('canvas');
    this.pointer = null;
    this.boxes = [];
    this.clear();
    canvas.addEventListener('pointermove', (e) => this.look(e));
    canvas.addEventListener('pointerleave', () => this.look(null));
    canvas.addEventListener('click', (e) => this.pick(e));
    canvas.addEventListener('keydown', (e) => this.key(e));
    new ResizeObserver(() => this.rebuild()).observe(canvas);
  }

  clear() {
    this.bins = 0;
    this.rows = null;
    this.first = this.end = 0;   // numbers of rows kept
    this.floor = null;           // of the noise, as a row has it
  }

  set(hello) {
    this.clear();
    this.bins = hello.bins || 256;
    this.rowS = hello.row_s || 0.002;
    this.rate = hello.rate || 7.68e6;
    this.frequency = hello.frequency || 0;
    this.prb = hello.carrier?.prb || 25;
    this.kept = Math.ceil(KEPT_S / this.rowS);
    this.rows = new Uint8Array(this.kept * this.bins);
    this.filled = new Uint8Array(this.kept);
    const share = Math.min(1, this.prb * PRB_HZ * SHOWN_BEYOND_CARRIER / this.rate);
    this.low = Math.floor(this.bins * (1 - share) / 2);
    this.high = this.bins - this.low;
    this.rebuild();
  }

  add(message) {
    if (!this.rows) return;
    const data = octetsOfBase64(message.rows), n = Math.floor(data.length / this.bins);
    this.store.heard(message.t + n * this.rowS);
    const from = Math.round(message.t / this.rowS);
    if (from + n < this.end - this.kept || from > this.end + this.kept) this.first = this.end = from;
    for (let r = this.end; r < from; ++r) this.filled[r % this.kept] = 0;
    for (let i = 0; i < n; ++i) {
      const at = (from + i) % this.kept;
      this.rows.set(data.subarray(i * this.bins, (i + 1) * this.bins), at * this.bins);
      this.filled[at] = 1;
    }
    this.end = Math.max(this.end, from + n);
    this.first = Math.max(this.first, this.end - this.kept);
    if (n > 0) this.level(data.subarray((n - 1) * this.bins, n * this.bins));
    if (!this.paused) this.paint(from);
  }

  /** Follows the noise: most bins of most rows have nothing else. */
  level(row) {
    const inside = row.slice(this.low, this.high).sort(), now = inside[inside.length >> 2];
    this.floor = this.floor === null ? now : this.floor + 0.02 * (now - this.floor);
  }

  // --- the image: a ring of columns, one for each pixel of the width ---
  plot() {
    return {width: Math.max(50, this.canvas.clientWidth - LEFT - RIGHT), height: Math.max(50, this.canvas.clientHeight - TOP - BOTTOM)};
  }

  rebuild() {
    if (!this.rows) return;
    this.image.width = Math.floor(this.plot().width);
    this.image.height = this.high - this.low;
    this.column = this.image.getContext('2d').createImageData(1, this.image.height);
    this.pixels = new Uint32Array(this.column.data.buffer);
    this.columnS = this.span / this.image.width;
    this.painted = -1;
    this.paint(Math.max(this.first, this.end - Math.ceil(this.span / this.rowS)));
  }

  paint(fromRow) {
    const first = Math.floor(fromRow * this.rowS / this.columnS), last = Math.floor((this.end - 1) * this.rowS / this.columnS);
    const c = this.image.getContext('2d');
    for (let k = Math.max(first, last - this.image.width + 1); k <= last; ++k) this.paintColumn(c, k);
    this.painted = last;
  }

  /** The strongest of the rows that fall into a column, so that no short burst is lost. */
  paintColumn(c, k) {
    const from = Math.max(this.first, Math.floor(k * this.columnS / this.rowS));
    const to = Math.max(from + 1, Math.min(this.end, Math.floor((k + 1) * this.columnS / this.rowS)));
    const n = this.image.height, low = this.floor - 4, scale = 255 / SHOWN_RANGE;
    for (let b = 0; b < n; ++b) {
      let most = 0;
      for (let r = from; r < to; ++r) {
        const at = r % this.kept;
        if (this.filled[at]) most = Math.max(most, this.rows[at * this.bins + this.low + b]);
      }
      this.pixels[n - 1 - b] = this.colours[Math.max(0, Math.min(255, Math.round((most - low) * scale)))];
    }
    const w = this.image.width;
    c.putImageData(this.column, ((k % w) + w) % w, 0);
  }

  // --- drawing ---
  x(t) {
    return LEFT + (t - this.right() + this.span) / this.span * this.plot().width;
  }

  hzOfBin(b) {
    return (b / this.bins - 0.5) * this.rate;
  }

  y(hz) {
    const low = this.hzOfBin(this.low), high = this.hzOfBin(this.high);
    return TOP + (high - hz) / (high - low) * this.plot().height;
  }

  right() {
    return this.paused ? this.pausedAt : this.end * this.rowS;
  }

  pause(on) {
    if (on) this.pausedAt = this.end * this.rowS;
    this.paused = on;
    if (!on) this.rebuild();
  }

  draw() {
    const {c, width, height} = sharp(this.canvas), p = this.plot();
    c.clearRect(0, 0, width, height);
    c.fillStyle = '#080e1e';
    c.fillRect(LEFT, TOP, p.width, p.height);
    if (!this.rows || this.end === this.first) return this.empty(c, p);
    const w = this.image.width, split = ((this.painted + 1) % w + w) % w;
    c.imageSmoothingEnabled = true;
    const scale = p.width / w, n = this.image.height;
    if (split < w) c.drawImage(this.image, split, 0, w - split, n, LEFT, TOP, (w - split) * scale, p.height);
    if (split > 0) c.drawImage(this.image, 0, 0, split, n, LEFT + (w - split) * scale, TOP, split * scale, p.height);
    this.axes(c, p);
    c.save();
    c.beginPath();
    c.rect(LEFT, TOP, p.width, p.height);
    c.clip();
    this.drawBoxes(c);
    c.restore();
  }

  empty(c, p) {
    c.fillStyle = '#8fb3c9';
    c.font = '14px system-ui, sans-serif';
    c.textAlign = 'center';
    c.fillText('No samples yet', LEFT + p.width / 2, TOP + p.height / 2);
  }

  axes(c, p) {
    c.fillStyle = colour('quiet');
    c.strokeStyle = 'rgba(255,255,255,.12)';
    c.lineWidth = 1;
    c.font = '11px system-ui, sans-serif';
    const end = this.right(), begin = end - this.span, step = niceStep(this.span, p.width / 110);
    c.textAlign = 'center';
    c.textBaseline = 'top';
    for (let k = Math.ceil(this.store.since(begin) / step); k * step <= this.store.since(end); ++k) {
      const x = this.x(k * step + (this.store.zero ?? 0));
      c.beginPath();
      c.moveTo(x, TOP);
      c.lineTo(x, TOP + p.height);
      c.stroke();
      if (x > LEFT + 14 && x < LEFT + p.width - 20) c.fillText(`${+(k * step).toFixed(3)} s`, x, TOP + p.height + 6);
    }
    c.textAlign = 'right';
    c.textBaseline = 'middle';
    const low = this.hzOfBin(this.low), high = this.hzOfBin(this.high), hz = niceStep(high - low, p.height / 44);
    for (let k = Math.ceil(low / hz); k * hz <= high; ++k) {
      const y = this.y(k * hz);
      if (y < TOP + 8 || y > TOP + p.height - 6) continue;
      c.beginPath();
      c.moveTo(LEFT, y);
      c.lineTo(LEFT + p.width, y);
      c.stroke();
      c.fillText((k * hz > 0 ? '+' : '') + +(k * hz / 1e6).toFixed(2), LEFT - 6, y);
    }
    c.save();
    c.translate(11, TOP + p.height / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = 'center';
    c.fillText(this.frequency ? `MHz from ${(this.frequency / 1e6).toFixed(0)} MHz` : 'MHz', 0, 0);
    c.restore();
  }

  drawBoxes(c) {
    const end = this.right(), list = this.store.frames;
    this.boxes = [];
    const tone = Object.fromEntries(['PSBCH', 'PSCCH', 'PSSCH', 'PSDCH'].map((k) => [k, colour(k.toLowerCase())]));
    const readable = colour('readable'), bad = colour('bad'), other = colour('quiet');
    for (let i = this.store.placeOf(end - this.span - 0.01); i < list.length && list[i].t <= end; ++i) {
      const f = list[i], box = this.boxOf(f);
      if (!box) continue;
      this.boxes.push(box);
      const flagged = this.store.flagged.has(f.id), open = typeof f.open === 'string';
      c.strokeStyle = flagged ? bad : open ? readable : tone[f.channel] ?? other;
      c.lineWidth = f.id === this.chosen ? 3 : flagged ? 2 : 1.25;
      if (open || flagged) {
        c.globalAlpha = 0.4;
        c.fillStyle = c.strokeStyle;
        c.fillRect(box.x, box.y, box.w, box.h);
        c.globalAlpha = 1;
      }
      c.strokeRect(box.x, box.y, box.w, box.h);
      if (f.id === this.chosen) {
        c.strokeStyle = '#fff';
        c.lineWidth = 1.5;
        c.strokeRect(box.x - 3, box.y - 3, box.w + 6, box.h + 6);
      }
    }
  }

  boxOf(f) {
    if (!Number.isFinite(f.prb_start) || !(f.prbs > 0)) return null;
    const x = this.x(f.t), w = Math.max(3, this.x(f.t + (f.duration_s || 0.001)) - x);
    const hz = (prb) => (prb - this.prb / 2) * PRB_HZ;
    const y = this.y(hz(f.prb_start + f.prbs));
    return {x, y, w, h: Math.max(3, this.y(hz(f.prb_start)) - y), id: f.id};
  }

  // --- pointer and keys ---
  find(e) {
    const r = this.canvas.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top, near = 4;
    const hit = this.boxes.filter((b) => x >= b.x - near && x <= b.x + b.w + near && y >= b.y - near && y <= b.y + b.h + near);
    hit.sort((a, b) => a.w * a.h - b.w * b.h);
    return {x, y, box: hit[0]};
  }

  look(e) {
    const p = this.plot();
    if (!e || !this.rows) return this.under(null);
    const {x, y, box} = this.find(e);
    this.canvas.style.cursor = box ? 'pointer' : 'crosshair';
    if (x < LEFT || y < TOP || x > LEFT + p.width || y > TOP + p.height) return this.under(null);
    const t = this.right() - this.span + (x - LEFT) / p.width * this.span;
    const low = this.hzOfBin(this.low), high = this.hzOfBin(this.high), hz = high - (y - TOP) / p.height * (high - low);
    const row = Math.floor(t / this.rowS), bin = Math.floor((hz / this.rate + 0.5) * this.bins);
    const known = row >= this.first && row < this.end && this.filled[row % this.kept];
    const dbfs = known ? this.rows[(row % this.kept) * this.bins + bin] / 255 * 120 - 120 : null;
    this.under({t, hz, dbfs, frame: box && this.store.frame(box.id)});
  }

  pick(e) {
    const {box} = this.find(e);
    if (box) this.select(box.id);
  }

  key(e) {
    if (e.key === 'Enter' && this.chosen !== null) return this.select(this.chosen);
    const way = {ArrowLeft: -1, ArrowRight: 1}[e.key];
    if (!way || !this.boxes.length) return;
    e.preventDefault();
    const at = this.boxes.findIndex((b) => b.id === this.chosen);
    const next = this.boxes[at < 0 ? (way < 0 ? this.boxes.length - 1 : 0) : Math.max(0, Math.min(this.boxes.length - 1, at + way))];
    this.select(next.id);
  }
}
