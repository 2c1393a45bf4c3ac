"""The mark of prose-ue on the air: kept beside the key without being asked for, passed by a second run at once, and told where it keeps a UE silent.
usage: mark_program_test.py BIN SOURCE_DIR UHD_MODULES"""
import json, os, re, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'phy', 'air'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from air_harness import BIN, ENV, Air, main
from live_run import configs, wait


class HostTimeAir(Air):
    """As a user starts one: it begins at the host's time, or after its last run."""
    def __init__(self, name, state, speed):
        self.name = name
        self.p = subprocess.Popen([BIN + '/prose-air', '--air', name, '--speed', speed, '--log-level', 'warn'], stdout=subprocess.PIPE, text=True,
                                  env=dict(os.environ, XDG_STATE_HOME=state))
        line = self.p.stdout.readline().strip()
        assert line == "prose-air: ready, air '%s'" % name, line


def lines(path):
    try:
        return [json.loads(l) for l in open(path) if l.endswith('\n')]
    except OSError:
        return []


def edit(path, *changes):
    text = open(path).read()
    for old, new in changes:
        text, n = re.subn(old, new, text)
        assert n == 1, (path, old, n)
    open(path, 'w').write(text)


def ue(folder, run, *more):
    path = lambda kind: os.path.join(folder, '%s.%s' % (run, kind))
    p = subprocess.Popen([BIN + '/prose-ue', '--config', os.path.join(folder, 'mary.yaml'), '--events', path('jsonl'), '--tx-log', path('sent'), *more], env=ENV,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(path('err'), 'w'))
    return p, path


def end(p, path):
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == 0, open(path('err')).read()


def codes(path):
    return [l['hex'] for l in lines(path('sent')) if l['channel'] == 'PSDCH']


def a_second_run_starts_after_the_mark_of_the_first_and_repeats_no_code():
    """The air runs faster than the clock, so its second run has to begin after its first one's end, not at the host's time."""
    name = 'mark%d' % os.getpid()
    with tempfile.TemporaryDirectory() as d:
        mark = os.path.join(d, 'keys', 'mary.key.mark')
        sent, begun = [], []
        for run in ('first', 'second'):
            with HostTimeAir(name, d, 'max') as air:
                if run == 'first':
                    configs(d, BIN, 2, 'gnss', air)
                    edit(os.path.join(d, 'mary.yaml'), (r'(?m)^  mark: .*\n', ''))
                p, path = ue(d, run)
                wait(lambda: len(codes(path)) >= 300)
                assert os.stat(mark).st_mode & 0o7777 == 0o600
                end(p, path)
                sent.append(codes(path))
                begun.append([e['t'] for e in lines(path('jsonl')) if e['event'] == 'started'][0])
                assert not [e for e in lines(path('jsonl')) if e['event'] == 'silent'], 'nothing to wait for'
                last = int(open(mark).read().split('\n')[1])
                assert 1.7e9 + begun[-1] < last
            if run == 'first':
                first_mark = last
        assert 1.7e9 + begun[0] > time.time() - 3600, 'the host\'s time'
        assert 1.7e9 + begun[1] >= first_mark, (begun, first_mark)
        assert not set(sent[0]) & set(sent[1]) and len(set(sent[0])) > 100


def a_mark_ahead_of_the_clock_is_told_in_log_event_and_metrics():
    with Air(speed='max') as air, tempfile.TemporaryDirectory() as d:
        configs(d, BIN, 2, 'gnss', air)
        mark = os.path.join(d, 'keys', 'mary.mark')
        with open(os.open(mark, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
            f.write('%d\n' % (1_700_000_000 + 3600))  # as 0.1 wrote it
        show = subprocess.run([BIN + '/prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--show'], env=ENV, capture_output=True, text=True, check=True).stdout.splitlines()
        assert 'mark %s until 2023-11-14T23:13:21Z' % mark in show, show
        p, path = ue(d, 'ahead', '--duration', '8')
        assert p.wait(60) == 0
        told = [e for e in lines(path('jsonl')) if e['event'] == 'silent']
        assert len(told) == 1 and told[0]['file'] == mark and told[0]['until'] == '2023-11-14T23:13:21Z' and told[0]['clock'].startswith('2023-11-14T22:13:'), told
        log = open(path('err')).read()
        line = [l for l in log.splitlines() if 'silent until 2023-11-14T23:13:21Z because of ' + mark in l]
        assert len(line) == 1 and 'the clock says 2023-11-14T22:13:' in line[0], log
        assert 'wait' in line[0] and 'new key pair' in line[0] and 'delete' not in line[0] and 'remove' not in line[0], line
        assert not codes(path)
        assert open(mark).read().split()[-1] == str(1_700_000_000 + 3600), 'kept'


main([a_second_run_starts_after_the_mark_of_the_first_and_repeats_no_code, a_mark_ahead_of_the_clock_is_told_in_log_event_and_metrics])
