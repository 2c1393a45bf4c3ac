"""Numbered packets over the UDP sockets of prose-ue, one under way at a time in each direction of each link, and what became of each.

A UE tells of each packet that it took from the host (`data_tx`) and gave to it (`data_rx`), in order, with its length. Lengths follow the number, so that a
packet that never came to the UE does not shift the others."""
import collections, dataclasses, hashlib, random, struct

SHORTEST, LENGTHS, STRIDE = 40, 251, 97   # octets; 251 is prime, so 251 packets in a row have different lengths
EVERY_SPREAD = 0.5     # of the time between two packets: drawn, so that the directions do not stay in step
PATIENCE_S = 2.0       # of air, then the next one is sent
JUDGED_AFTER_S = 60.0  # of air: until then a packet may arrive from a queue, and windows may be told


def length_of(number):
    return SHORTEST + number * STRIDE % LENGTHS


def packet(seed, number):
    n = length_of(number)
    return struct.pack('>I', number) + hashlib.shake_128(b'%d.%d' % (seed, number)).digest(n - 4)


@dataclasses.dataclass
class under_way:
    number: int
    given: float                 # air time at which it was given to the UE, about
    taken: float = None          # as the UE tells
    arrived: bool = False        # at the other end's socket
    came: float = None           # as the other UE tells
    changed: bool = False        # what arrived was another one


class direction:
    """From a to b. `send(octets)`: to a's UE."""

    def __init__(self, a, b, seed, first, every_s, send):
        self.a, self.b, self.seed, self.next, self.every_s, self.send = a, b, seed, first, every_s, send
        self.first = first
        self.open = collections.OrderedDict()   # by number: not judged yet
        self.given = collections.deque()        # not told by data_tx yet
        self.rx_told, self.rx_here = collections.deque(), collections.deque()
        self.wrong = []                         # duplicates and the like
        self.sent_at, self.last, self.wait_s = float('-inf'), None, every_s
        self.random = random.Random('%d.%s.%s' % (seed, a, b))
        self.done = collections.deque()         # (air time, seconds): latencies not fetched yet

    def give(self, now):
        """Sends the next one if it is time."""
        before = self.open.get(self.last)
        if now < self.sent_at + self.wait_s or (before is not None and not before.arrived and now < self.sent_at + PATIENCE_S):
            return
        p = under_way(self.next, now)
        self.open[p.number] = p
        self.given.append(p.number)
        self.last, self.sent_at = p.number, now
        self.wait_s = self.every_s * self.random.uniform(1 - EVERY_SPREAD, 1 + EVERY_SPREAD)
        self.next += 1
        self.send(packet(self.seed, p.number))

    # --- the sender's UE ---
    def taken(self, octets, t):
        while self.given:
            number = self.given.popleft()
            if length_of(number) == octets:
                if number in self.open:
                    self.open[number].taken = t
                return
        self.wrong.append('%s took a packet of %d octets for %s that nobody gave it' % (self.a, octets, self.b))

    def sender_ended(self):
        self.given.clear()

    # --- the receiver ---
    def arrived(self, octets):
        number = struct.unpack('>I', octets[:4])[0] if len(octets) >= 4 else -1
        if not self.first <= number < self.next or octets != packet(self.seed, number):
            number = self.changed(number, len(octets))
        elif number not in self.open or self.open[number].arrived:
            self.wrong.append('%s to %s: packet %d arrived twice, or after it was given up' % (self.a, self.b, number))
        else:
            self.open[number].arrived = True
        self.rx_here.append((number, len(octets)))
        self.match()

    def changed(self, number, octets):
        """Its number. Where that is changed as well, or missing, it is the one under way."""
        if number not in self.open or self.open[number].arrived:
            number = self.last
        self.wrong.append('%s to %s: %d octets arrived that were not sent so; packet %s was under way' % (self.a, self.b, octets, number))
        if number in self.open and not self.open[number].arrived:
            self.open[number].arrived = self.open[number].changed = True
        return number

    def told(self, octets, t):
        self.rx_told.append((octets, t))
        self.match()

    def match(self):
        while self.rx_told and self.rx_here:
            (octets, t), (number, length) = self.rx_told.popleft(), self.rx_here.popleft()
            if octets != length:
                self.wrong.append('%s told of a packet of %d octets from %s, but one of %d came out' % (self.b, octets, self.a, length))
            elif number in self.open:
                p = self.open[number]
                p.came = t
                if p.taken is not None:
                    self.done.append((t, t - p.taken))

    def receiver_ended(self):
        """What it told and did not give to the host, or the other way, is gone with it."""
        self.rx_told.clear()
        self.rx_here.clear()

    # --- the end ---
    def judged(self, now, waits):
        """Packets that can be judged now; they are forgotten. `waits`: packets may lie in a queue yet."""
        out = []
        while self.open:
            number, p = next(iter(self.open.items()))
            if now < p.given + JUDGED_AFTER_S or (waits and not p.arrived):
                break
            out.append(self.open.pop(number))
        return out
