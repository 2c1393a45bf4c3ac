"""What is wrong with input is an exception with one line, and the interpreter goes on."""
import json, os, shutil

import numpy as np
import pytest

import prose
from tests.harness.paths import REGRESSION
from tests.python import signals

SF = signals.CARRIER.samples_per_subframe
RATE = 7.68e6


def refused(kind, call, *words):
    with pytest.raises(kind) as e:
        call()
    text = str(e.value)
    assert text and (kind is TypeError or '\n' not in text)
    for w in words:
        assert w in text, text


def receiver(x, **more):
    return prose.Receiver(x, sample_rate_hz=RATE, carrier='prb=25,tm=4', **more)


def loaded():
    rx = prose.SubframeReceiver(signals.CARRIER)
    rx.load(signals.subframe())
    return rx


@pytest.mark.parametrize('dtype', [np.complex128, np.float32, np.int16, '>c8', object])
def test_another_type_of_samples(dtype):
    x = np.zeros(SF, np.complex64).astype(dtype)
    refused(TypeError, lambda: receiver(x), 'complex64')
    refused(TypeError, lambda: prose.SubframeReceiver(signals.CARRIER).load(x), 'complex64')


@pytest.mark.parametrize('shape', [(), (2, 2, SF), (SF, 5), (0, SF), (5, SF)])
def test_another_shape_of_samples(shape):
    x = np.zeros(shape, np.complex64)
    refused(ValueError, lambda: list(receiver(x)))
    refused(ValueError, lambda: prose.SubframeReceiver(signals.CARRIER).load(x))


def test_samples_that_are_no_row():
    refused(ValueError, lambda: receiver(np.zeros(2 * SF, np.complex64)[::2]), 'ascontiguousarray')
    refused(ValueError, lambda: receiver(np.zeros(SF, np.complex64)[::-1]), 'ascontiguousarray')
    odd = np.zeros(8 * SF + 1, np.uint8)[1:].view(np.complex64)
    refused(ValueError, lambda: receiver(odd), 'aligned')
    rows = np.zeros((4, SF), np.complex64)[::2]  # antennas may lie apart
    assert [e.event for e in receiver(rows)] == ['statistics']


def test_arrays_that_claim_much_or_may_not_be_written():
    x = signals.subframe()
    for many in (np.broadcast_to(x, (10 ** 9, SF)), np.broadcast_to(np.complex64(1), (SF,)), np.broadcast_to(np.complex64(1), (1, 10 ** 15)), np.empty((10 ** 12, 0), np.complex64)):
        refused(ValueError, lambda: receiver(many))
        refused(ValueError, lambda: loaded().load(many))
    x.flags.writeable = False
    assert loaded().load(x).n_invalid_samples == 0 and [e.event for e in receiver(x, sync='aligned')][-1] == 'statistics'
    assert loaded().load(np.frombuffer(x.tobytes(), np.complex64)).n_invalid_samples == 0
    x = np.zeros(SF, np.complex64)
    r = receiver(x)
    with pytest.raises(ValueError, match='referenced'):
        x.resize(1)  # its samples are still read
    assert [e.event for e in r] == ['statistics']


def test_a_class_that_forgets_to_make_its_base():
    class Lazy(prose.SubframeReceiver):
        def __init__(self):
            pass

    refused(TypeError, Lazy, '__init__')


@pytest.mark.parametrize('n', [0, 1, SF - 1, SF + 1])
def test_odd_numbers_of_samples(n):
    x = np.zeros(n, np.complex64)
    refused(prose.Error, lambda: prose.SubframeReceiver(signals.CARRIER).load(x), str(SF))
    if n == 0:
        refused(prose.Error, lambda: receiver(x), 'there are none')
    else:
        assert [e.event for e in receiver(x)] == ['statistics']


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, 1e30, complex(0, np.nan)])
def test_samples_that_are_no_numbers(bad):
    x = signals.stream()
    x[5000:5100] = bad
    r = receiver(x, sync='aligned')
    events = list(r)
    assert r.statistics.non_finite_samples == 100 and sum(e.event == 'tb' for e in events) >= 2
    rx = prose.SubframeReceiver(signals.CARRIER)
    assert rx.load(np.full(SF, bad, np.complex64)).n_invalid_samples == SF
    assert np.all(rx.grid() == 0) and rx.find_pscch() == [] and rx.detect_slss() is None
    assert not rx.decode_pssch(signals.PSSCH).crc_ok


