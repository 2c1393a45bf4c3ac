"""prose-town as a user meets it: results saved as they come, taken up again, the same for any number of threads and processes."""
import json, os, shutil, signal, subprocess

from tests.harness.cases import main, skip
from tests.harness.files import text_of, write
from tests.harness.paths import BUILD, ENV, program
from tests.harness.process import wait

MODULE = os.path.join(BUILD, 'lib', 'prose', 'prose_mpi.so')
TOWNS = ['--ues', '3,5', '--seconds', '3', '--seeds', '2', '--every', '1']


def run(*command, code=0):
    p = subprocess.run([str(c) for c in command], env=ENV, capture_output=True, text=True, timeout=240)
    assert p.returncode == code, (p.args, p.returncode, p.stdout, p.stderr)
    return p


def test_threads_and_processes_change_nothing(d):
    town = program('prose-town')
    run(town, *TOWNS, '--threads', 1, '--out', d + '/1')
    assert len(text_of(d + '/1').splitlines()) == 8
    printed = run(town, *TOWNS, '--threads', 3, '--out', '-').stdout
    assert printed == text_of(d + '/1')
    for line in printed.splitlines():
        assert json.loads(line)['event'] == 'town' and 'cost' not in json.loads(line)


def test_mpi_town_processes_change_nothing(d):
    if shutil.which('mpirun') is None or not os.path.exists(MODULE):
        skip('Open MPI is not installed (libopenmpi-dev, openmpi-bin)')
    run(program('prose-town'), *TOWNS, '--threads', 2, '--out', d + '/1')
    run('mpirun', '--allow-run-as-root', '--oversubscribe', '-n', 2, program('prose-town'), *TOWNS, '--out', d + '/2')
    assert text_of(d + '/1') == text_of(d + '/2')


def test_what_is_there_is_not_run_again(d):
    town = program('prose-town')
    whole = run(town, *TOWNS, '--out', d + '/1').stdout
    lines = text_of(d + '/1').splitlines()
    # A line that was changed shows that it was taken.
    changed = json.loads(lines[2])
    changed['seed'] = 77
    write(d + '/2', json.dumps(changed) + '\n')
    run(town, *TOWNS, '--out', d + '/2', '--resume')
    resumed = text_of(d + '/2').splitlines()
    assert json.loads(resumed[2])['seed'] == 77 and resumed[:2] + resumed[3:] == lines[:2] + lines[3:]
    assert 'found %' in whole
    p = run(town, *TOWNS, '--peers', 1, '--out', d + '/1', '--resume', code=2)
    assert 'do not ask for' in p.stderr and text_of(d + '/1').splitlines() == lines
    write(d + '/3', 'x\n')
    assert '/3:1: is no result' in run(town, *TOWNS, '--out', d + '/3', '--resume', code=2).stderr


def test_ctrl_c_keeps_what_is_done(d):
    p = subprocess.Popen([program('prose-town'), '--ues', '2', '--tm', '2', '--seconds', '1', '--seeds', '100000', '--threads', '1', '--out', d + '/o'], env=ENV,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait(lambda: os.path.exists(d + '/o') and len(text_of(d + '/o').splitlines()) > 2, 100, [p])
    p.send_signal(signal.SIGINT)
    said = p.communicate(timeout=100)
    n = len(text_of(d + '/o').splitlines())
    assert p.returncode == 1 and 'stopped after %d of 100000 towns' % n in said[1] and n > 2, said


def test_the_picture(d):
    run(program('prose-town'), '--ues', '3,5', '--tm', 2, '--seconds', 3, '--plot', d + '/x.png')
    with open(d + '/x.png', 'rb') as f:
        assert f.read()[:8] == b'\x89PNG\r\n\x1a\n'


def test_mistakes(d):
    for args, word in ((('--ues', '1'), '--ues'), (('--tm', '3'), '--tm'), (('--seconds', '0'), '--seconds'), (('--peers', '17'), '--peers'),
                       (('--exponent', '9'), '--exponent'), (('--resume',), '--resume'), (('--density', '-1'), '--density')):
        p = run(program('prose-town'), *args, code=2)
        assert word in p.stderr and len(p.stderr.strip().splitlines()) == 1, p.stderr


if __name__ == '__main__':
    main()
