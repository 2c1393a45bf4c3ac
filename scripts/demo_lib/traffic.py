"""Traffic over the UDP sockets of prose-ue, so no privileges are needed. Its pace is that of the air: on a busy machine the emulated air is slower than the wall
clock, and what was timed by the wall would be sent again and again. How long something may take is wall time."""
import hashlib, os, time

from .world import NAMES

CHUNK = 1000
FILE_OCTETS = 60_000
AGAIN_S = 2.0   # of air, until what was not acknowledged is sent again
QUIET_S = 2.0   # of air, after which nothing is under way any more


def drain(s):
    try:
        while True:
            yield s.recv(2000)
    except BlockingIOError:
        pass


def ends(w, a, b):
    tx, rx = w.sockets[a, b], w.sockets[b, a]
    tx.setblocking(False), rx.setblocking(False)
    return tx, rx, ('127.0.0.1', w.ports[a, b]), ('127.0.0.1', w.ports[b, a])


def settle(w, most=60.0):
    """Discards what is still under way, until for QUIET_S nothing arrived and no UE took a datagram."""
    taken = lambda: [len(w.events(n, 'data_tx')) for n in NAMES]
    last, seen, end = w.air_time(), taken(), time.time() + most * w.options.patience
    while w.air_time() < last + QUIET_S and time.time() < end:
        for s in w.sockets.values():
            s.setblocking(False)
            for _ in drain(s):
                last = w.air_time()
        time.sleep(0.1)
        now = taken()
        if now != seen:
            last, seen = w.air_time(), now
        w.telling.tick()


def ping(w, a, b, n=10, patience=2.0):
    """Round-trip times of a small datagram in ms, without those that were lost: patience seconds of air and of the wall clock each went by."""
    tx, rx, to_b, to_a = ends(w, a, b)
    times = []
    for i in range(n):
        begin, begin_air = time.time(), w.air_time()
        tx.sendto(b'P%04d' % i, to_b)
        done = False
        while not done and (time.time() < begin + patience or w.air_time() < begin_air + patience and time.time() < begin + 20 * patience):
            for m in drain(rx):
                if m[:1] == b'P':
                    rx.sendto(m, to_a)
            for m in drain(tx):
                if m == b'P%04d' % i:
                    times.append((time.time() - begin) * 1000)
                    done = True
            w.telling.tick()
            time.sleep(0.002)
    return times


class file_copy:
    """A file from a to b: numbered datagrams, acknowledged one by one, since the sidelink has no ARQ. step() moves it on."""

    def __init__(self, w, a, b, octets=FILE_OCTETS, window=6, gap=0.0):
        self.tx, self.rx, self.to_b, self.to_a = ends(w, a, b)
        self.data = os.urandom(octets)
        self.n = (octets + CHUNK - 1) // CHUNK
        self.got, self.acked, self.sent_at, self.repeats = {}, set(), {}, 0
        self.sent = {'D': [], 'A': []}         # every datagram (number, copy) in order of sending: data by a, acknowledgements by b
        self.arrived = {'D': set(), 'A': set()}
        self.copies = {}
        self.window, self.gap, self.last_new = window, gap, 0.0   # gap: of air
        self.now = w.air_time
        self.begin = self.end = time.time()

    def done(self):
        return len(self.acked) == self.n

    def step(self):
        now = self.now()
        for i in [i for i in range(self.n) if i not in self.acked][:self.window]:
            new = i not in self.sent_at
            if new and now - self.last_new < self.gap:
                continue
            if new or now - self.sent_at[i] > AGAIN_S:
                self.repeats += not new
                self.sent_at[i] = now
                if new:
                    self.last_new = now
                self.copies[i] = self.copies.get(i, -1) + 1
                key = i.to_bytes(4, 'big') + bytes([self.copies[i] & 255])
                self.sent['D'].append(key)
                self.tx.sendto(b'D' + key + self.data[i * CHUNK:(i + 1) * CHUNK], self.to_b)
        self.listen()
        if not self.done():
            self.end = time.time()

    def listen(self):
        """Acknowledges what has arrived; returns how many datagrams did. Those of an earlier file are ignored."""
        came = 0
        for m in drain(self.rx):
            came += 1
            if m[:1] == b'D' and m[1:6] in self.sent['D']:
                self.arrived['D'].add(m[1:6])
                self.got[int.from_bytes(m[1:5], 'big')] = m[6:]
                self.sent['A'].append(m[1:6])
                self.rx.sendto(b'A' + m[1:6], self.to_a)
        for m in drain(self.tx):
            came += 1
            if m[:1] == b'A' and m[1:6] in self.sent['D']:
                self.arrived['A'].add(m[1:6])
                self.acked.add(int.from_bytes(m[1:5], 'big'))
        return came

    def intact(self):
        whole = b''.join(self.got.get(i, b'') for i in range(self.n))
        return hashlib.sha256(whole).digest() == hashlib.sha256(self.data).digest()

    def describe(self):
        return '%d of %d datagrams acknowledged, SHA-256 %s, %d repeated, %.1f s' % (
            len(self.acked), self.n, 'equal' if self.intact() else 'different', self.repeats, self.end - self.begin)


def run(w, transfers, seconds):
    end = time.time() + seconds
    while time.time() < end and not all(t.done() for t in transfers):
        for t in transfers:
            t.step()
        w.telling.tick()
        time.sleep(0.01)
