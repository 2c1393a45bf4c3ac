#!/usr/bin/env python3
"""The sniffer decodes at least 99 % of what the UEs report as sent and that overlaps no other frame's PRBs, on each channel, TM2 and TM4, and what it
missed is named: at 15 dB SNR of the widest transmissions (PSSCH; a burst's power does not depend on its width, so others are stronger), and with so much
noise that the narrowest have 15 dB or less, all but PSSCH. usage: decode_test.py BIN_DIR UHD_MODULES ROOT"""
import json, math, os, socket, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from air_scene import air_scene
from demo_lib import channel, decode_share

BIN, MODULES, ROOT = sys.argv[1:4]
SECONDS, PRB, SNR_DB = 15, 25, 15.0
SC_PERIOD_MS = {2: 40, 4: None}
NARROWEST_NOISE = channel.TX_POWER_DB + channel.GAIN_DB - 10 * math.log10(12) - SNR_DB + 10 * math.log10(channel.FFT[str(PRB)])


def own_check():
    """The measure itself: an overlap of PRBs, a miss, another subframe's event."""
    import tempfile
    frame = lambda t, prb, hex_: {'event': 'sent', 't': t, 'subframe': round(t * 1000), 'channel': 'PSDCH', 'prb': prb, 'n_prb': 2, 'hex': hex_}
    heard = lambda t, prb, hex_: {'event': 'discovery', 't': t, 'sample': round(t * 7.68e6), 'prb': prb, 'hex': hex_, 'crc_ok': True, 'snr_db': 20}
    with tempfile.TemporaryDirectory() as d:
        def write(name, lines):
            open(os.path.join(d, name), 'w').write('\n'.join(map(json.dumps, lines)) + '\n')
            return os.path.join(d, name)
        sent = {'a': write('a', [frame(1.0, 0, 'aa'), frame(1.001, 4, 'ab'), frame(1.002, 4, 'ac'), frame(1.9, 4, 'ad'), frame(9.0, 4, 'ae')]),
                'b': write('b', [frame(1.0, 2, 'ba'), frame(1.001, 5, 'bb'), frame(1.5, 5, 'bc')])}
        got = decode_share.measure(sent, write('e', [heard(0.5, 0, '00'), heard(1.0, 0, 'aa'), heard(1.0, 2, 'ba'), heard(1.002, 4, 'ac'), heard(1.5, 5, 'ad'),
                                                     {'event': 'statistics', 't': 2.0}]))['PSDCH']
        assert (got['sent'], got['counted'], got['decoded']) == (7, 5, 3) and [m['hex'] for m in got['missed']] == ['bc', 'ad'], got


own_check()
for tm, source in ((2, 'gnss'), (2, 'slss'), (4, 'gnss'), (4, 'slss')):
    noise = {'wide': channel.noise_for(SNR_DB, str(tm), str(PRB)), 'narrow': NARROWEST_NOISE}
    with air_scene(BIN, MODULES, ROOT, tm=tm, prb=PRB, node_noise=noise) as a:
        def options(name):
            text = open(a.path(name + '.yaml')).read()
            assert '  source: gnss' in text
            open(a.path(name + '.yaml'), 'w').write(text.replace('  source: gnss', '  source: ' + source, 1))
            return ['--tx-log', a.path(name + '.sent')]
        sniffers = {s: a.start('prose-sniffer', s, '--config', a.sniffer_config(source), '--device', a.device(s), '--events', a.path(s + '.heard')) for s in noise}
        ues = a.start_ues(0, options=options, traffic=True)
        out, sent_at = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), [0.0]
        def send():
            if time.monotonic() >= sent_at[0] + 0.1:
                sent_at[0] = time.monotonic()
                for port in a.ports.values():
                    out.sendto(os.urandom(300), ('127.0.0.1', port))
        a.until_linked(SECONDS, send)
        a.stop_ues(ues)
        for s, p in sniffers.items():
            a.stop(p, s)
        failed = []
        for s in noise:
            got = decode_share.measure({n: a.path(n + '.sent') for n in a.NAMES}, a.path(s + '.heard'), SC_PERIOD_MS[tm])
            for name, c in got.items():
                if s == 'narrow' and name == 'PSSCH' or source == 'gnss' and name == 'PSBCH':
                    continue
                text = decode_share.describe(name, c)
                print('TM%d, %s, noise %.1f dBFS: %s; %d of %d sent overlap others' % (tm, source, noise[s], text, c['sent'] - c['counted'], c['sent']), flush=True)
                if c['counted'] < 100 or c['share'] < decode_share.WANTED:
                    failed.append((s, text))
        assert not failed, failed
print('ok')
