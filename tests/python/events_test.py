"""Events from recordings and arrays: those of prose-sniffer, field by field."""
import dataclasses, json, os, signal, subprocess, sys

import numpy as np
import pytest

import prose
from tests.harness.paths import REGRESSION
from tests.harness.process import run
from tests.python import signals

# As regression_tm2_discovery.yaml has them.
POOLS = ('kind=sl_comm,mode=tm2,sc_period=40,prb_num=13,prb_start=0,prb_end=24,offset_indicator=0,subframe_bitmap=1111111100000000000000000000000000000000,'
         'data.prb_num=13,data.prb_start=0,data.prb_end=24,data.offset_indicator=8,data.subframe_bitmap=1111111110111111111111111111100011111111',
         'kind=psdch,disc_period=320,num_retx=0,num_repetition=8,prb_num=12,prb_start=0,prb_end=24,offset_indicator=0,'
         'subframe_bitmap=0000000000000000000000000000000000000011')
RECORDINGS = {'regression_tm4': ({'carrier': 'prb=25,tm=4', 'sync': 'gnss'}, 2),
              'regression_slss': ({'carrier': 'prb=25,tm=2', 'sync': 'slss'}, 3),
              'regression_tm2_discovery': ({'carrier': 'prb=25,tm=2', 'sync': 'gnss', 'pools': POOLS}, 2)}


def path(name):
    return os.path.join(REGRESSION, name + '.sigmf-meta')


def as_json(e):
    """An event as the keys and values of the JSON Lines."""
    d = {'event': e.event, **dataclasses.asdict(e)}
    d.pop('symbols', None)
    if 'data' in d:
        d['hex'] = d.pop('data').hex()
    if e.event == 'sci' and e.format == 0:
        del d['cyclic_shift'], d['n_subchannels']
    if e.event == 'tb':
        d['channel'] = e.channel
        if not d['open_bits']:
            del d['open_bits']
        else:
            d['reason'] = e.reason
    return d


def same(a, b, key):
    """Numbers of the JSON Lines are rounded."""
    assert a == b or (isinstance(a, float) and abs(a - b) <= {'t': 1e-9, 'cfo_hz': 0.06}.get(key, 0.006)), (key, a, b)


@pytest.mark.parametrize('name', RECORDINGS)
def test_events_are_those_of_prose_sniffer(name, tmp_path):
    told, least = RECORDINGS[name]
    arguments = [x for p in told.get('pools', ()) for x in ('--pool', p)]
    arguments += ['--carrier', told['carrier'], '--sync', told['sync'], '--events', tmp_path / 'e', '--log-level', 'warn', '--report-failed']
    run('prose-sniffer', '--iq', path(name), *arguments)
    wanted = [json.loads(line) for line in (tmp_path / 'e').read_text().splitlines()]
    got = [as_json(e) for e in prose.Receiver(path(name), report_failed=True, **told)]
    assert [e['event'] for e in got] == [e['event'] for e in wanted]
    assert sum(e['event'] in ('mib_sl', 'tb', 'discovery') for e in got) >= least
    for g, w in zip(got, wanted):
        assert g.keys() == w.keys()
        for key in w:
            same(g[key], w[key], key)


def test_an_array_gives_the_events_of_its_recording():
    with prose.Recording(path('regression_slss')) as r:
        x = r.read()
        rate = r.sample_rate_hz
    told = {'carrier': 'prb=25,tm=2'}
    of_file = [e for e in prose.Receiver(path('regression_slss'), **told) if e.event == 'mib_sl']
    of_array = [e for e in prose.Receiver(x, sample_rate_hz=rate, **told) if e.event == 'mib_sl']
    assert len(of_file) == 3 and of_array[0].data == of_file[0].data and of_array[0].sample == of_file[0].sample


def test_two_antennas_and_one_dimension():
    x = signals.stream()
    for samples in (x, np.stack([x, x]), np.stack([x, x])[:1]):
        r = prose.Receiver(samples, sample_rate_hz=7.68e6, carrier='prb=25,tm=4', sync='aligned')
        blocks = [e for e in r if e.event == 'tb']
        assert len(blocks) == 3 and all(e.data == signals.PAYLOAD for e in blocks)
        assert r.n_antennas == (1 if samples.ndim == 1 else len(samples))


def test_the_iterator_is_lazy_and_keeps_the_array():
    samples = signals.stream(200)
    copies = sys.getrefcount(samples)
    r = prose.Receiver(samples, sample_rate_hz=7.68e6, carrier='prb=25,tm=4', sync='aligned')
    assert sys.getrefcount(samples) == copies + 1
    assert next(r).event == 'sci' and r.statistics.samples < len(samples) / 10
    del samples
    assert len([e for e in r if e.event == 'tb']) == 200
    assert list(r) == [] and r.statistics.tb_ok == 200


def test_a_scene_as_dict_gives_the_timing():
    x = np.concatenate([np.zeros(1000, np.complex64), signals.stream()])
    scene = {'carrier': {'n_prb': 25, 'transmission_mode': 4}, 'first_subframe_sample': 1000}
    assert [e.sample for e in prose.Receiver(x, sample_rate_hz=7.68e6, scene=scene, sync='aligned') if e.event == 'tb'] == [1000, 8680, 16360]


def test_duration_loop_and_what_was_assumed():
    r = prose.Receiver(path('regression_tm4'), sync='gnss', loop=3)
    assert sum(e.event == 'tb' for e in r) == 3 * sum(e.event == 'tb' for e in prose.Receiver(path('regression_tm4'), sync='gnss'))
    assert r.assumed == '25 PRB transmission mode 4 normal prefix '
    short = prose.Receiver(path('regression_tm4'), sync='gnss', duration_s=0.001)
    list(short)
    assert short.statistics.samples == 7680


def test_samples_of_a_recording_are_what_the_file_holds():
    with prose.Recording(path('regression_tm4')) as r:
        x = r.read()
        raw = np.fromfile(os.path.join(REGRESSION, 'regression_tm4.sigmf-data'), '<i2').astype(np.float32).view(np.complex64) / 32768
        assert x.shape == (1, r.n_samples) and np.array_equal(x[0], raw)
        assert np.array_equal(r.read(100, 50), x[:, 100:150]) and r.read(r.n_samples).shape == (1, 0)
        assert (r.datatype, r.frequency_hz, r.n_antennas) == ('ci16_le', 5.9e9, 1) and r.tick_of(0) == 3471240
        x[:] = 0  # the caller's
    assert r.closed and raw.any()


def test_ctrl_c_interrupts_reception():
    code = ('import numpy, prose\n'
            'r = prose.Receiver(numpy.zeros(7680 * 100000, numpy.complex64), sample_rate_hz=7.68e6, carrier="prb=25,tm=4", sync="blind")\n'
            'try:\n    print("begun", flush=True)\n    list(r)\nexcept KeyboardInterrupt:\n    print("interrupted", r.statistics.samples < 7680 * 100000)\n')
    p = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == 'begun\n'
    p.send_signal(signal.SIGINT)
    assert p.communicate()[0] == 'interrupted True\n' and p.returncode == 0
