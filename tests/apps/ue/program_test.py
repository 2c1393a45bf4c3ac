"""prose-ue as a user meets it, two of them on an emulated air: --data stdin, model B, --metrics-port, --keylog and its refusal, --duration, --radio,
Ctrl-C, and every event that the contract names."""
import os, re, signal, socket, stat, subprocess, tempfile, time, urllib.error, urllib.request

from tests.harness import process, ue
from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import edit, free_udp_port, text_of, write
from tests.harness.keys import prose_keys
from tests.harness.paths import SOURCE
from tests.harness.process import wait


class Pair:
    """Mary and John with --data stdin; their configurations changed first."""

    def __init__(self, air, folder, changes=()):
        self.folder, self.p = folder, {}
        self.keys = ue.configure(folder, air)
        for n in ('mary', 'john'):
            edit(self.path(n + '.yaml'), *changes)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, n, *more, data='stdin'):
        self.p[n] = ue.Ue(self.folder, n, '--data', data, *more)

    def say(self, n, text):
        self.p[n].say(text)

    def of(self, n, kind):
        return self.p[n].of(kind)

    def stop(self, n, how=signal.SIGINT):
        """What it printed."""
        return self.p[n].stop(how)


def test_lines_cross_both_ways_and_every_event_has_its_fields():
    with Air(speed='1') as air, tempfile.TemporaryDirectory() as d:
        fast = ((r'  epoch_min_s: .*', '  epoch_min_s: 2'), (r'  epoch_max_s: .*', '  epoch_max_s: 3'), (r'  rekey_s: .*', '  rekey_s: 5'))
        u = Pair(air, d, (*fast, (r'allow_keylog: .*', 'allow_keylog: true')))
        u.start('mary', '--metrics-port', '0', '--keylog', u.path('mary.keylog'))
        u.start('john')
        wait(lambda: u.of('mary', 'link_established') and u.of('john', 'link_established'))
        u.say('mary', 'nobody this goes to no one')
        # Two that send in one SC period do not hear each other, so lines are lost now and then.
        said, begun = 0, time.monotonic()
        while said < 10 or any(len(u.of(n, 'data_rx')) < 6 for n in ('mary', 'john')):
            assert time.monotonic() < begun + 60, 'lines do not cross'
            u.say('mary', 'john Grüße %d' % said)
            u.say('john', 'mary answer %d' % said)
            said += 1
            time.sleep(0.25)
        assert all(len(u.of(n, 'data_rx')) >= said // 3 for n in ('mary', 'john')), 'most lines are lost'
        wait(lambda: all(len(u.of(n, 'data_tx')) == said for n in ('mary', 'john')))
        wait(lambda: u.of('mary', 'rekeyed') and u.of('john', 'rekeyed'))
        metrics(u)
        for a, b in (('mary', 'john'), ('john', 'mary')):
            for e in u.p[a].events():
                assert isinstance(e['event'], str) and isinstance(e['t'], (int, float)), e
            assert [e['peer'] for e in u.of(a, 'peer_discovered')] == [b]
            link = u.of(a, 'link_established')[0]
            assert link['peer'] == b and re.fullmatch('[0-9a-f]{4}', link['kd_sess_id']) and link['suite'] and re.fullmatch('[0-9a-f]{16}', link['key_fingerprint'])
            assert link['frames'] > 0 and link['airtime_ms'] > 0 and link['role'] in ('initiator', 'responder'), link
            assert {e['peer'] for e in u.of(a, 'data_tx')} == {b} and len(u.of(a, 'data_tx')) == said and all(e['bytes'] > 0 for e in u.of(a, 'data_tx'))
            assert {e['peer'] for e in u.of(a, 'data_rx')} == {b} and len(u.of(a, 'data_rx')) >= 6
            assert all(e['peer'] == b and e['key_fingerprint'] != link['key_fingerprint'] for e in u.of(a, 'rekeyed'))
        assert u.of('mary', 'link_established')[0]['key_fingerprint'] == u.of('john', 'link_established')[0]['key_fingerprint']
        assert {u.of(n, 'link_established')[0]['role'] for n in ('mary', 'john')} == {'initiator', 'responder'}
        assert u.of('mary', 'keylog') and 'KEY LOG' in u.p['mary'].said(), 'the warning'
        assert stat.S_IMODE(os.stat(u.path('mary.keylog')).st_mode) == 0o600 and text_of(u.path('mary.keylog')).count('PROSE_RECORD_KEY') >= 4
        out = {'mary': u.stop('mary')}
        wait(lambda: u.of('john', 'link_lost'), 30)  # Ctrl-C at Mary's: she says good-bye, and John need not wait for the silence
        assert u.of('john', 'link_lost')[0]['reason'] == 'released_by_peer' and u.of('john', 'link_lost')[0]['peer'] == 'mary'
        out['john'] = u.stop('john')
        for n in ('mary', 'john'):
            assert u.of(n, 'radio') and {'overflows', 'underflows', 'lates'} <= set(u.of(n, 'radio')[-1]) and u.of(n, 'stopped')
        assert len([l for l in out['mary'] if re.fullmatch(r'john answer \d+', l)]) >= 6, out
        # Octets beyond ASCII are shown as they may be shown on any terminal.
        assert len([l for l in out['john'] if l.startswith('mary Gr')]) >= 6 and not any('nobody' in l for l in out['john']), out


def metrics(u):
    """The page, in Prometheus' text form, on the port that the log names."""
    url = re.search(r'http://127\.0\.0\.1:\d+/metrics', u.p['mary'].said()).group(0)
    wait(lambda: 'prose_links 1' in urllib.request.urlopen(url, timeout=5).read().decode())
    r = urllib.request.urlopen(url, timeout=5)
    assert r.headers['Content-Type'].startswith('text/plain'), r.headers
    seen = set()
    for line in r.read().decode().splitlines():
        if line.startswith('#'):
            assert re.fullmatch(r'# (HELP \w+ .+|TYPE \w+ (counter|gauge))', line), line
            continue
        m = re.fullmatch(r'(\w+)(\{\w+="[^"]*"(,\w+="[^"]*")*\})? (-?[0-9.e+-]+)', line)
        assert m, line
        seen.add(m.group(1))
    assert {'prose_links', 'prose_blocks_received_total', 'prose_dropped_total', 'prose_data_rx_octets_total', 'prose_radio_lates_total'} <= seen, seen
    try:
        urllib.request.urlopen(url.replace('/metrics', '/'), timeout=5)
        raise AssertionError('another page')
    except urllib.error.HTTPError as e:
        assert e.code == 404


def permit_peter(u):
    prose_keys('gen', u.keys.path('peter.key'))
    u.keys.permit('john', 'peter')


def test_an_absent_peer_holds_up_nobody_and_a_piped_file_loses_no_line():
    """John's lines for Peter, who is off, are more than the queue holds; those for Mary follow them. Mary's are there before the link."""
    with Air(speed='1') as air, tempfile.TemporaryDirectory() as d:
        u = Pair(air, d)
        permit_peter(u)
        u.start('mary')
        for i in range(40):
            u.say('mary', 'john %02d %s' % (i, 'm' * 100))
        u.start('john')
        wait(lambda: u.of('mary', 'link_established') and u.of('john', 'link_established'))
        for i in range(60):
            u.say('john', 'peter ' + 'p' * 1400)
        # One line may be lost on the air: Mary's own 40 keep her from listening.
        n, begun = 0, time.monotonic()
        while not u.of('mary', 'data_rx'):
            assert time.monotonic() < begun + 60, 'nothing for Mary behind what is for Peter'
            u.say('john', 'mary past the absent %d' % n)
            n += 1
            time.sleep(0.5)
        # The air may lose all of an SC period, which is a dozen lines (John sent at the same time): more of them until enough came.
        said, begun = 40, time.monotonic()
        while len(u.of('john', 'data_rx')) < 30:
            assert time.monotonic() < begun + 60, len(u.of('john', 'data_rx'))
            u.say('mary', 'john %02d' % said)
            said += 1
            time.sleep(0.3)
        wait(lambda: len(u.of('mary', 'data_tx')) == said, 60)
        taken = len([e for e in u.of('john', 'data_tx') if e['peer'] == 'peter'])
        assert taken == 65536 // 1400, taken
        u.stop('john')
        got = [l for l in u.stop('mary') if l.startswith('john')]
        assert 1 <= len(got) == len(set(got)) and set(got) <= {'john past the absent %d' % i for i in range(n)}, got


def test_a_full_queue_holds_up_nobody_else():
    """More for Mary than her queue takes, by UDP; what is for Peter passes it. He is off: his packets are taken until his own queue is full."""
    with Air(speed='1') as air, tempfile.TemporaryDirectory() as d:
        u = Pair(air, d)
        permit_peter(u)
        port = {n: free_udp_port() for n in ('mary', 'peter')}
        edit(u.path('john.yaml'), (r'  kind: none .*', '  queue_octets: 8000\n  peers: [%s]' % ', '.join('{name: %s, udp_listen: "127.0.0.1:%d"}' % x for x in port.items())))
        u.start('mary')
        u.start('john', '--metrics-port', '0', data='udp')
        wait(lambda: u.of('mary', 'link_established') and u.of('john', 'link_established'))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(80):
                s.sendto(b'm' * 1400, ('127.0.0.1', port['mary']))
            for i in range(60):
                s.sendto(b'p' * 40, ('127.0.0.1', port['peter']))
        of_peter = lambda: [i for i, e in enumerate(u.of('john', 'data_tx')) if e['peer'] == 'peter']
        wait(lambda: len(of_peter()) == 60)
        between = of_peter()[-1] - of_peter()[0] + 1 - 60
        assert between <= 20, '%d packets for Mary went before the last one for Peter' % between
        page = lambda: urllib.request.urlopen(re.search(r'http://127\.0\.0\.1:\d+/metrics', u.p['john'].said()).group(0), timeout=5).read().decode()
        wait(lambda: 'prose_host_packets_dropped_total{' in page())
        dropped = {m[0]: int(m[1]) for m in re.findall(r'prose_host_packets_dropped_total\{peer="(\w+)"\} (\d+)', page())}
        taken = len([e for e in u.of('john', 'data_tx') if e['peer'] == 'mary'])
        assert set(dropped) == {'mary'} and dropped['mary'] + taken == 80 and taken < 30, (dropped, taken)
        assert u.p['john'].said().count('packets for mary are dropped') == 1
        wait(lambda: u.of('mary', 'data_rx'))
        u.stop('john'), u.stop('mary')


def test_model_b_is_asked_for_and_silent_otherwise():
    with Air(speed='1') as air, tempfile.TemporaryDirectory() as d:
        u = Pair(air, d, ((r'  model: a .*', '  model: b'),))
        u.start('mary'), u.start('john')
        wait(lambda: all(u.of(n, 'started') for n in ('mary', 'john')))
        time.sleep(4)
        assert not u.of('mary', 'peer_discovered') and not u.of('john', 'peer_discovered'), 'nobody asked'
        u.stop('mary')
        edit(u.path('mary.yaml'), (r'  model: b', '  model: b\n  query: [john]'))
        u.start('mary')
        wait(lambda: u.of('mary', 'link_established') and u.of('john', 'link_established'))
        assert u.of('mary', 'peer_discovered')[0]['model'] == 'b'
        u.stop('mary'), u.stop('john')


def test_duration_ends_by_itself_and_a_profile_is_taken():
    with Air(speed='max') as air, tempfile.TemporaryDirectory() as d:
        u = Pair(air, d)
        u.start('mary', '--duration', '3', '--radio', SOURCE + '/configs/radio_virtual.yaml', '--device', air.device('mary'))
        u.stop('mary', None)
        t = [e['t'] for e in u.p['mary'].events()]
        assert 2.5 < t[-1] - t[0] < 3.5, t


def test_a_server_has_no_address_on_a_tun():
    """Said before anything is opened, so no right to make an interface is needed: its name is too long for one."""
    with Air() as air, tempfile.TemporaryDirectory() as d:
        u = Pair(air, d, ((r'(?m)^device: ', 'pc3:\n  servers: [{name: function.example, port: 1, ca: ca.crt, certificate: mary.crt, key: mary.tls}]\n\ndevice: '),
                          (r'  # interface: prose0', '  interface: much_too_long_a_name')))
        r = process.run('prose-ue', '--config', u.path('mary.yaml'), '--data', 'tun', code=None, timeout=30)
        assert r.returncode != 0 and '15 characters' in r.stderr and 'server:function.example has no address on much_too_long_a_name' in r.stderr, (r.returncode, r.stderr)


def test_refusals():
    with Air() as air, tempfile.TemporaryDirectory() as d:
        u = Pair(air, d)
        refused = lambda *a: process.run('prose-ue', '--config', u.path('mary.yaml'), *a, code=None, timeout=30, stdin=subprocess.DEVNULL)
        for options, word in ((('--keylog', u.path('k')), 'allow_keylog'), (('--data', 'pigeon'), 'pigeon'), (('--data', 'stdin', '--events', '-'), '--events -'),
                              (('--duration', '-1'), '--duration'), (('--metrics-port', '70000'), '--metrics-port'), (('--events', d + '/no/such/folder'), 'folder'),
                              (('--radio', u.path('none.yaml')), 'none.yaml')):
            r = refused(*options)
            assert r.returncode == 2 and len(r.stderr.strip().splitlines()) == 1 and word in r.stderr, (options, r.returncode, r.stderr)
        assert not os.path.exists(u.path('k'))
        write(u.path('k'), '', 0o644)
        plain = text_of(u.path('mary.yaml'))
        for tm, size in ((2, 'max_prb: 1'), (4, 'max_subchannels: 1')):
            edit(u.path('mary.yaml'), (r'  tm: .*', '  tm: %d' % tm), (r'  mcs: .*', '  mcs: 0\n  ' + size))
            r = refused()
            assert r.returncode == 2 and len(r.stderr.strip().splitlines()) == 1 and 'mcs 0' in r.stderr and 'accepted' in r.stderr, (tm, r.returncode, r.stderr)
            write(u.path('mary.yaml'), plain)
        edit(u.path('mary.yaml'), (r'allow_keylog: .*', 'allow_keylog: true'))
        r = refused('--keylog', u.path('k'))
        assert r.returncode == 2 and '0600' in r.stderr, r.stderr


if __name__ == '__main__':
    main(at_once=2)
