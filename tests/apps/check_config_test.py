"""--check: what a start would say of a configuration and of the files that it names, without a start."""
import contextlib, functools, os, re, sqlite3, subprocess, tempfile

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import edited, text_of, write
from tests.harness.keys import Authority, Keys, prose_keys
from tests.harness.paths import ENV, SOURCE, program, tool
from tests.harness.untouched import KILLED_BY_SOCKET, SOCKET_CALL, tree, without_sockets

FOLDER = tempfile.TemporaryDirectory()
os.umask(0o022)  # of a group's rights the C library asks a service, through a socket
SERVER = 'function.example'


def path(name):
    return os.path.join(FOLDER.name, name)


# Everything that a configuration can name. The device is on no air, and the ports are those of nobody.
UE = '''name: mary
identity: {private_key: keys/mary.key, permissions: keys/mary.permit, mark: keys/mary.mark}
device: "type=virtual,name=mary,air=nobody_started_this"
radio_profile: profile.yaml
pc3:
  cache: said
  servers:
    - {name: function.example, port: 7999, ca: tls/ca.crt, certificate: tls/mary.crt, key: tls/mary.key}
data:
  kind: tun
  ipv4: 10.64.0.1
  hosts: hosts
  peers: [{name: john, ipv4: 10.64.0.2}]
events: %(folder)s/ue.jsonl
allow_keylog: true
keylog: %(folder)s/ue.keylog
metrics_port: 0
'''
PROFILE = 'power_dbm_at_gain_0: 5\ntx_limits: limits.yaml\ncenter_freq_hz: 5.9e9\nrx_gain_db: 10\n'
LIMITS = 'bands:\n  - {name: here, from_hz: 5.8e9, to_hz: 6.0e9, max_power_dbm: 20}\n'
FUNCTION = '''port: 0
tls: {ca: tls/ca.crt, certificate: tls/function.example.crt, key: tls/function.example.key, psks: psks}
store: function.db
audit: audit.jsonl
application: {listen: "127.0.0.1:0", forward: "127.0.0.1:9"}
denied: [peter]
'''
SNIFFER = '''device: "type=virtual,name=sniffer,air=nobody_started_this"
carrier: {prb: 25, tm: 2, cp: normal}
scene: scene.json
sync: gnss
events: %(folder)s/sniffer.jsonl
record: %(folder)s/kept.sigmf-meta
pcap: %(folder)s/sniffer.pcap
keylog: record.keylog
verdict: true
compromised: [keys/mary.key, keys/mary.permit]
known_plaintext: [plain.txt]
report: [%(folder)s/report.json, %(folder)s/report.html]
'''
KEYS = '''key: %(folder)s/keys/mary.key
permits: %(folder)s/keys/mary.permit
user: mary
server: {name: function.example, ca: tls/ca.crt, certificate: tls/mary.crt, key: tls/mary.key}
'''
FILES = {'ue.yaml': UE, 'profile.yaml': PROFILE, 'limits.yaml': LIMITS, 'function.yaml': FUNCTION, 'sniffer.yaml': SNIFFER, 'keys.yaml': KEYS,
         'iq.yaml': 'device: "type=virtual,name=iq"\nradio: {tx_limits: limits.yaml}\n', 'bler.yaml': 'trials: 100\ncsv: %(folder)s/x.csv\nplot: %(folder)s/x.png\n',
         'air.yaml': text_of(os.path.join(SOURCE, 'configs', 'air.yaml')), 'scene.json': '{"carrier": {"n_prb": 25, "transmission_mode": 2}}', 'record.keylog': '',
         'plain.txt': 'a text that no air shows'}
# Program -> options that a start has beside --config.
PROGRAMS = {'ue': (), 'function': (), 'sniffer': (), 'air': ('--events', '%(folder)s/air.jsonl'), 'iq': (), 'bler': ('--channel', 'pscch'), 'keys': ()}


