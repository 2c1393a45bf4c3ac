"""TLS messages built octet by octet, for what no library would send, and `openssl s_client`."""
import os, socket, ssl, struct, subprocess

ALERT, HANDSHAKE, DATA = 21, 22, 23
CLIENT_HELLO = 1
ECDHE_ECDSA_AES256_GCM, TLS13_AES256_GCM = 0xc02c, 0x1302


def record(kind, body, version=0x0303, length=None):
    return struct.pack('>BHH', kind, version, len(body) if length is None else length) + body


def handshake(kind, body, length=None):
    n = len(body) if length is None else length
    return struct.pack('>B', kind) + struct.pack('>I', n)[1:] + body


def vector(width, body):
    return len(body).to_bytes(width, 'big') + body


def extension(number, body):
    return struct.pack('>H', number) + vector(2, body)


GROUPS = extension(10, vector(2, struct.pack('>2H', 29, 23)))
POINTS = extension(11, vector(1, b'\0'))
SIGNATURES = extension(13, vector(2, struct.pack('>2H', 0x0403, 0x0503)))


def client_hello(suites=(ECDHE_ECDSA_AES256_GCM,), extensions=GROUPS + POINTS + SIGNATURES, version=0x0303):
    body = struct.pack('>H', version) + os.urandom(32) + vector(1, b'') + vector(2, b''.join(struct.pack('>H', s) for s in suites))
    return handshake(CLIENT_HELLO, body + vector(1, b'\0') + vector(2, extensions))


def early_data_hello():
    """A resumption of TLS 1.3 that brings data along: supported_versions, psk_key_exchange_modes, key_share, early_data, pre_shared_key."""
    offer = extension(43, vector(1, struct.pack('>2H', 0x0304, 0x0303))) + extension(45, vector(1, b'\1'))
    offer += extension(51, vector(2, struct.pack('>H', 29) + vector(2, os.urandom(32)))) + extension(42, b'')
    ticket = vector(2, os.urandom(64)) + struct.pack('>I', 1000)
    psk = extension(41, vector(2, ticket) + vector(2, vector(1, os.urandom(48))))
    return client_hello((TLS13_AES256_GCM, ECDHE_ECDSA_AES256_GCM), GROUPS + POINTS + SIGNATURES + offer + psk)


def tell(port, octets, timeout=30):
    """What the server answers before it closes; None if it does not close."""
    said = b''
    with socket.create_connection(('127.0.0.1', port), timeout) as s:
        try:
            s.sendall(octets)
            while got := s.recv(4096):
                said += got
        except socket.timeout:
            return None
        except OSError:
            pass
    return said


def kinds(octets):
    """Of whole records: their kinds."""
    found = []
    while len(octets) >= 5:
        found.append(octets[0])
        octets = octets[5 + struct.unpack('>H', octets[3:5])[0]:]
    return found


class Bio:
    """A TLS session whose records this side sends as it likes."""

    def __init__(self, port, context, timeout=30):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self._until(self.tls.do_handshake)

    def _until(self, call):
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outgoing.read())
                got = self.socket.recv(65536)
                if not got:
                    raise EOFError
                self.incoming.write(got)
            finally:
                if self.outgoing.pending:
                    self.socket.sendall(self.outgoing.read())

    def sealed(self, octets):
        """The record with this text, not sent."""
        self.tls.write(octets)
        return self.outgoing.read()

    def recv(self, n):
        try:
            return self._until(lambda: self.tls.read(n))
        except ssl.SSLZeroReturnError:
            return b''

    def close(self):
        self.socket.close()


def s_client(port, authority, user=None, *options, say=b'', timeout=60):
    """openssl's client to its end: its output and messages."""
    own = ['-cert', authority.path(user + '.crt'), '-key', authority.path(user + '.key')] if user else []
    r = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % port, '-CAfile', authority.path('ca.crt'), *own, *options],
                       input=say, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    return r.stdout.decode(errors='replace')
