"""The mark of prose-ue on the air: kept beside the key without being asked for, passed by a second run at once, and told where it keeps a UE silent."""
import os, time

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import edit, json_lines, text_of, write
from tests.harness.process import run, wait
from tests.harness.ue import Ue, configure


def start(folder, name, *more):
    return Ue(folder, 'mary', '--tx-log', sent_by(folder, name), *more, run=name)


def sent_by(folder, name):
    return os.path.join(folder, name + '.sent')


def codes(folder, name):
    return [l['hex'] for l in json_lines(sent_by(folder, name)) if l['channel'] == 'PSDCH']


def test_a_second_run_starts_after_the_mark_of_the_first_and_repeats_no_code(d):
    """The air runs faster than the clock, so its second run has to begin after its first one's end, not at the host's time."""
    name = 'mark%d' % os.getpid()
    mark = os.path.join(d, 'keys', 'mary.key.mark')
    sent, begun, marks = [], [], []
    for run_name in ('first', 'second'):
        with Air(name=name, speed='max', start=None, state=d) as air:
            if run_name == 'first':
                configure(d, air)
                edit(os.path.join(d, 'mary.yaml'), (r'(?m)^  mark: .*\n', ''))
            mary = start(d, run_name)
            wait(lambda: len(codes(d, run_name)) >= 300, programs=[mary])
            assert os.stat(mark).st_mode & 0o7777 == 0o600
            mary.stop()
            sent.append(codes(d, run_name))
            begun.append(mary.of('started')[0]['t'])
            assert not mary.of('silent'), 'nothing to wait for'
            marks.append(int(text_of(mark).split('\n')[1]))
            assert 1.7e9 + begun[-1] < marks[-1]
    assert 1.7e9 + begun[0] > time.time() - 3600, 'the host\'s time'
    assert 1.7e9 + begun[1] >= marks[0], (begun, marks)
    assert not set(sent[0]) & set(sent[1]) and len(set(sent[0])) > 100


def test_a_mark_ahead_of_the_clock_is_told_in_log_event_and_metrics(d):
    with Air(speed='max') as air:
        configure(d, air)
        mark = os.path.join(d, 'keys', 'mary.mark')
        write(mark, '%d\n' % (1_700_000_000 + 3600), 0o600)  # as 0.1 wrote it
        show = run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--show').stdout.splitlines()
        assert 'mark %s until 2023-11-14T23:13:21Z' % mark in show, show
        mary = start(d, 'ahead', '--duration', '8')
        mary.end()
        told = mary.of('silent')
        assert len(told) == 1 and told[0]['file'] == mark and told[0]['until'] == '2023-11-14T23:13:21Z' and told[0]['clock'].startswith('2023-11-14T22:13:'), told
        log = mary.said()
        line = [l for l in log.splitlines() if 'silent until 2023-11-14T23:13:21Z because of ' + mark in l]
        assert len(line) == 1 and 'the clock says 2023-11-14T22:13:' in line[0], log
        assert 'wait' in line[0] and 'new key pair' in line[0] and 'delete' not in line[0] and 'remove' not in line[0], line
        assert not codes(d, 'ahead')
        assert text_of(mark).split()[-1] == str(1_700_000_000 + 3600), 'kept'


if __name__ == '__main__':
    main()
