"""prose-ue with ProSe Functions, honest and lying, on an emulated air."""
import base64, fcntl, os, socket, stat, subprocess, threading, time

from tests.harness.cases import keeps, main
from tests.harness.files import free_udp_port, text_of
from tests.harness.keys import prose_keys
from tests.harness.paths import program
from tests.harness.process import wait
from tests.harness.served import SERVERS, Liar, Served, changes

NAMES = (SERVERS[0], *('lie%d.example' % n for n in range(7)))


def words(path):
    return [w for l in text_of(path).splitlines() if not l.startswith('#') for w in l.split()]


def answered(what, *a):
    """prose-keys at a terminal whose user types something; its exit code."""
    ours, theirs = os.openpty()
    os.write(ours, what.encode() + b'\n')
    try:
        return subprocess.run([program('prose-keys'), *a], stdin=theirs, capture_output=True, timeout=20).returncode
    finally:
        os.close(ours)
        os.close(theirs)


def test_150_packets_a_second_cross_and_come_back_in_one_session():
    with Served(['mary']) as w:
        w.serve()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rx, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tx:
            rx.bind(('127.0.0.1', 0))
            listen = free_udp_port()
            w.ue('mary', f', udp_listen: "127.0.0.1:{listen}", udp_forward: "127.0.0.1:{rx.getsockname()[1]}"')
            wait(lambda: w.of('mary', 'server_session'))
            time.sleep(0.5)
            rx.settimeout(10)
            sent, got = [b'packet %d ' % n + bytes(90) for n in range(900)], []
            begin = time.monotonic()

            def talk():
                for n, packet in enumerate(sent):
                    time.sleep(max(0, begin + n / 150 - time.monotonic()))
                    # A UE queues 64 of them. On a busy machine it may stand still for longer than they last.
                    while n - len(got) > 48 and not given_up.is_set():
                        time.sleep(0.005)
                    tx.sendto(packet, ('127.0.0.1', listen))
            given_up = threading.Event()
            t = threading.Thread(target=talk)
            t.start()
            try:
                while len(got) < len(sent):
                    got.append(rx.recv(2000))
            except socket.timeout:
                given_up.set()
            took = time.monotonic() - begin
            t.join()
        assert got == sent, '%d of %d came back' % (len(got), len(sent))
        assert not w.of('mary', 'server_lost') and len(w.of('mary', 'server_session')) == 1, w.of('mary', 'server_lost')
        wait(lambda: len(w.of('mary', 'data_tx', 'server:function.example')) == len(w.of('mary', 'data_rx', 'server:function.example')) == len(sent), 20)
        w.stop('mary')
    keeps(len(sent) / 100, took, 'all packets there and back')


def test_a_server_that_hangs_up_is_reported_each_time_and_asked_at_growing_intervals():
    with Served(['mary']) as w:
        def hang_up(r):
            if r['wait_s'] == 0:
                return changes()
            raise EOFError
        l = Liar(w, [hang_up])
        w.ue('mary')
        wait(lambda: len(w.of('mary', 'server_lost')) >= 5, programs=[w.p['mary']])
        assert len({e['reason'] for e in w.of('mary', 'server_lost')}) == 1, w.of('mary', 'server_lost')
        at = [e['t'] for e in w.of('mary', 'server_session')]
        assert at[4] - at[3] > at[1] - at[0], at  # 2 to 6 s against 0.25 to 0.75 s
        w.stop('mary')
        l.close()


def test_two_servers_and_their_absence():
    with Served(['mary', 'john'], SERVERS) as w:
        for s in SERVERS:
            w.serve(s)
        w.grant_each_other(('mary', 'john'))
        for u in ('mary', 'john'):
            w.ue(u)
        both = lambda kind: w.of('mary', kind) and w.of('john', kind)
        wait(lambda: both('link_established'))
        wait(lambda: all({e['server'] for e in w.of(u, 'server_session')} == set(SERVERS) for u in ('mary', 'john')))
        for u in ('mary', 'john'):
            prints = {e['server']: e['key_fingerprint'] for e in w.of(u, 'server_session')}
            assert set(prints) == set(SERVERS) and len(set(prints.values())) == 2, prints
            for f in ('.cache.function.example.said', '.key.consent'):
                wait(lambda: os.path.exists(w.path(u + f)))
                mode = stat.S_IMODE(os.stat(w.path(u + f)).st_mode)
                assert mode == 0o600, (f, oct(mode))
        # Permitted by the second too, then no longer by the first: the permission stays.
        for a, b in (('mary', 'john'), ('john', 'mary')):
            w.at(a, 'grant', b, server=SERVERS[1])
        wait(lambda: 'john' in text_of(w.path('mary.cache.second.example.said')))
        w.forget('john', 'mary')
        said = w.path('mary.cache.function.example.said')
        wait(lambda: os.path.exists(said) and 'john' not in text_of(said))
        time.sleep(1)
        assert not w.of('mary', 'peer_withdrawn') and not w.of('mary', 'link_lost')
        # All servers away, and the UEs restarted: they go on from what they were told last.
        for s in SERVERS:
            w.kill(s)
        for u in ('mary', 'john'):
            w.stop(u)
            w.ue(u)
        wait(lambda: both('link_established') and both('server_lost'))
        assert not both('server_session')
        # Withdrawn while no server is there: the link goes within a second, a server that comes back is told, and a restart without servers does
        # not bring it back.
        begin = time.monotonic()
        w.at('mary', 'withdraw', 'john', code=1)  # the server was not told
        wait(lambda: w.of('mary', 'peer_withdrawn') and w.of('mary', 'link_lost'))
        keeps(1, time.monotonic() - begin, 'a withdrawal without a server')
        w.serve(SERVERS[1])
        wait(lambda: both('peer_withdrawn'), 60)
        w.kill(SERVERS[1])
        w.stop('mary')
        w.ue('mary')
        wait(lambda: w.of('mary', 'server_lost'))
        time.sleep(1)
        assert not w.of('mary', 'peer_permitted')
        for u in ('mary', 'john'):
            w.stop(u)


