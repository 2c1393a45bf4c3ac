"""Why a packet did not arrive. Causes are what the UEs tell (--events, --tx-log) and what the soak does to them; what none of them covers is unexplained.

Every time is air time. A UE's device time is air time but for the steps of its clock, which it tells (event `time_jump`).

- restart: one of the two UEs was not running, or had no link with the other yet
- link: one of them had told that the link was lost, and it was not there again
- radio: one of them told in that second that samples or bursts were lost, late or began again (event `radio`)
- clock: the device time of one of them had been moved
- sync: one of them had just told another role in the synchronisation; where it lost its reference, something had silenced a UE before
- rekeying: new keys or a new epoch, told by one of them
- half_duplex, collision: as the transmissions of all three tell, each copy of the block, or each announcement of it, was sent while the receiver sent
  itself, or over another UE's
"""
import bisect, collections, math

from .odds import EVERY_S
from .scene import LINK_KEYS

CAUSES = ('restart', 'link', 'radio', 'clock', 'sync', 'rekeying', 'half_duplex', 'collision')
WINDOWS = CAUSES[:6]     # in time
NO_LINK = ('restart', 'link', 'odd link')   # odd: lost for no reason, so it explains no loss
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
# What a reference is lost from, at any UE: it may follow any other.
REFERENCE_GONE = ('restart', 'clock', 'stream')
LOST_ROLES = ('holdover', 'searching')
TOOK_OVER = 'took over'
# Two followers that follow each other: one of them falls silent at times, and takes over if the other falls silent too (sync_reference::plan_silence).
RING_S = 26.0            # silence_every_subframes and a random part as long, the silence and what precedes it
TAKES_OVER_S = 0.25      # after the others have lost it: silence_after_periods of 40 ms, and a subframe or so
TOLD_LATER_S = 30.0      # what the others tell of it is known by then: the end of an unplugged one, or a gap of another's radio that is longer than lost_s
SILENCE_S = LINK_KEYS['lost_s'] + LINK_KEYS['keepalive_s'] + SECOND_S
BEHIND_S = 1.0           # a UE is told to end at the time of the one that is ahead; it may be this far behind
KEPT_S = 120.0           # for how long windows and transmissions are kept
SUBFRAME_S = 0.00098     # less what UEs differ in timing
SC_PERIOD_S = 0.04
AIR_STEP_S = 1.0         # clear air is counted in pieces of at least so much
DST_DIGITS = 4           # hex; in V2X there are two more
# A transmission for each subframe that was lost, and of the bursts that were ready (lead_subframes of configs/mary.yaml) none needs more than one.
SUBFRAMES_A_SECOND = 1000
LEAD_SUBFRAMES = 4
BURSTS_OF_A_PACKET = 6   # TM2: two announcements, four copies
LATE_AFTER_S = 2 * SECOND_S    # the gap may be told at the end of one second, what is late for it at the end of the next
LATE_AFTER = 'lates after gaps and leaps'
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
        self.may_be_late = []                             # [air time, bursts] for what was told

    def open(self, cause, peer, t):
        w = self.windows[cause, peer]
        if not w or w[-1][1] is not None:
            w.append([t, None])
        else:
            w[-1][0] = min(w[-1][0], t)

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

    def late_after(self, t, lates):
        """How many of the late bursts of the second before t follow from a gap, a leap or another timing."""
        left = lates
        self.may_be_late = [m for m in self.may_be_late if m[0] >= t - LATE_AFTER_S]
        for m in self.may_be_late:
            n = min(left, m[1])
            m[1] -= n
            left -= n
        return lates - left

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
        self.odd = []                                  # losses of a link or a reference for which there is no cause: one line each
        self.references_lost = []                      # not judged yet: (air time, name, role, window)
        self.links_lost = []                           # not judged yet: (air time, name, peer, reason, window or None)
        self.took_over = []                            # air times
        self.streams = {n: [] for n in self.ues}       # of each run of a UE: [[begin, end] of each stream]; end None: it goes on
        self.roles = {}
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
        self.end_stream(name, t)
        self.roles.pop(name, None)
        u = self.ues[name]
        u.counters = dict.fromkeys(COUNTERS, 0)
        u.close('clock', None, t)
        self.offset[name] = 0.0

    def waits(self, a, b):
        """Whether a packet may still lie in a queue because there is no link."""
        return any(self.ues[x].is_open(c, y) for c in NO_LINK for x, y in ((a, b), (b, a)))

    def waits_since(self, a, b):
        return max(self.ues[x].windows[c, y][-1][0] for c in NO_LINK for x, y in ((a, b), (b, a)) if self.ues[x].is_open(c, y))

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
        for cause in NO_LINK:
            u.close(cause, p, t)

    def on_link_lost(self, name, u, e, t):
        p, why = e['peer'], e['reason']
        self.told['link_lost ' + why] += 1
        if why != 'replaced':  # then the other link is there already
            u.open('link', p, t - FLIGHT_S)
        window = u.windows['link', p][-1] if why != 'replaced' else None
        bisect.insort(self.links_lost, (t, name, p, why, window), key=lambda lost: lost[0])

    def judge_links(self, until):
        while self.links_lost and self.links_lost[0][0] <= until:
            t, name, p, why, window = self.links_lost.pop(0)
            if any(self.ues[x].covered(c, y, t - SILENCE_S, t + BEHIND_S) for c in SILENCES for x, y in ((name, p), (p, name))):
                continue
            self.odd.append('%s lost its link with %s (%s) at %.1f s, and nothing tells why' % (name, p, why, t))
            u = self.ues[name]
            if window in u.windows['link', p]:
                u.windows['link', p].remove(window)
                u.windows['odd link', p].append(window)

    def on_rekeyed(self, name, u, e, t):
        self.told[e['event']] += 1
        self.learn(u, e)
        u.add('rekeying', e['peer'], t - NEAR_KEYS_S, t + NEAR_KEYS_S)

    on_epoch = on_rekeyed

    def learn(self, u, e):
        if 'own_l2_id' in e:
            u.ids[e['peer']].add((e['own_l2_id'], e['peer_l2_id'][:DST_DIGITS]))

    def on_sync(self, name, u, e, t):
        role = e['role']
        self.told['sync ' + role] += 1
        u.may_be_late.append([t, LEAD_SUBFRAMES])      # another timing: what was ready is late
        u.add('sync', None, t - NEAR_SYNC_S, t + NEAR_SYNC_S)
        before, self.roles[name] = self.roles.get(name), role
        if role == 'reference' and before == 'follower':
            self.took_over.append(t)
            bisect.insort(self.references_lost, (t, name, TOOK_OVER, u.windows['sync', None][-1]))
        elif role in LOST_ROLES:
            bisect.insort(self.references_lost, (t, name, role, u.windows['sync', None][-1]))

    def judge_references(self, until):
        while self.references_lost and self.references_lost[0][0] <= until:
            t, name, role, window = self.references_lost.pop(0)
            if not self.reference_gone(name, role, t):
                self.odd.append('%s lost its reference (now %s) at %.1f s, and nothing tells why' % (name, role, t))
                self.ues[name].windows['sync', None].remove(window)

    def reference_gone(self, name, role, t):
        """Whether a UE that others may follow had stopped, or had just changed its own reference before, or was silent to see who depends on it."""
        if role == TOOK_OVER:
            return self.stopped(t - RING_S, t)
        silent = any(0 <= taken - t <= TAKES_OVER_S for taken in self.took_over)
        # Of two that lose the same reference in one subframe neither explains the other.
        changed = any(begin + NEAR_SYNC_S < t - SUBFRAME_S / 2 and t <= end for n, u in self.ues.items() if n != name for begin, end in u.windows['sync', None])
        return silent or changed or self.stopped(t - NEAR_SYNC_S, t)

    def stopped(self, since, t):
        return any(u.covered(c, p, since, t + BEHIND_S) for u in self.ues.values() for c in REFERENCE_GONE for p in self.ues)

    def on_started(self, name, u, e, t):
        self.streams[name].append([[t, None]])
        u.may_be_late.append([t + SECOND_S, LEAD_SUBFRAMES])   # samples have waited while the program started

    def end_stream(self, name, t):
        if self.streams[name] and self.streams[name][-1][-1][1] is None:
            self.streams[name][-1][-1][1] = t

    def most_late(self, name, gap_s):
        """Transmissions whose time passed while a UE heard nothing for so long: one a subframe, and what the packets of that time need."""
        packets = len(self.peers[name]) * (2 + math.ceil(gap_s / EVERY_S))
        return min(math.ceil(gap_s * SUBFRAMES_A_SECOND), packets * BURSTS_OF_A_PACKET) + LEAD_SUBFRAMES

    def on_radio(self, name, u, e, t):
        grown = {k: e[k] - u.counters[k] for k in COUNTERS if k in e and e[k] > u.counters[k]}
        u.counters.update({k: e[k] for k in COUNTERS if k in e})
        if not grown:
            return
        gap = grown.get('samples_lost', 0) / u.rate
        if gap or 'restarts' in grown:
            u.may_be_late.append([t + gap, self.most_late(name, gap)])   # so long it catches up
        follow = u.late_after(t, grown.get('lates', 0))
        if follow:
            self.told[LATE_AFTER] += follow
            grown['lates'] -= follow
        self.told.update({k + ' ' + name if k == 'restarts' else k: n for k, n in grown.items() if n and k != 'samples_lost'})
        if 'restarts' in grown:
            self.end_stream(name, t)
            for run in self.streams[name][-1:]:
                run.append([t, None])
        for cause in ('radio', 'stream') if 'restarts' in grown else ('radio',):
            u.add(cause, None, t - SECOND_S, t + gap + AFTER_GAP_S)

    def on_time_jump(self, name, u, e, t):
        """e['seconds']: by how much device time leapt."""
        self.told['time_jump'] += 1
        self.offset[name] += e['seconds']
        t = self.air_time(name, e['t'])
        u.may_be_late.append([t, self.most_late(name, abs(e['seconds']))])
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

    def judge(self, until):
        """References and links that were lost until then. References first: one without a cause explains no link."""
        self.judge_references(until)
        self.judge_links(until)

    def forget(self, now):
        self.judge(now - TOLD_LATER_S)
        for u in self.ues.values():
            u.forget(now - KEPT_S)

    # --- why ---
    def windows_at(self, a, b, t):
        """Causes that cover a packet from a to b taken at t."""
        begin, end = t - BEFORE_S, t + FLIGHT_S
        return [c for c in WINDOWS if self.ues[a].covered(c, b, begin, end) or self.ues[b].covered(c, a, begin, end)]

    def air(self, a, b, begin, end):
        """Seconds in which a packet from a to b meets no cause, and those in which it does."""
        spans = sorted((x - FLIGHT_S, end if y is None else y + BEFORE_S) for n, peer in ((a, b), (b, a)) for c in WINDOWS for p in (None, peer)
                       for x, y in self.ues[n].windows.get((c, p), ()))
        exposed, at = 0.0, begin
        for x, y in spans:
            x, y = max(x, at), min(y, end)
            if y > x:
                exposed, at = exposed + y - x, y
        return end - begin - exposed, exposed

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
