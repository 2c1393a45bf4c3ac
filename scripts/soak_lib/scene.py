"""Mary, John, Peter and a sniffer on an emulated air with faults, as scripts/demo sets them up; programs that end and start again."""
import math, os, re, shutil, signal, subprocess, types

from ..demo_lib import channel, sniffer_config
from ..demo_lib.world import ENDS, LINKS, NAMES, ROOT, background, world
from .tail import tail

# A link is given up soon, so that a UE that is gone costs its peers little; keys change often enough to be seen in an hour, and seldom enough that
# losses cannot hide there.
LINK_KEYS = {'keepalive_s': 3, 'lost_s': 12, 'rekey_s': 240, 'epoch_min_s': 60, 'epoch_max_s': 120}
OUTAGE_MS, OVERFLOW_MS, DROP_MS = 700, 3, 5
JUMP_MS, JUMP_LASTS_S = 37, 4.0      # of device time: no whole number of SC periods; then back
UNPLUG_CLOSES_MS = 20
# Periods of faults in units of --fault-every, different for each UE so that they meet in every order. Those that end the stream come soon enough that
# Peter's comes between two of his restarts, and John's within minutes.
PERIODS = {'overflow': 1.0, 'drop': 1.7, 'late': 2.3, 'underflow': 2.9, 'late_command': 2.6, 'outage': 4.3}
# These end the stream, and the times of faults count from its begin: one of them a UE, or the later one would never come.
ENDS_STREAM = {'outage': 'john', 'late_command': 'peter'}
LENGTHS_MS = {'overflow': OVERFLOW_MS, 'drop': DROP_MS, 'outage': OUTAGE_MS}
FACTOR = {'mary': 1.0, 'john': 1.13, 'peter': 1.31}
JUMP_PERIOD = {'john': 9.1, 'peter': 5.3}
START_S = 5.0           # links first
JUMP_SHARE = 0.4        # of the period before the first
UNPLUG_AFTER = 1.5                   # of --restart-every, from the begin of Mary's stream
UNPLUGGED_SAYS = 'no samples'         # prose-ue, with exit 1
UNPLUG_EARLY_S = 2.0    # what the age of a run, from "started" to its last transmission, may lack of the age of its stream
# Peter's stream begins with each run of his: one until the first restart, the next over two turns, each at least 0.8 of --restart-every (part.py).
SECOND_LIFE, RESTART_S = 1.6, 5.0
# How a UE tells of a fault: the counter of its event `radio`, with its name where only one UE has the fault, or its event.
TOLD_BY = {'overflow': 'overflows', 'drop': 'sequence_errors', 'late': 'lates', 'underflow': 'underflows', 'clock_step': 'time_jump',
           **{kind: 'restarts ' + node for kind, node in ENDS_STREAM.items()}}
STREAM_SLACK_S = 2.0    # a stream begins before the UE tells `started`, and the event `radio` that tells its end comes up to a second later
OF_TRANSMISSION = ('late', 'underflow')
FAULT_KINDS = (*PERIODS, 'clock_step', 'unplug')


def faults(options):
    """[(node, kind, after_s, every_s or None, more keys)]."""
    out = []
    for n in NAMES:
        unit = options['fault_every'] * FACTOR[n]
        for kind, period in PERIODS.items():
            if ENDS_STREAM.get(kind, n) != n:
                continue
            out.append((n, kind, START_S + unit * period, unit * period, 'length_ms: %g' % LENGTHS_MS[kind] if kind in LENGTHS_MS else ''))
        if n in JUMP_PERIOD:
            every = unit * JUMP_PERIOD[n]
            out += [(n, 'clock_step', JUMP_SHARE * every + after, every, 'step_ms: %g' % ms) for after, ms in ((0.0, JUMP_MS), (JUMP_LASTS_S, -JUMP_MS))]
    return out + [('mary', 'unplug', UNPLUG_AFTER * options['restart_every'], None, 'length_ms: %g' % UNPLUG_CLOSES_MS)]


def fault_rules(options):
    """As configs/air.yaml has them."""
    return ['{node: %s, kind: %s, after_s: %.1f%s%s}' % (n, kind, after, ', every_s: %.1f' % every if every else '', more and ', ' + more)
            for n, kind, after, every, more in faults(options)]


def most_faults(options, node, ages_s):
    """{kind: how often at most} in a run of a UE whose streams had these ages, one after the other. A fault of reception comes at an age of the stream
    that no stream of this run had reached before; one of transmission at an age of the run."""
    out = dict.fromkeys(FAULT_KINDS, 0)
    for n, kind, after, every, _ in faults(options):
        age = (sum(ages_s) if kind in OF_TRANSMISSION else max(ages_s)) + STREAM_SLACK_S
        if n == node and age >= after:
            out[kind] += 1 + int((age - after) / every) if every else 1
    return out


def comes_at(node, after, every):
    if node != 'peter' or after < every:
        return after
    return every + after if after < SECOND_LIFE * every - RESTART_S else math.inf


def first_due(options):
    """{kind: seconds after the begin of a part}; infinite where restarts are in the way."""
    return {kind: min(comes_at(n, after, options['restart_every']) for n, k, after, *_ in faults(options) if k == kind) for kind in FAULT_KINDS}


