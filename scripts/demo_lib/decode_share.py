"""Which of the frames that UEs report as sent (prose-ue --tx-log) a sniffer decoded (prose-sniffer --events), a channel at a time.

A frame is one transmission, and it counts where no other UE's transmission touches its PRBs at its time. It is decoded where the sniffer tells of it or,
a transmission of a block that is sent several times, where the sniffer tells of the block: a receiver combines them and tells once.
In TM1/2 a PSSCH frame is `orphaned` where each SCI that announces it was overlapped: no receiver is told where it is, and the sniffer finds it only by its
power and DMRS. It counts like the others."""
import collections, json

CHANNELS = ('PSBCH', 'PSCCH', 'PSSCH', 'PSDCH')
KIND = {'mib_sl': 'PSBCH', 'sci': 'PSCCH', 'tb': 'PSSCH', 'discovery': 'PSDCH'}
WANTED = 0.99
SAME_BLOCK_S = 0.32    # at the most between two transmissions of one block: an SC period
SAME_SUBFRAME_S = 1e-4
SUBFRAME_S = 0.00098   # less what UEs differ in timing


def json_lines(path):
    """Leaves out a last line that was cut off."""
    out = []
    for line in open(path):
        try:
            out.append(json.loads(line))
        except ValueError:
            break
    return out


def mark_overlaps(sent):
    """sent is in order of time."""
    first = 0
    for f in sent:
        f['alone'] = True
    for i, f in enumerate(sent):
        while sent[first]['t'] < f['t'] - SUBFRAME_S:
            first += 1
        for g in sent[first:i]:
            if g['ue'] != f['ue'] and g['prb'] < f['prb'] + f['n_prb'] and f['prb'] < g['prb'] + g['n_prb']:
                f['alone'] = g['alone'] = False


def mark_orphans(sent, sc_period_ms):
    # SC periods are counted in DFN, whose wrap (10240 subframes) is told by the time.
    period = lambda f: (f['ue'], f['absolute_subframe'] // sc_period_ms, round((f['t'] * 1000 - f['absolute_subframe']) / 10240))
    announced = {period(f) for f in sent if f['channel'] == 'PSCCH' and f['alone']}
    for f in sent:
        f['orphaned'] = f['channel'] == 'PSSCH' and period(f) not in announced


class heard_events:
    def __init__(self, path):
        events = json_lines(path)
        self.frames = [e for e in events if 'sample' in e and 'hex' in e and e.get('crc_ok', True)]
        self.end = next((e['t'] for e in events if e['event'] == 'statistics'), None)
        self.start, self.at, self.blocks = None, collections.defaultdict(list), collections.defaultdict(list)
        steps = sorted((b['sample'] - a['sample']) / (b['t'] - a['t']) for a, b in zip(self.frames, self.frames[1:]) if b['t'] > a['t'])
        if steps:
            self.start = self.frames[0]['t'] - self.frames[0]['sample'] / steps[len(steps) // 2]
        for e in self.frames:
            self.at[round(e['t'] * 1000)].append(e)
            if KIND[e['event']] in ('PSSCH', 'PSDCH'):
                self.blocks[KIND[e['event']], e['hex']].append(e['t'])

    def covers(self, f):
        """What was sent before the sniffer listened or after it stopped does not count."""
        return self.start is not None and self.end is not None and self.start <= f['t'] and f['t'] + 0.001 <= self.end

    def directly(self, f):
        for ms in (-1, 0, 1):
            for e in self.at.get(round(f['t'] * 1000) + ms, ()):
                if KIND[e['event']] != f['channel'] or abs(e['t'] - f['t']) > SAME_SUBFRAME_S:
                    continue
                if all(e[b] == f[a] for a, b in (('hex', 'hex'), ('n_sl_id', 'n_sl_id')) if a in f and b in e) and \
                        (f['channel'] == 'PSBCH' or e.get('prb_start', e.get('prb')) == f['prb']):
                    return True
        return False

    def as_block(self, f):
        return any(abs(t - f['t']) <= SAME_BLOCK_S for t in self.blocks.get((f['channel'], f.get('hex')), ()))


def measure(sent_paths, heard_path, sc_period_ms=None):
    """sent_paths: by UE. sc_period_ms: of TM1/2. By channel: counts, and what was missed."""
    sent = sorted((dict(f, ue=ue) for ue, path in sent_paths.items() for f in json_lines(path)), key=lambda f: f['t'])
    mark_overlaps(sent)
    if sc_period_ms:
        mark_orphans(sent, sc_period_ms)
    heard = heard_events(heard_path)
    out = {c: {'sent': 0, 'counted': 0, 'decoded': 0, 'orphans': 0, 'orphans_decoded': 0, 'missed': []} for c in CHANNELS}
    for f in sent:
        if not heard.covers(f):
            continue
        c = out[f['channel']]
        c['sent'] += 1
        if not f['alone']:
            continue
        decoded = heard.directly(f) or heard.as_block(f)
        c['counted'] += 1
        c['decoded'] += decoded
        c['orphans'] += f.get('orphaned', False)
        c['orphans_decoded'] += f.get('orphaned', False) and decoded
        if not decoded:
            c['missed'].append({k: f[k] for k in ('ue', 't', 'subframe', 'prb', 'n_prb', 'hex', 'orphaned') if k in f})
    for name, c in out.items():
        c['share'] = c['decoded'] / c['counted'] if c['counted'] else None
        snr = sorted(e['snr_db'] for e in heard.frames if KIND[e['event']] == name)
        c['snr_db'] = snr[len(snr) // 2] if snr else None
    return out


def describe(name, c):
    text = '%s %d of %d' % (name, c['decoded'], c['counted'])
    if c['counted']:
        text += ' (%.2f %%, median SNR %s dB)' % (100 * c['share'], c['snr_db'])
    if c['orphans']:
        text += '; every SCI of %d was overlapped, %d of them decoded' % (c['orphans'], c['orphans_decoded'])
    if c['missed']:
        text += ', missed ' + ', '.join('%s t=%.3f PRB %d+%d%s' % (m['ue'], m['t'], m['prb'], m['n_prb'], ' (its SCI overlapped)' if m.get('orphaned') else '')
                                        for m in c['missed'][:5]) + (' ...' if len(c['missed']) > 5 else '')
    return text
