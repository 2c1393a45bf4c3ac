"""What scripts/demo --live is made of, without programs: options, files that grow, the control socket, what is offered on radios."""
import base64, json, os, socket, subprocess, threading, types

from scripts.demo_lib import live_traffic
from scripts.demo_lib.live_actions import live_actions
from scripts.demo_lib.live_control import live_control
from scripts.demo_lib.tail import tail
from tests.harness.cases import main
from tests.harness.files import write
from tests.harness.paths import BUILD, DEMO
from tests.harness.process import wait


def test_options_that_are_refused():
    for options in (['--live', '--port', '70000'], ['--port', '80'], ['--weak', 'rot13'], ['--weak', 'null-cipher', '--with-function'],
                    ['--weak', 'null-cipher', '--devices', 'mary=type=b200']):
        r = subprocess.run([DEMO, '--no-build', '--build', BUILD, *options], capture_output=True, text=True, timeout=60)
        assert r.returncode == 2 and len(r.stderr.splitlines()) == 1 and not r.stdout, (options, r.returncode, r.stderr)


def test_a_file_that_grows_is_cut_and_is_replaced(d):
    place = os.path.join(d, 'x.jsonl')
    t = tail(place, '{"event":"a"')
    assert t.events() == []
    with open(place, 'w') as f:
        f.write('{"event":"a","n":1}\n{"event":"b"}\n{"event":"a",')
        f.flush()
        assert t.events() == [{'event': 'a', 'n': 1}]
        f.write('"n":2}\n{"event":"a" no JSON}\n')
        f.flush()
        assert t.events() == [{'event': 'a', 'n': 2}]
    write(place, '{"event":"a","n":3}\n')
    assert t.events() == [{'event': 'a', 'n': 3}]
    os.rename(place, place + '.old')
    assert t.events() == []
    write(place, '{"event":"a","n":4}\n{"event":"a","n":5}\n{"event":"a","n":6}\n')
    assert [e['n'] for e in t.events()] == [4, 5, 6]


class Client:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.connect(path)
        self.s.settimeout(60)
        self.file = self.s.makefile('rb')

    def ask(self, octets):
        self.s.sendall(octets)
        return self.line()

    def line(self):
        return json.loads(self.file.readline())


def test_the_control_socket(d):
    def fails(_):
        raise ValueError('one line\nand another')
    c = live_control(os.path.join(d, 'control'), {'send': lambda r: None if r.get('text') else 'no text', 'jam': fails}, ['mary'], 'null-cipher')
    assert os.stat(c.path).st_mode & 0o777 == 0o600
    c.tell({'control': 'message', 'text': 'earlier'})
    page = Client(c.path)
    assert page.line() == {'control': 'hello', 'actions': ['send', 'jam'], 'names': ['mary'], 'weak': 'null-cipher'}
    assert page.line() == {'control': 'message', 'text': 'earlier'}
    assert page.ask(b'{"id":1,"action":"send","text":"x"}\n') == {'id': 1, 'ok': True}
    assert page.ask(b'{"id":2,"action":"send"}\n') == {'id': 2, 'ok': False, 'error': 'no text'}
    assert page.ask(b'{"id":3,"action":"jam"}\n') == {'id': 3, 'ok': False, 'error': 'one line'}
    for octets in (b'{"id":4,"action":"steal"}\n', b'{"id":4,"action":["x"]}\n', b'no JSON\n', b'[]\n'):
        answer = page.ask(octets)
        assert answer['ok'] is False and answer['error'], answer
    c.close()
    assert not os.path.exists(c.path)


