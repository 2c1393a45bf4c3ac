"""scripts/soak itself. usage: soak_test short|long"""
import json, os, signal, subprocess, sys, tempfile

from tests.harness.files import text_of
from tests.harness.paths import BUILD, SOURCE
from tests.harness.process import catches, wait

SOAK = os.path.join(SOURCE, 'scripts', 'soak')
# In little air each kind of fault comes, Peter and Mary are ended, Mary is unplugged and Peter killed; that he comes back, after up to 30 s of silence, and
# that Mary is killed, only soak_long sees.
SHORT_S = 180
SHORT = ('--air', '%ds' % SHORT_S, '--time', 'gnss', '--fault-every', '18s', '--restart-every', '46s', '--sample-every', '1s')
HAPPENS = {'told': ('overflows', 'sequence_errors', 'lates', 'underflows', 'time_jump', 'restarts john', 'restarts peter'),
           'restarts': ('peter ended', 'mary ended', 'mary unplugged', 'peter killed')}
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


def all_started(folder):
    return all('"started"' in text_of(os.path.join(folder, n + '.1.1.jsonl')) for n in ('mary', 'john', 'peter'))


def short():
    """Stopped by Ctrl-C, and on from there."""
    with tempfile.TemporaryDirectory(prefix='prose-soak-') as d:
        out = os.path.join(d, 'out')
        with open(os.path.join(d, 'log'), 'w') as log:
            p = subprocess.Popen(command('--out', out, *SHORT), stdout=log, stderr=log)
        wait(lambda: all_started(out) and catches(p, signal.SIGINT), programs=[p], what='a soak that runs')
        p.send_signal(signal.SIGINT)
        assert p.wait(120) == 1 and 'goes on' in text_of(os.path.join(d, 'log')), text_of(os.path.join(d, 'log'))
        before = report(out)
        assert not before['finished'] and before['n_unexplained'] == before['n_wrong'] == 0, before
        run('--resume', out, code=0)
        check(out, SHORT_S)
        r = report(out)
        missing = [k for what, kinds in HAPPENS.items() for k in kinds if not r[what].get(k)]
        assert not missing and len(r['parts']) == 2, (missing, r['parts'])
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
