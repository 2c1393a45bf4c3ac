"""Rows on the emulated air, which runs in lock-step with its users, as fast as they read: processor time of a second of air is then the same on a loaded machine."""
import itertools, os, shutil, socket, time

from ..soak_lib.tail import tail
from .programs import POLL_S, failed

AIR = 'stall_ms: 60000\ndefault: {gain_db: -20, delay_us: 0.5}\nnodes: {"*": {noise_dbfs: -60}}\n'
START_S = 1000
READY_S = 300             # of the wall clock; a loaded machine needs it
_counter = itertools.count(1)


def wait_until(p, watched, condition, what, seconds=READY_S):
    """None of the programs may end meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
        for x in watched:
            if p.ended(x):
                p.complain(x)
        if time.monotonic() > end:
            raise failed('%s: no %s after %d s' % (watched[0].side.name, what, seconds))
        time.sleep(POLL_S)


def start_air(p, s, folder):
    """(its process, its name)."""
    path, name = os.path.join(folder, 'air.yaml'), 'bench%d_%d' % (os.getpid(), next(_counter))
    with open(path, 'w') as f:
        f.write(AIR)
    air = p.start(s, ['prose-air', '--config', path, '--air', name, '--speed', 'max', '--start', START_S])
    wait_until(p, [air], lambda: 'ready' in p.said(air), 'emulated air')
    return air, name


class ues:
    """Mary and John with a link, a datagram each way every 100 ms of air."""
    unit, targets = 'ms a second of air', ('prose-ue', 'prose-air', 'prose-keys', 'prose_uhd_virtual')
    AIR_S, EVERY_S, OCTETS, LEAST_ARRIVED, TRIES = 20.0, 0.1, 300, 0.5, 4
    LAST_S = 1.0              # of the air: what is given to a UE in its last second may not be sent any more
    # Everything that costs time is told, so that another build's defaults change nothing.
    CONFIG = '''name: {name}
identity: {{private_key: {name}.key, permissions: {name}.permit, mark: {name}.mark}}
device: "type=virtual,name={name},air={air}"
carrier: {{prb: {prb}, tm: {tm}}}
radio: {{center_freq_hz: 5.9e9, tx_gain_db: 0, rx_gain_db: 0, tx_power_db: -12}}
time: {{source: gnss, utc: configured, epoch_s: 1.7e9}}
discovery: {{model: a, entries: 16, per_period: 6}}
link: {{keepalive_s: 10, lost_s: 30, rekey_s: 1800, epoch_min_s: 120, epoch_max_s: 300}}
sidelink: {{mcs: 14, lead_subframes: 4}}
data:
  kind: udp
  peers: [{{name: {peer}, udp_listen: "127.0.0.1:{port}", udp_forward: "127.0.0.1:9"}}]
'''

    def __init__(self, tm, prb, length):
        self.name, self.tm, self.prb, self.air_s = 'ue/tm%d_%dprb' % (tm, prb), tm, prb, max(4.0, self.AIR_S * length)

    def prepare(self, sides, programs, folder):
        pass

    def keys(self, p, s, folder):
        path = lambda name: os.path.join(folder, name)
        public = {}
        for n in ('mary', 'john'):
            p.output(s, ['prose-keys', 'gen', path(n + '.key')])
            public[n] = p.output(s, ['prose-keys', 'pub', path(n + '.key')])
        for a, b in (('mary', 'john'), ('john', 'mary')):
            p.output(s, ['prose-keys', 'permit', '--permits', path(a + '.permit'), b, public[b]])

    def configure(self, folder, air):
        """Ports by name."""
        held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]  # until both have one, or the second could get the first's
        ports = {}
        for x, name, peer in zip(held, ('mary', 'john'), ('john', 'mary')):
            x.bind(('127.0.0.1', 0))
            ports[name] = x.getsockname()[1]
            with open(os.path.join(folder, name + '.yaml'), 'w') as f:
                f.write(self.CONFIG.format(name=name, peer=peer, air=air, prb=self.prb, tm=self.tm, port=ports[name]))
        for x in held:
            x.close()
        return ports

    def measure(self, s, p, folder):
        """The air does not wait for this script: on a loaded machine it may be over before the datagrams are given to the UEs. Then a longer air is measured."""
        for i in range(self.TRIES):
            out, sent, arrived = self.attempt(s, p, folder, self.air_s * 2 ** i)
            if sent and arrived >= self.LEAST_ARRIVED * sent:
                return out
        raise failed('%s: %d of %d datagrams arrived' % (s.name, arrived, sent))

    def attempt(self, s, p, folder, air_s):
        """(figures, datagrams sent, arrived). In a folder of its own: a UE with the mark of an earlier run would be silent for a while."""
        folder = os.path.join(folder, 'ues')
        os.mkdir(folder, 0o700)
        try:
            self.keys(p, s, folder)
            air, name = start_air(p, s, folder)
            ports = self.configure(folder, name)
            path = lambda n, kind: os.path.join(folder, '%s.%s' % (n, kind))
            running = {n: p.start(s, ['prose-ue', '--config', path(n, 'yaml'), '--events', path(n, 'events'), '--tx-log', path(n, 'sent'), '--duration', air_s,
                                      '--log-level', 'warn']) for n in ports}
            sent, arrived = self.talk(p, running, ports, path, air_s - self.LAST_S)
            used = [p.wait(x, READY_S) for x in running.values()]   # they have ended; a failure is told first
            return {'/prose-ue': 1e3 * sum(used) / len(used) / air_s, '/prose-air': 1e3 * p.end(air) / air_s}, sent, arrived
        finally:
            p.stop_all()
            shutil.rmtree(folder)

    def talk(self, p, running, ports, path, until_s):
        """(datagrams sent, arrived) until both have ended; none is sent later than until_s after the first transmission. Their own logs tell the time of the air."""
        out, logs = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {(n, kind): tail(path(n, kind)) for n in ports for kind in ('events', 'sent')}
        linked, first, now, due, sent, arrived, over = set(), 0.0, 0.0, None, 0, 0, False
        try:
            while not over:
                over = all([p.ended(x) for x in running.values()])   # then their logs are read once more
                for n in ports:
                    for e in logs[n, 'events'].read():
                        arrived += e['event'] == 'data_rx'
                        if e['event'] == 'link_established':
                            linked.add(n)
                    last = logs[n, 'sent'].read()[-1:]
                    now = max([now] + [x['t'] for x in last])
                    first = first or now
                while len(linked) == 2 and now >= (due or 0.0) and now < first + until_s and not over:
                    due = (due or now) + self.EVERY_S
                    for port in ports.values():
                        out.sendto(bytes(self.OCTETS), ('127.0.0.1', port))
                        sent += 1
                time.sleep(POLL_S)
            return sent, arrived
        finally:
            out.close()
            for x in logs.values():
                x.close()


class iq:
    """prose-iq records what another prose-iq replays."""
    unit, targets, name = 'ms a second of air', ('prose-iq', 'prose-air', 'prose_uhd_virtual'), 'iq/15.36_msps'
    RATE, AIR_S, FILE_S, AHEAD_S, TRIES = 15.36e6, 8.0, 0.5, 4.0, 3

    def __init__(self, length):
        self.times = max(2, round(self.AIR_S * length / self.FILE_S))

    def prepare(self, sides, programs, folder):
        """Half a second of noise, to be replayed."""
        s = sides[0]
        air, name = start_air(programs, s, folder)
        programs.run(s, self.record(name, os.path.join(folder, 'noise'), ['--duration', self.FILE_S]))
        programs.end(air)

    def record(self, air, path, more):
        return ['prose-iq', 'record', path, '--device', 'type=virtual,name=hears,air=' + air, '--rate', self.RATE, '--freq', 5.9e9, '--type', 'ci16', *more]

    def measure(self, s, p, folder):
        """Both begin at one time of the air, which runs at the speed of the wall clock until somebody receives; on a loaded machine they may miss it."""
        for i in range(self.TRIES):
            try:
                return self.attempt(s, p, folder, self.AHEAD_S * 2 ** i)
            except failed as e:
                if 'has passed' not in str(e) or i == self.TRIES - 1:
                    raise
            finally:
                p.stop_all()

    def attempt(self, s, p, folder, ahead_s):
        air_s = self.times * self.FILE_S
        air, name = start_air(p, s, folder)
        at = ['--start', START_S + ahead_s]
        both = {'/replay': p.start(s, ['prose-iq', 'replay', os.path.join(folder, 'noise.sigmf-meta'), '--device', 'type=virtual,name=sends,air=' + name, '--times', self.times, *at]),
                '/record': p.start(s, self.record(name, os.path.join(folder, 'heard'), ['--duration', air_s, *at]))}
        out = {what: 1e3 * p.wait(x, 10 * READY_S) / air_s for what, x in both.items()}
        out['/prose-air'] = 1e3 * p.end(air) / air_s
        return out


def rows(length):
    return [ues(tm, prb, length) for tm, prb in ((2, 25), (2, 50), (4, 25), (4, 50))] + [iq(length)]
