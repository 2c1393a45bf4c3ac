"""Mary, John and Peter on an emulated air, and a sniffer beside them."""
import os, socket, tempfile, time

from tests.harness import sniffer
from tests.harness.air import Air, scene
from tests.harness.files import configuration, edited, json_lines, text_of, write
from tests.harness.keys import Keys
from tests.harness.process import Background, run, stop_all, wait

NAMES = ('mary', 'john', 'peter')
LINKS = (('mary', 'john'), ('john', 'peter'))


class Scene:
    """with Scene() as s: s.start(...); s.start_ues(); ... Files lie in a folder of its own. `source`: where the UEs' subframes come from."""

    def __init__(self, tm=2, prb=25, speed='max', source='gnss', node_noise=(), faults=()):
        self.tm, self.prb, self.speed, self.source = tm, prb, speed, source
        # A program that the machine does not let run for a second is waited for, not left behind.
        self.air_yaml = 'stall_ms: 20000\n' + scene(node_noise=node_noise, faults=faults)
        self.folder = tempfile.TemporaryDirectory(prefix='prose-scene-')
        self.running = []

    def path(self, *p):
        return os.path.join(self.folder.name, *p)

    def __enter__(self):
        Keys(self.path('keys'), NAMES, LINKS)  # before the air starts, whose time runs as fast as its users read
        self.air = Air(self.air_yaml, self.speed)
        return self

    def __exit__(self, *_):
        stop_all([b.p for b in self.running] + [self.air.p])
        self.folder.cleanup()

    # --- programs ---
    def start(self, name, log, *arguments, events=None):
        """A program in the background; its standard error in LOG.log, its events, if told, in EVENTS."""
        self.running.append(Background(name, *arguments, log=self.path(log + '.log'), events=events and self.path(events)))
        return self.running[-1]

    def start_ues(self, *options, duration=0, edits=None, traffic=False):
        """`edits`: {name: changes of its configuration}. With traffic, self.ports[a, b] is the UDP port that takes datagrams of a for b."""
        self.ports, held = {}, []
        for n in NAMES:
            text = configuration(n, (r'(?m)^  prb: .*$', '  prb: %s' % self.prb), (r'(?m)^  tm: .*$', '  tm: %s' % self.tm), (r'(?m)^  source: \w+', '  source: ' + self.source),
                                 (r'(?m)^  epoch_min_s: .*$', '  epoch_min_s: 4'), (r'(?m)^  epoch_max_s: .*$', '  epoch_max_s: 8'),
                                 (r'(?m)^allow_keylog: .*$', 'allow_keylog: true'), *(edits or {}).get(n, ()))
            if traffic:
                block = 'data:\n  kind: udp\n  peers:\n'
                for p in (b if a == n else a for a, b in LINKS if n in (a, b)):
                    held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))  # until all have one, or the next could get the same
                    held[-1].bind(('127.0.0.1', 0))
                    self.ports[n, p] = held[-1].getsockname()[1]
                    block += '    - {name: %s, udp_listen: "127.0.0.1:%d", udp_forward: "127.0.0.1:9"}\n' % (p, self.ports[n, p])
                text = edited(text, (r'(?ms)^data:.*?(?=^allow_keylog)', block + '\n'))
            write(self.path(n + '.yaml'), text)
        for s in held:
            s.close()
        self.ues = [self.start('prose-ue', n, '--config', self.path(n + '.yaml'), '--device', self.air.device(n), '--duration', duration, '--keylog',
                               self.path(n + '.keylog'), '--tx-log', self.path(n + '.sent'), *options, events=n + '.jsonl') for n in NAMES]
        return self.ues

    def stop_ues(self):
        stop_all([u.p for u in self.ues])
        for u in self.ues:
            u.end()

    def sniffer_config(self, sync):
        return sniffer.configure(self.path('sniffer.yaml'), self.tm, self.prb, sync)

    def run(self, name, *arguments):
        return run(name, *arguments, timeout=300)

    # --- events ---
    # A scene ends not after so many seconds of the air's time but once it has what it needs: how long programs take to start varies.
    def until(self, what, condition, seconds=240):
        wait(condition, seconds, [b.p for b in self.running], what)

    def events(self, name):
        return json_lines(self.path(name + '.jsonl'))

    def lines(self, name):
        return text_of(self.path(name)).splitlines()

    def until_linked(self, seconds, meanwhile=lambda: None):
        """Until both links are up at both ends, and then for so many seconds of the air's time."""
        def linked():
            meanwhile()
            found = [e['t'] for u in self.ues for e in u.of('link_established')]
            return found if len(found) >= 2 * len(LINKS) else None

        def over():
            meanwhile()
            return max(e['t'] for u in self.ues for e in u.events()[-1:]) >= since + seconds
        self.until('two links', linked)
        since = max(linked())
        self.until('%g s with them' % seconds, over)

    def until_recording(self, name):
        """A sniffer records: what is sent from now on it hears."""
        data = self.path(name + '.sigmf-data')
        self.until('a recording', lambda: os.path.exists(data) and os.path.getsize(data) > 0)

    # --- traffic ---
    def sender(self, payload_octets, every_s):
        """A function that sends a datagram on each link and direction, at most every so many seconds."""
        out, next_at = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), [0.0]

        def send():
            if time.monotonic() >= next_at[0]:
                next_at[0] = time.monotonic() + every_s
                for port in self.ports.values():
                    out.sendto(os.urandom(payload_octets), ('127.0.0.1', port))
        return send

    def record_busy(self, config, seconds, payload_octets):
        """x.sigmf-meta, in ci16: so many seconds of the UEs with traffic on every link."""
        listens = self.start('prose-sniffer', 'record', '--config', config, '--device', self.air.device('sniffer'), '--duration', seconds, '--record',
                             self.path('x.sigmf-meta'), '--record-type', 'ci16', '--plain')
        self.start_ues(duration=seconds + 1, traffic=True)
        send = self.sender(payload_octets, 0.05)
        while listens.poll() is None:
            send()
            time.sleep(0.01)
        listens.end(timeout=300)
        for u in self.ues:
            u.end(timeout=300)
