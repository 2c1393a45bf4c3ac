"""The verdict of a soak and its report: report.json, and report.html with plots drawn in it."""
import html, json, os

from . import flatness, losses, odds, scene, state as kept

# Of the packets that arrived where no cause was at work, so many may look as if the air had swallowed them. An explanation that fits everything is none: of
# 100 losses without a cause, at least this many would pass unseen. At least: of a packet that arrived only the blocks until then are looked at, for a lost
# one all within FLIGHT_S of losses.py.
MOST_FITS = 0.02
FEWEST_CLEAR = 0.4   # of the time, in each direction: where most of it is covered by windows, an unexplained loss would hide there
DUE_FACTOR = 1.5     # a fault has to be told where a part lasted so much longer than the time of its first
# Both ends of each link tell of new keys. A handshake whose answer is lost may be told by one end twice: so many more at most, a link and part.
LINK_ENDS, HANDSHAKES_MORE = 4, 2
COLOURS = {'mary': '#c0392b', 'john': '#2471a3', 'peter': '#1e8449', 'sniffer': '#7d3c98', 'air': '#7f8c8d', 'median': '#2471a3', '95 %': '#c0392b'}


def clock(seconds):
    s = int(seconds)
    return '%d:%02d:%02d' % (s // 3600, s // 60 % 60, s % 60)


# --- judgement ------------------------------------------------------------------------------------------------------
def flat(state):
    """[(what, unit, judgement)] of each process and of latency."""
    out = []
    for key, points in state['sizes'].items():
        s = kept.series(points)
        out.append(('memory of ' + key, 'octets', flatness.judge(s.column(1), flatness.MEMORY_LIMIT)))
        out.append(('descriptors of ' + key, '', flatness.judge(s.column(3), flatness.DESCRIPTOR_LIMIT, flatness.between_ends)))
    for number, points in state['latency'].items():   # not all parts together: each begins with empty queues
        out.append(('latency of part ' + number, 's', flatness.judge(kept.series(points).column(1), flatness.LATENCY_LIMIT)))
    return out


def totals(state):
    t = {'sent': 0, 'arrived': 0, 'changed': 0, 'clear': 0, 'clear_lost': 0, 'fits': 0, 'clear_s': 0.0, 'exposed_s': 0.0, 'lost': {}, 'exposed': {}}
    for e in state['ends'].values():
        for k in ('sent', 'arrived', 'changed', 'clear', 'clear_lost', 'fits', 'clear_s', 'exposed_s'):
            t[k] += e[k]
        for k in ('lost', 'exposed'):
            for cause, n in e[k].items():
                t[k][cause] = t[k].get(cause, 0) + n
    return t


def times_told(state, kind):
    return state['told'].get(scene.TOLD_BY[kind], 0) if kind in scene.TOLD_BY else state['restarts'].get('mary unplugged', 0)


def faults_not_told(state):
    """Kinds of faults of which no UE told: (those that were due, the others)."""
    longest = max((p['air_s'] for p in state['parts']), default=0.0)
    silent = {k: first for k, first in scene.first_due(state['options']).items() if not times_told(state, k)}
    return [k for k, first in silent.items() if longest > DUE_FACTOR * first], [k for k, first in silent.items() if longest <= DUE_FACTOR * first]


def most_told(state):
    """{what UEs tell: how often at most}: by the rules of faults and the ages of streams, by the times of keys, and by restarts. A link or a
    reference that is lost, and bursts that are late after a gap, are judged when they are told (losses.py)."""
    o, told, n_parts = state['options'], state['told'], len(state['parts'])
    out = dict.fromkeys(scene.TOLD_BY.values(), 0)
    for node, parts in state['streams'].items():
        for ages in (ages for runs in parts.values() for ages in runs):
            for kind, n in scene.most_faults(o, node, ages).items():
                if kind in scene.TOLD_BY:
                    out[scene.TOLD_BY[kind]] += n
    # Those that end, Mary and Peter, have one link each; one that is lost is set up again. Both ends tell.
    ends = sum(state['restarts'].values())
    lost = sum(n for k, n in told.items() if k.startswith('link_lost'))
    out['link_established'] = LINK_ENDS * n_parts + 2 * ends + 2 * lost
    for kind, every in (('rekeyed', scene.LINK_KEYS['rekey_s']), ('epoch', scene.LINK_KEYS['epoch_min_s'])):
        out[kind] = int(LINK_ENDS * state['air_s'] / every) + HANDSHAKES_MORE * len(scene.LINKS) * n_parts
    return out


def told_too_often(state):
    most = most_told(state)
    judged_apart = lambda k: k.startswith(('link_lost', 'sync')) or k == losses.LATE_AFTER
    return ['%s %d (limit %d)' % (k, n, most.get(k, 0)) for k, n in sorted(state['told'].items()) if not judged_apart(k) and n > most.get(k, 0)]


def not_tried(state):
    """What the options or the length of this soak left out."""
    o, out = state['options'], faults_not_told(state)[1]
    out += ['subframes from ' + s for s in ('gnss', 'slss') if all(p['source'] != s for p in state['parts'])]
    out += ['transmission mode ' + tm for tm in ('2', '4') if tm != o['tm']] + ['%s PRBs' % prb for prb in ('25', '50') if prb != o['prb']]
    return out + ['%s %s by the soak' % (n, how) for n in ('mary', 'peter') for how in ('ended', 'killed') if not state['restarts'].get('%s %s' % (n, how))]


def unheard(state):
    """[(part, kind, heard, arrived)]: the sniffer heard less than what the UEs did."""
    return [(i, k, n, p['arrived']) for i, p in enumerate(state['parts'], 1) for k, n in p['heard'].items() if n < p['arrived']]


def clear_share(end):
    return end['clear_s'] / (end['clear_s'] + end['exposed_s']) if end['clear_s'] else 0.0


def lost_on_air(state):
    """[(held, words)] of each direction."""
    out = []
    for end, e in state['ends'].items():
        most = odds.most_lost(*end.split('>'), state['options'], e['clear'])
        out.append((e['clear_lost'] <= most, '%s %d of %d (limit %d)' % (end, e['clear_lost'], e['clear'], most)))
    return out


def checks(state):
    """[(text, held, evidence)]."""
    t, judged = totals(state), flat(state)
    out = [('every packet that was lost has a cause that the UEs tell', not state['n_unexplained'] and t['sent'] > 0,
            '%d sent, %d arrived, lost: %s' % (t['sent'], t['arrived'], words(t['lost']) or 'none'))]
    share, least = min(((clear_share(e), k) for k, e in state['ends'].items()), default=(0.0, 'no direction'))
    out.append(('in each direction no cause was at work at least %d %% of the time' % (100 * FEWEST_CLEAR), share >= FEWEST_CLEAR,
                '%.1f %%; least: %s %.1f %%' % (100 * clear_share(t), least, 100 * share)))
    air = lost_on_air(state)
    out.append(('then not more was lost on the air (half duplex, collisions) than random choice loses', all(held for held, _ in air),
                ', '.join(said for _, said in air)))
    fits = t['fits'] / t['clear'] if t['clear'] else 1.0
    out.append(('of what arrived, until it did, at most %g %% looks as if half duplex or a collision had swallowed it' % (100 * MOST_FITS), fits <= MOST_FITS,
                '%d of %d, %.2f %%' % (t['fits'], t['clear'], 100 * fits)))
    out.append(('nothing arrived changed or twice, programs ended only as they were meant to, links came back, no link and no reference was lost without a cause',
                not state['n_wrong'], '%d findings%s' % (state['n_wrong'], ''.join('; ' + w for w in state['wrong'][:5]))))
    for what in ('memory', 'descriptors', 'latency'):
        mine = [(w, j) for w, _, j in judged if w.startswith(what)]
        bad = ['%s grew by %.3g (limit %.3g)' % (w, j['growth'], j['limit']) for w, j in mine if j['judged'] and not j['held']]
        n = sum(j['judged'] for _, j in mine)
        out.append((what + ' stays flat', not bad and n > 0, '; '.join(bad) or '%d of %d series were long enough to be judged, all flat' % (n, len(mine))))
    missing, not_due = faults_not_told(state)
    said = 'not told: ' + ', '.join(missing) if missing else words(state['told'])
    out.append(('each kind of fault that was due was told', not missing, said + ('; not due: ' + ', '.join(not_due) if not_due else '')))
    often = told_too_often(state)
    out.append(('nothing was told more often than the faults, the keys and the restarts explain', not often,
                '; '.join(often) or ', '.join('%s %d (limit %d)' % (k, state['told'].get(k, 0), n) for k, n in sorted(most_told(state).items()))))
    deaf = unheard(state)
    out.append(('the sniffer heard at least what arrived, in each part', not deaf and bool(state['parts']), '; '.join('part %d: %s %d of %d' % d for d in deaf) or
                'parts: ' + ', '.join('tb %d, sci %d, arrived %d' % (p['heard']['tb'], p['heard']['sci'], p['arrived']) for p in state['parts'])))
    return out


def words(counts):
    return ', '.join('%s %d' % x for x in sorted(counts.items()))


def processor(state):
    """{program: seconds of processor time, for each second of air, share of all}."""
    whole = sum(c['cpu_s'] for c in state['cpu'].values()) or 1.0
    return {n: {'cpu_s': round(c['cpu_s'], 1), 'cpu_s_per_air_s': round(c['cpu_s'] / (c['air_s'] or 1.0), 4), 'share': round(c['cpu_s'] / whole, 3)}
            for n, c in state['cpu'].items()}


def summary(state, asked_s):
    found = checks(state)
    return {'versions': state['parts'][-1]['versions'] if state['parts'] else {}, 'options': state['options'], 'air_s': round(state['air_s'], 1), 'air_asked_s': asked_s, 'wall_s': round(state['wall_s'], 1),
            'finished': state['air_s'] >= asked_s - 1, 'held': all(held for _, held, _ in found),
            'checks': [{'check': c, 'held': bool(h), 'evidence': e} for c, h, e in found], 'totals': totals(state), 'ends': state['ends'], 'told': state['told'],
            'restarts': state['restarts'], 'faults': scene.fault_rules(state['options']), 'parts': state['parts'],
            'flatness': [{'what': w, 'unit': u, **j} for w, u, j in flat(state)], 'unexplained': state['unexplained'], 'n_unexplained': state['n_unexplained'],
            'wrong': state['wrong'], 'n_wrong': state['n_wrong'], 'not_tried': not_tried(state), 'most_told': most_told(state), 'processor': processor(state)}


# --- the page -------------------------------------------------------------------------------------------------------
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 900, 240, 60, 30, 12


def ticks(low, high, n=5):
    return [low + (high - low) * i / (n - 1) for i in range(n)]


def plot(title, unit, lines):
    """lines: [(name, [(air s, value)])]; a line's colour is that of its name's first word."""
    every = [p for _, line in lines for p in line]
    if not every:
        return '<h3>%s</h3><p>Nothing was measured.</p>' % html.escape(title)
    t0, t1 = min(p[0] for p in every), max(p[0] for p in every)
    v1 = 1.1 * max(p[1] for p in every) or 1.0
    x = lambda t: LEFT + (WIDTH - LEFT - 10) * (t - t0) / ((t1 - t0) or 1.0)
    y = lambda v: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * v / v1
    out = ['<h3>%s</h3><svg viewBox="0 0 %d %d" role="img">' % (html.escape(title), WIDTH, HEIGHT)]
    for v in ticks(0.0, v1):
        out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="grid"/><text x="%d" y="%.1f" text-anchor="end">%.3g</text>' % (
            LEFT, WIDTH - 10, y(v), y(v), LEFT - 6, y(v) + 4, v))
    for t in ticks(t0, t1):
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x(t), HEIGHT - 8, clock(t)))
    for name, line in lines:
        colour = next((c for n, c in COLOURS.items() if name.startswith(n)), '#333')
        out.append('<polyline fill="none" stroke="%s" points="%s"><title>%s</title></polyline>' % (
            colour, ' '.join('%.1f,%.1f' % (x(t), y(v)) for t, v in line), html.escape(name)))
    used = [n for n in COLOURS if any(name.startswith(n) for name, _ in lines)]
    legend = ' '.join('<span style="color:%s">&#9632; %s</span>' % (COLOURS[n], n) for n in used)
    return ''.join(out) + '</svg><p>%s (%s, over the time of the air)</p>' % (legend, html.escape(unit))


