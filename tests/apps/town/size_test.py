"""What towns of more and more UEs cost at one density: no more for each reception than memory's caches explain, and no more memory for each UE.
PROSE_TOWN_SIZES: numbers of UEs; each is a process of its own."""
import json, os, subprocess

from tests.harness.cases import main
from tests.harness.paths import ENV, program

SIZES = [int(n) for n in os.environ.get('PROSE_TOWN_SIZES', '300 1000 3000').split()]


def cost(ues, tm):
    p = subprocess.run([program('prose-town'), '--density', '240', '--ues', str(ues), '--tm', str(tm), '--seconds', '4', '--every', '2', '--threads', '1', '--cost', '--out', '-'],
                       env=ENV, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    c = json.loads(p.stdout)['cost']
    print('TM%d, %d UEs: %.2f us a reception, %.0f steps a second, %.0f KiB a UE' % (tm, ues, c['us_per_reception'], c['steps_per_s'], c['kib_per_ue']), flush=True)
    return c


def test_cost_grows_with_what_is_heard(folder):
    for tm in (2, 4):
        first, *larger = [cost(n, tm) for n in SIZES]
        for c in larger:
            assert c['us_per_reception'] < 4 * first['us_per_reception'], c
            assert c['kib_per_ue'] < 1.2 * first['kib_per_ue'] < 1000, c


if __name__ == '__main__':
    main()
