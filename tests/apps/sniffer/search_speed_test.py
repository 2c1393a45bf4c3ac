"""A busy 50-PRB carrier in TM4 with nothing told of its pools: by device time and by SLSS the sniffer is faster than real time on one core. The ratio of
the other ways to find subframes and of known pools is printed."""
import re, resource

from tests.harness.cases import main
from tests.harness.files import edited, text_of, write
from tests.harness.scene import Scene

SECONDS = 10


def cpu_s():
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


def speed(source):
    slow = []
    with Scene(tm=4, prb=50, source=source) as s:
        config = s.sniffer_config('gnss')
        s.record_busy(config, SECONDS, payload_octets=500)
        bare = write(s.path('bare.yaml'), edited(text_of(config), (r'(?ms)^pools:.*?(?=^\s*$)', '')))
        for pools, c in (('pools', config), ('no pools', bare)):
            for sync in (source, 'blind'):
                before = cpu_s()
                err = s.run('prose-sniffer', '--config', c, '--iq', s.path('x.sigmf-meta'), '--sync', sync, '--plain').stderr
                ratio = SECONDS / (cpu_s() - before)
                blocks = int(re.search(r'(\d+) transport blocks', err).group(1))
                print('%s, %s, UEs by %s: %.2f x real time, %d blocks' % (pools, sync, source, ratio, blocks), flush=True)
                assert blocks >= 100, err
                if sync != 'blind' and ratio < 1:
                    slow.append((pools, sync, ratio))
    assert not slow, slow


def test_by_device_time():
    speed('gnss')


def test_by_slss():
    speed('slss')


if __name__ == '__main__':
    main()
