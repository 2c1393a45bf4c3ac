"""Rows of prose-sniffer on recordings: those of other makers, repeated, and carriers made as busy as is wanted. Subframes lie where the scene says (--sync aligned)."""
import json, os

from .programs import left_out

SUBFRAMES = 2000          # of a recording, in one measurement
FILE_SUBFRAMES = 500      # of the file, which is read again and again: at its end the sniffer starts anew
MADE_SUBFRAMES = 1000     # of a made carrier, read once
SC_PERIOD = 40
OCTETS = 8                # a sample, cf32_le
# Testers first. Their subframes follow each other, so they can be repeated.
CHOSEN = ('recorded/uxm_s15p36e6_50prb_0prb_offset_mcs12', 'recorded/uxm_s15p36e6_50prb_0prb_offset_mcs28_padding_5ms',
          'recorded/uxm_s30p72e6_100prb_1prb_offset_mcs12_its', 'recorded/cmw500_f5p92e9_s11p52e6_50prb_0offset_1ms', 'recorded/ideal_tm2_p25_c168_s7p68e6',
          'recorded/ideal_tm2_p100_c335_s30p72e6', 'recorded/ideal_tm4_p50_c252_size10_num5_cshift0_s15p36e6',
          'recorded/ideal_tm4_p100_c335_size10_num10_cshift0_s30p72e6', 'generated_a/tm2_p25_a0_n12_mcs20', 'generated_a/v2x_p50_s10n5_16qam',
          'generated_a/v2x_p100_s20n5_multicb')
USERS = (3, 20, 100)


def sniffer_us(p, s, folder, subframes, loop):
    """Processor time of a subframe, in microseconds, the program's start included."""
    return 1e6 * p.run(s, ['prose-sniffer', '--iq', os.path.join(folder, 'x.sigmf-meta'), '--scene', os.path.join(folder, 'scene.json'), '--sync', 'aligned', '--plain',
                           '--events', os.path.join(folder, 'events.jsonl'), *(['--loop', loop] if loop > 1 else [])]) / (subframes * loop)


class recording:
    """A recording of ../shared/iq. Its pool is told, the numbers of its subframes are not."""
    unit, targets = 'us a subframe', ('prose-sniffer',)

    def __init__(self, iq, name, length):
        self.name, self.stem = 'recording/' + os.path.basename(name), os.path.join(iq, name)
        self.loop = max(1, round(SUBFRAMES * length / FILE_SUBFRAMES))

    def prepare(self, sides, programs, folder):
        try:
            with open(self.stem + '.expected.json') as f:
                told = json.load(f)
            with open(self.stem + '.sigmf-meta') as f:
                meta = json.load(f)
            with open(self.stem + '.sigmf-data', 'rb') as f:
                data = f.read()
        except OSError as e:
            raise left_out('no recordings there (%s)' % e.strerror.lower())
        whole, rest = divmod(len(data), OCTETS * told['samples_per_subframe'])
        if whole == 0 or rest:
            raise left_out('not a whole number of subframes')
        times = -(-FILE_SUBFRAMES // whole)
        self.subframes = whole * times
        meta['global'].pop('core:sha512', None)
        with open(os.path.join(folder, 'x.sigmf-meta'), 'w') as f:
            json.dump(meta, f)
        with open(os.path.join(folder, 'x.sigmf-data'), 'wb') as f:
            for _ in range(times):
                f.write(data)
        keys = ('carrier', 'pool', 'samples_per_subframe', 'first_subframe_sample')
        with open(os.path.join(folder, 'scene.json'), 'w') as f:
            json.dump({k: told[k] for k in keys}, f)

    def measure(self, s, p, folder):
        return {'': sniffer_us(p, s, folder, self.subframes, self.loop)}


class busy:
    """A carrier with so many users, made by tests/busy_carrier of the first build that has it; one recording for both."""
    unit, targets = 'us a subframe', ('prose-sniffer',)

    def __init__(self, tm, prb, users, length):
        self.name, self.made_of = 'busy/tm%d_%dprb_%d_users' % (tm, prb, users), (tm, prb, users)
        self.subframes = max(SC_PERIOD, min(10240, round(MADE_SUBFRAMES * length)) // SC_PERIOD * SC_PERIOD)

    def prepare(self, sides, programs, folder):
        maker = next((s for s in sides if s.has('busy_carrier')), None)
        if not maker:
            raise left_out('busy_carrier not built')
        programs.run(maker, ['busy_carrier', os.path.join(folder, 'x'), os.path.join(folder, 'scene.json'), *self.made_of, self.subframes])

    def measure(self, s, p, folder):
        return {'': sniffer_us(p, s, folder, self.subframes, 1)}


def rows(iq, length):
    return [recording(iq, n, length) for n in CHOSEN] + [busy(tm, prb, n, length) for tm in (2, 4) for prb in (50, 100) for n in USERS]
