"""One transmission of each sidelink channel: what a transmitter and a receiver must agree on, and what is measured."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from .events import SciEvent, TbEvent


@dataclass(slots=True)
class Psbch:
    """PSSS, SSSS and PSBCH of a subframe (TS 36.211 9.6, 9.7). Its data: pack_mib_sl()."""
    n_sl_id: int = 0  #: 0..335


@dataclass(slots=True)
class Pscch:
    """PSCCH (TS 36.211 9.4). Its data: pack_sci()."""
    prb: int = 0  #: first PRB (1 PRB in TM1/2, 2 in TM3/4)
    cyclic_shift: int = 0  #: DMRS n_cs: 0 in TM1/2; 0, 3, 6 or 9 in TM3/4

    @classmethod
    def of(cls, e: SciEvent) -> Pscch:
        """Where this SCI was received."""
        return cls(e.prb, e.cyclic_shift)


@dataclass(slots=True)
class Pssch:
    """PSSCH (TS 36.211 9.3). Its data: a transport block of `tbs` bits."""
    prb_start: int = 0
    n_prb: int = 1  #: 2^a 3^b 5^c
    tbs: int = 0  #: bits; pssch_transport() gives it for an MCS
    modulation_order: int = 2  #: Q_m: 2, 4, or 6 with transmission format 1
    rv: int = 0  #: redundancy version 0..3
    n_x_id: int = 0  #: n_ID^X: n_ID^SA (TM1/2), or sci_crc() of the SCI (TM3/4)
    n_ssf: int = 0  #: number of the subframe in the pool, modulo 10
    last_symbol_rate_matched: bool = False  #: transmission format 1 (Rel-15)

    @classmethod
    def of(cls, e: TbEvent) -> Pssch:
        """How this block was received (with transmission format 0)."""
        return cls(e.prb_start, e.n_prb, e.tbs, e.modulation_order, e.rv, e.n_x_id, e.n_ssf)


@dataclass(slots=True)
class Psdch:
    """PSDCH (TS 36.211 9.5). Its data: a discovery message of 232 bits."""
    prb: int = 0  #: first PRB
    rv: int = 0
    prb_second: int = -1  #: the other PRB; -1: prb + 1


Channel = Union[Psbch, Pscch, Pssch, Psdch]


@dataclass(slots=True)
class Transmission:
    """A channel and what it carries: whole octets, most significant bit first, zero padded at the end."""
    channel: Channel
    data: bytes
    re_power_db: float = 0.0  #: power of a resource element; 0 dB: one that adds 1 / fft_size to the mean sample power


@dataclass(slots=True)
class Signal:
    """What is measured on one transmission."""
    snr_db: float = 0.0  #: per resource element, all antennas combined
    power_db: float = 0.0  #: mean power in one antenna's samples; 0 dB: full scale
    noise_db: float = 0.0  #: in one resource element
    cfo_hz: float = 0.0  #: carrier frequency offset
    timing_offset_samples: float = 0.0  #: positive: later than the subframe's start


@dataclass(slots=True)
class Load:
    """What a subframe's samples are."""
    power_db: float  #: mean over all antennas; -300 where there is none
    n_invalid_samples: int  #: NaN, infinite or absurdly large; replaced by zero


@dataclass(slots=True)
class Decoded:
    """One transmission as it was decoded."""
    channel: Channel  #: with the cyclic shift or n_sl_id that was found
    crc_ok: bool
    detected: bool  #: it passed all checks, so `data` is what was sent
    bits: int  #: number of bits in `data`
    data: bytes
    dmrs_metric: float  #: 0..1: share of the DMRS energy that this transmission explains
    signal: Signal
    iterations: int = 0  #: of the turbo decoder (PSSCH, PSDCH)
    crc: int = 0  #: of a PSCCH: n_ID^X of its PSSCH in TM3/4
    symbols: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.complex64), repr=False, compare=False)  #: 16 of them


@dataclass(slots=True)
class Slss:
    """What the synchronisation signals of a subframe tell."""
    n_sl_id: int
    metric: float  #: 0..1: normalised correlation of the SSSS
    second_metric: float  #: of the next best identity
    signal: Signal


@dataclass(slots=True)
class TransportFormat:
    """What an MCS means for a number of PRBs (TS 36.213 14.1.1)."""
    modulation_order: int
    tbs: int


@dataclass(slots=True)
class OpenedPacket:
    """A packet that a key log opened."""
    t: float  #: device time of the block that completed it, seconds
    frame: int  #: number of that block among the records that were read
    src: int  #: layer-2 ID
    dst: int  #: layer-2 ID; a capture file does not hold its 8 LSB in TM1/2, which then are zero
    lcid: int
    sdu_type: int  #: of PDCP: 0 IP, 1 ARP, 2 PC5-S, 3 non-IP
    data: bytes
