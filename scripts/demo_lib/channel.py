"""Channels of the emulated air, calibrated against what prose-ue sends."""
import math

CHOICES = ('clean', 'cfo', 'drift', 'eva', 'loss')
GAIN_DB = -20.0        # every path
TX_POWER_DB = -12.0    # mean of a burst, configs/*.yaml
EVA_SNR_DB = 15.0
WIDEST_PRB = {('2', '25'): 12, ('2', '50'): 25, ('4', '25'): 15, ('4', '50'): 20}  # of one transmission, default_ue_config()
FFT = {'25': 512, '50': 1024}
QUIET_NOISE_DBFS = -60.0
# prose-ue hands a burst over 3 ms before its time (lead_subframes: 4), 2 ms after what it read where it follows SLSS. The further
# radios may be apart, the fewer turns they take; with 2 ms bursts came late.
LEAD_US = 1000
SNIFFER_SNR_DB = 15.0  # of the widest transmission of the weakest UE, whatever the channel
# Radios differ: carriers 0.05 ppm apart (at 5.9 GHz), and distances to the sniffer. What it links by them is reported as residual.
CARRIER_HZ = {'mary': 300, 'john': 0, 'peter': -300}
CFO_CHANNEL_HZ = {'mary': 2000, 'john': 0, 'peter': -2000}
DRIFT_PPM = {'mary': 0.5, 'john': 0, 'peter': -0.5}
NEARER_DB = {'mary': 1.5, 'john': 0, 'peter': 3}
PAIRS = (('mary', 'john'), ('peter', 'john'), ('mary', 'peter'), ('mary', 'sniffer'), ('john', 'sniffer'), ('peter', 'sniffer'))


def noise_for(snr_db, tm, prb):
    """Receiver noise (dB full scale, whole sampling bandwidth) that leaves the widest transmission snr_db on each subcarrier on
    average; narrower ones have more, as a burst's power does not depend on its width."""
    per_subcarrier = TX_POWER_DB + GAIN_DB - 10 * math.log10(12 * WIDEST_PRB[tm, prb])
    return per_subcarrier - snr_db + 10 * math.log10(FFT[prb])


def parse(text):
    wanted = [c for c in text.split(',') if c]
    unknown = [c for c in wanted if c not in CHOICES]
    if unknown or not wanted:
        raise ValueError('--channel %s: accepted are %s, several with commas' % (text, ', '.join(CHOICES)))
    return set(wanted)


def air_yaml(wanted, tm, prb):
    default = ['gain_db: %g' % GAIN_DB]
    noise = QUIET_NOISE_DBFS
    if 'eva' in wanted:
        default += ['fading: eva', 'doppler_hz: 70']
        noise = noise_for(EVA_SNR_DB, tm, prb)
    if 'loss' in wanted:
        default.append('burst_loss: 0.2')
    carrier = CFO_CHANNEL_HZ if 'cfo' in wanted else CARRIER_HZ
    lines = ['stall_ms: 20000', 'lead_us: %d' % LEAD_US, 'default: {%s}' % ', '.join(default),
             'nodes: {"*": {noise_dbfs: %.2f}, sniffer: {noise_dbfs: %.2f}}' % (noise, noise_for(SNIFFER_SNR_DB, tm, prb)), 'pairs:']
    for a, b in PAIRS:  # differences, so clocks are consistent; the sniffer's is right
        fields = ['cfo_hz: %g' % (carrier[a] - carrier.get(b, 0))]
        if 'drift' in wanted:
            fields.append('drift_ppm: %g' % (DRIFT_PPM[a] - DRIFT_PPM.get(b, 0)))
        if b == 'sniffer':
            fields.append('gain_db: %g' % (GAIN_DB + NEARER_DB[a]))
        lines.append('  - {between: [%s, %s], %s}' % (a, b, ', '.join(fields)))
    return '\n'.join(lines) + '\n'


def describe(wanted, tm, prb):
    words = {'clean': 'clean, carriers up to %d Hz apart' % (CARRIER_HZ['mary'] - CARRIER_HZ['peter']), 'cfo': 'CFO +-2 kHz', 'drift': '0.5 ppm drift', 'loss': '20 %% of subframes lost',
             'eva': 'EVA70 at %g dB (noise %.1f dBFS)' % (EVA_SNR_DB, noise_for(EVA_SNR_DB, tm, prb))}
    return ', '.join(words[c].replace('%%', '%') for c in CHOICES if c in wanted) + '; the sniffer hears the widest transmissions at %g dB SNR or more' % SNIFFER_SNR_DB
