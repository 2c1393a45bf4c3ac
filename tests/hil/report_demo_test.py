"""scripts/hil with its demo: three UEs on devices that it measured before."""
import os

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.paths import SOURCE
from tests.hil.first_use import Hil


def test_the_demo_runs_on_the_radios_that_were_measured(d):
    with Air(text_of(os.path.join(SOURCE, 'tests', 'integration', 'cabled_air.yaml')), start=None) as air:
        report = Hil(d, air, ('one', 'two', 'three'), '--keep-gains', rx_gain_db=12, demo=True).end(0).report
    claims = report['demo']['claims']
    assert len(claims) >= 10 and all(c['held'] for c in claims), claims
    assert any('discovered' in c['claim'] for c in claims) and report['verdict'] != 'wrong'


if __name__ == '__main__':
    main()
