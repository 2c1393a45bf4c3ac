"""Two servers and three UEs as processes: every secret of every session, and which of them opens what.

Recorded: the TLS sessions on their way (a proxy before each server), and the air. Known: every TLS session's secret and every link's record
keys, from the key logs that the UEs were told to write. Then: all secrets are distinct, and whoever knows all but one opens nothing of that
one. Fewer secrets open no more than these, so no proper subset does. Links are judged by the sniffer's compromise mode and, key by key, by
cross_open; TLS by a key schedule and record layer written here from RFC 5246 5 and 6.3, RFC 5288 3 and RFC 5705 4 over libcrypto.
"""
import ctypes, hashlib, hmac, itertools, json, os, socket, subprocess, threading, time

from tests.harness import sniffer
from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.paths import tool
from tests.harness.process import run, wait
from tests.harness.served import SERVERS, Served
from tests.harness.sniffer import Sniffer

UES = ('mary', 'john', 'peter')
LINKS = (('mary', 'john'), ('john', 'peter'))
ECDHE_ECDSA_AES_256_GCM_SHA384 = b'\xc0\x2c'


class Proxy:
    """Between one UE and one server; keeps what goes by: [(octets of the UE, octets of the server)] of each connection."""
    def __init__(self, port):
        self.to, self.connections = port, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            ours, _ = self.listener.accept()
            theirs = socket.create_connection(('127.0.0.1', self.to))
            kept = (bytearray(), bytearray())
            self.connections.append(kept)
            for a, b, seen in ((ours, theirs, kept[0]), (theirs, ours, kept[1])):
                threading.Thread(target=self.pump, args=(a, b, seen), daemon=True).start()

    @staticmethod
    def pump(a, b, seen):
        try:
            while data := a.recv(65536):
                seen += data
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


libcrypto = ctypes.CDLL('libcrypto.so.3')
for name in ('EVP_CIPHER_CTX_new', 'EVP_aes_256_gcm'):
    getattr(libcrypto, name).restype = ctypes.c_void_p
GCM, GCM_CONTEXT = ctypes.c_void_p(libcrypto.EVP_aes_256_gcm()), ctypes.c_void_p(libcrypto.EVP_CIPHER_CTX_new())


def open_gcm(key, nonce, ad, sealed):
    """The plain text; None where the tag does not fit."""
    plain, n, c = ctypes.create_string_buffer(len(sealed)), ctypes.c_int(), GCM_CONTEXT
    assert libcrypto.EVP_DecryptInit_ex(c, GCM, None, key, nonce) == 1
    assert libcrypto.EVP_CIPHER_CTX_ctrl(c, 0x11, 16, sealed[-16:]) == 1  # EVP_CTRL_AEAD_SET_TAG
    assert libcrypto.EVP_DecryptUpdate(c, None, ctypes.byref(n), ad, len(ad)) == 1
    assert libcrypto.EVP_DecryptUpdate(c, plain, ctypes.byref(n), sealed[:-16], len(sealed) - 16) == 1
    return plain.raw[:len(sealed) - 16] if libcrypto.EVP_DecryptFinal_ex(c, None, ctypes.byref(n)) == 1 else None


def prf(secret, label, seed, size):
    out, a = b'', label + seed
    while len(out) < size:
        a = hmac.digest(secret, a, 'sha384')
        out += hmac.digest(secret, a + label + seed, 'sha384')
    return out[:size]


