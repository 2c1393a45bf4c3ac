"""Two UEs and a sniffer on carriers of every bandwidth, with the extended prefix, with pools of their own and with two pools of a kind: the UEs find each
other, link and exchange lines both ways, and the sniffer, told by the same carrier file, decodes both."""
import os, resource, subprocess, tempfile

from tests.harness import ue
from tests.harness.air import Air, scene
from tests.harness.air_peer import peer, wait_line
from tests.harness.cases import main
from tests.harness.files import edit, json_lines, write
from tests.harness.process import run, wait
from tests.harness.sniffer import Sniffer
from tests.harness.ue import Ue

NAMES = ('mary', 'john')
PATIENCE_S = 600   # a step takes seconds; a machine that has other work may need longer
OWN_TM2 = '''carrier: {prb: 15, tm: 2, cp: normal}
pools:
  - {kind: sl_comm, mode: tm2, sc_period: 80, prb_num: 4, prb_start: 0, prb_end: 14, offset_indicator: 400, subframe_bitmap: "11111100",
     data: {prb_num: 6, prb_start: 0, prb_end: 14, offset_indicator: 8, subframe_bitmap: "11111100"}}
  - {kind: psdch, disc_period: rf16, num_retx: 1, num_repetition: 20, prb_num: 15, prb_start: 0, prb_end: 14, offset_indicator: 0, subframe_bitmap: "00000011"}
'''
TWO_OF_A_KIND = '''carrier: {prb: 25, tm: 2}
pools:
  - {kind: sl_comm, mode: tm2, sc_period: 40, prb_num: 12, prb_start: 0, prb_end: 11, subframe_bitmap: "11111100",
     data: {prb_num: 12, prb_start: 0, prb_end: 11, offset_indicator: 8, subframe_bitmap: "1111"}}
  - {kind: sl_comm, mode: tm2, sc_period: 80, prb_num: 10, prb_start: 12, prb_end: 21, subframe_bitmap: "11111111",
     data: {prb_num: 10, prb_start: 12, prb_end: 21, offset_indicator: 10, subframe_bitmap: "1111"}}
  - {kind: psdch, disc_period: rf16, num_repetition: 4, prb_num: 12, prb_start: 0, prb_end: 11, subframe_bitmap: "0000001100000000000000000000000000000000"}
  - {kind: psdch, disc_period: rf16, num_repetition: 5, prb_num: 3, prb_start: 22, prb_end: 24, subframe_bitmap: "00110011"}
'''


class Carrier:
    """Mary, John and a sniffer on one air. `shared`: the carrier file of all three; without it the UEs' own prb and tm, and what they tell of it."""

    def __init__(self, prb=25, tm=2, shared=None, changes=None):
        self.running, self.n = [], 0
        self.folder = tempfile.TemporaryDirectory(prefix='prose-carrier-')
        self.air = Air('stall_ms: 20000\n' + scene(), speed='max')
        ue.configure(self.folder.name, self.air, tm=tm)
        for n in NAMES:
            carrier = (r'(?m)^carrier:\n  prb: .*\n  tm: .*$', 'carrier_file: carrier.yaml') if shared else (r'(?m)^  prb: .*$', '  prb: %d' % prb)
            edit(self.path(n + '.yaml'), carrier, (r'(?m)^  entries: 16 .*$', '  entries: 2'), *(changes or {}).get(n, ()))  # soon found
        self.told = shared or run('prose-ue', '--config', self.path('mary.yaml'), '--show-pools').stdout
        write(self.path('carrier.yaml'), self.told)
        write(self.path('sniffer.yaml'), 'carrier_file: carrier.yaml\nsync: gnss\n')

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for b in self.running:
            b.kill()
        for b in self.running:
            b.wait() if isinstance(b, subprocess.Popen) else b.p.wait()
        self.air.__exit__()
        self.folder.cleanup()

    def start(self):
        """The air stands still until all are there."""
        gate = peer(self.air.device('gate'), '--rate', 0.2e6, '--seconds', 1000, '--hold-at', 0.5, stdin=subprocess.PIPE)
        self.running.append(gate)
        wait_line(gate, 'holds')
        self.sniffer = Sniffer(self.air, self.path('heard'), '--config', self.path('sniffer.yaml'), '--plain')
        self.running.append(self.sniffer)
        self.ues = {n: Ue(self.folder.name, n, '--data', 'stdin', '--tx-log', self.path(n + '.sent')) for n in NAMES}
        self.running += self.ues.values()
        for n in ('live', *NAMES):
            self.air.until_joined(n, PATIENCE_S)
        self.running.remove(gate)
        gate.kill()
        gate.communicate()

    def crossed(self):
        """More is said each time: on the air single lines may be lost."""
        self.n += 1
        for a, b in (NAMES, NAMES[::-1]):
            self.ues[a].say('%s line %d' % (b, self.n))
        return all(self.ues[n].of('link_established') and self.ues[n].of('data_rx') for n in NAMES)

    def sent(self, name, channel):
        return [e for e in json_lines(self.path(name + '.sent')) if e['channel'] == channel]

    def heard(self, kind, **where):
        return {e['hex'] for e in self.sniffer.of(kind) if e.get('crc_ok') and all(e[k] == v for k, v in where.items())}

    def decoded(self):
        """Of each UE the sniffer has a block and a discovery message."""
        blocks, messages = self.heard('tb'), self.heard('discovery')
        return all(blocks & {e['hex'] for e in self.sent(n, 'PSSCH')} and messages & {e['hex'] for e in self.sent(n, 'PSDCH')} for n in NAMES)

    def all_hear(self):
        self.start()
        wait(lambda: self.crossed() and self.decoded(), PATIENCE_S, [b.p for b in self.running], 'lines both ways, and the sniffer\'s frames of both')