def was_unplugged(options, name, code, said, age_s):
    """Whether a program ended as it has to when its radio is unplugged. `age_s`: air from its start to its end; None: it had not started."""
    due = name == 'mary' and age_s is not None and age_s >= UNPLUG_AFTER * options['restart_every'] - UNPLUG_EARLY_S
    return due and code == 1 and UNPLUGGED_SAYS in said


class scene(world):
    """`options`: tm, prb, seed, fault_every, restart_every. `source`: gnss or slss. `start_s`: device time at the begin."""

    def __init__(self, options, directory, build, source, start_s, part):
        o = types.SimpleNamespace(devices='', radio=None, channel='clean', tm=options['tm'], prb=options['prb'], time=source, speed='max')
        super().__init__(o, directory, build)
        self.air, self.soak, self.start_s, self.part = 'soak%d_%d' % (os.getpid(), part), options, start_s, part
        self.runs, self.tails, self.expected, self.codes = {}, {}, {}, []
        for key, value in LINK_KEYS.items():
            self.config_edits.setdefault('*', []).append((r'(?m)^  %s: .*$' % key, '  %s: %g' % (key, value)))

    def prepare(self, first):
        if first:
            self.make_keys()
        self.configure()
        with open(self.path('sniffer.yaml'), 'w') as f:
            f.write(sniffer_config.text(ROOT, self.program('prose-ue'), int(self.options.tm), int(self.options.prb), self.timing()))

    def start(self):
        yaml = channel.air_yaml(self.channel, self.options.tm, self.options.prb)
        yaml += 'seed: %d\nfaults:\n%s' % (self.soak['seed'], ''.join('  - %s\n' % r for r in fault_rules(self.soak)))
        with open(self.path('air.yaml'), 'w') as f:
            f.write(yaml)
        self.spawn('air', [self.program('prose-air'), '--config', self.path('air.yaml'), '--air', self.air, '--speed', 'max', '--start', str(self.start_s)])
        if not self.wait(lambda: 'ready' in open(self.path('air.log')).read(), 30):
            raise RuntimeError('prose-air does not start: ' + open(self.path('air.log')).read())
        for s in self.reserved:
            s.close()
        for s in self.sockets.values():
            s.setblocking(False)
        self.start_one('sniffer', [self.program('prose-sniffer'), '--config', self.path('sniffer.yaml'), '--device', self.device('sniffer'), '--plain'])
        for n in reversed(NAMES):
            self.start_ue(n)

    # --- programs that come and go ---
    def file(self, name, kind):
        return self.path('%s.%d.%d.%s' % (name, self.part, self.runs[name], kind))

    def start_one(self, name, command):
        self.runs[name] = self.runs.get(name, 0) + 1
        self.expected[name] = 0
        self.tails[name, 'events'] = tail(self.file(name, 'jsonl'))
        with open(self.file(name, 'log'), 'w') as log:
            self.processes[name] = background([*command, '--events', self.file(name, 'jsonl')], self.env, log)

    def start_ue(self, name):
        command = [self.program('prose-ue'), '--config', self.path(name + '.yaml'), '--device', self.device(name), '--dumpable', '--log-level', 'warn']
        self.runs.setdefault(name, 0)
        self.start_one(name, [*command, '--tx-log', self.path('%s.%d.%d.sent' % (name, self.part, self.runs[name] + 1))])
        self.tails[name, 'sent'] = tail(self.file(name, 'sent'))

    def end(self, name, how):
        self.expected[name] = 0 if how == signal.SIGINT else -how
        self.processes[name].send_signal(how)

    def ended(self, name):
        """Its exit code; None: it runs."""
        return self.processes[name].poll()

    def log_of(self, name):
        with open(self.file(name, 'log'), errors='replace') as f:
            return f.read()

    def forget_run(self, name):
        """Removes its files."""
        for kind in ('events', 'sent'):
            if (name, kind) in self.tails:
                self.tails.pop((name, kind)).close(remove=True)

    # --- what the kernel tells ---
    def sizes(self, name):
        """(octets of anonymous memory, octets of resident memory, descriptors or None where they may not be counted)."""
        pid = self.processes[name].pid
        with open('/proc/%d/status' % pid) as f:
            found = dict(re.findall(r'(?m)^(RssAnon|VmRSS):\s+(\d+) kB', f.read()))
        try:
            fds = len(os.listdir('/proc/%d/fd' % pid))
        except OSError:
            fds = None
        return int(found['RssAnon']) * 1024, int(found['VmRSS']) * 1024, fds


def cpu_s(pid):
    """Seconds of processor time, own and the kernel's."""
    with open('/proc/%d/stat' % pid) as f:
        after_name = f.read().rpartition(')')[2].split()
    return sum(int(t) for t in after_name[11:13]) / os.sysconf('SC_CLK_TCK')


def versions(directory):
    out = {}
    for p in ('prose-ue', 'prose-air', 'prose-sniffer'):
        out[p] = subprocess.run([os.path.join(directory, 'bin', p), '--version'], capture_output=True, text=True, check=True).stdout.strip()
    tool = shutil.which('uhd_config_info')
    out['UHD'] = subprocess.run([tool, '--version'], capture_output=True, text=True).stdout.strip() if tool else 'not known: no uhd_config_info'
    return out
