"""bench.md and bench.json in the output folder."""
import json, os

from . import machine, stats

FORMAT = 1
MOST_NAMED = 3           # of rows that were left out for one reason


def number(x):
    return '%.0f' % x if x >= 1000 else '%.1f' % x if x >= 100 else '%.2f' % x if x >= 10 else '%.3f' % x


def percent(x):
    return '%.1f %%' % (100 * x)


def ratio_words(r):
    return '%.3f (%.3f to %.3f)' % (r['ratio'], r['low'], r['high'])


def line(r):
    """A row for the terminal."""
    if 'B' not in r:
        return '%-55s %s %s (%s to %s)' % (r['name'], number(r['A']['median']), r['unit'], number(r['A']['low']), number(r['A']['high']))
    return '%-55s A %s  B %s %s  A/B %s  %s' % (r['name'], number(r['A']['median']), number(r['B']['median']), r['unit'], ratio_words(r), r['verdict'])


def count(told, verdict):
    return sum(r.get('verdict') == verdict for r in told['rows'])


def warnings(told):
    """What makes the figures doubtful, in words."""
    out = ['before it began %s' % w for w in machine.unquiet(told['before'])]
    disturbed = [r['name'] for r in told['rows'] if r['others_share'] > machine.QUIET_SHARE]
    if disturbed:
        out.append('others used more than %.0f %% of the machine in %d of %d rows (marked *)' % (100 * machine.QUIET_SHARE, len(disturbed), len(told['rows'])))
    if len(told['sides']) == 2:
        a, b = (s['options'] for s in told['sides'])
        out += ['A and B were built with different %s: %s and %s' % (k, a.get(k, 'not told'), b.get(k, 'not told')) for k in sorted(a.keys() | b.keys())
                if a.get(k) != b.get(k)]
        if told['options']['rounds'] < stats.FEWEST_ROUNDS:
            out.append('%d rounds are too few to call anything slower or faster; %d are the fewest' % (told['options']['rounds'], stats.FEWEST_ROUNDS))
    return out


def table(rows, two):
    head = ['figure', 'unit'] + (['A', 'B', 'A / B, with its interval', 'verdict'] if two else ['median', 'interval']) + ['others']
    out = ['| %s |' % ' | '.join(head), '| %s |' % ' | '.join(['---'] * len(head))]
    for r in rows:
        cells = [r['name'], r['unit']]
        cells += [number(r['A']['median']), number(r['B']['median']), ratio_words(r), r['verdict']] if two else [
            number(r['A']['median']), '%s to %s' % (number(r['A']['low']), number(r['A']['high']))]
        cells.append(percent(r['others_share']) + (' *' if r['others_share'] > machine.QUIET_SHARE else ''))
        out.append('| %s |' % ' | '.join(c.replace('|', '\\|') for c in cells))
    return out


def reasons(list_of):
    rows_of = {}
    for x in list_of:
        rows_of.setdefault(x['why'], []).append(x['row'])
    return ['- %s%s: %s' % (', '.join(names[:MOST_NAMED]), ' and %d more' % (len(names) - MOST_NAMED) if len(names) > MOST_NAMED else '', why) for why, names in rows_of.items()]


def markdown(told):
    m, two, o = told['machine'], len(told['sides']) == 2, told['options']
    out = ['# Speed' + (' of A against B' if two else ''), '', told['ended'], '']
    if two:
        out += ['**%d slower, %d faster, %d without a difference shown%s.**' % (
            count(told, stats.SLOWER), count(told, stats.FASTER), count(told, stats.SAME),
            ', %d with too few rounds' % count(told, stats.TOO_FEW) if count(told, stats.TOO_FEW) else ''), '']
    out += ['- Machine: %s, %d processors (%d usable)%s, %s GiB; %s; governor: %s; %s, Linux %s' % (
        m['processor'], m['processors'], m['usable'], ', virtual' if m['virtual'] else '', m['memory_gib'], ', '.join(m['vectors']) or 'no vectors told', m['governor'],
        m['system'], m['kernel'])]
    out += ['- %s: %s; %s' % (s['name'], s['version'], ', '.join('%s=%s' % kv for kv in sorted(s['options'].items())) or 'options of the build are not told') for s in told['sides']]
    out += ['- %s, %d rounds%s, length %g; load average at the begin %s, at the end %s' % (
        told['when'], o['rounds'], ' of pairs' if two else '', o['length'], told['before']['load'][0], told['after']['load'][0]), '']
    bad = warnings(told)
    if bad:
        out += ['**The machine or the builds make these figures doubtful:** %s.' % '; '.join(bad), '']
    if told['rows']:
        out += table(told['rows'], two) + ['']
    for key, words in (('left_out', 'Left out'), ('failed', 'Failed')):
        if told[key]:
            out += ['%s:' % words] + reasons(told[key]) + ['']
    out += ['Times are processor time, own and the kernel\'s, without that of waiting, with that of starting the program; of benchmarks named `manual_time` the time that they '
            'measured themselves. "others" is what other programs used of the machine meanwhile.']
    if two:
        sure = min((r['coverage'] for r in told['rows']), default=0.0)
        out += ['', 'A / B is the median of the ratios of the pairs, above 1 where A is slower; its interval holds the true one with %.1f %% at least. "slower" and "faster" are '
                'said where the whole interval is more than %.3g %% away from 1. Of %d rows of two equal programs chance alone would put the interval beside 1 in at most %.1f. Two '
                'builds of almost the same source can differ by a percent or two because the same code lies elsewhere in memory.' % (
                    100 * sure, 100 * o['least'], len(told['rows']), len(told['rows']) * (1 - sure))]
    return '\n'.join(out) + '\n'


def write(folder, told):
    for name, text in (('bench.json', json.dumps(told, indent=1) + '\n'), ('bench.md', markdown(told))):
        with open(os.path.join(folder, name), 'w') as f:
            f.write(text)
