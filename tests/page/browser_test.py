"""The live page in Debian's chromium, against a stand-in for its server (stage.py) that tells what a case wants."""
import base64, os

from tests.harness.chromium import Browser
from tests.page.stage import HELLO, Stage
from tests.harness.cases import main
from tests.harness.files import write

RECORD = '2087ed6f729c21211f0160a9fa0001' + 'c3' * 60
HOSTILE = ('<script>window.hurt = 1</script>', '<img src=x onerror="window.hurt = 1">', '\u202egnp.exe', 'a\u0000b\u200f\ufeffc', 'x' * 10_000)


def frame(i, **more):
    return {'id': i, 't': 1000 + 0.01 * i, 'channel': ('PSSCH', 'PSDCH', 'PSCCH')[i % 3], 'subframe': i % 10240, 'prb_start': i % 20, 'prbs': 2, 'duration_s': 0.001,
            'src': '%06x' % (i % 7), 'dst': '%06x' % (i % 5), 'kind': ('record', 'discovery', 'sci')[i % 3], 'link': ('mary-john', None)[i % 2], 'open': False,
            'octets': RECORD, 'fields': {'mcs': 14, 'snr_db': 22.5}, **more}


def frames(stage, n, first=0, **more):
    for i in range(first, first + n, 100):
        stage.tell('frames', [frame(k, **more) for k in range(i, min(i + 100, first + n))])


def air(stage, t=1000.0, rows=500):
    stage.tell('waterfall', {'t': t, 'rows': base64.b64encode(bytes(range(40, 40 + 64)) * 4 * rows).decode()})


def scene(stage):
    """Of everything something."""
    air(stage)
    frames(stage, 30)
    stage.tell('points', {'t': 1000, 'channel': 'PSSCH', 'evm': 0.08, 'modulation': 'QPSK', 'iq': base64.b64encode(bytes([23, 23, 233, 23, 23, 233, 233, 233] * 20)).decode()})
    for a, b in (('mary', 'john'), ('john', 'mary'), ('john', 'peter'), ('peter', 'john')):
        stage.tell('ue', [{'name': a, 't': 1000.05, 'event': 'link_established', 'peer': b, 'epoch': 0, 'key_fingerprint': 'f03d985b63255291', 'own_l2_id': '%06x' % len(a + b)}])
    stage.tell('message', {'from': 'mary', 'to': 'john', 'text': 'hello', 't': 1000.0, 'src': '000000', 'dst': '000000', 'ciphertext': RECORD, 'frame': 0})
    tiles = {k: {'state': 'passed', 'sentence': 'a sentence'} for k in ('content', 'identity', 'stolen_keys', 'radio')}
    stage.tell('verdict', {'outcome': 'opaque', 'reason': 'nothing found', 'findings': [], 'tiles': tiles})
    stage.tell('status', {'t': 1000, 'clients': 1, 'dropped': 0, 'sniffer': 'running', 'stolen': False, 'weak': None})


def ready(b, stage, n=30):
    b.open(stage.address)
    b.wait("document.querySelector('#count').textContent.startsWith('%s frames')" % format(n, ','))
    # Drawn after the last thing that was told.
    b.wait("document.querySelector('#state').textContent === 'live'")


def quiet(b):
    said = b.console()
    assert not said, said


def test_everything_is_shown_and_the_console_is_silent():
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        b.wait("document.querySelectorAll('.tile.passed').length === 4")
        assert b.text('#verdict-title') == 'So far an eavesdropper could read nothing'
        assert '5.900 GHz' in b.text('#facts') and 'EVM 8 %' in b.text('#constellations')
        b.wait("document.querySelectorAll('#known .link.up').length === 2 && document.querySelectorAll('#lanes .lane').length >= 4")
        assert b.js("return document.querySelectorAll('#lanes .mark').length") == 4
        assert 'hello' in b.text('#messages') and '20 87 ed 6f' in b.text('#messages .cipher')
        # The waterfall has colours, and boxes: not one colour all over.
        pixels = b.js("""const c = document.querySelector('#waterfall'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, s = new Set();
                         for (let i = 0; i < d.length; i += 404) s.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return s.size""")
        assert pixels > 20, pixels
        quiet(b)


