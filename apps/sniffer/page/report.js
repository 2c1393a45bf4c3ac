'use strict';
// The page, made from the data that the program wrote into it.

const DATA = JSON.parse(document.getElementById('data').textContent);
const V = DATA.verdict;
const page = document.getElementById('page');
for (const f of DATA.frames.rows) if (is_kept(f)) f[AT] /= DATA.input.sample_rate_hz;
DATA.spectrogram.seconds = (DATA.spectrogram.samples || 0) / DATA.input.sample_rate_hz;

const named = new Set([...V.findings, ...V.remarks, ...V.opened_links, ...V.doubts].flatMap(x => x.frames));
const frames = new FrameList(DATA.frames, named);

const section = (title, lead, ...content) => page.append(el('h2', {}, title), lead ? el('p', {class: 'lead'}, lead) : '', ...content.flat().filter(Boolean));
const card = (...content) => el('div', {class: 'card'}, ...content);
function refs(list, n) {
  if (!list.length) return null;
  return el('div', {class: 'refs'}, el('span', {class: 'muted'}, 'Frames'), list.map(f => el('button', {type: 'button', onclick: () => frames.go(f)}, '#' + f)),
    n > list.length ? el('span', {class: 'muted'}, 'and ' + plenty(n - list.length) + ' more') : null);
}
function table(heads, rows, right) {
  const kind = i => right.includes(i) ? 'n' : null;
  return el('div', {class: 'wide'}, el('table', {}, el('thead', {}, el('tr', {}, heads.map((h, i) => el('th', {class: kind(i)}, h)))),
    el('tbody', {}, rows.map(r => el('tr', {}, r.map((c, i) => el('td', {class: kind(i)}, c instanceof Node ? c : String(c))))))));
}
function residual_rows(list) {
  return list.map(r => el('div', {class: 'asked two'}, el('span', {class: r.trials ? '' : 'muted'}, (r.radio ? 'Radio ' + r.radio + ', at ' + fixed(r.cfo_hz, 0) + ' Hz. ' : '') + r.sentence), interval_bar(r)));
}
const share_head = () => el('div', {class: 'asked two head'}, el('span', {}, 'Dot: right guesses; band: 95 % interval; line: blind guessing'), scale([[0, '0 %'], [0.5, '50 %'], [1, '100 %']]));

// --- what was looked at
function facts() {
  const i = DATA.input, all = [['Carrier', i.carrier + (i.frequency_hz > 0 ? ', ' + (i.frequency_hz / 1e6).toFixed(3) + ' MHz' : ', frequency not told')],
    ['Signal', (i.seconds < 1 ? fixed(1000 * i.seconds, 0) + ' ms at ' : fixed(i.seconds, 1) + ' s at ') + (i.sample_rate_hz / 1e6).toFixed(2) + ' MHz'], ['Recorded', i.recorded || (i.live ? 'live' : 'date not told')], ['Judged', i.judged]];
  const first = [[i.live ? 'Radio' : 'Recording', i.source]], long = [['Program', i.version], ['SHA-256 of the samples', i.digest], ['Command', i.command]];
  const put = (list, kind) => list.filter(x => x[1]).map(([k, v]) => el('div', {class: kind}, el('dt', {}, k), el('dd', {}, v)));
  page.append(card(el('dl', {class: 'facts', id: 'facts'}, put(first, 'full'), put(all), put(long, 'full mono'))));
}

// --- findings, doubts, remarks
function told(title, lead, list, tone) {
  if (!list.length) return;
  section(title, lead, el('div', {class: tone}, list.map(f => el('div', {class: 'card found'}, el('div', {class: 'what'}, f.reason), el('div', {class: 'muted'}, (f.aspect ? f.aspect + ': ' : '') + f.check), refs(f.frames, f.n_frames || 0)))));
}

