"""scripts/demo --out: each of the commands that it names at its end does what it says, with tshark for Wireshark.
usage: python3 -B -m tests.integration.demo_opens_test [busy]
busy: beside two processes that never wait."""
import contextlib, json, os, shlex, shutil, subprocess, sys, tempfile

from tests.harness.files import text_of
from tests.harness.paths import BUILD, DEMO


def demo(folder, report):
    r = subprocess.run([DEMO, '--no-build', '--build', BUILD, '--patience', '4', '--out', folder, '--report', report], stdout=subprocess.PIPE, text=True)
    print(r.stdout)
    return r.returncode, r.stdout


def commands(said, folder):
    """What stands indented below the heading that names the folder."""
    return [l.strip() for l in said.partition('To open (%s)' % folder)[2].splitlines() if l.startswith('    ')]


def opened_records(command):
    """Records that Wireshark's command opens, and all that it finds in the capture. For root Wireshark loads no plugin from 4.4 on: another user reads."""
    words = shlex.split(command)
    at = words.index('wireshark')
    env, options = dict(w.split('=', 1) for w in words[:at]), words[at + 1:]
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        options = [shutil.copyfile(w.partition(':')[2], d + '/p.lua') and 'lua_script:%s/p.lua' % d if w.startswith('lua_script:') else w for w in options]
        other = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] if os.geteuid() == 0 else []

        def rows(*more):
            r = subprocess.run([*other, 'tshark', *options, *more], env=dict(os.environ, HOME='/nonexistent', **env), capture_output=True, text=True)
            assert r.returncode == 0, r.stderr
            return len(r.stdout.splitlines())
        return rows('-Y', 'prose.slrb.opened'), rows()


def readable(folder):
    """Keys are for their owner only."""
    for root, folders, files in os.walk(folder):
        os.chmod(root, 0o755)
        for f in files:
            os.chmod(os.path.join(root, f), 0o644)


def check_folder(folder, said):
    browser, wireshark, plot = commands(said, folder)
    page = shlex.split(browser)[-1]
    assert 'opaque' in text_of(page), page
    readable(folder)
    opened, all_ = opened_records(wireshark)
    assert 20 <= opened < all_, (opened, all_)
    preferences = os.path.join(folder, 'wireshark', 'preferences')
    with open(preferences) as f:
        kept = [l for l in f if 'keylog' not in l]
    with open(preferences, 'w') as f:
        f.writelines(kept)
    assert opened_records(wireshark) == (0, all_), 'without the key log nothing opens'
    subprocess.run(plot, shell=True, check=True)
    assert os.path.getsize(shlex.split(plot)[-1]) > 1000
    meta = json.loads(text_of(os.path.join(folder, 'recording.sigmf-meta')))
    assert len(meta['annotations']) >= 20, len(meta['annotations'])
    listed = text_of(os.path.join(folder, 'README.txt'))
    assert all(c in listed for c in (browser, wireshark, plot)), listed


def main():
    busy = 'busy' in sys.argv[1:]
    with contextlib.ExitStack() as stack:
        d = stack.enter_context(tempfile.TemporaryDirectory())
        others = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(2 if busy else 0)]
        stack.callback(lambda: [p.kill() or p.wait() for p in others])
        code, said = demo(os.path.join(d, 'out'), os.path.join(d, 'report.json'))
        claims = json.loads(text_of(os.path.join(d, 'report.json')))['claims']
        assert code == 0 and all(c['held'] for c in claims) and len(claims) >= 20, [c for c in claims if not c['held']]
        os.chmod(d, 0o755)
        check_folder(os.path.join(d, 'out'), said)


if __name__ == '__main__':
    main()