def test_a_frame_is_dissected_from_row_box_message_and_keyboard():
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        b.js("document.querySelector('#kind').value = 'record'; document.querySelector('#kind').dispatchEvent(new Event('change'))")
        b.wait("document.querySelector('#count').textContent.startsWith('10 of 30')")
        b.one('.room .tr').click()
        b.wait("!document.querySelector('#details').hidden")
        assert b.text('#details-title') == 'Frame 27', b.text('#details-title')
        parts = b.text('#details .parts')
        for expected in ('MAC version', '87ed6f', 'KD-sess ID', 'a9fa', 'Ciphertext', 'Tag'):
            assert expected in parts, (expected, parts)
        assert b.text('#details .dump .row').startswith('000020 87 ed 6f') and 'mcs' in b.text('#details details')
        assert b.js("return document.querySelector('.room .tr[aria-selected=true]').id") == 'frame-27'
        b.one('#details-before').click()
        assert b.text('#details-title') == 'Frame 26'
        b.one('#details-after').click()
        b.one('#details-close').click()
        assert b.js("return document.querySelector('#details').hidden")
        b.one('#messages button').click()
        assert b.text('#details-title') == 'Frame 0'
        b.js("document.querySelector('#frames').focus()")
        b.one('#frames').send_keys('\ue013')  # arrow up: the one above is the next record
        assert b.text('#details-title') == 'Frame 3', b.text('#details-title')
        # A click into the picture, where a box is: the middle of frame 29 of the last that the waterfall shows.
        b.js("document.querySelector('#waterfall').focus()")
        b.one('#waterfall').send_keys('\ue014')  # arrow right
        assert b.text('#details-title').startswith('Frame ')
        b.one('#details-close').send_keys('\ue00c')  # escape
        assert b.js("return document.querySelector('#details').hidden")
        quiet(b)


def test_each_button_asks_for_what_it_says(d):
    stage = Stage()
    scene(stage)
    write(os.path.join(d, 'plan.txt'), 'at noon')
    with Browser() as b:
        ready(b, stage)
        b.one('[data-action=send] input').send_keys('at dawn')
        b.one('[data-action=file] input').send_keys(os.path.join(d, 'plan.txt'))
        for n, action in enumerate(HELLO['actions']):
            b.one('[data-action=%s] button' % action).click()
            b.wait(lambda: len(stage.actions) == n + 1)
            b.wait("document.querySelector('#action-said').textContent.endsWith(': done')")
        assert stage.actions == [{'action': 'send', 'from': 'mary', 'to': 'john', 'text': 'at dawn'},
                                 {'action': 'file', 'from': 'mary', 'to': 'john', 'name': 'plan.txt', 'data': base64.b64encode(b'at noon').decode()},
                                 {'action': 'withdraw', 'from': 'mary', 'to': 'john'}, {'action': 'restart', 'name': 'mary'}, {'action': 'jam', 'seconds': 3},
                                 {'action': 'steal'}], stage.actions
        quiet(b)
        stage.answer = {'ok': False, 'error': 'there is no link <b>now</b>'}
        b.one('[data-action=restart] button').click()
        b.wait("document.querySelector('#action-said.bad')?.textContent === 'Restart: there is no link <b>now</b>'")
        # The buttons of the page itself.
        b.one('#pause').click()
        assert b.one('#pause').get_attribute('aria-pressed') == 'true' and b.text('#pause') == 'Go on'
        b.one('#pause').click()
        before = b.js("return getComputedStyle(document.documentElement).backgroundColor")
        b.one('#theme').click()
        assert b.js("return getComputedStyle(document.documentElement).backgroundColor") != before
        for s in ('1', '2', '5', '20', '60'):
            b.js("document.querySelector('#span').value = arguments[0]; document.querySelector('#span').dispatchEvent(new Event('change'))", s)
        assert not [x for x in b.console() if '400' not in x]  # the refusal above


