"""What a user and the machine around do to the programs: closed and full standard streams, outputs that are inputs, a small /dev/shm, no HOME,
a terminal that goes away, pasted keys, second YAML documents, pictures on a full disk."""
import json, os, resource, signal, stat, struct, subprocess

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.paths import BIN, ENV, program, tool
from tests.harness.process import Background, catches, wait

PROGRAMS = ('air', 'bler', 'function', 'iq', 'keys', 'sniffer', 'town', 'ue')


def run(*command, env=ENV, timeout=120, **more):
    return subprocess.run([program('prose-' + command[0]), *command[1:]], env=env, capture_output=more.pop('capture_output', 'stdout' not in more), timeout=timeout, **more)


def one_line(p, code, *words):
    err = p.stderr.decode()
    assert p.returncode == code and len(err.strip().splitlines()) == 1 and all(w in err for w in words), (p.args, p.returncode, err)


def recording(d, name='r', n=7680):
    """One subframe of a weak tone at 7.68 Msps."""
    write(d + '/%s.sigmf-meta' % name, json.dumps({
        'global': {'core:datatype': 'cf32_le', 'core:sample_rate': 7680000, 'core:version': '1.0.0'},
        'captures': [{'core:sample_start': 0, 'core:frequency': 5.9e9}], 'annotations': []}))
    with open(d + '/%s.sigmf-data' % name, 'wb') as f:
        f.write(struct.pack('<2f', 0.01, 0.0) * n)
    return d + '/%s.sigmf-meta' % name


def octets(path):
    with open(path, 'rb') as f:
        return f.read()


