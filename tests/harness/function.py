"""A running prose-function, and clients that speak its protocol without prose-ue."""
import contextlib, json, os, socket, ssl, struct, subprocess

from tests.harness.files import json_lines
from tests.harness.keys import Authority, prose_keys
from tests.harness.paths import program
from tests.harness.process import wait

NAME = 'function.example'


def tls_context(authority, user=None):
    """user None: shows no certificate."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.minimum_version = c.maximum_version = ssl.TLSVersion.TLSv1_2
    if user:
        c.load_cert_chain(authority.path(user + '.crt'), authority.path(user + '.key'))
    return c


@contextlib.contextmanager
def closed_by_server():
    """Demands that the server closes the connection of what is done within. Waiting in vain and a server that is not there are failures. Make
    contexts outside: a certificate that does not load is an OSError too."""
    try:
        yield
    except TimeoutError as e:
        raise AssertionError('the server keeps the connection') from e
    except ConnectionRefusedError as e:
        raise AssertionError('there is no server') from e
    except (OSError, EOFError):
        return
    raise AssertionError('the server goes on')


class Server:
    """Certificates of `users` in FOLDER/tls, keys in FOLDER/NAME.key; start() and kill() as often as wanted."""

    def __init__(self, folder, users):
        self.folder, self.process = folder, None
        self.authority = Authority(self.path('tls'), [NAME], users)
        for u in users:
            prose_keys('gen', self.path(u + '.key'))

    def path(self, name):
        return os.path.join(self.folder, name)

    def public(self, user):
        return prose_keys('pub', self.path(user + '.key')).stdout.strip()

    def command(self, port=0, store=None, audit=None):
        return [program('prose-function'), '--port', str(port), *self.authority.server_options(NAME), '--store', self.path('f.db') if store is None else store,
                '--audit', audit or self.path('audit.jsonl'), '--log-level', 'off']

    def audit(self):
        return json_lines(self.path('audit.jsonl'))

    def starts(self):
        return [e['port'] for e in self.audit() if e['event'] == 'started']

    def start(self, *more, **options):
        before = len(self.starts())
        self.process = subprocess.Popen([*self.command(), *more], **options)
        self.port = wait(lambda: self.starts()[before:], 60, [self.process], 'a server that listens')[-1]
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def at_server(self, user, command, *a, port=None, key=True, code=None):
        """prose-keys as this user."""
        return prose_keys(command, *a, '--server', NAME, '--port', port or self.port, *self.authority.user_options(user), *(['--key', self.path(user + '.key')] if key else []), code=code)

    def context(self, user=None, authority=None):
        return tls_context(authority or self.authority, user)

    def connect(self, user, context=None, timeout=30, source=None):
        return Connection(self.port, context or self.context(user), timeout, source)


class Frames:
    """JSON texts behind their length, over TLS."""

    def __init__(self, tls):
        self.tls = tls

    def _exactly(self, n):
        out = b''
        while len(out) < n:
            got = self.tls.recv(n - len(out))
            if not got:
                raise EOFError
            out += got
        return out

    def read(self):
        return json.loads(self._exactly(struct.unpack('>I', self._exactly(4))[0]))

    def send(self, message):
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.tls.sendall(struct.pack('>I', len(text)) + text)


class Connection(Frames):
    def __init__(self, port, context, timeout=30, source=None):
        s = socket.create_connection(('127.0.0.1', port), timeout, (source, 0) if source else None)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            super().__init__(context.wrap_socket(s))
            self.hello = self.read()
        except BaseException:
            s.close()
            raise

    def request(self, **request):
        self.send(request)

    def ask(self, **request):
        self.send(request)
        return self.read()

    def close(self):
        self.tls.close()