def test_only_what_is_offered_is_shown():
    stage = Stage(dict(HELLO, actions=['send', 'file']))
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        assert [f.get_attribute('data-action') for f in b.all('#actions form')] == ['send', 'file']
    stage = Stage(dict(HELLO, actions=[]))
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        assert b.js("return document.querySelector('#actions').hidden")


def test_stolen_keys_light_up_one_link_and_leave_the_other_dark():
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        b.wait("document.querySelectorAll('#known .link').length === 2")
        assert not b.all('#known .link.open') and 'dark' in b.text('#known')
        stage.tell('updates', [{'id': 0, 'open': 'hello', 'link': 'mary-john'}])
        stage.tell('status', {'t': 1001, 'clients': 1, 'dropped': 0, 'sniffer': 'running', 'stolen': True, 'weak': None})
        b.wait("document.querySelector('#known .link.open')?.dataset.link === 'john-mary'")
        assert len(b.all('#known .link.open')) == 1 and 'dark' in b.text('#known .link:not(.open)')
        b.wait("document.querySelector('.message.open .cipher')?.textContent === 'hello'")
        assert b.js("return document.querySelector('[data-action=steal] button').disabled")
        quiet(b)


def test_a_weak_ue_turns_the_page_red_with_the_frames():
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        stage.tell('status', {'t': 1, 'clients': 1, 'dropped': 0, 'sniffer': 'running', 'stolen': False, 'weak': 'null-cipher'})
        b.wait("document.body.classList.contains('weakened') && !document.querySelector('#alarm').hidden")
        assert not b.js("return document.body.classList.contains('exposed')")
        failed = {'state': 'failed', 'sentence': 'text in the clear'}
        stage.tell('verdict', {'outcome': 'exposed', 'reason': 'text in the clear', 'tiles': {'content': failed},
                               'findings': [{'aspect': 'content', 'check': 'ascii_run', 'reason': 'a run of text', 'frames': [3, 6]}]})
        b.wait("document.body.classList.contains('exposed') && document.querySelectorAll('.tile.failed').length === 1")
        assert [x.text for x in b.all('.finding button')] == ['frame 3', 'frame 6']
        b.all('.finding button')[1].click()
        assert b.text('#details-title') == 'Frame 6' and 'shows the weakness' in b.text('#details')
        b.wait("document.querySelector('#frame-6')?.classList.contains('flagged')")
        quiet(b)


def test_narrow_and_dark():
    stage = Stage()
    scene(stage)
    with Browser(500, 900, dark=True) as b:
        ready(b, stage)
        b.wait("document.querySelectorAll('#lanes .lane').length >= 4")
        b.one('.room .tr').click()
        width, inner = b.js('return [document.documentElement.scrollWidth, innerWidth]')
        assert width <= inner == 500, (width, inner)
        # Text is light on dark, and each control has a name.
        light = lambda where, what: sum(map(int, b.js("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]].match(/[0-9]+/g).slice(0, 3)", where, what)))
        assert light('body', 'color') > 500 and light('.card', 'backgroundColor') < 200
        nameless = b.js("""return [...document.querySelectorAll('button, input, select, canvas, [tabindex]')].filter((e) => !e.closest('[hidden]') &&
            !(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.length)).map((e) => e.outerHTML)""")
        assert not nameless, nameless
        quiet(b)


def test_a_hundred_thousand_frames():
    """Fast means: what is made does not grow with what is there."""
    n = 100_000
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        few = b.js("return document.querySelectorAll('*').length")
        frames(stage, n - 30, 30)
        b.wait("document.querySelector('#count').textContent === '100,000 frames'", 120)
        nodes = lambda: b.js("return document.querySelectorAll('*').length")
        assert nodes() < few + 600, (few, nodes())
        b.one('#search').send_keys('000003')
        b.wait("document.querySelector('#count').textContent.includes(' of 100,000')")
        assert 0 < b.js("return document.querySelectorAll('.room .tr').length") < 60
        assert all('000003' in x.text for x in b.all('.room .tr')[:5])
        b.js("document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input'))")
        b.wait("document.querySelector('#count').textContent === '100,000 frames'")
        b.js("document.querySelector('.scroll').scrollTop = 1e6")
        b.wait("document.querySelectorAll('.room .tr').length > 10 && document.querySelector('.room .tr').getAttribute('aria-rowindex') > 30000")
        assert nodes() < few + 600
        for key in ('t', 'channel', 'size', 'src'):
            b.one('.th [data-key=%s]' % key).click()
        assert b.one('.th [data-key=src]').get_attribute('aria-sort') == 'ascending'
        b.js("document.querySelector('.scroll').scrollTop = 0")
        b.wait("document.querySelector('.room .tr .c-src')?.textContent === '000000'")
        quiet(b)


