"""Two UEs whose clocks run apart without correction (gnss): each tells that the other comes later or earlier, before the link is lost; with one clock none does."""
import os, tempfile

from tests.harness import ue
from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import edit
from tests.harness.process import wait
from tests.harness.ue import Ue

DRIFTING = 'default: {gain_db: -20, delay_us: 0.5}\nnodes: {"*": {noise_dbfs: -60}, mary: {noise_dbfs: -60, clock_ppm: %g}}\n'
AIR_S = 60


def events_of(ppm):
    """{name: its events} of a minute of air."""
    with Air(DRIFTING % ppm, speed='max') as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air)
        for n in ('mary', 'john'):   # readings every two seconds
            edit(os.path.join(d, n + '.yaml'), (r'  keepalive_s: .*', '  keepalive_s: 2'))
        running = {n: Ue(d, n, '--data', 'none', '--duration', str(AIR_S)) for n in ('mary', 'john')}
        for x in running.values():
            x.p.wait(300)
        wait(lambda: all(x.of('stopped') for x in running.values()))
        assert all(x.of('link_established') for x in running.values())
        return {n: x.of('peer_timing') for n, x in running.items()}


def test_clocks_apart_are_told():
    told = events_of(0.1)   # 6 us in the minute
    for n, sign in (('mary', -1), ('john', 1)):
        assert told[n], 'nothing told by ' + n
        drift = [e['us_per_minute'] for e in told[n] if 'us_per_minute' in e]
        assert drift and abs(drift[-1] - sign * 6) < 1.5, (n, told[n])   # 0.1 ppm of a minute
        assert abs(told[n][-1]['late_us']) > 2, told[n]
        assert any('lost_in_minutes' in e for e in told[n]), told[n]


def test_one_clock_is_no_news():
    assert not any(events_of(0).values())


if __name__ == '__main__':
    main()
