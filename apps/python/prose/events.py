"""What is received, as the events of `prose-sniffer`: the same names, the same units."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Optional, Union

import numpy as np
import numpy.typing as npt


@dataclass(slots=True)
class SciFormat0:
    """SCI format 0, TM1 and TM2 (TS 36.212 5.4.3.1.1)."""
    frequency_hopping: int = 0
    riv: int = 0  #: resource block assignment, with its hopping bits when hopping
    time_resource_pattern: int = 0  #: I_TRP, 0..127
    mcs: int = 0
    timing_advance: int = 0
    group_destination_id: int = 0  #: n_ID^SA


@dataclass(slots=True)
class SciFormat1:
    """SCI format 1, TM3 and TM4 (TS 36.212 5.4.3.1.2)."""
    priority: int = 0  #: value p means PPPP p + 1
    resource_reservation: int = 0
    riv: int = 0  #: frequency resource location, over sub-channels
    time_gap: int = 0  #: SF_gap, 0..15
    mcs: int = 0
    retransmission_index: int = 0
    transmission_format: int = 0
    reserved: int = 0


Sci = Union[SciFormat0, SciFormat1]


@dataclass(slots=True)
class MibSl:
    """MasterInformationBlock-SL, or its V2X form (TS 36.331 6.5.2)."""
    n_prb: int = 50
    tdd_config: int = 0  #: 0 none, 1..7 for sa0..sa6
    direct_frame_number: int = 0
    direct_subframe_number: int = 0
    in_coverage: bool = False
    reserved: int = 0


@dataclass(slots=True)
class Received:
    """What the events of all channels tell."""
    t: float  #: device time of the subframe, seconds
    sample: int  #: of the subframe's first sample
    bits: int  #: number of bits in `data`
    data: bytes  #: most significant bit first, zero padded at the end; empty where the CRC failed
    absolute_subframe: Optional[int]  #: 10 * DFN + subframe, 0..10239; None where it is not known
    snr_db: float  #: per resource element
    power_db: float  #: of the transmission; 0 dB: full scale
    cfo_hz: float  #: carrier frequency offset
    timing_offset_samples: float  #: of this transmitter, relative to `sample`
    symbols: npt.NDArray[np.complex64] = field(repr=False, compare=False)  #: 16 of its equalised modulation symbols

    @property
    def hex(self) -> str:
        """`data` as hexadecimal digits."""
        return self.data.hex()


@dataclass(slots=True)
class MibSlEvent(Received):
    """A MIB-SL on the PSBCH, with the SLSS of its subframe."""
    event: ClassVar[str] = 'mib_sl'
    n_sl_id: int
    fields: MibSl


@dataclass(slots=True)
class SciEvent(Received):
    """An SCI on the PSCCH."""
    event: ClassVar[str] = 'sci'
    format: int  #: 0 or 1
    prb: int  #: first PRB of the PSCCH
    cyclic_shift: int  #: of the DMRS; 0 with format 0
    fields: Sci
    n_subchannels: int  #: format 1: what the fields were read with; 0: not known, and the fields from `riv` on are a guess


@dataclass(slots=True)
class TbEvent(Received):
    """A transport block of the SL-SCH on the PSSCH."""
    event: ClassVar[str] = 'tb'
    channel: ClassVar[str] = 'PSSCH'
    tbs: int  #: transport block size, bits
    mcs: int
    rv: int  #: redundancy version of the transmission that completed the block
    crc_ok: bool
    prb_start: int
    n_prb: int
    modulation_order: int  #: Q_m: 2, 4 or 6
    n_x_id: int  #: n_ID^X: n_ID^SA (TM1/2), or from the CRC of the SCI (TM3/4)
    n_ssf: int
    n_transmissions: int  #: combined
    repetition: bool  #: another transmission of a block that was received before
    open_bits: int  #: bits that this transmission alone leaves open, so that nobody could decode it

    @property
    def reason(self) -> Optional[str]:
        """Why nobody could decode it, or None."""
        return 'not decodable from this transmission alone' if self.open_bits else None


@dataclass(slots=True)
class DiscoveryEvent(Received):
    """A PC5_DISCOVERY message on the PSDCH."""
    event: ClassVar[str] = 'discovery'
    prb: int  #: first PRB
    rv: int
    crc_ok: bool
    n_transmissions: int
    repetition: bool


@dataclass(slots=True)
class GapEvent:
    """Samples are missing before `sample`."""
    event: ClassVar[str] = 'gap'
    t: float
    sample: int
    samples_lost: int


@dataclass(slots=True)
class Statistics:
    """Counts so far; the last event of a stream."""
    event: ClassVar[str] = 'statistics'
    t: float
    samples: int
    non_finite_samples: int  #: NaN, infinite or absurdly large; replaced by zero
    subframes: int
    gaps: int
    pscch_candidates: int  #: places searched for a PSCCH
    sci: int
    tb_ok: int
    tb_failed: int
    mib: int
    discovery: int
    soft_buffers_evicted: int
    blocks_announced: int  #: transport blocks that SCIs announced
    blocks_decoded: int
    blocks_absent: int
    discovery_occupied: int  #: resources of known discovery pools with a signal
    discovery_decoded: int
    prbs_occupied: int
    prbs_unexplained: int


Event = Union[MibSlEvent, SciEvent, TbEvent, DiscoveryEvent, GapEvent, Statistics]