def test_hostile_names_and_texts_are_text():
    stage = Stage(dict(HELLO, names=list(HOSTILE[:3])))
    scene(stage)
    for i, text in enumerate(HOSTILE):
        stage.tell('frames', [frame(100 + i, channel='PSSCH', kind=text, src=text, dst=text, link=text, open=text, fields={text[:50]: text}, octets=RECORD)])
        stage.tell('message', {'from': text, 'to': text, 'text': text, 't': 1001, 'src': text, 'dst': text, 'ciphertext': text})
        stage.tell('ue', [{'name': text, 't': 1001.5, 'event': 'link_established', 'peer': text + '2', 'epoch': text, 'key_fingerprint': text, 'own_l2_id': text}])
    hurt = {'state': 'failed', 'sentence': HOSTILE[0]}
    stage.tell('verdict', {'outcome': 'exposed', 'reason': HOSTILE[1], 'tiles': {'content': hurt}, 'findings': [{'check': HOSTILE[1], 'reason': HOSTILE[4], 'frames': [100]}]})
    stage.tell('status', {'weak': HOSTILE[0], 'stolen': True, 'sniffer': 'running'})
    with Browser(500, 900) as b:
        ready(b, stage, 30 + len(HOSTILE))
        for i in range(len(HOSTILE)):
            b.js("document.querySelector('#search').value = arguments[0]; document.querySelector('#search').dispatchEvent(new Event('input'))", str(100 + i))
            b.wait("document.querySelectorAll('.room .tr').length === 1 && document.querySelector('.room .tr').id === 'frame-%d'" % (100 + i))
            b.js("document.querySelector('.room .tr').click()")  # below the panel of the row before
            b.wait("document.querySelector('#details-title').textContent === 'Frame %d'" % (100 + i))
        b.wait("document.querySelectorAll('.message').length === %d" % (1 + len(HOSTILE)))
        page = b.js('return document.body.textContent')
        assert '<script>window.hurt' in page and '\u202e' not in page and '\u27e8202E\u27e9' in page and '(10000 characters)' in page
        assert b.js('return window.hurt ?? null') is None and not b.all('main script, main img, aside script, aside img')
        width, inner = b.js('return [document.documentElement.scrollWidth, innerWidth]')
        assert width <= inner, (width, inner)
        quiet(b)


def test_a_lost_stream_is_told_and_found_again():
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        stage.leave()
        b.wait("!document.querySelector('#lost').hidden && document.querySelector('#state').dataset.kind === 'lost'")
        assert 'old' in b.text('#lost')
        again = Stage(port=stage.port)
        scene(again)
        frames(again, 10, 30)
        b.wait("document.querySelector('#lost').hidden && document.querySelector('#state').dataset.kind === 'live'", 120)
        b.wait("document.querySelector('#count').textContent === '40 frames'")
        assert len(b.all('.message')) == 1, 'what came before is told again, not twice'


def test_another_run_under_the_same_address_starts_anew():
    stage = Stage()
    scene(stage)
    with Browser() as b:
        ready(b, stage)
        stage.leave()
        b.wait("!document.querySelector('#lost').hidden")
        again = Stage(port=stage.port)
        again.tell('frames', [dict(frame(i), t=2000 + i) for i in range(4)])
        b.wait("document.querySelector('#count').textContent === '4 frames'", 120)


if __name__ == '__main__':
    main()
