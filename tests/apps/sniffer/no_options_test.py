"""Recordings that need no options: ours say what they hold (SigMF extension "prose"), --sync auto finds how subframes of others begin, and where nothing
decodes a line says what to try."""
import json, os, random, struct

from tests.harness.cases import main
from tests.harness.files import json_lines, text_of, write
from tests.harness.paths import REGRESSION
from tests.harness.process import run

SUBFRAME = 7680  # samples, 25 PRB
KINDS = ('mib_sl', 'sci', 'tb', 'discovery')


def told_of(name):
    """Its arguments, and the frames that they give."""
    e = json.loads(text_of('%s/%s.expected.json' % (REGRESSION, name)))
    return [os.path.join(REGRESSION, a) if a.endswith('.yaml') else a for a in e['arguments']], sorted((f['event'], f['hex']) for f in e['frames'])


def frames(d, recording, *arguments):
    """Of a run, and what it said."""
    said = run('prose-sniffer', recording, *arguments, '--events', d + '/e', '--plain').stderr
    return sorted((e['event'], e['hex']) for e in json_lines(d + '/e') if e['event'] in KINDS), said


def samples_of(name):
    with open('%s/%s.sigmf-data' % (REGRESSION, name), 'rb') as f:
        return f.read()


def recording(path, data, captures=({'core:sample_start': 0},), rate_hz=7.68e6, **fields):
    meta = {'global': {'core:datatype': 'ci16_le', 'core:version': '1.0.0', 'core:sample_rate': rate_hz, **{'prose:' + k: v for k, v in fields.items()}},
            'captures': list(captures), 'annotations': []}
    write(path + '.sigmf-data', data)
    return write(path + '.sigmf-meta', json.dumps(meta))


def noise(n_samples, seed=1):
    r = random.Random(seed)
    return struct.pack('<%dh' % (2 * n_samples), *(int(r.gauss(0, 300)) for _ in range(2 * n_samples)))


def hint(said):
    lines = [l for l in said.splitlines() if 'nothing was decoded' in l]
    assert len(lines) == 1, said
    return lines[0]


def first_capture(name):
    """Its samples."""
    starts = [c['core:sample_start'] for c in json.loads(text_of('%s/%s.sigmf-meta' % (REGRESSION, name)))['captures']]
    return samples_of(name)[:4 * starts[1]]


def test_what_we_record_says_what_it_holds(d):
    for name in ('regression_tm2_discovery', 'regression_tm4', 'regression_slss'):
        arguments, want = told_of(name)
        for option in ('--record', '--annotate'):
            out = '%s/%s%s' % (d, name, option)
            frames(d, '%s/%s.sigmf-meta' % (REGRESSION, name), *arguments, option, out)
            said = json.loads(text_of(out + '.sigmf-meta'))['global']
            assert said['core:extensions'] == [{'name': 'prose', 'version': '1.0.0', 'optional': True}], said
            assert said['prose:carrier'] == {'n_prb': 25, 'transmission_mode': 4 if 'tm4' in name else 2, 'cp': 'normal'}, said
            got, said = frames(d, out + '.sigmf-meta')
            assert got == want and 'nothing was decoded' not in said, (name, option, got, said)
            said = run('prose-iq', 'plot', out, d + '/x.png').stderr
            assert '%d frames decoded' % len(want) in said and os.path.getsize(d + '/x.png') > 1000, said


def test_a_run_that_decoded_nothing_by_a_guess_says_nothing(d):
    x = recording(d + '/x', noise(20 * SUBFRAME))
    frames(d, x, '--record', d + '/guess')
    assert 'prose:carrier' not in json.loads(text_of(d + '/guess.sigmf-meta'))['global']
    frames(d, x, '--carrier', 'prb=25,tm=2', '--record', d + '/told')
    assert json.loads(text_of(d + '/told.sigmf-meta'))['global']['prose:carrier']['transmission_mode'] == 2


