"""Why a packet did not arrive. Causes are what the UEs tell (--events, --tx-log) and what the soak does to them; what none of them covers is unexplained.

Every time is air time. A UE's device time is air time but for the steps of its clock, which it tells (event `time_jump`).

- restart: one of the two UEs was not running, or had no link with the other yet
- link: one of them had told that the link was lost, and it was not there again
- radio: one of them told in that second that samples or bursts were lost, late or began again (event `radio`)
- clock: the device time of one of them had been moved
- sync: one of them had just told another role in the synchronisation
- rekeying: new keys or a new epoch, told by one of them
- half_duplex, collision: as the transmissions of all three tell, each copy of the block, or each announcement of it, was sent while the receiver sent
  itself, or over another UE's
"""
import bisect, collections

from .scene import LINK_KEYS

CAUSES = ('restart', 'link', 'radio', 'clock', 'sync', 'rekeying', 'half_duplex', 'collision')
WINDOWS = CAUSES[:6]     # in time
FLIGHT_S = 0.5           # from the host's packet to its arrival: two SC periods of 40 ms and the waiting for them, thrice
BEFORE_S = 0.05
SECOND_S = 1.05          # the event `radio` tells what happened in the second before it
AFTER_GAP_S = 0.3        # what was queued meanwhile, and the SC periods cut in two
NEAR_KEYS_S = 0.5        # a change of keys reaches both ends within some SC periods
NEAR_SYNC_S = 3.0        # from losing a reference to the role that follows from it: loss_periods + hold_periods of 40 ms, and as much for the search
SETTLING_S = 1.0         # after link_established at one end
CLOCK_S = 6.0            # a follower finds its reference again: loss, hold, search (up to 2 s) and a scan
# What can silence a link, and for how long before it was told: of what the radio tells only a stream that began anew, a few lost samples do not.
SILENCES = ('restart', 'clock', 'sync', 'stream')
SILENCE_S = LINK_KEYS['lost_s'] + LINK_KEYS['keepalive_s'] + SECOND_S
BEHIND_S = 1.0           # a UE is told to end at the time of the one that is ahead; it may be this far behind
KEPT_S = 120.0           # for how long windows and transmissions are kept
SUBFRAME_S = 0.00098     # less what UEs differ in timing
SC_PERIOD_S = 0.04
AIR_STEP_S = 0.1         # in which clear air is counted
DST_DIGITS = 4           # hex; in V2X there are two more
COUNTERS = ('overflows', 'underflows', 'lates', 'restarts', 'sequence_errors', 'samples_lost', 'time_jumps')


def addresses(block):
    """(SRC, 16 bits of DST) of an SL-SCH block in hex (TS 36.321 6.2.4: V and R, then 24 bits of SRC, then DST, 16 or with V2X 24 bits)."""
    return block[2:8], block[8:8 + DST_DIGITS]


def announcements(copies, sci):
    """Those that all copies need. With TM4 each copy has its own beside it, which is heard or missed with it: then none."""
    ahead = [copies[0][0] - s[0] for s in sci]
    if any(abs(a) < SUBFRAME_S / 2 for a in ahead):
        return []
    return [s for s, a in zip(sci, ahead) if 0 < a <= SC_PERIOD_S]


class ue_windows:
    """Of one UE: windows (from, to) by cause, those of one peer apart, and its transmissions."""

    def __init__(self, peers, rate_hz):
        self.windows = collections.defaultdict(list)      # (cause, peer or None): [[from, to]]; to None: not over
        self.frames, self.times = [], []
        self.ids = {p: set() for p in peers}
        self.counters, self.rate = dict.fromkeys(COUNTERS, 0), rate_hz

    def open(self, cause, peer, t):
        w = self.windows[cause, peer]
        if not w or w[-1][1] is not None:
            w.append([t, None])

    def close(self, cause, peer, t):
        w = self.windows[cause, peer]
        if w and w[-1][1] is None and t >= w[-1][0]:
            w[-1][1] = t + SETTLING_S

    def is_open(self, cause, peer):
        w = self.windows.get((cause, peer))
        return bool(w) and w[-1][1] is None

    def add(self, cause, peer, begin, end):
        self.windows[cause, peer].append([begin, end])

    def covered(self, cause, peer, begin, end):
        return any(a <= end and (b is None or b >= begin) for p in (None, peer) for a, b in self.windows.get((cause, p), ()))

    def forget(self, before):
        for w in self.windows.values():
            while w and w[0][1] is not None and w[0][1] < before:
                w.pop(0)
        n = bisect.bisect_left(self.times, before)
        if n > 2000:
            del self.frames[:n], self.times[:n]


