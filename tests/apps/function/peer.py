"""A running prose-function, and UEs that talk to it without the client's manners."""
import json, os, socket, ssl, struct, subprocess, time


class server:
    """Certificates of `users` in FOLDER/tls, keys in FOLDER/NAME.key; start() and kill() as often as wanted."""

    def __init__(self, bin_dir, folder, users):
        self.bin, self.folder, self.tls, self.process = bin_dir, folder, os.path.join(folder, 'tls'), None
        self.keys('ca', 'init', '--folder', self.tls)
        self.keys('ca', 'issue', 'function.example', '--server', '--folder', self.tls)
        for u in users:
            self.keys('ca', 'issue', u, '--folder', self.tls)
            self.keys('gen', self.path(u + '.key'))

    def path(self, name):
        return os.path.join(self.folder, name)

    def keys(self, *a):
        r = subprocess.run([os.path.join(self.bin, 'prose-keys'), *map(str, a)], capture_output=True, text=True, timeout=100)
        assert r.returncode == 0, (a, r.stderr)
        return r.stdout

    def command(self, port=0, store=None, audit=None):
        return [os.path.join(self.bin, 'prose-function'), '--port', str(port), '--ca', self.tls + '/ca.crt', '--certificate',
                self.tls + '/function.example.crt', '--key', self.tls + '/function.example.key', '--store', self.path('f.db') if store is None else store,
                '--audit', audit or self.path('audit.jsonl'), '--log-level', 'off']

    def starts(self):
        try:
            with open(self.path('audit.jsonl')) as log:
                return [json.loads(l)['port'] for l in log if '"started"' in l]
        except (OSError, ValueError):
            return []

    def start(self, *more, **options):
        before = len(self.starts())
        self.process = subprocess.Popen([*self.command(), *more], **options)
        for _ in range(1200):
            found = self.starts()
            if len(found) > before:
                self.port = found[-1]
                return self
            time.sleep(0.05)
        raise AssertionError('the server does not start')

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def at_server(self, user, *a, port=None):
        return subprocess.run([os.path.join(self.bin, 'prose-keys'), *a, '--server', 'function.example', '--port', str(port or self.port), '--user', user,
                               '--ca', self.tls + '/ca.crt', '--certificate', '%s/%s.crt' % (self.tls, user), '--tls-key',
                               '%s/%s.key' % (self.tls, user), '--key', self.path(user + '.key')], capture_output=True, text=True, timeout=100)

    def context(self, user=None, ca=None):
        """user None: shows no certificate; ca: the folder of another authority."""
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        c.minimum_version = c.maximum_version = ssl.TLSVersion.TLSv1_2
        if user:
            c.load_cert_chain('%s/%s.crt' % (ca or self.tls, user), '%s/%s.key' % (ca or self.tls, user))
        return c

    def connect(self, user, context=None, timeout=30, source=None):
        return connection(self.port, context or self.context(user), timeout, source)


class connection:
    def __init__(self, port, context, timeout=30, source=None):
        s = socket.create_connection(('127.0.0.1', port), timeout, (source, 0) if source else None)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = context.wrap_socket(s)
            self.hello = self.read()
        except BaseException:
            s.close()
            raise

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

    def send(self, **request):
        text = json.dumps(request).encode()
        self.tls.sendall(struct.pack('>I', len(text)) + text)

    def ask(self, **request):
        self.send(**request)
        return self.read()

    def close(self):
        self.tls.close()
