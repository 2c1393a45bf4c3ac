"""What a user and the machine around do to the programs: closed and full standard streams, outputs that are inputs, a small /dev/shm, no HOME,
a terminal that goes away, pasted keys, second YAML documents, pictures on a full disk. usage: machine_test.py BIN UHD_MODULES PROCESSOR_LACKS [TEST..]"""
import base64, json, os, resource, signal, stat, struct, subprocess, sys, tempfile, time

BIN, MODULES, LACKS = sys.argv[1:4]
ENV = dict(os.environ, UHD_MODULE_PATH=MODULES, UHD_LOG_CONSOLE_LEVEL='error')
PROGRAMS = ('air', 'bler', 'function', 'iq', 'keys', 'sniffer', 'ue')


def run(*command, env=ENV, timeout=120, **more):
    return subprocess.run([BIN + '/prose-' + command[0], *command[1:]], env=env, capture_output=more.pop('capture_output', 'stdout' not in more), timeout=timeout, **more)


def one_line(p, code, *words):
    err = p.stderr.decode()
    assert p.returncode == code and len(err.strip().splitlines()) == 1 and all(w in err for w in words), (p.args, p.returncode, err)


def write(path, text, mode=0o644):
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, mode)
    return path


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
def closed_descriptors_are_nobodys_file(d):
    """Every one of the seven sets of closed descriptors: a log line or a result is never found in an output."""
    r = recording(d)
    for mask in range(1, 8):
        close = [fd for fd in range(3) if mask >> fd & 1]
        for f in ('e', 'p.pcap', 'rep.json', 'k.sigmf-data', 'k.sigmf-meta'):
            if os.path.exists(d + '/' + f):
                os.unlink(d + '/' + f)
        command = [BIN + '/prose-sniffer', '--iq', r, '--plain', '--sync', 'blind', '--verdict', '--log-level', 'trace', '--events', d + '/e', '--pcap', d + '/p.pcap',
                   '--report', d + '/rep.json', '--record', d + '/k']
        subprocess.run(command, env=ENV, preexec_fn=lambda: [os.close(fd) for fd in close], stdin=None if 0 in close else subprocess.DEVNULL,
                       stdout=None if 1 in close else subprocess.DEVNULL, stderr=None if 2 in close else subprocess.DEVNULL, timeout=120)
        for line in open(d + '/e'):
            assert 'event' in json.loads(line), (close, line)
        json.load(open(d + '/rep.json'))
        json.load(open(d + '/k.sigmf-meta'))
        assert octets(d + '/k.sigmf-data') == octets(d + '/r.sigmf-data'), close
        assert octets(d + '/p.pcap')[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1', b'\x0a\x0d\x0d\x0a'), close


def results_that_are_lost_are_an_error(d):
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
        p = subprocess.run([BIN + '/prose-' + c[0], *c[1:]], env=ENV, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, timeout=120)
        assert p.returncode == 1 and p.stderr, ('closed', c, p.returncode, p.stderr)


# --- files ---
def an_output_is_never_an_input(d):
    r = recording(d)
    run('keys', 'gen', d + '/own.key')
    os.link(d + '/r.sigmf-data', d + '/hard')
    os.symlink(d + '/r.sigmf-data', d + '/soft')
    write(d + '/sniffer.yaml', 'iq: r.sigmf-meta\n')
    plain = b'some octets that a link carried'
    open(d + '/plain', 'wb').write(plain)
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
    p = subprocess.run(['bash', '-c', 'exec "$0" "$@" --compromised <(echo rubbish)', BIN + '/prose-sniffer', '--iq', r, '--plain', '--sync', 'blind', '--verdict'], env=ENV,
                       capture_output=True, timeout=120)
    one_line(p, 2, 'not a secret')
    # Devices and standard output may be named twice.
    p = run(*base, '--events', '/dev/null', '--pcap', '/dev/null')
    assert p.returncode == 0, p.stderr


def a_picture_replaces_another_only_when_it_is_complete(d):
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
        p = subprocess.run([BIN + '/prose-iq', 'plot', r, name], cwd=d, env=ENV, capture_output=True, timeout=120)
        assert p.returncode == 0 and os.path.getsize(d + '/' + name) and not os.path.exists(d + '/pwned'), (name, p.stderr)
    write(d + '/.gnuplot', 'system "touch %s/pwned"\n' % d)
    assert run('iq', 'plot', r, out, env=dict(ENV, HOME=d)).returncode == 0 and not os.path.exists(d + '/pwned')
    # Without gnuplot it says so, with a broken one it gives its words.
    bin_ = d + '/bin'
    os.mkdir(bin_)
    one_line(run('iq', 'plot', r, out, env=dict(ENV, PATH=bin_)), 1, 'gnuplot-nox')
    write(bin_ + '/gnuplot', '#!/bin/sh\ncat > /dev/null\necho "terminal pngcairo is unknown" >&2\nexit 1\n', 0o755)
    one_line(run('iq', 'plot', r, out, env=dict(ENV, PATH=bin_ + ':' + ENV['PATH'])), 1, 'terminal pngcairo is unknown')


def a_curve_without_errors_is_drawn_as_a_bound(d):
    for snr in ('20', '20:1:22', '-30:25:20'):
        p = run('bler', '--channel', 'psbch', '--snr', snr, '--trials', '3', '--errors', '1', '--plot', d + '/z.png', '--csv', d + '/z.csv')
        assert p.returncode == 0 and octets(d + '/z.png')[-8:-4] == b'IEND', p.stderr


# --- configuration and keys ---
def a_curve_that_is_stopped_says_so(d):
    """The points that were measured are kept, with how far it came."""
    command = [BIN + '/prose-bler', '--channel', 'psbch', '--snr=-20:2:20', '--errors', '20', '--trials', '1000000000', '--csv', d + '/c.csv']
    p = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert 'BLER' in p.stdout.readline()
    p.send_signal(signal.SIGINT)
    said = p.communicate(timeout=60)[1]
    told = said.strip().splitlines()[-1]
    done = int(told.split('stopped after ')[1].split(' of 21 points')[0])
    text = open(d + '/c.csv').read()
    assert p.returncode == 1 and 0 < done < 21 and told.split(': ')[1] in text, (p.returncode, told, text)
    assert len([l for l in text.splitlines() if l and not l.startswith('#')]) == 1 + done, text
    p = subprocess.Popen([BIN + '/prose-bler', '--false-alarms', '1000000000'], env=ENV, stderr=subprocess.PIPE, text=True)
    while not int(open('/proc/%d/status' % p.pid).read().split('SigCgt:')[1].split()[0], 16) & 1 << signal.SIGINT - 1:
        time.sleep(0.01)  # it does not look at Ctrl-C yet
    p.send_signal(signal.SIGINT)
    assert 'of 1000000000 PSCCH candidates' in p.communicate(timeout=60)[1] and p.returncode == 1


def nothing_behind_the_first_document_is_ignored(d):
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


def keys_as_people_paste_them(d):
    run('keys', 'gen', d + '/k')
    key = open(d + '/k').read().strip()
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


def a_permission_file_stays_the_users(d):
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
    p = subprocess.run([BIN + '/prose-keys', 'permit', 'anna', names['a'], '--permits', 'p', '--psk', 'my psk'], cwd=d, capture_output=True)
    assert p.returncode == 0, p.stderr
    lines = open(d + '/real/p').read().splitlines()
    assert lines[:2] == ['# my friends', ''] and lines[2] == 'anna %s psk=my psk' % names['a'] and lines[3] == '# the neighbour', lines
    p = run('keys', 'fingerprint', 'anna', '--key', d + '/b.key', '--permits', d + '/p')
    assert p.returncode == 0, p.stderr
    assert run('keys', 'permit', 'ben', '--remove', '--permits', d + '/p').returncode == 0
    assert 'ben' not in open(d + '/p').read() and '# the neighbour' in open(d + '/p').read()
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
def wait_for(condition, p):
    end = time.monotonic() + 60
    while not condition():
        assert p.poll() is None, p.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def no_room_in_shared_memory_is_told(d):
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
        errors = open(d + '/air.err').read() + ''.join(open(d + '/rec%d.err' % i).read() for i in range(1, 5))
        assert all(c in (0, 1, 2) for c in codes + [int(open(d + '/air.code').read())]), (size, codes, errors)
        assert 'no room in /dev/shm' in errors, (size, codes, errors)
        assert air_dies == ('no room' in open(d + '/air.err').read()), errors


def a_processor_without_the_instructions_is_told(_):
    p = subprocess.run([LACKS], capture_output=True, text=True)
    assert p.returncode == 1 and p.stdout == '', p
    assert p.stderr == 'processor_lacks: this processor has no instruction of the year 2100, for which the program was built; build it here, or with -DPROSE_NATIVE=OFF\n', p
    # And every program looks.
    for name in PROGRAMS:
        assert b'this processor has no' in open(BIN + '/prose-' + name, 'rb').read(), name


def no_home_is_no_matter(d):
    run('keys', 'gen', d + '/own.key')
    write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "type=virtual,name=a,air=none%d,hub_timeout=0"\n' % os.getpid())
    for env in ({'HOME': None, 'XDG_CONFIG_HOME': None}, {'HOME': ''}):
        e = {k: v for k, v in dict(ENV, **env).items() if v is not None}
        p = run('ue', '--config', d + '/ue.yaml', '--duration', '1', env=e)
        assert b'is not running' in p.stderr, p.stderr  # as with a HOME: only the air is missing


def the_terminals_end_ends_programs_in_order(d):
    air = 'hup%d' % os.getpid()
    hub = subprocess.Popen([BIN + '/prose-air', '--air', air], env=ENV, stderr=subprocess.DEVNULL)
    try:
        p = subprocess.Popen([BIN + '/prose-sniffer', '--device', 'type=virtual,name=s,hub_timeout=20,air=' + air, '--plain', '--verdict', '--sync', 'blind', '--pcap', d + '/h.pcap', '--report', d + '/h.json',
                              '--events', d + '/h.events'], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while not (os.path.exists(d + '/h.events') and os.path.exists(d + '/h.pcap')):
            assert p.poll() is None and time.monotonic() < end, p.stderr.read()
            time.sleep(0.02)
        p.send_signal(signal.SIGHUP)
        p.communicate(timeout=60)
        assert p.returncode in (0, 3, 4), p.returncode
        json.load(open(d + '/h.json'))
        # nohup: a program that ignores it goes on.
        p = subprocess.Popen([BIN + '/prose-iq', 'record', d + '/n', '--device', 'type=virtual,name=n,hub_timeout=20,air=' + air, '--rate', '7.68e6', '--freq', '5.9e9'], env=ENV,
                             stderr=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        data = d + '/n.sigmf-data'
        size = lambda: os.path.getsize(data) if os.path.exists(data) else 0
        while size() == 0:
            assert p.poll() is None and time.monotonic() < end + 60
            time.sleep(0.02)
        p.send_signal(signal.SIGHUP)
        before = size()
        while size() < before + 2_000_000:
            assert p.poll() is None and time.monotonic() < end + 120
            time.sleep(0.02)
        p.terminate()
        assert p.wait(60) == 0
    finally:
        hub.send_signal(signal.SIGHUP)
        assert hub.wait(60) == 0


def a_ue_writes_its_last_events(d):
    """Told to end, and where its radio ends."""
    run('keys', 'gen', d + '/own.key')
    for n, (who, how, code) in enumerate((('ue', signal.SIGTERM, 0), ('ue', signal.SIGHUP, 0), ('air', signal.SIGKILL, None))):
        air, events = 'last%d-%d' % (os.getpid(), n), d + '/events%d' % n
        hub = subprocess.Popen([BIN + '/prose-air', '--air', air], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "type=virtual,name=a,hub_timeout=20,air=%s"\n' % air)
        ue = subprocess.Popen([BIN + '/prose-ue', '--config', d + '/ue.yaml', '--events', events], env=ENV, stderr=subprocess.PIPE)
        try:
            wait_for(lambda: os.path.exists(events) and '"started"' in open(events).read(), ue)
            (ue if who == 'ue' else hub).send_signal(how)
            said = ue.communicate(timeout=60)[1]
            last = json.loads(open(events).read().splitlines()[-1])
            assert last['event'] == 'stopped', last
            if code is not None:
                assert ue.returncode == code and 'error' not in last, (ue.returncode, last)
            else:
                assert ue.returncode == 1 and last['error'] in said.decode(), (ue.returncode, last, said)
        finally:
            hub.kill()
            hub.wait()
            if ue.poll() is None:
                ue.kill()
                ue.wait()


TESTS = (closed_descriptors_are_nobodys_file, results_that_are_lost_are_an_error, an_output_is_never_an_input, a_picture_replaces_another_only_when_it_is_complete,
         a_curve_without_errors_is_drawn_as_a_bound, a_curve_that_is_stopped_says_so, nothing_behind_the_first_document_is_ignored, keys_as_people_paste_them, a_permission_file_stays_the_users,
         no_room_in_shared_memory_is_told, a_processor_without_the_instructions_is_told, no_home_is_no_matter, the_terminals_end_ends_programs_in_order, a_ue_writes_its_last_events)
for test in TESTS:
    if len(sys.argv) > 4 and test.__name__ not in sys.argv[4:]:
        continue
    with tempfile.TemporaryDirectory() as folder:
        test(folder)
    print('ok', test.__name__, flush=True)
