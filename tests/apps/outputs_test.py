"""Where output goes: readers that leave, pipes, what was there before, standard output by other names."""
import json, os, resource, signal, subprocess

from tests.apps.machine_test import one_line, octets, recording, run
from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.paths import ENV, REGRESSION, SOURCE, program
from tests.harness.process import catches, wait

FRAMES = ('--iq', os.path.join(REGRESSION, 'regression_tm4.sigmf-meta'), '--carrier', 'prb=25,tm=4', '--sync', 'gnss', '--plain', '--log-level', 'error')


def into_closed_pipe(*command):
    """The reader has left before the first octet."""
    theirs, ours = os.pipe()
    os.close(theirs)
    try:
        return run(*command, stdout=ours, stderr=subprocess.PIPE)
    finally:
        os.close(ours)


def test_a_reader_that_leaves_is_called_that(d):
    for out in ('--events', '--pcap'):
        one_line(into_closed_pipe('sniffer', *FRAMES, out, '-'), 1, out + ' -', 'its reader has left')
        one_line(into_closed_pipe('sniffer', *FRAMES, out, '/dev/stdout'), 1, out + ' /dev/stdout', 'its reader has left')
    for command in (('iq', 'info', FRAMES[1]), ('iq', 'convert', FRAMES[1], '/dev/stdout'), ('bler', '--channel', 'psbch', '--snr', '9', '--trials', '2', '--csv', '-')):
        one_line(into_closed_pipe(*command), 1, 'its reader has left')


def test_a_pipes_reader_that_leaves_is_called_that(d):
    for out in ('--events', '--pcap'):
        os.mkfifo(d + '/' + out)
        p = subprocess.Popen([program('prose-sniffer'), *FRAMES, '--loop', '1000000', out, d + '/' + out], env=ENV, stderr=subprocess.PIPE, text=True)
        with open(d + '/' + out, 'rb') as reader:
            assert reader.read(1)
        err = p.communicate(timeout=60)[1]
        assert p.returncode == 1 and len(err.strip().splitlines()) == 1 and 'its reader has left' in err and out in err, (p.returncode, err)


def test_waiting_for_a_reader_can_be_ended(d):
    os.mkfifo(d + '/p')
    p = subprocess.Popen([program('prose-sniffer'), *FRAMES, '--events', d + '/p'], env=ENV, stderr=subprocess.PIPE, text=True)
    asleep_in_open = lambda: any(w in text_of('/proc/%d/wchan' % p.pid) for w in ('wait_for_partner', 'fifo', 'pipe'))
    wait(lambda: catches(p, signal.SIGINT) and asleep_in_open(), 20, [p])
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=60)[1]
    assert p.returncode == 2 and len(err.strip().splitlines()) == 1 and '--events' in err, (p.returncode, err)


def test_a_report_to_a_pipe_reaches_its_reader(d):
    """The check at the start must not look like the end to the reader."""
    os.mkfifo(d + '/p', 0o600)
    p = subprocess.Popen([program('prose-sniffer'), *FRAMES, '--report', d + '/p'], env=ENV, stderr=subprocess.PIPE)
    with open(d + '/p') as reader:
        json.loads(reader.read())
    assert p.wait(60) == 0 or p.returncode in (3, 4), p.communicate()