class Victim:
    """Mary, who granted John, Paul and her own name, and servers that told her the truth before they lie."""

    def __init__(self, w):
        self.w, self.john, self.own, self.consent = w, w.public('john'), w.public('mary'), w.path('mary.key.consent')
        prose_keys('gen', w.path('eve.key'))
        self.eve = w.public('eve')
        self.truth = changes((1, 'john', True, self.john))

    def told(self, *scripts):
        """One server for each script: the truth first, then the script. The servers, once each has told all of it."""
        w = self.w
        w.servers = NAMES[:len(scripts)]
        cache = lambda name: w.path('mary.cache.%s.said' % name)
        for f in (self.consent, *map(cache, NAMES)):
            if os.path.exists(f):
                os.remove(f)
        for n in ('john', 'paul', 'mary'):
            prose_keys('grant', n, '--trust-first', '--consent', self.consent)
        honest = [Liar(w, [self.truth, changes(), None], name) for name in w.servers]
        w.ue('mary')
        wait(lambda: w.of('mary', 'peer_permitted', 'john') and all('john' in text_of(cache(name)) for name in w.servers))
        w.stop('mary')
        for l in honest:
            l.close()
        liars = [Liar(w, script, name) for script, name in zip(scripts, w.servers)]
        w.ue('mary')
        wait(lambda: {e['server'] for e in w.of('mary', 'server_session')} == set(w.servers))
        wait(lambda: all(l.asked >= len(script) for l, script in zip(liars, scripts)))
        return liars

    def holds(self, liars):
        """She runs on, accepted nobody but John with his key, and stops when told."""
        w = self.w
        time.sleep(1.2)
        assert w.p['mary'].poll() is None, w.p['mary'].said()
        assert {e['peer'] for e in w.of('mary', 'peer_permitted')} <= {'john'}, w.of('mary', 'peer_permitted')
        assert w.consents('mary')['john'][1] == self.john, w.consents('mary')
        assert set(w.consents('mary')) == {'john', 'paul', 'mary'} and w.consents('mary')['paul'] == ['trust-first'], w.consents('mary')
        w.stop('mary')
        for l in liars:
            l.close()


def test_a_lying_server_gets_nowhere():
    with Served(['mary', 'john'], NAMES) as w:
        v = Victim(w)
        liars = v.told([changes((2, 'john', True, v.eve)), changes(), None])  # swapped key
        wait(lambda: [e for e in w.of('mary', 'rejected') if e['reason'] == 'changed key'])
        wait(lambda: v.eve in text_of(v.consent + '.pending'))
        wait(lambda: w.of('mary', 'peer_withdrawn', 'john'))  # it can deny, never link
        assert w.consents('mary')['john'] == ['suspended', v.john]
        v.holds(liars)
        liars = v.told([changes((2, 'john', True, v.john), (3, 'eve', True, v.john), (4, 'paul', True, v.own), (5, 'mary', True, v.eve)), changes(), None])
        wait(lambda: len({e['peer'] for e in w.of('mary', 'rejected')}) == 3)  # never granted and a duplicate key, own key, own name
        v.holds(liars)
        page = lambda r: changes(*((r['since'] + 1 + n, 'john', True, v.john) for n in range(64)))
        v.holds(v.told([page]))  # endless pages of new versions
        stuck = v.told([v.truth])  # and of the same
        wait(lambda: [e for e in w.of('mary', 'server_lost') if 'not new' in e['reason']])
        v.holds(stuck)


def test_garbage_ends_the_session_and_nothing_else():
    with Served(['mary', 'john'], NAMES) as w:
        v = Victim(w)
        garbage = (b'\xff\x00 no JSON', b'{"answer":"changes"}', {'answer': 'list', 'granted': [], 'mutual': [], 'pad': ''}, changes((2, '../../x', True, v.eve)),
                   changes((2, 'eve', True, 'AAAA')), changes((-5, 'eve', True, v.eve)), b'{"answer":"changes","changes":' + b'[' * 100000 + b']' * 100000 + b'}', b'x' * 600000)
        assert len(garbage) == len(NAMES)
        liars = v.told(*([g] for g in garbage))
        wait(lambda: {e['server'] for e in w.of('mary', 'server_lost')} == set(NAMES))
        v.holds(liars)


