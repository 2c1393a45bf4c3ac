"""scripts/demo refuses what it cannot do with exit 2 and one line that says what is accepted; device arguments keep their own commas."""
import os, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'scripts'))
from demo_lib import world

for option, value in (('--devices', 'mary'), ('--devices', 'mary='), ('--devices', 'mary=b200'), ('--devices', 'alice=type=b200'),
                      ('--devices', 'mary=type=b200,mary=type=x300'), ('--devices', 'mary=type=b200,serial=A,john=type=b200,serial=A'),
                      ('--devices', ',mary=type=b200'), ('--channel', 'fog'), ('--channel', 'cfo,fog'), ('--tm', '3'), ('--prb', '100')):
    r = subprocess.run([os.path.join(ROOT, 'scripts', 'demo'), '--no-build', option, value], capture_output=True, text=True, timeout=60)
    last = r.stderr.strip().splitlines()[-1] if r.stderr.strip() else ''
    assert r.returncode == 2, (option, value, r.returncode)
    assert 'accepted' in last or 'choose from' in last, (option, value, r.stderr)
    assert 'Traceback' not in r.stderr, r.stderr
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
