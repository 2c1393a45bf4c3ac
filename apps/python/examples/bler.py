#!/usr/bin/env python3
"""Block error rate of PSSCH over SNR in AWGN, measured with this transmitter and receiver, and the bound for a known channel.

    bler.py bler.png --mcs 4 --n-prb 10 --snr=-4:1:4 --blocks 500

The bound is the normal approximation of finite block lengths (Polyanskiy, Poor, Verdu 2010) with the data symbols that are sent: no code and no receiver does
better with the channel known; a receiver that must estimate it stays some 2 to 4 dB away. SNR is that of a used resource element. prose-bler has more: fading,
other channels, all cores.
"""
import argparse
import math

import numpy as np

import prose
from drawing import draw, words

DATA_SYMBOLS = 9  # of PSSCH in TM3/4: 14, less four of DMRS and the last one, which is not sent


def capacity_and_dispersion(snr, order):
    """Of QAM with 2^order points in complex noise, in bits and bits squared a symbol, by integration (Gauss, Hermite)."""
    side = np.arange(1 - 2 ** (order // 2), 2 ** (order // 2), 2.0)
    points = (side[:, None] + 1j * side[None, :]).ravel()
    points /= np.sqrt(np.mean(np.abs(points) ** 2))
    z, w = np.polynomial.hermite.hermgauss(24)
    noise = ((z[:, None] + 1j * z[None, :]) / np.sqrt(snr)).ravel()
    weight = (w[:, None] * w[None, :]).ravel() / np.pi
    mean = square = 0.0
    for x in points:
        # log2 of p(y | x) / p(y)
        distance = np.abs(x + noise[:, None] - points[None, :]) ** 2
        density = order - np.log2(np.sum(np.exp(-snr * (distance - np.abs(noise[:, None]) ** 2)), axis=1))
        mean += np.sum(weight * density) / len(points)
        square += np.sum(weight * density ** 2) / len(points)
    return mean, max(square - mean ** 2, 1e-12)


def bound(snr_db, bits, symbols, order):
    """The least block error rate of `bits` in so many symbols."""
    c, v = capacity_and_dispersion(10 ** (snr_db / 10), order)
    return 0.5 * math.erfc((symbols * c - bits + 0.5 * math.log2(symbols)) / math.sqrt(2 * symbols * v))


def wilson(errors, blocks):
    """95 % confidence interval of a share."""
    z2 = 1.96 ** 2
    middle = (errors + z2 / 2) / (blocks + z2)
    half = 1.96 / (blocks + z2) * math.sqrt(errors * (blocks - errors) / blocks + z2 / 4)
    return max(middle - half, 0.0), middle + half


def measure(carrier, block, n_prb, snr_db, blocks, rng):
    """Number of blocks that were lost."""
    tx, rx = prose.Transmitter(carrier), prose.SubframeReceiver(carrier)
    channel = prose.Pssch(0, n_prb, block.tbs, block.modulation_order, n_x_id=4711, n_ssf=3)
    sigma = np.float32(10 ** (-snr_db / 20) / math.sqrt(2))
    lost = 0
    for _ in range(blocks):
        payload = rng.bytes(block.tbs // 8)
        x = tx.transmit([prose.Transmission(channel, payload)])
        noise = rng.standard_normal((len(x), 2), dtype=np.float32).view(np.complex64)[:, 0]
        rx.load(x + sigma * noise)
        lost += rx.decode_pssch(channel).data != payload
    return lost


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument('picture')
    a.add_argument('--mcs', type=int, default=4)
    a.add_argument('--n-prb', type=int, default=10)
    a.add_argument('--snr', default='-4:1:4', help='FIRST:STEP:LAST in dB')
    a.add_argument('--blocks', type=int, default=500, help='at each SNR')
    a.add_argument('--seed', type=int, default=1)
    o = a.parse_args()
    first, step, last = map(float, o.snr.split(':'))
    carrier, rng = prose.Carrier(prb=25, tm=4), np.random.default_rng(o.seed)
    block = prose.pssch_transport(4, o.mcs, o.n_prb)
    symbols = DATA_SYMBOLS * 12 * o.n_prb

    rows = []
    for snr_db in np.arange(first, last + step / 2, step):
        lost = measure(carrier, block, o.n_prb, snr_db, o.blocks, rng)
        low, high = wilson(lost, o.blocks)
        least = bound(snr_db, block.tbs + 24, symbols, block.modulation_order)
        rows.append((snr_db, lost / o.blocks, low, high, least))
        print(f'{snr_db:6.2f} dB  BLER {lost / o.blocks:.4f} [{low:.4f}, {high:.4f}]  bound {least:.3g}', flush=True)
    table = np.array(rows)
    seen = table[table[:, 1] > 0, :4]
    fine = np.linspace(first - 4, last, 100)
    curve = np.array([(s, bound(s, block.tbs + 24, symbols, block.modulation_order)) for s in fine])
    draw(o.picture, '\n'.join([
        f'set title {words(f"PSSCH TM4, MCS {o.mcs}, {o.n_prb} PRB, {block.tbs} bits, AWGN, {o.blocks} blocks a point")}',
        f'set logscale y; set yrange [{0.3 / o.blocks}:1.2]; set xrange [{first - 4}:{last}]; set format y "10^{{%T}}"; set grid',
        'set xlabel "SNR of a resource element, dB"; set ylabel "BLER"; set key left bottom',
        f"plot '-' binary record={len(seen)} format='%float32%float32%float32%float32' using 1:2:3:4 with yerrorbars pointtype 7 title 'measured, 95 %', "
        f"'-' binary record={len(curve)} format='%float32%float32' using 1:2 with lines linewidth 2 title 'bound, channel known'",
    ]), seen, curve)


if __name__ == '__main__':
    main()
