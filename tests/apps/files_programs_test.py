"""Programs that hold keys: no core, no reading of their memory; their outputs are the user's alone. usage: files_programs_test.py BIN SOURCE_DIR UHD_MODULES"""
import os, resource, stat, subprocess, sys, tempfile, time

BIN, SOURCE, MODULES = sys.argv[1:4]
# Without an air a program waits for one so long: time to look at it.
ENV = dict(os.environ, UHD_MODULE_PATH=MODULES, UHD_LOG_CONSOLE_LEVEL='error')
NO_AIR = 'type=virtual,name=a,air=none%d,hub_timeout=60' % os.getpid()


def keys(*a):
    return subprocess.run([BIN + '/prose-keys', *a], check=True, capture_output=True, text=True).stdout.strip()


def core_limit(pid):
    return [l.split()[4:6] for l in open('/proc/%d/limits' % pid) if l.startswith('Max core file size')][0]


def owner(p):
    uid = os.stat('/proc/%d/fd' % p.pid).st_uid
    # A program that has ended belongs to root as well.
    assert p.poll() is None, (p.args, p.returncode, p.communicate())
    return uid


def as_nobody():
    os.setgid(65534), os.setuid(65534)


# The kernel gives the files of a process that may not be dumped to root, of others to its user: seen by a user who is not root.
NOBODY = os.geteuid() == 0 and subprocess.run(['test', '-x', BIN + '/prose-ue'], preexec_fn=as_nobody).returncode == 0
USER = 65534 if NOBODY else os.geteuid()


def before_exec():
    # Where cores are forbidden already, `closed` would be true of a program that does nothing.
    if os.geteuid() == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
    if NOBODY:
        as_nobody()


def spawn(*command):
    # UHD looks for its settings below HOME and gives up where it may not.
    return subprocess.Popen(command, env=dict(ENV, HOME=d), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before_exec)


def wait(what, p, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end and p.poll() is None, (p.args, p.poll(), p.stderr.read() if p.poll() is not None else '')
        time.sleep(0.02)


def closed(p):
    wait(lambda: owner(p) == 0 and core_limit(p.pid) == ['0', '0'], p)


def end(p):
    p.kill()
    p.communicate()


def world(d):
    os.chmod(d, 0o755)
    keys('gen', d + '/own.key')
    open(d + '/ue.yaml', 'w').write('name: a\nidentity: {private_key: own.key}\ndevice: "%s"\nallow_keylog: true\n' % NO_AIR)
    keys('ca', 'init', '--folder', d)
    keys('ca', 'issue', 'server', '--server', '--folder', d)
    if NOBODY:
        for f in os.listdir(d):
            os.chown(os.path.join(d, f), 65534, 65534)
        os.chown(d, 65534, 65534)


def no_program_with_keys_can_be_dumped(d):
    for command in (('prose-keys', 'pub'), ('prose-ue', '--config', d + '/ue.yaml'),
                    ('prose-function', '--ca', d + '/ca.crt', '--certificate', d + '/server.crt', '--key', d + '/server.key', '--store', d + '/db', '--port', '0'),
                    ('prose-sniffer', '--device', NO_AIR, '--plain', '--compromised', d + '/own.key')):
        p = spawn(BIN + '/' + command[0], *command[1:])
        closed(p)
        end(p)


def the_option_for_tests_is_loud_and_needs_the_configuration(d):
    p = spawn(BIN + '/prose-ue', '--config', d + '/ue.yaml', '--dumpable', '--events', d + '/events')
    wait(lambda: os.path.exists(d + '/events') and '"dumpable"' in open(d + '/events').read(), p)
    assert owner(p) == USER, 'control: this is how the other programs would look'
    assert stat.S_IMODE(os.stat(d + '/events').st_mode) == 0o600
    p.kill()
    assert b'DUMPABLE' in p.communicate()[1]
    text = open(d + '/ue.yaml').read()
    open(d + '/ue.yaml', 'w').write(text.replace('allow_keylog: true', 'allow_keylog: false'))
    p = spawn(BIN + '/prose-ue', '--config', d + '/ue.yaml', '--dumpable')
    err = p.communicate(timeout=60)[1].decode()
    assert p.returncode == 2 and 'allow_keylog' in err and len(err.strip().splitlines()) == 1, (p.returncode, err)
    open(d + '/ue.yaml', 'w').write(text)


def unsafe_files_end_programs_with_one_line(d):
    def refused(what, *command):
        p = spawn(*command)
        err = p.communicate(timeout=60)[1].decode()
        assert p.returncode == 2 and len(err.strip().splitlines()) == 1 and all(w in err for w in what), (command, p.returncode, err)

    server = (BIN + '/prose-function', '--ca', d + '/ca.crt', '--certificate', d + '/server.crt', '--key', d + '/server.key', '--store', d + '/db2', '--port', '0')
    os.chmod(d + '/server.key', 0o644)
    refused((d + '/server.key', '0644', 'chmod 600'), *server)
    os.chmod(d + '/server.key', 0o600)
    os.chmod(d + '/own.key', 0o640)
    refused((d + '/own.key', '0640', 'chmod 600'), BIN + '/prose-keys', 'pub', d + '/own.key')
    refused((d + '/own.key', '0640', 'chmod 600', 'ue.yaml:2: identity.private_key'), BIN + '/prose-ue', '--config', d + '/ue.yaml')
    os.chmod(d + '/own.key', 0o600)
    os.chmod(d + '/ue.yaml', 0o666)
    refused((d + '/ue.yaml', 'chmod go-w'), BIN + '/prose-ue', '--config', d + '/ue.yaml')
    os.chmod(d + '/ue.yaml', 0o644)
    os.symlink(d + '/own.key', d + '/link.key')
    refused((d + '/link.key', 'symbolic link'), BIN + '/prose-keys', 'pub', d + '/link.key')


with tempfile.TemporaryDirectory() as d:
    world(d)
    if USER == 0:
        print('the programs are not nobody\'s to run: of their memory only the limit of cores is looked at')
    for test in (no_program_with_keys_can_be_dumped, the_option_for_tests_is_loud_and_needs_the_configuration, unsafe_files_end_programs_with_one_line):
        test(d)
        print('ok', test.__name__, flush=True)
