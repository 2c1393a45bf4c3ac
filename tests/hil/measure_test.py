"""prose-iq measure on the emulated air: with small transmit buffers, and where bursts are lost, its figures are still those of the air, or are left out."""
import json

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import write
from tests.harness.process import run
from tests.hil.first_use import CARRIER_HZ, STALL

RATE_HZ = 15.36e6
BURSTS = 20
DELAY_US = 1.7
DELAY_TOLERANCE_US = 0.05   # as in report_test: repeats spread by 0.02
DRIFT_TOLERANCE_PPM = 0.02  # likewise: 0.003
AIR = STALL + 'nodes: {"*": {noise_dbfs: -60}}\ndefault: {gain_db: -12, delay_us: %g%s}\nfaults: [%s]\n'


def measure(d, more='', loss=0.0, faults=''):
    """(figures, {(from, to): path}) of radios "one" and "two", which are 0 and 1; more: device arguments of both."""
    with Air(AIR % (DELAY_US, ', burst_loss: %g' % loss if loss else '', faults), 'max') as air:
        profiles = [write('%s/%s.yaml' % (d, n), 'device_args: "%s%s"\nsample_rate_hz: %g\ncenter_freq_hz: %g\nrx_gain_db: 0\ntx_gain_db: 0\n'
                          % (air.device(n), more, RATE_HZ, CARRIER_HZ)) for n in ('one', 'two')]
        figures = json.loads(run('prose-iq', 'measure', *profiles, '--bursts', str(BURSTS)).stdout)
    return figures, {(p['from'], p['to']): p for p in figures['paths']}


def holds(path):
    """What was found is where the air put it, and all of it was decoded."""
    assert path['found'] == path['decoded'] == len(path['arrivals_us']), path
    worst_us = max(abs(a - DELAY_US) for a in path['arrivals_us'])
    assert worst_us <= DELAY_TOLERANCE_US and abs(path['drift_ppm']) <= DRIFT_TOLERANCE_PPM, (worst_us, path)


def test_small_transmit_buffers_hold_nothing_up(d):
    figures, paths = measure(d, ',tx_buffer_bytes=32768')
    for p in paths.values():
        holds(p)
        assert p['found'] == BURSTS and p['turnaround_us'] <= figures['resolution_us'], p
    for r in figures['radios']:
        assert not any(r[k] for k in ('overflows', 'underflows', 'lates', 'restarts')), r
        assert r['bursts_sent'] == BURSTS + 2, r  # one of its own and one answer for the turnarounds
        assert all(lead['lates'] == 0 for lead in r['leads']), r


def test_a_first_burst_that_is_lost_shifts_nothing(d):
    # The air spares the first burst of a node: of "two" that is its own one, while it measures its turnaround.
    _, paths = measure(d, faults='{node: two, kind: late}')
    for p in paths.values():
        holds(p)
    assert (paths[0, 1]['found'], paths[1, 0]['found']) == (BURSTS, BURSTS - 1), paths


def test_lost_bursts_do_not_end_a_series(d):
    _, paths = measure(d, loss=0.5)
    for p in paths.values():
        holds(p)
        assert p['found'] > 2, p  # no more on one of the two paths: 2 * (1 + 20 + 190) / 2^20, one run in 2485
    assert any(p['found'] < BURSTS for p in paths.values()), paths


def test_without_an_own_burst_there_is_no_turnaround(d):
    # Its series, 0.2 s, is heard; what "one" sends a second later is late, its own burst too.
    _, paths = measure(d, faults='{node: one, kind: late, after_s: 1, every_s: 0.001}')
    for p in paths.values():
        holds(p)
        assert p['found'] == BURSTS, p
    assert 'turnaround_us' not in paths[1, 0], paths[1, 0]


if __name__ == '__main__':
    main(at_once=2)
