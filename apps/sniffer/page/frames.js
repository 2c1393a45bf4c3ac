'use strict';
// The list of frames: only the rows in view are elements, so that 100 000 are as quick as 100.

const CHANNELS = ['PSBCH', 'PSCCH', 'PSSCH', 'PSDCH'];
const [NUMBER, KIND, AT, TIME, SUBFRAME, WHO, PRB, N_PRB, BITS, MCS, SNR, CFO, TIMING, FLAGS, N_OCTETS, HEX, FIELDS] = Array.from({length: 17}, (_, i) => i);
const FIELD_NAMES = {  // by what a frame carries, as apps/sniffer/frame_row.cpp lists the values
  mib: ['SLSS ID', 'carrier, PRB', 'TDD configuration', 'direct frame number', 'direct subframe number', 'in coverage', 'reserved bits'],
  psdch: ['transmissions combined'],
  tb: ['block, bits', 'bits a symbol', 'redundancy version', 'n_ID^X', 'transmissions combined', 'SL-SCH version', 'logical channels'],
  sci0: ['frequency hopping', 'resource blocks (RIV)', 'time pattern', 'MCS', 'timing advance', 'group destination'],
  sci1: ['priority', 'reservation', 'frequency (RIV)', 'time gap', 'MCS', 'retransmission', 'transmission format', 'reserved bits', 'sub-channels'],
};
const CRC_FAILED = 1, REPETITION = 2;
const COLUMNS = [  // title, place in a frame, right-aligned, only where there is room
  ['#', NUMBER, true], ['t, s', AT, true], ['channel', KIND], ['who', WHO], ['PRB', PRB, false, true], ['bits', BITS, true, true], ['MCS', MCS, true, true], ['SNR, dB', SNR, true],
  ['CFO, Hz', CFO, true, true], ['octets', HEX, false, true]];
const ROW_PX = 26;

const is_kept = f => f.length > 1;
function cells_of(f) {
  if (!is_kept(f)) return [f[NUMBER], '', '', 'no longer kept', '', '', '', '', '', ''];
  return [f[NUMBER], fixed(f[AT], 4), CHANNELS[f[KIND]], f[FLAGS] & CRC_FAILED ? 'CRC failed' : f[WHO] + (f[FLAGS] & REPETITION ? ' (again)' : ''), !f[N_PRB] ? '' : f[KIND] === 0 ? 'middle' : f[PRB] + '+' + f[N_PRB], f[BITS],
    f[MCS] === null ? '' : f[MCS], fixed(f[SNR], 1), fixed(f[CFO], 0), f[HEX].slice(0, 48)];
}
const text_of = hex => (hex.match(/../g) || []).map(x => parseInt(x, 16)).map(c => c >= 32 && c <= 126 ? String.fromCharCode(c) : '.').join('');
function dump_of(hex) {
  const lines = [];
  for (let i = 0; i < hex.length; i += 16) lines.push((i / 2).toString(16).padStart(4, '0') + '  ' + hex.slice(i, i + 16).replace(/../g, '$& ').padEnd(25) + text_of(hex.slice(i, i + 16)));
  return lines.join('\n');
}