// --- the four tiles
function questions(id) {
  const asked = V.questions.filter(q => q.tile === id);
  if (!asked.length) return [];
  const n = asked.filter(q => q.state === 'not_run').length;
  return [el('p', {class: 'muted'}, asked.length - n + ' tests were run' + (n ? ', ' + n + ' had nothing to rest on' : '') + '. The dot is the probability p that random octets do the same or worse; in the red range it is a finding.'),
    el('div', {class: 'asked head'}, el('span', {}, 'question'), el('span', {}, 'answer'), p_scale()),
    asked.map(q => el('div', {class: 'asked'}, el('span', {title: q.check}, q.question), el('span', {class: 'answer ' + q.state}, q.answer), 'p_value' in q ? p_bar(q) : el('span', {class: 'muted'}, 'certain, not a matter of chance')))];
}
function opened() {
  if (!V.opened_links.length) return [];
  const hex = (v, n) => v.toString(16).padStart(n, '0');
  return [el('h3', {}, 'What stolen keys opened'), table(['from', 'to', 'session', 'messages', 'whose', 'opened with'],
    V.opened_links.map(o => [hex(o.src, 6), hex(o.dst, 6), o.kd_sess_id ? hex(o.kd_sess_id, 4) : 'set-up', o.records_opened + ' of ' + o.records_seen, o.own ? 'the stolen device\u2019s own' : 'SOMEBODY ELSE\u2019S', o.with]), [3])];
}
function radios() {
  const out = [el('p', {class: 'muted'}, 'What a receiver measures of the signal itself. It is no secret that this system could keep, so it never decides the outcome.'), share_head(), residual_rows(V.residual)];
  if (V.residual_across_rotations.length)
    out.push(el('h3', {}, 'Followed over a change of layer-2 IDs'), residual_rows(V.residual_across_rotations));
  return out;
}
function tiles() {
  const inside = {content: () => questions('content'), identity: () => questions('identity'), stolen_keys: () => [questions('stolen_keys'), opened()], radio: radios};
  section('Four tests', null, el('div', {class: 'tiles', id: 'tiles'}, ['content', 'identity', 'stolen_keys', 'radio'].map(id => {
    const t = V.tiles[id];
    return el('details', {class: 'tile ' + t.state + ' ' + id + (t.label === 'Not run' ? ' unrun' : ''), id: 'tile_' + id}, el('summary', {}, el('div', {class: 'top'}, el('span', {class: 'name'}, t.title), el('span', {class: 'badge'}, t.label)),
      el('p', {}, t.sentence), el('div', {class: 'more'}, 'details')), el('div', {class: 'inside'}, inside[id]()));
  })));
}

// --- how much was heard
const FIGURES = {blocks_decoded: 'announced blocks decoded', discovery_decoded: 'discovery messages decoded', grants_with_a_block: 'grants with a block', records: 'messages', record_octets: 'octets of messages',
  unexplained_share_of_a_transmitter: 'unexplained, at most of one sender', unexplained_octets_of_a_transmitter: 'unexplained octets, at most of one sender', padding_and_reserved_not_zero: 'padding and reserved bits that are not zero',
  keys_untried: 'reasons why keys were not tried'};
function heard() {
  const shares = new Set(['blocks_decoded', 'discovery_decoded', 'grants_with_a_block', 'unexplained_share_of_a_transmitter']);
  const value = (f, v) => shares.has(f.name) ? fixed(100 * v, 1) + ' %' : plenty(Math.round(v));
  const rows = V.figures.map(f => {
    const bar = el('div', {class: 'bar'});
    const top = shares.has(f.name) ? 1 : Math.max(1, 1.25 * f.bound, f.at_least ? 0 : f.value);
    if (f.value > 0) bar.append(part('fill' + (f.holds ? '' : ' failed'), 0, Math.min(1, f.value / top)));
    bar.append(part('tick', Math.min(1, f.bound / top)));
    return el('div', {class: 'asked'}, el('span', {}, FIGURES[f.name] || f.name), el('span', {class: 'answer ' + (f.holds ? 'passed' : 'failed')}, value(f, f.value) + (shares.has(f.name) ? ' (' + plenty(f.part) + ' of ' + plenty(f.whole) + ')' : '') +
      (f.holds ? '' : ', which is not enough') + '; asked: ' + (f.at_least ? 'at least ' : 'at most ') + value(f, f.bound)), bar);
  });
  section('How much was heard', 'A verdict is worth what it rests on. The line in each bar is what is asked for.', card(rows), octets(), senders());
}
function octets() {
  const o = V.octets, parts = [['parsed and judged', o.parsed, 'var(--good)'], ['padding', o.padding, 'var(--muted)'], ['of messages that a lost block cut', o.cut, 'var(--warn)'], ['whose rest may still come', o.waiting, 'var(--accent)'], ['unexplained', o.unexplained, 'var(--bad)']];
  const stack = el('div', {class: 'stack', role: 'img', 'aria-label': 'Where the octets went'});
  for (const [, n, colour] of parts) {
    const e = el('div');
    e.style.flex = n + ' 0 0';
    e.style.background = colour;
    stack.append(e);
  }
  const legend = parts.map(([name, n, colour]) => {
    const mark = el('i');
    mark.style.background = colour;
    return el('span', {}, mark, plenty(n) + ' ' + name);
  });
  return card(el('h3', {}, plenty(o.heard) + ' octets were heard'), stack, el('div', {class: 'legend'}, legend),
    V.exempt_octets ? el('p', {class: 'muted'}, plenty(V.exempt_octets) + ' unexplained octets are too few to count: encoded text could hide there.') : null);
}
function senders() {
  if (!V.transmitters.length) return null;
  return el('details', {class: 'card'}, el('summary', {}, plenty(V.n_transmitters) + (V.n_transmitters === 1 ? ' transmitter' : ' transmitters') + (V.n_transmitters > V.transmitters.length ? ', of which ' + V.transmitters.length + ' are listed' : '')),
    table(['who', 'outcome', 'blocks', 'octets', 'unexplained', 'messages', 'why'], V.transmitters.map(t => [t.who, t.outcome, plenty(t.blocks), plenty(t.octets.heard), plenty(t.octets.unexplained) + (t.exempt ? ' (exempt)' : ''), plenty(t.records), t.reason]), [2, 3, 4, 5]),
    DATA.transmitters ? el('pre', {}, DATA.transmitters) : null);
}

