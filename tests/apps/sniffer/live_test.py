#!/usr/bin/env python3
"""What is heard live and what a recording of it gives are the same events. usage: live_test.py BIN_DIR UHD_MODULES ROOT"""
import collections, json, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from air_scene import air_scene

BIN, MODULES, ROOT = sys.argv[1:4]
SECONDS = 6
CONFIG = os.path.join(ROOT, 'configs', 'sniffer.yaml')

for sync, kind in (('gnss', 'cf32'), ('blind', 'ci16')):
    with air_scene(BIN, MODULES, ROOT) as a:
        sniffer = a.start('prose-sniffer', 'sniffer', '--config', CONFIG, '--device', a.device('sniffer'), '--sync', sync, '--duration', SECONDS,
                          '--events', a.path('live.jsonl'), '--record', a.path('x.sigmf-meta'), '--record-type', kind)
        ues = a.start_ues(SECONDS - 1)
        for n, p in zip(a.NAMES, ues):
            a.end(p, n)
        err = a.end(sniffer, 'sniffer')
        a.run('prose-sniffer', '--config', CONFIG, '--iq', a.path('x.sigmf-meta'), '--sync', sync, '--events', a.path('replay.jsonl'))
        live, replay = a.lines('live.jsonl'), a.lines('replay.jsonl')
        kinds = collections.Counter(json.loads(l)['event'] for l in live)
        print(sync, kind, dict(kinds), err.strip().splitlines()[-1])
        assert live == replay, next(((i, x, y) for i, (x, y) in enumerate(zip(live, replay)) if x != y), (len(live), len(replay)))
        assert (kinds['discovery'] >= 10 or sync != 'gnss') and kinds['sci'] >= 4 and kinds['tb'] >= 4, kinds
        start = json.load(open(a.path('x.sigmf-meta')))['captures'][0]['core:global_index']
        first = json.loads(live[0])
        assert abs(first['t'] - (start + first['sample']) / 7.68e6) < 1e-6, (first, start)
print('ok')
