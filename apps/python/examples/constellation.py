#!/usr/bin/env python3
"""The constellation of a decoded block before and after equalisation.

    constellation.py capture.sigmf-meta constellation.png --carrier prb=25,tm=4 --sync gnss
"""
import sys

import numpy as np

import prose
from drawing import draw, options, words


def nearest_points(z, order):
    """Of QAM with 2^order points and unit mean power."""
    levels = np.arange(1 - 2 ** (order // 2), 2 ** (order // 2), 2) / np.sqrt(2 / 3 * (2 ** order - 1))
    nearest = lambda x: levels[np.argmin(np.abs(x[..., None] - levels), axis=-1)]
    return nearest(z.real) + 1j * nearest(z.imag)


def main():
    a = options(__doc__)
    a.add_argument('--block', type=int, default=0, help='number of the block among those that were decoded')
    o = a.parse_args()

    receiver = prose.Receiver(o.recording, carrier=o.carrier, pools=o.pool, sync=o.sync)
    blocks = (e for e in receiver if isinstance(e, prose.TbEvent) and e.crc_ok and not e.repetition)
    block = next((e for i, e in enumerate(blocks) if i == o.block), None)
    if block is None:
        sys.exit(f'there is no block {o.block}')
    carrier = receiver.carrier
    with prose.Recording(o.recording) as recording:
        samples = recording.read(block.sample, carrier.samples_per_subframe)

    rx = prose.SubframeReceiver(carrier, n_antennas=len(samples))
    rx.load(samples)
    decoded = rx.decode_pssch(prose.Pssch.of(block))
    after = rx.equalised()
    # The same resource elements as they were received: freed of the transform precoding alone, and of the mean power.
    received = rx.grid(0, decoded.signal.cfo_hz)[rx.symbols(), rx.subcarriers()]
    before = np.fft.ifft(received, axis=1) * np.sqrt(received.shape[1])
    before = before / np.sqrt(np.mean(np.abs(before) ** 2))
    evm = np.sqrt(np.mean(np.abs(after - nearest_points(after, block.modulation_order)) ** 2))

    points = [np.column_stack([z.real.ravel(), z.imag.ravel()]).astype(np.float32) for z in (before, after)]
    title = f'PSSCH, {block.n_prb} PRB, MCS {block.mcs}, SNR {decoded.signal.snr_db:.1f} dB, CFO {decoded.signal.cfo_hz:.0f} Hz'
    plot = "plot '-' binary record={} format='%float32%float32' using 1:2 with points pointtype 7 pointsize 0.4"
    draw(o.picture, f'set multiplot layout 1,2 title {words(title)}\nset size square; unset key; set grid; set xrange [-2:2]; set yrange [-2:2]; set xlabel "I"; set ylabel "Q"',
         'set title "before equalisation"\n' + plot.format(len(points[0])), points[0], 'set title "after equalisation"\n' + plot.format(len(points[1])), points[1],
         'unset multiplot')
    print(f'SNR {decoded.signal.snr_db:.1f} dB, EVM {100 * evm:.1f} %')


if __name__ == '__main__':
    main()
