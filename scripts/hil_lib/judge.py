"""Figures of radios and of the paths between them become findings: ok, look (look at this) or wrong, with the remedy of docs/usrp.md."""
import math, re

OK, LOOK, WRONG = 'ok', 'look', 'wrong'
GRADES = (OK, LOOK, WRONG)

MAX_CFO_HZ = 6000         # slss_search_config::max_cfo_hz: the search for SLSS takes no more
NEAR_CFO_HZ = 4000        # chosen: two thirds of it, as crystals move with temperature
COMMON_CFO_HZ = {'external': 50, 'gpsdo': 300}  # one 10 MHz: a synthesiser's step; two GPSDOs: 50 ppb at 5.9 GHz, as they hold it without GPS
SAME_CFO_HZ = 50          # what A hears too high B hears too low
MOST_OFFSET_US = 50       # PROSE_HIL_MOST_OFFSET_US: group delays of front ends
SHARED_TIME_US = 1000     # device times that are not set together are further apart than this
UNSTEADY_SAMPLES = 1.0    # as burst_timing of hil_test
CONVERTER_DBFS = -74      # quantisation of 12 bits
NOISE_DBFS = (-72, -40)   # below: lost in the converter's steps; above: something transmits, or too much gain
TARGET_DBFS = -20         # chosen: mean of the strongest burst; its peaks are 8 dB above, and 12 dB are left for others
TARGET_WIDTH_DB = 8
LOUD_PEAK = 0.7           # of full scale: 3 dB below it
GOOD_SNR_DB, LEAST_SNR_DB = 20, 10
GOOD_EVM, MOST_EVM = 10, 17.5  # per cent; TS 36.101 6.5.2.1.1 allows a transmitter 17.5 with QPSK
COUNTERS = ('overflows', 'underflows', 'lates', 'sequence_errors', 'restarts')
LEAD_MS = 4               # sidelink.lead_subframes
EASY_LEAD_MS = 3

REMEDY = {
    'cable': 'check the cable, the antenna port and the gains (docs/usrp.md, Step by step)',
    'frequency': 'common 10 MHz, or a carrier below 1.5 GHz (docs/usrp.md, Frequency)',
    'timing': 'connect 10 MHz and PPS and set clock_source and time_source alike, or internal with time.source: slss (docs/usrp.md, Timing)',
    'clipping': 'take 10 dB from rx_gain_db (docs/usrp.md, When it does not work)',
    'power': 'change rx_gain_db, first in steps of 10 dB (docs/usrp.md, When it does not work)',
    'turnaround': 'raise turnaround_s of the profile to what was measured (docs/usrp.md, When it does not work)',
    'lead': 'raise sidelink.lead_subframes to 6 or 8; a slow host or USB (docs/usrp.md, When it does not work)',
    'overflow': 'one UE per host, realtime_priority, another USB controller (docs/usrp.md, When it does not work)',
    'gone': 'power, cable, uhd_find_devices (docs/usrp.md, When it does not work)',
    'in use': 'end the other program; UHD lets go of a killed one after some 5 s (docs/usrp.md, When it does not work)',
    'rate': 'another master_clock_hz, or the rate that the device offers (docs/usrp.md, When it does not work)',
    'network': 'MTU 9000 and larger socket buffers (docs/usrp.md, Step by step)',
    'events': 'see the events of the UEs: sync, peer_discovered, link_established (docs/usrp.md, When it does not work)',
    'limits': 'keep to tx_limits of the profile: another --freq, a lower --tx-gain, fewer --bursts; give power_dbm_at_gain_0 (docs/usrp.md, Limits of a band)',
    'setting': 'take the value that the device accepts into the profile (docs/usrp.md, Step by step)',
}
# What an error of prose-iq has in it, the first that fits.
SIGNS = (('tx_limits', 'limits'), (' dBm in ', 'limits'),
         ('in use', 'in use'), ('no device for', 'gone'), ('no samples for', 'gone'), ('no answer', 'gone'), ('not locked', 'timing'), ('no PPS', 'timing'),
         ('has no GPSDO', 'timing'), ('stands still', 'timing'), ('at the PPS', 'timing'), ('the device gives', 'rate'), ('master_clock_hz', 'rate'),
         ('accepted', 'setting'), ('accepts', 'setting'), ('too late', 'overflow'))


def finding(grade, what, figure, limit='', remedy=''):
    return {'grade': grade, 'what': what, 'figure': figure, 'limit': limit, 'remedy': REMEDY.get(remedy, remedy) if grade != OK else ''}


def worst(findings):
    return max((f['grade'] for f in findings), key=GRADES.index, default=OK)


