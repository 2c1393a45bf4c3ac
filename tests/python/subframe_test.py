"""Waveforms of every channel, and the subframe that holds them: grid, constellation, channel, SNR."""
import gc

import numpy as np
import pytest

import prose
from tests.python import signals


def loaded(x, carrier=signals.CARRIER, **more):
    rx = prose.SubframeReceiver(carrier, **more)
    rx.load(x)
    return rx


def test_block_and_sci_are_received():
    rx = loaded(signals.subframe())
    found = rx.find_pscch()
    assert [(d.channel, d.data, d.bits, d.crc) for d in found] == [(signals.PSCCH, signals.SCI_DATA, 32, signals.PSSCH.n_x_id)]
    assert prose.unpack_sci(found[0].data, 1, 5) == signals.SCI
    d = rx.decode_pssch(signals.PSSCH, hints=found[0].signal)
    assert d.crc_ok and d.detected and d.data == signals.PAYLOAD and d.symbols.shape == (16,) and d.iterations >= 1
    assert abs(d.signal.snr_db - 25) < 2 and abs(d.signal.cfo_hz) < 20 and abs(d.signal.timing_offset_samples) < 0.5
    assert abs(d.signal.power_db + 30) < 1


@pytest.mark.parametrize('tm,cp', [(2, 'normal'), (2, 'extended'), (4, 'normal')])
def test_waveforms_of_synchronisation_and_discovery(tm, cp):
    carrier = prose.Carrier(prb=25, tm=tm, cp=cp)
    mib = prose.MibSl(n_prb=25, direct_frame_number=341, direct_subframe_number=7, in_coverage=True)
    data = prose.pack_mib_sl(mib, tm)
    tx = prose.Transmitter(carrier)
    rx = loaded(tx.transmit([prose.Transmission(prose.Psbch(170), data)]) + signals.noise(carrier.samples_per_subframe) * np.float32(0.1), carrier)
    slss = rx.detect_slss()
    assert slss is not None and slss.n_sl_id == 170 and slss.metric > slss.second_metric
    assert rx.decode_psbch(170).data == data and not rx.decode_psbch(171).detected
    message = bytes(range(29))
    rx.load(tx.transmit([prose.Transmission(prose.Psdch(8, 0), message)]) + signals.noise(carrier.samples_per_subframe) * np.float32(0.1))
    assert rx.decode_psdch(prose.Psdch(8, 0)).data == message and rx.detect_slss() is None


def test_sci_of_format_0():
    carrier = prose.Carrier(prb=25, tm=2)
    sci = prose.SciFormat0(riv=prose.riv_encode(25, 4, 6), time_resource_pattern=12, mcs=9, group_destination_id=200)
    data = prose.pack_sci(sci, 25)
    rx = loaded(prose.Transmitter(carrier).transmit([prose.Transmission(prose.Pscch(7), data)]) + signals.noise(carrier.samples_per_subframe) * np.float32(0.1), carrier)
    d = rx.decode_pscch(7)
    assert d.detected and prose.unpack_sci(d.data, 0, 25) == sci and prose.riv_decode(25, sci.riv) == (4, 6)


def test_the_grid_holds_what_was_sent():
    x = prose.Transmitter(signals.CARRIER).transmit([prose.Transmission(signals.PSSCH, signals.PAYLOAD)])
    rx = loaded(x)
    g = rx.grid()
    assert g.shape == (14, 300) and g.dtype == np.complex64
    power = np.mean(np.abs(g) ** 2, axis=0)
    assert np.isclose(np.mean(power[24:120]), 13 / 14, atol=0.1) and np.all(power[24:120] > 0.2) and np.all(power[:24] < 1e-6) and np.all(power[120:] < 1e-6)
    # A unit resource element adds 1 / fft_size to the mean sample power.
    assert np.isclose(np.mean(np.abs(x[600:7000]) ** 2), 96 / 512, rtol=0.05)


