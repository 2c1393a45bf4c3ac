"""What the three UEs themselves show: discovery, links, keys, data, rekeying, identifiers."""
import ipaddress, math, statistics, time, types

from . import traffic
from .world import ENDS, LINKS, NAMES

SC_PERIOD_MS = 40  # default_ue_config()
NEAR_S = 1.0       # of a change of keys
CHANCE = 0.001     # of losses near it that are more than elsewhere
# A record that meets a key which is gone, not there yet, or has opened it before. (Half-open set-ups are over by then.)
REFUSALS = ('bad_record', 'unknown_link', 'replayed', 'exhausted', 'not_established', 'malformed')


def losses_around(changes, sent):
    """sent: (time, arrived) of every datagram. (near, lost near, elsewhere, lost elsewhere); near: within NEAR_S of a change of keys."""
    near = [ok for t, ok in sent if any(abs(t - c) <= NEAR_S for c in changes)]
    far = [ok for t, ok in sent if not any(abs(t - c) <= NEAR_S for c in changes)]
    return len(near), near.count(False), len(far), far.count(False)


def chance(near, lost_near, far, lost_far):
    """Fisher's exact test, one-sided: how likely so many of the losses, or more, fall near a change if a change does not matter."""
    lost = lost_near + lost_far
    pick = lambda k: math.comb(near, k) * math.comb(far, lost - k)
    return sum(pick(k) for k in range(lost_near, min(lost, near) + 1)) / math.comb(near + far, lost)