@functools.cache
def world():
    """All of it, made once. Tests change it and put it back."""
    keys = Keys(path('keys'))
    prose_keys('gen', '--psk', path('keys/pair.psk'))
    prose_keys('permit', '--permits', path('keys/mary.permit'), '--remove', 'john')
    prose_keys('permit', '--permits', path('keys/mary.permit'), 'john', keys.public('john'), '--psk', path('keys/pair.psk'))
    prose_keys('grant', 'john', '--trust-first', '--key', path('keys/mary.key'))
    Authority(path('tls'), [SERVER, 'other.example'], ['mary'])
    os.mkdir(path('psks'))
    for name, text in FILES.items():
        write(path(name), text if name == 'air.yaml' else text % {'folder': FOLDER.name})
    return keys


def run(name, *arguments, **more):
    folder = {'folder': FOLDER.name}
    return subprocess.run([program('prose-' + name), *(a % folder for a in arguments)], env=ENV, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **more)


def check(name, *arguments):
    """--check of NAME.yaml, with the world untouched and no socket."""
    shared = set(os.listdir('/dev/shm'))
    before = tree(FOLDER.name)
    r = run(name, '--config', path(name + '.yaml'), *PROGRAMS[name], '--check', *arguments, preexec_fn=without_sockets)
    after = tree(FOLDER.name)
    assert before == after, (name, [p for p in before.keys() | after.keys() if before.get(p) != after.get(p)], r.stderr)
    assert not [s for s in set(os.listdir('/dev/shm')) - shared if 'nobody_started_this' in s]
    return r


def is_right(name, *arguments):
    r = check(name, *arguments)
    assert (r.returncode, r.stdout, r.stderr) == (0, 'prose-%s: %s is right\n' % (name, path(name + '.yaml')), ''), r


def test_a_right_configuration_is_told_and_nothing_is_touched():
    world()
    for name in PROGRAMS:
        is_right(name)
    # A second time beside the outputs and state of earlier runs, which stay.
    outputs = ('ue.jsonl', 'ue.keylog', 'sniffer.jsonl', 'kept.sigmf-data', 'sniffer.pcap', 'report.json', 'audit.jsonl', 'air.jsonl')
    kept = {n: write(path(n), 'of an earlier run\n', 0o600) for n in outputs}
    kept['hosts'] = write(path('hosts'), '# prose hosts 1\n', 0o600)
    for name in PROGRAMS:
        is_right(name)
    for f in kept.values():
        os.remove(f)


def test_the_watch_sees_a_start():
    """The control: the same watch over a start finds a socket and files."""
    world()
    before = tree(FOLDER.name)
    r = run('function', '--config', path('function.yaml'), preexec_fn=without_sockets)
    made = set(tree(FOLDER.name)) - set(before)
    assert path('function.db') in made, made
    assert SOCKET_CALL is None or r.returncode == KILLED_BY_SOCKET, r
    for f in made:
        os.remove(f)


def test_a_store_that_is_there_is_only_looked_at():
    world()
    run('function', '--config', path('function.yaml'), preexec_fn=without_sockets)
    made = [path(f) for f in os.listdir(FOLDER.name) if f.startswith('function.db')]
    assert made
    is_right('function')
    for f in made:
        os.remove(f)


def test_words_and_exit_code_without_a_configuration():
    for name in ('air', 'bler', 'iq', 'keys'):
        r = run(name, '--check', preexec_fn=without_sockets)
        assert (r.returncode, r.stdout, r.stderr) == (0, 'prose-%s: what the command line says is right\n' % name, ''), r
    r = run('ue', '--check')
    assert r.returncode == 2 and r.stderr.count('\n') == 1 and '--config' in r.stderr, r
    r = run('air', '--check', '--print-config')
    assert r.returncode == 2 and r.stderr.count('\n') == 1 and '--check' in r.stderr, r


def one_line(r, words):
    assert r.returncode == 2 and r.stdout == '' and r.stderr.count('\n') == 1 and all(w in r.stderr for w in words), (r, words)


def told_alike(name, words, *start):
    """The mistake is that of a start, word for word."""
    checked = check(name)
    one_line(checked, words)
    started = run(name, '--config', path(name + '.yaml'), '--log-level', 'off', *PROGRAMS[name], *start)
    assert (started.returncode, started.stderr) == (2, checked.stderr), (started, checked)


