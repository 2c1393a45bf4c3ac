"""Programs, configurations, events and claims of one demonstration."""
import glob, hashlib, json, os, re, signal, socket, subprocess, sys, time

from . import channel, telling

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# As prose-demo ROOT is PREFIX/share/prose: the programs are built, and lie below PREFIX.
INSTALLED = not os.path.exists(os.path.join(ROOT, 'CMakeLists.txt'))
PLACE = os.path.dirname(os.path.dirname(ROOT)) if INSTALLED else os.path.join(ROOT, 'build')
TARGETS = ('prose-ue', 'prose-air', 'prose-sniffer', 'prose-keys', 'prose-function', 'prose_uhd_virtual', 'cross_open', 'recognised')
PROFILES = {'b200': 'radio_b210.yaml', 'x300': 'radio_x310.yaml', 'n3xx': 'radio_n310.yaml'}  # by UHD's type
NAMES = ('mary', 'john', 'peter')
LINKS = (('mary', 'john'), ('john', 'peter'))
ENDS = tuple(e for a, b in LINKS for e in ((a, b), (b, a)))


def parse_devices(text):
    """mary=ARGS,john=ARGS: ARGS hold commas themselves, so a new device begins where NAME= names one of ours."""
    out = {}
    if not text:
        return out
    for piece in re.split(r',(?=(?:mary|john|peter|sniffer)=)', text):
        m = re.fullmatch(r'(mary|john|peter|sniffer)=(\w+=.*)', piece)
        if not m or m.group(1) in out:
            raise ValueError('--devices: "%s": accepted is NAME=ARGS,NAME=ARGS with mary, john, peter and sniffer, each once, and ARGS of UHD such as '
                             'type=b200,serial=A' % piece)
        out[m.group(1)] = m.group(2)
    if len(set(out.values())) != len(out):
        raise ValueError('--devices: two of them are the same device; accepted: one for each name')
    return out