class ue_part:
    def add_arguments(self, parser):
        parser.add_argument('--patience', type=float, default=1.0, metavar='N', help='multiply every time limit by N')

    def prepare(self, w):
        self.limit = w.options.patience * (2 if w.channel & {'loss', 'eva'} else 1)

    def check(self, w):
        w.telling.heading('Discovery and links')
        w.telling.phase('Mary, John and Peter look for each other')
        # Small datagrams from the very start: they wait in the UEs for the links, so their arrival is the first protected byte.
        w.wait(lambda: all(w.events(n, 'started') for n in NAMES), 60 * self.limit)
        for a, b in ENDS:
            tx, _, to_b, _ = traffic.ends(w, a, b)
            tx.sendto(b'F' * 32, to_b)
        up = w.wait(lambda: all(w.events(a, 'link_established', b) for a, b in ENDS), 120 * self.limit)
        w.wait(lambda: all(w.events(a, 'peer_discovered', b) for a, b in ENDS), 60 * self.limit)
        seen = {n: sorted({e['peer'] for e in w.events(n, 'peer_discovered')}) for n in NAMES}
        w.claim('Mary and John discovered each other', 'john' in seen['mary'] and 'mary' in seen['john'], seen)
        w.claim('John and Peter discovered each other', 'peter' in seen['john'] and 'john' in seen['peter'], seen)
        w.claim('both links are up', up, {n: [(e['peer'], e['kd_sess_id']) for e in w.events(n, 'link_established')] for n in NAMES})
        if not up:
            return
        w.telling.heading('Data on both links')
        self.data(w)
        w.telling.heading('New keys in mid-traffic')
        self.rekey_in_traffic(w)
        w.telling.heading('Keys and addresses')
        self.keys(w)
        self.addresses(w)
        self.identifiers(w)

    def data(self, w):
        for a, b in LINKS:
            w.telling.phase('pings from %s to %s' % (a, b))
            times = traffic.ping(w, a, b, patience=2 * self.limit)
            w.metrics['ping_%s_%s_ms' % (a, b)] = [round(t, 1) for t in times]
            w.claim('a ping crosses the link %s-%s' % (a, b), len(times) >= 5,
                    '%d of 10, %.0f ms median' % (len(times), statistics.median(times) if times else -1))
            w.telling.phase('a file from %s to %s' % (a, b))
            t = traffic.file_copy(w, a, b)
            traffic.run(w, [t], 120 * self.limit)
            w.metrics['file_%s_%s' % (a, b)] = {'seconds': t.end - t.begin, 'repeats': t.repeats}
            w.claim('a file of %d octets arrived intact from %s to %s' % (traffic.FILE_OCTETS, a, b), t.done() and t.intact(), t.describe())

    def rekey_in_traffic(self, w):
        """A slow file on both links while they are rekeyed and change their epochs. Again where losses near a change of keys were as many as chance makes
        them once in a thousand (more often where losses come in clusters): what is wrong with a change of keys shows three times, chance does not."""
        runs = [self.change_keys_in_traffic(w)]
        while runs[-1].chance < CHANCE and len(runs) < 3:
            runs.append(self.change_keys_in_traffic(w))
        told = lambda texts: '; again: '.join(map(str, texts))
        w.claim('a rekey in mid-traffic lost nothing: both files intact across new keys and epochs, no link lost', all(r.whole for r in runs), told(r.files for r in runs))
        w.claim('in mid-traffic no record met a key that was gone, missing or used up, at either end', not any(any(r.refused.values()) for r in runs),
                told(r.refused for r in runs))
        w.claim('datagrams are lost no more often near a change of keys than elsewhere', all(r.enough for r in runs) and any(r.chance >= CHANCE for r in runs),
                told(r.losses for r in runs) + '; accepted from %g' % CHANCE)

    def change_keys_in_traffic(self, w):
        w.telling.phase('what is under way arrives')
        traffic.settle(w)
        w.telling.phase('a file on each link, until both were rekeyed and changed their epoch')
        r = types.SimpleNamespace()
        refused_before = self.refusals(w)
        before = {e: (len(w.events(e[0], 'rekeyed', e[1])), len(w.events(e[0], 'epoch', e[1])), len(w.events(e[0], 'data_tx', e[1]))) for e in ENDS}
        transfers = [traffic.file_copy(w, a, b, octets=1_000_000, window=3, gap=0.25) for a, b in LINKS]
        end = time.time() + 150 * self.limit
        changed = lambda: all(len(w.events(a, 'rekeyed', b)) > before[a, b][0] and len(w.events(a, 'epoch', b)) > before[a, b][1] for a, b in ENDS)
        next_look, over = 0.0, False
        while time.time() < end:
            for t in transfers:
                t.step()
            if over and all(t.done() for t in transfers):
                break
            if not over and time.time() > next_look:
                next_look = time.time() + 1
                if changed() and all(len(t.sent_at) >= 40 for t in transfers):
                    over = True
                    for t in transfers:  # the file ends with what has been sent by then
                        t.n = max(t.sent_at, default=0) + 1
                        t.data = t.data[:t.n * traffic.CHUNK]
            w.telling.tick()
            time.sleep(0.01)
        self.hear_the_rest(w, transfers, before)
        # What a wrong or missing key would look like: records refused on live links.
        reasons = {n: {e['reason']: e.get('count', 1) for e in w.events(n, 'rejected')} for n in NAMES}
        lost = [(n, e['peer'], e['reason']) for n in NAMES for e in w.events(n, 'link_lost')]
        n_rekeys = {'%s-%s' % e: len(w.events(e[0], 'rekeyed', e[1])) - before[e][0] for e in ENDS}
        n_epochs = {'%s-%s' % e: len(w.events(e[0], 'epoch', e[1])) - before[e][1] for e in ENDS}
        w.metrics['rekeying'] = {'rekeys': n_rekeys, 'epochs': n_epochs, 'datagrams': [t.n for t in transfers], 'repeats': [t.repeats for t in transfers]}
        r.whole = over and all(t.done() and t.intact() for t in transfers) and not lost
        r.files = 'rekeys %s, epochs %s; %s; links lost: %s; rejected: %s' % (n_rekeys, n_epochs, '; '.join(t.describe() for t in transfers), lost or 'none', reasons)
        r.refused = {n: {k: c - refused_before[n].get(k, 0) for k, c in now.items() if c != refused_before[n].get(k, 0)} for n, now in self.refusals(w).items()}
        r.enough, r.chance, r.losses = self.datagrams_around_changes(w, transfers, before)
        return r

    def hear_the_rest(self, w, transfers, before):
        """Listens until the UEs have taken every datagram and nothing has arrived for traffic.QUIET_S."""
        taken = lambda: all(len(w.events(x, 'data_tx', y)) - before[x, y][2] >= len(t.sent[kind])
                            for (a, b), t in zip(LINKS, transfers) for (x, y), kind in (((a, b), 'D'), ((b, a), 'A')))
        last, end = w.air_time(), time.time() + 30 * self.limit
        while w.air_time() < last + traffic.QUIET_S and time.time() < end:
            if any([t.listen() for t in transfers]) or not taken():
                last = w.air_time()
            w.telling.tick()
            time.sleep(0.05)

    def refusals(self, w):
        out = {n: {} for n in NAMES}
        for n in NAMES:
            for e in w.events(n, 'rejected'):
                if e['reason'] in REFUSALS:
                    # Not what only looks so because a piece was lost on the air. A wrong key refuses pieces that followed each other, too.
                    out[n][e['reason']] = out[n].get(e['reason'], 0) + e.get('count', 1) - e.get('misfits', 0)
        return out

    def datagrams_around_changes(self, w, transfers, before):
        """Each single datagram, not the file that repeats them: the sidelink has no ARQ, so half-duplex costs some at any time; a change of keys
        must not cost more. Returns whether there were enough to tell, the probability of such losses by chance, and a text."""
        total, matched = [0, 0, 0, 0], True
        for (a, b), t in zip(LINKS, transfers):
            for (x, y), kind in (((a, b), 'D'), ((b, a), 'A')):
                times = [e['t'] for e in w.events(x, 'data_tx', y)[before[x, y][2]:]]
                matched &= len(times) == len(t.sent[kind])
                changes = [e['t'] for k, i in (('rekeyed', 0), ('epoch', 1)) for e in w.events(x, k, y)[before[x, y][i]:]]
                part = losses_around(changes, list(zip(times, (key in t.arrived[kind] for key in t.sent[kind]))))
                total = [i + j for i, j in zip(total, part)]
        near, lost_near, far, lost_far = total
        p = chance(*total)
        w.metrics['rekeying']['datagrams_near_a_change'] = {'sent': near, 'lost': lost_near, 'sent_elsewhere': far, 'lost_elsewhere': lost_far, 'chance': p}
        return (matched and near >= 20, p, 'within %g s of a rekey or epoch %d of %d lost, elsewhere %d of %d (no ARQ: half-duplex and the channel cost some); so many '
                'near a change by chance: p = %.2g%s' % (NEAR_S, lost_near, near, lost_far, far, p, '' if matched else '; not all found in the events'))

    def keys(self, w):
        """The UEs go on: while one end has told of a change of keys, the other may not have yet."""
        found = []
        w.telling.phase('both ends tell their keys')

        def both():
            found[:] = [self.fingerprints(w), self.record_keys(w)]
            return all(held for held, _ in found)
        w.wait(both, 20 * self.limit)
        for text, (held, evidence) in zip(('both ends of a link agree on every fingerprint of its key agreements, and none occurs on two links or twice on one',
                                           'four distinct record-key fingerprints in every epoch (two links, two directions), equal at both ends, none used in two epochs'), found):
            w.claim(text, held, evidence)

    def fingerprints(self, w):
        prints = {(a, b): [e['key_fingerprint'] for e in w.events(a) if e['event'] in ('link_established', 'rekeyed') and e['peer'] == b]
                  for a, b in ENDS}
        every = [f for a, b in LINKS for f in dict.fromkeys(prints[a, b])]
        return len(set(every)) == len(every) >= 2 and all(prints[a, b] == prints[b, a] for a, b in LINKS), {'%s-%s' % k: v for k, v in prints.items()}

    def record_keys(self, w):
        """Of each epoch, one a direction, from the key logs."""
        log = {n: w.logged_keys(n) for n in NAMES}
        john_mary = [e for e in log['mary'] if e in log['john']]
        john_peter = [e for e in log['peter'] if e in log['john']]
        same = all(log['mary'][e] == log['john'][e] for e in john_mary) and all(log['peter'][e] == log['john'][e] for e in john_peter)
        epochs = [dict(list(log['mary'][x].items()) + list(log['peter'][y].items())) for x, y in zip(john_mary, john_peter)]
        four = all(len(set(e.values())) == 4 for e in epochs)
        all_keys = [f for e in epochs for f in e.values()]
        # A log also holds the epoch that would come next, which a rekeying may replace unused: what either end says it used, both must know.
        used = {(a, b): {frozenset((x['own_l2_id'], x['peer_l2_id'])) for x in w.events(a, peer=b) if 'own_l2_id' in x} for a, b in ENDS}
        complete = all(len(u & set(log[a])) >= 2 and all(e in log[b] for e in u if e in log[a]) for (a, b), u in used.items())
        foreign = set(log['mary']) & set(log['peter'])
        w.metrics['record_key_fingerprints'] = [sorted(e.values()) for e in epochs]
        return (four and same and complete and not foreign and len(epochs) >= 2 and len(set(all_keys)) == len(all_keys),
                '%d epochs compared: %s' % (len(epochs), '; '.join(' '.join(e.values()) for e in epochs[:3]) + (' ...' if len(epochs) > 3 else '')))

    def addresses(self, w):
        """As the UEs tell them: what --data tun gives each link. This demonstration has no right to make an interface and carries its data by UDP."""
        told = {(a, b): w.events(a, 'peer_address', b) for a, b in ENDS}
        last = {e: v[-1] for e, v in told.items() if v}
        own = {'%s towards %s' % e: v['own_ipv6'] for e, v in last.items()}
        agree = len(last) == len(ENDS) and all(last[a, b]['own_ipv6'] == last[b, a]['peer_ipv6'] for a, b in ENDS)
        network = all(ipaddress.ip_address(x) in ipaddress.ip_network('fd50:726f:5365::/48') for x in own.values())
        apart = len(set(own.values())) == len(ENDS)
        w.claim('each end of each link has an IPv6 address of its own: John shows Mary and Peter different ones, and both ends agree', agree and network and apart,
                '%s; told by the UEs and derived from the pairs\' secrets. No interface is made here: what passes on one is tested apart (address_tun_test, tun_namespaces)' % own)

    def identifiers(self, w):
        ids = {e: {x['own_l2_id'] for x in w.events(e[0], peer=e[1]) if 'own_l2_id' in x} for e in ENDS}
        w.claim('layer-2 IDs rotated, and no UE used one towards two peers',
                all(len(v) >= 2 for v in ids.values()) and not ids['john', 'mary'] & ids['john', 'peter'],
                {'%s to %s' % k: sorted(v) for k, v in ids.items()})

    def finish(self, w):
        w.telling.heading('Who saw whom')
        # On the air, that is: what servers say of a peer they may say.
        told = ('peer_permitted', 'peer_pending', 'peer_withdrawn', 'permission_expires', 'peer_address')
        seen = {n: sorted({e['peer'] for e in w.events(n) if 'peer' in e and 'server' not in e and e['event'] not in told}) for n in NAMES}
        w.claim('Mary never saw Peter and Peter never saw Mary',
                'peter' not in seen['mary'] and 'mary' not in seen['peter'] and seen['mary'] and seen['peter'], seen)
        self.timing(w)

    def timing(self, w):
        """From cold start, in subframes and SC periods. Not a claim: reported."""
        for a, b in ENDS:
            at = lambda kind: next((e['t'] for e in w.events(a, kind, b)), None)
            begin = next((e['t'] for e in w.events(a, 'started')), None)
            link = next(iter(w.events(a, 'link_established', b)), {})
            line = {}
            for what, t in (('discovery', at('peer_discovered')), ('link', at('link_established')), ('first_protected_byte', at('data_rx'))):
                if t is not None and begin is not None:
                    line[what + '_subframes'] = round((t - begin) * 1000)
                    line[what + '_sc_periods'] = round((t - begin) * 1000 / SC_PERIOD_MS, 1)
            for k in ('frames', 'octets', 'octets_on_air', 'duration_ms'):
                if k in link:
                    line['setup_' + k] = link[k]
            w.metrics['%s_to_%s' % (a, b)] = line
            w.telling.detail('%s towards %s: %s' % (a, b, ', '.join('%s %s' % (k.replace('_', ' '), v) for k, v in line.items())))
