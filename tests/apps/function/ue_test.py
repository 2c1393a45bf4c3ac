"""prose-ue with ProSe Functions, honest and lying, as processes on an emulated air. usage: ue_test.py BIN SOURCE_DIR UHD_MODULES"""
import base64, json, os, re, signal, socket, ssl, stat, struct, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'phy', 'air'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from air_harness import BIN, ENV, Air, keeps, main
from live_run import SOURCE, wait

SERVERS = ('function.example', 'second.example')


def run(program, *a, code=0):
    r = subprocess.run([os.path.join(BIN, program), *map(str, a)], capture_output=True, text=True, timeout=100)
    assert r.returncode == code, (program, a, r.returncode, r.stderr)
    return r


def keys(*a, code=0):
    return run('prose-keys', *a, code=code)


def words(path):
    return [w for l in open(path) if not l.startswith('#') for w in l.split()]


def text_of(path):
    """Of a file that may not be there yet."""
    try:
        return open(path).read()
    except FileNotFoundError:
        return ''


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answered(what, *a):
    """prose-keys at a terminal whose user types something; its exit code."""
    ours, theirs = os.openpty()
    os.write(ours, what.encode() + b'\n')
    try:
        return subprocess.run([BIN + '/prose-keys', *a], stdin=theirs, capture_output=True, timeout=20).returncode
    finally:
        os.close(ours)
        os.close(theirs)


class world:
    """A CA, users, servers that are up, and UEs whose configuration names them."""
    def __init__(self, users, servers=SERVERS[:1], speed='1'):
        self.air, self.folder, self.p, self.port = Air(speed=speed), tempfile.TemporaryDirectory(), {}, {}
        self.tls, self.servers, self.runs = self.path('tls'), servers, {}
        keys('ca', 'init', '--folder', self.tls)
        self.held = []  # a port that nobody listens on now and then is still nobody else's
        for s in servers:
            keys('ca', 'issue', s, '--server', '--folder', self.tls)
            self.held.append(socket.socket())
            self.held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.held[-1].bind(('127.0.0.1', 0))
            self.port[s] = self.held[-1].getsockname()[1]
        for u in users:
            keys('ca', 'issue', u, '--folder', self.tls)
            keys('gen', self.path(u + '.key'))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.p.values():
            if p.poll() is None:
                p.kill()
            p.wait()
        self.air.__exit__()
        for s in self.held:
            s.close()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def public(self, user):
        return keys('pub', self.path(user + '.key')).stdout.strip()

    def serve(self, name=SERVERS[0]):
        self.p[name] = subprocess.Popen([BIN + '/prose-function', '--port', str(self.port[name]), '--ca', self.tls + '/ca.crt', '--certificate', f'{self.tls}/{name}.crt',
                                         '--key', f'{self.tls}/{name}.key', '--store', self.path(name + '.db'), '--echo', '--log-level', 'off'])
        def listens():
            try:
                socket.create_connection(('127.0.0.1', self.port[name]), 1).close()
                return True
            except OSError:
                return False
        wait(listens)

    def kill(self, name):
        self.p[name].kill()
        self.p[name].wait()

    def at(self, user, command, *a, server=SERVERS[0], code=0):
        if command == 'grant' and '--fingerprint' not in a:
            a += ('--trust-first',)
        return keys(command, *a, '--server', server, '--port', self.port[server], '--user', user, '--key', self.path(user + '.key'), '--ca', self.tls + '/ca.crt',
             '--certificate', f'{self.tls}/{user}.crt', '--tls-key', f'{self.tls}/{user}.key', code=code)

    def consents(self, user):
        """{name: words after it} of the user's consent list."""
        return {l.split()[0]: l.split()[1:] for l in text_of(self.path(user + '.key.consent')).splitlines()[1:] if not l.startswith('#')}

    def ue(self, user, extra='', edits=(), options=(), port=None):
        """`extra`: of each server's entry. `port`: of each server, if not where it listens."""
        self.runs[user] = self.runs.get(user, 0) + 1
        text = open(os.path.join(SOURCE, 'configs', user + '.yaml')).read()
        text = re.sub(r'(?m)^  permissions: .*\n', '', text).replace('keys/', '')
        text = re.sub(r'(?m)^  kind: \w+', '  kind: udp' if extra else '  kind: none', text)
        pc3 = f'pc3:\n  cache: {user}.cache\n  servers:\n'
        for s in self.servers:
            pc3 += f'    - {{name: {s}, port: {(port or self.port)[s]}, ca: tls/ca.crt, certificate: tls/{user}.crt, key: tls/{user}.key{extra}}}\n'
        text = re.sub(r'(?m)^device: .*', pc3 + 'device: ' + self.air.device(user), text)
        for pattern, with_ in edits:
            text, count = re.subn(pattern, with_, text)
            assert count == 1, (pattern, count)
        open(self.path(user + '.yaml'), 'w').write(text)
        self.p[user] = subprocess.Popen([BIN + '/prose-ue', '--config', self.path(user + '.yaml'), '--events', self.file(user), *options], env=ENV,
                                        stdin=subprocess.PIPE, stdout=open(self.path(user + '.out'), 'w'), stderr=open(self.path(user + '.err'), 'w'))

    def file(self, user):
        return self.path(f'{user}{self.runs[user]}.jsonl')

    def of(self, user, kind, peer=None):
        """The events of the present run."""
        try:
            all_of = [json.loads(l) for l in open(self.file(user)) if l.endswith('}\n')]
        except OSError:
            return []
        return [e for e in all_of if e['event'] == kind and peer in (None, e.get('peer'))]

    def forget(self, user, peer, server=SERVERS[0]):
        """The server forgets a grant, though its user did not withdraw it."""
        with tempfile.TemporaryDirectory() as f:
            keys('withdraw', peer, '--consent', f + '/another', '--server', server, '--port', self.port[server], '--user', user, '--ca', self.tls + '/ca.crt',
                 '--certificate', f'{self.tls}/{user}.crt', '--tls-key', f'{self.tls}/{user}.key')

    def stop(self, user):
        self.p[user].send_signal(signal.SIGINT)
        code = self.p[user].wait(20)
        assert code == 0, (user, code, open(self.path(user + '.err')).read())


