"""--with-function: permissions come from a ProSe Function, and each UE has a session of its own with it and with a second server."""
import json, os, subprocess, time

from . import world

SERVERS = ('function.example', 'second.example')


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
            name, audit = s.split('.')[0], w.path(s + '.jsonl')
            w.spawn(name, [w.program('prose-function'), '--port', '0', '--ca', tls + '/ca.crt', '--certificate', '%s/%s.crt' % (tls, s),
                           '--key', '%s/%s.key' % (tls, s), '--store', w.path(s + '.db'), '--audit', audit, '--echo'])
            self.port[s] = self.wait_for_port(w, name, audit)
        for n in world.NAMES:
            with open(w.path('keys', n + '.permit'), 'w') as f:  # empty; the sniffer reads it as part of a stolen state
                f.write('')
            lines = ['pc3:', '  cache: keys/%s.cache' % n, '  servers:']
            lines += ['    - {name: %s, port: %d, ca: tls/ca.crt, certificate: tls/%s.crt, key: tls/%s.key}' % (s, self.port[s], n, n) for s in SERVERS]
            w.config_edits.setdefault(n, []).extend([(r'(?m)^  permissions: .*\n', ''), (r'(?m)^device: ', '\n'.join(lines) + '\n\ndevice: ')])
        w.permit = lambda public: self.permit(w)

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

    def permit(self, w):
        for n in world.NAMES:
            self.call(w, n, 'register')
        for a, b in world.LINKS:
            self.call(w, a, 'grant', b)
            self.call(w, b, 'grant', a)
        self.call(w, 'mary', 'grant', 'peter')  # one-sided: nobody hears of it

    def check(self, w):
        if not self.on:
            return
        sessions = {(n, s): [e['key_fingerprint'] for e in w.events(n, 'server_session') if e['server'] == s] for n in world.NAMES for s in SERVERS}
        w.claim('each UE has a session with each of two servers', all(sessions.values()), sessions)
        prints = [f for v in sessions.values() for f in v]
        links = {e['key_fingerprint'] for n in world.NAMES for e in w.events(n) if 'key_fingerprint' in e and e['event'] != 'server_session'}
        w.claim('no two server sessions have the same keys, and none those of a link',
                len(set(prints)) == len(prints) >= 6 and not set(prints) & links and links, '%d sessions, %d link fingerprints' % (len(prints), len(links)))
        permitted = {n: sorted({e['peer'] for e in w.events(n, 'peer_permitted')}) for n in world.NAMES}
        w.claim('the server permitted exactly those who had granted each other; a one-sided grant had no effect',
                permitted == {'mary': ['john'], 'john': ['mary', 'peter'], 'peter': ['john']}, permitted)
        self.call(w, 'mary', 'withdraw', 'john')
        begin = time.time()
        w.wait(lambda: w.events('mary', 'peer_withdrawn') and w.events('john', 'peer_withdrawn')
               and w.events('mary', 'link_lost', 'john') and w.events('john', 'link_lost', 'mary'), 20)
        took = time.time() - begin
        down = bool(w.events('mary', 'link_lost', 'john') and w.events('john', 'link_lost', 'mary'))
        w.claim('Mary withdraws her permission: the link with John is down on both sides within 2 s', down and (took <= 2 or w.options.speed != '1'), '%.2f s' % took)
        seen = [len(w.events(n, 'peer_discovered')) for n in ('mary', 'john')]
        time.sleep(4)
        w.claim('neither Mary nor John recognises the other afterwards', [len(w.events(n, 'peer_discovered')) for n in ('mary', 'john')] == seen, seen)
