"""The LTE sidelink in Python: recordings and arrays to events, grids, channel estimates, waveforms, verdicts.

    import prose
    for event in prose.Receiver('capture.sigmf-meta', carrier='prb=50,tm=4'):
        print(event)

Arrays are numpy's: complex64 samples of shape (n_antennas, n_samples), full scale 1. What a file, a configuration or samples have wrong
raises prose.Error, a ValueError, with one line. Long work releases the interpreter's lock, and Ctrl-C interrupts it.
"""
from ._native import (Carrier, Error, PcapPackets, Receiver, Recording, SoftBuffer, SubframeReceiver, Transmitter, __version__, pack_mib_sl, pack_sci,
                      pssch_transport, re_power_db, riv_decode, riv_encode, sci_crc, unpack_sci)
from .channels import (Channel, Decoded, Load, OpenedPacket, Psbch, Pscch, Psdch, Pssch, Signal, Slss, Transmission, TransportFormat)
from .events import (DiscoveryEvent, Event, GapEvent, MibSl, MibSlEvent, Received, Sci, SciEvent, SciFormat0, SciFormat1, Statistics, TbEvent)
from .verdict import Figure, Finding, OctetSums, Transmitter as JudgedTransmitter, Verdict

__all__ = [
    'Carrier', 'Channel', 'Decoded', 'DiscoveryEvent', 'Error', 'Event', 'Figure', 'Finding', 'GapEvent', 'JudgedTransmitter', 'Load', 'MibSl', 'MibSlEvent',
    'OctetSums', 'OpenedPacket', 'PcapPackets', 'Psbch', 'Pscch', 'Psdch', 'Pssch', 'Received', 'Receiver', 'Recording', 'Sci', 'SciEvent', 'SciFormat0',
    'SciFormat1', 'Signal', 'Slss', 'SoftBuffer', 'Statistics', 'SubframeReceiver', 'TbEvent', 'Transmission', 'Transmitter', 'TransportFormat', 'Verdict',
    '__version__', 'pack_mib_sl', 'pack_sci', 'pssch_transport', 're_power_db', 'riv_decode', 'riv_encode', 'sci_crc', 'unpack_sci',
]