class World:
    """Of what live_traffic and live_actions ask: two sockets an end, and files of events that the test writes."""

    def __init__(self, d, radios=False):
        self.d, self.radios, self.sockets, self.ports, self.ue = d, radios, {}, {}, {}
        for e in live_traffic.ENDS:
            for s in (self.sockets, self.ue):
                s[e] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s[e].bind(('127.0.0.1', 0))
            self.ports[e] = self.ue[e].getsockname()[1]

    def path(self, *p):
        return os.path.join(self.d, *p)

    def real_radios(self):
        return self.radios

    def event(self, name, **e):
        with open(self.path(name + '.jsonl'), 'a') as f:
            f.write(json.dumps(e) + '\n')

    def carry(self, a, b, t=None):
        """What the UEs do: a datagram of a for b arrives at b's socket, with its event."""
        self.ue[a, b].settimeout(60)
        m = self.ue[a, b].recv(2000)
        self.ue[b, a].sendto(m, self.sockets[b, a].getsockname())
        self.event(b, event='data_rx', t=t or 5.0, peer=a, bytes=len(m))
        return m


def test_only_what_radios_may_do_is_offered(d):
    offered = lambda radios, server=True: list(live_actions(World(d, radios), None, types.SimpleNamespace(on=server), None, None).offered())
    assert offered(True) == ['send', 'file'] and offered(False) == ['send', 'file', 'withdraw', 'restart', 'jam', 'steal']
    assert 'withdraw' not in offered(False, server=False)


def test_a_message_and_its_ciphertext(d):
    w, told = World(d), []
    t = live_traffic.live_traffic(w, told.append, every_s=1e9)
    t.next = float('inf')
    act = live_actions(w, t, None, None, None)
    say = lambda text: act.send({'from': 'mary', 'to': 'john', 'text': text})
    assert say('hello') == 'there is no link between mary and john'
    w.event('mary', event='link_established', t=1.0, peer='john', own_l2_id='87ed6f')
    t.step()
    for wrong in ('', '\x01', 'x' * 1001, 7):
        assert 'accepted' in say(wrong), wrong
    assert say('hello') is None
    w.carry('mary', 'john', t=5.0)
    # Of the frames at that time, the one of Mary's address: John's, and one at another time, are not it.
    tb = lambda at, octets: '{"event":"tb","t":%f,"crc_ok":true,"n_x_id":156,"hex":"%s"}\n' % (at, octets)
    write(w.path('sniffer.jsonl'), tb(4.99, '2087ed6f729c1111') + tb(5.0, '2087ed6f729c2222'))

    def stepped():
        t.step()
        return told
    wait(stepped, 60)
    assert told == [{'control': 'message', 'kind': 'text', 'from': 'mary', 'to': 'john', 'text': 'hello', 't': 5.0, 'src': '87ed6f', 'dst': '729c9c',
                     'ciphertext': '2087ed6f729c2222'}], told
    w.event('mary', event='link_lost', t=6.0, peer='john')
    t.step()
    assert say('hello') == 'there is no link between mary and john'


def test_a_file_survives_lost_datagrams(d):
    w, told, data = World(d), [], os.urandom(3000)
    t = live_traffic.live_traffic(w, told.append, every_s=1e9)
    t.next = float('inf')
    w.event('mary', event='link_established', t=1.0, peer='john', own_l2_id='87ed6f')
    w.event('john', event='link_established', t=1.0, peer='mary', own_l2_id='729c9c')
    t.step()
    act = live_actions(w, t, None, None, None)
    r = {'from': 'mary', 'to': 'john', 'name': '../x', 'data': base64.b64encode(data).decode()}
    assert act.file(dict(r, data=base64.b64encode(bytes(70_000)).decode())) and act.file(r) is None
    assert act.file(r) == 'a file is under way from mary to john'
    lost = [0]

    def radio():
        while not told:
            for a, b in (('mary', 'john'), ('john', 'mary')):
                w.ue[a, b].settimeout(0.02)
                try:
                    m = w.ue[a, b].recv(2000)
                except socket.timeout:
                    continue
                lost[0] += 1
                if lost[0] % 3:  # every third is lost
                    w.ue[b, a].sendto(m, w.sockets[b, a].getsockname())
    carrier = threading.Thread(target=radio, daemon=True)
    carrier.start()

    def stepped():
        t.step()
        return told
    wait(stepped, 120)
    carrier.join(60)
    assert len(told) == 1 and told[0]['text'].startswith('file x: 3000 octets arrived intact'), told
    assert lost[0] > 2 * 4, 'some were sent again'


if __name__ == '__main__':
    main()