def test_the_command_line_wins(d):
    arguments, want = told_of('regression_tm4')
    wrong = recording(d + '/x', samples_of('regression_tm4'), json.loads(text_of(REGRESSION + '/regression_tm4.sigmf-meta'))['captures'],
                      carrier={'n_prb': 25, 'transmission_mode': 2}, sync='slss', pool=[{'kind': 'sl_comm', 'mode': 'unknown'}])
    got, said = frames(d, wrong)
    assert not got and 'TM2 and --sync slss' in hint(said), said
    assert frames(d, wrong, *arguments)[0] == want
    # So does a scene, and a configuration.
    scene = write(d + '/s.json', json.dumps({'carrier': {'n_prb': 25, 'transmission_mode': 4}}))
    assert frames(d, wrong, '--scene', scene, '--sync', 'gnss')[0] == want
    config = write(d + '/c.yaml', 'carrier: {prb: 25, tm: 4}\nsync: gnss\n')
    assert frames(d, wrong, '--config', config)[0] == want


def test_contradictions_and_malformed_fields_are_told(d):
    x = recording(d + '/x', noise(SUBFRAME), carrier={'n_prb': 50, 'transmission_mode': 4})
    for program, *arguments in (('prose-sniffer', x), ('prose-iq', 'plot', x, d + '/x.png')):
        said = run(program, *arguments, code=2).stderr
        assert len(said.splitlines()) == 1 and all(w in said for w in (d + '/x.sigmf-meta', 'core:sample_rate', 'global.prose')), said
        run(program, *arguments, '--carrier', 'prb=25')
    x = recording(d + '/x', noise(SUBFRAME), carrier={'n_prb': 25, 'transmission_mode': 4}, pool=[{'kind': 'v2x', 'size': 10, 'count': 9}])
    said = run('prose-sniffer', x, code=2).stderr
    assert 'global.prose: pool.count 9' in said and len(said.splitlines()) == 1, said
    for fields, what in (({'carrier': {'n_prb': 'many'}}, 'carrier.n_prb'), ({'carrier': []}, 'carrier must be an object'), ({'sync': 7}, 'sync must be one of'),
                         ({'pool': {'kind': 'x'}}, 'pool.kind'), ({'first_subframe_sample': 10 ** 6}, 'first_subframe_sample')):
        x = recording(d + '/x', noise(SUBFRAME), **fields)
        for program, *arguments in (('prose-sniffer', x), ('prose-iq', 'plot', x, d + '/x.png')):
            said = [l for l in run(program, *arguments).stderr.splitlines() if 'global.prose' in l]
            assert len(said) == 1 and what in said[0] and 'left out' in said[0], said


def test_a_recording_hides_no_part_of_the_band_from_a_verdict(d):
    """Its rate holds 75 PRB and 100."""
    x = recording(d + '/x', noise(4 * 23040), rate_hz=23.04e6, carrier={'n_prb': 75, 'transmission_mode': 4})
    assert '75 PRB, TM4' in hint(frames(d, x)[1])
    said = run('prose-sniffer', x, '--verdict', '--plain', code=4).stderr
    assert '100 PRB, TM4' in hint(said) and 'carrier.n_prb is less than the rate holds' in said, said
    said = run('prose-sniffer', x, '--verdict', '--plain', '--carrier', 'prb=75', code=4).stderr
    assert '75 PRB, TM4' in hint(said) and 'less than' not in said, said


def test_noise_says_what_to_try_and_auto_tries_it(d):
    x = recording(d + '/x', noise(30 * SUBFRAME))
    got, said = frames(d, x, '--carrier', 'prb=25,tm=4')
    assert not got and all(w in hint(said) for w in ('x.sigmf-meta', '25 PRB, TM4 and --sync slss', 'try --sync auto', '--carrier prb=25,tm=2')), said
    got, said = frames(d, x, '--carrier', 'prb=25,tm=2', '--sync', 'auto')
    assert not got and '--sync auto;' in hint(said) and 'try --carrier prb=25,tm=4' in hint(said), said
    said = run('prose-iq', 'plot', x, d + '/x.png', '--sync', 'auto').stderr
    assert '--sync auto;' in hint(said), said
    said = run('prose-iq', 'plot', x, d + '/x.png').stderr
    assert 'nothing is told of the carrier' in said and '--sync auto' in said, said


