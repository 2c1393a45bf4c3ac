// The page: what comes from the stream to the store, and from there to its parts.
import {Actions} from './actions.js';
import {Constellations} from './constellation.js';
import {Details} from './details.js';
import {CHANNELS, el, linkText, seconds, shown} from './format.js';
import {drawKnown, drawSeen} from './graph.js';
import {Lanes} from './lanes.js';
import {Messages} from './messages.js';
import {Store} from './store.js';
import {Stream} from './stream.js';
import {Table} from './table.js';
import {Verdict} from './verdict.js';
import {Waterfall} from './waterfall.js';

const $ = (id) => document.getElementById(id);
const SLOW_MS = 400;  // between drawings of what changes slowly

const store = new Store();
const waterfall = new Waterfall($('waterfall'), store, {under: showUnder, select: (id) => choose(id, true)});
const constellations = new Constellations($('constellations'));
const lanes = new Lanes($('lanes'), store, (id) => {
  $('search').value = id;
  table.set({text: id.toLowerCase()});
});
const messages = new Messages($('messages'), store, (id) => choose(id, true));
const details = new Details({panel: $('details'), body: $('details-body'), title: $('details-title')}, store, {moved: (id) => choose(id, true), closed: () => choose(null)});
const table = new Table($('frames'), store, {select: (id) => choose(id, true), counted: (n, all) => {
  const text = n === all ? `${all.toLocaleString('en')} frames` : `${n.toLocaleString('en')} of ${all.toLocaleString('en')} frames`;
  if ($('count').textContent !== text) $('count').textContent = text;
}});
const verdict = new Verdict({title: $('verdict-title'), tiles: $('tiles'), alarm: $('alarm'), alarmTitle: $('alarm-title'), findings: $('alarm-findings')}, store, (id) => choose(id, true));
const actions = new Actions({place: $('actions'), forms: $('action-forms'), said: $('action-said')});
let stolen = false, stale = true;

// --- one frame is chosen everywhere ---
function choose(id, follow = false) {
  waterfall.chosen = id;
  if (id === null) {
    table.choose(null);
    if (!$('details').hidden) details.close();
    return;
  }
  if (details.open(id)) table.choose(id, follow);
}

function showUnder(p) {
  if (!p) return void ($('under-pointer').textContent = 'A box is a frame that the sniffer decoded. Click one to see what is in it.');
  const parts = [`${seconds(store.since(p.t))} s`, `${p.hz >= 0 ? '+' : ''}${(p.hz / 1e6).toFixed(2)} MHz`];
  if (p.dbfs !== null && Number.isFinite(p.dbfs)) parts.push(`${p.dbfs.toFixed(0)} dBFS`);
  if (p.frame) parts.push(`${p.frame.channel} ${shown(p.frame.kind, 20)}${p.frame.src ? ` ${shown(p.frame.src, 8)} \u2192 ${shown(p.frame.dst, 8)}` : ''}`);
  $('under-pointer').textContent = parts.join('  \u00b7  ');
}

// --- what comes ---
let fresh = true;  // a connection that has not told its history yet
function onHello(h) {
  const same = ['bins', 'row_s', 'rate', 'frequency'].every((k) => h[k] === store.hello[k]);
  store.hello = h;
  if (!same) waterfall.set(h);
  if (!same) constellations.clear();
  if (fresh) messages.clear();
  fresh = false;
  actions.offer(h.actions ?? [], h.names ?? [], stolen);
  const c = h.carrier ?? {};
  $('facts').textContent = [c.tm && `TM${c.tm}`, c.prb && `${c.prb} PRB`, h.frequency && `${(h.frequency / 1e9).toFixed(3)} GHz`, h.rate && `${(h.rate / 1e6).toFixed(2)} Msps`].filter(Boolean).join(' \u00b7 ');
}