class Session:
    """One recorded TLS session: its randoms and its protected records."""
    def __init__(self, name, kept):
        self.name, self.records = name, []  # (side, sequence number, type, body)
        self.randoms = []
        for side, stream in enumerate(bytes(k) for k in kept):
            at, protected = 0, None
            while at + 5 <= len(stream):
                kind, size = stream[at], int.from_bytes(stream[at + 3:at + 5], 'big')
                body = stream[at + 5:at + 5 + size]
                if len(body) < size:
                    break
                if protected is not None:
                    self.records.append((side, protected, kind, body))
                    protected += 1
                elif kind == 20:  # ChangeCipherSpec
                    protected = 0
                elif len(self.randoms) == side:  # the first message: a Hello
                    assert kind == 22 and body[0] == 1 + side
                    self.randoms.append(body[6:38])
                    if side == 1:
                        suite = 39 + body[38]
                        assert body[suite:suite + 2] == ECDHE_ECDSA_AES_256_GCM_SHA384
                at += 5 + size

    def keys(self, master):
        """(key, salt) of the UE's records and of the server's."""
        block = prf(master, b'key expansion', self.randoms[1] + self.randoms[0], 72)
        return (block[:32], block[64:68]), (block[32:64], block[68:])

    def exported(self, master):
        return prf(master, b'EXPORTER prose separation', self.randoms[0] + self.randoms[1], 32)

    def open(self, both, record):
        side, n, kind, body = record
        key, salt = both[side]
        ad = n.to_bytes(8, 'big') + bytes([kind, 3, 3]) + (len(body) - 24).to_bytes(2, 'big')
        return open_gcm(key, salt + body[:8], ad, body[8:])


KEY_LOG = (r'(?m)^  cache: .*', r'\g<0>\n  keylog: mary.tls')


def secrets_are_written_only_if_the_configuration_permits_it_and_only_where_others_cannot_read(w):
    def refused(word, *edits):
        p = w.ue('mary', edits=(KEY_LOG, *edits)).p
        code, err = p.wait(20), w.p['mary'].said().strip()
        assert code == 2 and err.count('\n') == 0 and word in err, (code, err)
        return err
    err = refused('allow_keylog: true')
    line = [n for n, l in enumerate(text_of(w.path('mary.yaml')).splitlines(), 1) if 'keylog: mary.tls' in l]
    assert 'mary.yaml:%d: ' % line[0] in err
    assert not os.path.exists(w.path('mary.tls'))
    write(w.path('mary.tls'), '', 0o640)
    refused('others may read it', (r'(?m)^allow_keylog: .*', 'allow_keylog: true'))
    os.remove(w.path('mary.tls'))


def record(w):
    """Everybody talks to everybody he may talk to, over several epochs. The proxies, by (UE, server)."""
    for s in SERVERS:
        w.serve(s)
    w.grant_each_other(UES, SERVERS[:1], LINKS)
    between = {(u, s): Proxy(w.port[s]) for u in UES for s in SERVERS}
    listens = w.p['sniffer'] = Sniffer(w.air, w.path('sniffer.jsonl'), '--config', sniffer.configure(w.path('sniffer.yaml'), 2, 25, 'gnss'), '--plain', '--record',
                                       w.path('air.sigmf-meta'))
    for u in UES:
        w.ue(u, edits=((r'(?m)^  kind: none', '  kind: stdin'), (r'(?m)^  epoch_min_s: .*', '  epoch_min_s: 2'), (r'(?m)^  epoch_max_s: .*', '  epoch_max_s: 3'),
                       (r'(?m)^allow_keylog: .*', 'allow_keylog: true'), (KEY_LOG[0], KEY_LOG[1].replace('mary', u))),
             options=('--keylog', w.path(u + '.keylog')), port={s: between[u, s].port for s in SERVERS})
    peers = {u: [b if u == a else a for a, b in LINKS if u in (a, b)] for u in UES}
    wait(lambda: all({e['server'] for e in w.of(u, 'server_session')} == set(SERVERS) for u in UES))
    wait(lambda: all({e['peer'] for e in w.of(u, 'link_established')} == set(peers[u]) for u in UES))

    def talked():
        for u in UES:
            for to in peers[u] + ['server:' + s for s in SERVERS]:
                w.p[u].say('%s %s to %s, nobody else %s' % (to, u, to, time.time()))
        time.sleep(0.1)
        return all(len(w.of(u, 'data_rx', to)) >= 25 for u in UES for to in peers[u] + ['server:' + s for s in SERVERS]) and \
            all(len(w.of(u, 'epoch', p)) >= 2 for u in UES for p in peers[u])
    wait(talked)
    for u in UES:
        assert 'KEY LOG' in w.p[u].said() and len(w.of(u, 'keylog')) == 2
        w.stop(u)
    listens.stop()
    return between