def test_a_changed_key_needs_its_user():
    with Served(['mary', 'john']) as w:
        w.serve()
        w.grant_each_other(('mary', 'john'))
        w.ue('mary')
        wait(lambda: w.of('mary', 'peer_permitted', 'john'))
        old, consent = w.public('john'), w.path('mary.key.consent')
        assert w.consents('mary') == {'john': ['first', old]}, w.consents('mary')
        known = prose_keys('fingerprint', 'john', '--key', w.path('mary.key')).stdout
        assert known == prose_keys('fingerprint', old, '--key', w.path('mary.key')).stdout
        prose_keys('fingerprint', 'nobody', '--key', w.path('mary.key'), code=2)
        w.at('john', 'rotate')
        new = w.public('john')
        assert new != old
        wait(lambda: [e for e in w.of('mary', 'rejected', 'john') if e['reason'] == 'changed key'])
        wait(lambda: w.of('mary', 'peer_withdrawn', 'john'))  # the old one at once
        wait(lambda: new in text_of(consent + '.pending'))
        assert w.consents('mary') == {'john': ['suspended', old]}
        listed = prose_keys('list', '--key', w.path('mary.key')).stdout
        print_of_new = prose_keys('fingerprint', new, '--key', w.path('mary.key')).stdout
        assert listed == 'john %s suspended fingerprint=%s\n' % (new, print_of_new.strip().replace(' ', '')), listed
        # Nothing is accepted before the user has seen it and said so.
        prose_keys('grant', 'john', '--key', w.path('mary.key'), code=2)
        prose_keys('grant', 'john', '--trust-first', '--key', w.path('mary.key'), code=2)
        prose_keys('confirm', 'john', '--key', w.path('none.key'), '--yes', code=2)
        shown = prose_keys('confirm', 'john', '--key', w.path('mary.key'), code=1).stdout
        assert shown == 'key %s\nfingerprint %s' % (new, print_of_new), shown
        prose_keys('confirm', 'nobody', '--consent', consent, '--yes', code=2)
        assert answered('no', 'confirm', 'john', '--consent', consent) == 1 and w.consents('mary') == {'john': ['suspended', old]}
        assert answered('yes', 'confirm', 'john', '--consent', consent) == 0
        wait(lambda: len(w.of('mary', 'peer_permitted', 'john')) == 2)
        assert w.consents('mary') == {'john': ['confirmed', new]}
        wait(lambda: not words(consent + '.pending'))
        prose_keys('confirm', 'john', '--consent', consent, '--yes', code=2)
        w.stop('mary')


def test_a_list_that_cannot_be_written_binds_no_key_and_a_stuck_lock_does_not_hang():
    with Served(['mary', 'john']) as w:
        w.serve()
        w.grant_each_other(('mary', 'john'))
        with open(os.open(w.path('mary.key.consent.lock'), os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            w.ue('mary')
            wait(lambda: [e for e in w.of('mary', 'cache_unwritten') if 'holds it' in e['reason']])
            assert not w.of('mary', 'peer_permitted')
            begin = time.time()
            w.stop('mary')
            keeps(6, time.time() - begin, 'its end beside a stuck lock')
        w.ue('mary')
        wait(lambda: w.of('mary', 'peer_permitted', 'john'))
        assert not w.of('mary', 'cache_unwritten')
        w.stop('mary')


def test_server_names_that_collide_in_the_cache_are_refused_with_file_and_line():
    with Served(['mary']) as w:
        for names in (SERVERS[:1] * 2, ('pins',), ('pending',), ('lock',)):
            w.servers = names
            w.port = dict.fromkeys(names, 7999)
            w.ue('mary')
            code, err = w.p['mary'].p.wait(20), w.p['mary'].said().strip()
            line = [n for n, l in enumerate(text_of(w.path('mary.yaml')).splitlines(), 1) if 'ca: tls' in l][-1]
            assert code == 2 and err.count('\n') == 0 and f'mary.yaml:{line}: ' in err and 'accepted' in err, (code, err)


def test_a_flood_of_packets_is_bounded_and_counted():
    n = 20000
    packet = {'answer': 'data', 'octets': base64.b64encode(b'x').decode(), 'pad': ''}
    with Served(['mary']) as w:
        l = Liar(w, [changes(), [packet] * n, None])
        w.ue('mary')
        counted = lambda: len(w.of('mary', 'data_rx')) + max([e['packets'] for e in w.of('mary', 'server_data_dropped')], default=0)
        wait(lambda: counted() == n)
        per_ms = {}
        for e in w.of('mary', 'data_rx'):
            per_ms[e['t']] = per_ms.get(e['t'], 0) + 1
        assert max(per_ms.values()) <= 8, max(per_ms.values())
        assert not w.of('mary', 'server_lost')
        w.stop('mary')
        l.close()


if __name__ == '__main__':
    main(at_once=2)
