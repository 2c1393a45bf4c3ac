"""What is heard live and what a recording of it gives are the same events; the page that reports on it is self-contained and holds the frames."""
import base64, collections, json, re, struct, xml.etree.ElementTree, zlib

from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.scene import Scene

RATE = {25: 7.68e6, 50: 15.36e6}
SECONDS = 3  # after the links are up
# What the page is made of: nothing here runs, loads, frames or submits anything but the pictures, whose src is looked at.
TAGS = set('html head meta title style body h1 h2 p div span strong br table tr th td code pre a details summary img svg path circle'.split())
ATTRIBUTES = set('lang charset name content http-equiv id class style href src alt colspan viewBox width height d stroke cx cy r fill fill-opacity'.split())


def check_page(path, events):
    text = text_of(path)
    page = xml.etree.ElementTree.fromstring(text)  # well-formed
    # Nothing outside the page: no addresses, no scripts, only pictures that it holds itself, and a policy that lets the browser load nothing else.
    assert not [e.tag for e in page.iter() if e.tag not in TAGS], {e.tag for e in page.iter()} - TAGS
    assert not [(e.tag, a) for e in page.iter() for a in e.attrib if a not in ATTRIBUTES], {a for e in page.iter() for a in e.attrib} - ATTRIBUTES
    policy = [e.get('content') for e in page.iter('meta') if e.get('http-equiv')]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"], policy
    assert next(page.iter('head'))[1].get('http-equiv') == 'Content-Security-Policy'  # behind the charset only
    # The column "as text" shows what came from the air, of which every 25th page or so holds two slashes and a letter by chance. It is looked at octet
    # by octet; everything else, text too, holds no address.
    for row in page.find(".//table[@id='frames']").findall('tr')[1:]:
        octets, as_text = row.findall('td')[-2:]
        shown = bytes.fromhex(''.join(octets.itertext()).split(' ')[0])
        assert ''.join(as_text.itertext()) == ''.join(chr(x) if 32 <= x <= 126 or x == 10 else '.' for x in shown), shown.hex()
        as_text.clear()
    rest = ' '.join([*page.itertext(), *(v for e in page.iter() for v in e.attrib.values())])
    outside = re.search(r'https?:|//[a-z]|url\(|@import|javascript:', re.sub(r'base64,[A-Za-z0-9+/=]*', '', rest), re.I)
    assert not outside, rest[max(0, outside.start() - 100):outside.end() + 100]
    for e in page.iter():
        for name in ('src', 'href'):
            assert e.get(name, '#').startswith(('#', 'data:image/png;base64,')), e.get(name)
    by_id = {e.get('id'): e for e in page.iter() if e.get('id')}
    for e in page.iter('a'):
        assert e.get('href')[1:] in by_id, e.get('href')
    # Every frame, as the events tell of it.
    rows = by_id['frames'].findall('tr')[1:]
    frames = [e for e in events if 'sample' in e and e['event'] != 'gap']
    assert len(rows) == len(frames), (len(rows), len(frames))
    for r, e in zip(rows, frames):
        cells = [''.join(c.itertext()) for c in r]
        assert cells[3] == {'mib_sl': 'PSBCH', 'sci': 'PSCCH', 'tb': 'PSSCH', 'discovery': 'PSDCH'}[e['event']], cells
        shown = cells[12].split(' ')[0]
        assert shown == e['hex'][:96] and abs(float(cells[1]) - e['t']) < 1e-3, (cells, e)
    assert by_id['verdict'].get('class').split()[1] in ('opaque', 'nothing', 'exposed')
    assert len(list(by_id['constellation'].iter('circle'))) > 50
    png = base64.b64decode(by_id['spectrogram'].get('src').split(',')[1], validate=True)
    width, height, at, data = *struct.unpack('>II', png[16:24]), 8, b''
    while at < len(png):
        n, kind = struct.unpack('>I4s', png[at:at + 8])
        assert zlib.crc32(png[at + 4:at + 8 + n]) == struct.unpack('>I', png[at + 8 + n:at + 12 + n])[0], kind
        data += png[at + 8:at + 8 + n] if kind == b'IDAT' else b''
        at += 12 + n
    pixels = zlib.decompress(data)
    assert height == 256 and len(pixels) == height * (width + 1) and len(set(pixels)) > 100, (width, height, len(pixels))
    assert json.loads(''.join(by_id['json'].itertext()))['counts']['frames'] == len(frames)


