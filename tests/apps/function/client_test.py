"""prose-function against `openssl s_client` and against TLS that is built octet by octet: groups, renegotiation, 0-RTT, halves of
records, slow readers, huge and expired certificates."""
import concurrent.futures, json, os, re, shutil, socket, ssl, struct, subprocess, sys, tempfile, unittest

from tests.apps.function import raw_tls
from tests.apps.function.raw_tls import Bio, extension, handshake, record, s_client, tell
from tests.harness.files import write
from tests.harness.function import NAME, Frames, Server, closed_by_server
from tests.harness.paths import tool
from tests.harness.process import wait

LIMITS = 'limits: {handshake_s: 3, frame_s: 3, idle_s: 3}\n'
# Longer than the server's limits, on a busy machine.
PATIENCE_S = 60


class clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.s = Server(cls.folder.name, ('mary', 'john'))
        write(cls.s.path('function.yaml'), LIMITS)
        cls.s.start('--config', cls.s.path('function.yaml'))
        cls.port, cls.authority = cls.s.port, cls.s.authority

    @classmethod
    def tearDownClass(cls):
        cls.s.kill()
        cls.folder.cleanup()

    def tearDown(self):
        """Whatever was sent: others are served."""
        c = self.s.connect('john')
        self.assertEqual(c.ask(op='list')['answer'], 'list')
        c.close()

    def failures(self):
        return [e['what'] for e in self.s.audit() if 'handshake failed' in e.get('what', '')]

    def test_groups_x25519_and_p_256_first(self):
        for offered, taken in (('P-521:P-384:P-256:X25519', 'X25519'), ('P-521:P-384:P-256', 'P-256'), ('X448:P-256:X25519', 'X25519'),
                               ('P-521', None), ('X448:P-521', None)):
            self.group(self.s, offered, taken)

    def test_p_384_where_the_other_side_knows_no_better(self):
        # A client that knows P-384 alone takes no certificate of P-256 either.
        with tempfile.TemporaryDirectory() as folder:
            s = Server(folder, ('mary',))
            self.issue(NAME, authority=s.authority, curve='P-384', use='serverAuth')
            self.addCleanup(s.kill)
            s.start()
            for offered, taken in (('P-384', 'P-384'), ('P-521:P-384', 'P-384'), ('P-521:P-384:P-256', 'P-256'), ('P-384:X25519', 'X25519'),
                                   ('P-521', None)):
                self.group(s, offered, taken)

    def test_certificates_of_these_groups_only(self):
        for curve, taken in (('P-256', True), ('P-384', True), ('P-521', False), ('brainpoolP256r1', False), ('secp256k1', False)):
            with self.subTest(curve):
                self.issue('curve', curve=curve)
                c = self.s.context('curve')
                if taken:
                    self.assertEqual(self.s.connect('curve', c).hello['answer'], 'hello')
                else:
                    with closed_by_server():
                        self.s.connect('curve', c)

    def group(self, server, offered, taken):
        said = s_client(server.port, server.authority, 'mary', '-tls1_2', '-groups', offered)
        names = {'X25519': 'X25519', 'prime256v1': 'P-256', 'secp384r1': 'P-384'}
        found = [re.split('[:,] ', l) for l in said.splitlines() if 'Temp Key: ' in l]
        self.assertEqual([names.get(w, w) for f in found for w in f if w in {*names, *names.values()}], [taken] if taken else [], said)
        if taken is None:
            self.assertIn('handshake failure', said)

    def test_no_renegotiation(self):
        said = s_client(self.port, self.authority, 'mary', '-tls1_2', say=b'R\n')
        self.assertIn('RENEGOTIATING', said)
        self.assertRegex(said, 'no renegotiation|no_renegotiation')

    def test_no_0_rtt(self):
        said = tell(self.port, record(raw_tls.HANDSHAKE, raw_tls.early_data_hello()) + record(raw_tls.DATA, os.urandom(64)), PATIENCE_S)
        self.assertIsNotNone(said)
        self.assertIn(raw_tls.ALERT, raw_tls.kinds(said))
        self.assertNotIn(raw_tls.DATA, raw_tls.kinds(said))
        early = self.s.path('early')
        write(early, 'early')
        # s_client brings early data only with a session of TLS 1.3, and such a session there is none.
        session = self.s.path('session')
        s_client(self.port, self.authority, 'mary', '-sess_out', session)
        said = s_client(self.port, self.authority, 'mary', '-sess_in', session, '-early_data', early)
        self.assertNotIn('Early data was accepted', said)
        self.assertRegex(said, r'(?m)^New, TLSv1\.2, ')  # and not "Reused, "

    def test_half_a_record_waits_and_ends(self):
        b = Bio(self.port, self.s.context('mary'), PATIENCE_S)
        frames = Frames(b)
        self.assertEqual(frames.read()['answer'], 'hello')
        text = json.dumps({'op': 'list'}).encode()
        sealed = b.sealed(struct.pack('>I', len(text)) + text)
        b.socket.sendall(sealed[:len(sealed) // 2])
        self.tearDown()  # meanwhile others are served
        b.socket.sendall(sealed[len(sealed) // 2:])
        self.assertEqual(frames.read()['answer'], 'list')
        b.socket.sendall(b.sealed(struct.pack('>I', len(text)) + text)[:-1])
        with self.assertRaises(EOFError):  # closed, for want of the last octet
            b.recv(1)
        b.close()

    def test_who_reads_nothing_is_closed(self):
        c = self.s.connect('mary', timeout=PATIENCE_S)
        c.tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = json.dumps({'op': 'list'}).encode()
        with closed_by_server():  # it does not take more requests, and then closes
            for _ in range(100_000):
                c.tls.sendall((struct.pack('>I', len(request)) + request) * 100)

    def broken_messages(self):
        hello = raw_tls.client_hello()
        whole = record(raw_tls.HANDSHAKE, hello)
        sni = extension(0, vector_of_names(b'x' * 60_000))
        yield 'half a header', whole[:3]
        yield 'half a record', whole[:len(whole) // 2]
        yield 'an empty record', record(raw_tls.HANDSHAKE, b'')
        yield 'a thousand empty records', record(raw_tls.HANDSHAKE, b'') * 1000
        yield 'a record longer than 2^14 octets', record(raw_tls.HANDSHAKE, bytes(20_000))
        yield 'a length that nothing follows', record(raw_tls.HANDSHAKE, b'', length=0xffff)
        yield 'a message of 16 MiB', record(raw_tls.HANDSHAKE, handshake(1, hello[4:], length=0xffffff))
        yield 'data first', record(raw_tls.DATA, os.urandom(100))
        yield 'a change of ciphers first', record(20, b'\1') + whole
        yield 'alerts alone', record(raw_tls.ALERT, b'\1\x64') * 2000
        yield 'SSL 2', bytes.fromhex('802e0100020015000000100100800200800300800400800500800600400700c0') + os.urandom(16)
        yield 'octet by octet in records', b''.join(record(raw_tls.HANDSHAKE, hello[i:i + 1]) for i in range(len(hello)))
        yield 'an extension twice', record(raw_tls.HANDSHAKE, raw_tls.client_hello(extensions=raw_tls.GROUPS * 2 + raw_tls.POINTS + raw_tls.SIGNATURES))
        yield 'a name of 60 000 octets', record(raw_tls.HANDSHAKE, raw_tls.client_hello(extensions=raw_tls.GROUPS + sni)[:16_000])
        yield 'no suite', record(raw_tls.HANDSHAKE, raw_tls.client_hello(suites=()))
        yield 'a renegotiation that nothing went before', record(raw_tls.HANDSHAKE, raw_tls.client_hello(extensions=raw_tls.GROUPS + extension(0xff01, b'\x0c' + bytes(12))))
        yield 'a certificate first', record(raw_tls.HANDSHAKE, handshake(11, bytes(1000)))
        yield 'a finish right behind the greeting', whole + record(20, b'\1') + record(raw_tls.HANDSHAKE, os.urandom(40))
        yield 'the greeting twice', whole + whole
        yield 'a heartbeat', whole + record(24, b'\1\xff\xff')

    def test_broken_messages_end_their_connection(self):
        before = len(self.failures())
        cases = list(self.broken_messages())
        # All at once: most of them end when their time is over.
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            answers = list(pool.map(lambda c: tell(self.port, c[1], PATIENCE_S), cases))
        for (what, _), said in zip(cases, answers):
            with self.subTest(what):
                self.assertIsNotNone(said, 'the server keeps the connection')
                self.assertNotIn(raw_tls.DATA, raw_tls.kinds(said))
        self.assertGreater(len(self.failures()), before)
        self.assertLessEqual({e.get('account') for e in self.s.audit()}, {None, '', 'mary', 'john', 'small', 'large'})

    def issue(self, name, authority=None, curve='P-256', use='clientAuth', extensions=''):
        """A certificate of the server's own authority, by openssl."""
        a = authority or self.authority
        write(a.path(name + '.ext'), 'extendedKeyUsage=' + use + '\nbasicConstraints=CA:FALSE\n' + extensions)
        for command in (['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:' + curve, '-nodes', '-keyout', a.path(name + '.key'), '-subj', '/CN=' + name,
                         '-out', a.path(name + '.csr')],
                        ['x509', '-req', '-in', a.path(name + '.csr'), '-CA', a.path('ca.crt'), '-CAkey', a.path('ca.key'), '-CAcreateserial', '-out',
                         a.path(name + '.crt'), '-extfile', a.path(name + '.ext'), '-days', '1']):
            r = subprocess.run(['openssl', *command], capture_output=True, text=True)
            self.assertEqual(r.returncode, 0, r.stderr)

    def test_huge_certificates(self):
        # 12 KB fit into a record of TLS; 50 KB need several, which mbedTLS does not put together.
        for name, names, taken in (('small', 3, True), ('large', 280, True), ('huge', 1200, False)):
            self.issue(name, extensions='subjectAltName=' + ','.join('DNS:%032d.example' % i for i in range(names)) + '\n')
            c = self.s.context(name)
            if taken:
                self.assertEqual(self.s.connect(name, c).hello['answer'], 'hello', name)
            else:
                with closed_by_server():
                    self.s.connect(name, c)
        # A long chain of what is not needed.
        with open(self.authority.path('small.crt')) as f:
            one = f.read()
        write(self.authority.path('chain.crt'), one + ''.join(open(self.authority.path('ca.crt')).read() for _ in range(100)))
        shutil.copy(self.authority.path('small.key'), self.authority.path('chain.key'))
        chain = self.s.context('chain')
        with closed_by_server():
            self.s.connect('chain', chain)

    def test_expired_certificates(self):
        subprocess.run([tool('issue_expired'), self.authority.folder, 'peter'], check=True, timeout=60)
        before = len(self.s.audit())
        said = s_client(self.port, self.authority, 'peter', '-tls1_2')
        self.assertRegex(said, 'certificate expired|bad certificate')
        # Of strangers the log has a line a second: this one's may have been left out.
        def told():
            s_client(self.port, self.authority, 'peter', '-tls1_2')
            return any('expired' in e.get('what', '') for e in self.s.audit()[before:])
        wait(told, PATIENCE_S)
        self.assertNotIn('peter', {e.get('account') for e in self.s.audit()})


def vector_of_names(name):
    return struct.pack('>H', min(0xffff, len(name) + 3)) + b'\0' + struct.pack('>H', len(name)) + name


if __name__ == '__main__':
    if shutil.which('openssl') is None:
        print('skipped: openssl is not installed')
        sys.exit(77)
    unittest.main(warnings='ignore')
