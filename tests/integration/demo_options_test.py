"""scripts/demo refuses what it cannot do with exit code 2 and one line that says what is accepted; device arguments keep their own commas."""
import os, subprocess

from scripts.demo_lib import world
from tests.harness.cases import main
from tests.harness.files import write
from tests.harness.paths import BUILD, DEMO, SOURCE

GIVEN = {'mary': 'type=b200,serial=A', 'john': 'addr=192.168.10.2,second_addr=192.168.20.2', 'peter': 'type=n3xx,addr=192.168.30.2,master_clock_rate=125e6',
         'sniffer': 'type=virtual,name=s,air=x'}


def refused(*options, accepted='accepted', programs='/nowhere'):
    r = subprocess.run([DEMO, '--no-build', '--build', programs, *options], capture_output=True, text=True, timeout=60)
    lines = r.stderr.strip().splitlines()
    assert r.returncode == 2 and len(lines) == 1 and r.stdout == '', (options, r.returncode, r.stdout, r.stderr)
    assert accepted in lines[0] and options[0] in lines[0], (options, lines)
    return lines[0]


def test_values_that_no_option_takes():
    for option, value in (('--devices', 'mary'), ('--devices', 'mary='), ('--devices', 'mary=b200'), ('--devices', 'alice=type=b200'),
                          ('--devices', 'mary=type=b200,mary=type=x300'), ('--devices', 'mary=type=b200,serial=A,john=type=b200,serial=A'),
                          ('--devices', ',mary=type=b200'), ('--channel', 'fog'), ('--channel', 'cfo,fog'), ('--speed', 'fast'), ('--speed', '0'), ('--speed', 'nan'),
                          ('--patience', '-1'), ('--radio', '/no/such/profile.yaml')):
        refused(option, value)
    for option, value in (('--tm', '3'), ('--prb', '100')):
        refused(option, value, accepted='choose from')
    refused('--patience', 'some', accepted='float')


def test_places_that_cannot_be_written(d):
    used, file = os.path.join(d, 'used'), os.path.join(d, 'file')
    os.mkdir(used)
    write(os.path.join(used, 'mary.key'), '')
    write(file, '')
    for place in (used, file):
        assert place in refused('--keep', place)
        assert place in refused('--out', place)
    assert os.listdir(used) == ['mary.key']
    refused('--no-build', '--keep', os.path.join(d, 'new'))  # nothing is built there
    assert not os.path.exists(os.path.join(d, 'new'))
    refused('--keep', os.path.join(file, 'below'), programs=BUILD)
    refused('--report', os.path.join(d, 'no_folder', 'report.json'), programs=BUILD)
    refused('--report', d, programs=BUILD)


def test_a_failure_on_the_way_is_one_line(d):
    """Here prose-keys cannot make a key."""
    os.mkdir(d + '/bin')
    for name in world.TARGETS:
        write(d + '/bin/' + name, '#!/bin/sh\necho no random numbers >&2\nexit 1\n', 0o755)
    r = subprocess.run([DEMO, '--no-build', '--build', d, '--devices', 'mary=type=b200,john=type=x300,peter=type=n3xx'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and r.stderr == 'demo: prose-keys failed with 1: no random numbers\n', (r.returncode, r.stderr)


def test_checkers_refuse_a_folder_that_is_not_the_source():
    for checker in ('check_arrows', 'check_clauses'):
        r = subprocess.run([os.path.join(SOURCE, 'scripts', checker), '/no/such/folder'], capture_output=True, text=True, timeout=60)
        assert r.returncode == 2 and '/no/such/folder' in r.stderr and len(r.stderr.splitlines()) == 1, (checker, r.returncode, r.stderr)


def test_device_arguments_keep_their_commas():
    assert world.parse_devices(','.join('%s=%s' % x for x in GIVEN.items())) == GIVEN
    assert world.parse_devices('') == world.parse_devices(None) == {}


class Options:
    devices, channel, radio, time = ','.join('%s=%s' % x for x in GIVEN.items()), 'clean', None, None


def test_each_radio_gets_the_profile_of_its_type(d):
    w = world.world(Options, d, d)
    profile = lambda n: [os.path.basename(x) for x in w.radio_options(n)]
    assert profile('mary') == ['--radio', 'radio_b210.yaml'] and profile('peter') == ['--radio', 'radio_n310.yaml']
    assert profile('john') == [] and profile('sniffer') == [], 'no type, and no radio'
    assert all(os.path.exists(os.path.join(SOURCE, 'configs', f)) for f in world.PROFILES.values())
    assert w.real_radios() and w.timing() == 'slss'
    Options.radio = 'mine.yaml'
    assert profile('john') == ['--radio', 'mine.yaml'] and profile('sniffer') == []


if __name__ == '__main__':
    main()
