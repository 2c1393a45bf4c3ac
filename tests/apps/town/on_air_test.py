"""The same eight UEs twice: as prose-ue on the emulated air, and in prose-town. What the abstract air says must be what samples say, within intervals.
usage: on_air_test SECONDS: of the emulated air. With more the intervals are narrower."""
import json, os, statistics, subprocess, sys, tempfile

from tests.harness.air import Air
from tests.harness.air_peer import peer, wait_line
from tests.harness.files import configuration, json_lines, write
from tests.harness.keys import Keys
from tests.harness.paths import ENV, program
from tests.harness.process import wait
from tests.harness.ue import Ue

N, NAMES = 8, ['u%d' % i for i in range(8)]
# 20 dB of loss, bursts at -12 dBFS, noise at -60 dBFS in 512 elements: 30.3 dB in one of the carrier's 300 if a burst filled them.
AIR, SNR_DB = 'stall_ms: 3000000\ndefault: {gain_db: -20}\nnodes: {"*": {noise_dbfs: -60}}\n', 30.3
MODEL = 0.03  # what the abstract air may be off by, beside chance


def towns():
    """Forty towns of the eight."""
    p = subprocess.run([program('prose-town'), '--ues', str(N), '--tm', '2', '--seconds', '12', '--every', '1', '--snr', str(SNR_DB), '--seeds', '40', '--no-verdict', '--out', '-'],
                       env=ENV, capture_output=True, text=True, timeout=1500)
    assert p.returncode == 0, p.stderr
    return [json.loads(line) for line in p.stdout.splitlines()]


class Ring:
    """Each permits the next and the one before. The air stands still until all are on it."""

    def __init__(self, folder, air, seconds):
        gate = peer(air.device('gate'), '--rate', 0.2e6, '--seconds', 100000, '--hold-at', 0.5, stdin=subprocess.PIPE)
        wait_line(gate, 'holds')
        Keys(os.path.join(folder, 'keys'), NAMES, [(NAMES[i], NAMES[(i + 1) % N]) for i in range(N)])
        for n in NAMES:
            write(os.path.join(folder, n + '.yaml'), configuration('mary', (r'(?m)^name: .*', 'name: ' + n), (r'(?m)^device: .*', 'device: ' + air.device(n)),
                                                                   *[(r'(?m)^  %s: keys/mary\.%s' % (k, e), '  %s: keys/%s.%s' % (k, n, e))
                                                                     for k, e in (('private_key', 'key'), ('permissions', 'permit'), ('mark', 'mark'))]))
        self.ues = [Ue(folder, n, '--data', 'stdin', '--duration', seconds) for n in NAMES]
        for n in NAMES:
            air.until_joined(n, 900)
        gate.kill()
        gate.communicate()

    def events(self, kind=None):
        """Of each UE."""
        return [[e for e in json_lines(u.events_path) if kind in (None, e['event'])] for u in self.ues]

    def now(self):
        """What all have lived through, as far as their events tell."""
        return min(e[-1]['t'] if e else 0 for e in self.events())

    def until(self, condition):
        wait(condition, 1500, self.ues)

    def say_all(self, number):
        """A line in each direction."""
        for i, u in enumerate(self.ues):
            for other in (NAMES[(i + 1) % N], NAMES[i - 1]):
                u.say('%s line %d from %s to %s' % (other, number, NAMES[i], other))


def on_air(seconds):
    """Events of each UE, lines sent, lines that arrived."""
    with tempfile.TemporaryDirectory() as folder, Air(AIR, speed='max') as air:
        ring = Ring(folder, air, seconds)
        ring.until(lambda: all(len(e) >= 2 for e in ring.events('link_established')))
        rounds = 0
        # About a line a second in each direction, as in the towns; none so late that it could not arrive.
        while ring.now() < seconds - 4:
            at = ring.now()
            ring.say_all(rounds)
            rounds += 1
            ring.until(lambda: ring.now() > at + 0.7)
        for u in ring.ues:
            assert u.p.wait(1500) == 0, u.said()
        arrived = sum(len({line for line in u.lines() if ' line ' in line}) for u in ring.ues)
        return ring.events(), 2 * N * rounds, arrived


def within(what, k, n, expected):
    """A count of n against the towns' share: four standard deviations of chance, and what the model may be off by."""
    off = 4 * (max(expected * (1 - expected), 1 / n) / n) ** 0.5 + MODEL
    print('%s: air %.3f (%d of %d), towns %.3f, accepted within %.3f' % (what, k / n, k, n, expected, off), flush=True)
    assert abs(k / n - expected) <= off, what


def in_range(what, value, of_towns):
    """A median against those of the forty towns: between the least and the largest, widened by half of that range."""
    low, high = min(of_towns), max(of_towns)
    low, high = low - (high - low) / 2, high + (high - low) / 2
    print('%s: air %.0f ms, accepted %.0f to %.0f ms' % (what, value, low, high), flush=True)
    assert low <= value <= high, what


def main():
    abstract = towns()
    total = lambda name: sum(t[name] for t in abstract)
    assert total('linked') == total('pairs')
    events, sent, arrived = on_air(float(sys.argv[1]))
    of_kind = lambda kind: [e for ue in events for e in ue if e['event'] == kind]
    ends, links, found = of_kind('stopped'), of_kind('link_established'), of_kind('peer_discovered')
    assert len(ends) == N and len({(e['peer'], i) for i, ue in enumerate(events) for e in ue if e['event'] == 'link_established'}) == 2 * N and len(found) == 2 * N
    heard, could = sum(e['discovery_heard'] for e in ends), (N - 1) * sum(e['discovery_sent'] for e in ends)
    within('discovery messages heard', heard, could, total('messages_heard') / total('messages_sent') / (N - 1))
    within('data delivered', arrived, sent, total('delivered') / total('sent'))
    begin = max(ue[0]['t'] for ue in events)
    in_range('discovery', 1000 * (statistics.median(e['t'] for e in found) - begin), [t['discovery_median_ms'] for t in abstract])
    initiated = [e['duration_ms'] for e in links if e.get('role', 'initiator') == 'initiator']
    in_range('set-up', statistics.median(initiated), [t['set_up_median_ms'] for t in abstract])


if __name__ == '__main__':
    main()