def build(directory, *more):
    """Only what is run here: from nothing on two cores that is a third of building everything, tests and benchmarks included."""
    subprocess.run(['cmake', '-S', ROOT, '-B', directory, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Release'], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['cmake', '--build', directory, '--target', *TARGETS, *more], check=True)


def missing_programs(directory, *more):
    return [t for t in (*TARGETS, *more) if t.startswith('prose-') and not os.access(os.path.join(directory, 'bin', t), os.X_OK)]


def modules(place):
    """The folder of the emulated radio, of a build or below an installation's prefix."""
    # By its name: another program's modules may lie in the other folder.
    installed = [m for lib in ('lib*', 'lib/*') for m in glob.glob(os.path.join(place, lib, 'uhd', 'modules', 'libprose_uhd_virtual.so'))]
    return os.path.dirname(installed[0]) if installed else os.path.join(place, 'uhd_modules')


def fingerprint(hex_key):
    return hashlib.sha256(bytes.fromhex(hex_key)).hexdigest()[:16]


class not_stopped:
    """Within it stop(), the handler of signals, waits for its end: a program that has started must be known before the demo ends."""
    within = asked = False

    def __enter__(self):
        not_stopped.within = True

    def __exit__(self, *_):
        not_stopped.within = False
        if not_stopped.asked:
            stop()


def stop(*_):
    if not_stopped.within:
        not_stopped.asked = True
    else:
        raise KeyboardInterrupt


def background(command, env, log, output=None):
    """Starts a program that the terminal's Ctrl-C does not reach (the demo ends it, once) and that ends when the demo is killed."""
    # By setpriv, not by a preexec_fn: that would run Python in the child, where a signal at the wrong moment prints a traceback.
    return subprocess.Popen(['setpriv', '--pdeathsig', 'TERM', '--', *command], env=env, stdin=subprocess.DEVNULL, stdout=output or log, stderr=log,
                            start_new_session=True)


class world:
    def __init__(self, options, directory, build):
        self.options, self.dir = options, directory
        self.bin, self.tools = os.path.join(build, 'bin'), os.path.join(build, *(('libexec', 'prose') if INSTALLED else ('tests',)))
        os.makedirs(self.path('keys'), exist_ok=True)
        self.processes, self.claims, self.ports, self.sockets, self.reserved = {}, [], {}, {}, []
        self.devices = parse_devices(options.devices)
        self.env = dict(os.environ, UHD_MODULE_PATH=modules(build))
        self.air = 'demo%d' % os.getpid()
        self.channel = channel.parse(options.channel)
        self.metrics = {}
        self.config_edits = {}   # 'name' or '*': list of (pattern, replacement) that parts add in prepare()
        self.permit = self.permit_by_files
        self.before_ues = lambda: None
        self.ue = self.program('prose-ue')
        self.started = 0.0
        self.results = getattr(options, 'out', None)  # a folder
        self.telling = telling.telling(getattr(options, 'verbose', True))

    # --- files and claims ---
    def path(self, *p):
        return os.path.join(self.dir, *p)

    def program(self, name):
        return os.path.join(self.bin, name)

    def claim(self, text, held, evidence):
        self.claims.append({'claim': text, 'held': bool(held), 'evidence': str(evidence)})
        self.telling.claim(text, held, evidence)

    # --- set-up ---
    def keys(self, *a):
        return subprocess.run([self.program('prose-keys'), *a], check=True, capture_output=True, text=True).stdout.strip()

    def permit_by_files(self, public):
        for a, b in LINKS:
            self.keys('permit', '--permits', self.path('keys', a + '.permit'), b, public[b])
            self.keys('permit', '--permits', self.path('keys', b + '.permit'), a, public[a])

    def make_keys(self):
        public = {}
        for n in NAMES:
            self.keys('gen', self.path('keys', n + '.key'))
            public[n] = self.keys('pub', self.path('keys', n + '.key'))
        self.permit(public)

    def free_port(self):
        """Held until the UEs start; otherwise another socket could get the same port."""
        self.reserved.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.reserved[-1].bind(('127.0.0.1', 0))
        return self.reserved[-1].getsockname()[1]

    def tool(self, name):
        return os.path.join(self.tools, name)

    def real_radios(self):
        return any('type=virtual' not in self.device(n) for n in NAMES)

    def timing(self):
        """gnss: device time is common (the emulated air; PPS). Clocks that run apart, and radios without PPS, follow SLSS."""
        if self.options.time:
            return self.options.time
        return 'slss' if 'drift' in self.channel or self.real_radios() else 'gnss'

    def configure(self):
        edits = [(r'(?m)^  prb: .*$', '  prb: %s' % self.options.prb), (r'(?m)^  tm: .*$', '  tm: %s' % self.options.tm),
                 (r'(?m)^  epoch_min_s: .*$', '  epoch_min_s: 10'), (r'(?m)^  epoch_max_s: .*$', '  epoch_max_s: 20'),
                 (r'(?m)^  rekey_s: .*$', '  rekey_s: 15'), (r'(?m)^allow_keylog: .*$', 'allow_keylog: true')]
        if self.timing() == 'slss':
            edits.append((r'(?m)^  source: gnss', '  source: slss'))
        if self.real_radios():  # each device's time starts with its session
            edits.append((r'(?m)^  utc: configured', '  utc: system'))
        if 'loss' in self.channel and self.options.tm == '4':
            edits.append((r'(?m)^  mcs: .*$', '  mcs: 14\n  repeat: 2'))
        for n in NAMES:
            text = open(os.path.join(ROOT, 'configs', n + '.yaml')).read()
            for pattern, with_ in edits + self.config_edits.get('*', []) + self.config_edits.get(n, []):
                text, count = re.subn(pattern, with_, text)
                if count == 0:
                    raise RuntimeError('configs/%s.yaml: nothing matches %s' % (n, pattern))
            block = ['data:', '  kind: udp', '  peers:']
            for a, p in ENDS:
                if a != n:
                    continue
                # Ours stays open from here on: a port given back could become the source port of some other socket.
                self.sockets[n, p] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.sockets[n, p].bind(('127.0.0.1', 0))
                listen, forward = self.free_port(), self.sockets[n, p].getsockname()[1]
                self.ports[n, p] = listen
                block += ['    - {name: %s, udp_listen: "127.0.0.1:%d", udp_forward: "127.0.0.1:%d"}' % (p, listen, forward)]
            text = re.sub(r'(?ms)^data:.*?(?=^allow_keylog)', '\n'.join(block) + '\n\n', text)
            with open(self.path(n + '.yaml'), 'w') as f:
                f.write(text)

    # --- programs ---
    def device(self, name):
        return self.devices.get(name, 'type=virtual,name=%s,air=%s' % (name, self.air))

    def radio_options(self, name):
        """Clock, gains and antennas of a real radio: --radio, or the profile of its type."""
        args = self.device(name)
        if 'type=virtual' in args:
            return []
        m = re.search(r'(?:^|,)type=(\w+)', args)
        profile = self.options.radio or (m and m.group(1) in PROFILES and os.path.join(ROOT, 'configs', PROFILES[m.group(1)]))
        return ['--radio', os.path.abspath(profile)] if profile else []

    def spawn(self, name, command):
        with open(self.path(name + '.log'), 'w') as log, not_stopped():
            self.processes[name] = background(command, self.env, log)

    def start(self, names=NAMES):
        self.start_air()
        self.before_ues()
        self.start_ues(names)

    def start_air(self):
        if not set(NAMES) <= set(self.devices):
            with open(self.path('air.yaml'), 'w') as f:
                f.write(channel.air_yaml(self.channel, self.options.tm, self.options.prb))
            self.spawn('air', [self.program('prose-air'), '--config', self.path('air.yaml'), '--air', self.air, '--speed', self.options.speed])
            if not self.wait(lambda: 'ready' in open(self.path('air.log')).read(), 30):
                raise RuntimeError('prose-air does not start: ' + open(self.path('air.log')).read())
        self.telling.phase('Mary, John and Peter start')
        self.started = time.time()

    def start_ues(self, names=NAMES):
        for s in self.reserved:
            s.close()
        for n in names:
            self.start_ue(n)

    def start_ue(self, n):
        self.spawn(n, [self.ue, '--config', self.path(n + '.yaml'), '--device', self.device(n), *self.radio_options(n),
                       '--events', self.path(n + '.jsonl'), *self.key_log(n), '--tx-log', self.path(n + '.sent')])

    def key_log(self, n):
        return [] if getattr(self.options, 'profile', 'ltesl') == 'ts33303' else ['--keylog', self.path(n + '.keylog')]

    def stop(self):
        """Exit codes by name. The air goes last."""
        codes = {}
        self.telling.phase('the programs end')
        for n, p in self.processes.items():
            if n != 'air' and p.poll() is None:
                p.send_signal(signal.SIGINT)
        for n, p in sorted(self.processes.items(), key=lambda x: x[0] == 'air'):
            if n == 'air' and p.poll() is None:
                p.send_signal(signal.SIGINT)
            try:
                codes[n] = p.wait(60)
            except subprocess.TimeoutExpired:
                p.kill()
                codes[n] = 'killed'
        return codes

    # --- events ---
    def events(self, n, kind=None, peer=None):
        out = []
        try:
            for line in open(self.path(n + '.jsonl')):
                try:
                    e = json.loads(line)
                except ValueError:
                    continue  # a line that is being written
                if (kind is None or e['event'] == kind) and (peer is None or e.get('peer') == peer):
                    out.append(e)
        except OSError:
            pass
        return out

    def air_time(self):
        """Device time of the last transmission that a UE reports. Where the machine is too slow for the air, it runs slower than the wall clock."""
        last = 0.0
        for n in NAMES:
            try:
                with open(self.path(n + '.sent'), 'rb') as f:
                    f.seek(max(0, os.fstat(f.fileno()).st_size - 20_000))
                    whole = f.read().split(b'\n')[1:-1]
                    last = max(last, json.loads(whole[-1])['t'] if whole else 0.0)
            except OSError:
                pass
        return last

    def wait(self, what, seconds):
        end = time.time() + seconds
        while time.time() < end:
            if what():
                return True
            for n, p in self.processes.items():
                if p.poll() is not None:
                    self.telling.clear()
                    print('demo: %s ended with %s: %s' % (n, p.returncode, open(self.path(n + '.log')).read()[-300:]), file=sys.stderr)
                    return False
            self.telling.tick()
            time.sleep(0.2)
        return what()

    def logged_keys(self, n):
        """Of a UE's key log: {frozenset of the two layer-2 IDs of an epoch: {source: fingerprint of its record key}}, in order."""
        epochs = {}
        try:
            for line in open(self.path(n + '.keylog')):
                f = line.split()
                if len(f) == 7 and f[0] == 'PROSE_RECORD_KEY':
                    epochs.setdefault(frozenset(f[3:5]), {})[f[3]] = fingerprint(f[5])
        except OSError:
            pass
        return epochs

    def cpu_seconds(self):
        """Processor time of each program so far."""
        out = {}
        for n, p in self.processes.items():
            try:
                f = open('/proc/%d/stat' % p.pid).read().rsplit(')', 1)[1].split()
                out[n] = (int(f[11]) + int(f[12])) / os.sysconf('SC_CLK_TCK')
            except (OSError, IndexError):
                pass
        return out