def tls_sessions(w, between):
    """{session: master secret} of what was recorded and logged."""
    out = {}
    for (u, s), p in between.items():
        assert os.stat(w.path(u + '.tls')).st_mode & 0o777 == 0o600
        logged = dict(l.split()[1:] for l in text_of(w.path(u + '.tls')).splitlines() if l.startswith('CLIENT_RANDOM '))
        assert len(logged) == len(SERVERS), logged
        for i, kept in enumerate(p.connections):
            x = Session('%s-%s-%d' % (u, s, i), kept)
            out[x] = bytes.fromhex(logged[x.randoms[0].hex()])
        # What the UE shows its user is the fingerprint of this very secret.
        assert [e['key_fingerprint'] for e in w.of(u, 'server_session') if e['server'] == s] == \
            [hashlib.sha256(m).hexdigest()[:16] for x, m in out.items() if x.name.startswith('%s-%s-' % (u, s))]
    assert len(out) == len(UES) * len(SERVERS), [x.name for x in out]
    return out


def link_lines(w):
    """The lines of both links' key logs. Both ends of a link logged the same, but for an epoch (two directions) that one end came to just before the
    link ended and the other did not."""
    lines = {u: [l for l in text_of(w.path(u + '.keylog')).splitlines() if l.startswith('PROSE_RECORD_KEY ')] for u in UES}
    for u in ('mary', 'peter'):
        assert set(lines[u]) - set(lines['john']) <= set(lines[u][-2:]), (u, lines)
    assert len(set(lines['john']) - set(lines['mary']) - set(lines['peter'])) <= 2 * len(LINKS), lines
    links = {LINKS[0]: lines['mary'], LINKS[1]: lines['peter']}
    for l in links.values():  # two directions, three epochs or more
        assert len(l) == len(set(l)) >= 6, l
    return links


def key_of(line):
    return bytes.fromhex(line.split()[5])


def all_distinct(tls, links):
    secrets = {}
    for x, master in tls.items():
        (ue, _), (server, _) = x.keys(master)
        secrets.update({x.name + ' master': master, x.name + ' UE': ue, x.name + ' server': server, x.name + ' exported': x.exported(master)})
    for l, lines in links.items():
        secrets.update({'%s-%s %s' % (*l, ' '.join(line.split()[2:5])): key_of(line) for line in lines})
    assert len(secrets) == 4 * len(tls) + sum(map(len, links.values()))
    for (a, x), (b, y) in itertools.combinations(secrets.items(), 2):
        assert x not in y and y not in x, (a, b)
    print('%d secrets, all distinct' % len(secrets))
    return secrets


def tls_opens_with_its_own_secret_only(tls, links):
    trials = 0
    for x, master in tls.items():
        own = x.keys(master)
        said = [x.open(own, r) for r in x.records]
        assert None not in said, x.name  # the control
        text = b''.join(said)
        assert b'"op":"register"' in text and b'"answer":"hello"' in text, (x.name, text[:300])
        assert not any(b'"op"' in body or b'"answer"' in body for _, _, _, body in x.records)
        # Everything else that there is to know: the other secrets with this session's randoms and salts, which are public or short; their
        # traffic and exported keys and all keys of links as they are.
        others = []
        for y, m in tls.items():
            if y is x:
                continue
            others += [x.keys(m), y.keys(m)]
            others += [tuple((k, salt) for _, salt in own) for k in (m[:32], m[16:], y.exported(m), *(key for key, _ in y.keys(m)))]
        others += [tuple((key_of(line), salt) for _, salt in own) for lines in links.values() for line in lines]
        for both in others:
            for r in x.records:
                trials += 1
                assert x.open(both, r) is None, x.name
    print('%d recorded TLS sessions, %d records: each opens with its own secret; %d trials with all others open none' % (
        len(tls), sum(len(x.records) for x in tls), trials))