class explainer:
    """Fed with what the UEs tell and what the soak does; asked about packets when that is known for their time."""

    def __init__(self, links, gnss, rate_hz):
        self.gnss = gnss
        self.peers = collections.defaultdict(list)
        for a, b in links:
            self.peers[a].append(b)
            self.peers[b].append(a)
        self.ues = {n: ue_windows(p, rate_hz) for n, p in self.peers.items()}
        self.offset = dict.fromkeys(self.ues, 0.0)     # device time - air time
        self.told = collections.Counter()              # faults by what the UEs told
        self.odd_losses = []                           # link_lost for which there is no cause
        for n, u in self.ues.items():
            for p in self.peers[n]:
                u.open('restart', p, float('-inf'))

    # --- what the soak does ---
    def leaves(self, name, t):
        """It was told to end, or has ended: no packet to or from it has to arrive before both ends have told of a new link."""
        for p in self.peers[name]:
            self.ues[name].open('restart', p, t)
            self.ues[p].open('restart', name, t)

    def ended(self, name, t):
        self.leaves(name, t)
        u = self.ues[name]
        u.counters = dict.fromkeys(COUNTERS, 0)
        u.close('clock', None, t)
        self.offset[name] = 0.0

    def waits(self, a, b):
        """Whether a packet may still lie in a queue because there is no link."""
        return any(self.ues[x].is_open(c, y) for c in ('restart', 'link') for x, y in ((a, b), (b, a)))

    def waits_since(self, a, b):
        return max(self.ues[x].windows[c, y][-1][0] for c in ('restart', 'link') for x, y in ((a, b), (b, a)) if self.ues[x].is_open(c, y))

    # --- what a UE tells ---
    def air_time(self, name, device_t):
        return device_t - self.offset[name]

    def event(self, name, e):
        handler = getattr(self, 'on_' + e['event'], None)
        if handler:
            handler(name, self.ues[name], e, self.air_time(name, e['t']))

    def on_link_established(self, name, u, e, t):
        p = e['peer']
        self.told['link_established'] += 1
        self.learn(u, e)
        for cause in ('restart', 'link'):
            u.close(cause, p, t)

    def on_link_lost(self, name, u, e, t):
        p, why = e['peer'], e['reason']
        self.told['link_lost ' + why] += 1
        if not any(self.ues[x].covered(c, y, t - SILENCE_S, t + BEHIND_S) for c in SILENCES for x, y in ((name, p), (p, name))):
            self.odd_losses.append({'ue': name, 'peer': p, 'reason': why, 't': t})
        if why != 'replaced':  # then the other link is there already
            u.open('link', p, t - FLIGHT_S)

    def on_rekeyed(self, name, u, e, t):
        self.told[e['event']] += 1
        self.learn(u, e)
        u.add('rekeying', e['peer'], t - NEAR_KEYS_S, t + NEAR_KEYS_S)

    on_epoch = on_rekeyed

    def learn(self, u, e):
        if 'own_l2_id' in e:
            u.ids[e['peer']].add((e['own_l2_id'], e['peer_l2_id'][:DST_DIGITS]))

    def on_sync(self, name, u, e, t):
        self.told['sync ' + e['role']] += 1
        u.add('sync', None, t - NEAR_SYNC_S, t + NEAR_SYNC_S)

    def on_radio(self, name, u, e, t):
        grown = {k: e[k] - u.counters[k] for k in COUNTERS if k in e and e[k] > u.counters[k]}
        u.counters.update({k: e[k] for k in COUNTERS if k in e})
        if not grown:
            return
        self.told.update({k + ' ' + name if k == 'restarts' else k: n for k, n in grown.items() if k != 'samples_lost'})
        gap = grown.get('samples_lost', 0) / u.rate
        for cause in ('radio', 'stream') if 'restarts' in grown else ('radio',):
            u.add(cause, None, t - SECOND_S, t + gap + AFTER_GAP_S)

    def on_time_jump(self, name, u, e, t):
        """e['seconds']: by how much device time leapt."""
        self.told['time_jump'] += 1
        self.offset[name] += e['seconds']
        t = self.air_time(name, e['t'])
        u.close('clock', None, t)
        if self.gnss and abs(self.offset[name]) > SUBFRAME_S / 1000:
            u.add('clock', None, t - SECOND_S, None)   # until it is right again it hears nobody
        else:
            u.add('clock', None, t - SECOND_S, t + CLOCK_S)

    def sent(self, name, e):
        """A line of the log of transmissions."""
        u = self.ues[name]
        u.frames.append((self.air_time(name, e['t']), e['channel'], e['prb'], e['n_prb'], e.get('hex', '')))
        u.times.append(u.frames[-1][0])

    def forget(self, now):
        for u in self.ues.values():
            u.forget(now - KEPT_S)

    # --- why ---
    def windows_at(self, a, b, t):
        """Causes that cover a packet from a to b taken at t."""
        begin, end = t - BEFORE_S, t + FLIGHT_S
        return [c for c in WINDOWS if self.ues[a].covered(c, b, begin, end) or self.ues[b].covered(c, a, begin, end)]

    def air(self, a, b, begin, end):
        """Seconds in which a packet from a to b meets no cause, and those in which it does."""
        n = max(1, round((end - begin) / AIR_STEP_S))
        step = (end - begin) / n
        clear = step * sum(not self.windows_at(a, b, begin + (i + 0.5) * step) for i in range(n))
        return clear, end - begin - clear

    def cause(self, a, b, t):
        """The first of CAUSES that explains the loss of a packet that a took for b at t; None: nothing does."""
        found = self.windows_at(a, b, t)
        return found[0] if found else self.on_the_air(a, b, t)

    def on_the_air(self, a, b, t, until=None):
        """`until`: when it came, if it did."""
        for block in self.blocks(a, b, t, until):
            for copies in (block['announcements'], block['copies']):
                why = [self.blocker(a, b, f) for f in copies]
                if why and all(why):
                    return 'half_duplex' if 'half_duplex' in why else 'collision'
        return None

    def blocks(self, a, b, t, until=None):
        """The blocks to b that a began to send within the flight of a packet: their copies, and their announcements in the SC period."""
        u, end = self.ues[a], until or t + FLIGHT_S
        near = u.frames[bisect.bisect_left(u.times, t - SC_PERIOD_S):bisect.bisect_right(u.times, end + SC_PERIOD_S)]
        found = {}
        for f in near:
            if f[1] == 'PSSCH' and addresses(f[4]) in u.ids[b]:
                found.setdefault(f[4], []).append(f)
        sci = [f for f in near if f[1] == 'PSCCH']
        return [{'copies': c, 'announcements': announcements(c, sci)} for c in found.values() if t <= c[0][0] <= end]

    def near(self, name, t):
        u = self.ues[name]
        return u.frames[bisect.bisect_left(u.times, t - SUBFRAME_S):bisect.bisect_right(u.times, t + SUBFRAME_S)]

    def blocker(self, a, b, f):
        """Why b cannot hear one transmission f of a; None: it can."""
        if self.near(b, f[0]):
            return 'half_duplex'
        for c in self.ues:
            if c not in (a, b) and any(g[2] < f[2] + f[3] and f[2] < g[2] + g[3] for g in self.near(c, f[0])):
                return 'collision'
        return None

    def context(self, a, b, t):
        """What was around a loss, for a person to look at."""
        near = lambda w: [[x, y] for x, y in w if x <= t + 10 and (y is None or y >= t - 10)]
        windows = {'%s %s %s' % (n, c, p or ''): near(w) for n in (a, b) for (c, p), w in self.ues[n].windows.items() if near(w)}
        blocks = [{'at': [round(f[0] - t, 4) for f in x['copies']], 'blocked': [self.blocker(a, b, f) for f in x['copies']],
                   'announced': [self.blocker(a, b, f) for f in x['announcements']]} for x in self.blocks(a, b, t)]
        return {'windows': windows, 'blocks': blocks}