def test_tm2_on_every_bandwidth():
    for prb in (6, 15, 25, 50, 75, 100):
        with Carrier(prb) as c:
            c.all_hear()
        print('TM2, %d PRB: %.1f s' % (prb, spent()), flush=True)


def test_tm4_on_every_bandwidth():
    for prb in (6, 15, 25, 50, 75, 100):
        with Carrier(prb, tm=4) as c:
            c.all_hear()
        print('TM4, %d PRB: %.1f s' % (prb, spent()), flush=True)


def test_extended_prefix():
    with Carrier(shared='carrier: {prb: 25, tm: 2, cp: extended}\npools:\n' + default_pools()) as c:
        c.all_hear()


def test_slss_by_a_carrier_file():
    """On the narrowest carrier, whose PRBs SLSS fill, with the extended prefix. The UEs' own files say nothing of the time's source."""
    nothing = [(r'(?m)^  source: .*\n', '')]
    with Carrier(6) as c:
        told = c.told.replace('cp: normal', 'cp: extended').replace('sync: gnss', 'sync: slss')
    with Carrier(shared=told, changes={n: nothing for n in NAMES}) as c:
        write(c.path('sniffer.yaml'), 'carrier_file: carrier.yaml\n')
        c.all_hear()
        assert all(c.ues[n].of('sync') for n in NAMES)


def default_pools():
    """Of 25 PRB in TM2."""
    with Carrier() as c:
        return c.told.partition('pools:\n')[2]


def test_own_pools_by_a_carrier_file():
    retransmissions = (r'(?m)^  retransmissions: .*$', '  retransmissions: 1')
    with Carrier(shared=OWN_TM2, changes={n: [retransmissions] for n in NAMES}) as c:
        c.all_hear()
        # The pool's PRBs are 0 to 5 and 9 to 14; no allocation lies across.
        for n in NAMES:
            for e in c.sent(n, 'PSSCH'):
                assert e['prb'] + e['n_prb'] <= 6 or 9 <= e['prb'], e
                assert (e['subframe'] - 400) % 80 >= 8, e


def test_two_pools_of_a_kind():
    few = (r'(?m)^  per_period: .*$', '  per_period: 3')
    second = [few, (r'(?m)^discovery:$', 'discovery:\n  transmit_pool: 1'), (r'(?m)^sidelink:$', 'sidelink:\n  transmit_pool: 1')]
    with Carrier(shared=TWO_OF_A_KIND, changes={'mary': [few], 'john': second}) as c:
        c.all_hear()
        assert all(e['prb'] + e['n_prb'] <= 12 for e in c.sent('mary', 'PSSCH') + c.sent('mary', 'PSDCH'))
        assert all(12 <= e['prb'] < 22 for e in c.sent('john', 'PSSCH')) and all(22 <= e['prb'] for e in c.sent('john', 'PSDCH'))


def spent():
    """Processor time of the programs so far."""
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


if __name__ == '__main__':
    main()
