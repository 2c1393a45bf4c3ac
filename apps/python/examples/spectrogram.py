#!/usr/bin/env python3
"""A recording's spectrogram, and over it a box around every frame that was decoded.

    spectrogram.py capture.sigmf-meta spectrogram.png --carrier prb=25,tm=4 --sync gnss --start 0 --subframes 40
"""
import numpy as np

import prose
from drawing import draw, options, words

COLOURS = {'mib_sl': 'green', 'sci': 'orange', 'tb': 'white', 'discovery': 'cyan'}


def place(e):
    """First PRB and number of PRBs of an event."""
    if isinstance(e, prose.TbEvent):
        return e.prb_start, e.n_prb
    if isinstance(e, prose.SciEvent):
        return e.prb, 1 if e.format == 0 else 2
    if isinstance(e, prose.DiscoveryEvent):
        return e.prb, 2
    return None  # the middle six of PSBCH


def spectrogram_db(x, n_fft):
    """Power in dB of windows that follow one another, lowest frequency first: (time, frequency)."""
    rows = x[:len(x) // n_fft * n_fft].reshape(-1, n_fft) * np.hanning(n_fft).astype(np.float32)
    power = np.abs(np.fft.fftshift(np.fft.fft(rows, axis=1), axes=1)) ** 2
    return 10 * np.log10(power + 1e-12)


def main():
    a = options(__doc__)
    a.add_argument('--start', type=int, default=0, help='first subframe of the picture')
    a.add_argument('--subframes', type=int, default=40)
    o = a.parse_args()

    receiver = prose.Receiver(o.recording, carrier=o.carrier, pools=o.pool, sync=o.sync)
    carrier = receiver.carrier
    per_subframe = carrier.samples_per_subframe
    first, last = o.start * per_subframe, (o.start + o.subframes) * per_subframe
    with prose.Recording(o.recording) as recording:
        samples = recording.read(first, last - first)[0]
    found = [e for e in receiver if e.event in COLOURS and first <= e.sample < last]

    n_fft = 256
    image = spectrogram_db(samples, n_fft)
    middle = carrier.prb / 2
    boxes = []
    for e in found:
        prb, n = place(e) or (middle - 3, 6)
        x0 = (e.sample - first) / per_subframe
        low, high = (180e3 * (p - middle) / 1e6 for p in (prb, prb + n))
        boxes.append(f'set object rectangle from {x0},{low} to {x0 + 1},{high} front fillstyle empty border rgb "{COLOURS[e.event]}" linewidth 1.5')
    rate_mhz = carrier.sample_rate_hz / 1e6
    step_x, step_y = n_fft / per_subframe, rate_mhz / n_fft
    draw(o.picture, '\n'.join([
        f'set title {words(str(len(found)) + " frames: MIB-SL green, SCI orange, blocks white, discovery cyan")}',
        'set xlabel "ms"; set ylabel "MHz"; set cblabel "dB"; unset key',
        f'set xrange [0:{len(image) * step_x}]; set yrange [{-rate_mhz / 2}:{rate_mhz / 2}]',
        f'set cbrange [{np.median(image) - 5}:{image.max()}]', *boxes,
        f"plot '-' binary array=({image.shape[0]},{image.shape[1]}) dx={step_x} dy={step_y} origin=({step_x / 2},{-rate_mhz / 2}) format='%float32' with image",
    ]), image.T)
    print(f'{len(found)} frames in {o.subframes} subframes')


if __name__ == '__main__':
    main()
