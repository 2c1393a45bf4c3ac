"""--with-function: permissions come from a ProSe Function, and each UE has a session of its own with it and with a second server."""
import base64, contextlib, json, math, os, socket, sqlite3, subprocess, time

from . import traffic, world

SERVERS = ('function.example', 'second.example')
DISCOVERY_PERIOD_S = 0.32  # default_ue_config()


class function_part:
    def add_arguments(self, parser):
        parser.add_argument('--with-function', action='store_true', help='permissions come from a server instead of files')

    def prepare(self, w):
        self.on = w.options.with_function
        if not self.on:
            return
        tls = w.path('tls')
        w.keys('ca', 'init', '--folder', tls)
        for s in SERVERS:
            w.keys('ca', 'issue', s, '--server', '--folder', tls)
        for n in world.NAMES:
            w.keys('ca', 'issue', n, '--folder', tls)
        self.port = {}
        for s in SERVERS:
            self.serve(w, s)
        self.application = {}  # of each UE with the first server: where it listens, and our socket that it forwards to
        for n in world.NAMES:
            with open(w.path('keys', n + '.permit'), 'w') as f:  # empty; the sniffer reads it as part of a stolen state
                f.write('')
            lines = ['pc3:', '  cache: keys/%s.cache' % n, '  servers:']
            ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            ours.bind(('127.0.0.1', 0))
            self.application[n] = (w.free_port(), ours)
            udp = {SERVERS[0]: ', udp_listen: "127.0.0.1:%d", udp_forward: "127.0.0.1:%d"' % (self.application[n][0], ours.getsockname()[1])}
            lines += ['    - {name: %s, port: %d, ca: tls/ca.crt, certificate: tls/%s.crt, key: tls/%s.key%s}' % (s, self.port[s], n, n, udp.get(s, ''))
                      for s in SERVERS]
            w.config_edits.setdefault(n, []).extend([(r'(?m)^  permissions: .*\n', ''), (r'(?m)^device: ', '\n'.join(lines) + '\n\ndevice: ')])
        w.permit = lambda public: self.permit(w, public)

    def serve(self, w, s):
        name, audit, tls = s.split('.')[0], w.path(s + '.jsonl'), w.path('tls')
        if os.path.exists(audit):
            os.remove(audit)
        w.spawn(name, [w.program('prose-function'), '--port', str(self.port.get(s, 0)), '--ca', tls + '/ca.crt', '--certificate', '%s/%s.crt' % (tls, s),
                       '--key', '%s/%s.key' % (tls, s), '--store', w.path(s + '.db'), '--audit', audit, '--echo'])
        self.port[s] = self.wait_for_port(w, name, audit)

    def wait_for_port(self, w, name, audit):
        end = time.time() + 30
        while time.time() < end and w.processes[name].poll() is None:
            try:
                return json.loads(open(audit).readline())['port']
            except (OSError, ValueError):
                time.sleep(0.05)
        raise RuntimeError('prose-function does not start: ' + open(w.path(name + '.log')).read())

    def call(self, w, user, command, *a, server=SERVERS[0]):
        return self.keys(w, command, *a, '--server', server, '--port', str(self.port[server]), '--user', user, '--key', w.path('keys', user + '.key'),
                      '--ca', w.path('tls', 'ca.crt'), '--certificate', w.path('tls', user + '.crt'), '--tls-key', w.path('tls', user + '.key'))

    def keys(self, w, *a):
        done = subprocess.run([w.program('prose-keys'), *a], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError('%s: %s' % (' '.join(a[:2]), done.stderr.strip()))
        return done.stdout

    def permit(self, w, public):
        for n in world.NAMES:
            self.call(w, n, 'register')
        self.public, prints = public, {}
        for a, b in world.LINKS:
            prints[a, b] = prints[b, a] = w.keys('fingerprint', public[b], '--key', w.path('keys', a + '.key'))  # compared by voice
            self.call(w, a, 'grant', b, '--fingerprint', prints[a, b])
            self.call(w, b, 'grant', a, '--fingerprint', prints[a, b])
        self.call(w, 'mary', 'grant', 'peter', '--trust-first')  # one-sided: nobody hears of it

    def check(self, w):
        if not self.on:
            return
        w.telling.heading('Servers')
        sessions = {(n, s): [e['key_fingerprint'] for e in w.events(n, 'server_session') if e['server'] == s] for n in world.NAMES for s in SERVERS}
        w.claim('each UE has a session with each of two servers', all(sessions.values()), sessions)
        prints = [f for v in sessions.values() for f in v]
        links = {e['key_fingerprint'] for n in world.NAMES for e in w.events(n) if 'key_fingerprint' in e and e['event'] != 'server_session'}
        w.claim('no two server sessions have the same keys, and none those of a link',
                len(set(prints)) == len(prints) >= 6 and not set(prints) & links and links, '%d sessions, %d link fingerprints' % (len(prints), len(links)))
        permitted = {n: sorted({e['peer'] for e in w.events(n, 'peer_permitted')}) for n in world.NAMES}
        w.claim('the server permitted exactly those who had granted each other; a one-sided grant had no effect',
                permitted == {'mary': ['john'], 'john': ['mary', 'peter'], 'peter': ['john']}, permitted)
        self.data(w)
        self.lies(w)
        self.away(w)
        self.withdrawal(w)
        self.denial(w)

    def says(self, w, server, to, peer, key):
        """The server's database as whoever owns the server may write it: it tells `to` that `peer` wishes a link and has the key of `key`."""
        with contextlib.closing(sqlite3.connect(w.path(server + '.db'), timeout=20)) as db, db:
            version = db.execute('SELECT coalesce(max(version), 0) + 1 FROM change WHERE name = ?', (to,)).fetchone()[0]
            db.execute('DELETE FROM change WHERE name = ? AND peer = ?', (to, peer))
            db.execute('INSERT INTO change(name, version, peer, permitted, key) VALUES(?, ?, ?, 1, ?)', (to, version, peer, base64.b64decode(self.public[key])))

    def refusals(self, w, n):
        return {(e['peer'], e['reason']) for e in w.events(n, 'rejected') if 'peer' in e and 'server' in e}

    def lies(self, w):
        """Both servers lie about Mary and Peter. She granted him; he did not grant her."""
        w.telling.phase('a server that lies')
        self.says(w, SERVERS[0], 'mary', 'peter', 'peter')
        self.says(w, SERVERS[0], 'peter', 'mary', 'mary')
        told = w.wait(lambda: ('mary', 'not in the consent list') in self.refusals(w, 'peter') and w.events('mary', 'peer_permitted', 'peter'), 40 * w.options.patience)
        self.says(w, SERVERS[1], 'peter', 'john', 'mary')
        swapped = w.wait(lambda: ('john', 'changed key') in self.refusals(w, 'peter'), 40 * w.options.patience)
        begin = w.air_time()
        w.wait(lambda: w.air_time() >= begin + 5, 30 * w.options.patience)
        nothing = not w.events('peter', 'peer_permitted', 'mary') and not any(w.events(a, kind, b) for a, b in (('mary', 'peter'), ('peter', 'mary'))
                                                                            for kind in ('peer_discovered', 'link_established'))
        w.claim('a server that lies hands Mary out to Peter, who never granted her: nothing of him is discovered by her, and no link', told and nothing,
                'refused at Peter: %s' % sorted(self.refusals(w, 'peter')))
        whose = self.keys(w, 'list', '--key', w.path('keys', 'peter.key')).split()
        alive = not w.events('peter', 'peer_withdrawn') and len(traffic.ping(w, 'john', 'peter', patience=2 * w.options.patience)) >= 5
        w.claim("a server that lies hands out Mary's key as John's: Peter keeps the key whose fingerprint he compared, and his link with John goes on",
                swapped and nothing and alive and whose[:3] == ['john', self.public['john'], 'confirmed'], ' '.join(whose))

    def denial(self, w):
        """What a lying server still achieves: a changed key ends the link, and no other link follows."""
        w.telling.phase('a server that names another key')
        self.says(w, SERVERS[0], 'peter', 'john', 'mary')
        down = w.wait(lambda: w.events('peter', 'peer_withdrawn', 'john') and w.events('peter', 'link_lost', 'john'), 40 * w.options.patience)
        begin = w.air_time()
        w.wait(lambda: w.air_time() >= begin + 3, 20 * w.options.patience)
        whose = self.keys(w, 'list', '--key', w.path('keys', 'peter.key')).split()
        none = len(w.events('peter', 'peer_permitted', 'john')) == 1 and not w.events('mary', 'peer_discovered', 'peter')
        w.claim("what still works for it: it tells Peter of another key of John's, and the link with John is released until Peter confirms one; with the other key there is none",
                down and none and whose[:3] == ['john', self.public['mary'], 'suspended'], ' '.join(whose))

    def data(self, w):
        """Each UE's packets to its server, and the server's echo of them."""
        w.telling.phase('packets to the servers')
        sent, got = 50, {}
        for n, (port, ours) in self.application.items():
            packets = [('%s %d ' % (n, i)).encode() + bytes(60) for i in range(sent)]
            back = []
            ours.settimeout(5)
            for p in packets:
                ours.sendto(p, ('127.0.0.1', port))
                time.sleep(0.02)
            try:
                while len(back) < sent:
                    back.append(ours.recv(2000))
            except socket.timeout:
                pass
            count = lambda kind: len(w.events(n, kind, 'server:' + SERVERS[0]))
            w.wait(lambda: count('data_rx') >= sent, 5)
            got[n] = (back == packets, count('data_tx'), count('data_rx'))
        w.claim('application packets of each UE to server:%s come back as they went, counted both ways' % SERVERS[0],
                all(g == (True, sent, sent) for g in got.values()), {n: '%d out, %d in' % g[1:] for n, g in got.items()})

    def away(self, w):
        """Both servers killed. The first comes back at its old place."""
        w.telling.phase('servers are killed and come back')
        before = {n: len(w.events(n, 'server_session')) for n in world.NAMES}
        for s in SERVERS:
            p = w.processes.pop(s.split('.')[0])
            p.kill()
            p.wait()
        noticed = w.wait(lambda: all({e['server'] for e in w.events(n, 'server_lost')} == set(SERVERS) for n in world.NAMES), 20)
        pings = {'%s-%s' % (a, b): len(traffic.ping(w, a, b, patience=2 * w.options.patience)) for a, b in world.LINKS}
        gone = [n for n in world.NAMES if w.events(n, 'peer_withdrawn')]
        w.claim('both servers are killed: each UE notices and goes on without them', noticed and all(p >= 5 for p in pings.values()) and not gone,
                'pings %s of 10; withdrawn at: %s' % (pings, gone or 'none'))
        self.serve(w, SERVERS[0])
        back = w.wait(lambda: all(len(w.events(n, 'server_session')) > before[n] for n in world.NAMES), 60)
        w.claim('the server comes back: each UE has a session again, with new keys', back and len({e['key_fingerprint'] for n in world.NAMES for e in w.events(n, 'server_session')})
                == sum(len(w.events(n, 'server_session')) for n in world.NAMES), {n: len(w.events(n, 'server_session')) for n in world.NAMES})

    def recognised(self, w):
        """[(device time, whether the keys that John had with Mary recognise it)] of every discovery message that Mary sent."""
        tool = os.path.join(w.tools, 'recognised')
        public = w.keys('pub', w.path('keys', 'mary.key'))
        out = subprocess.run([tool, w.path('mary.sent'), w.path('keys', 'john.key'), public, '1.7e9'], check=True, capture_output=True, text=True).stdout
        return [(m['t'], m['recognised']) for m in map(json.loads, out.splitlines())]

    def withdrawal(self, w):
        w.telling.phase('Mary withdraws her permission')
        begin, begin_air = time.time(), w.air_time()
        self.call(w, 'mary', 'withdraw', 'john')
        lost = lambda: [e[-1:] for e in (w.events('mary', 'link_lost', 'john'), w.events('john', 'link_lost', 'mary'))]
        w.wait(lambda: w.events('mary', 'peer_withdrawn') and w.events('john', 'peer_withdrawn') and all(lost()), 20 * w.options.patience)
        took, down = time.time() - begin, all(lost())
        # A machine that is too slow for the air slows that down, and the time since its last transmission may be counted too.
        on_air = max(e[0]['t'] for e in lost()) - begin_air if down else math.inf
        w.claim('Mary withdraws her permission: the link with John is down on both sides within 2 s', down and (min(took, on_air) <= 2 or w.options.speed != '1'),
                '%.2f s, %.2f s of the air\'s time' % (took, on_air))
        recognised = lambda: [len(w.events(a, 'peer_discovered', b)) for a, b in (('mary', 'john'), ('john', 'mary'))]
        seen = recognised()
        # With the state that John still has: one slot for the codes that are made already, and the discovery period that they were given to at its end.
        over = min((e['t'] for e in w.events('mary', 'peer_withdrawn')), default=0) + 1 + DISCOVERY_PERIOD_S
        w.wait(lambda: w.air_time() >= over + 3, 20 * w.options.patience)
        w.claim('neither Mary nor John recognises the other afterwards', recognised() == seen, seen)
        messages = self.recognised(w)
        early, late = [r for t, r in messages if t < over - 2], [r for t, r in messages if t > over]
        w.claim("John's old keys, which recognised Mary's announcements, recognise nothing that Mary sends from the next slot's first whole discovery period on",
                any(early) and late and not any(late), '%d of %d before, %d of %d after' % (sum(early), len(early), sum(late), len(late)))