def same_live_and_recorded(tm, prb, ways, overflows=False):
    """`ways`: {how subframes are found: datatype of the recording}. One sniffer for each, which bears its name; all on one air."""
    # Two and a half subframes lost now and then: the recording has the gaps, and so has its replay.
    faults = ['{node: %s, kind: overflow, after_s: 2.0, every_s: 0.9, length_ms: 2.5}' % sync for sync in ways] if overflows else []
    with Scene(tm=tm, prb=prb, source='slss' if 'slss' in ways else 'gnss', faults=faults) as s:
        config, live = s.sniffer_config('gnss'), {}
        for sync in ways:
            live[sync] = s.start('prose-sniffer', sync, '--config', config, '--device', s.air.device(sync), '--sync', sync, '--report', s.path(sync + '.json'), '--record',
                                 s.path(sync + '.sigmf-meta'), '--record-type', ways[sync], events=sync + '.jsonl')
        for sync in ways:
            s.until_recording(sync)
        s.start_ues()
        s.until_linked(SECONDS)
        wanted = {sync: {'gap': 3 * overflows, 'mib_sl': 50 * (sync == 'slss'), 'discovery': 10 * (sync != 'blind'), 'sci': 4, 'tb': 4} for sync in ways}
        heard = lambda sync: collections.Counter(e['event'] for e in live[sync].events())
        enough = lambda sync, kinds: all(kinds[k] >= n for k, n in wanted[sync].items())
        s.until('%s heard' % wanted, lambda: all(enough(sync, heard(sync)) for sync in ways))
        s.stop_ues()
        for sync, p in live.items():
            err = p.stop(timeout=300)
            events = same_events(s, config, sync, RATE[prb])
            kinds = collections.Counter(e['event'] for e in events)
            print('TM%d' % tm, sync, ways[sync], dict(kinds), err.strip().splitlines()[-1])
            assert enough(sync, kinds) and (overflows or not kinds['gap']), kinds


def same_events(s, config, name, rate):
    """The events of a live sniffer, which its recording gives again."""
    again = lambda kind: s.path(name + '.again.' + kind)
    s.run('prose-sniffer', '--config', config, '--iq', s.path(name + '.sigmf-meta'), '--sync', name, '--events', again('jsonl'), '--report', again('html'), '--report', again('json'))
    first, second = s.lines(name + '.jsonl'), s.lines(name + '.again.jsonl')
    assert first == second, next(((i, x, y) for i, (x, y) in enumerate(zip(first, second)) if x != y), (len(first), len(second)))
    events = [json.loads(l) for l in first]
    start = json.loads(text_of(s.path(name + '.sigmf-meta')))['captures'][0]['core:global_index']
    at = next(i for i, e in enumerate(events) if e['event'] != 'gap')  # samples count what was received, t what went by
    frame, lost = events[at], sum(e['samples_lost'] for e in events[:at])
    assert abs(frame['t'] - (start + frame['sample'] + lost) / rate) < 1e-6, (frame, start, lost)
    check_page(again('html'), events)
    judged = [json.loads(text_of(p)) for p in (s.path(name + '.json'), again('json'))]
    assert judged[0] == judged[1] and judged[0]['outcome'] in ('opaque', 'nothing proven'), judged
    return events


def test_tm2_by_device_time_and_blindly():
    same_live_and_recorded(2, 25, {'gnss': 'cf32', 'blind': 'ci16'})


def test_tm4_at_50_prb():
    same_live_and_recorded(4, 50, {'gnss': 'ci16'})


def test_tm4_with_overflows():
    same_live_and_recorded(4, 25, {'gnss': 'ci16'}, overflows=True)


def test_tm2_by_slss_with_overflows():
    same_live_and_recorded(2, 25, {'slss': 'cf32'}, overflows=True)


def test_tm4_by_slss_with_overflows():
    same_live_and_recorded(4, 25, {'slss': 'ci16'}, overflows=True)


if __name__ == '__main__':
    main()