class changed:
    """A file of the world with another text, other rights, or away; afterwards as before."""

    def __init__(self, name, *edits, text=None, mode=None, gone=False):
        self.file, self.edits, self.new, self.mode, self.gone = path(name), edits, text, mode, gone

    def __enter__(self):
        self.was = None
        if os.path.exists(self.file):
            self.was = open(self.file, 'rb').read(), os.stat(self.file).st_mode & 0o777
        if self.gone:
            os.remove(self.file)
            return
        if self.new is not None or self.edits:
            write(self.file, self.new if self.new is not None else edited(text_of(self.file), *self.edits))
        if self.mode is not None:
            os.chmod(self.file, self.mode)

    def __exit__(self, *_):
        if self.was is None:
            os.remove(self.file)
        else:
            write(self.file, self.was[0], self.was[1])


def test_mistakes_of_a_ue():
    world()
    with Air() as air:
        device = changed('ue.yaml', (r'air=\w+', 'air=' + air.name), (r'kind: tun', 'kind: none'))
        for change, words in (
                (changed('ue.yaml', (r'name: mary', 'nam: mary')), ('ue.yaml:1', "'nam' is not a known key")),
                (changed('ue.yaml', (r'metrics_port: 0', 'metrics_port: 70000')), ('metrics_port', '65535')),
                (changed('ue.yaml', (r'allow_keylog: true\n', '')), ('--keylog', 'allow_keylog')),
                (changed('ue.yaml', (r'name: john', 'name: peter'), (r'pc3:\n(  .*\n)+', '')), ("'peter' is not among the permitted peers",)),
                (changed('ue.yaml', (r'events: .*', 'events: ' + FOLDER.name)), (FOLDER.name, 'Is a directory')),
                (changed('ue.yaml', (r'keylog: .*/', 'keylog: %s/none/' % FOLDER.name)), ('none/ue.keylog', 'No such file')),
                (changed('ue.yaml', (r'events: .*', 'events: %s/keys/mary.key' % FOLDER.name)), ('would overwrite what identity.private_key reads',)),
                (changed('profile.yaml', text='clock_source: sundial\n'), ('profile.yaml:1', 'internal, external, gpsdo')),
                (changed('profile.yaml', (r'at_gain_0: 5', 'at_gain_0: 25')), ('tx_gain_db', 'dBm')),
                (changed('limits.yaml', (r'5.8e9', '5.95e9')), ('is in no band of tx_limits',)),
                (changed('limits.yaml', (r'from_hz', 'frm_hz')), ('limits.yaml:2', 'from_hz')),
                (changed('keys/mary.key', gone=True), ('identity.private_key', 'No such file')),
                (changed('keys/mary.key', mode=0o644), ('identity.private_key', 'chmod 600')),
                (changed('keys/mary.permit', text='john notakey\n'), ('identity.permissions', 'mary.permit:1')),
                (changed('keys/pair.psk', gone=True), ('mary.permit: john: psk=', 'No such file')),
                (changed('keys/mary.mark', text='words\n', mode=0o600), ('identity.mark', 'mary.mark')),
                (changed('keys/mary.key.consent', text='# prose consent 99\n', mode=0o600), ('mary.key.consent:1', 'newer program')),
                (changed('keys/mary.key.consent.pending', text='john x\n', mode=0o600), ('consent.pending:1',)),
                (changed('tls/mary.crt', gone=True), ('mary.crt',)),
                (changed('tls/mary.key', mode=0o644), ('tls/mary.key', 'chmod 600')),
                (changed('said.function.example.said', text='words\n', mode=0o600), ('said.function.example.said',))):
            with device, change:
                told_alike('ue', words)
        for f in ('ue.jsonl', 'ue.keylog'):
            if os.path.exists(path(f)):
                os.remove(path(f))
    # Of the interface, which a start opens only with the right to it. Addresses that would be drawn are not written.
    drawn = (r'  ipv4: 10.64.0.1\n', ''), (r', ipv4: 10.64.0.2', '')
    with changed('ue.yaml', *drawn):
        is_right('ue')
    for change, words in ((changed('hosts', text='127.0.0.1 localhost\n', mode=0o600), ('hosts', 'did not write')),
                          (changed('keys/mary.key.ipv4', text='# prose ipv4-addresses 1\njohn x\n', mode=0o600), ('mary.key.ipv4:2',))):
        with change, changed('ue.yaml', *drawn):
            one_line(check('ue'), words)


