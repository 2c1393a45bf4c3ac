"""scripts/hil on the emulated air: its figures must be those that the air was given, its gains must suit, and faults must be called wrong with a remedy."""
import os, signal, subprocess, time

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import json_lines, write
from tests.harness.paths import BUILD, ENV, SOURCE
from tests.harness.process import wait
from tests.hil.first_use import BURST_DBFS, CARRIER_HZ, HIL, QUIET, STALL, Hil

# Tolerances: twice to ten times what repeats spread (0.02 us, 2 Hz, 0.1 dB of power and noise, 0.3 dB of SNR, 0.003 ppm).
DELAY_US, CFO_HZ, LEVEL_DB, SNR_DB, DRIFT_PPM = 0.05, 10, 0.5, 1.5, 0.02
RE_GAIN_DB = 2.3  # SNR of a used resource element over that of the samples: 300 of 512 subcarriers are used


def near(value, truth, tolerance, what):
    assert abs(value - truth) <= tolerance, '%s: %g instead of %g +- %g' % (what, value, truth, tolerance)


def test_figures_are_those_of_the_air(d):
    gain_db = 8
    with Air(STALL + 'default: {gain_db: -20, delay_us: 0.6}\nnodes: {"*": {noise_dbfs: -60}, three: {noise_dbfs: -50, clock_ppm: 0.05}}\n'
             'pairs: [{between: [one, two], gain_db: -25, delay_us: 1.7, cfo_hz: 1234}]\n', 'max') as air:
        hil = Hil(d, air, ('one', 'two', 'three'), '--keep-gains', rx_gain_db=gain_db).end(0)
    r = hil.report
    assert r['verdict'] != 'wrong' and len(r['paths']) == 6, r['findings']
    ppm = lambda n: 0.05 if n == 'C' else 0.0
    for p in r['paths']:
        a, b = p['from'], p['to']
        who, cable = a + ' to ' + b, 'C' not in (a, b)
        noise = (-50 if b == 'C' else -60) + gain_db
        level = BURST_DBFS - (25 if cable else 20) + gain_db
        assert p['decoded'] == p['sent'] == 20, who
        near(p['power_dbfs'], level, LEVEL_DB, who + ' power')
        near(p['noise_dbfs'], noise, LEVEL_DB, who + ' noise')
        near(p['snr_db'], level - noise + RE_GAIN_DB, SNR_DB, who + ' SNR')
        near(p['evm_percent'], 100 * 10 ** (-p['snr_db'] / 20), 1.5, who + ' EVM')
        near(p['cfo_hz'], (1234 if a == 'A' else -1234) if cable else 1e-6 * CARRIER_HZ * (ppm(a) - ppm(b)), CFO_HZ, who + ' offset')
        near(p['drift_ppm'], ppm(a) - ppm(b), DRIFT_PPM, who + ' drift')
        assert p['turnaround_us'] <= r['settings']['resolution_us'], who
        if cable:  # the others' delays move with the drift
            near(p['arrival_us'], 1.7, DELAY_US, who + ' delay')
    assert all(l['lates'] == 0 for x in r['radios'] for l in x['leads'])


def test_clipping_is_wrong_and_the_gain_that_is_suggested_mends_it(d):
    with Air('default: {gain_db: -20}\n' + QUIET, 'max') as air:
        os.mkdir(d + '/first'), os.mkdir(d + '/second')
        kept = Hil(d + '/first', air, ('one', 'two'), '--keep-gains', rx_gain_db=36).end(1)
        mended = Hil(d + '/second', air, ('one', 'two'), rx_gain_db=36).end(0)
    clipped = kept.wrong()['A to B: power']
    assert 'clipped' in clipped['figure'] and '10 dB' in clipped['remedy'], clipped
    assert mended.report['verdict'] == 'ok' and len(mended.report['paths_before']) == 2, mended.report['findings']
    for p in mended.report['paths']:
        near(p['power_dbfs'], -20, 8, 'power after the suggestion')
    for x in mended.report['radios']:
        near(x['noise_dbfs'], -60 + x['rx_gain_db'], LEVEL_DB, 'noise with the gain that is used')


def test_a_radio_without_its_reference_is_wrong(d):
    with Air(QUIET, 'max') as air:
        good = air.device
        air.device = lambda n: good(n) + (',locked=0' if n == 'one' else '')
        hil = Hil(d, air, ('one', 'two'), clocks='clock_source: external\ntime_source: external\n').end(1)
    assert list(hil.wrong()) == ['A: opens, clocks lock'], hil.wrong()
    lock = hil.wrong()['A: opens, clocks lock']
    assert 'not locked' in lock['figure'] and 'docs/usrp.md, Timing' in lock['remedy'], lock
    assert 'Fewer than two' in hil.report['ended'] and not hil.report['paths'], 'a radio without a lock is left out'


