"""What prose-page shows and forwards: files of events, the look socket, the control socket, the verdict; at most eight browsers, none of which holds up another."""
import base64, json, os, signal, socket, tempfile, threading

from tests.harness.cases import main
from tests.harness.process import wait
from tests.page.browser import Browser, Page, Stream, ask

HOSTILE = '</script><img src=x onerror=alert(1)>"\'\\ \u2028 \x00\x1b[31m \n\ndata: x\r\n\U0001f600 ' + 'é' * 20


class Peer:
    """The other end of a socket that prose-page connects to."""

    def __init__(self, path, *first):
        self.path, self.first = path, first
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(path)
        self.server.listen(1)
        self.server.settimeout(60)

    def accept(self):
        self.s, _ = self.server.accept()
        self.s.settimeout(60)
        self.lines = self.s.makefile('r')
        for o in self.first:
            self.say(o)
        return self

    def say(self, o):
        self.s.sendall(o if isinstance(o, bytes) else json.dumps(o).encode() + b'\n')

    def hear(self):
        return json.loads(self.lines.readline())

    def leave(self):
        self.lines.close()
        self.s.close()

    def close(self):
        self.leave()
        self.server.close()
        os.unlink(self.path)


class Shown:
    """prose-page with all that it can read, in a folder of its own."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='prose-page-')
        os.mkdir(self.path('assets'))
        self.write('assets/index.html', 'x')
        ues = [x for n in ('mary', 'john') for x in ('--ue', '%s=%s' % (n, self.path(n)))]
        self.page = Page(self.path('log'), '--assets', self.path('assets'), '--look', self.path('look'), '--control', self.path('control'), '--events', self.path('events'), '--verdict',
                         self.path('report.json'), *ues)
        self.browser = Browser(self.page)
        return self

    def __exit__(self, *_):
        if self.page.poll() is None:
            self.page.stop()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text, how='w'):
        with open(self.path(name), how) as f:
            f.write(text)

    def add(self, name, *events):
        self.write(name, ''.join(e if isinstance(e, str) else json.dumps(e) + '\n' for e in events), 'a')


def mib(t, **more):
    return {'event': 'mib_sl', 't': t, 'n_sl_id': 30, 'hex': '0102', **more}


def test_files_that_grow_are_cut_and_replaced():
    with Shown() as s:
        b = s.browser.stream()
        assert b.status == 200 and b'text/event-stream' in b.head and b'no-store' in b.head, b.head
        b.until(lambda b: b.of('status'), 'a status')
        assert b.events[0][0] == 'hello' and b.of('hello')[0]['names'] == ['mary', 'john'] and b.of('status')[0]['sniffer'] == 'ended'
        times = lambda: [f['t'] for f in b.items('frames')]
        s.add('events', mib(1), json.dumps(mib(2))[:20])
        b.until(lambda b: times() == [1], 'a frame')
        s.add('events', json.dumps(mib(2))[20:] + '\n', 'no JSON\n', '{"event":"mib_sl"\n', '[[[[[[[[[[' * 1000 + '\n', '\xff\n', 'x' * 1000000 + '\n', mib(3))
        b.until(lambda b: times() == [1, 2, 3], 'what came after wrong lines')
        s.write('events', json.dumps(mib(4)) + '\n')
        b.until(lambda b: times() == [1, 2, 3, 4], 'a file that was cut')
        os.rename(s.path('events'), s.path('events.1'))
        s.add('events.1', mib(5))
        s.add('events', mib(6))
        b.until(lambda b: times() == [1, 2, 3, 4, 5, 6], 'a file that was replaced')
        assert [f['id'] for f in b.items('frames')] == list(range(6))
        # Who comes later sees it too, and then the same.
        late = s.browser.stream()
        late.until(lambda b: b.of('status'), 'a status')
        assert late.items('frames') == b.items('frames')
        b.close()
        late.close()


def test_hostile_texts_are_text():
    with Shown() as s:
        control = Peer(s.path('control'), {'control': 'hello', 'actions': ['send', HOSTILE * 2], 'names': ['mary', 'john', HOSTILE[:20]], 'weak': HOSTILE}).accept()
        b = s.browser.stream()
        s.add('mary', {'event': HOSTILE, 't': 1, 'peer': HOSTILE, 'reason': HOSTILE})
        s.add('events', mib(1, hex=HOSTILE, fields={HOSTILE: HOSTILE}), mib(2, absolute_subframe=HOSTILE, prb=HOSTILE), '{"event":"tb","t":1e999,"hex":"00","crc_ok":1,"n_x_id":-1e300}\n',
              '{"event":"sci","t":null,"format":1e308,"hex":7}\n')
        control.say({'control': 'message', 'from': 'mary', 'to': 'john', 'text': HOSTILE, 'ciphertext': '00', 't': 1})
        b.until(lambda b: b.of('message') and b.items('ue') and len(b.items('frames')) >= 3, 'all of them')
        assert b.of('message')[0]['text'] == HOSTILE and b.items('ue')[0]['event'] == b.items('ue')[0]['peer'] == HOSTILE
        assert b.items('frames')[0]['fields'][HOSTILE] == HOSTILE and b.items('frames')[0]['octets'] == ''
        assert b.of('hello')[-1]['names'][2] == HOSTILE[:20] and b.of('hello')[-1]['actions'] == ['send'], b.of('hello')
        control.say(b'{"control":"message","from":"mary","to":"john","text":"\xff\xfe"}\n')  # no UTF-8: passed over
        control.say({'control': 'message', 'from': 'mary', 'to': 'john', 'text': 'next', 'ciphertext': '00', 't': 1})
        b.until(lambda b: len(b.of('message')) == 2, 'the next')
        assert b.of('message')[1]['text'] == 'next'
        control.close()
        b.close()


def test_look():
    with Shown() as s:
        b = s.browser.stream()
        hello = {'look': 'hello', 'carrier': {'prb': 25, 'tm': 2, 'cp': 'normal'}, 'rate': 7.68e6, 'frequency': 5.9e9, 'bins': 256, 'row_s': 0.002}
        rows = base64.b64encode(bytes(range(256))).decode()
        look = Peer(s.path('look'), hello).accept()
        look.say({'look': 'waterfall', 't': 12.5, 'rows': rows, 'dropped': 3})
        look.say({'look': 'points', 't': 12.5, 'channel': 'PSSCH', 'evm': 0.08, 'modulation': 'QPSK', 'iq': 'ICA='})
        look.say({'look': 'waterfall', 't': 13.5, 'rows': '"><script>'})
        b.until(lambda b: b.of('points') and b.of('status') and b.of('status')[-1]['dropped'] == 3, 'the feed')
        assert b.of('waterfall') == [{'t': 12.5, 'rows': rows, 'dropped': 3}] and b.of('points')[0]['iq'] == 'ICA=' and b.of('hello')[-1]['carrier'] == hello['carrier']
        assert b.of('status')[-1]['sniffer'] == 'running'
        look.close()
        b.until(lambda b: b.of('status')[-1]['sniffer'] == 'ended', 'its end')
        # The next sniffer is found.
        look = Peer(s.path('look'), dict(hello, frequency=None)).accept()
        b.until(lambda b: b.of('hello')[-1]['frequency'] is None and b.of('status')[-1]['sniffer'] == 'running', 'the next sniffer')
        look.close()
        b.close()


def test_actions():
    with Shown() as s:
        b = s.browser.stream()
        control = Peer(s.path('control'), {'control': 'hello', 'actions': ['send', 'file'], 'names': ['mary', 'john'], 'weak': None}).accept()
        b.until(lambda b: b.of('hello')[-1]['actions'] == ['send', 'file'], 'actions')
        answers = []
        ask_for = lambda value: threading.Thread(target=lambda: answers.append(s.browser.post(value)))
        asked = ask_for({'action': 'send', 'from': 'mary', 'to': 'john', 'text': HOSTILE, 'more': 1})
        asked.start()
        got = control.hear()
        assert {k: v for k, v in got.items() if k != 'id'} == {'action': 'send', 'from': 'mary', 'to': 'john', 'text': HOSTILE}, got
        control.say({'id': got['id'] + 7, 'ok': True})  # of nobody
        control.say({'id': got['id'], 'ok': True})
        asked.join(60)
        assert answers.pop().json() == {'ok': True}
        asked = ask_for({'action': 'file', 'from': 'mary', 'to': 'john', 'name': 'x', 'data': base64.b64encode(os.urandom(64 << 10)).decode()})
        asked.start()
        got = control.hear()
        assert len(base64.b64decode(got['data'])) == 64 << 10
        control.say({'id': got['id'], 'ok': False, 'error': 'no room'})
        asked.join(60)
        a = answers.pop()
        assert a.status == 409 and a.json() == {'ok': False, 'error': 'no room'}, a.body
        # Together more than the socket holds at once: they come whole, as they are read.
        data = base64.b64encode(os.urandom(64 << 10)).decode()
        asked = [ask_for({'action': 'file', 'from': 'mary', 'to': 'john', 'name': 'x%d' % i, 'data': data}) for i in range(4)]
        for a in asked:
            a.start()
        names = set()
        for _ in asked:
            got = control.hear()
            names.add(got['name'])
            assert got['data'] == data
            control.say({'id': got['id'], 'ok': True})
        for a in asked:
            a.join(60)
        assert names == {'x0', 'x1', 'x2', 'x3'} and [a.status for a in answers] == [200] * 4
        answers.clear()
        for wrong in ({'action': 'steal'}, {'action': 'send', 'from': 'mary', 'to': 'eve', 'text': 'x'}, b'{', b'', b'[]', {'action': 'send', 'from': 'mary', 'to': 'john', 'text': 'x' * 1001},
                      {'action': 'file', 'from': 'mary', 'to': 'john', 'name': 'x', 'data': base64.b64encode(bytes((64 << 10) + 1)).decode()}):
            a = s.browser.post(wrong)
            assert a.status == 400 and not a.json()['ok'] and '\n' not in a.json()['error'], (wrong, a.status, a.body)
        # Who leaves answers nothing more, and nothing is offered then.
        asked = ask_for({'action': 'send', 'from': 'mary', 'to': 'john', 'text': 'x'})
        asked.start()
        assert control.hear()['text'] == 'x'
        control.close()
        asked.join(60)
        assert answers.pop().status == 503
        b.until(lambda b: b.of('hello')[-1]['actions'] == [], 'no actions')
        assert s.browser.post({'action': 'steal'}).status == 503
        b.close()


def test_message_frame_and_verdict():
    with Shown() as s:
        b = s.browser.stream()
        control = Peer(s.path('control'), {'control': 'hello', 'actions': [], 'names': ['mary', 'john'], 'weak': None}).accept()
        s.add('mary', {'event': 'link_established', 't': 1, 'peer': 'john', 'own_l2_id': '0000a1', 'peer_l2_id': '0000b1', 'key_fingerprint': 'aa'})
        b.until(lambda b: b.items('ue'), 'the link')
        # V 3, SRC, DST, LCID 1 with 8 octets.
        s.add('events', {'event': 'tb', 't': 5.0, 'crc_ok': True, 'hex': '30' + '0000a1' + '0000b1' + '01' + '1122334455667788', 'prb_start': 2, 'n_prb': 4})
        control.say({'control': 'message', 'from': 'mary', 'to': 'john', 'text': 'hi', 't': 4.999})
        b.until(lambda b: b.of('message'), 'the message')
        f = b.items('frames')[0]
        assert (f['src'], f['dst'], f['link'], f['kind'], f['open'], f['prb_start'], f['prbs']) == ('0000a1', '0000b1', 'mary-john', 'record', False, 2, 4), f
        assert b.of('message')[0]['ciphertext'] == f['octets'] and b.of('message')[0]['src'] == '0000a1'
        control.say({'control': 'opened', 'src': '0000a1', 'dst': '0000b1', 't': 5.0, 'text': 'hi'})
        control.say({'control': 'stolen'})
        b.until(lambda b: b.items('updates') == [{'id': 0, 'open': 'hi'}] and b.of('status')[-1]['stolen'], 'the open frame')
        report = {'outcome': 'exposed', 'reason': 'r', 'findings': [{'aspect': 'content', 'check': 'c', 'reason': 'text was read', 'frames': [0]}], 'counts': {'records': 1}}
        s.write('half', json.dumps(report)[:50])
        os.rename(s.path('half'), s.path('report.json'))
        s.write('whole', json.dumps(report))
        os.rename(s.path('whole'), s.path('report.json'))
        b.until(lambda b: b.of('verdict'), 'a verdict')
        assert b.of('verdict')[0]['tiles']['content'] == {'state': 'failed', 'sentence': 'text was read', 'frames': [0]}
        s.write('whole', json.dumps(dict(report, findings=[])))
        os.rename(s.path('whole'), s.path('report.json'))
        b.until(lambda b: b.of('verdict')[-1]['tiles']['content']['state'] == 'passed', 'the next verdict')
        control.close()
        b.close()


def test_eight_browsers():
    with Shown() as s:
        streams = [s.browser.stream() for _ in range(8)]
        assert [b.status for b in streams] == [200] * 8
        ninth = s.browser.get('/stream')
        assert ninth.status == 503 and s.browser.get('/').status == 200
        for b in streams:
            b.until(lambda b: any(x['clients'] == 8 for x in b.of('status')), 'eight')
        streams.pop().close()

        def free():
            again = Stream(s.page, s.browser.headers())
            return again if again.status == 200 else again.close()
        streams.append(wait(free, what='a place'))
        for b in streams:
            b.close()


def test_slow_browser():
    """It takes nothing: it is dropped, while another gets everything in order."""
    with Shown() as s:
        quick = s.browser.stream()
        slow = s.page.connect()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(('GET /stream HTTP/1.1\r\n%s\r\n' % ''.join('%s: %s\r\n' % h for h in s.browser.headers())).encode())
        quick.until(lambda b: any(x['clients'] == 2 for x in b.of('status')), 'two')
        look = Peer(s.path('look'), {'look': 'hello', 'bins': 256, 'row_s': 0.002}).accept()
        rows, sent = base64.b64encode(bytes(16384)).decode(), 0
        while not quick.of('status')[-1]['clients'] == 1:
            look.say({'look': 'waterfall', 't': sent, 'rows': rows})
            sent += 1
            quick.until(lambda b: len(b.of('waterfall')) > sent - 50, 'most rows')  # whatever else the machine does, it is quick
        quick.until(lambda b: len(b.of('waterfall')) == sent, 'all rows')
        assert [w['t'] for w in quick.of('waterfall')] == list(range(sent))
        slow.close()
        look.close()
        quick.close()


def test_end():
    """Ctrl-C with browsers that listen, one that does not read, and an action that waits."""
    with Shown() as s:
        control = Peer(s.path('control'), {'control': 'hello', 'actions': ['steal'], 'names': [], 'weak': None}).accept()
        streams = [s.browser.stream() for _ in range(3)]
        streams[0].until(lambda b: b.of('hello')[-1]['actions'] == ['steal'], 'actions')
        asked = threading.Thread(target=lambda: s.browser.post({'action': 'steal'}))
        asked.start()
        control.hear()
        s.page.stop(signal.SIGINT, timeout=20)
        for b in streams:
            b.until(lambda b: b.take() is not None and b.ended, 'the end')
        asked.join(60)
        assert s.page.said() == '', s.page.said()
        control.close()


if __name__ == '__main__':
    main()
