"""What is heard live and what a recording of it gives are the same events; the page that reports on it is self-contained and holds the frames."""
import base64, collections, html, json, re, struct, zlib

from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.scene import Scene

RATE = {25: 7.68e6, 50: 15.36e6}
SECONDS = 3  # after the links are up

def check_page(path, events):
    """That nothing leaves the page and nothing hostile gets in is tested by page_report_test and page_report_browser."""
    text = text_of(path)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert re.fullmatch(r"default-src 'none'; img-src data:; style-src 'sha256-\S+'; script-src 'sha256-\S+'; base-uri 'none'; form-action 'none'", policy), policy
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    # Every frame, as the events tell of it.
    rows, frames = data['frames']['rows'], [e for e in events if 'sample' in e and e['event'] != 'gap']
    assert len(rows) == len(frames) == data['frames']['total'], (len(rows), len(frames))
    for r, e in zip(rows, frames):
        assert ('mib_sl', 'sci', 'tb', 'discovery')[r[1]] == e['event'] and r[2] == e['sample'], (r, e)
        assert r[15] == e['hex'][:192] and abs(r[3] - e['t']) < 1e-3, (r, e)
    verdict = data['verdict']
    assert verdict['counts']['frames'] == len(frames) and set(verdict['tiles']) == {'content', 'identity', 'stolen_keys', 'radio'}
    assert html.escape(verdict['sentence'], quote=True).replace('&#x27;', '&#39;') in text
    assert sum(len(p['points']) for p in data['points']) > 100
    assert re.fullmatch(r'[0-9a-f]{64}', data['input']['digest']) and data['input']['command'].startswith('prose-sniffer '), data['input']
    png = base64.b64decode(data['spectrogram']['png'].split(',')[1], validate=True)
    width, height, at, pixels = *struct.unpack('>II', png[16:24]), 8, b''
    while at < len(png):
        n, kind = struct.unpack('>I4s', png[at:at + 8])
        assert zlib.crc32(png[at + 4:at + 8 + n]) == struct.unpack('>I', png[at + 8 + n:at + 12 + n])[0], kind
        pixels += png[at + 8:at + 8 + n] if kind == b'IDAT' else b''
        at += 12 + n
    pixels = zlib.decompress(pixels)
    assert height == 256 and len(pixels) == height * (width + 1) and len(set(pixels)) > 100, (width, height, len(pixels))


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
