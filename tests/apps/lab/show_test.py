"""prose-ue --show of a running UE, through its control socket: text, JSON, who may read it, readers that are slow."""
import json, os, re, socket, stat, subprocess, time

from tests.harness.air import Air
from tests.harness.cases import main, skip
from tests.harness.files import write
from tests.harness.keys import prose_keys
from tests.harness.process import run, wait
from tests.harness.ue import Ue, configure

FINGERPRINT = r'[0-9a-f]{8}( [0-9a-f]{8}){7}'


class Town:
    """Mary and John on an air of their own; Peter is permitted by Mary and off."""

    def __init__(self, d, speed='1'):
        self.d = d
        self.air = Air(speed=speed)
        self.keys = configure(d, self.air)
        prose_keys('gen', self.keys.path('peter.key'))
        self.keys.permit('mary', 'peter')
        self.running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for u in self.running.values():
            u.kill()
        self.air.__exit__()

    def socket(self, name):
        return os.path.join(self.d, name + '.sock')

    def start(self, name, *options):
        self.running[name] = Ue(self.d, name, '--data', 'stdin', '--control', self.socket(name), *options)

    def linked(self):
        wait(lambda: all(u.of('link_established') for u in self.running.values()), programs=self.running.values())

    def show(self, name, *options, code=0):
        return run('prose-ue', '--config', os.path.join(self.d, name + '.yaml'), '--control', self.socket(name), '--show', *options, code=code)

    def status(self, name):
        return json.loads(self.show(name, '--json').stdout)

    def peer(self, name, peer):
        return next(p for p in self.status(name)['peers'] if p['name'] == peer)


def voice(keys, owner, peer):
    """What prose-keys says is to be compared."""
    return prose_keys('fingerprint', peer, '--key', keys.path(owner + '.key'), '--permits', keys.path(owner + '.permit')).stdout.strip()


def test_a_running_ue_tells_its_peers_links_signal_and_traffic(d):
    with Town(d) as t:
        t.start('mary')
        t.start('john')
        t.linked()
        until = time.monotonic() + 100
        while not t.running['mary'].of('data_rx'):
            assert time.monotonic() < until, 'no line arrives'
            t.running['john'].say('mary hello')
            time.sleep(0.3)
        wait(lambda: t.peer('mary', 'john').get('rx_octets'))
        s = t.status('mary')
        john, peter = (next(p for p in s['peers'] if p['name'] == n) for n in ('john', 'peter'))
        assert s['running'] is True and s['name'] == 'mary' and s['key'] == t.keys.public('mary') and s['data'] == 'stdin', s
        assert s['t'] > 0 and s['up_s'] > 0 and s['received']['blocks'] > 0 and s['sent']['subframes'] > 0, s
        assert {'overflows', 'underflows', 'lates'} <= set(s['radio']) and {'security', 'queue_full', 'no_link'} <= set(s['dropped']), s
        assert john['fingerprint'] == voice(t.keys, 'mary', 'john') == t.peer('john', 'mary')['fingerprint'] and re.fullmatch(FINGERPRINT, john['fingerprint'])
        told = t.running['mary'].of('link_established')[-1]
        assert john['state'] == 'linked' and john['link']['key_fingerprint'] == told['key_fingerprint'] and john['link']['role'] == told['role'], (john, told)
        # The air of these tests: 40 dB between a burst and the noise, no offset.
        assert john['signal']['snr_db'] > 15 and abs(john['signal']['frequency_offset_hz']) < 200 and abs(john['signal']['timing_offset_us']) < 10, john
        assert 0 <= john['link']['handshake_age_s'] <= john['link']['up_s'] + 1 and 0 <= john['link']['epoch_age_s'] <= s['up_s'], john
        own = t.running['mary'].of('peer_address', 'john')[-1]
        assert john['addresses'] == {'own_ipv6': own['own_ipv6'], 'peer_ipv6': own['peer_ipv6']}, john
        assert peter['state'] == 'not heard' and 'link' not in peter and 'signal' not in peter, peter
        text = t.show('mary')
        assert text.stderr == '', 'a running UE told it'
        for words in (r'(?m)^ue: mary$', r'(?m)^peer: john$', r'(?m)^peer: peter$', 'compare by voice: ' + FINGERPRINT, r'latest handshake: \d+ s ago', r'epoch: \d+, since \d+ s',
                      r'signal: SNR \d', r'transfer: .*B received', re.escape(own['peer_ipv6']), r'link: none; not heard in this run'):
            assert re.search(words, text.stdout), (words, text.stdout)
        assert stat.S_IMODE(os.stat(t.socket('mary')).st_mode) == 0o600
        t.running['john'].stop()
        wait(lambda: t.peer('mary', 'john')['state'] != 'linked')
        assert 'link' not in t.peer('mary', 'john')