# --- standard streams ---
def test_closed_descriptors_are_nobodys_file(d):
    """With each of the seven sets of closed descriptors, no log line and no result ends up in an output file."""
    r = recording(d)
    for mask in range(1, 8):
        close = [fd for fd in range(3) if mask >> fd & 1]
        for f in ('e', 'p.pcap', 'rep.json', 'k.sigmf-data', 'k.sigmf-meta'):
            if os.path.exists(d + '/' + f):
                os.unlink(d + '/' + f)
        command = [program('prose-sniffer'), '--iq', r, '--plain', '--sync', 'blind', '--verdict', '--log-level', 'trace', '--events', d + '/e', '--pcap', d + '/p.pcap',
                   '--report', d + '/rep.json', '--record', d + '/k']
        subprocess.run(command, env=ENV, preexec_fn=lambda: [os.close(fd) for fd in close], stdin=None if 0 in close else subprocess.DEVNULL,
                       stdout=None if 1 in close else subprocess.DEVNULL, stderr=None if 2 in close else subprocess.DEVNULL, timeout=120)
        for line in open(d + '/e'):
            assert 'event' in json.loads(line), (close, line)
        json.loads(text_of(d + '/rep.json'))
        json.loads(text_of(d + '/k.sigmf-meta'))
        assert octets(d + '/k.sigmf-data') == octets(d + '/r.sigmf-data'), close
        assert octets(d + '/p.pcap')[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1', b'\x0a\x0d\x0d\x0a'), close


def test_results_that_are_lost_are_an_error(d):
    r = recording(d)
    key = d + '/full.key'
    run('keys', 'gen', key)
    commands = [(p, '--version') for p in PROGRAMS] + [(p, '--help') for p in PROGRAMS] + [
        ('iq', 'info', r), ('iq', 'info', '--json', r), ('bler', '--channel', 'psbch', '--snr', '-4', '--trials', '20', '--errors', '5'),
        ('bler', '--channel', 'psbch', '--snr', '-4', '--trials', '20', '--errors', '5', '--csv', '-'), ('keys', 'gen'), ('keys', 'pub', key),
        ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--events', '-', '--verdict')]
    for c in commands:
        with open('/dev/full', 'w') as full:
            p = run(*c, stdout=full, stderr=subprocess.PIPE)
        assert p.returncode == 1 and p.stderr, (c, p.returncode, p.stderr)
        p = subprocess.run([program('prose-' + c[0]), *c[1:]], env=ENV, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, timeout=120)
        assert p.returncode == 1 and p.stderr, ('closed', c, p.returncode, p.stderr)


# --- files ---
def test_an_output_is_never_an_input(d):
    r = recording(d)
    run('keys', 'gen', d + '/own.key')
    os.link(d + '/r.sigmf-data', d + '/hard')
    os.symlink(d + '/r.sigmf-data', d + '/soft')
    write(d + '/sniffer.yaml', 'iq: r.sigmf-meta\n')
    plain = b'some octets that a link carried'
    write(d + '/plain', plain)
    scene = write(d + '/scene.json', json.dumps({}))
    before = {f: octets(d + '/' + f) for f in os.listdir(d)}
    base = ('sniffer', '--iq', r, '--plain', '--sync', 'blind')
    cases = [(*base, option, d + '/' + name) for option in ('--events', '--pcap', '--report') for name in ('r.sigmf-data', 'r.sigmf-meta', 'hard', 'soft', './r.sigmf-data')]
    cases += [(*base, '--record', d + '/r'), (*base, '--compromised', d + '/own.key', '--report', d + '/own.key'),
              (*base, '--compromised', d + '/own.key', '--events', d + '/own.key'), (*base, '--known-plaintext', d + '/plain', '--pcap', d + '/plain'),
              ('sniffer', '--config', d + '/sniffer.yaml', '--plain', '--sync', 'blind', '--events', d + '/sniffer.yaml'),
              (*base, '--scene', scene, '--report', scene),
              (*base, '--events', d + '/new', '--report', d + '/new'), (*base, '--events', d + '/new', '--pcap', d + '/./new'),
              (*base, '--report', d + '/a.json', '--report', d + '/a.json'),
              ('iq', 'plot', r, d + '/r.sigmf-data'), ('iq', 'plot', r, d + '/soft'), ('iq', 'convert', r, d + '/r.sigmf-meta'), ('iq', 'convert', r, d + '/hard'),
              ('bler', '--channel', 'psbch', '--trials', '1', '--csv', d + '/c', '--plot', d + '/c')]
    for c in cases:
        p = run(*c)
        one_line(p, 2)
        assert {f: octets(d + '/' + f) for f in os.listdir(d)} == before, c
    # A pipe is read once, by who uses it: what is wrong in it is still found.
    p = subprocess.run(['bash', '-c', 'exec "$0" "$@" --compromised <(echo rubbish)', program('prose-sniffer'), '--iq', r, '--plain', '--sync', 'blind', '--verdict'], env=ENV,
                       capture_output=True, timeout=120)
    one_line(p, 2, 'not a secret')
    # Devices and standard output may be named twice.
    p = run(*base, '--events', '/dev/null', '--pcap', '/dev/null')
    assert p.returncode == 0, p.stderr


def test_a_picture_replaces_another_only_when_it_is_complete(d):
    r = recording(d, n=76800)
    out = d + '/o.png'
    p = run('iq', 'plot', r, out)
    assert p.returncode == 0 and octets(out)[-8:-4] == b'IEND', p.stderr
    old = octets(out)
    os.chmod(out, 0o640)
    p = run('iq', 'plot', r, out, '--width', '2000', preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) // 2,) * 2))
    one_line(p, 1, 'o.png')
    assert octets(out) == old and sorted(os.listdir(d)) == ['o.png', 'r.sigmf-data', 'r.sigmf-meta'], os.listdir(d)
    # A link stays one, the mode stays.
    os.symlink('o.png', d + '/link.png')
    assert run('iq', 'plot', r, d + '/link.png', '--width', '900').returncode == 0
    assert os.path.islink(d + '/link.png') and octets(out) != old and stat.S_IMODE(os.stat(out).st_mode) == 0o640
    # Names are never commands, start files of the user's are not read.
    for name in ('|touch pwned; cat > x.png', "'; system 'touch pwned", '`touch pwned`.png', '$(touch pwned).png'):
        p = subprocess.run([program('prose-iq'), 'plot', r, name], cwd=d, env=ENV, capture_output=True, timeout=120)
        assert p.returncode == 0 and os.path.getsize(d + '/' + name) and not os.path.exists(d + '/pwned'), (name, p.stderr)
    write(d + '/.gnuplot', 'system "touch %s/pwned"\n' % d)
    assert run('iq', 'plot', r, out, env=dict(ENV, HOME=d)).returncode == 0 and not os.path.exists(d + '/pwned')
    # Without gnuplot it says so, with a broken one it gives its words.
    bin_ = d + '/bin'
    os.mkdir(bin_)
    one_line(run('iq', 'plot', r, out, env=dict(ENV, PATH=bin_)), 1, 'gnuplot-nox')
    write(bin_ + '/gnuplot', '#!/bin/sh\ncat > /dev/null\necho "terminal pngcairo is unknown" >&2\nexit 1\n', 0o755)
    one_line(run('iq', 'plot', r, out, env=dict(ENV, PATH=bin_ + ':' + ENV['PATH'])), 1, 'terminal pngcairo is unknown')


def test_a_curve_without_errors_is_drawn_as_a_bound(d):
    for snr in ('20', '20:1:22', '-30:25:20'):
        p = run('bler', '--channel', 'psbch', '--snr', snr, '--trials', '3', '--errors', '1', '--plot', d + '/z.png', '--csv', d + '/z.csv')
        assert p.returncode == 0 and octets(d + '/z.png')[-8:-4] == b'IEND', p.stderr


# --- configuration and keys ---
def test_a_curve_that_is_stopped_says_so(d):
    """The points that were measured are kept, with a line that says how many there are."""
    command = [program('prose-bler'), '--channel', 'psbch', '--snr=-20:2:20', '--errors', '20', '--trials', '1000000000', '--csv', d + '/c.csv']
    p = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert 'BLER' in p.stdout.readline()
    p.send_signal(signal.SIGINT)
    said = p.communicate(timeout=60)[1]
    told = said.strip().splitlines()[-1]
    done = int(told.split('stopped after ')[1].split(' of 21 points')[0])
    text = text_of(d + '/c.csv')
    assert p.returncode == 1 and 0 < done < 21 and told.split(': ')[1] in text, (p.returncode, told, text)
    assert len([l for l in text.splitlines() if l and not l.startswith('#')]) == 1 + done, text
    p = subprocess.Popen([program('prose-bler'), '--false-alarms', '1000000000'], env=ENV, stderr=subprocess.PIPE, text=True)
    wait(lambda: catches(p, signal.SIGINT), 60, [p])
    p.send_signal(signal.SIGINT)
    assert 'of 1000000000 PSCCH candidates' in p.communicate(timeout=60)[1] and p.returncode == 1


def test_nothing_behind_the_first_document_is_ignored(d):
    r = recording(d)
    for n, text in enumerate(('iq: r.sigmf-meta\n---\nbogus: 1\n', 'iq: r.sigmf-meta\n...\nbogus: 1\n', 'iq: r.sigmf-meta\n---\n', '{iq: r.sigmf-meta}\nbogus: 1\n',
                              '{iq: r.sigmf-meta} bogus\n', '---\niq: r.sigmf-meta\n---\n---\n')):
        c = write(d + '/c%d.yaml' % n, text)
        one_line(run('sniffer', '--config', c, '--plain', '--sync', 'blind'), 2, c + ':', 'end of the document')
    for text in ('iq: r.sigmf-meta\n', '---\niq: r.sigmf-meta\n', '---\niq: r.sigmf-meta\n...\n', '\ufeffiq: r.sigmf-meta\n', '# a remark\n\niq: r.sigmf-meta\n...\n# the end\n'):
        p = run('sniffer', '--config', write(d + '/good.yaml', text), '--plain', '--sync', 'blind')
        assert p.returncode == 0, (text, p.stderr)
    one_line(run('sniffer', '--config', write(d + '/tab.yaml', 'iq:\n\tx: 1\n')), 2, 'tab.yaml:2', 'tab')
    one_line(run('air', '--check', '--config', write(d + '/air.yaml', 'air: a\n---\nair: b\n')), 2, 'air.yaml:', 'end of the document')
    one_line(run('air', '--check', '--config', write(d + '/airtab.yaml', 'clocks:\n\tx: 1\n')), 2, 'airtab.yaml:2', 'tab')
    one_line(run('function', '--config', write(d + '/f.yaml', 'name: a\n---\ndenied: [mary]\n', 0o600)), 2, 'f.yaml:', 'end of the document')


def test_keys_as_people_paste_them(d):
    run('keys', 'gen', d + '/k')
    key = text_of(d + '/k').strip()
    public = run('keys', 'pub', d + '/k').stdout
    for n, text in enumerate((key, key + '\r\n', key + '\n\n', key + '  \t\n', '\ufeff' + key + '\n', ' ' + key, '\ufeff' + key + '\r\n\r\n', '\n' + key + '\n')):
        p = run('keys', 'pub', write(d + '/k%d' % n, text, 0o600))
        assert p.stdout == public, (text, p.stderr)
        p = run('keys', 'pub', input=text.lstrip('\n').encode())
        assert p.stdout == public, ('stdin', text, p.stderr)
    for text in (key + '\n' + key, key[:22] + '\n' + key[22:], key[:43], ''):
        one_line(run('keys', 'pub', write(d + '/bad', text, 0o600)), 2, 'base64')
    p = run('keys', 'permit', 'john', public.decode().strip() + '\r', '--permits', d + '/pasted')
    assert p.returncode == 0, p.stderr


def test_a_permission_file_stays_the_users(d):
    names = {}
    for n in 'abc':
        run('keys', 'gen', d + '/%s.key' % n)
        names[n] = run('keys', 'pub', d + '/%s.key' % n).stdout.decode().strip()
    os.mkdir(d + '/real')
    text = '# my friends\n\nanna %s   # of the club\r\n' % names['a']
    text = '# my friends\n\nanna %s\n# the neighbour\nben %s\n' % (names['a'], names['b'])
    write(d + '/real/p', text)
    os.symlink('real/p', d + '/p')
    run('keys', 'gen', '--psk', d + '/my psk')
    assert run('keys', 'permit', 'carl', names['c'], '--permits', d + '/p').returncode == 0
    assert open(d + '/real/p').read() == text + 'carl %s\n' % names['c'] and os.path.islink(d + '/p')
    # In its place, and a path with blanks, told from here, is found from there.
    p = subprocess.run([program('prose-keys'), 'permit', 'anna', names['a'], '--permits', 'p', '--psk', 'my psk'], cwd=d, capture_output=True)
    assert p.returncode == 0, p.stderr
    lines = open(d + '/real/p').read().splitlines()
    assert lines[:2] == ['# my friends', ''] and lines[2] == 'anna %s psk=my psk' % names['a'] and lines[3] == '# the neighbour', lines
    p = run('keys', 'fingerprint', 'anna', '--key', d + '/b.key', '--permits', d + '/p')
    assert p.returncode == 0, p.stderr
    assert run('keys', 'permit', 'ben', '--remove', '--permits', d + '/p').returncode == 0
    assert 'ben' not in text_of(d + '/p') and '# the neighbour' in text_of(d + '/p')
    # What could not be read again does not replace what can.
    before = octets(d + '/p')
    run('keys', 'gen', '--psk', d + '/odd \n psk')
    p = run('keys', 'permit', 'dora', names['b'], '--permits', d + '/p', '--psk', d + '/odd \n psk')
    assert p.returncode != 0 and octets(d + '/p') == before, p.stderr
    # No line end at the end, Windows line ends, a byte order mark.
    for name, t in (('n', 'anna %s' % names['a']), ('w', '# x\r\nanna %s\r\n' % names['a']), ('b', '\ufeffanna %s\n' % names['a'])):
        write(d + '/' + name, t)
        assert run('keys', 'permit', 'ben', names['b'], '--permits', d + '/' + name).returncode == 0
        assert run('keys', 'fingerprint', 'anna', '--key', d + '/b.key', '--permits', d + '/' + name).returncode == 0, name
        assert run('keys', 'fingerprint', 'ben', '--key', d + '/a.key', '--permits', d + '/' + name).returncode == 0, name


# --- the machine around ---
def test_no_room_in_shared_memory_is_told(d):
    """Only root may mount: a small /dev/shm in a mount namespace of its own."""
    script = r'''
mount --make-rprivate / && mount -t tmpfs -o size=$1 x /dev/shm || exit 77
"$2/prose-air" --air s$$ 2> "$3/air.err" & air=$!
for i in 1 2 3 4; do
  "$2/prose-iq" record "$3/rec$i" --device type=virtual,name=r$i,air=s$$,hub_timeout=5 --rate 7.68e6 --freq 5.9e9 --duration 0.05 2> "$3/rec$i.err" &
  pids="$pids $!"
done
: > "$3/codes"
for p in $pids; do wait $p; echo $? >> "$3/codes"; done
kill $air 2> /dev/null; wait $air; echo $? > "$3/air.code"
'''
    for size, air_dies in (('64k', True), ('2500k', False)):
        p = subprocess.run(['unshare', '-m', 'sh', '-c', script, 'sh', size, BIN, d], env=ENV, capture_output=True, timeout=300)
        if p.returncode == 77 or b'unshare' in p.stderr:
            print('no mount namespace here: /dev/shm stays as large as it is')
            return
        codes = [int(c) for c in open(d + '/codes')]
        errors = text_of(d + '/air.err') + ''.join(open(d + '/rec%d.err' % i).read() for i in range(1, 5))
        assert all(c in (0, 1, 2) for c in codes + [int(text_of(d + '/air.code'))]), (size, codes, errors)
        assert 'no room in /dev/shm' in errors, (size, codes, errors)
        assert air_dies == ('no room' in text_of(d + '/air.err')), errors


def test_a_processor_without_the_instructions_is_told():
    p = subprocess.run([tool('processor_lacks')], capture_output=True, text=True)
    assert p.returncode == 1 and p.stdout == '', p
    assert p.stderr == 'processor_lacks: this processor has no instruction of the year 2100, for which the program was built; build it here, or with -DPROSE_NATIVE=OFF\n', p
    # And every program looks.
    for name in PROGRAMS:
        assert b'this processor has no' in open(program('prose-' + name), 'rb').read(), name


def test_no_home_is_no_matter(d):
    run('keys', 'gen', d + '/own.key')
    write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "type=virtual,name=a,air=none%d,hub_timeout=0"\n' % os.getpid())
    for env in ({'HOME': None, 'XDG_CONFIG_HOME': None}, {'HOME': ''}):
        e = {k: v for k, v in dict(ENV, **env).items() if v is not None}
        p = run('ue', '--config', d + '/ue.yaml', '--duration', '1', env=e)
        assert b'is not running' in p.stderr, p.stderr  # as with a HOME: only the air is missing


def test_the_terminals_end_ends_programs_in_order(d):
    with Air() as air:
        p = Background('prose-sniffer', '--device', air.device('s'), '--plain', '--verdict', '--sync', 'blind', '--pcap', d + '/h.pcap', '--report', d + '/h.json', log=d + '/h.log',
                       events=d + '/h.events')
        wait(lambda: os.path.exists(d + '/h.events') and os.path.exists(d + '/h.pcap'), 60, [p])
        p.p.send_signal(signal.SIGHUP)
        assert p.p.wait(60) in (0, 3, 4), p.returncode
        json.loads(text_of(d + '/h.json'))
        # nohup: a program that ignores it goes on.
        p = Background('prose-iq', 'record', d + '/n', '--device', air.device('n'), '--rate', '7.68e6', '--freq', '5.9e9', log=d + '/n.log',
                       preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        data = d + '/n.sigmf-data'
        size = lambda: os.path.getsize(data) if os.path.exists(data) else 0
        wait(size, 60, [p])
        p.p.send_signal(signal.SIGHUP)
        before = size()
        wait(lambda: size() >= before + 2_000_000, 60, [p])
        p.stop(signal.SIGTERM)
        air.p.send_signal(signal.SIGHUP)
        assert air.p.wait(60) == 0


def test_a_ue_writes_its_last_events(d):
    """Told to end, and where its radio ends."""
    run('keys', 'gen', d + '/own.key')
    impatient = (signal.SIGINT, signal.SIGTERM)  # two of one kind may arrive as one
    for n, (who, how, code) in enumerate((('ue', [signal.SIGHUP], 0), ('ue', impatient, 1), ('ue', [signal.SIGQUIT], 1), ('air', [signal.SIGKILL], 1))):
        with Air() as air:
            write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "%s"\n' % air.device('a'))
            ue = Background('prose-ue', '--config', d + '/ue.yaml', log=d + '/ue.log', events=d + '/events%d' % n)
            try:
                wait(lambda: ue.of('started'), 60, [ue])
                for kind in how:
                    (ue if who == 'ue' else air).p.send_signal(kind)
                said = ue.end(code)
                last = ue.events()[-1]
                assert last['event'] == 'stopped' and ('error' in last) == (code != 0), last
                assert last.get('error', '') in said, (last, said)
            finally:
                ue.kill()
        if who == 'air':
            air.remove()
    ue = Background('prose-ue', '--config', d + '/ue.yaml', '--device', 'type=virtual,name=a,air=none%d,hub_timeout=0' % os.getpid(), log=d + '/ue.log', events=d + '/none')
    said = ue.end(2)
    assert [(e['event'], e['error'] in said) for e in ue.events()] == [('stopped', True)], said


def test_a_ue_whose_events_nobody_reads_any_more_says_so(d):
    """Also if the last events are the first ones that are lost."""
    run('keys', 'gen', d + '/own.key')
    os.mkfifo(d + '/events', 0o600)
    with Air() as air:
        write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "%s"\n' % air.device('a'))
        ue = Background('prose-ue', '--config', d + '/ue.yaml', log=d + '/ue.log', events=d + '/events')
        try:
            with open(d + '/events') as reader:
                assert 'started' in reader.readline()
            ue.p.send_signal(signal.SIGTERM)
            assert 'its reader has left' in ue.end(1)
        finally:
            ue.kill()


if __name__ == '__main__':
    main()
