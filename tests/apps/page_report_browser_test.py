"""The report page in a browser: what it says, at 500 px, dark, on paper, with 100 000 frames, and with texts that want to be markup."""
import base64, os, subprocess, tempfile

from tests.harness.cases import main
from tests.harness.chromium import Browser
from tests.harness.paths import tool

PAGES = ('opaque', 'exposed', 'nothing', 'large')
folder, browser = None, None


def show(name, width=1280, scheme='light', media=''):
    browser.media(media, scheme)
    browser.size(width)
    browser.open('file://' + os.path.join(folder, name + '.html'))
    browser.settled()


def text(selector):
    return browser.js('return document.querySelector(arguments[0]).textContent', selector)


def texts(selector):
    return browser.js('return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)', selector)


def click(selector):
    browser.js('document.querySelector(arguments[0]).dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}))', selector)
    browser.settled()


def open_tiles():
    browser.js('for (const d of document.querySelectorAll("details")) d.open = true')
    browser.settled()


def search(words):
    browser.js('const s = document.getElementById("search"); s.value = arguments[0]; s.dispatchEvent(new Event("input"))', words)
    browser.settled()


def rows():
    """The first shown ones: number, channel, who."""
    found = browser.js('return [...document.querySelectorAll("#frames .row")].map(r => [...r.children].map(c => c.textContent))')
    return [(int(r[0]), r[2], r[3]) for r in found]


def counted():
    return int(text('#counted').split(' of ')[0].replace('\u202f', ''))


def test_no_page_has_an_error_or_asks_for_anything_outside():
    for name in PAGES:
        show(name)
        open_tiles()
        assert browser.errors() == [], name
        assert browser.js('return performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).map(e => e.name)') == [], name
        assert len(browser.js('return document.getElementById("page").textContent')) > 2000, name


def test_the_sentence_and_the_tiles_come_first():
    show('opaque')
    assert text('#sentence') == 'An eavesdropper could read nothing in 83 messages of 107.7 s; evidence: 9.6 kB, 97.0 % decoded.'
    assert texts('.tile .name') == ['Content', 'Identity', 'Stolen keys', 'Radio fingerprints']
    assert texts('.tile .badge') == ['Passed', 'Passed', 'Not run', 'Failed']
    assert browser.js('return [...document.querySelectorAll(".tile")].every(d => !d.open)')
    assert 'prose-sniffer --iq' in text('#facts') and 'a' * 64 in text('#facts') and '5900.000 MHz' in text('#facts')
    show('exposed')
    assert text('#sentence').startswith('An eavesdropper could tell what was sent: ') and texts('.tile .badge')[0] == 'Failed'
    show('nothing')
    assert text('#sentence').startswith('Nothing is proven: nothing was captured') and set(texts('.tile .badge')) == {'Not run'}


def test_questions_have_answers_and_bars_with_a_threshold():
    show('exposed')
    click('#tile_content summary')
    answers = dict(zip(texts('#tile_content .asked:not(.head) > :nth-child(1)'), texts('#tile_content .asked:not(.head) > :nth-child(2)')))
    assert answers['Compressible?'] == 'Yes: 213 bits saved', answers
    assert any(a.startswith('Not run: ') for a in answers.values()) and any(a.startswith('No: ') for a in answers.values()), answers
    # p = 1e-40 lies in the red range, at its end; a test that was not run has no dot.
    place = browser.js('''const row = [...document.querySelectorAll("#tile_content .asked")].find(r => r.firstChild.textContent === "Compressible?");
        return [row.querySelector(".dot").style.left, parseFloat(row.querySelector(".zone").style.left)]''')
    assert place[0] == '100%' and 40 < place[1] < 60, place
    assert browser.js('return [...document.querySelectorAll(".asked")].filter(r => r.textContent.includes("Not run: ")).every(r => !r.querySelector(".dot"))')


def test_drawings_have_axes_with_units():
    show('opaque')
    said = texts('.chart text')
    for unit in ('time, s', 'frequency, MHz', 'dB full scale, a bin', 'I', 'Q'):
        assert unit in said, (unit, said)
    assert browser.d.execute_async_script('''const done = arguments[0], i = new Image();
        i.onload = () => done([i.naturalWidth, i.naturalHeight]); i.onerror = () => done("broken"); i.src = document.getElementById("spectrogram").getAttribute("href")''')[1] == 256
    assert sorted(set(texts('#constellation figcaption b'))) == ['PSBCH', 'PSCCH', 'PSDCH', 'PSSCH']
    assert 'EVM' in text('#constellation figcaption')


def test_at_500_px_nothing_scrolls_sideways():
    for name in PAGES:
        show(name, 500)
        open_tiles()
        assert browser.js('return document.documentElement.scrollWidth <= innerWidth'), (name, browser.js(
            'return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className).slice(0, 5)'))
        assert browser.js('return document.querySelector("h1").getBoundingClientRect().right <= innerWidth')


CONTRAST = '''const rgb = c => c.match(/[\\d.]+/g).map(Number), lum = c => rgb(c).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c).length < 4 || rgb(c)[3] > 0) return c; } return "rgb(255, 255, 255)"; };
return [...document.querySelectorAll("h1, h2, p, dt, dd, .badge, .answer, .more, .row span, .chip:not(:disabled), td, th")].filter(e => e.textContent.trim() && e.offsetParent).map(e => {
  const a = lum(getComputedStyle(e).color), b = lum(behind(e));
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.className + ": " + e.textContent.slice(0, 40)];
}).filter(x => x[0] < 4.5)'''