def test_without_a_running_ue_it_tells_what_the_files_say_and_that(d):
    with Town(d) as t:
        r = t.show('mary')
        assert r.stdout.splitlines()[:2] == ['name mary', 'key ' + t.keys.public('mary')], r.stdout
        assert 'no UE runs' in r.stderr and t.socket('mary') in r.stderr and r.stderr.count('\n') == 1, r.stderr
        s = json.loads(t.show('mary', '--json').stdout)
        assert s['running'] is False and [p['name'] for p in s['peers']] == ['john', 'peter'] and s['peers'][0]['fingerprint'] == voice(t.keys, 'mary', 'john'), s
        r = run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--show')
        assert 'no control socket is configured' in r.stderr and r.stdout.startswith('name mary\n'), r
        r = run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--json', code=2)
        assert '--show' in r.stderr, r.stderr


def test_a_socket_that_a_killed_ue_left_is_taken_over(d):
    with Town(d) as t:
        t.start('mary')
        wait(lambda: t.running['mary'].of('started'), programs=t.running.values())
        t.running['mary'].kill()
        assert os.path.exists(t.socket('mary')), 'left behind'
        assert 'no UE runs' in t.show('mary').stderr
        t.start('mary')
        wait(lambda: 'ue: mary' in t.show('mary', code=None).stdout)
        # Not from a UE that lives.
        r = run('prose-ue', '--config', os.path.join(d, 'john.yaml'), '--control', t.socket('mary'), code=2)
        assert 'another program serves it' in r.stderr and r.stderr.count('\n') == 1, r.stderr
        t.running['mary'].stop()
        assert not os.path.exists(t.socket('mary')), 'removed at the end'


def test_what_is_no_socket_is_left_alone(d):
    with Town(d) as t:
        write(t.socket('mary'), 'a file')
        for more in ((), ('--check',)):
            r = run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--control', t.socket('mary'), *more, code=2)
            assert 'is no socket' in r.stderr and r.stderr.count('\n') == 1, r.stderr
        assert open(t.socket('mary')).read() == 'a file'
        r = run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--control', os.path.join(d, 'x' * 120), '--show', code=2)
        assert 'too long' in r.stderr, r.stderr


def test_slow_and_hostile_readers_hold_up_neither_the_ue_nor_others(d):
    with Town(d) as t:
        t.start('mary')
        t.start('john')
        held = []
        wait(lambda: os.path.exists(t.socket('mary')), programs=t.running.values())
        for i in range(40):  # who connect, say what nobody asked for, and take nothing
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            s.connect(t.socket('mary'))
            try:
                s.send(b'{"stop": true}\n' * 10)
            except OSError:
                pass  # it has its answer already
            held.append(s)
        t.linked()
        wait(lambda: t.peer('mary', 'john')['state'] == 'linked')  # told once a second
        assert t.running['mary'].poll() is None


def test_another_user_gets_nothing(d):
    if os.geteuid() != 0:
        skip('only root can give a file to another user and become one')
    with Town(d) as t:
        t.start('mary')
        wait(lambda: 'ue: mary' in t.show('mary', code=None).stdout, programs=t.running.values())
        # Even where the name's mode would let it.
        os.chmod(t.socket('mary'), 0o666)
        for folder in (d, os.path.dirname(d)):
            os.chmod(folder, os.stat(folder).st_mode | 0o711)
        ask = ('import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]); sys.stdout.buffer.write(s.recv(10))')
        r = subprocess.run(['python3', '-c', ask, t.socket('mary')], user=65534, capture_output=True, text=True)
        assert r.returncode == 0 and r.stdout == '', r
        r = subprocess.run(['python3', '-c', ask, t.socket('mary')], capture_output=True, text=True)
        assert r.stdout.startswith('{"running'), r


if __name__ == '__main__':
    main()