def test_documents_are_replaced_only_when_they_are_complete(d):
    r = recording(d)
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    for name, command in (('rep.json', ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--report', d + '/rep.json')),
                          ('rep.html', ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--report', d + '/rep.html')),
                          ('c.csv', ('bler', '--channel', 'psbch', '--snr', '-4:1:4', '--trials', '2', '--csv', d + '/c.csv'))):
        write(d + '/' + name, 'of an earlier run', 0o600)
        p = run(*command, preexec_fn=small)
        assert p.returncode == 1 and name + ': cannot be written: disk full' in p.stderr.decode(), p.stderr
        assert text_of(d + '/' + name) == 'of an earlier run', name
        os.unlink(d + '/' + name)
        run(*command, preexec_fn=small)
        assert sorted(os.listdir(d)) == ['r.sigmf-data', 'r.sigmf-meta'], os.listdir(d)


def test_standard_output_is_continued_by_any_name(d):
    """What `>>` found there stays, and two programs in one redirection follow each other."""
    r = recording(d, n=100)
    data = octets(d + '/r.sigmf-data')
    for name in ('/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'):
        write(d + '/out', 'before ')
        command = '"$0" convert "$1" %s --out-type cf32; printf " between "; "$0" convert "$1" %s' % (name, name)
        for how in ('ab', 'wb'):
            with open(d + '/out', how) as f:
                subprocess.run(['sh', '-c', command, program('prose-iq'), r], env=ENV, stdout=f, check=True, timeout=120)
            assert octets(d + '/out') == (b'before ' if how == 'ab' else b'') + data + b' between ' + data, (name, how)
        write(d + '/events', '{"before": 1}\n')
        with open(d + '/events', 'ab') as f:
            assert run('sniffer', '--iq', r, '--plain', '--events', name, stdout=f).returncode == 0
        assert [sorted(json.loads(l))[0] for l in open(d + '/events')] == ['before', 'blocks_absent'], text_of(d + '/events')
    with open('/dev/null') as f:
        one_line(run('sniffer', '--iq', r, '--plain', '--events', '/dev/stdin', stdin=f), 2, '/dev/stdin', 'reading only')


def test_a_dash_never_makes_a_file_of_that_name(d):
    """It is standard output where that is accepted, and else it is refused."""
    r = recording(d)
    run('keys', 'gen', d + '/k')
    public = run('keys', 'pub', d + '/k').stdout.decode().strip()
    write(d + '/ue.yaml', 'name: a\nallow_keylog: true\nidentity: {private_key: k}\ndevice: "type=virtual,name=a,air=none%d,hub_timeout=0"\n' % os.getpid())
    sniff = ('sniffer', '--iq', r, '--plain', '--sync', 'blind')
    commands = [('keys', 'gen', '-'), ('keys', 'gen', '--psk', '-'), ('keys', 'permit', 'j', public, '--permits', '-'), ('iq', 'plot', r, '-'), ('iq', 'convert', r, '-'),
                (*sniff, '--report', '-'), (*sniff, '--record', '-'), ('bler', '--channel', 'psbch', '--snr', '9', '--trials', '2', '--plot', '-'),
                ('ue', '--config', d + '/ue.yaml', '--keylog', '-'), ('ue', '--config', d + '/ue.yaml', '--tx-log', '-')]
    os.mkdir(d + '/here')
    for c in commands:
        p = run(*c, cwd=d + '/here')
        assert os.listdir(d + '/here') == [], (c, os.listdir(d + '/here'))
        assert c[-2:] == ('--tx-log', '-') or p.returncode in (1, 2) and b'accepted' in p.stderr, (c, p.returncode, p.stderr)


def test_scripts_open_what_is_closed(d):
    """A tool in the place of what each script calls first looks at what it was given."""
    for script, tool in (('build', 'cmake'), ('test', 'nproc'), ('format', 'clang-format-14'), ('tidy', 'clang-tidy-14')):
        for f in os.listdir(d):
            os.unlink(os.path.join(d, f))
        write(d + '/' + tool, '#!/bin/sh\na=$(readlink /proc/$$/fd/0) b=$(readlink /proc/$$/fd/1) c=$(readlink /proc/$$/fd/2)\necho "$a|$b|$c" > %s/seen\nexit 1\n' % d, 0o755)
        subprocess.run([os.path.join(SOURCE, 'scripts', script)], env=dict(ENV, PATH=d + ':' + ENV['PATH']), preexec_fn=lambda: os.closerange(0, 3), timeout=60)
        seen = text_of(d + '/seen').strip().split('|')
        assert len(seen) == 3 and all(s == '/dev/null' or s.startswith('pipe:') for s in seen), (script, seen)


def test_folders_and_places_without_permission(d):
    r = recording(d)
    os.mkdir(d + '/folder')
    inside = (d + '/none/x', d + '/r.sigmf-data/x', d + '/folder/')
    for o, places in (('--events', inside), ('--pcap', inside[:1]), ('--report', (*inside, d + '/folder', '/proc/x')), ('--record', (*inside, d + '/folder/.sigmf-meta', '/proc/x'))):
        for place in places:
            one_line(run('sniffer', '--iq', r, '--plain', '--sync', 'blind', o, place), 2, place.rstrip('/'))
    for place in (d + '/folder', d + '/none/x.raw', '/proc/x'):
        one_line(run('iq', 'convert', r, place), 2, place)
    assert sorted(os.listdir(d)) == ['folder', 'r.sigmf-data', 'r.sigmf-meta'] and not os.listdir(d + '/folder')


if __name__ == '__main__':
    main()
