"""The state of a running town, in one folder. What is made outside it (processes, network namespaces, the air's memory) is written down before it is made,
so that `down` finds all of it, also after a crash."""
import fcntl, json, os, re, shutil, signal, subprocess, sys, time

from .town import Mistake

FILE = 'lab.json'
VERSION = 1


def start_of(pid):
    """When a process started, as the kernel tells it: with it a number that was used again is not taken for the process. None: it has ended."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            fields = f.read().rsplit(')', 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else int(fields[19])


class State:
    """`data`: what lab.json holds. The lock is held as long as the object lives: one command changes a town at a time."""

    def __init__(self, folder, data, changes=True):
        self.folder, self.data = folder, data
        if changes:
            self.take_lock()

    def take_lock(self):
        self.lock = os.open(self.path('lock'), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('prose-lab: another command is at work on this town; waiting for its end', file=sys.stderr, flush=True)
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    @classmethod
    def create(cls, folder, data):
        if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
            ours = os.path.isfile(os.path.join(folder, FILE))
            raise Mistake('%s: %s' % (folder, 'a town is there already; accepted: prose-lab down first, or another --state' if ours else
                                      'something is there; accepted: a folder that is empty or not there yet'))
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as e:
            raise Mistake('%s: %s; accepted: --state with a folder that can be made' % (folder, e.strerror))
        s = cls(folder, dict(data, version=VERSION, processes={}, namespaces=[]))
        s.save()
        return s

    @classmethod
    def load(cls, folder, changes=True):
        """Read again once the lock is held: the command before may have changed it, or taken everything down."""
        s = cls(folder, cls.read(folder), changes)
        s.data = cls.read(folder)
        return s

    @staticmethod
    def read(folder):
        try:
            with open(os.path.join(folder, FILE)) as f:
                data = json.load(f)
        except FileNotFoundError:
            raise Mistake('%s: no town is up there; accepted: prose-lab up first, or the --state that it had' % folder)
        except (OSError, ValueError) as e:
            raise Mistake('%s: %s: %s' % (folder, FILE, e))
        if data.get('version') != VERSION:
            raise Mistake('%s: %s is of another version' % (folder, FILE))
        return data

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def save(self):
        beside = self.path(FILE + '.new')
        with open(beside, 'w') as f:
            json.dump(self.data, f, indent=1)
            f.flush()
            os.fsync(f.fileno())
        os.replace(beside, self.path(FILE))

    # --- processes ---
    def alive(self, what):
        p = self.data['processes'].get(what)
        return bool(p) and start_of(p['pid']) == p['start']

    def spawn(self, what, command, env):
        """In the background, away from the terminal's Ctrl-C; its output in WHAT.log."""
        with open(self.path(what + '.log'), 'w') as log:
            p = subprocess.Popen(command, env=dict(env, PROSE_LAB=self.data['id']), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.data['processes'][what] = {'pid': p.pid, 'start': start_of(p.pid)}
        self.save()

    def stop(self, names, patience=30):
        """Ends them in order; whoever does not end is killed."""
        for how, seconds in ((signal.SIGINT, patience), (signal.SIGKILL, 10)):
            left = [n for n in names if self.alive(n)]
            for n in left:
                try:
                    os.kill(self.data['processes'][n]['pid'], how)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + seconds
            while any(self.alive(n) for n in left) and time.monotonic() < end:
                time.sleep(0.05)
        for n in names:
            if not self.alive(n):
                self.data['processes'].pop(n, None)
        self.save()

    def said(self, what):
        try:
            with open(self.path(what + '.log')) as f:
                return f.read()
        except OSError:
            return ''

    # --- what lies outside the folder ---
    def add_namespace(self, name):
        self.data['namespaces'].append(name)
        self.save()
        r = subprocess.run(['ip', 'netns', 'add', name], capture_output=True, text=True)
        if r.returncode != 0:
            raise Mistake('no right to make network namespaces (%s); accepted: as root, or prose-lab up --udp' % r.stderr.strip().splitlines()[-1])

    def forgotten(self):
        """Processes of this town that were started and not written down: the command was killed in between."""
        known = {p['pid'] for p in self.data['processes'].values()}
        mark, found = b'PROSE_LAB=%s\0' % self.data['id'].encode(), []
        for pid in (int(p) for p in os.listdir('/proc') if p.isdigit()):
            try:
                with open('/proc/%d/environ' % pid, 'rb') as f:
                    if mark in f.read() + b'\0' and pid not in known and start_of(pid):
                        found.append(pid)
            except OSError:
                pass
        return found

    def remove(self):
        """Everything, whatever of it there is."""
        for i, pid in enumerate(self.forgotten()):
            self.data['processes']['forgotten %d' % i] = {'pid': pid, 'start': start_of(pid)}
        every = list(self.data['processes'])
        self.stop([n for n in every if n != 'air'])
        self.stop(['air'])
        for name in self.data['namespaces']:
            r = subprocess.run(['ip', 'netns', 'del', name], capture_output=True, text=True)
            if r.returncode != 0 and os.path.lexists('/run/netns/' + name):
                raise RuntimeError('the network namespace %s stays: %s' % (name, r.stderr.strip()))
        air = re.sub('[^A-Za-z0-9_-]', '', self.data['air'])
        try:
            os.unlink('/dev/shm/prose-air-' + air)
        except FileNotFoundError:
            pass
        shutil.rmtree(self.folder)
