"""scripts/demo that is ended: by a terminal's Ctrl-C, which goes to every program of its group, by SIGTERM, and by SIGKILL. usage: demo_stop_test.py BUILD"""
import json, os, signal, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD, DEMO = sys.argv[1], os.path.join(ROOT, 'scripts', 'demo')


def programs(folder):
    """Of this demo: every command line names its folder, except the air's own name."""
    out = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            command = open('/proc/%s/cmdline' % pid).read()
            state = open('/proc/%s/stat' % pid).read().rsplit(')', 1)[1].split()[0]
        except OSError:
            continue
        if folder in command and '/prose-' in command and state != 'Z':
            out.append(command.replace('\0', ' '))
    return out


def wait(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)


def started(d, report=None, keep=None):
    """The demo in a group of its own, with its UEs running."""
    os.makedirs(d + '/tmp', exist_ok=True)
    options = (['--keep', keep] if keep else []) + (['--report', report] if report else [])
    p = subprocess.Popen([DEMO, '--no-build', '--build', BUILD, *options], env=dict(os.environ, TMPDIR=d + '/tmp'), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         preexec_fn=os.setpgrp)
    wait(lambda: p.poll() is not None or sum('/prose-ue' in c for c in programs(d)) == 3, lambda: programs(d))
    assert p.poll() is None, p.communicate()
    return p


with tempfile.TemporaryDirectory() as d:
    # Ctrl-C: every process of the group gets it, and the user's impatience is no second one for the programs.
    p = started(d, report=d + '/report.json', keep=d + '/kept')
    wait(lambda: all(os.path.exists(d + '/kept/%s.jsonl' % n) and 'started' in open(d + '/kept/%s.jsonl' % n).read() for n in ('mary', 'john', 'peter')), 'UEs do not start')
    os.killpg(p.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(p.pid, signal.SIGINT)
    said = p.communicate(timeout=120)[1]
    assert p.returncode == 1 and said == 'demo: stopped\n', (p.returncode, said)
    assert json.load(open(d + '/report.json'))['stopped'] is True
    for n in ('mary', 'john', 'peter'):
        last = json.loads(open(d + '/kept/%s.jsonl' % n).read().splitlines()[-1])
        assert last['event'] == 'stopped' and 'error' not in last, (n, last)
    assert not programs(d), programs(d)

    p = started(d)
    assert len(os.listdir(d + '/tmp')) == 1
    p.terminate()
    said = p.communicate(timeout=120)[1]
    assert p.returncode == 1 and said == 'demo: stopped\n', (p.returncode, said)
    assert os.listdir(d + '/tmp') == [] and not programs(d), (os.listdir(d + '/tmp'), programs(d))

    p = started(d)
    p.kill()
    p.communicate()
    wait(lambda: not programs(d), lambda: programs(d))
print('ok')
