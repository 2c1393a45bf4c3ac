#!/usr/bin/env python3
"""A busy 50-PRB carrier in TM4 with nothing told of its pools: by device time and by SLSS the sniffer is faster than real time on one core. The ratio of
the other ways to find subframes and of known pools is printed. usage: search_speed.py BIN_DIR UHD_MODULES ROOT"""
import os, re, resource, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from air_scene import air_scene

BIN, MODULES, ROOT = sys.argv[1:4]
SECONDS = 10


def cpu_s():
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


slow = []
for source in ('gnss', 'slss'):
    with air_scene(BIN, MODULES, ROOT, tm=4, prb=50) as a:
        config = a.sniffer_config('gnss')

        def options(name):
            text = open(a.path(name + '.yaml')).read()
            open(a.path(name + '.yaml'), 'w').write(text.replace('  source: gnss', '  source: ' + source, 1))
            return []
        a.record_busy(config, SECONDS, payload_octets=500, options=options)
        bare = a.path('bare.yaml')
        open(bare, 'w').write(re.sub(r'(?ms)^pools:.*?(?=^\s*$)', '', open(config).read()))
        for pools, c in (('pools', config), ('no pools', bare)):
            for sync in (source, 'blind'):
                before = cpu_s()
                err = a.run('prose-sniffer', '--config', c, '--iq', a.path('x.sigmf-meta'), '--sync', sync, '--plain').stderr
                ratio = SECONDS / (cpu_s() - before)
                blocks = int(re.search(r'(\d+) transport blocks', err).group(1))
                print('%s, %s, UEs by %s: %.2f x real time, %d blocks' % (pools, sync, source, ratio, blocks), flush=True)
                assert blocks >= 100, err
                if sync != 'blind' and ratio < 1:
                    slow.append((pools, sync, ratio))
assert not slow, slow
print('ok')