def test_channel_and_constellation_explain_the_grid():
    """Two antennas that hear the same through different taps, with carrier offset and delay: the grid is the channel times what was sent, and the equaliser undoes it."""
    rng = np.random.default_rng(7)
    sent = prose.Transmitter(signals.CARRIER).transmit([prose.Transmission(signals.PSSCH, signals.PAYLOAD)])
    turn = np.exp(2j * np.pi * 200 * np.arange(len(sent)) / 7.68e6)
    taps = [(0.9, 0.3j, 0.1), (0.2 - 0.7j, 0.4, -0.2j)]
    x = np.stack([np.convolve(sent, t)[:len(sent)] * turn + 0.01 * rng.standard_normal(len(sent)) for t in taps]).astype(np.complex64)
    rx = loaded(x, n_antennas=2)
    d = rx.decode_pssch(signals.PSSCH)
    assert d.crc_ok and d.data == signals.PAYLOAD and abs(d.signal.cfo_hz - 200) < 15
    where, symbols = rx.subcarriers(), rx.symbols()
    assert (where.start, where.stop) == (24, 120) and symbols == [0, 1, 3, 4, 6, 7, 9, 10, 12][:len(symbols)] and len(symbols) == 9
    h, c = rx.channel(), rx.equalised()
    assert h.shape == (2, 9, 96) and c.shape == (9, 96) and c.dtype == np.complex64
    # QPSK of unit power.
    error = np.abs(np.abs(c.real) - np.sqrt(0.5)) + np.abs(np.abs(c.imag) - np.sqrt(0.5))
    assert np.mean(error ** 2) < 0.01
    decided = (np.sign(c.real) + 1j * np.sign(c.imag)) * np.sqrt(0.5)
    precoded = np.fft.fft(decided, axis=1) / np.sqrt(96)
    for antenna in range(2):
        y = rx.grid(antenna, d.signal.cfo_hz)[symbols, where]
        assert np.sum(np.abs(y - h[antenna] * precoded) ** 2) < 0.01 * np.sum(np.abs(y) ** 2)
        # The response of the taps at these subcarriers, which lie half a spacing beside the carrier.
        f = (np.arange(where.start, where.stop) - 150 + 0.5) / 512
        response = sum(t * np.exp(-2j * np.pi * f * n) for n, t in enumerate(taps[antenna]))
        assert np.allclose(np.abs(h[antenna]), np.abs(response), rtol=0.1)


def test_transmissions_of_a_block_are_combined():
    tx, rx = prose.Transmitter(signals.CARRIER), prose.SubframeReceiver(signals.CARRIER)
    buffer = prose.SoftBuffer(signals.PSSCH.tbs)
    alone = together = 0
    for seed in range(20):
        buffer.reset()
        for rv in (0, 2):
            c = prose.Pssch(**{**{f: getattr(signals.PSSCH, f) for f in signals.PSSCH.__slots__}, 'rv': rv})
            x = tx.transmit([prose.Transmission(c, signals.PAYLOAD)])
            rx.load(x + signals.noise(len(x), 100 * seed + rv) * np.float32(10 ** (1.2 / 20)))  # SNR -1.2 dB
            if rv == 2:
                alone += rx.decode_pssch(c).crc_ok
            together += rx.decode_pssch(c, buffer).crc_ok and rv == 2
    assert together > alone + 5, (together, alone)


def test_arrays_outlive_what_made_them():
    rx = loaded(signals.subframe())
    rx.decode_pssch(signals.PSSCH)
    g, h, c = rx.grid(), rx.channel(), rx.equalised()
    before = g.copy(), h.copy(), c.copy()
    rx.load(np.zeros(signals.CARRIER.samples_per_subframe, np.complex64))
    rx.grid()
    del rx
    gc.collect()
    for now, then in zip((g, h, c), before):
        assert np.array_equal(now, then) and now.flags.writeable and now.flags.owndata


def test_what_an_event_names_is_decoded_from_its_subframe():
    x = signals.stream()
    for e in prose.Receiver(x, sample_rate_hz=7.68e6, carrier='prb=25,tm=4', sync='aligned'):
        if e.event == 'tb':
            rx = loaded(x[e.sample:e.sample + 7680])
            assert rx.decode_pssch(prose.Pssch.of(e)).data == e.data
        if e.event == 'sci':
            assert prose.Pscch.of(e) == signals.PSCCH and prose.unpack_sci(e.data, 1, 5) == signals.SCI
