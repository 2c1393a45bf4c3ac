"""The same eight UEs twice: as prose-ue on the emulated air, and in prose-town. What the abstract air says must be what samples say, within intervals.
usage: on_air_test TM SECONDS: transmission mode, and seconds of the emulated air. With more the intervals are narrower."""
import json, math, os, statistics, subprocess, sys, tempfile
from random import Random

from tests.harness.air import Air
from tests.harness.air_peer import peer, wait_line
from tests.harness.files import configuration, json_lines, write
from tests.harness.keys import Keys
from tests.harness.paths import ENV, program
from tests.harness.ue import Ue

N, START, STEP, NAMES = 8, 0.5, 1 / 16, ['u%d' % i for i in range(8)]
# 20 dB of loss, bursts at -12 dBFS, noise at -60 dBFS in 512 elements: 30.3 dB in one of the carrier's 300 if a burst filled them.
AIR, SNR_DB = 'stall_ms: 3000000\ndefault: {gain_db: -20}\nnodes: {"*": {noise_dbfs: -60}}\n', 30.3
MODEL = 0.03  # what the abstract air may be off by, beside chance


def towns(tm):
    """Forty towns of the eight."""
    p = subprocess.run([program('prose-town'), '--ues', str(N), '--tm', str(tm), '--seconds', '12', '--every', '1', '--snr', str(SNR_DB), '--seeds', '40', '--no-verdict', '--out', '-'],
                       env=ENV, capture_output=True, text=True, timeout=1500)
    assert p.returncode == 0, p.stderr
    return [json.loads(line) for line in p.stdout.splitlines()]


class Metronome:
    """Holds the air every STEP seconds of it."""

    def __init__(self, air):
        self.at, self.p = START, peer(air.device('gate'), '--rate', 0.2e6, '--seconds', 100000, '--hold-at', START, '--hold-every', STEP, stdin=subprocess.PIPE)
        wait_line(self.p, 'holds')

    def step(self):
        self.p.stdin.write('\n')
        self.p.stdin.flush()
        wait_line(self.p, 'holds')
        self.at += STEP

    def end(self):
        self.p.kill()
        self.p.communicate()


def ring(folder, air, tm, seconds):
    """Eight UEs, each of which permits the next and the one before."""
    Keys(os.path.join(folder, 'keys'), NAMES, [(NAMES[i], NAMES[(i + 1) % N]) for i in range(N)])
    for n in NAMES:
        write(os.path.join(folder, n + '.yaml'), configuration('mary', (r'(?m)^name: .*', 'name: ' + n), (r'(?m)^  tm: \d', '  tm: %d' % tm), (r'(?m)^device: .*', 'device: ' + air.device(n)),
                                                               *[(r'(?m)^  %s: keys/mary\.%s' % (k, e), '  %s: keys/%s.%s' % (k, n, e))
                                                                 for k, e in (('private_key', 'key'), ('permissions', 'permit'), ('mark', 'mark'))]))
    ues = [Ue(folder, n, '--data', 'stdin', '--duration', seconds) for n in NAMES]
    for n in NAMES:
        air.until_joined(n, 900)
    return ues


def on_air(tm, seconds):
    """Events of each UE, lines sent, lines that arrived."""
    with tempfile.TemporaryDirectory() as folder, Air(AIR, speed='max') as air:
        clock = Metronome(air)
        ues = ring(folder, air, tm, seconds)
        linked = lambda: min(len([e for e in json_lines(u.events_path) if e['event'] == 'link_established']) for u in ues) >= 2
        random, sent = Random(1), 0
        # In each direction a line a second on average, as in the towns; none so late that it could not arrive.
        while clock.at < START + seconds - 3:
            clock.step()
            if sent == 0 and not linked():
                continue
            i, beside = random.randrange(N), random.choice((1, -1))
            ues[i].say('%s line %d of %s' % (NAMES[(i + beside) % N], sent, NAMES[i]))
            sent += 1
        clock.end()
        for u in ues:
            assert u.p.wait(1500) == 0, u.said()
        arrived = sum(len({line for line in u.lines() if ' line ' in line}) for u in ues)
        return [json_lines(u.events_path) for u in ues], sent, arrived


def within(what, k, n, expected):
    """A count of n against the towns' share: four standard deviations of chance, and what the model may be off by."""
    off = 4 * (max(expected * (1 - expected), 1 / n) / n) ** 0.5 + MODEL
    print('%s: air %.3f (%d of %d), towns %.3f, accepted within %.3f' % (what, k / n, k, n, expected, off), flush=True)
    assert abs(k / n - expected) <= off, what


def in_range(what, value, of_towns):
    """A median against those of the forty towns: between the least and the largest, widened by half of that range, and never below half of the least."""
    low, high = min(of_towns), max(of_towns)
    low, high = max(low / 2, low - (high - low) / 2), high + (high - low) / 2
    print('%s: air %.0f ms, accepted %.0f to %.0f ms' % (what, value, low, high), flush=True)
    assert low <= value <= high, what


def main():
    tm, seconds = int(sys.argv[1]), float(sys.argv[2])
    abstract = towns(tm)
    total = lambda name: sum(t[name] for t in abstract)
    assert total('linked') == total('pairs')
    events, sent, arrived = on_air(tm, seconds)
    of_kind = lambda kind: [e for ue in events for e in ue if e['event'] == kind]
    first = lambda kind: [e for ue in events for e in {e['peer']: e for e in reversed(ue) if e['event'] == kind}.values()]
    ends, links, found = of_kind('stopped'), of_kind('link_established'), [e['t'] for e in first('peer_discovered')]
    assert len(ends) == N and len(first('link_established')) == 2 * N
    # Who answers a request may never have heard the peer before: later than all, as in the towns.
    found += [math.inf] * (2 * N - len(found))
    heard, could = sum(e['discovery_heard'] for e in ends), (N - 1) * sum(e['discovery_sent'] for e in ends)
    within('discovery messages heard', heard, could, total('messages_heard') / total('messages_sent') / (N - 1))
    within('data delivered', arrived, sent, total('delivered') / total('sent'))
    begin = max(ue[0]['t'] for ue in events)
    in_range('discovery', 1000 * (statistics.median(found) - begin), [t['discovery_median_ms'] for t in abstract])
    initiated = [e['duration_ms'] for e in links if e.get('role', 'initiator') == 'initiator']
    in_range('set-up', statistics.median(initiated), [t['set_up_median_ms'] for t in abstract])


if __name__ == '__main__':
    main()