def a_hundred_and_fifty_packets_a_second_cross_and_come_back_in_one_session():
    with world(['mary']) as w:
        w.serve()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rx, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tx:
            rx.bind(('127.0.0.1', 0))
            listen = free_port()
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


def a_server_that_goes_again_is_told_again_and_asked_ever_later():
    with world(['mary']) as w:
        def hang_up(r):
            if r['wait_s'] == 0:
                return changes()
            raise EOFError
        l = liar(w, [hang_up])
        w.ue('mary')
        wait(lambda: len(w.of('mary', 'server_lost')) >= 5, programs=[w.p['mary']])
        assert len({e['reason'] for e in w.of('mary', 'server_lost')}) == 1, w.of('mary', 'server_lost')
        at = [e['t'] for e in w.of('mary', 'server_session')]
        assert at[4] - at[3] > at[1] - at[0], at  # 2 to 6 s against 0.25 to 0.75 s
        w.stop('mary')
        l.close()


def two_servers_and_their_absence():
    with world(['mary', 'john'], SERVERS) as w:
        for s in SERVERS:
            w.serve(s)
            for u in ('mary', 'john'):
                w.at(u, 'register', server=s)
        w.at('mary', 'grant', 'john')
        w.at('john', 'grant', 'mary')
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
        wait(lambda: 'john' not in open(w.path('mary.cache.function.example.said')).read())
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


class liar:
    """A server with the right certificate. `script`: what it answers to a request for changes, in turn; the last goes on."""
    def __init__(self, w, script, name=SERVERS[0]):
        self.script, self.name, self.sessions, self.asked = script, name, 0, 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        self.tls.load_cert_chain(f'{w.tls}/{name}.crt', f'{w.tls}/{name}.key')
        self.tls.load_verify_locations(w.tls + '/ca.crt')
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(('127.0.0.1', w.port[name]))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self, s):
        def send(a):
            text = a if isinstance(a, bytes) else json.dumps(a).encode()
            s.sendall(struct.pack('>I', len(text)) + text)

        def read(n):
            out = b''
            while len(out) < n:
                got = s.recv(n - len(out))
                if not got:
                    raise EOFError
                out += got
            return out
        try:
            s = self.tls.wrap_socket(s, server_side=True)
            self.sessions += 1
            send({'answer': 'hello', 'server': self.name, 'challenge': base64.b64encode(bytes(32)).decode(),
                  'ephemeral': base64.b64encode(b'\x09' + bytes(31)).decode(), 'pad': ''})
            while True:
                r = json.loads(read(struct.unpack('>I', read(4))[0]))
                if r['op'] != 'changes':
                    send({'answer': 'done', 'pad': ''})
                    continue
                answer = self.script[min(self.asked, len(self.script) - 1)]
                self.asked += 1
                answer = answer(r) if callable(answer) else answer
                for a in answer if isinstance(answer, list) else [answer] if answer is not None else []:
                    send(a)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            s.close()


