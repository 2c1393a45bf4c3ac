"""Who is let in by prose-page: token, cookie, Host, Origin, methods, bodies. Raw HTTP."""
import os, signal, socket, stat, tempfile

from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.process import run, wait
from tests.page.browser import Browser, Page, ask

FOLDER = tempfile.TemporaryDirectory(prefix='prose-page-')
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"


def path(*p):
    return os.path.join(FOLDER.name, *p)


class Served:
    """with Served() as (page, browser)"""

    def __init__(self, *arguments):
        assets = path('assets')
        os.makedirs(assets, exist_ok=True)
        for name, text in (('index.html', '<p>the page</p>'), ('app.js', 'code'), ('style.css', 'css'), ('secret.txt', 'secret')):
            write(os.path.join(assets, name), text)
        write(path('outside.js'), 'secret')
        self.arguments = ('--assets', assets, *arguments)

    def __enter__(self):
        self.page = Page(path('log'), *self.arguments)
        self.first = self.page.token
        return self.page, Browser(self.page)

    def __exit__(self, *_):
        self.page.stop()


def safe(a):
    """What every answer says."""
    for name, value in (('content-security-policy', POLICY), ('x-content-type-options', 'nosniff'), ('referrer-policy', 'no-referrer'), ('cache-control', 'no-store')):
        assert a.headers.get(name) == value, (name, a.headers)
    assert 'access-control-allow-origin' not in a.headers and b'secret' not in a.body, (a.headers, a.body)
    return a.status


def test_token_and_cookie():
    with Served() as (page, b):
        assert set(b.set_cookie.split('; ')[1:]) == {'HttpOnly', 'SameSite=Strict', 'Path=/'}, b.set_cookie
        used, host = page.token, ('Host', page.host)
        assert used not in b.set_cookie
        a = b.get('/')
        assert safe(a) == 200 and a.body == b'<p>the page</p>' and a.headers['content-type'].startswith('text/html'), (a.headers, a.body)
        assert b.get('/app.js').headers['content-type'].startswith('text/javascript') and b.get('/style.css').headers['content-type'].startswith('text/css')
        for p in ('/', '/app.js', '/stream', '/action'):
            for cookie in ((), [('Cookie', 'prose_page=' + used)], [('Cookie', 'prose_page=')], [('Cookie', b.cookie[:-1])], [('Cookie', b.cookie), ('Cookie', b.cookie)]):
                assert safe(ask(page, 'GET', p, [host, *cookie])) == 403, (p, cookie)
        # The address is for one use; what is wrong uses nothing up.
        assert safe(ask(page, 'GET', '/?token=' + used, [host])) == 403
        assert safe(ask(page, 'GET', '/?token=', [host])) == 403
        assert safe(ask(page, 'HEAD', '/?token=' + used, [host])) == 405
        page.p.send_signal(signal.SIGUSR1)
        wait(lambda: len(page.addresses()) == 2, programs=[page], what='another address')
        assert page.token != used
        for wrong in (used, page.token[:-1], page.token + '0'):
            assert safe(ask(page, 'GET', '/?token=' + wrong, [host])) == 403
        assert safe(ask(page, 'GET', '/?token=' + page.token, [('Host', 'evil.example')])) == 421
        other = Browser(page)
        assert other.cookie != b.cookie and other.get('/').status == b.get('/').status == 200
        assert used not in text_of(page.log) and page.token not in text_of(page.log)


def test_host():
    with Served() as (page, b):
        port = ':%d' % page.port
        cookie = ('Cookie', b.cookie)
        for right in ('127.0.0.1' + port, 'localhost' + port):
            assert safe(ask(page, 'GET', '/', [('Host', right), cookie])) == 200, right
        for wrong in ([], [('Host', '')], [('Host', 'evil.example' + port)], [('Host', '127.0.0.1')], [('Host', '127.0.0.1:1')], [('Host', 'localhost.evil.example' + port)],
                      [('Host', page.host), ('Host', page.host)], [('Host', 'evil.example'), ('X-Forwarded-Host', page.host)]):
            assert safe(ask(page, 'GET', '/', [*wrong, cookie])) == 421, wrong
            assert safe(ask(page, 'POST', '/action', [*wrong, cookie])) == 421, wrong
        assert safe(ask(page, 'GET', 'http://evil.example/', [('Host', 'evil.example'), cookie])) == 421


