"""prose-page and what a browser says to it, in raw HTTP, so that a test can say wrong things too."""
import json, os, re, socket, time

from tests.harness.process import Background, wait


class Page(Background):
    """prose-page in the background; its address is `host`, its latest token `token`."""

    def __init__(self, log, *arguments, **more):
        self.out = log + '.out'
        with open(self.out, 'w') as out:
            super().__init__('prose-page', *arguments, log=log, stdout=out, **more)
        wait(lambda: self.addresses(), programs=[self], what='an address of prose-page')

    def addresses(self):
        with open(self.out) as f:
            return re.findall(r'(?m)^prose-page: http://(\S+)/\?token=(\w+)\n', f.read())

    @property
    def host(self):
        return self.addresses()[-1][0]

    @property
    def token(self):
        return self.addresses()[-1][1]

    @property
    def port(self):
        return int(self.host.rsplit(':', 1)[1])

    def connect(self, timeout=60):
        return socket.create_connection((self.host.rsplit(':', 1)[0].strip('[]'), self.port), timeout=timeout)


class Answer:
    def __init__(self, octets):
        head, _, self.body = octets.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        self.status = int(lines[0].split()[1])
        self.headers = {k.lower(): v for k, _, v in (l.partition(': ') for l in lines[1:])}

    def json(self):
        return json.loads(self.body)


def ask(page, method, path, headers=(), body=b''):
    """One request, with no header but those that are given: a list of pairs."""
    with page.connect() as s:
        head = '%s %s HTTP/1.1\r\n%s\r\n' % (method, path, ''.join('%s: %s\r\n' % h for h in headers))
        octets = b''
        try:
            s.sendall(head.encode('latin-1') + body)
            while True:
                got = s.recv(65536)
                octets += got
                if not got:
                    break
        except (ConnectionResetError, BrokenPipeError):  # refused before all of it was read
            pass
    assert octets.startswith(b'HTTP/1.1 '), octets[:200]
    return Answer(octets)


class Stream:
    """A connection to /stream. take() reads what has come; events are (name, value)."""

    def __init__(self, page, headers):
        self.s = page.connect()
        self.s.sendall(('GET /stream HTTP/1.1\r\n%s\r\n' % ''.join('%s: %s\r\n' % h for h in headers)).encode())
        self.raw, self.octets, self.events, self.ended, self.text, self.head = b'', 0, [], False, b'', b''
        self.s.settimeout(60)
        while b'\r\n\r\n' not in self.raw and not self.ended:
            self._receive()
        self.head, _, self.raw = self.raw.partition(b'\r\n\r\n')
        self.status = int(self.head.split()[1])
        self.s.setblocking(False)

    def _receive(self):
        try:
            got = self.s.recv(1 << 20)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            got = b''
        self.raw += got
        self.octets += len(got)
        self.ended = self.ended or not got
        return bool(got)

    def take(self):
        while self._receive():
            pass
        while True:  # chunks
            size, found, rest = self.raw.partition(b'\r\n')
            if not found or not re.fullmatch(rb'[0-9a-fA-F]+', size) or len(rest) < int(size, 16) + 2:
                break
            n = int(size, 16)
            self.text += rest[:n]
            self.raw = rest[n + 2:]
        *whole, self.text = self.text.split(b'\n\n')
        for e in whole:
            lines = e.decode().split('\n')
            if not lines[0].startswith('event: '):
                assert lines[0].startswith(':'), lines
                continue
            assert len(lines) == 2 and lines[1].startswith('data: '), lines
            self.events.append((lines[0][7:], json.loads(lines[1][6:])))
        return self.events

    def of(self, name):
        self.take()
        return [v for n, v in self.events if n == name]

    def items(self, name):
        """Those of events that are lists."""
        return [x for v in self.of(name) for x in v]

    def until(self, condition, what):
        return wait(lambda: condition(self), seconds=60, what=what)

    def close(self):
        self.s.close()


class Browser:
    """Has exchanged the token for a cookie."""

    def __init__(self, page):
        self.page = page
        a = ask(page, 'GET', '/?token=' + page.token, [('Host', page.host)])
        assert a.status == 303 and a.headers['location'] == '/', (a.status, a.headers)
        self.cookie = a.headers['set-cookie'].split(';')[0]
        self.set_cookie = a.headers['set-cookie']

    def headers(self, *more):
        return [('Host', self.page.host), ('Cookie', self.cookie), *more]

    def get(self, path, *more):
        return ask(self.page, 'GET', path, self.headers(*more))

    def post(self, value, *more, origin=None, kind='application/json'):
        """value: octets or what becomes JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return ask(self.page, 'POST', '/action', self.headers(('Origin', origin or 'http://' + self.page.host), ('Content-Type', kind),
                                                              ('Content-Length', str(len(body))), *more), body)

    def stream(self):
        return Stream(self.page, self.headers())
