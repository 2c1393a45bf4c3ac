"""prose-bler under mpirun: the same results for any number of processes and threads, saved as they come, taken up again."""
import os, re, shutil, signal, subprocess

from tests.harness.cases import main, skip_all
from tests.harness.files import text_of, write
from tests.harness.paths import BUILD, ENV, program

MODULE = os.path.join(BUILD, 'lib', 'prose', 'prose_mpi.so')
MPIRUN = ['mpirun', '--allow-run-as-root', '--oversubscribe', '-n']
CURVE = ['--channel', 'psbch', '--prb', '6', '--snr=-12:2:-6', '--trials', '1000', '--errors', '60']


def run(*command, env=ENV):
    return subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, timeout=240)


def csv_of(path, *command):
    p = run(*command, '--csv', path)
    assert p.returncode == 0, (p.args, p.stdout, p.stderr)
    return text_of(path), p.stdout


def test_results_do_not_depend_on_ranks_or_threads(d):
    bler = program('prose-bler')
    alone, told = csv_of(d + '/1.csv', bler, *CURVE, '--threads', '1')
    assert len(alone.splitlines()) == 2 + 4
    for ranks, threads in ((1, 3), (2, 1), (3, 2)):
        text, said = csv_of(d + '/n.csv', *MPIRUN, ranks, bler, *CURVE, '--threads', threads)
        assert (text, said) == (alone, told), (ranks, threads, text, said)


def test_many_workers_do_several_rounds_at_once(d):
    """24 workers: more than the 20 batches of a round. The points still end where one worker ends them."""
    alone, _ = csv_of(d + '/1.csv', program('prose-bler'), *CURVE, '--threads', '1')
    text, _ = csv_of(d + '/24.csv', *MPIRUN, 2, program('prose-bler'), *CURVE, '--threads', '12')
    assert text == alone


def test_noise_is_shared(d):
    command = [program('prose-bler'), '--prb', '6', '--false-alarms', '3000', '--noise-subframes', '7']
    alone, shared = run(*command), run(*MPIRUN, 2, *command)
    assert alone.returncode == shared.returncode == 0 and alone.stdout == shared.stdout, (alone, shared)


def test_without_mpirun_no_mpi_is_loaded(d):
    loaded = run(program('prose-bler'), '--channel', 'psbch', '--snr', '9', '--trials', '1', env=dict(ENV, LD_DEBUG='files'))
    assert loaded.returncode == 0 and 'libc.so' in loaded.stderr and 'libmpi' not in loaded.stderr and 'prose_mpi' not in loaded.stderr


def test_without_the_module_mpirun_is_refused(d):
    """Else each process would run the whole campaign and write the same file."""
    os.mkdir(d + '/bin')
    shutil.copy(program('prose-bler'), d + '/bin/prose-bler')
    p = run(d + '/bin/prose-bler', *CURVE, env=dict(ENV, OMPI_COMM_WORLD_SIZE='2'))
    assert p.returncode == 1 and len(p.stderr.splitlines()) == 1 and 'prose-mpi' in p.stderr, p


def test_what_was_measured_survives_a_kill_and_is_taken_up(d):
    alone, _ = csv_of(d + '/1.csv', program('prose-bler'), *CURVE)
    # Points of more and more trials; the last takes hours.
    endless = ['--channel', 'psbch', '--prb', '6', '--snr=-12:2:30', '--trials', '1000000000', '--errors', '60']
    p = subprocess.Popen([*MPIRUN, '2', program('prose-bler'), *endless, '--csv', d + '/k.csv'], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         start_new_session=True)
    for _ in range(4):
        assert 'BLER' in p.stdout.readline()
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=120)
    lines = text_of(d + '/k.csv').splitlines()
    assert p.returncode != 0 and re.search(r', stopped after \d+ of 22 points$', lines[0]) and len(lines) >= 2 + 3, lines
    assert lines[2:5] == alone.splitlines()[2:5]
    # The first two points of the whole file, the second changed so that taking it shows.
    rows = alone.splitlines()
    rows[0] += ', stopped after 2 of 4 points'
    rows[3] = rows[3].replace(',' + rows[3].split(',')[2] + ',', ',777,', 1)
    write(d + '/r.csv', '\n'.join(rows[:4]) + '\n')
    resumed, _ = csv_of(d + '/r.csv', *MPIRUN, 2, program('prose-bler'), *CURVE, '--resume')
    assert [l.split(',')[2] for l in resumed.splitlines()[3:4]] == ['777'], resumed
    assert [l for i, l in enumerate(resumed.splitlines()) if i != 3] == [l for i, l in enumerate(alone.splitlines()) if i != 3]


def test_results_of_another_campaign_are_refused(d):
    csv_of(d + '/a.csv', program('prose-bler'), *CURVE)
    before = text_of(d + '/a.csv')
    for more in (('--seed', '2'), ('--antennas', '2'), ('--iterations', '5')):
        p = run(program('prose-bler'), *CURVE, *more, '--csv', d + '/a.csv', '--resume')
        assert p.returncode == 2 and 'another campaign' in p.stderr and text_of(d + '/a.csv') == before, p
    write(d + '/b.csv', 'snr\n1\n')
    p = run(program('prose-bler'), *CURVE, '--csv', d + '/b.csv', '--resume')
    assert p.returncode == 2 and 'b.csv:1' in p.stderr, p


if __name__ == '__main__':
    if shutil.which('mpirun') is None or not os.path.exists(MODULE):
        skip_all('Open MPI is not installed (libopenmpi-dev, openmpi-bin)')
    main()
