"""scripts/demo --weak: the sniffer finds what is weak, with the very frames, as text and on the page; an installed demo knows none of it."""
import os, re, shutil, subprocess

from scripts.demo_lib import weak_part
from tests.harness.cases import main
from tests.harness.paths import BUILD, DEMO, SOURCE
from tests.harness.chromium import Browser
from tests.page.demo_test import PATIENCE_S, Demo


def test_as_text():
    r = subprocess.run([DEMO, '--no-build', '--build', BUILD, '--weak', 'null-cipher'], capture_output=True, text=True, timeout=600)
    assert r.returncode == weak_part.FOUND, (r.returncode, r.stdout, r.stderr)
    # The first finding is the one of this weakness, and its frames hold the text.
    found = r.stdout[r.stdout.index('EXPOSED'):].splitlines()
    assert 'null-cipher' in found[0] and 'ascii_run' in found[1] and re.search(r'frame \d+: .*PSSCH from [0-9a-f]{6}', found[2]), found[:4]
    assert '6c 69 6e 65' in found[2] and 'line' in found[2], found[2]


def test_the_attacker_who_replays():
    r = subprocess.run([DEMO, '--no-build', '--build', BUILD, '--weak', 'replayable-request'], capture_output=True, text=True, timeout=600)
    assert r.returncode == weak_part.FOUND and 'replayed_request_answered' in r.stdout, (r.returncode, r.stdout, r.stderr)


def test_on_the_page(d):
    with Demo(d, '--weak', 'repeated-nonce') as demo, Browser(1280, 1600) as b:
        b.open(demo.address)
        b.wait("document.body.classList.contains('weakened')", PATIENCE_S)
        b.wait("document.body.classList.contains('exposed') && document.querySelectorAll('.finding button').length > 0", PATIENCE_S)
        assert 'repeated-nonce' in b.text('#alarm-title') and b.all('.tile.failed')
        b.wait("document.querySelector('.room .tr.flagged') || (document.querySelector('.finding button').click(), document.querySelector('.room .tr.flagged'))", PATIENCE_S)
        assert not b.console()
        demo.end(weak_part.FOUND)
        assert 'xor_of_neighbours' in demo.said()


def test_an_installed_demo_refuses(d):
    for part in ('demo', 'demo_lib'):
        (shutil.copytree if part == 'demo_lib' else shutil.copy)(os.path.join(SOURCE, 'scripts', part), os.path.join(d, part))
    r = subprocess.run([os.path.join(d, 'demo'), '--weak', 'null-cipher', '--build', BUILD], capture_output=True, text=True, timeout=60)
    assert r.returncode == 2 and len(r.stderr.splitlines()) == 1 and 'not installed' in r.stderr and r.stdout == '', (r.returncode, r.stdout, r.stderr)


if __name__ == '__main__':
    main()