def remedy_of(error):
    return next((remedy for sign, remedy in SIGNS if sign in error), 'gone')


def failed(what, error):
    return finding(WRONG, what, error or 'failed', 'no error', remedy_of(error))


def power_db(power):
    """None: nothing but zeros."""
    return 10 * math.log10(power) if power else None


# What a note of prose-iq has in it, the first that fits: what it is about, and its remedy.
NOTES = (('WARNING', 'clock', 'timing'), ('PPS', 'clock', 'timing'), ('reference', 'clock', 'timing'), ('MTU', 'network', 'network'), ('net.core', 'network', 'network'),
         ('in use', 'opening', 'in use'))


def notes(name, lines):
    out = []
    for line in lines:
        what, remedy = next(((w, r) for sign, w, r in NOTES if sign in line), ('note', 'overflow'))
        out.append(finding(LOOK, '%s: %s' % (name, what), line, 'nothing to say', remedy))
    return out


def noise(name, mean_dbfs, peak):
    """Of what it hears while nobody here transmits."""
    low, high = NOISE_DBFS
    what, limit = name + ': noise floor', '%d to %d dBFS' % NOISE_DBFS
    if mean_dbfs is None:
        return finding(WRONG, what, 'only zeros', limit, 'gone')
    text = '%.1f dBFS' % mean_dbfs
    if peak >= 0.98:
        return finding(WRONG, what, text + ', clips', limit, 'clipping')
    if mean_dbfs > high:
        return finding(LOOK, what, text + ': something transmits here, or the gain is too high', limit, 'clipping')
    if mean_dbfs < low:
        return finding(LOOK, what, text + ': the converter\'s own steps hide the noise', limit, 'power')
    return finding(OK, what, text, limit)


def common_reference(source):
    return source in COMMON_CFO_HZ


def offset(what, cfo_hz, clock_source):
    text = '%+.0f Hz' % cfo_hz
    if abs(cfo_hz) > MAX_CFO_HZ:
        return finding(WRONG, what, text, '%d Hz' % MAX_CFO_HZ, 'frequency')
    if common_reference(clock_source):
        most = COMMON_CFO_HZ[clock_source]
        return finding(OK if abs(cfo_hz) <= most else LOOK, what, text, '%d Hz with clock_source %s' % (most, clock_source), 'timing')
    return finding(OK if abs(cfo_hz) <= NEAR_CFO_HZ else LOOK, what, text, '%d Hz, better %d' % (MAX_CFO_HZ, NEAR_CFO_HZ), 'frequency')


def delay(what, p, time_source):
    steady = p['unsteady_samples'] <= UNSTEADY_SAMPLES
    text = '%.2f us' % p['arrival_us'] if abs(p['arrival_us']) < SHARED_TIME_US else 'times %.6f s apart' % (p['arrival_us'] * 1e-6)
    text += ', drift %+.2f ppm, steady to %.2f samples' % (p['drift_ppm'], p['unsteady_samples'])
    if not steady:
        return finding(WRONG, what, text, '%g sample' % UNSTEADY_SAMPLES, 'timing')
    if not common_reference(time_source):
        return finding(OK, what, text, 'no time is shared: %g sample of unsteadiness' % UNSTEADY_SAMPLES)
    return finding(OK if abs(p['arrival_us']) <= MOST_OFFSET_US else WRONG, what, text, '%d us' % MOST_OFFSET_US, 'timing')


def power(what, p):
    text, limit = '%.1f dBFS, peaks %.2f' % (p['power_dbfs'], p['peak']), '%d +- %d dBFS' % (TARGET_DBFS, TARGET_WIDTH_DB)
    if p['clipped_samples'] > 0:
        return finding(WRONG, what, '%s, %d samples clipped' % (text, p['clipped_samples']), limit, 'clipping')
    if p['peak'] > LOUD_PEAK:
        return finding(LOOK, what, text, limit, 'clipping')
    return finding(OK if abs(p['power_dbfs'] - TARGET_DBFS) <= TARGET_WIDTH_DB else LOOK, what, text, limit, 'power')


def at_least(what, value, unit, good, least, remedy):
    grade = OK if value >= good else LOOK if value >= least else WRONG
    return finding(grade, what, '%.1f %s' % (value, unit), '%g, better %g %s' % (least, good, unit), remedy)


def turnaround(what, measured_us, told_us):
    if measured_us is None:
        return finding(LOOK, what, 'not measured: not heard again within 1 ms, or a burst or samples were lost meanwhile', '%.0f us (turnaround_s)' % told_us, 'turnaround')
    return finding(OK if measured_us <= told_us else WRONG, what, '%.0f us' % measured_us, '%.0f us (turnaround_s)' % told_us, 'turnaround')