def changes(*of):
    return {'answer': 'changes', 'changes': [dict(zip(('version', 'peer', 'permitted', 'key'), c)) for c in of], 'pad': ''}


def a_lying_server_gets_nowhere():
    with world(['mary', 'john']) as w:
        john, own = w.public('john'), w.public('mary')
        keys('gen', w.path('eve.key'))
        eve = w.public('eve')
        truth = changes((1, 'john', True, john))
        consent = w.path('mary.key.consent')

        def lie(*script):
            """Mary with a list and a cache that know John, who also granted Eve and Paul, and a server that lies from now on; what she did."""
            for f in (consent, w.path('mary.cache.function.example.said')):
                if os.path.exists(f):
                    os.remove(f)
            for n in ('john', 'paul', 'mary'):
                keys('grant', n, '--trust-first', '--consent', consent)
            honest = liar(w, [truth, changes(), None])
            w.ue('mary')
            wait(lambda: w.of('mary', 'peer_permitted', 'john'))
            w.stop('mary')
            honest.close()
            l = liar(w, script)
            w.ue('mary')
            wait(lambda: w.of('mary', 'server_session'))
            wait(lambda: l.asked >= len(script))
            return l

        def holds(l):
            """She runs on, accepted nobody but John with his key, and stops when told."""
            time.sleep(1.2)
            assert w.p['mary'].poll() is None, open(w.path('mary.err')).read()
            assert {e['peer'] for e in w.of('mary', 'peer_permitted')} <= {'john'}, w.of('mary', 'peer_permitted')
            assert w.consents('mary')['john'][1] == john, w.consents('mary')
            assert set(w.consents('mary')) == {'john', 'paul', 'mary'} and w.consents('mary')['paul'] == ['trust-first'], w.consents('mary')
            w.stop('mary')
            l.close()

        l = lie(changes((2, 'john', True, eve)), changes(), None)  # swapped key
        wait(lambda: [e for e in w.of('mary', 'rejected') if e['reason'] == 'changed key'])
        wait(lambda: eve in text_of(consent + '.pending'))
        wait(lambda: w.of('mary', 'peer_withdrawn', 'john'))  # it can deny, never link
        assert w.consents('mary')['john'] == ['suspended', john]
        holds(l)
        l = lie(changes((2, 'john', True, john), (3, 'eve', True, john), (4, 'paul', True, own), (5, 'mary', True, eve)), changes(), None)
        wait(lambda: len({e['peer'] for e in w.of('mary', 'rejected')}) == 3)  # never granted and a duplicate key, own key, own name
        holds(l)
        page = lambda r: changes(*((r['since'] + 1 + n, 'john', True, john) for n in range(64)))
        holds(lie(page))  # endless pages, of new versions and of the same
        stuck = lie(truth)
        wait(lambda: [e for e in w.of('mary', 'server_lost') if 'not new' in e['reason']])
        holds(stuck)
        for garbage in (b'\xff\x00 no JSON', b'{"answer":"changes"}', {'answer': 'list', 'granted': [], 'mutual': [], 'pad': ''},
                        changes((2, '../../x', True, eve)), changes((2, 'eve', True, 'AAAA')), changes((-5, 'eve', True, eve)),
                        b'{"answer":"changes","changes":' + b'[' * 100000 + b']' * 100000 + b'}', b'x' * 600000):
            l = lie(garbage)
            wait(lambda: w.of('mary', 'server_lost'))
            holds(l)


