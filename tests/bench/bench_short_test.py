"""scripts/bench over the programs of this build: a row of each kind, short."""
import json, os, subprocess, tempfile

from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.paths import BUILD, SOURCE


def bench(folder, *options):
    out = os.path.join(folder, 'out')
    r = subprocess.run([os.path.join(SOURCE, 'scripts', 'bench'), '--build', BUILD, '--output', out, *options], capture_output=True, text=True)
    assert r.returncode == 0, (r.returncode, r.stdout, r.stderr)
    return json.loads(text_of(os.path.join(out, 'bench.json'))), text_of(os.path.join(out, 'bench.md'))


def test_a_row_of_each_kind(folder):
    told, page = bench(folder, '--only', 'busy/tm4_50prb_3_users', 'ue/tm2_25prb', 'iq/', 'micro/coding_control_encode', '--rounds', '1', '--length', '0.1')
    names = {r['name'] for r in told['rows']}
    assert names == {'busy/tm4_50prb_3_users', 'ue/tm2_25prb/prose-ue', 'ue/tm2_25prb/prose-air', 'iq/15.36_msps/record', 'iq/15.36_msps/replay', 'iq/15.36_msps/prose-air',
                     'micro/coding_control_encode'}, names
    assert not told['left_out'] and not told['failed'], told
    assert all(r['A']['median'] > 0 and r['name'] in page for r in told['rows'])


def test_a_build_against_itself(folder):
    told, page = bench(folder, '--against', BUILD, '--only', 'busy/tm2_50prb_3_users', '--rounds', '2', '--length', '0.04')
    r, = told['rows']
    assert r['verdict'] == 'too few rounds to tell' and len(r['A']['values']) == len(r['B']['values']) == 2, r
    assert [s['name'] for s in told['sides']] == ['A', 'B'] and 'too few rounds' in page


if __name__ == '__main__':
    main()
