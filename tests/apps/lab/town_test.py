"""prose-lab: a town comes up, talks, grows and is gone without a trace, also after a crash. usage: ... udp|tun [CASE...]"""
import http.client, json, os, re, signal, subprocess, sys

from tests.harness.cases import main, skip_all
from tests.harness.files import text_of, write
from tests.harness.paths import BUILD, SOURCE
from tests.harness.process import wait

MODE = sys.argv.pop(1) if sys.argv[1:2] in (['udp'], ['tun']) else 'udp'
WAY = ['--udp'] if MODE == 'udp' else []
LAB = [sys.executable, '-B', os.path.join(SOURCE, 'scripts', 'lab')]

if MODE == 'tun':
    if not os.path.exists('/dev/net/tun'):
        skip_all('there is no /dev/net/tun')
    probe = 'pl%d' % (os.getpid() % 100000)
    r = subprocess.run(['ip', 'netns', 'add', probe], capture_output=True, text=True)
    if r.returncode != 0:
        skip_all('no network namespaces: ' + r.stderr.strip())
    subprocess.run(['ip', 'netns', 'del', probe], check=True)


class Town:
    def __init__(self, d):
        self.state = os.path.join(d, 'town')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.exists(self.state):
            self.run('down', code=None)

    def run(self, *arguments, code=0, **more):
        r = subprocess.run([*LAB, '--state', self.state, *arguments], capture_output=True, text=True, timeout=280, **more)
        assert code is None or r.returncode == code, (arguments, r.returncode, r.stdout, r.stderr)
        return r

    def up(self, *arguments):
        return self.run('up', *WAY, '--build', BUILD, *arguments)

    def data(self):
        return json.loads(text_of(os.path.join(self.state, 'lab.json')))

    def traces(self, data):
        """What of a town is left outside its folder."""
        namespaces = subprocess.run(['ip', 'netns', 'list'], capture_output=True, text=True).stdout if MODE == 'tun' else ''
        mark = b'PROSE_LAB=%s\0' % data['id'].encode()
        return [os.path.exists(self.state), os.path.exists('/dev/shm/prose-air-' + data['air']), data['id'] in namespaces, [p for p in os.listdir('/proc') if p.isdigit() and marked(p, mark)]]


def marked(pid, mark):
    try:
        with open('/proc/%s/environ' % pid, 'rb') as f:
            return mark in f.read()
    except OSError:
        return False


def opens(address):
    """The page behind an address, which is good once."""
    host, path = re.fullmatch(r'http://([^/]+)(/.*)', address).groups()

    def get(what, **headers):
        c = http.client.HTTPConnection(host, timeout=60)
        c.request('GET', what, headers=headers)
        r = c.getresponse()
        return r, r.read().decode()
    first = get(path)[0]
    cookie = first.getheader('Set-Cookie', '').split(';')[0]
    return first.status, get('/', Cookie=cookie)[1], get(path)[0].status


GONE = [False, False, False, []]


def test_up_show_ping_send_add_down(d):
    """The town of three, and a fourth."""
    with Town(d) as t:
        said = t.up().stdout
        assert 'john and mary are linked' in said and 'john and peter are linked' in said and 'the town is up' in said, said
        assert os.stat(t.state).st_mode & 0o777 == 0o700
        data = t.data()
        status, page, again = opens(re.search(r'a page of it, for one browser: (\S+)', said)[1])
        assert status == 303 and 'app.js' in page and again == 403, (status, page[:300], again)
        shown = json.loads(t.run('show', '--json').stdout)
        assert shown['mode'] == MODE and all(shown['running'].values()) and sorted(shown['ues']) == ['john', 'mary', 'peter'], shown
        states = {(n, p['name']): p['state'] for n, s in shown['ues'].items() for p in s['peers']}
        assert states == {(a, b): 'linked' for a, b in (('mary', 'john'), ('john', 'mary'), ('john', 'peter'), ('peter', 'john'))}, states
        text = t.run('show', 'john').stdout
        assert 'ue: john' in text and 'peer: mary' in text and 'peer: peter' in text and 'compare by voice' in text and 'ue: mary' not in text, text
        if MODE == 'tun':  # which address is whose
            a = next(p for p in shown['ues']['mary']['peers'] if p['name'] == 'john')['addresses']
            assert 'john is %(peer_ipv6)s and %(peer_ipv4)s on prose0; there this UE is %(own_ipv6)s and %(own_ipv4)s\n' % a in text_of(os.path.join(t.state, 'mary.log')), a
            assert re.search(r'address: %s \(this UE.s towards it: %s\)' % (a['peer_ipv4'], a['own_ipv4']), t.run('show', 'mary').stdout)
        assert 'received' in t.run('ping', 'mary', 'john', '--count', '8').stdout
        assert t.run('send', 'peter', 'john', 'hello', 'there').stdout == 'john heard from peter: hello there\n'
        for wrong, words in ((('ping', 'mary', 'peter'), 'mary does not permit peter; accepted: john'), (('ping', 'mary', 'paul'), "'paul' is not in this town; accepted: mary, john, peter"),
                             (('add', 'john'), 'is in this town already'), (('add', 'paul', '--permits', 'jon'), "'jon' is not in this town"), (('add', 'a/b'), 'accepted is a name'),
                             (('up', *WAY, '--build', BUILD), 'a town is there already'), (('show', 'paul'), 'is not in this town'), (('send', 'mary', 'mary', 'x'), 'accepted: two names')):
            r = t.run(*wrong, code=2)
            assert words in r.stderr and r.stderr.count('\n') == 1, r.stderr
        assert 'mary and paul are linked' in t.run('add', 'paul', '--permits', 'mary').stdout.replace('paul and mary', 'mary and paul')
        assert opens(t.data()['page'])[0] == 303 and t.data()['page'] != data['page'], 'with Paul on it'
        assert t.run('send', 'paul', 'mary', 'Grüße').stdout == 'mary heard from paul: Grüße\n'
        kept = os.path.join(d, 'kept')
        t.run('down', '--keep', kept)
        assert {'town.pcap', 'town.html', 'mary.jsonl'} <= set(os.listdir(kept)) and not [f for f in os.listdir(kept) if 'key' in f], os.listdir(kept)
        assert [json.loads(l)['event'] for l in text_of(os.path.join(kept, 'mary.jsonl')).splitlines()][-1] == 'stopped', 'ended in order'
        assert t.traces(data) == GONE, t.traces(data)
        r = t.run('show', code=2)
        assert 'no town is up there' in r.stderr, r.stderr