def a_changed_key_needs_its_user():
    with world(['mary', 'john']) as w:
        w.serve()
        for u in ('mary', 'john'):
            w.at(u, 'register')
        w.at('mary', 'grant', 'john')
        w.at('john', 'grant', 'mary')
        w.ue('mary')
        wait(lambda: w.of('mary', 'peer_permitted', 'john'))
        old, consent = w.public('john'), w.path('mary.key.consent')
        assert w.consents('mary') == {'john': ['first', old]}, w.consents('mary')
        known = keys('fingerprint', 'john', '--key', w.path('mary.key')).stdout
        assert known == keys('fingerprint', old, '--key', w.path('mary.key')).stdout
        keys('fingerprint', 'nobody', '--key', w.path('mary.key'), code=2)
        w.at('john', 'rotate')
        new = w.public('john')
        assert new != old
        wait(lambda: [e for e in w.of('mary', 'rejected', 'john') if e['reason'] == 'changed key'])
        wait(lambda: w.of('mary', 'peer_withdrawn', 'john'))  # the old one at once
        wait(lambda: new in text_of(consent + '.pending'))
        assert w.consents('mary') == {'john': ['suspended', old]}
        listed = keys('list', '--key', w.path('mary.key')).stdout
        print_of_new = keys('fingerprint', new, '--key', w.path('mary.key')).stdout
        assert listed == 'john %s suspended fingerprint=%s\n' % (new, print_of_new.strip().replace(' ', '')), listed
        # Nothing is accepted before the user has seen it and said so.
        keys('grant', 'john', '--key', w.path('mary.key'), code=2)
        keys('grant', 'john', '--trust-first', '--key', w.path('mary.key'), code=2)
        keys('confirm', 'john', '--key', w.path('none.key'), '--yes', code=2)
        shown = keys('confirm', 'john', '--key', w.path('mary.key'), code=1).stdout
        assert shown == 'key %s\nfingerprint %s' % (new, print_of_new), shown
        keys('confirm', 'nobody', '--consent', consent, '--yes', code=2)
        assert answered('no', 'confirm', 'john', '--consent', consent) == 1 and w.consents('mary') == {'john': ['suspended', old]}
        assert answered('yes', 'confirm', 'john', '--consent', consent) == 0
        wait(lambda: len(w.of('mary', 'peer_permitted', 'john')) == 2)
        assert w.consents('mary') == {'john': ['confirmed', new]}
        wait(lambda: not words(consent + '.pending'))
        keys('confirm', 'john', '--consent', consent, '--yes', code=2)
        w.stop('mary')


def a_list_that_cannot_be_written_binds_no_key_and_a_stuck_lock_does_not_hang():
    import fcntl
    with world(['mary', 'john']) as w:
        w.serve()
        for u in ('mary', 'john'):
            w.at(u, 'register')
        w.at('mary', 'grant', 'john')
        w.at('john', 'grant', 'mary')
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


def server_names_that_collide_in_the_cache_are_refused_with_file_and_line():
    with world(['mary']) as w:
        for names in (SERVERS[:1] * 2, ('pins',), ('pending',), ('lock',)):
            w.servers = names
            w.port = dict.fromkeys(names, 7999)
            w.ue('mary')
            code, err = w.p['mary'].wait(20), open(w.path('mary.err')).read().strip()
            line = [n for n, l in enumerate(open(w.path('mary.yaml')), 1) if 'ca: tls' in l][-1]
            assert code == 2 and err.count('\n') == 0 and f'mary.yaml:{line}: ' in err and 'accepted' in err, (code, err)


def a_flood_of_packets_is_bounded_and_counted():
    n = 20000
    packet = {'answer': 'data', 'octets': base64.b64encode(b'x').decode(), 'pad': ''}
    with world(['mary']) as w:
        l = liar(w, [changes(), [packet] * n, None])
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
    main([a_hundred_and_fifty_packets_a_second_cross_and_come_back_in_one_session, a_server_that_goes_again_is_told_again_and_asked_ever_later, two_servers_and_their_absence,
          a_lying_server_gets_nowhere, a_changed_key_needs_its_user, a_list_that_cannot_be_written_binds_no_key_and_a_stuck_lock_does_not_hang,
          a_flood_of_packets_is_bounded_and_counted, server_names_that_collide_in_the_cache_are_refused_with_file_and_line])