def test_mistakes_of_a_sniffer():
    world()
    with Air() as air:
        device = changed('sniffer.yaml', (r'air=\w+', 'air=' + air.name))
        for change, words in (
                (changed('sniffer.yaml', (r'sync: gnss', 'sync: soon')), ('sniffer.yaml:4', 'slss, aligned')),
                (changed('sniffer.yaml', (r'sync: gnss', 'sync: aligned')), ('--sync aligned',)),
                (changed('sniffer.yaml', (r'pcap: .*\n', '')), ('--keylog', '--pcap')),
                (changed('sniffer.yaml', (r'scene: .*\n', 'pools: [{kind: v2x, size: 10, count: 5}]\n')), ('v2x', 'contradicts')),
                (changed('sniffer.yaml', (r'report\.html', 'none/report.html')), ('--report', 'none/report.html')),
                (changed('sniffer.yaml', (r'kept\.sigmf-meta', 'none/kept.sigmf-meta')), ('--record', 'none/kept')),
                (changed('sniffer.yaml', (r'record: .*', 'annotate: x.sigmf-meta')), ('--annotate', '--iq')),
                (changed('scene.json', text='{"carrier": {"n_prb": 240}}'), ('scene.json',)),
                (changed('record.keylog', text='words\n'), ('record.keylog:1',)),
                (changed('plain.txt', text='x'), ('plain.txt', 'shorter')),
                (changed('keys/mary.permit', gone=True), ('mary.permit',))):
            with device, change:
                told_alike('sniffer', words)
    with changed('sniffer.yaml', (r'device: .*', 'iq: nowhere.sigmf-meta')):
        told_alike('sniffer', ('nowhere.sigmf-meta', 'no such file'))


def test_mistakes_of_a_server():
    world()
    subprocess.run([tool('issue_expired'), path('tls'), 'old.example'], check=True)
    with tempfile.TemporaryDirectory() as other:
        with contextlib.closing(sqlite3.connect(os.path.join(other, 'newer.db'))) as db:
            db.execute('PRAGMA user_version = 2')
        newer = open(os.path.join(other, 'newer.db'), 'rb').read()
    for change, words in (
            (changed('function.yaml', (r'port: 0', 'port: 70000')), ('function.yaml:1', '65535')),
            (changed('function.yaml', (r'port: 0', 'port: 0\naddress: here')), ("address 'here'", 'IPv4 or IPv6')),
            (changed('function.yaml', (r'port: 0', 'port: 0\nname: another.example')), ('its common name is', 'another.example')),
            (changed('function.yaml', (r'listen: "127.0.0.1:0"', 'listen: "here"')), ('application.listen', 'ADDRESS:PORT')),
            (changed('function.yaml', (r'forward: "127.0.0.1:9"', 'forward: "there"')), ('application.forward', 'ADDRESS:PORT')),
            (changed('function.yaml', (r'denied: \[peter\]', 'denied: [pe ter]')), ('denied', 'names of users')),
            (changed('function.yaml', (r'key: tls/function.example', 'key: tls/other.example')), ('not the key of',)),
            (changed('function.yaml', (r'psks: psks', 'psks: none')), ('none', 'not a folder')),
            (changed('function.yaml', *((kind + ': tls/function.example', kind + ': tls/old.example') for kind in ('certificate', 'key'))), ('old.example.crt', 'expired')),
            (changed('function.yaml', (r'store: function.db', 'store: none/function.db')), ('none/function.db', 'No such file')),
            (changed('function.yaml', (r'store: function.db', 'store: plain.txt')), ('plain.txt', 'chmod 600')),
            (changed('function.db', text='no database, but text of some length. ' * 40, mode=0o600), ('function.db', 'not a database')),
            (changed('function.db', text=newer, mode=0o600), ('function.db', 'newer program'))):
        with change:
            told_alike('function', words)
    with changed('audit.jsonl', text='', mode=0o644):  # a start finds it once it listens
        one_line(check('function'), ('--audit', 'chmod 600'))


