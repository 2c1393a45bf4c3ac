"""scripts/demo --live in chromium: each button, what the page shows of it, and that nothing is left."""
import os, re, signal, subprocess

from tests.integration.demo_stop_test import programs
from tests.harness.cases import main
from tests.harness.files import write
from tests.harness.paths import BUILD, DEMO
from tests.harness.process import wait
from tests.harness.chromium import Browser

PATIENCE_S = 400  # of the wall clock; a busy machine slows the air


def group_of_its_own():
    """That takes Ctrl-C, even where the test was started in the background."""
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Demo:
    """A live demonstration in a folder of its own; its first line of standard output that has an address is where the page is."""

    def __init__(self, d, *options):
        os.makedirs(d + '/tmp')
        self.d, self.out = d, d + '/out'
        with open(self.out, 'w') as out, open(d + '/err', 'w') as err:
            self.p = subprocess.Popen([DEMO, '--no-build', '--build', BUILD, '--live', *options], env=dict(os.environ, TMPDIR=d + '/tmp'),
                                      stdout=out, stderr=err, preexec_fn=group_of_its_own)
        self.address = wait(lambda: re.findall(r'open (http://\S+)\n', self.said()), PATIENCE_S, [self.p], 'an address')[0]

    def said(self, name='out'):
        with open(os.path.join(self.d, name)) as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()

    def end(self, code):
        os.killpg(self.p.pid, signal.SIGINT)
        got = self.p.wait(120)
        assert got == code, (got, self.said(), self.said('err'))
        assert not programs(self.d), programs(self.d)
        assert os.listdir(self.d + '/tmp') == [], os.listdir(self.d + '/tmp')


def does(b, action, also=lambda: None):
    also()
    b.one('[data-action=%s] button' % action).click()
    b.wait("document.querySelector('#action-said').textContent.endsWith(': done')", PATIENCE_S, action)


def test_every_button(d):
    write(d + '/plan.txt', 'at noon ' * 500)
    with Demo(d) as demo, Browser(1280, 1600) as b:
        b.open(demo.address)
        b.wait("document.querySelectorAll('#known .link.up').length === 2", PATIENCE_S)
        assert 'token' not in b.js('return location.href')
        b.wait("document.querySelectorAll('#constellations figure').length >= 2 && document.querySelectorAll('.room .tr').length > 5", PATIENCE_S)
        b.wait("document.querySelector('#verdict-title').textContent.startsWith('So far') && document.querySelectorAll('.tile.passed').length >= 2", PATIENCE_S)

        does(b, 'send', lambda: b.one('[data-action=send] input').send_keys('the owl flies'))
        # The radio may lose it; the sniffer has its ciphertext, and the text is in none of it.
        b.wait(lambda: 'the owl flies' in b.text('#messages') or (does(b, 'send', lambda: b.one('[data-action=send] input').send_keys('the owl flies')), False)[1], PATIENCE_S)
        cipher = "[...document.querySelectorAll('.message')].find((m) => m.textContent.includes('the owl flies') && m.dataset.frame)?.querySelector('.cipher').textContent"
        octets = bytes.fromhex(b.wait(cipher, PATIENCE_S))
        assert len(octets) > 30 and b'owl' not in octets

        does(b, 'file', lambda: b.one('[data-action=file] input').send_keys(d + '/plan.txt'))
        b.wait("document.querySelector('#messages').textContent.includes('file plan.txt: 4000 octets arrived intact')", PATIENCE_S)
        does(b, 'jam')
        does(b, 'steal')
        b.wait("document.querySelector('#known .link.open')?.dataset.link === 'john-mary'", PATIENCE_S)
        assert 'dark' in b.text('#known .link:not(.open)')
        b.wait("document.querySelector('.message.open[data-link=john-mary]')", PATIENCE_S)
        assert not b.all('.message.open[data-link=john-peter]')
        b.wait("document.querySelector('[data-tile=\"Stolen keys\"].passed')", PATIENCE_S)

        does(b, 'restart', lambda: b.js("document.querySelector('[data-action=restart] select').value = 'peter'"))
        b.wait("document.querySelector('#lanes .mark.release') && document.querySelectorAll('#known .link.up').length === 2", PATIENCE_S)
        does(b, 'withdraw')
        b.wait("document.querySelector('#known .link.down')?.dataset.link === 'john-mary'", PATIENCE_S)
        b.one('[data-action=send] button').click()
        b.wait("document.querySelector('#action-said').textContent.includes('no link between mary and john')")
        said = [x for x in b.console() if '409' not in x]  # the refusal
        assert not said, said
        demo.end(0)


if __name__ == '__main__':
    main()
