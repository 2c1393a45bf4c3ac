"""scripts/demo refuses what it cannot do with exit 2 and one line that says what is accepted; device arguments keep their own commas.
usage: demo_options.py BUILD"""
import os, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'scripts'))
from demo_lib import world

BUILD, DEMO = sys.argv[1], os.path.join(ROOT, 'scripts', 'demo')


def refused(*options, accepted='accepted', programs='/nowhere'):
    r = subprocess.run([DEMO, '--no-build', '--build', programs, *options], capture_output=True, text=True, timeout=60)
    lines = r.stderr.strip().splitlines()
    assert r.returncode == 2 and len(lines) == 1 and r.stdout == '', (options, r.returncode, r.stdout, r.stderr)
    assert accepted in lines[0] and options[0] in lines[0], (options, lines)
    return lines[0]


for option, value in (('--devices', 'mary'), ('--devices', 'mary='), ('--devices', 'mary=b200'), ('--devices', 'alice=type=b200'),
                      ('--devices', 'mary=type=b200,mary=type=x300'), ('--devices', 'mary=type=b200,serial=A,john=type=b200,serial=A'),
                      ('--devices', ',mary=type=b200'), ('--channel', 'fog'), ('--channel', 'cfo,fog'), ('--speed', 'fast'), ('--speed', '0'), ('--speed', 'nan'),
                      ('--patience', '-1'), ('--radio', '/no/such/profile.yaml')):
    refused(option, value)
for option, value in (('--tm', '3'), ('--prb', '100')):
    refused(option, value, accepted='choose from')
refused('--patience', 'some', accepted='float')
with tempfile.TemporaryDirectory() as d:
    used, file = os.path.join(d, 'used'), os.path.join(d, 'file')
    os.mkdir(used)
    open(os.path.join(used, 'mary.key'), 'w').close()
    open(file, 'w').close()
    for place in (used, file):
        assert place in refused('--keep', place)
    assert os.listdir(used) == ['mary.key']
    refused('--no-build', '--keep', os.path.join(d, 'new'))  # nothing is built there
    assert not os.path.exists(os.path.join(d, 'new'))
    refused('--keep', os.path.join(file, 'below'), programs=BUILD)
    refused('--report', os.path.join(d, 'no_folder', 'report.json'), programs=BUILD)
    refused('--report', d, programs=BUILD)
# A failure on the way is one line too: here prose-keys cannot make a key.
with tempfile.TemporaryDirectory() as d:
    os.mkdir(d + '/bin')
    for name in world.TARGETS:
        open(d + '/bin/' + name, 'w').write('#!/bin/sh\necho no random numbers >&2\nexit 1\n')
        os.chmod(d + '/bin/' + name, 0o755)
    r = subprocess.run([DEMO, '--no-build', '--build', d, '--devices', 'mary=type=b200,john=type=x300,peter=type=n3xx'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and r.stderr == 'demo: prose-keys failed with 1: no random numbers\n', (r.returncode, r.stderr)
for checker in ('check_arrows', 'check_clauses'):
    r = subprocess.run([os.path.join(ROOT, 'scripts', checker), '/no/such/folder'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 2 and '/no/such/folder' in r.stderr and len(r.stderr.splitlines()) == 1, (checker, r.returncode, r.stderr)
given = {'mary': 'type=b200,serial=A', 'john': 'addr=192.168.10.2,second_addr=192.168.20.2', 'peter': 'type=n3xx,addr=192.168.30.2,master_clock_rate=125e6',
         'sniffer': 'type=virtual,name=s,air=x'}
assert world.parse_devices(','.join('%s=%s' % x for x in given.items())) == given
assert world.parse_devices('') == world.parse_devices(None) == {}


class options:
    devices, channel, radio, time = ','.join('%s=%s' % x for x in given.items()), 'clean', None, None


with tempfile.TemporaryDirectory() as d:
    w = world.world(options, d, d)
    profile = lambda n: [os.path.basename(x) for x in w.radio_options(n)]
    assert profile('mary') == ['--radio', 'radio_b210.yaml'] and profile('peter') == ['--radio', 'radio_n310.yaml']
    assert profile('john') == [] and profile('sniffer') == [], 'no type, and no radio'
    assert all(os.path.exists(os.path.join(ROOT, 'configs', f)) for f in world.PROFILES.values())
    assert w.real_radios() and w.timing() == 'slss'
    options.radio = 'mine.yaml'
    assert profile('john') == ['--radio', 'mine.yaml'] and profile('sniffer') == []
print('ok')