def test_origin_and_kind_of_an_action():
    with Served() as (page, b):
        steal = {'action': 'steal'}
        for wrong in ('http://evil.example', 'null', 'https://' + page.host, 'http://localhost:%d' % page.port, 'http://127.0.0.1'):
            a = b.post(steal, origin=wrong)
            assert safe(a) == 403 and a.json()['ok'] is False, wrong
        length = ('Content-Length', '18')
        kind, origin = ('Content-Type', 'application/json'), ('Origin', 'http://' + page.host)
        body = b'{"action":"steal"}'
        assert safe(ask(page, 'POST', '/action', b.headers(kind, length), body)) == 403  # no Origin
        assert safe(ask(page, 'POST', '/action', b.headers(origin, origin, kind, length), body)) == 403
        assert safe(ask(page, 'POST', '/action', [('Host', page.host), origin, kind, length], body)) == 403  # no cookie
        for wrong in ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', ''):
            assert safe(b.post(steal, kind=wrong)) == 415, wrong
        assert safe(b.get('/action')) == 405
        for method in ('PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'TRACE'):
            assert ask(page, method, '/action', b.headers(origin, kind, ('Content-Length', '0'))).status in (400, 405), method
        assert safe(ask(page, 'POST', '/', b.headers(origin, kind, length), body)) == 404
        assert b.post(steal).status == 503  # nobody takes actions


def test_bodies():
    with Served() as (page, b):
        origin, kind = ('Origin', 'http://' + page.host), ('Content-Type', 'application/json')
        too_large = b'{"action":"' + b'x' * (200 << 10) + b'"}'
        assert safe(b.post(too_large)) == 413
        for length in ('99999999999999999999', '1000000', '-1', '0x10', '', '131073'):
            assert ask(page, 'POST', '/action', b.headers(origin, kind, ('Content-Length', length)), b'{}').status in (400, 411, 413), length
        chunked = ask(page, 'POST', '/action', b.headers(origin, kind, ('Transfer-Encoding', 'chunked')), b'2\r\n{}\r\n0\r\n\r\n')
        assert safe(chunked) == 411
        assert safe(b.post({'action': 'steal'}, ('Content-Encoding', 'gzip'))) == 411
        # A long header or address is refused, and nothing else suffers.
        assert ask(page, 'GET', '/' + 'a' * 20000, b.headers()).status in (400, 404, 414)
        assert ask(page, 'GET', '/', b.headers(('X', 'a' * 100000))).status in (200, 400, 431)
        assert b.get('/').status == 200


def test_files():
    with Served() as (page, b):
        for p in ('/secret.txt', '/outside.js', '/../outside.js', '/%2e%2e/outside.js', '/..%2foutside.js', '/assets/../../outside.js', '//etc/passwd', '/.', '/..', '/app.js/', '/app.js%00',
                  '/none.js', '/index', '/STYLE.CSS'):
            a = b.get(p)
            assert safe(a) == 404, (p, a.status, a.body)
        assert safe(b.get('/app.js', ('Range', 'bytes=0-1'))) == 416
        a = b.get('/app.js', ('Accept-Encoding', 'gzip, br'))
        assert a.status == 200 and a.headers.get('content-encoding') or a.body == b'code'


def test_who_says_nothing_is_in_nobodys_way():
    with Served() as (page, b):
        silent = [page.connect() for _ in range(6)]
        for s in silent[3:]:
            s.sendall(b'GET / HTTP/1.1\r\nHost:')
        assert b.get('/').status == 200
        for s in silent:  # they are given up
            assert s.recv(1000) is not None
            s.close()


def test_token_file_and_options():
    token = path('token')
    with Served('--token-file', token) as (page, b):
        assert text_of(token) == 'http://%s/?token=%s\n' % (page.host, page.token) and stat.S_IMODE(os.stat(token).st_mode) == 0o600
        page.p.send_signal(signal.SIGUSR1)
        wait(lambda: len(page.addresses()) == 2 and page.token in text_of(token), programs=[page], what='another address')
        port = page.port
        # Its port is its own.
        r = run('prose-page', '--listen', '127.0.0.1:%d' % port, code=2)
        assert r.stderr.startswith('prose-page: --listen 127.0.0.1:%d' % port) and r.stderr.count('\n') == 1, r.stderr
    for wrong, said in ((['--listen', '0.0.0.0:0'], '--open-to-network'), (['--listen', '192.0.2.1:80'], '--open-to-network'), (['--listen', 'localhost:80'], 'ADDRESS:PORT'), (['--listen', '127.0.0.1'], 'ADDRESS:PORT'),
                        (['--ue', 'mary'], 'NAME=FILE'), (['--ue', 'a=x', '--ue', 'a=y'], 'twice'), (['--assets', path()], 'index.html'), (['--look', 'x' * 200], 'octets'),
                        (['--token-file', path('no', 'x')], '--token-file'), (['--events', token, '--token-file', token], token)):
        r = run('prose-page', *wrong, code=2)
        assert said in r.stderr and r.stderr.count('\n') == 1 and not r.stdout, (wrong, r.stderr)
    with Served('--listen', '0.0.0.0:0', '--open-to-network') as (page, b):
        assert 'not encrypted' in page.said()
        assert ask(page, 'GET', '/', b.headers()).status == 200
        assert ask(page, 'GET', '/', [('Host', 'evil.example:%d' % page.port), ('Cookie', b.cookie)]).status == 421
    assert '127.0.0.1' in run('prose-page', '--print-config').stdout
    assert run('prose-page', '--check', '--token-file', path('never')).returncode == 0 and not os.path.exists(path('never'))


def test_ipv6():
    if not socket.has_ipv6 or not os.path.exists('/proc/net/if_inet6') or not text_of('/proc/net/if_inet6').strip():
        print('no IPv6 here')
        return
    with Served('--listen', '[::1]:0') as (page, b):
        assert page.host.startswith('[::1]:') and safe(b.get('/')) == 200
        assert safe(ask(page, 'GET', '/', [('Host', '127.0.0.1:%d' % page.port), ('Cookie', b.cookie)])) == 421


if __name__ == '__main__':
    main()