def test_mistakes_of_the_other_programs():
    world()
    for name, start, change, words in (
            ('keys', ('list',), changed('keys.yaml', (r'user', 'usr')), ('keys.yaml:3', "'usr'")),
            ('keys', ('list',), changed('keys.yaml', (r'user: mary\n', '')), ('no user',)),
            ('keys', ('list',), changed('tls/ca.crt', gone=True), ('ca.crt',)),
            ('keys', ('pub',), changed('keys/mary.key', mode=0o644), ('mary.key', 'chmod 600')),
            ('keys', ('fingerprint', 'john'), changed('keys/mary.permit', text='john x\n'), ('mary.permit:1',)),
            ('iq', ('record', '%(folder)s/never'), changed('iq.yaml', (r'tx_limits', 'tx_limit')), ('iq.yaml:2', 'tx_limit')),
            ('iq', ('record', '%(folder)s/never'), changed('limits.yaml', text='bands: []\n'), ('iq.yaml:2', 'limits.yaml:1')),
            ('bler', (), changed('bler.yaml', (r'trials: 100', 'trials: 0')), ('bler.yaml:1', 'trials')),
            ('air', (), changed('air.yaml', (r'adc_bits: 12', 'adc_bits: 99')), ('air.yaml:8', 'adc_bits'))):
        with change:
            told_alike(name, words, *start)
    r = run('bler', '--check', '--snr', 'loud')
    one_line(r, ('--snr',))
    r = run('iq', '--check', 'measure', path('profile.yaml'), path('none.yaml'))
    one_line(r, ('none.yaml',))
    r = run('iq', 'measure', path('profile.yaml'), path('profile.yaml'), '--check')
    assert r.returncode == 0, r
    assert re.fullmatch(r'prose-iq: .* is right\n', r.stdout), r


def test_what_the_commands_of_iq_are_given():
    """Recordings, scenes and outputs are judged as well, where they are named."""
    world()
    with open(path('x.raw'), 'wb') as f:
        f.write(bytes(8 * 7680))
    x = path('x.sigmf-meta')
    assert run('iq', 'convert', path('x.raw'), x, '--rate', '7.68e6', '--freq', '5.9e9').returncode == 0
    right = (('info', x), ('plot', x, path('x.png')), ('convert', x, path('y.sigmf')), ('convert', path('x.raw'), path('y.sigmf-meta'), '--rate', '1e6'), ('replay', x),
             ('record', path('y.sigmf-meta'), '--rate', '7.68e6', '--carrier', 'prb=25,tm=2'), ('measure', path('profile.yaml'), path('profile.yaml')))
    before = tree(FOLDER.name)
    for arguments in right:
        r = run('iq', *arguments, '--check', preexec_fn=without_sockets)
        assert (r.returncode, r.stdout, r.stderr) == (0, 'prose-iq: what the command line says is right\n', ''), (arguments, r)
    assert tree(FOLDER.name) == before
    none = path('none.sigmf-meta')
    with Air() as air:
        device = ('--device', 'type=virtual,name=iq,air=' + air.name)
        for arguments, words in (
                (('info', none), ('none.sigmf-meta', 'no such file')), (('plot', none, path('x.png')), ('none.sigmf-meta', 'no such file')),
                (('plot', x, path('x.png'), '--carrier', 'prb=7'), ('prb',)), (('convert', none, path('y.raw')), ('none.sigmf-meta', 'no such file')),
                (('convert', x, path('none/y.raw')), ('none/y.raw', 'No such file')), (('replay', none, *device), ('none.sigmf-meta', 'no such file')),
                (('replay', x, '--channel', '1', *device), ('--channel 1', 'channels 0 to 0')), (('record', path('none/y'), *device), ('none/y', 'No such file')),
                (('record', path('y'), '--carrier', 'prb=7', *device), ('prb',)), (('measure', path('profile.yaml'), path('none.yaml')), ('none.yaml', 'no such file'))):
            for more in (('--check',), ()):
                one_line(run('iq', *arguments, *more), words)
    assert tree(FOLDER.name) == before


if __name__ == '__main__':
    main()