// --- the air
const MOST_LANES = 36;
function lanes() {
  const seconds = DATA.spectrogram.seconds || DATA.input.seconds, of = new Map();
  for (const f of DATA.frames.rows) {
    if (f[FLAGS] & CRC_FAILED || f[KIND] === 1) continue;
    const ids = f[WHO].split(' > ').sort();
    const name = f[KIND] === 2 ? ids.join(' \u2013 ') : f[KIND] === 3 ? 'discovery' : f[WHO];
    if (!of.has(name)) of.set(name, {name, kind: f[KIND], words: f[KIND] === 2 ? ids[0] : f[KIND] === 3 ? 'psdch' : f[WHO].toLowerCase(), at: []});
    of.get(name).at.push(f[AT]);
  }
  const all = [...of.values()].sort((a, b) => (a.kind === 2) - (b.kind === 2) || a.at[0] - b.at[0]), shown = all.slice(0, MOST_LANES);
  if (!shown.length || !(seconds > 0)) return null;
  const hex = v => v.toString(16).padStart(6, '0');
  const open = new Map(V.opened_links.map(o => [[hex(o.src), hex(o.dst)].sort().join(' \u2013 '), o.own]));
  const colour = l => l.kind === 0 ? 'var(--psbch)' : l.kind === 3 ? 'var(--psdch)' : !open.has(l.name) ? 'var(--ink)' : open.get(l.name) ? 'var(--warn)' : 'var(--bad)';
  const row = 19, bottom = shown.length * row + 8;
  const wide = chart(bottom + 36, (s, width) => {
    const left = Math.max(left_of(width), 112), x = time_axis(s, left, width, bottom, 4, seconds);
    shown.forEach((l, i) => {
      const y = 6 + i * row, g = svg('g', {class: 'lane'}), px = new Set(l.at.map(t => Math.round(2 * x(t)) / 2));
      let d = '';
      for (const p of px) d += 'M' + p + ' ' + (y + 2) + 'v10';
      g.append(svg('rect', {x: 0, y, width, height: row, fill: 'transparent'}), svg('text', {x: left - 8, y: y + 11, 'text-anchor': 'end', class: 'mono'}, l.name),
        svg('rect', {x: x(l.at[0]), y: y + 2, width: Math.max(2, x(l.at[l.at.length - 1]) - x(l.at[0])), height: 10, rx: 2, fill: colour(l), 'fill-opacity': 0.18}), svg('path', {d, stroke: colour(l), 'stroke-width': 1}));
      g.addEventListener('click', () => {
        frames.only_words(l.words);
        frames.box.scrollIntoView({block: 'start'});
      });
      s.append(g);
    });
  }, 'Who sent when');
  const legend = [['var(--ink)', 'stays closed'], ['var(--warn)', 'opens with the stolen device\u2019s own keys'], ['var(--bad)', 'somebody else\u2019s, opened with stolen keys']].slice(0, V.opened_links.length ? 3 : 1).map(([c, text]) => {
    const mark = el('i');
    mark.style.background = c;
    return el('span', {}, mark, text);
  });
  return [el('h3', {}, 'Who sent when'), el('p', {class: 'lead'}, 'A lane for each pair of layer-2 IDs: when keys are renewed, both get new ones. A click lists its frames.' + (all.length > shown.length ? ' ' + plenty(all.length - shown.length) + ' more lanes are not drawn.' : '')), card(wide, el('div', {class: 'legend'}, legend))];
}
function air() {
  const s = DATA.spectrogram;
  section('On the air', null, s.png ? card(spectrogram(s, DATA.input), colour_key(s)) : null, lanes());
  if (!DATA.points.length) return;
  page.append(el('h3', {}, 'Constellation'), el('p', {class: 'lead'}, 'Equalised symbols, a few of each frame. Circles are where they should be.'), card(el('div', {class: 'plots', id: 'constellation'}, DATA.points.map(constellation))));
}

facts();
tiles();
told('What an eavesdropper can tell', null, V.findings, 'exposed');
if (!V.findings.length || V.doubts.length) told('Why nothing is proven', V.findings.length ? 'Beside what was found:' : null, V.doubts, 'nothing');
heard();
air();
section('What sizes and times tell', 'Whoever listens hears when something is sent, and how long it is. This is measured and never decides the outcome.', card(share_head(), residual_rows(V.residual_traffic)));
told('Remarks', 'Odd, but no exposure.', V.remarks, 'nothing');
section('Frames', 'Marked: those that the verdict names. A click on a column sorts; a click on a frame shows it.', frames.box);
page.append(el('details', {class: 'card'}, el('summary', {}, 'The verdict as JSON'), el('pre', {id: 'json'}, JSON.stringify(V, null, 1))));

let was_closed = [];
addEventListener('beforeprint', () => {
  was_closed = [...document.querySelectorAll('details.tile:not([open])')];
  for (const d of was_closed) d.open = true;
});
addEventListener('afterprint', () => was_closed.forEach(d => { d.open = false; }));
