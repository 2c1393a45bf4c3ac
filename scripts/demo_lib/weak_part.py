"""--weak: UEs with one measure of protection left out (tests/controls), and whether the sniffer finds it. Tests only, never installed."""
import time

from . import world
from .tail import tail

# What --weak takes: the name in tests/controls/weak/weaken.py, and the check that is to notice.
WEAKNESSES = {'one-key-for-all': ('one_key_for_all_peers', 'stolen_key_opens'), 'null-cipher': ('null_cipher', 'ascii_run'),
              'repeated-nonce': ('repeated_nonce', 'xor_of_neighbours'), 'plain-identities': ('plain_identities', 'code_repeats'),
              'static-token': ('static_token', 'request_token_reuse'), 'replayable-request': ('replayable_request', 'replayed_request_answered')}
LINES = tuple('line %d: meet me at the old mill at noon, and bring the maps of the northern road' % i for i in range(16))
EVERY_S = 0.25
FOUND, NOT_FOUND = 3, 1   # exit status; 3 is also the sniffer's for "exposed"
AIR_S = 120.0             # of the air's time, for which the sniffer may take to notice
FINDINGS_TOLD, FRAMES_TOLD = 4, 6
RECORD_S = 6.0            # of the first set-ups, for whoever replays them
PERIOD_S = 10.24          # frame numbers come again: what is replayed then falls into the same resources


def add_arguments(parser):
    parser.add_argument('--weak', choices=tuple(WEAKNESSES),
                        help='UEs that lack one measure of protection; exit status 3 says that the sniffer found it. In the source tree only')


def check(o):
    """ValueError: one line."""
    if o.weak and world.INSTALLED:
        raise ValueError('--weak %s: weakened UEs are made for tests and are not installed; accepted in the source tree (scripts/demo)' % o.weak)
    if o.weak and (o.devices or o.with_function):
        raise ValueError('--weak %s: accepted on the emulated air, without --devices and --with-function' % o.weak)


def traffic(o):
    """Lines and seconds between them: in the clear they show at once, and under one keystream they can be compared."""
    return (LINES, EVERY_S) if o.weak else ()


class replayer:
    """An attacker who records the first set-ups and sends them again after their time. It has no keys."""

    def __init__(self, w):
        self.w, self.p, self.start, self.turn = w, None, None, 0
        self.meta = w.path('mallory.sigmf-meta')

    def run(self, *a):
        with open(self.w.path('mallory.log'), 'a') as log:
            self.p = world.background([self.w.program('prose-iq'), *a, '--device', 'type=virtual,name=mallory,air=' + self.w.air], self.w.env, log)

    def step(self):
        if self.p and self.p.poll() is None:
            return
        if self.start is None:
            times = [e['t'] for n in world.NAMES for e in self.w.events(n, 'started')]
            if len(times) == len(world.NAMES):
                self.start = round(max(times) + 0.5, 3)
                rate = '7.68e6' if self.w.options.prb == '25' else '15.36e6'
                self.run('record', self.meta, '--rate', rate, '--type', 'ci16', '--start', str(self.start), '--duration', str(RECORD_S))
            return
        self.turn = max(self.turn + 1, 2)  # the first is within the time in which a request is valid
        while self.start + self.turn * PERIOD_S < self.w.air_time() + 1:
            self.turn += 1
        # What arrived with 20 dB less goes out as strong as it was sent.
        self.run('replay', self.meta, '--start', '%.3f' % (self.start + self.turn * PERIOD_S), '--scale', '10')

    def close(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            self.p.wait()


class weak_run:
    def __init__(self, w, judge):
        self.w, self.judge, self.found, self.next, self.begin = w, judge, None, 0.0, None
        self.variant, self.wanted = WEAKNESSES[w.options.weak]
        w.env = dict(w.env, PROSE_WEAKNESS=self.variant)
        w.ue = w.tool('weak_ue')
        self.attacker = replayer(w) if self.variant == 'replayable_request' else None

    def start(self):
        self.w.telling.phase('the sniffer looks for the weakness %s' % self.w.options.weak)

    def step(self):
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + 0.5
        if not self.w.options.live:
            self.w.telling.tick()
        if self.attacker and not self.found:
            self.attacker.step()
        if self.begin is None and self.w.air_time():
            self.begin = self.w.air_time()
        # What one key for all costs shows to whoever has the keys of one.
        if self.variant == 'one_key_for_all_peers' and not self.judge.stolen and self.linked():
            self.judge.steal()
        findings = self.judge.report().get('findings', [])
        if not self.found and any(f['check'] == self.wanted for f in findings):
            self.found = findings
            if self.w.options.live:
                self.show()

    def linked(self):
        return all(self.w.events(a, 'link_established', b) for a, b in world.ENDS)

    def over(self):
        return bool(self.found) or (self.begin is not None and self.w.air_time() > self.begin + AIR_S)

    def close(self):
        if self.attacker:
            self.attacker.close()

    def tell(self):
        """Says what was found; the exit status."""
        if not self.found:
            self.w.telling.line('the sniffer did not find the weakness %s' % self.w.options.weak)
            return NOT_FOUND
        if not self.w.options.live:
            self.show()
        return FOUND

    def show(self):
        say, red = self.w.telling, lambda text: self.w.telling.paint('1;31', text)
        say.line('%s: the sniffer found the weakness %s' % (red('EXPOSED'), self.w.options.weak))
        frames = [e for e in tail(self.w.path('sniffer.jsonl')).events() if 'hex' in e]
        for f in sorted(self.found, key=lambda f: f['check'] != self.wanted)[:FINDINGS_TOLD]:
            say.line(red('  %s: %s' % (f['check'], f['reason'])))
            for n in f['frames'][:FRAMES_TOLD]:
                if n < len(frames):
                    say.line('    frame %d: %s' % (n, describe(frames[n])))
        if len(self.found) > FINDINGS_TOLD:
            say.line('  and %d more findings' % (len(self.found) - FINDINGS_TOLD))


def describe(e):
    octets = bytes.fromhex(e['hex'])[:24]
    more = ' ..' if len(e['hex']) > 48 else ''
    channel = {'tb': 'PSSCH', 'sci': 'PSCCH', 'discovery': 'PSDCH', 'mib_sl': 'PSBCH'}.get(e['event'], e['event'])
    whose = ' from ' + e['hex'][2:8] if e['event'] == 'tb' else ''
    return '%.3f s, %s%s: %s%s  %s' % (e['t'], channel, whose, octets.hex(' '), more, ''.join(chr(x) if 32 <= x < 127 else '.' for x in octets))
