"""Subframes that the tests of the package send and receive. A round trip through our own transmitter and receiver proves self-consistency only; that both are
right is the business of tests/phy and of the shared recordings."""
import numpy as np

import prose

CARRIER = prose.Carrier(prb=25, tm=4)
SCI = prose.SciFormat1(priority=2, riv=prose.riv_encode(5, 0, 2), mcs=5)
SCI_DATA = prose.pack_sci(SCI, 5)
BLOCK = prose.pssch_transport(4, 5, 8)
PSCCH = prose.Pscch(0, 3)
PSSCH = prose.Pssch(2, 8, BLOCK.tbs, BLOCK.modulation_order, 0, prose.sci_crc(SCI_DATA), 7)
PAYLOAD = bytes(range(1, 1 + (BLOCK.tbs + 7) // 8))


def noise(shape, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64) * np.float32(np.sqrt(0.5))


def subframe(power_db=-30.0, snr_db=25.0, seed=1):
    """SCI and block in noise, of one antenna."""
    tx = prose.Transmitter(CARRIER)
    power = prose.re_power_db(CARRIER, power_db, 8 * 12)
    x = tx.transmit([prose.Transmission(PSCCH, SCI_DATA, power), prose.Transmission(PSSCH, PAYLOAD, power)])
    # A resource element of power 1 adds 1 / fft_size to the mean sample power, so it meets the noise of one sample.
    sigma = np.float32(10 ** ((power - snr_db) / 20))
    return x + noise(len(x), seed) * sigma


SUBFRAME = subframe()


def stream(n=3, seed=1):
    """So many of these subframes, one after the other."""
    return np.concatenate([subframe(seed=seed + i) for i in range(n)])
