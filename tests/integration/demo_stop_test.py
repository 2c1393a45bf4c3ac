"""scripts/demo that is ended: by a terminal's Ctrl-C, which goes to every program of its group, by SIGTERM, and by SIGKILL."""
import json, os, signal, subprocess, sys, time

from tests.harness.cases import main
from tests.harness.files import json_lines, text_of
from tests.harness.paths import BUILD, DEMO, SOURCE
from tests.harness.process import give_time, wait


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


def started(d, report=None, keep=None):
    """The demo in a group of its own, with its UEs running."""
    os.makedirs(d + '/tmp', exist_ok=True)
    options = (['--keep', keep] if keep else []) + (['--report', report] if report else [])
    p = subprocess.Popen([DEMO, '--no-build', '--build', BUILD, *options], env=dict(os.environ, TMPDIR=d + '/tmp'), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         preexec_fn=os.setpgrp)
    # One that setpriv is about to become has no command line for a moment.
    seen = [0]

    def ues_run():
        seen[0] = sum(c.split(' ', 1)[0].endswith('/prose-ue') for c in programs(d))
        return seen[0] == 3

    give_time(lambda: p.poll() is not None or ues_run(), 120)
    assert p.poll() is None, p.communicate()
    assert seen[0] == 3, programs(d)
    return p


def test_ctrl_c(d):
    """Every process of the group gets it, and a second one of an impatient user does not reach the programs."""
    p = started(d, report=d + '/report.json', keep=d + '/kept')
    wait(lambda: all('started' in text_of(d + '/kept/%s.jsonl' % n) for n in ('mary', 'john', 'peter')), 120, what='UEs that have started')
    os.killpg(p.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(p.pid, signal.SIGINT)
    said = p.communicate(timeout=120)[1]
    assert p.returncode == 1 and said == 'demo: stopped\n', (p.returncode, said)
    assert json.loads(text_of(d + '/report.json'))['stopped'] is True
    for n in ('mary', 'john', 'peter'):
        last = json_lines(d + '/kept/%s.jsonl' % n)[-1]
        assert last['event'] == 'stopped' and 'error' not in last, (n, last)
    assert not programs(d), programs(d)


def test_sigterm(d):
    p = started(d)
    assert len(os.listdir(d + '/tmp')) == 1
    p.terminate()
    said = p.communicate(timeout=120)[1]
    assert p.returncode == 1 and said == 'demo: stopped\n', (p.returncode, said)
    assert os.listdir(d + '/tmp') == [] and not programs(d), (os.listdir(d + '/tmp'), programs(d))


STOPPED_WHILE_IT_STARTS = """
import os, signal
from scripts.demo_lib import world
signal.signal(signal.SIGTERM, world.stop)
try:
    with world.not_stopped():
        os.kill(os.getpid(), signal.SIGTERM)
        print('started')
    print('goes on')
except KeyboardInterrupt:
    print('stopped')
"""


def test_a_program_that_starts_is_known_before_a_signal_ends_the_demo():
    said = subprocess.run([sys.executable, '-B', '-c', STOPPED_WHILE_IT_STARTS], cwd=SOURCE, capture_output=True, text=True, check=True).stdout
    assert said.split() == ['started', 'stopped'], said


def test_sigkill(d):
    p = started(d)
    p.kill()
    p.communicate()
    give_time(lambda: not programs(d), 120)
    assert not programs(d), programs(d)


if __name__ == '__main__':
    main()
