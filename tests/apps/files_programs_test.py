"""Programs that hold keys: no core, no reading of their memory; their outputs are the user's alone."""
import functools, os, resource, stat, subprocess, tempfile

from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.keys import Authority, prose_keys
from tests.harness.paths import ENV, program
from tests.harness.process import wait

# Without an air a program waits for one so long: time to look at it.
FOLDER = tempfile.TemporaryDirectory()
NO_AIR = 'type=virtual,name=a,air=none%d,hub_timeout=60' % os.getpid()


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
NOBODY = os.geteuid() == 0 and subprocess.run(['test', '-x', program('prose-ue')], preexec_fn=as_nobody).returncode == 0
USER = 65534 if NOBODY else os.geteuid()


def before_exec():
    # Where cores are forbidden already, `closed` would be true of a program that does nothing.
    if os.geteuid() == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
    if NOBODY:
        as_nobody()


def spawn(d, name, *arguments):
    # UHD looks for its settings below HOME and gives up where it may not.
    return subprocess.Popen([program(name), *arguments], env=dict(ENV, HOME=d), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before_exec)


def closed(p):
    wait(lambda: owner(p) == 0 and core_limit(p.pid) == ['0', '0'], 60, [p])


def end(p):
    p.kill()
    p.communicate()


@functools.cache
def world():
    """A folder with keys, a certificate authority and a configuration, for all tests here."""
    d = FOLDER.name
    if USER == 0:
        print("the programs are not nobody's to run: of their memory only the limit of cores is looked at")
    os.chmod(d, 0o755)
    prose_keys('gen', d + '/own.key')
    write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "%s"\nallow_keylog: true\n' % NO_AIR)
    Authority(d, ['server'])
    if NOBODY:
        for f in os.listdir(d):
            os.chown(os.path.join(d, f), 65534, 65534)
        os.chown(d, 65534, 65534)
    return d


def test_no_program_with_keys_can_be_dumped():
    d = world()
    for command in (('prose-keys', 'pub'), ('prose-ue', '--config', d + '/ue.yaml'),
                    ('prose-function', '--ca', d + '/ca.crt', '--certificate', d + '/server.crt', '--key', d + '/server.key', '--store', d + '/db', '--port', '0'),
                    ('prose-sniffer', '--device', NO_AIR, '--plain', '--compromised', d + '/own.key')):
        p = spawn(d, *command)
        closed(p)
        end(p)


def test_the_option_for_tests_is_loud_and_needs_the_configuration():
    d = world()
    p = spawn(d, 'prose-ue', '--config', d + '/ue.yaml', '--dumpable', '--events', d + '/events')
    wait(lambda: '"dumpable"' in text_of(d + '/events'), 60, [p])
    assert owner(p) == USER, 'control: this is how the other programs would look'
    assert stat.S_IMODE(os.stat(d + '/events').st_mode) == 0o600
    p.kill()
    assert b'DUMPABLE' in p.communicate()[1]
    text = text_of(d + '/ue.yaml')
    write(d + '/ue.yaml', text.replace('allow_keylog: true', 'allow_keylog: false'))
    p = spawn(d, 'prose-ue', '--config', d + '/ue.yaml', '--dumpable')
    err = p.communicate(timeout=60)[1].decode()
    assert p.returncode == 2 and 'allow_keylog' in err and len(err.strip().splitlines()) == 1, (p.returncode, err)
    write(d + '/ue.yaml', text)


def test_unsafe_files_end_programs_with_one_line():
    d = world()
    def refused(what, *command):
        p = spawn(d, *command)
        err = p.communicate(timeout=60)[1].decode()
        assert p.returncode == 2 and len(err.strip().splitlines()) == 1 and all(w in err for w in what), (command, p.returncode, err)

    server = ('prose-function', '--ca', d + '/ca.crt', '--certificate', d + '/server.crt', '--key', d + '/server.key', '--store', d + '/db2', '--port', '0')
    os.chmod(d + '/server.key', 0o644)
    refused((d + '/server.key', '0644', 'chmod 600'), *server)
    os.chmod(d + '/server.key', 0o600)
    os.chmod(d + '/own.key', 0o640)
    refused((d + '/own.key', '0640', 'chmod 600'), 'prose-keys', 'pub', d + '/own.key')
    refused((d + '/own.key', '0640', 'chmod 600', 'ue.yaml:2: identity.private_key'), 'prose-ue', '--config', d + '/ue.yaml')
    os.chmod(d + '/own.key', 0o600)
    os.chmod(d + '/ue.yaml', 0o666)
    refused((d + '/ue.yaml', 'chmod go-w'), 'prose-ue', '--config', d + '/ue.yaml')
    os.chmod(d + '/ue.yaml', 0o644)
    os.symlink(d + '/own.key', d + '/link.key')
    refused((d + '/link.key', 'symbolic link'), 'prose-keys', 'pub', d + '/link.key')


if __name__ == '__main__':
    main()