def test_files_that_are_cut_or_no_recordings(tmp_path):
    for end in ('meta', 'data'):
        shutil.copy(os.path.join(REGRESSION, 'regression_tm4.sigmf-' + end), tmp_path / ('r.sigmf-' + end))
    meta, data = tmp_path / 'r.sigmf-meta', tmp_path / 'r.sigmf-data'
    whole = data.read_bytes()
    open_all = (prose.Recording, lambda p: prose.Receiver(p, sync='gnss'))
    data.write_bytes(whole[:4001])  # half a sample at the end
    assert prose.Recording(meta).n_samples == 1000 and list(prose.Receiver(meta, sync='gnss'))
    r, live = prose.Recording(meta), prose.Receiver(meta, sync='gnss')
    data.write_bytes(whole[:400])  # while it is open
    for use in (r.read, lambda: list(live)):
        try:
            use()  # what was read ahead may still be there
        except prose.Error as e:
            assert 'r.sigmf-data' in str(e)
    data.write_bytes(b'')
    for call in open_all:
        try:
            call(meta)
        except prose.Error as e:
            assert 'r.sigmf' in str(e)
    for text in ('', '{', '[]', 'x' * 100, json.dumps({'global': {'core:datatype': 'cf64_be', 'core:version': '1.0.0'}, 'captures': []})):
        meta.write_text(text)
        for call in open_all:
            refused(prose.Error, lambda: call(meta), 'r.sigmf-meta')
    for call in open_all:
        refused(prose.Error, lambda: call(tmp_path / 'none.sigmf-meta'), 'none.sigmf-meta')
        refused(prose.Error, lambda: call(tmp_path))
        refused(ValueError, lambda: call('a\0b'))
        refused(TypeError, lambda: call(7))


def test_what_was_closed_is_closed():
    path = os.path.join(REGRESSION, 'regression_tm4.sigmf-meta')
    r = prose.Recording(path)
    x = r.read()
    r.close()
    r.close()
    for use in (r.read, lambda: r.n_samples, lambda: r.frequency_hz, lambda: r.tick_of(0)):
        refused(ValueError, use, 'closed')
    assert x.shape[1] > 0 and x[0, 0] == x[0, 0]
    live = prose.Receiver(path, sync='gnss', judge=True)
    event = next(live)
    live.close()
    for use in (lambda: next(live), lambda: live.statistics, live.verdict, lambda: live.carrier, lambda: live.n_antennas, lambda: live.pcap_records):
        refused(ValueError, use, 'closed')
    assert event.symbols.shape == (16,)


def test_arguments_of_a_receiver():
    x = np.zeros(SF, np.complex64)
    for wrong in ({'sync': 'x'}, {'duration_s': -1}, {'duration_s': float('nan')}, {'loop': 2}, {'pools': ['kind=x']}, {'pools': ['size=1']}, {'keylog': 'f'},
                  {'scene': {'carrier': 7}}, {'scene': {'carrier': {'n_prb': 50}}, 'carrier': ''}, {'scene': 'no such file'}, {'names': ['abc'], 'judge': True},
                  {'known_plaintexts': [b'abc']}, {'known_plaintexts': [bytes(1 << 20), bytes(4)]}, {'compromised': ['no such file']},
                  {'pcap': '/no/such/folder/x.pcap'}, {'carrier': 'prb=26'}, {'carrier': 'nonsense'}):
        refused(prose.Error, lambda: prose.Receiver(x, **{'sample_rate_hz': RATE, 'carrier': 'prb=25,tm=4', **wrong}))
    refused(prose.Error, lambda: prose.Receiver(x, carrier='prb=25,tm=4'), 'sample_rate_hz')
    for rate in (0, -1, float('nan'), float('inf'), 8e6):
        refused(prose.Error, lambda: prose.Receiver(x, sample_rate_hz=rate, carrier='prb=25,tm=4'))
    refused(prose.Error, receiver(x).verdict, 'judge')
    refused(TypeError, lambda: receiver(x, sync=4))
    refused(TypeError, lambda: receiver(x, compromised=[None]))


def test_carriers_and_control_information():
    for wrong in ({'prb': 7}, {'prb': -1}, {'tm': 0}, {'tm': 5}, {'cp': 'long'}, {'cp': 'extended', 'tm': 4}, {'sample_rate_hz': 1.0}, {'sample_rate_hz': float('nan')}):
        refused(prose.Error, lambda: prose.Carrier(**wrong))
    for sci, n in ((prose.SciFormat1(riv=256), 5), (prose.SciFormat1(mcs=-1), 5), (prose.SciFormat1(), 21), (prose.SciFormat1(), 0), (prose.SciFormat0(riv=1 << 20), 25),
                   (prose.SciFormat0(), 111), (prose.SciFormat0(mcs=32), 25)):
        refused(prose.Error, lambda: prose.pack_sci(sci, n))
    refused(TypeError, lambda: prose.pack_sci(None, 5))
    refused(TypeError, lambda: prose.pack_sci(prose.SciFormat1(mcs='5'), 5), 'mcs')
    for data, form, n in ((b'', 1, 5), (bytes(5), 1, 5), (b'\xff' * 5, 0, 25), (bytes(4), 2, 5)):
        refused(prose.Error, lambda: prose.unpack_sci(data, form, n))
    for wrong in ({'n_prb': 7}, {'direct_frame_number': 1024}, {'direct_subframe_number': 10}, {'reserved': 1 << 27}, {'tdd_config': -1}):
        refused(prose.Error, lambda: prose.pack_mib_sl(prose.MibSl(**wrong), 4))
    for call in (lambda: prose.riv_encode(5, 3, 3), lambda: prose.riv_encode(0, 0, 1), lambda: prose.riv_decode(5, 999), lambda: prose.sci_crc(b'', 32),
                 lambda: prose.sci_crc(bytes(100), 800), lambda: prose.pssch_transport(4, 32, 5), lambda: prose.pssch_transport(4, 30, 5), lambda: prose.pssch_transport(4, 5, 0),
                 lambda: prose.pssch_transport(4, 5, 5, 2)):
        refused(prose.Error, call)


