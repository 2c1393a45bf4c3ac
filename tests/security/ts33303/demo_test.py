"""Every claim of scripts/demo --profile ts33303 holds, and the list says what it is for."""
import json, os, subprocess

from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.paths import BUILD, DEMO

NEEDED = ('Mary and John discovered', 'John and Peter discovered', 'weaknesses of TS 33.303 itself', 'and nothing else', 'by the procedure of TS 33.303', 'a ping crosses the link', 'a file of', 'new keys in mid-traffic', 'none occurs on two links',
          'one KD with Mary and another with Peter', 'one KD for two peers does not start', 'never saw', 'ended cleanly')


def test_every_claim_holds(folder):
    report = os.path.join(folder, 'report.json')
    # A loaded machine slows down what has limits in wall-clock time, not the air.
    code = subprocess.run([DEMO, '--no-build', '--build', BUILD, '--patience', '4', '--profile', 'ts33303', '--report', report]).returncode
    claims = json.loads(text_of(report))['claims']
    words = ' | '.join(c['claim'] for c in claims)
    for needed in NEEDED:
        assert needed in words, 'no claim about: ' + needed
    failed = [c for c in claims if not c['held']]
    assert code == 0 and not failed, (code, failed)


if __name__ == '__main__':
    main()
