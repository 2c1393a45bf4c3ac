"""What the three say to each other while the demo is live: lines of text, files, and for each what the sniffer has of it."""
import collections, itertools, os, threading, time

from .tail import tail
from .world import ENDS, NAMES

LINES = ('meet me at the old mill at noon', 'bring the maps of the northern road', 'the bridge is closed, take the ford', 'I am there in ten minutes',
         'who else knows of this?', 'nobody but us', 'wait for my sign', 'the weather turns, hurry')
EVERY_S = 1.0
CHUNK, AGAIN_S, WINDOW = 900, 1.5, 4   # octets of a datagram; wall time until one is sent again; datagrams under way
DATA, ACK = b'\x01', b'\x02'           # first octet of a datagram of a file; text has none of them
CAUGHT_S = 3.0                         # wall time for which a message waits for what the sniffer tells of it


class transfer:
    """A file: numbered datagrams, acknowledged one by one."""
    numbers = itertools.count(1)

    def __init__(self, name, data):
        self.number = next(self.numbers) % 65536
        self.name, self.chunks = name, [data[i:i + CHUNK] for i in range(0, len(data), CHUNK)] or [b'']
        self.acked, self.sent_at, self.got, self.begin, self.octets = set(), {}, {}, time.monotonic(), len(data)

    def due(self, now):
        open_ = [i for i in range(len(self.chunks)) if i not in self.acked][:WINDOW]
        for i in open_:
            if now - self.sent_at.get(i, -AGAIN_S) >= AGAIN_S:
                self.sent_at[i] = now
                yield DATA + self.number.to_bytes(2, 'big') + i.to_bytes(2, 'big') + self.chunks[i]

    def whole(self):
        return b''.join(self.got.get(i, b'') for i in range(len(self.chunks))) == b''.join(self.chunks)


class live_traffic:
    """step() now and then; say and send_file from any thread. `tell` gets messages of the contract of the page."""

    def __init__(self, w, tell, lines=LINES, every_s=EVERY_S):
        self.w, self.tell, self.lines, self.every_s = w, tell, itertools.cycle(lines), every_s
        self.turns, self.next = itertools.cycle(ENDS), 0.0
        self.lock = threading.Lock()
        self.files = {}                                   # (from, to): transfer
        self.heard = tail(w.path('sniffer.jsonl'), '{"event":"tb"')
        self.ues = {n: tail(w.path(n + '.jsonl')) for n in NAMES}
        self.blocks = collections.deque(maxlen=2000)      # (t, source, octets as hex, 8 LSB of the destination)
        self.ids = {}                                     # layer-2 ID: (whose, towards whom)
        self.linked = set()                               # (whose, towards whom): links that are up
        # At an end: what arrived, and what the UE's events tell of it, until both are there.
        self.arrived = {e: collections.deque(maxlen=200) for e in ENDS}   # (octets, text or None)
        self.times = {e: collections.deque(maxlen=200) for e in ENDS}     # (octets, t)
        self.waiting = collections.deque()                # (until, t, from, to, text)
        self.delivered = 0
        for s in w.sockets.values():
            s.setblocking(False)

    def say(self, a, b, text):
        if (a, b) not in self.linked:
            return 'there is no link between %s and %s' % (a, b)
        self.w.sockets[a, b].sendto(text.encode(), ('127.0.0.1', self.w.ports[a, b]))
        return None

    def send_file(self, a, b, name, data):
        with self.lock:
            if (a, b) not in self.linked:
                return 'there is no link between %s and %s' % (a, b)
            if (a, b) in self.files:
                return 'a file is under way from %s to %s' % (a, b)
            self.files[a, b] = transfer(name, data)
        return None

    def step(self):
        now = time.monotonic()
        with self.lock:
            self.read_events()
            if now >= self.next:
                self.next = now + self.every_s
                self.say(*next(self.turns), next(self.lines))
            for (a, b), t in list(self.files.items()):
                for m in t.due(now):
                    self.w.sockets[a, b].sendto(m, ('127.0.0.1', self.w.ports[a, b]))
            for b, a in ENDS:
                self.receive(a, b)
                self.pair(a, b, now)
            self.match(now)

    def read_events(self):
        for e in self.heard.events():
            if e.get('crc_ok') and len(e['hex']) > 12:
                self.blocks.append((e['t'], e['hex'][2:8], e['hex'], e['n_x_id'] & 255))
        for n, f in self.ues.items():
            for e in f.events():
                if 'own_l2_id' in e:
                    self.ids[e['own_l2_id']] = (n, e['peer'])
                if e['event'] == 'link_established':
                    self.linked.add((n, e['peer']))
                elif e['event'] in ('link_lost', 'peer_withdrawn'):
                    self.linked.discard((n, e['peer']))
                elif e['event'] == 'data_rx' and (n, e.get('peer')) in self.times:
                    self.times[n, e['peer']].append((e['bytes'], e['t']))

    def receive(self, a, b):
        """What came from a at b."""
        while True:
            try:
                m = self.w.sockets[b, a].recv(2000)
            except BlockingIOError:
                return
            t = self.files.get((a, b)) if m[:1] == DATA else self.files.get((b, a)) if m[:1] == ACK else None
            self.arrived[b, a].append((len(m), None if m[:1] in (DATA, ACK) else m.decode(errors='replace')))
            if t is None or t.number != int.from_bytes(m[1:3], 'big'):
                continue
            i = int.from_bytes(m[3:5], 'big')
            if m[:1] == DATA:
                t.got[i] = m[5:]
                self.w.sockets[b, a].sendto(ACK + m[1:5], ('127.0.0.1', self.w.ports[b, a]))
            else:
                t.acked.add(i)
                if len(t.acked) == len(t.chunks):
                    del self.files[b, a]
                    self.tell({'control': 'message', 'kind': 'file', 'from': b, 'to': a, 't': self.blocks[-1][0] if self.blocks else 0,
                               'src': None, 'dst': None, 'ciphertext': None,
                               'text': 'file %s: %d octets arrived %s in %.1f s' % (t.name, t.octets, 'intact' if t.whole() else 'changed', time.monotonic() - t.begin)})

    def pair(self, a, b, now):
        """Texts from a at b get the time that b's UE tells. Both come in order; either may come first."""
        arrived, times = self.arrived[b, a], self.times[b, a]
        while arrived and times:
            octets, text = arrived[0]
            if times[0][0] != octets:  # a datagram that did not come
                times.popleft()
                continue
            arrived.popleft()
            _, t = times.popleft()
            if text is not None:
                self.waiting.append((now + CAUGHT_S, t, a, b, text))

    def match(self, now):
        """A UE's event has the time of the frame that completed a packet; the sniffer tells of the same frame somewhat later."""
        for _ in range(len(self.waiting)):
            until, t, a, b, text = self.waiting.popleft()
            block = next((x for x in reversed(self.blocks) if abs(x[0] - t) < 5e-4 and self.ids.get(x[1], (a, b)) == (a, b)), None)
            if block is None and now < until:
                self.waiting.append((until, t, a, b, text))
                continue
            self.delivered += 1
            _, src, octets, low = block or (t, None, None, 0)
            self.tell({'control': 'message', 'kind': 'text', 'from': a, 'to': b, 'text': text, 't': t, 'src': src,
                       'dst': octets and octets[8:12] + '%02x' % low, 'ciphertext': octets and octets[:1024]})
