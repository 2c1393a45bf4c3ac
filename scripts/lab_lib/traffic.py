"""Between two inhabitants: pings and lines of text. With TUN by the kernels' own tools in the namespaces, otherwise by the UEs' UDP ports."""
import os, socket, statistics, subprocess, sys, time

from .programs import in_namespace, status
from .town import Mistake

PORT = 7007
TRIES = 12       # nothing is repeated on the air: two UEs that send in one SC period miss each other
PATIENCE_S = 2.0


def addresses(s, a, b):
    """(A's own, B's) as A's host knows them."""
    st = status(s, a)
    if st is None:
        raise Mistake('%s does not run; accepted: who is up (prose-lab show)' % a)
    for p in st['peers']:
        if p['name'] == b:
            if p['state'] != 'linked':
                raise RuntimeError('%s has no link with %s (prose-lab show)' % (a, b))
            return p['addresses']['own_ipv6'], p['addresses']['peer_ipv6']
    raise Mistake('%s does not permit %s; accepted: %s' % (a, b, ', '.join(p['name'] for p in st['peers']) or 'nobody'))


class Ends:
    """The UDP ends of A and B: each sends to its UE's port for the other, and hears at the port that its UE forwards to."""

    def __init__(self, s, a, b):
        self.to, self.at = {}, {}
        for x, y in ((a, b), (b, a)):
            if '%s %s' % (x, y) not in s.data['ports']:
                raise Mistake('%s does not permit %s' % (x, y))
            listen, forward = s.data['ports']['%s %s' % (x, y)]
            self.to[x] = ('127.0.0.1', listen)
            self.at[x] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.at[x].bind(('127.0.0.1', forward))
            except OSError as e:
                raise RuntimeError('the port 127.0.0.1:%d of %s is taken: %s' % (forward, x, e.strerror))
            self.at[x].setblocking(False)

    def send(self, who, octets):
        self.at[who].sendto(octets, self.to[who])

    def heard(self, who):
        try:
            return self.at[who].recv(2000)
        except BlockingIOError:
            return None


def ping(s, a, b, count):
    """Prints what came back. False: nothing did."""
    _, to = addresses(s, a, b)
    if s.data['mode'] == 'tun':
        return subprocess.run([*in_namespace(s, a), 'ping', '-c', str(count), '-i', '0.3', '-W', '5', to]).returncode == 0
    ends, times = Ends(s, a, b), []
    for i in range(count):
        word, begin = b'ping %d' % i, time.monotonic()
        ends.send(a, word)
        back = None
        while back != word and time.monotonic() < begin + PATIENCE_S:
            at_b, back = ends.heard(b), ends.heard(a)
            if at_b is not None:
                ends.send(b, at_b)
            time.sleep(0.002)
        if back == word:
            times.append((time.monotonic() - begin) * 1000)
            print('%d octets from %s: seq=%d time=%.0f ms' % (len(word), b, i + 1, times[-1]), flush=True)
        else:
            print('no answer: seq=%d' % (i + 1), flush=True)
    print('%d sent, %d received%s' % (count, len(times), ', median %.0f ms' % statistics.median(times) if times else ''))
    return bool(times)


LISTEN = '''import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print('listens', flush=True)
text, sender = s.recvfrom(2000)
sys.stdout.buffer.write(text)
'''
SPEAK = '''import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))
'''


def send(s, a, b, text):
    """Until B has heard it. False: it has not."""
    octets = text.encode()
    if not 0 < len(octets) <= 1200:
        raise Mistake('a text of %d octets; accepted: 1 to 1200' % len(octets))
    heard = send_by_tun(s, a, b, text) if s.data['mode'] == 'tun' else send_by_udp(s, a, b, octets)
    if heard is None:
        print('%s did not hear it in %d tries' % (b, TRIES), file=sys.stderr)
        return False
    print('%s heard from %s: %s' % (b, a, heard.decode(errors='replace')))
    return True


def send_by_udp(s, a, b, octets):
    addresses(s, a, b)
    ends = Ends(s, a, b)
    for _ in range(TRIES):
        ends.send(a, octets)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            heard = ends.heard(b)
            if heard == octets:
                return heard
            time.sleep(0.005)
    return None


def send_by_tun(s, a, b, text):
    own, _ = addresses(s, b, a)
    _, to = addresses(s, a, b)
    with subprocess.Popen([*in_namespace(s, b), sys.executable, '-c', LISTEN, own, str(PORT)], stdout=subprocess.PIPE) as listener:
        try:
            if listener.stdout.readline() != b'listens\n':
                raise RuntimeError('%s cannot listen on port %d' % (b, PORT))
            os.set_blocking(listener.stdout.fileno(), False)
            for _ in range(TRIES):
                subprocess.run([*in_namespace(s, a), sys.executable, '-c', SPEAK, to, str(PORT), text], check=True)
                end = time.monotonic() + PATIENCE_S
                while time.monotonic() < end:
                    heard = listener.stdout.read()
                    if heard:
                        return heard
                    time.sleep(0.02)
            return None
        finally:
            listener.kill()
