"""The sniffer decodes at least 99 % of what the UEs report as sent and that overlaps no other frame's PRBs, on each channel, TM2 and TM4, and what it
missed is named: at 15 dB SNR of the widest transmissions (PSSCH; a burst's power does not depend on its width, so others are stronger), and with so much
noise that the narrowest have 15 dB or less, all but PSSCH."""
import json, math, os

from scripts.demo_lib import channel, decode_share
from tests.harness.cases import main
from tests.harness.files import write
from tests.harness.scene import NAMES, Scene

SECONDS, PRB, SNR_DB = 15, 25, 15.0
SC_PERIOD_MS = {2: 40, 4: None}
NARROWEST_NOISE = channel.TX_POWER_DB + channel.GAIN_DB - 10 * math.log10(12) - SNR_DB + 10 * math.log10(channel.FFT[str(PRB)])


def test_the_measure_itself(d):
    """An overlap of PRBs, a miss, another subframe's event."""
    frame = lambda t, prb, hex_: {'event': 'sent', 't': t, 'subframe': round(t * 1000), 'channel': 'PSDCH', 'prb': prb, 'n_prb': 2, 'hex': hex_}
    heard = lambda t, prb, hex_: {'event': 'discovery', 't': t, 'sample': round(t * 7.68e6), 'prb': prb, 'hex': hex_, 'crc_ok': True, 'snr_db': 20}
    events = lambda name, lines: write(os.path.join(d, name), '\n'.join(map(json.dumps, lines)) + '\n')
    sent = {'a': events('a', [frame(1.0, 0, 'aa'), frame(1.001, 4, 'ab'), frame(1.002, 4, 'ac'), frame(1.9, 4, 'ad'), frame(9.0, 4, 'ae')]),
            'b': events('b', [frame(1.0, 2, 'ba'), frame(1.001, 5, 'bb'), frame(1.5, 5, 'bc')])}
    got = decode_share.measure(sent, events('e', [heard(0.5, 0, '00'), heard(1.0, 0, 'aa'), heard(1.0, 2, 'ba'), heard(1.002, 4, 'ac'), heard(1.5, 5, 'ad'),
                                                 {'event': 'statistics', 't': 2.0}]))['PSDCH']
    assert (got['sent'], got['counted'], got['decoded']) == (7, 5, 3) and [m['hex'] for m in got['missed']] == ['bc', 'ad'], got


def decoded(tm, source):
    noise = {'wide': channel.noise_for(SNR_DB, str(tm), str(PRB)), 'narrow': NARROWEST_NOISE}
    with Scene(tm=tm, prb=PRB, source=source, node_noise=noise) as s:
        config = s.sniffer_config(source)
        sniffers = {n: s.start('prose-sniffer', n, '--config', config, '--device', s.air.device(n), events=n + '.heard') for n in noise}
        s.start_ues(traffic=True)
        s.until_linked(SECONDS, s.sender(300, 0.1))
        s.stop_ues()
        for p in sniffers.values():
            p.stop(timeout=300)
        failed = []
        for n in noise:
            got = decode_share.measure({u: s.path(u + '.sent') for u in NAMES}, s.path(n + '.heard'), SC_PERIOD_MS[tm])
            for name, c in got.items():
                if n == 'narrow' and name == 'PSSCH' or source == 'gnss' and name == 'PSBCH':
                    continue
                text = decode_share.describe(name, c)
                print('TM%d, %s, noise %.1f dBFS: %s; %d of %d sent overlap others' % (tm, source, noise[n], text, c['sent'] - c['counted'], c['sent']), flush=True)
                if c['counted'] < 100 or c['share'] < decode_share.WANTED:
                    failed.append((n, text))
        assert not failed, failed


def test_tm2_by_device_time():
    decoded(2, 'gnss')


def test_tm2_by_slss():
    decoded(2, 'slss')


def test_tm4_by_device_time():
    decoded(4, 'gnss')


def test_tm4_by_slss():
    decoded(4, 'slss')


if __name__ == '__main__':
    main()
