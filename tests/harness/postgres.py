"""A private PostgreSQL cluster: a folder with a short name in /tmp, a Unix socket in it, no TCP. Started as user postgres where the test is root."""
import glob, os, re, shutil, signal, subprocess, tempfile, time

from tests.harness.cases import skip_all
from tests.harness.files import json_lines, text_of
from tests.harness.function import Server
from tests.harness.process import wait

PROGRAMS = max(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda p: int(p.split('/')[4]), default='')
AS_ROOT = os.geteuid() == 0
# Databases of the tests: trusted by the socket, but for the role `locked`, which has a password.
ACCESS = 'local all locked scram-sha-256\nlocal all all trust\n'
PASSWORD = 'open-sesame-17'


def need_postgres():
    if not PROGRAMS:
        skip_all('PostgreSQL is not installed')


class Cluster:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='prose_pg_', dir='/tmp')
        self.data, self.server = self.folder + '/data', None
        if AS_ROOT:
            shutil.chown(self.folder, 'postgres', 'postgres')
        os.chmod(self.folder, 0o755)  # the socket is for other users too
        self.run('initdb', '-D', self.data, '-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C')
        with open(self.data + '/pg_hba.conf', 'w') as f:
            f.write(ACCESS)
        with open(self.data + '/postgresql.auto.conf', 'a') as f:
            f.write("listen_addresses = ''\nunix_socket_directories = '%s'\nmax_connections = 60\nlog_min_messages = fatal\n" % self.folder)

    def _as_owner(self):
        return ['runuser', '-u', 'postgres', '--'] if AS_ROOT else []

    def run(self, name, *arguments, **more):
        return subprocess.run([*self._as_owner(), os.path.join(PROGRAMS, name), *map(str, arguments)], check=True, capture_output=True, text=True, cwd='/', **more)

    def sql(self, statements, database='prose', user='postgres'):
        """The rows, as texts."""
        command = [os.path.join(PROGRAMS, 'psql'), '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', self.folder, '-U', user, '-d', database]
        r = subprocess.run(command, input=statements, capture_output=True, text=True, cwd='/')
        assert r.returncode == 0, r.stderr
        return r.stdout.split('\n')[:-1]

    def start(self):
        """After kill(), too: what is left of the dead server's shared memory may take a moment to go."""
        def running():
            if self.server is None or self.server.poll() is not None:
                command = [*self._as_owner(), os.path.join(PROGRAMS, 'postgres'), '-D', self.data]
                self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd='/')
            return subprocess.run([os.path.join(PROGRAMS, 'pg_isready'), '-q', '-h', self.folder], cwd='/').returncode == 0
        wait(running, 120, (), 'a database that accepts connections')
        return self

    def make(self):
        """The database `prose` of the role `prose`."""
        self.start()
        self.sql("CREATE ROLE prose LOGIN; CREATE ROLE locked LOGIN PASSWORD '%s';" % PASSWORD, 'postgres')
        self.database('prose')
        return self

    def database(self, name):
        """Its URL."""
        self.sql('CREATE DATABASE %s OWNER prose' % name, 'postgres')
        return self.url(database=name)

    def url(self, user='prose', database='prose', more=''):
        return 'postgresql://%s@/%s?host=%s&connect_timeout=60%s' % (user, database, self.folder, more)  # the machine may be busy

    def processes(self):
        """The server's, by its folder: the postmaster and its children."""
        main = text_of(self.data + '/postmaster.pid').split('\n')[0] if self.server is not None else ''
        if not main.isdigit():
            return []
        out = [int(main)]
        for status in glob.glob('/proc/[0-9]*/status'):
            found = re.search(r'^PPid:\t%s$' % main, text_of(status), re.M)
            if found:
                out.append(int(status.split('/')[2]))
        return out

    def kill(self):
        """All of it at once, as when the power fails."""
        for p in self.processes():
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.server is not None:
            self.server.wait()
        self.server = None

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Instance(Server):
    """One of several servers on a database; they have the certificates of `of`."""

    def __init__(self, of, number, store):
        self.__dict__.update(of.__dict__)
        self.process, self.number, self.store = None, number, store

    def command(self, port=0, store=None, audit=None):
        return super().command(port, store or self.store, audit or self.log_path())

    def log_path(self):
        return self.path('audit%d.jsonl' % self.number)

    def audit(self):
        return json_lines(self.log_path())