function onStatus(s) {
  verdict.setWeak(s.weak ?? null);
  const was = stolen;
  stolen = s.stolen === true;
  document.body.classList.toggle('stolen', stolen);
  if (stolen !== was) actions.offer(store.hello.actions ?? [], store.hello.names ?? [], stolen);
  if ($('state').dataset.kind === 'live') $('state').textContent = s.sniffer === 'ended' ? 'the sniffer has ended' : 'live';
}

function onVerdict(v) {
  verdict.show(v);
  table.stale = stale = true;
}

new Stream('/stream', {
  hello: onHello,
  waterfall: (w) => waterfall.add(w),
  points: (p) => constellations.add(p),
  frames: (list) => store.addFrames(list),
  updates: (list) => store.update(list),
  ue: (list) => store.addUe(list),
  verdict: onVerdict,
  message: (m) => messages.add(m),
  status: onStatus,
}, (text, kind) => {
  $('state').textContent = text;
  $('state').dataset.kind = kind;
  fresh ||= kind === 'live';
  $('lost').hidden = kind !== 'lost' || !store.hello.bins;
  $('lost').textContent = `The connection is lost: what is shown is old. The page tries again by itself (${text}).`;
});

let reread = false;
store.addEventListener('frames', (e) => {
  table.added(e.detail);
  reread ||= e.detail.changed;
  stale = true;
});
store.addEventListener('ue', () => { stale = true; });
store.addEventListener('reset', () => { table.stale = stale = true; });

// --- filters ---
function offerChoices() {
  const offer = (select, values, text) => {
    const known = new Set([...select.options].map((o) => o.value));
    for (const v of values) if (v && !known.has(v) && known.size < 40 && known.add(v)) select.append(el('option', {value: v}, text(v)));
  };
  offer($('channel'), CHANNELS, (x) => x);
  const recent = store.frames.slice(-500);
  offer($('kind'), new Set(recent.map((f) => f.kind)), (x) => shown(x, 20));
  offer($('link'), new Set(recent.map((f) => f.link)), linkText);
}
let typed;
$('search').addEventListener('input', () => {
  clearTimeout(typed);
  typed = setTimeout(() => table.set({text: $('search').value.trim().toLowerCase()}), 120);
});
for (const name of ['channel', 'kind', 'link']) $(name).addEventListener('change', () => table.set({[name]: $(name).value}));

// --- buttons of the page itself ---
$('span').addEventListener('change', () => {
  waterfall.span = Number($('span').value);
  waterfall.rebuild();
});
$('pause').addEventListener('click', () => {
  waterfall.pause(!waterfall.paused);
  $('pause').setAttribute('aria-pressed', String(waterfall.paused));
  $('pause').textContent = waterfall.paused ? 'Go on' : 'Pause';
});
$('details-before').addEventListener('click', () => details.step(-1));
$('details-after').addEventListener('click', () => details.step(1));
$('details-close').addEventListener('click', () => details.close());

function dark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}
function showTheme() {
  $('theme').setAttribute('aria-pressed', String(dark()));
  $('theme').textContent = dark() ? 'Light' : 'Dark';
  constellations.draw(true);
}
$('theme').addEventListener('click', () => {
  document.documentElement.dataset.theme = dark() ? 'light' : 'dark';
  showTheme();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showTheme);

for (const c of CHANNELS) {
  const dot = el('i', {class: `dot ${c.toLowerCase()}`});
  $('legend').append(el('li', {}, dot, c));
}

// --- drawing ---
let drawn = 0;
function draw(now) {
  waterfall.draw();
  constellations.draw(false);
  if (now - drawn > SLOW_MS) {
    drawn = now;
    table.refresh();
    if (stale) drawSlow();
  }
  requestAnimationFrame(draw);
}
function drawSlow() {
  stale = false;
  offerChoices();
  drawSeen($('seen'), store);
  drawKnown($('known'), store);
  lanes.draw();
  messages.refresh(reread);
  if (reread && details.id !== null) details.open(details.id);
  reread = false;
}
showTheme();
requestAnimationFrame(draw);
new ResizeObserver(() => { stale = true; }).observe($('main'));