def test_faults_of_paths_are_wrong(d):
    """Carriers too far apart; a device that goes away while it is measured, after longer than it listened by itself, so that many bursts are needed."""
    with Air('default: {gain_db: -12}\n' + QUIET + 'pairs: [{between: [one, two], cfo_hz: 7000}]\nfaults: [{node: three, kind: unplug, after_s: 0.55}]\n', 'max') as air:
        hil = Hil(d, air, ('one', 'two', 'three'), '--keep-gains', '--bursts', '60', demo=True).end(1)
    wrong = hil.wrong()
    assert set(wrong) == {'A to B: carrier offset', 'B to A: carrier offset', 'A and C: measured', 'B and C: measured'}, wrong
    for what, figure, remedy in (('A to B: carrier offset', '+7000 Hz', 'common 10 MHz'), ('A and C: measured', 'no ', 'power, cable')):
        assert figure in wrong[what]['figure'] and remedy in wrong[what]['remedy'], (what, wrong)
    assert hil.report['demo'] is None and any(f['what'] == 'demo' and 'not run' in f['figure'] for f in hil.report['findings'])


def test_a_missing_cable_is_wrong(d):
    with Air('default: {blocked: true}\n' + QUIET, 'max') as air:
        wrong = Hil(d, air, ('one', 'two'), '--keep-gains').end(1).wrong()
    assert set(wrong) == {'A to B: power', 'B to A: power'} and all(f['figure'] == 'not heard' and 'cable' in f['remedy'] for f in wrong.values()), wrong


def test_nothing_is_transmitted_without_consent(d):
    """No answer, and what is said goes to a reader that has left; yes to the cables only. A radio opens once a run, for listening."""
    with Air(QUIET, 'max') as air:
        os.mkdir(d + '/read'), os.mkdir(d + '/left')
        asked = Hil(d + '/read', air, ('one', 'two'), consent=None).end(0, 'yes\ny\n')
        left = Hil(d + '/left', air, ('one', 'two'), consent=None, nobody_reads=True).end(0)
        for hil in (asked, left):
            assert hil.report['paths'] == [] and 'No consent' in hil.report['ended'], hil.report['ended']
            assert all(-61 < r['noise_dbfs'] < -59 for r in hil.report['radios'])
        assert sum(e['event'] == 'node_joined' and e['node'] == 'one' for e in json_lines(air.events.name)) == 2


def test_ctrl_c_however_often_leaves_what_was_measured_and_no_more(d):
    os.mkdir(d + '/tmp')
    with Air('default: {gain_db: -12}\n' + QUIET, 'max') as air:
        hil = Hil(d, air, ('one', 'two', 'three'), env=dict(ENV, TMPDIR=d + '/tmp'))
        wait(lambda: 'A and C' in hil.said(), programs=(hil.p,))
        while hil.p.poll() is None:
            hil.p.send_signal(signal.SIGINT)
            time.sleep(0.005)
        hil.end(1)
    assert os.listdir(d + '/tmp') == []
    assert {(p['from'], p['to']) for p in hil.report['paths']} == {('A', 'B'), ('B', 'A')}, hil.report['paths']
    assert 'Stopped' in hil.report['ended'] and any('A to B: SNR' == f['what'] for f in hil.report['findings'])


def test_wrong_options_are_one_line(d):
    for options, words in ((('--device', 'type=virtual,name=a'), '1 radios given; accepted are 2 to 4'), (('--device', 'x', '--device', 'x'), 'the same'),
                           (('--radio', d + '/none'), 'there is no such file'), (('--bursts', '1'), 'accepted are 2 or more'), (('--out', SOURCE), 'something is there'),
                           (('--device', 'x', '--device', 'y', '--out', '/dev/null/x'), 'a place that can be written'),
                           (('--device', 'x', '--device', 'y', '--radio', write(d + '/bad.yaml', 'rx_gain_db: much\n')), 'accepted is a number'),
                           (('--build', d), 'not built')):
        r = subprocess.run([HIL, '--build', BUILD, *options], cwd=d, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert r.returncode == 2 and r.stderr.count('\n') == 1 and words in r.stderr, (options, r)


if __name__ == '__main__':
    main(at_once=2)
