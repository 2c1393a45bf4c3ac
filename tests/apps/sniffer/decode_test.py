#!/usr/bin/env python3
"""The sniffer decodes at least 99 % of what the UEs report as sent at 15 dB SNR and that overlaps no other frame's PRBs, per channel, and
names what it missed. usage: decode_test.py BIN_DIR UHD_MODULES ROOT"""
import collections, json, os, socket, statistics, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from air_scene import air_scene

BIN, MODULES, ROOT = sys.argv[1:4]
SECONDS, WANTED = 20, 0.99
# -12 dBFS bursts over paths of -20 dB: PSSCH of 12 PRB (the widest) at 15 dB in each resource element; narrower channels are stronger.
NOISE_DBFS = -12 - 20 + 5.5 - 15


def json_lines(path):
    return [json.loads(l) for l in open(path) if l.strip()]


def free_of_overlap(sent):
    """Frames with a mark whether any other UE's transmission of the same subframe touches their PRBs."""
    by_subframe = collections.defaultdict(list)
    for f in sent:
        by_subframe[f['subframe']].append(f)
    for frames in by_subframe.values():
        for f in frames:
            f['alone'] = not any(g['ue'] != f['ue'] and g['prb'] < f['prb'] + f['n_prb'] and f['prb'] < g['prb'] + g['n_prb'] for g in frames)


with air_scene(BIN, MODULES, ROOT, noise_dbfs=NOISE_DBFS) as a:
    sniffer = a.start('prose-sniffer', 'sniffer', '--config', os.path.join(ROOT, 'configs', 'sniffer.yaml'), '--device', a.device('sniffer'),
                      '--duration', SECONDS + 1, '--events', a.path('heard.jsonl'))
    ues = a.start_ues(SECONDS, options=lambda n: ['--tx-log', a.path(n + '.sent')], traffic=True)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while any(p.poll() is None for p in ues):
        for port in a.ports.values():
            out.sendto(os.urandom(300), ('127.0.0.1', port))
        time.sleep(0.1)
    for n, p in zip(a.NAMES, ues):
        a.end(p, n)
    a.end(sniffer, 'sniffer')
    heard = json_lines(a.path('heard.jsonl'))
    sent = [dict(f, ue=n) for n in a.NAMES for f in json_lines(a.path(n + '.sent'))]
    free_of_overlap(sent)
    # What was sent before the sniffer listened or after it stopped is nobody's miss.
    start = min(e['t'] - e['sample'] / 7.68e6 for e in heard if 'sample' in e)
    end = next(e['t'] for e in heard if e['event'] == 'statistics')
    sent = [f for f in sent if start <= f['t'] and f['t'] + 0.001 <= end]
    subframe = lambda e: round(e['t'] * 1000)
    got = {'PSCCH': {(subframe(e), e['prb']) for e in heard if e['event'] == 'sci'},
           'PSDCH': {(subframe(e), e['prb'], e['hex']) for e in heard if e['event'] == 'discovery' and e['crc_ok']},
           'PSSCH': {e['hex'] for e in heard if e['event'] == 'tb' and e['crc_ok']}}
    # A frame of PSSCH is a transport block, whose four transmissions must all be alone. So must be one of its control transmissions (of the
    # same UE in the same SC period): without the SCI no receiver knows where the block is. How many that leaves out is printed.
    want = {'PSCCH': {(f['subframe'], f['prb']) for f in sent if f['channel'] == 'PSCCH' and f['alone']},
            'PSDCH': {(f['subframe'], f['prb'], f['hex']) for f in sent if f['channel'] == 'PSDCH' and f['alone']}}
    blocks = collections.defaultdict(list)
    for f in sent:
        if f['channel'] == 'PSSCH':
            blocks[f['ue'], f['subframe'] // 40, f['hex']].append(f['alone'])
    announced = {(f['ue'], f['subframe'] // 40) for f in sent if f['channel'] == 'PSCCH' and f['alone']}
    clear = {k for k, alone in blocks.items() if len(alone) == 4 and all(alone)}
    want['PSSCH'] = {k[2] for k in clear if k[:2] in announced}
    unannounced = {k[2] for k in clear if k[:2] not in announced}
    print('%d transport blocks sent, %d of them clear of others; of %d whose control was overlapped each time, %d were heard' %
          (len(blocks), len(clear), len(unannounced), len(unannounced & got['PSSCH'])))
    failed = False
    for channel in ('PSCCH', 'PSSCH', 'PSDCH'):
        missed = want[channel] - got[channel]
        share = 1 - len(missed) / len(want[channel]) if want[channel] else 0
        snr = [e['snr_db'] for e in heard if {'sci': 'PSCCH', 'tb': 'PSSCH', 'discovery': 'PSDCH'}.get(e['event']) == channel]
        print('%s: %d of %d (%.2f %%), median SNR %.1f dB, least %.1f' % (channel, len(want[channel]) - len(missed), len(want[channel]), 100 * share,
                                                                         statistics.median(snr or [0]), min(snr or [0])))
        for m in sorted(missed, key=str)[:20]:
            if channel != 'PSSCH':
                print('  missed:', m)
                continue
            mine = [f for f in sent if f.get('hex') == m]
            period = mine[0]['subframe'] // 40 * 40
            control = [(f['subframe'], f['prb'], 'alone' if f['alone'] else 'overlapped', 'heard' if (f['subframe'], f['prb']) in got['PSCCH'] else 'not heard')
                       for f in sent if f['channel'] == 'PSCCH' and f['ue'] == mine[0]['ue'] and period <= f['subframe'] < period + 40]
            print('  missed:', m[:24], 'in subframes', [f['subframe'] for f in mine], 'PRB', mine[0]['prb'], '+', mine[0]['n_prb'], 'control', control)
        failed = failed or share < WANTED or len(want[channel]) < 50
    links = sum(json.loads(l)['event'] == 'link_established' for n in a.NAMES for l in a.lines(n + '.jsonl'))
    assert links >= 4, 'only %d ends of links came up' % links
    assert not failed
print('ok')
