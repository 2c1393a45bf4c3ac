"""The report as one HTML page that refers to nothing outside."""
import html

STYLE = '''body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}
.ok{color:#186a2f}.look{color:#8a5a00}.wrong{color:#a3161a;font-weight:bold}svg{background:#fafafa;border:1px solid #ddd;margin:.3em}
figure{display:inline-block;margin:0 1em 1em 0}figcaption{font-size:13px}svg text{font:11px sans-serif;fill:#444}'''
WORDS = {'ok': 'ok', 'look': 'look at this', 'wrong': 'wrong'}
INK = '#1f4f9c'
STRENGTH_DB = (-20, 5)  # of a radio that hears again: -3 dB decide
WIDTH, HEIGHT, EDGE = 320, 200, 46


def escape(x):
    return html.escape(str(x))


def frame(caption, inside):
    return '<figure><svg width="%d" height="%d" role="img" aria-label="%s">%s</svg><figcaption>%s</figcaption></figure>' % (
        WIDTH, HEIGHT, escape(caption), inside, escape(caption))


def line(caption, values, unit, dots=False, shown=None):
    """A series over its index. shown: the least and the largest value that the frame shows; default: those of the series."""
    low, high = shown or (min(values), max(values))
    values = [min(max(v, low), high) for v in values]
    room = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-6)
    at = lambda i, v: (EDGE + (WIDTH - EDGE - 10) * i / max(len(values) - 1, 1), HEIGHT - 25 - (HEIGHT - 45) * (v - low) / room)
    points = [at(i, v) for i, v in enumerate(values)]
    drawn = ''.join('<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>' % (x, y, INK) for x, y in points) if dots else \
        '<polyline fill="none" stroke="%s" points="%s"/>' % (INK, ' '.join('%.1f,%.1f' % p for p in points))
    return frame(caption, drawn + '<text x="2" y="15">%.4g %s</text><text x="2" y="%d">%.4g</text>' % (high, escape(unit), HEIGHT - 20, low))


def constellation(caption, symbols):
    """Unit mean power; to 2 in each direction."""
    middle, scale = (WIDTH / 2, HEIGHT / 2), HEIGHT / 4
    dots = ''.join('<circle cx="%.1f" cy="%.1f" r="1.5" fill="%s"/>' % (middle[0] + scale * re, middle[1] - scale * im, INK) for re, im in symbols)
    axes = '<path stroke="#ccc" d="M%.1f 0V%dM0 %.1fH%d"/>' % (middle[0], HEIGHT, middle[1], WIDTH)
    return frame(caption, axes + dots)


def levels(caption, bars):
    """bars: (name, noise, power), dBFS; -100 to 0."""
    step = (WIDTH - EDGE) / max(len(bars), 1)
    y = lambda v: 10 + (HEIGHT - 40) * min(max(-v, 0), 100) / 100
    out = '<text x="2" y="16">0 dBFS</text><text x="2" y="%d">-100</text>' % (HEIGHT - 28)
    for i, (name, noise, power) in enumerate(bars):
        x = EDGE + i * step
        if power is not None:
            out += '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (x, y(power), step * .6, y(-100) - y(power), INK)
        out += '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#aaa"/>' % (x, y(noise), step * .6, y(-100) - y(noise))
        out += '<text x="%.1f" y="%d">%s</text>' % (x, HEIGHT - 10, escape(name))
    return frame(caption, out)


def pictures(report):
    out, bars = [], []
    for p in report['paths']:
        who = '%s to %s' % (p['from'], p['to'])
        bars.append((p['from'] + p['to'], p['noise_dbfs'], p.get('power_dbfs')))
        if not p['found']:
            continue
        row = [line(who + ': arrival less departure of each burst', p['arrivals_us'], 'us', dots=True),
               line(who + ': carrier offset of each burst', p['cfos_hz'], 'Hz', dots=True)]
        if p['symbols']:
            row.append(constellation(who + ': equalised symbols', p['symbols']))
        if p['strength_db']:
            row.append(line('%s: heard after %s sent itself, over %.0f us' % (who, p['to'], len(p['strength_db']) * report['settings']['resolution_us']),
                            p['strength_db'], 'dB', shown=STRENGTH_DB))
        out.append('<h3>%s</h3>%s' % (escape(who), ''.join(row)))
    if bars:
        out.insert(0, levels('Power of a burst (blue) over the noise (grey), sender and receiver below', bars))
    return ''.join(out)


def table(rows, head):
    return '<table><tr>%s</tr>%s</table>' % (''.join('<th>%s</th>' % escape(h) for h in head), ''.join(
        '<tr>%s</tr>' % ''.join('<td>%s</td>' % escape(c) for c in r) for r in rows))


def findings(report):
    rows = ''.join('<tr><td class="%s">%s</td>%s</tr>' % (f['grade'], WORDS[f['grade']], ''.join('<td>%s</td>' % escape(f[k]) for k in ('what', 'figure', 'limit', 'remedy')))
                   for f in sorted(report['findings'], key=lambda f: ('wrong', 'look', 'ok').index(f['grade'])))
    return '<table><tr><th></th><th>what</th><th>measured</th><th>limit</th><th>remedy</th></tr>%s</table>' % rows


def write(report, path):
    radios = [(r['name'], r['type'], r.get('description', ''), r.get('rx_gain_db', ''), r.get('suggested_rx_gain_db', '')) for r in report['radios']]
    parts = ['<h1>First use of radios: <span class="%s">%s</span></h1>' % (report['verdict'], WORDS[report['verdict']]),
             '<p>%s, %s. %s</p>' % (escape(report['when']), escape(report['program']), escape(report['ended'])),
             '<h2>Findings</h2>', findings(report),
             '<h2>Settings</h2>', table([(k, v) for k, v in report['settings'].items()], ('setting', 'value')),
             '<h2>Radios</h2>', table(radios, ('radio', 'type', 'says of itself', 'receive gain, dB', 'suggested, dB')),
             '<h2>Paths</h2>', pictures(report)]
    if report['demo']:
        parts += ['<h2>Demo</h2>', table([('held' if c['held'] else 'FAILED', c['claim'], c['evidence']) for c in report['demo']['claims']], ('', 'claim', 'evidence'))]
    with open(path, 'w') as f:
        f.write('<!doctype html><html lang="en"><meta charset="utf-8"><title>Radios: %s</title><style>%s</style><body>%s</body></html>\n' % (
            WORDS[report['verdict']], STYLE, ''.join(parts)))