def test_dark_and_light_can_both_be_read():
    seen = {}
    for scheme in ('light', 'dark'):
        show('exposed', scheme=scheme)
        open_tiles()
        seen[scheme] = browser.js('return getComputedStyle(document.body).backgroundColor')
        pale = browser.js(CONTRAST)
        assert pale == [], (scheme, pale)
    assert seen['light'] != seen['dark'], seen


def test_on_paper_everything_is_open_and_the_named_frames_are_listed():
    show('exposed', scheme='dark', media='print')
    assert browser.js('return getComputedStyle(document.body).backgroundColor') == 'rgb(255, 255, 255)'
    assert browser.js('return [getComputedStyle(document.querySelector(".list")).display, getComputedStyle(document.querySelector(".onpaper")).display]') == ['none', 'block']
    assert all(str(n) in text('.onpaper pre') for n in (1, 25, 27, 31, 35)), text('.onpaper')
    browser.js('window.opened = 0; addEventListener("beforeprint", () => { opened = document.querySelectorAll("details.tile[open]").length; })')
    pdf = base64.b64decode(browser.d.execute_cdp_cmd('Page.printToPDF', {'printBackground': True})['data'])
    assert pdf.startswith(b'%PDF') and browser.js('return opened') == 4
    assert browser.js('return document.querySelectorAll("details.tile[open]").length') == 0  # as before


def test_100_000_frames_are_few_elements():
    show('large')
    assert counted() == 100_000
    first = browser.js('return document.querySelectorAll("*").length')
    browser.js('const v = document.getElementById("frames"); v.scrollTop = v.scrollHeight')
    browser.settled()
    assert rows()[-1][0] == 99_999, rows()
    browser.js('const v = document.getElementById("frames"); v.scrollTop = v.scrollHeight / 2')
    browser.settled()
    assert any(abs(n - 50_000) < 40 for n, *_ in rows()), rows()
    elements = browser.js('return document.querySelectorAll("*").length')
    assert first < 3000 and elements < 3000, (first, elements)
    search('00aa')  # of the 40 pairs of IDs
    assert 0 < counted() < 100_000


def test_frames_are_filtered_sorted_and_found():
    show('opaque')
    assert counted() == 2000 and [r[0] for r in rows()[:3]] == [0, 1, 2]
    click('.chip')  # PSBCH
    assert counted() == 200 and {r[1] for r in rows()} == {'PSBCH'}
    click('.chip')
    search('aa0201')
    assert 0 < counted() < 400 and all('aa0201' in r[2] or 'CRC' in r[2] for r in rows()), rows()
    search('no such thing')
    assert counted() == 0 and rows() == []
    search('')
    click('.row.head button:nth-child(8)')  # SNR
    assert text('.row.head [aria-sort=ascending]') == 'SNR, dB'
    click('.row.head button:nth-child(8)')
    values = [float(x) for x in texts('#frames .row > :nth-child(8)') if x]
    assert values == sorted(values, reverse=True) and len(values) > 10, values
    failed = [i for i, t in enumerate(texts('.chip')) if t.startswith('CRC failed')][0]
    click('.chip:nth-of-type(%d)' % (failed + 1))
    assert counted() == 40 and {r[2] for r in rows()} == {'CRC failed'}


def test_the_side_panel_shows_fields_and_octets():
    show('opaque')
    search('#5')
    click('#frames .row')
    side = text('#side')
    assert 'Frame 5 PSSCH' in side and 'aa0001 > bb0002' in side and '16QAM' not in side and 'logical channels3' in side, side
    assert text('#hex').startswith('0000  30 aa 00 01 bb 00 02 03'), text('#hex')
    search('')
    browser.js('document.getElementById("frames").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown"}))')
    browser.settled()
    assert 'Frame 6' in text('#side')
    click('.lane:last-child')  # of the drawing: its frames
    assert 0 < counted() < 2000


def test_a_named_frame_is_shown_whatever_is_filtered():
    show('exposed')
    search('no such thing')
    click('.refs button')
    assert 'Frame 25' in text('#side') and browser.js('return document.querySelector("#frames .row.chosen.evidence") !== null')
    named = [i for i, t in enumerate(texts('.chip')) if t.startswith('named by the verdict')][0]
    click('.chip:nth-of-type(%d)' % (named + 1))
    assert [r[0] for r in rows()] == [1, 25, 27, 31, 35]


def test_hostile_texts_stay_text():
    show('exposed')
    open_tiles()
    assert 'onerror=' in text('#sentence') + text('.found .what')
    assert browser.js('return [document.title.includes("run"), document.images.length, document.scripts.length, document.querySelectorAll("[onerror]").length]') == [True, 0, 2, 0]
    assert browser.js('return document.title').startswith('Exposed')  # the name is part of it, the script did not run
    assert browser.errors() == []
    # Were one to get in, the policy would not let it run, nor load anything.
    browser.js('const s = document.createElement("script"); s.textContent = "document.title = \'it ran\'"; document.body.append(s); const i = document.createElement("img"); i.src = "file:///x.png"; document.body.append(i)')
    browser.settled()
    assert browser.js('return document.title').startswith('Exposed')
    assert len([e for e in browser.errors() if 'Content Security Policy' in e]) == 2


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        print(subprocess.run([tool('page_report_pages'), folder], check=True, capture_output=True, text=True).stdout)
        main()
