"""Programs of a build: run, measured, ended."""
import os, signal, subprocess, time

from ..demo_lib import world

POLL_S = 0.005
ENDS_S = 30
SAID_OCTETS = 300
ended_by = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USAGE = 2                 # exit code of our programs: a mistake in what was told


def ignore_signals():
    """From the end on: a second Ctrl-C must leave neither programs nor half a report."""
    for s in ended_by:
        signal.signal(s, signal.SIG_IGN)
    world.not_stopped.asked = False   # or each of its blocks would raise again what has been raised


class left_out(Exception):
    """A row that cannot be measured, and that this is no failure: one line."""


class failed(Exception):
    """A row whose measurement went wrong: one line."""


class side:
    """A build. `name`: A or B; `folder`: as it was given."""

    def __init__(self, name, folder):
        self.name, self.folder, self.build = name, folder, os.path.abspath(folder)
        self.env = dict(os.environ, UHD_MODULE_PATH=os.path.join(self.build, 'uhd_modules'), UHD_LOG_CONSOLE_LEVEL='error')

    def has(self, target):
        return os.path.exists(self.path(target)) if target == 'prose_uhd_virtual' else os.access(self.path(target), os.X_OK)

    def path(self, target):
        if target == 'prose_uhd_virtual':
            return os.path.join(self.build, 'uhd_modules', 'libprose_uhd_virtual.so')
        return os.path.join(self.build, 'bin' if target.startswith('prose-') else 'tests', target)

    def wants(self, targets):
        missing = [t for t in targets if not self.has(t)]
        if missing:
            raise left_out('%s: %s not built' % (self.name, ', '.join(missing)))

    def version(self):
        """Of the first of its programs that is there."""
        for p in ('prose-sniffer', 'prose-iq', 'prose-ue', 'prose-air'):
            if self.has(p):
                r = subprocess.run([self.path(p), '--version'], capture_output=True, text=True, env=self.env)
                return r.stdout.strip().removeprefix(p).strip() or 'not told'
        return 'not told'

    def options(self):
        """How it was built, as CMake keeps it."""
        kept = ('CMAKE_BUILD_TYPE', 'CMAKE_CXX_COMPILER', 'CMAKE_CXX_FLAGS', 'PROSE_NATIVE', 'PROSE_HARDENED')
        out = {}
        try:
            with open(os.path.join(self.build, 'CMakeCache.txt')) as f:
                for line in f:
                    key, _, value = line.strip().partition('=')
                    if key.partition(':')[0] in kept:
                        out[key.partition(':')[0]] = value
        except OSError:
            pass
        return out


class programs:
    """Those that run. Each is ended by its own process, never by its name."""

    def __init__(self, folder):
        self.folder, self.running, self.count = folder, [], 0

    def start(self, s, command, **more):
        """A program of a side (by name) or any other (by path) in the background; what it prints goes to a log."""
        self.count += 1
        path = command[0] if os.path.isabs(command[0]) else s.path(command[0])
        log = os.path.join(self.folder, '%d.log' % self.count)
        with open(log, 'w') as f, world.not_stopped():
            p = world.background([path, *map(str, command[1:])], s.env if s else None, f)
            self.running.append(p)
        p.log, p.side, p.words, p.usage = log, s, os.path.basename(path), None
        return p

    def ended(self, p):
        """Whether it has. From then on p.returncode and p.usage are told."""
        if p.returncode is None:
            with world.not_stopped():
                pid, status, usage = os.wait4(p.pid, os.WNOHANG)
                if pid:
                    p.returncode, p.usage = os.waitstatus_to_exitcode(status), usage
                    self.running.remove(p)
        return p.returncode is not None

    def wait(self, p, timeout_s):
        """Until it ends; its seconds of processor time, own and the kernel's."""
        end = time.monotonic() + timeout_s
        while not self.ended(p):
            if time.monotonic() > end:
                raise failed('%s: %s has not ended after %d s' % (p.side.name if p.side else 'made', p.words, timeout_s))
            time.sleep(POLL_S)
        if p.returncode != 0:
            self.complain(p)
        os.unlink(p.log)
        return p.usage.ru_utime + p.usage.ru_stime

    def run(self, s, command, timeout_s=600):
        return self.wait(self.start(s, command), timeout_s)

    def output(self, s, command):
        """What a program that takes no time prints."""
        r = subprocess.run([s.path(command[0]), *command[1:]], env=s.env, capture_output=True, text=True, start_new_session=True)
        if r.returncode != 0:
            raise (left_out if r.returncode == USAGE else failed)('%s: %s: %s' % (s.name, command[0], r.stderr.strip()))
        return r.stdout.strip()

    def end(self, p, timeout_s=ENDS_S):
        """As Ctrl-C would."""
        os.kill(p.pid, signal.SIGINT)   # p.send_signal() would take its exit status
        return self.wait(p, timeout_s)

    def said(self, p):
        with open(p.log, errors='replace') as f:
            return f.read()

    def complain(self, p):
        last = ' '.join(self.said(p)[-SAID_OCTETS:].split('\n')[-3:]).strip()
        what = '%s: %s ended with %d: %s' % (p.side.name if p.side else 'made', p.words, p.returncode, last or 'it said nothing')
        raise (left_out if p.returncode == USAGE else failed)(what)

    def stop_all(self):
        """Tells all of them to end, and waits."""
        for p in list(self.running):
            os.kill(p.pid, signal.SIGTERM)
        end = time.monotonic() + ENDS_S
        for p in list(self.running):
            while not self.ended(p) and time.monotonic() < end:
                time.sleep(POLL_S)
            if not self.ended(p):
                os.kill(p.pid, signal.SIGKILL)
                os.wait4(p.pid, 0)
                p.returncode = -signal.SIGKILL
                self.running.remove(p)