def sniff(w, name, logs, memory):
    """What a sniffer with these key logs and this memory opens of the recorded air: {(SRC, DST): records}."""
    write(w.path(name + '.stolen'), '\n'.join(logs) + '\n')
    write(w.path(name + '.memory'), ''.join('%s %s\n' % m for m in memory))
    r = run('prose-sniffer', '--config', w.path('sniffer.yaml'), '--iq', w.path('air.sigmf-meta'), '--plain', '--verdict', '--epoch', '1.7e9', '--report',
            w.path(name + '.json'), '--compromised', w.path(name + '.stolen'), '--compromised', w.path(name + '.memory'), code=None)
    report = json.loads(text_of(w.path(name + '.json')))
    assert report['counts']['not_examined'] == 0
    opened = {}
    for o in report['opened_links']:
        key = ('%06x' % o['src'], '%06x' % o['dst'])
        opened[key] = opened.get(key, 0) + o['records_opened']
    return r.returncode, opened


def links_open_with_their_own_keys_only(w, tls, links, secrets):
    ids = {l: {tuple(line.split()[3:5]) for line in lines} for l, lines in links.items()}
    ivs = [('IV', line.split()[6]) for lines in links.values() for line in lines]
    memory = [(n.replace(' ', '_'), x.hex()) for n, x in secrets.items() if n.endswith((' UE', ' server', ' exported'))]
    memory += [('half_of_a_master', m[i:i + 32].hex()) for m in tls.values() for i in (0, 16)] + ivs
    code, opened = sniff(w, 'all', links[LINKS[0]] + links[LINKS[1]], memory)
    heard = {l: sum(n for k, n in opened.items() if k in ids[l]) for l in LINKS}
    assert min(heard.values()) >= 20 and set(opened) <= ids[LINKS[0]] | ids[LINKS[1]], opened  # the control
    for left_out, known in (LINKS, LINKS[::-1]):
        code, opened = sniff(w, 'without_' + '_'.join(left_out), links[known], memory)
        assert set(opened) <= ids[known] and sum(opened.values()) == heard[known], (left_out, opened)
        assert code == 0, (left_out, code)  # opaque: nothing opened but what the thief may open
    print('records opened by the sniffer: %s; with all other secrets of two servers and the other link: none' % {'-'.join(l): n for l, n in heard.items()})
    # A single record key left out: one direction in one epoch.
    every, used = links[LINKS[0]] + links[LINKS[1]], 0
    for line in every:
        write(w.path('one'), line + '\n')
        write(w.path('others'), '\n'.join(l for l in every if l != line) + '\n')
        r = subprocess.run([tool('cross_open'), w.path('sniffer.jsonl'), w.path('others'), w.path('one')], check=True, capture_output=True, text=True)
        found = json.loads(r.stdout)
        assert found['both'] == 0, (line.split()[:5], found)
        used += found['second'] > 0
    assert used >= 8, used  # two directions of two links in two epochs at least were heard
    print('%d record keys, %d of them heard in use: no record opens with two of them' % (len(every), used))


def test_no_secret_opens_what_another_protects():
    begin = time.time()
    with Served(UES, SERVERS, speed='max') as w:
        secrets_are_written_only_if_the_configuration_permits_it_and_only_where_others_cannot_read(w)
        between = record(w)
        print('recorded after %.1f s' % (time.time() - begin), flush=True)
        tls, links = tls_sessions(w, between), link_lines(w)
        secrets = all_distinct(tls, links)
        tls_opens_with_its_own_secret_only(tls, links)
        links_open_with_their_own_keys_only(w, tls, links, secrets)
    print('%.1f s' % (time.time() - begin))


if __name__ == '__main__':
    main()