def auto(d, x, way, want, *arguments):
    """`way` is what --sync auto finds, in each program; without it nothing decodes, and the hint leads there."""
    got, said = frames(d, x, *arguments)
    if way != 'slss':
        assert not got and 'try --sync auto' in hint(said), (got, said)
        said = run('prose-iq', 'plot', x, d + '/x.png', *arguments).stderr
        assert 'try --sync auto' in hint(said), said
    got, said = frames(d, x, '--sync', 'auto', *arguments)
    assert '--sync auto: %s (' % way in said and got == want, (way, got, want, said)
    said = run('prose-iq', 'plot', x, d + '/x.png', '--sync', 'auto', *arguments).stderr
    assert '--sync auto: %s (' % way in said and '%d frames decoded' % len(want) in said, said


def pushed_back(d, name, index_error=0):
    """Noise before each segment: none begins near a subframe's beginning. index_error: device time says nothing of its subframes."""
    data, out, captures, before = samples_of(name), b'', [], 3000
    old = json.loads(text_of('%s/%s.sigmf-meta' % (REGRESSION, name)))['captures']
    for c, end in zip(old, [*(4 * c['core:sample_start'] for c in old[1:]), len(data)]):
        captures.append({'core:sample_start': len(out) // 4, 'core:global_index': c['core:global_index'] - before + index_error})
        out += noise(before) + data[4 * c['core:sample_start']:end]
    return recording(d + '/x', out, captures)


def test_auto_finds_device_time(d):
    auto(d, pushed_back(d, 'regression_tm4'), 'gnss', told_of('regression_tm4')[1], '--carrier', 'prb=25,tm=4')


def test_auto_finds_slss(d):
    auto(d, pushed_back(d, 'regression_slss', 3333), 'slss', told_of('regression_slss')[1], '--carrier', 'prb=25,tm=2')


def test_auto_finds_the_beginning_of_the_file(d):
    """Its first sample is a subframe's first, and its tick is no subframe's."""
    data, tick = first_capture('regression_tm4'), json.loads(text_of(REGRESSION + '/regression_tm4.sigmf-meta'))['captures'][0]['core:global_index']
    skip = -tick % SUBFRAME
    assert 4 * skip < len(data)
    x = recording(d + '/x', data[4 * skip:], [{'core:sample_start': 0, 'core:global_index': 1234}])
    want, _ = frames(d, x, '--carrier', 'prb=25,tm=4', '--sync', 'aligned')
    assert want
    auto(d, x, 'aligned', want, '--carrier', 'prb=25,tm=4')


def test_auto_finds_signals_that_nothing_announces(d):
    """At no known time, and without SLSS."""
    x = recording(d + '/x', noise(3000) + first_capture('regression_tm4') + noise(40 * SUBFRAME, seed=2))
    want, _ = frames(d, x, '--carrier', 'prb=25,tm=4', '--sync', 'blind')
    assert want
    auto(d, x, 'blind', want, '--carrier', 'prb=25,tm=4')


def test_auto_is_not_for_radios(d):
    said = run('prose-sniffer', '--device', 'type=virtual,name=x', '--sync', 'auto', code=2).stderr
    assert 'auto' in said and 'recordings' in said and len(said.splitlines()) == 1, said
    said = run('prose-sniffer', 'a.sigmf-meta', '--iq', 'b.sigmf-meta', code=2).stderr
    assert 'accepted is one of them' in said, said


if __name__ == '__main__':
    main()
