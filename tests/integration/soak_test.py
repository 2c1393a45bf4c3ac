"""scripts/soak itself. usage: soak_test short|long"""
import json, os, signal, subprocess, sys, tempfile

from tests.harness.files import text_of
from tests.harness.paths import BUILD, SOURCE
from tests.harness.process import catches, wait

SOAK = os.path.join(SOURCE, 'scripts', 'soak')
# Everything happens once in as little air as the slowest of it takes: a killed UE is silent for up to 30 s.
SHORT = ('--fault-every', '20s', '--restart-every', '25s', '--sample-every', '1s', '--chapter', '60s')
LONG = ('--air', '2h', '--chapter', '30m')


def command(*options):
    return [SOAK, '--no-build', '--build', BUILD, *options]


def run(*options, code):
    r = subprocess.run(command(*options), capture_output=True, text=True)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return r


def report(folder):
    with open(os.path.join(folder, 'report.json')) as f:
        return json.load(f)



def check(folder, air_s):
    r = report(folder)
    assert r['held'] and r['finished'] and r['air_s'] >= air_s - 1, r['checks']
    assert r['totals']['sent'] > 100 and all(e['arrived'] for e in r['ends'].values()), r['ends']
    assert r['options']['seed'] == 1 and 'prose-ue' in r['versions'] and r['faults'], r['options']
    page = text_of(os.path.join(folder, 'report.html'))
    assert page.count('<svg') >= 4 and 'http' not in page and '<script' not in page
    left = sorted(f for f in os.listdir(folder) if f.endswith(('.jsonl', '.sent', '.new')))
    assert not left, left


def short():
    """Stopped by Ctrl-C, and on from there."""
    with tempfile.TemporaryDirectory(prefix='prose-soak-') as d:
        out = os.path.join(d, 'out')
        with open(os.path.join(d, 'log'), 'w') as log:
            p = subprocess.Popen(command('--out', out, '--air', '120s', '--time', 'gnss', *SHORT), stdout=log, stderr=log)
        wait(lambda: os.path.exists(os.path.join(out, 'peter.1.1.sent')) and catches(p, signal.SIGINT), programs=[p], what='a soak that runs')
        p.send_signal(signal.SIGINT)
        assert p.wait(120) == 1 and 'goes on' in text_of(os.path.join(d, 'log')), text_of(os.path.join(d, 'log'))
        before = report(out)
        assert not before['finished'] and before['n_unexplained'] == before['n_wrong'] == 0, before
        run('--resume', out, code=0)
        check(out, 120)
        assert len(report(out)['parts']) >= 3
        assert 'accepted' in run('--resume', out, '--seed', '2', code=2).stderr
        assert 'accepted' in run('--out', out, code=2).stderr


def long():
    with tempfile.TemporaryDirectory(prefix='prose-soak-') as d:
        out = os.path.join(d, 'out')
        r = run('--out', out, *LONG, code=0)
        print(r.stdout)
        check(out, 7200)


if __name__ == '__main__':
    {'short': short, 'long': long}[sys.argv[1]]()
