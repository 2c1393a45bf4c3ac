"""UEs whose permissions come from ProSe Functions, honest and lying, on an emulated air."""
import base64, os, re, socket, ssl, subprocess, tempfile, threading

from tests.harness.air import Air
from tests.harness.files import configuration, edited, text_of, write
from tests.harness.function import Frames
from tests.harness.keys import Authority, prose_keys
from tests.harness.paths import program
from tests.harness.process import wait
from tests.harness.ue import Ue

SERVERS = ('function.example', 'second.example')


class Served:
    """A certificate authority, users, servers that are started, and UEs whose configuration names them."""

    def __init__(self, users, servers=SERVERS[:1], speed='1'):
        self.folder, self.p, self.port, self.runs = tempfile.TemporaryDirectory(), {}, {}, {}
        self.servers, self.authority = servers, Authority(self.path('tls'), servers, users)
        self.held = []  # while no server listens on a port nobody else gets it
        for s in servers:
            self.held.append(socket.socket())
            self.held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.held[-1].bind(('127.0.0.1', 0))
            self.port[s] = self.held[-1].getsockname()[1]
        for u in users:
            prose_keys('gen', self.path(u + '.key'))
        self.air = Air(speed=speed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.p.values():
            p.kill()
            p.wait() if isinstance(p, subprocess.Popen) else None
        self.air.__exit__()
        for s in self.held:
            s.close()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def public(self, user):
        return prose_keys('pub', self.path(user + '.key')).stdout.strip()

    # --- servers ---
    def serve(self, name=SERVERS[0]):
        self.p[name] = subprocess.Popen([program('prose-function'), '--port', str(self.port[name]), *self.authority.server_options(name), '--store', self.path(name + '.db'),
                                         '--echo', '--log-level', 'off'])

        def listens():
            try:
                socket.create_connection(('127.0.0.1', self.port[name]), 1).close()
                return True
            except OSError:
                return False
        wait(listens, programs=[self.p[name]])

    def kill(self, name):
        self.p[name].kill()
        self.p[name].wait()

    def at(self, user, command, *a, server=SERVERS[0], code=0, key=None):
        """prose-keys as this user at a server."""
        if command == 'grant' and '--fingerprint' not in a:
            a += ('--trust-first',)
        return prose_keys(command, *a, '--server', server, '--port', self.port[server], *self.authority.user_options(user), *(key or ('--key', self.path(user + '.key'))), code=code)

    def forget(self, user, peer, server=SERVERS[0]):
        """The server forgets a grant, though its user did not withdraw it."""
        with tempfile.TemporaryDirectory() as f:
            self.at(user, 'withdraw', peer, server=server, key=('--consent', f + '/another'))

    def grant_each_other(self, users, servers=None, links=(('mary', 'john'),)):
        """The users register at their servers; links are granted at the first."""
        for s in servers or self.servers:
            for u in users:
                self.at(u, 'register', server=s)
        for a, b in links:
            self.at(a, 'grant', b)
            self.at(b, 'grant', a)

    # --- UEs ---
    def ue(self, user, extra='', edits=(), options=(), port=None):
        """Starts one. `extra`: of each server's entry in its configuration. `port`: of each server, if not where it listens."""
        self.runs[user] = self.runs.get(user, 0) + 1
        text = re.sub(r'(?m)^  permissions: .*\n', '', configuration(user)).replace('keys/', '')
        text = re.sub(r'(?m)^  kind: \w+', '  kind: udp' if extra else '  kind: none', text)
        pc3 = f'pc3:\n  cache: {user}.cache\n  servers:\n'
        for s in self.servers:
            pc3 += f'    - {{name: {s}, port: {(port or self.port)[s]}, ca: tls/ca.crt, certificate: tls/{user}.crt, key: tls/{user}.key{extra}}}\n'
        text = re.sub(r'(?m)^device: .*', pc3 + 'device: ' + self.air.device(user), text)
        write(self.path(user + '.yaml'), edited(text, *edits))
        self.p[user] = Ue(self.folder.name, user, *options, run='%s%d' % (user, self.runs[user]))
        return self.p[user]

    def of(self, user, kind, peer=None):
        """Events of the present run."""
        return self.p[user].of(kind, peer)

    def stop(self, user):
        self.p[user].stop(timeout=20)

    def until_linked(self, a='mary', b='john'):
        wait(lambda: self.of(a, 'link_established', b) and self.of(b, 'link_established', a), programs=[self.p[a], self.p[b]], what=f'a link of {a} and {b}')

    def consents(self, user):
        """{name: words after it} of the user's consent list."""
        return {l.split()[0]: l.split()[1:] for l in text_of(self.path(user + '.key.consent')).splitlines()[1:] if not l.startswith('#')}


def changes(*of):
    return {'answer': 'changes', 'changes': [dict(zip(('version', 'peer', 'permitted', 'key'), c)) for c in of], 'pad': ''}


class Liar:
    """A server with the right certificate. `script`: what it answers to requests for changes, in turn; the last goes on."""

    def __init__(self, w, script, name=SERVERS[0]):
        self.script, self.name, self.sessions, self.asked = script, name, 0, 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        self.tls.load_cert_chain(w.authority.path(name + '.crt'), w.authority.path(name + '.key'))
        self.tls.load_verify_locations(w.authority.path('ca.crt'))
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
        try:
            s = self.tls.wrap_socket(s, server_side=True)
            frames = Frames(s)
            self.sessions += 1
            frames.send({'answer': 'hello', 'server': self.name, 'challenge': base64.b64encode(bytes(32)).decode(),
                         'ephemeral': base64.b64encode(b'\x09' + bytes(31)).decode(), 'pad': ''})
            while True:
                r = frames.read()
                if r['op'] != 'changes':
                    frames.send({'answer': 'done', 'pad': ''})
                    continue
                answer = self.script[min(self.asked, len(self.script) - 1)]
                self.asked += 1
                answer = answer(r) if callable(answer) else answer
                for a in answer if isinstance(answer, list) else [answer] if answer is not None else []:
                    frames.send(a)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            s.close()