def path(who, p, profile, resolution_us):
    """who: 'A to B'; profile: clock_source, time_source and turnaround_s of the receiver; resolution_us of the turnaround."""
    if not p['found']:
        return [finding(WRONG, who + ': power', 'not heard', 'heard', 'cable')]
    decoded = '%d of %d' % (p['decoded'], p['sent'])
    out = [power(who + ': power', p),
           finding(OK if p['decoded'] == p['sent'] else WRONG, who + ': decoded', decoded, 'all', 'cable'),
           offset(who + ': carrier offset', p['cfo_hz'], profile['clock_source']),
           delay(who + ': delay', p, profile['time_source']),
           turnaround(who + ': receives again after sending', p.get('turnaround_us'), profile['turnaround_s'] * 1e6 + resolution_us)]
    if 'snr_db' in p:
        out.append(at_least(who + ': SNR', p['snr_db'], 'dB', GOOD_SNR_DB, LEAST_SNR_DB, 'power'))
    if 'evm_percent' in p:
        e = p['evm_percent']
        out.append(finding(OK if e <= GOOD_EVM else LOOK if e <= MOST_EVM else WRONG, who + ': EVM', '%.1f %%' % e, '%g, better %g %%' % (MOST_EVM, GOOD_EVM), 'power'))
    return out


def both_ways(who, there, back):
    """What one hears too high the other hears too low: otherwise a figure is wrong, or a clock is not steady."""
    if not there['found'] or not back['found']:
        return []
    apart = there['cfo_hz'] + back['cfo_hz']
    return [finding(OK if abs(apart) <= SAME_CFO_HZ else LOOK, who + ': offsets both ways', 'differ by %.0f Hz' % abs(apart), '%d Hz' % SAME_CFO_HZ, 'frequency')]


def side(name, r):
    """Of one radio: from reception to transmission, and what it lost."""
    needs = max([x['lead_ms'] for x in r['leads'] if x['lates']], default=0)
    least = min([x['lead_ms'] for x in r['leads'] if x['lead_ms'] > needs], default=None)
    limit = '%d ms (sidelink.lead_subframes), better %d' % (LEAD_MS, EASY_LEAD_MS)
    what = name + ': sends after receiving'
    if least is None or least > LEAD_MS:
        out = [finding(WRONG, what, 'late with %g ms' % needs, limit, 'lead')]
    else:
        out = [finding(OK if least <= EASY_LEAD_MS else LOOK, what, 'in time with %g ms' % least, limit, 'lead')]
    lost = {k: r[k] for k in COUNTERS if r[k]}
    out.append(finding(LOOK if lost else OK, name + ': lost', ', '.join('%d %s' % (n, k) for k, n in lost.items()) or 'nothing', 'nothing', 'overflow'))
    return out


def worst_side(measured):
    """One radio in several pairs: of each lead the most lates, of each counter the most."""
    out = dict(measured[0])
    for m in measured[1:]:
        out['leads'] = [max(x, y, key=lambda l: l['lates']) for x, y in zip(out['leads'], m['leads'])]
        out.update({k: max(out[k], m[k]) for k in COUNTERS})
    return out


def demo(report):
    if report is None or report.get('stopped'):
        return [finding(WRONG, 'demo', 'ended before its claims were tried', 'every claim', 'events')]
    bad = [finding(WRONG, 'demo: ' + c['claim'], c['evidence'], 'holds', 'events') for c in report['claims'] if not c['held']]
    held = len(report['claims']) - len(bad)
    return [finding(OK if not bad and held else WRONG, 'demo', '%d of %d claims held' % (held, len(report['claims'])), 'every claim', 'events'), *bad]


def suggest_gains(gains, paths):
    """Receive gains by radio, so that the strongest path to each arrives at TARGET_DBFS. paths: (to, figures). Those that are near stay."""
    out = dict(gains)
    for name, gain in gains.items():
        heard = [p for to, p in paths if to == name and p['found']]
        if not heard:
            continue
        loudest = max(heard, key=lambda p: p['power_dbfs'])
        change = round(TARGET_DBFS - loudest['power_dbfs'])
        if any(p['clipped_samples'] for p in heard):
            change = min(change, -10)  # it is stronger than what a clipped capture shows
        if abs(change) > TARGET_WIDTH_DB:
            out[name] = max(gain + change, 0)
    return out


def within(gain, error):
    """The gain nearest to what a refusal says is accepted; None if it is not about a gain."""
    m = re.search(r'rx_gain_db [-\d.]+: accepted is ([-\d.]+) to ([-\d.]+)', error)
    return min(max(gain, float(m[1])), float(m[2])) if m else None