def table(head, rows):
    cells = lambda tag, row: ''.join('<%s>%s</%s>' % (tag, html.escape(str(c)), tag) for c in row)
    return '<table><tr>%s</tr>%s</table>' % (cells('th', head), ''.join('<tr>%s</tr>' % cells('td', r) for r in rows))


STYLE = '''body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}table{border-collapse:collapse;margin:1em 0}
td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}svg{width:100%}svg text{font:11px sans-serif;fill:#555}
.grid{stroke:#ddd}.bad{color:#b03a2e;font-weight:bold}.good{color:#1e8449;font-weight:bold}pre{white-space:pre-wrap}'''


def page(s, state):
    size = lambda i, scale: [(k, [(t, v / scale) for t, v in kept.series(p).column(i)]) for k, p in state['sizes'].items()]
    latency = kept.series(p for points in state['latency'].values() for p in points)
    causes = [*losses.CAUSES, 'unexplained']
    t = s['totals']
    judged = [(f['what'], '%.3g' % (f['per_hour']), '%.3g' % f['growth'], '%.3g' % f['limit'], clock(f['span_s']), 'yes' if f['held'] else 'NO')
              for f in s['flatness'] if f['judged']]
    verdict = 'held' if s['held'] else 'FAILED'
    parts = ['<!doctype html><meta charset="utf-8"><title>Soak</title><style>%s</style><h1>Soak</h1>' % STYLE,
             '<p class="%s">%s: %s of air (%s asked for) in %s</p>' % ('good' if s['held'] else 'bad', verdict, clock(s['air_s']), clock(s['air_asked_s']), clock(s['wall_s'])),
             table(('check', 'held', 'evidence'), [(c['check'], 'yes' if c['held'] else 'NO', c['evidence']) for c in s['checks']]),
             '<h2>Packets</h2><p>A packet counts as exposed to each cause that was at work at its time, lost or not.</p>',
             table(('direction', 'sent', 'arrived', 'changed', *causes), [(e, x['sent'], x['arrived'], x['changed'], *(x['lost'].get(c, 0) for c in causes)) for e, x in s['ends'].items()] +
                   [('all', t['sent'], t['arrived'], t['changed'], *(t['lost'].get(c, 0) for c in causes))] + [('exposed', '', '', '', *(t['exposed'].get(c, '') for c in causes))]),
             '<h2>Flatness</h2><p>%s</p>' % html.escape(' '.join(flatness.__doc__.split())),
             plot('Anonymous memory', 'MiB', size(1, 2 ** 20)), plot('Resident memory', 'MiB', size(2, 2 ** 20)), plot('Descriptors', 'open ones', size(3, 1)),
             plot('Latency of a packet, from the host to the host', 'ms', [('median', [(a, v * 1e3) for a, v in latency.column(1)]), ('95 %', [(a, v * 1e3) for a, v in latency.column(2)])]),
             table(('what', 'slope an hour', 'growth', 'limit', 'judged over', 'flat'), judged),
             '<h2>What was run</h2>', table(('what', 'value'), [*s['options'].items(), *s['restarts'].items()]),
             table(('begun', 'subframes from', 'air', 'wall', 'versions'), [(p['began'], p['source'], clock(p['air_s']), clock(p['wall_s']), ', '.join(p['versions'].values()))
                                                                            for p in s['parts']]),
             '<p>Not tried in this soak: %s</p>' % html.escape(', '.join(s['not_tried']) or 'nothing'),
             '<h3>Processor</h3>', table(('program', 'seconds', 'for each second of air', 'share'), [(n, *c.values()) for n, c in s['processor'].items()]),
             '<p>Told by the UEs: %s</p><h3>Faults of the air</h3><pre>%s</pre>' % (html.escape(words(s['told'])), html.escape('\n'.join(s['faults'])))]
    for what in ('unexplained', 'wrong'):
        if s[what]:
            parts.append('<h2 class="bad">%s: %d</h2><pre>%s</pre>' % (what, s['n_' + what], html.escape('\n'.join(json.dumps(x) for x in s[what][:50]))))
    return '\n'.join(parts) + '\n'


def write(folder, state, asked_s):
    """The summary that was written."""
    s = summary(state, asked_s)
    for name, text in (('report.json', json.dumps(s, indent=1) + '\n'), ('report.html', page(s, state))):
        with open(os.path.join(folder, name + '.new'), 'w') as f:
            f.write(text)
        os.replace(os.path.join(folder, name + '.new'), os.path.join(folder, name))
    return s