class FrameList {
  constructor(frames, named) {
    this.all = frames.rows;
    this.total = frames.total;
    this.named = named;
    this.shown = this.all;
    this.sort = {by: NUMBER, down: false};
    this.channels = new Set();
    this.only = new Set();
    this.words = '';
    this.chosen = null;
    this.build();
    this.update();
  }
  build() {
    const count = k => this.all.filter(f => f[KIND] === k).length;
    const failed = this.all.filter(f => f[FLAGS] & CRC_FAILED).length;
    const chip = (set, value, text, n) => el('button', {class: 'chip', type: 'button', 'aria-pressed': 'false', disabled: n === 0, onclick: e => {
      set.has(value) ? set.delete(value) : set.add(value);
      e.currentTarget.setAttribute('aria-pressed', set.has(value));
      this.update();
    }}, text + ' ' + plenty(n));
    this.search = el('input', {type: 'search', id: 'search', placeholder: 'Search: address, hex octets, text', 'aria-label': 'Search frames', oninput: e => {
      this.words = e.target.value.trim().toLowerCase();
      this.update();
    }});
    this.counted = el('span', {class: 'muted', id: 'counted', role: 'status'});
    this.tools = el('div', {class: 'tools'}, this.search, CHANNELS.map((c, k) => chip(this.channels, k, c, count(k))), chip(this.only, 'named', 'named by the verdict', this.named.size),
      chip(this.only, 'failed', 'CRC failed', failed), this.counted);
    this.head = el('div', {class: 'row head', role: 'row'}, COLUMNS.map(([title, by, right, extra]) => el('button', {type: 'button', role: 'columnheader', class: [right && 'n', extra && 'extra'].filter(Boolean).join(' ') || null,
      onclick: () => {
        this.sort = {by, down: this.sort.by === by && !this.sort.down};
        this.update();
      }}, title)));
    this.space = el('div', {role: 'presentation'});
    this.view = el('div', {class: 'view', id: 'frames', role: 'table', tabindex: '0', 'aria-label': 'Frames', onscroll: () => this.paint(), onkeydown: e => this.key(e)}, this.space);
    this.side = el('aside', {class: 'side', id: 'side', 'aria-label': 'The chosen frame'}, el('p', {class: 'muted'}, 'Choose a frame to see its fields and octets. Arrow keys move on.'));
    const on_paper = this.all.filter(f => this.named.has(f[NUMBER])).slice(0, 200);
    this.paper = el('div', {class: 'onpaper card'}, el('p', {}, plenty(this.total) + ' frames. ' + (on_paper.length ? 'Those that the verdict names:' : 'The verdict names none of them.')),
      on_paper.length ? el('pre', {}, on_paper.map(f => cells_of(f).join('  ')).join('\n')) : null);
    this.box = el('div', {}, this.tools, el('div', {class: 'frames'}, el('div', {class: 'list'}, this.head, this.view), this.side), this.paper);
    new ResizeObserver(() => this.paint()).observe(this.view);
  }
  fits(f) {
    if (this.channels.size && !this.channels.has(f[KIND])) return false;
    if (this.only.has('named') && !this.named.has(f[NUMBER])) return false;
    if (this.only.has('failed') && !(f[FLAGS] & CRC_FAILED)) return false;
    if (!this.words) return true;
    if (!is_kept(f)) return String(f[NUMBER]) === this.words;
    const hex = this.words.replaceAll(' ', '');
    return f[WHO].toLowerCase().includes(this.words) || CHANNELS[f[KIND]].toLowerCase() === this.words || '#' + f[NUMBER] === this.words ||
      (/^([0-9a-f]{2})+$/.test(hex) && f[HEX].includes(hex)) || (this.words.length > 2 && text_of(f[HEX]).toLowerCase().includes(this.words));
  }
  update() {
    this.shown = this.all.filter(f => this.fits(f));
    const {by, down} = this.sort;
    if (by !== NUMBER || down) {
      const value = f => f[by] === undefined || f[by] === null ? -Infinity : f[by];
      this.shown = this.shown.slice().sort((a, b) => {
        const x = value(a), y = value(b);
        return (down ? -1 : 1) * (x < y ? -1 : x > y ? 1 : 0) || a[NUMBER] - b[NUMBER];
      });
    }
    [...this.head.children].forEach((b, i) => COLUMNS[i][1] === by ? b.setAttribute('aria-sort', down ? 'descending' : 'ascending') : b.removeAttribute('aria-sort'));
    this.counted.textContent = plenty(this.shown.length) + ' of ' + plenty(this.total) + (this.total > this.all.length ? '; ' + plenty(this.all.length) + ' are in the page, the first and the last' : '');
    this.space.style.height = ROW_PX * this.shown.length + 'px';
    this.view.scrollTop = 0;
    this.paint();
  }
  paint() {
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW_PX) - 4), n = Math.ceil((this.view.clientHeight || 520) / ROW_PX) + 8;
    const rows = this.shown.slice(first, first + n).map((f, i) => {
      const kinds = ['row', this.named.has(f[NUMBER]) && 'evidence', f[FLAGS] & CRC_FAILED && 'failed', this.chosen === f && 'chosen'].filter(Boolean).join(' ');
      const row = el('div', {class: kinds, role: 'row', onclick: () => this.choose(f)}, cells_of(f).map((text, c) => {
        const [, by, right, extra] = COLUMNS[c];
        return el('span', {role: 'cell', class: [right && 'n', extra && 'extra', by === KIND && CHANNELS[f[KIND]], by === HEX && 'mono'].filter(Boolean).join(' ') || null}, String(text));
      }));
      row.style.top = ROW_PX * (first + i) + 'px';
      return row;
    });
    this.space.replaceChildren(...rows);
  }
  key(e) {
    const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 18, PageUp: -18}[e.key];
    if (!step || !this.shown.length) return;
    e.preventDefault();
    const at = this.shown.indexOf(this.chosen);
    this.choose(this.shown[Math.min(this.shown.length - 1, Math.max(0, at + step))]);
    this.reveal();
  }
  reveal() {
    const at = ROW_PX * this.shown.indexOf(this.chosen), height = this.view.clientHeight;
    if (at < this.view.scrollTop) this.view.scrollTop = at;
    if (at + ROW_PX > this.view.scrollTop + height) this.view.scrollTop = at + ROW_PX - height;
  }
  /** Shows a frame that the verdict names, whatever is filtered. */
  go(number) {
    const f = this.all.find(x => x[NUMBER] === number);
    if (!f) return;
    if (!this.shown.includes(f)) this.only_words('');
    this.choose(f);
    this.view.scrollTop = Math.max(0, ROW_PX * (this.shown.indexOf(f) - 6));
    this.box.scrollIntoView({block: 'start'});
  }
  /** Drops the filters and searches for this. */
  only_words(words) {
    this.channels.clear();
    this.only.clear();
    for (const c of this.tools.querySelectorAll('.chip')) c.setAttribute('aria-pressed', 'false');
    this.search.value = words;
    this.words = words;
    this.update();
  }
  choose(f) {
    this.chosen = f;
    this.paint();
    if (!is_kept(f)) return this.side.replaceChildren(el('h3', {}, 'Frame ' + f[NUMBER]), el('p', {}, 'The verdict names it, and it is no longer kept: the page has the first and the last frames.'));
    const fields = [['time in the capture', fixed(f[AT], 6) + ' s'], ['device time', fixed(f[TIME], 6) + ' s'], ['subframe', f[SUBFRAME] < 0 ? 'not known' : f[SUBFRAME] + ' of 10240'],
      ['who', f[WHO] || 'says nobody'], ['CRC', f[FLAGS] & CRC_FAILED ? 'failed' : 'right' + (f[FLAGS] & REPETITION ? ', another transmission of a frame before' : '')],
      ['resource blocks', f[KIND] === 0 ? f[N_PRB] + ' in the middle' : f[N_PRB] + ' from ' + f[PRB]], ['bits', f[BITS]], ['SNR', fixed(f[SNR], 1) + ' dB'], ['CFO', fixed(f[CFO], 1) + ' Hz'], ['arrives', fixed(f[TIMING], 2) + ' samples late']];
    const names = FIELD_NAMES[f[FIELDS][0]];
    names.forEach((name, i) => i + 1 < f[FIELDS].length && fields.push([name, f[FIELDS][i + 1]]));
    const left = f[N_OCTETS] - f[HEX].length / 2;
    this.side.replaceChildren(el('h3', {}, 'Frame ' + f[NUMBER] + ' ', el('span', {class: CHANNELS[f[KIND]]}, CHANNELS[f[KIND]])),
      el('dl', {class: 'fields'}, fields.map(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))])),
      f[HEX] ? el('div', {class: 'hex mono', id: 'hex'}, dump_of(f[HEX]) + (left > 0 ? '\n' + left + ' more octets are not in this page' : '')) : null);
  }
}