def test_down_leaves_nothing_after_a_crash(d):
    """up is killed in the middle, programs too."""
    with Town(d) as t:
        p = subprocess.Popen([*LAB, '--state', t.state, 'up', *WAY, '--build', BUILD, '--no-sniffer'], stdout=subprocess.DEVNULL)
        wait(lambda: {'air', 'mary'} <= set(t.data().get('processes', {})) if os.path.exists(os.path.join(t.state, 'lab.json')) else False, 100, [p], 'a UE')
        p.kill()
        p.wait()
        data = t.data()
        os.kill(data['processes']['air']['pid'], signal.SIGKILL)
        assert t.traces(data) != GONE
        t.run('down')
        assert t.traces(data) == GONE, t.traces(data)


def test_up_that_is_stopped_takes_everything_with_it(d):
    with Town(d) as t:
        p = subprocess.Popen([*LAB, '--state', t.state, 'up', *WAY, '--build', BUILD], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait(lambda: os.path.exists(os.path.join(t.state, 'mary.log')), 100, [p], 'a UE')
        assert 'town: ' + t.state in t.run('show').stdout, 'it waits for nobody'
        data = t.data()
        p.send_signal(signal.SIGINT)
        assert p.wait(100) == 1 and p.stderr.read() == 'prose-lab: stopped\n'
        assert t.traces(data) == GONE, t.traces(data)


def test_a_town_of_ones_own(d):
    """Who permits only one way is not found."""
    with Town(d) as t:
        place = write(os.path.join(d, 'my.town'), '# us\nanna - ben   # friends\nanna > carl\n\ndora\n')
        said = t.up(place).stdout
        assert 'anna and ben are linked' in said and 'carl' in said and 'dora' in said, said
        ues = json.loads(t.run('show', '--json').stdout)['ues']
        assert sorted(ues) == ['anna', 'ben', 'carl', 'dora'] and [p['name'] for p in ues['anna']['peers']] == ['ben', 'carl'] and not ues['carl']['peers'] and not ues['dora']['peers'], ues
        assert {p['name']: p['state'] for p in ues['anna']['peers']}['carl'] == 'not heard'


def test_mistakes_are_told_in_a_line_and_leave_nothing(d):
    with Town(d) as t:
        for text, words in (('mary - mary\n', ':1: mary permits itself'), ('\nmary + john\n', ":2: 'mary + john' is no pair"), ('a/b\n', 'accepted is a name'), ('# nobody\n', '0 names'),
                            ('sniffer - john\n', 'accepted is a name'), (''.join('n%d\n' % i for i in range(17)), '17 names; accepted: 1 to 16')):
            r = t.run('up', *WAY, '--build', BUILD, write(os.path.join(d, 'bad.town'), text), code=2)
            assert words in r.stderr and r.stderr.count('\n') == 1 and not os.path.exists(t.state), (text, r.stderr)
        assert 'bad.toml: No such file' in t.run('up', *WAY, '--build', BUILD, os.path.join(d, 'bad.toml'), code=2).stderr
        assert 'not built' in t.run('up', *WAY, '--build', d, code=2).stderr
        for command in ('show', 'down', 'ping a b', 'send a b c', 'add a'):
            assert 'no town is up there' in t.run(*command.split(), code=2).stderr
        os.mkdir(t.state)
        write(os.path.join(t.state, 'mine'), 'x')
        assert 'something is there' in t.run('up', *WAY, '--build', BUILD, code=2).stderr
        assert os.listdir(t.state) == ['mine'], 'left alone'
        os.unlink(os.path.join(t.state, 'mine')), os.rmdir(t.state)


def test_without_the_privilege_it_says_how_to_go_on(d):
    if os.geteuid() != 0:
        command, more = LAB, {}
    else:  # as another user
        command, more = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', *LAB], {'env': dict(os.environ, HOME=d)}
        for folder in (d, os.path.dirname(d)):
            os.chmod(folder, 0o777 if folder == d else os.stat(folder).st_mode | 0o711)
    r = subprocess.run([*command, '--state', os.path.join(d, 'town'), 'up', '--build', BUILD], capture_output=True, text=True, **more)
    assert r.returncode == 2 and 'accepted:' in r.stderr and 'prose-lab up --udp' in r.stderr and r.stderr.count('\n') == 1, r
    assert not os.path.exists(os.path.join(d, 'town')), 'nothing stays'


if __name__ == '__main__':
    main()
