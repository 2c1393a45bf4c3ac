"""An emulated air with Mary, John and Peter on it and a sniffer beside them, as processes. For the tests beside this file."""
import json, os, re, signal, socket, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'scripts'))
from demo_lib import sniffer_config


class air_scene:
    """with air_scene(BIN, MODULES, ROOT) as a: a.start_ues(); a.sniff(...); ..."""
    NAMES = ('mary', 'john', 'peter')
    LINKS = (('mary', 'john'), ('john', 'peter'))

    def __init__(self, bin_dir, modules, root, tm=2, prb=25, speed='max', noise_dbfs=-60, gain_db=-20, node_noise=None, faults=()):
        self.bin, self.root, self.tm, self.prb = bin_dir, root, tm, prb
        self.env = dict(os.environ, UHD_MODULE_PATH=modules, UHD_LOG_CONSOLE_LEVEL='error')
        self.folder = tempfile.TemporaryDirectory(prefix='prose-sniffer-test-')
        self.name = 'sniff%d' % os.getpid()
        self.speed, self.noise_dbfs, self.gain_db = speed, noise_dbfs, gain_db
        self.node_noise = node_noise or {}  # of nodes that hear worse than the others
        self.faults = faults  # of nodes, as configs/air.yaml has them
        self.running = []

    def path(self, *p):
        return os.path.join(self.folder.name, *p)

    def program(self, name):
        return os.path.join(self.bin, name)

    def __enter__(self):
        open(self.path('air.yaml'), 'w').write('default: {gain_db: %g, delay_us: 0.5}\nnodes: {%s}\n' % (
            self.gain_db, ', '.join('"%s": {noise_dbfs: %.2f}' % x for x in {'*': self.noise_dbfs, **self.node_noise}.items())) +
            'faults: [%s]\n' % ', '.join(self.faults))
        self.keys()  # before anybody runs: the air is as fast as its receivers, and on a busy machine that is many seconds of its time
        self.air = subprocess.Popen([self.program('prose-air'), '--config', self.path('air.yaml'), '--air', self.name, '--speed', self.speed, '--start', '0', '--log-level', 'warn'],
                                    stdout=subprocess.PIPE, stderr=open(self.path('air.log'), 'w'), text=True, env=self.env)
        line = self.air.stdout.readline().strip()
        assert line == "prose-air: ready, air '%s'" % self.name, line
        return self

    def __exit__(self, *_):
        for p in self.running + [self.air]:
            if p.poll() is None:
                p.send_signal(signal.SIGINT)
        for p in self.running + [self.air]:
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.folder.cleanup()

    def device(self, name):
        return 'type=virtual,name=%s,air=%s' % (name, self.name)

    def sniffer_config(self, sync):
        """A configuration of the sniffer for this scene's carrier."""
        open(self.path('sniffer.yaml'), 'w').write(sniffer_config.text(self.root, self.program('prose-ue'), self.tm, self.prb, sync))
        return self.path('sniffer.yaml')

    def keys(self):
        run = lambda *a: subprocess.run([self.program('prose-keys'), *a], check=True, capture_output=True, text=True).stdout.strip()
        os.makedirs(self.path('keys'), exist_ok=True)
        public = {}
        for n in self.NAMES:
            run('gen', self.path('keys', n + '.key'))
            public[n] = run('pub', self.path('keys', n + '.key'))
        for a, b in self.LINKS:
            run('permit', '--permits', self.path('keys', a + '.permit'), b, public[b])
            run('permit', '--permits', self.path('keys', b + '.permit'), a, public[a])

    def start_ues(self, duration, names=NAMES, options=lambda name: [], traffic=False):
        """With traffic, self.ports[a, b] is the UDP port that takes datagrams of a for b."""
        self.ports, kept = {}, []
        for n in names:
            text = open(os.path.join(self.root, 'configs', n + '.yaml')).read()
            text = re.sub(r'(?m)^  prb: .*$', '  prb: %s' % self.prb, text)
            text = re.sub(r'(?m)^  tm: .*$', '  tm: %s' % self.tm, text)
            text = re.sub(r'(?m)^  epoch_min_s: .*$', '  epoch_min_s: 4', text)
            text = re.sub(r'(?m)^  epoch_max_s: .*$', '  epoch_max_s: 8', text)
            text = re.sub(r'(?m)^allow_keylog: .*$', 'allow_keylog: true', text)
            if traffic:
                block = ['data:', '  kind: udp', '  peers:']
                for p in (b if a == n else a for a, b in self.LINKS if n in (a, b)):
                    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))  # until all have one, or the next could be given the same
                    kept[-1].bind(('127.0.0.1', 0))
                    self.ports[n, p] = kept[-1].getsockname()[1]
                    block += ['    - {name: %s, udp_listen: "127.0.0.1:%d", udp_forward: "127.0.0.1:9"}' % (p, self.ports[n, p])]
                text = re.sub(r'(?ms)^data:.*?(?=^allow_keylog)', '\n'.join(block) + '\n\n', text)
            open(self.path(n + '.yaml'), 'w').write(text)
        for s in kept:
            s.close()
        out = []
        for n in names:
            out.append(self.start('prose-ue', n, '--config', self.path(n + '.yaml'), '--device', self.device(n), '--duration', duration,
                                  '--events', self.path(n + '.jsonl'), '--keylog', self.path(n + '.keylog'), *options(n)))
        return out

    def start(self, program, log, *args):
        p = subprocess.Popen([self.program(program), *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, stdout=open(self.path(log + '.out'), 'w'),
                             stderr=open(self.path(log + '.log'), 'w'))
        self.running.append(p)
        return p

    # A scene does not end after so many seconds of the air's time, but once what it needs was there: how long programs take to start varies.
    def until(self, what, condition, timeout=240):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, 'not within %d s: %s' % (timeout, what)
            assert all(p.poll() is None for p in self.running), 'a program ended before there was: ' + what
            time.sleep(0.02)

    def until_linked(self, seconds, meanwhile=lambda: None):
        """Until both links are up at both ends, and then for so many seconds of the air's time."""
        linked = lambda: [e['t'] for n in self.NAMES for e in self.events(n) if e['event'] == 'link_established']
        def up():
            meanwhile()
            return len(linked()) >= 2 * len(self.LINKS)
        def over():
            meanwhile()
            return max(e['t'] for n in self.NAMES for e in self.events(n)) >= since + seconds
        self.until('two links', up)
        since = max(linked())
        self.until('%g s with them' % seconds, over)

    def until_recording(self, name):
        """A sniffer records: what is sent from now on it hears."""
        data = self.path(name + '.sigmf-data')
        self.until('a recording', lambda: os.path.exists(data) and os.path.getsize(data) > 0)

    def events(self, name):
        try:
            text = open(self.path(name + '.jsonl')).read()
        except FileNotFoundError:
            return []
        return [json.loads(l) for l in text[:text.rfind('\n') + 1].splitlines()]

    def stop(self, p, log):
        p.send_signal(signal.SIGINT)
        return self.end(p, log)

    def stop_ues(self, ues):
        for p in ues:
            p.send_signal(signal.SIGINT)
        for n, p in zip(self.NAMES, ues):
            self.end(p, n)

    def record_busy(self, config, seconds, payload_octets, options=lambda name: []):
        """x.sigmf-meta, in ci16: so many seconds of the UEs with traffic on every link."""
        sniffer = self.start('prose-sniffer', 'record', '--config', config, '--device', self.device('sniffer'), '--duration', seconds, '--record',
                             self.path('x.sigmf-meta'), '--record-type', 'ci16', '--plain')
        ues = self.start_ues(seconds + 1, options=options, traffic=True)
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while sniffer.poll() is None:
            for port in self.ports.values():
                out.sendto(os.urandom(payload_octets), ('127.0.0.1', port))
            time.sleep(0.05)
        self.end(sniffer, 'record')
        for n, p in zip(self.NAMES, ues):
            self.end(p, n)

    def end(self, p, log, timeout=300, expect=0):
        """Waits for a program; its standard error."""
        code = p.wait(timeout)
        err = open(self.path(log + '.log')).read()
        assert code == expect, '%s: exit %d: %s' % (log, code, err[-500:])
        return err

    def run(self, program, *args, expect=0, timeout=300):
        r = subprocess.run([self.program(program), *map(str, args)], env=self.env, capture_output=True, text=True, timeout=timeout)
        assert r.returncode == expect, '%s: exit %d: %s' % (program, r.returncode, r.stderr[-500:])
        return r

    def lines(self, name):
        return open(self.path(name)).read().splitlines()