def test_transmissions():
    tx = prose.Transmitter(signals.CARRIER)
    good = prose.Transmission(signals.PSSCH, signals.PAYLOAD)
    for channel, data in ((prose.Psbch(336), bytes(6)), (prose.Psbch(-1), bytes(6)), (prose.Psbch(0), bytes(5)), (prose.Pscch(24), bytes(4)), (prose.Pscch(0, 1), bytes(4)),
                          (prose.Pscch(0), b''), (prose.Psdch(24), bytes(29)), (prose.Psdch(3, 0, 3), bytes(29)), (prose.Psdch(0, 4), bytes(29)),
                          (prose.Pssch(0, 7, 256), bytes(32)), (prose.Pssch(20, 10, 256), bytes(32)), (prose.Pssch(0, 5, 0), b''), (prose.Pssch(0, 5, 1 << 30), b''),
                          (prose.Pssch(0, 5, 256, 3), bytes(32)), (prose.Pssch(0, 5, 256, n_ssf=10), bytes(32)), (prose.Pssch(0, 5, 256, n_x_id=1 << 16), bytes(32))):
        refused(prose.Error, lambda: tx.transmit([good, prose.Transmission(channel, data)]))
    for power in (float('nan'), float('inf'), 1e9):
        refused(prose.Error, lambda: tx.transmit([prose.Transmission(signals.PSSCH, signals.PAYLOAD, power)]), 're_power_db')
    refused(TypeError, lambda: tx.transmit([7]), 'Transmission')
    refused(TypeError, lambda: tx.transmit(7))
    refused(TypeError, lambda: tx.transmit([prose.Transmission(7, b'')]), 'Psbch')
    refused(TypeError, lambda: tx.transmit([prose.Transmission(signals.PSSCH, 'text')]), 'bytes')
    refused(TypeError, lambda: tx.transmit([prose.Transmission(prose.Psbch(None), bytes(6))]), 'n_sl_id')
    refused(prose.Error, lambda: prose.Transmitter(signals.CARRIER, ssss_db=float('nan')))
    assert tx.transmit([]).shape == (SF,) and np.any(tx.transmit([good]))


def test_what_a_subframe_is_asked_for():
    rx = loaded()
    for call in (lambda: rx.grid(1), lambda: rx.grid(-1), lambda: rx.grid(0, float('nan')), lambda: rx.grid(0, 1e9), lambda: rx.decode_pscch(24), lambda: rx.decode_pscch(-1),
                 lambda: rx.decode_pscch(0, 1), lambda: rx.decode_psbch(336), lambda: rx.decode_psdch(prose.Psdch(25)), lambda: rx.decode_psdch(prose.Psdch(0, 0, 1 << 30)),
                 lambda: rx.decode_psdch(prose.Psdch(0, 9)), lambda: rx.decode_pscch(0, hints=prose.Signal(cfo_hz=float('nan'))),
                 lambda: rx.decode_pscch(0, hints=prose.Signal(timing_offset_samples=1e30)), lambda: rx.decode_pssch(signals.PSSCH, prose.SoftBuffer(1000))):
        refused(prose.Error, call)
    for wrong in ({'n_prb': 7}, {'n_prb': 0}, {'n_prb': 1 << 30}, {'prb_start': 20}, {'prb_start': -1}, {'tbs': 0}, {'tbs': 1 << 30}, {'modulation_order': 0}, {'rv': 4}, {'rv': -1},
                  {'n_ssf': -1}, {'n_ssf': 10}, {'n_x_id': 1 << 16}):
        refused(prose.Error, lambda: rx.decode_pssch(prose.Pssch(**{'prb_start': 2, 'n_prb': 8, 'tbs': 600, **wrong})))
    for wrong in ({'n_x_id': -1}, {'n_prb': 1 << 40}, {'tbs': None}, {'rv': 1.5}):
        refused(TypeError, lambda: rx.decode_pssch(prose.Pssch(**{'prb_start': 2, 'n_prb': 8, 'tbs': 600, **wrong})))
    refused(TypeError, lambda: rx.decode_pssch(prose.Psdch()))
    refused(TypeError, lambda: rx.decode_pscch(0, hints=7))
    assert rx.find_pscch([-5, 99, 1 << 20]) == []
    rx.load(signals.subframe())
    for call in (rx.equalised, rx.channel, rx.symbols, rx.subcarriers):
        refused(prose.Error, call, 'nothing has been decoded')
    for wrong in ({'n_antennas': 0}, {'n_antennas': 5}, {'max_turbo_iterations': 0}):
        refused(prose.Error, lambda: prose.SubframeReceiver(signals.CARRIER, **wrong))
    for tbs in (0, -1, 1 << 30):
        refused(prose.Error, lambda: prose.SoftBuffer(tbs))
