"""An installation below a folder of its own (DESTDIR), under a prefix where nothing else is."""
import glob, os, shutil, subprocess, tempfile

from tests.harness.paths import BUILD

PREFIX = '/opt/prose'
PROGRAMS = ('prose-air', 'prose-bler', 'prose-function', 'prose-iq', 'prose-keys', 'prose-page', 'prose-sniffer', 'prose-town', 'prose-ue')


class Installed:
    def __init__(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix='prose-install-'))
        r = subprocess.run(['cmake', '--install', BUILD, '--prefix', PREFIX], env=dict(os.environ, DESTDIR=self.folder), capture_output=True, text=True)
        assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
        self.said, self.prefix = r.stdout, self.folder + PREFIX
        self.lib = os.path.dirname(os.path.dirname(self.one('lib/**/uhd/modules')))
        self.env = dict(os.environ, UHD_MODULE_PATH=os.path.join(self.lib, 'uhd', 'modules'), UHD_LOG_CONSOLE_LEVEL='error')

    def one(self, pattern):
        """The one file or folder below the prefix with such a name."""
        found = glob.glob(os.path.join(self.prefix, pattern), recursive=True)
        assert len(found) == 1, (pattern, found)
        return found[0]

    def program(self, name):
        return os.path.join(self.prefix, 'bin', name)

    def files(self):
        return [os.path.join(d, n) for d, _, names in os.walk(self.folder) for n in names]

    def remove(self):
        shutil.rmtree(self.folder)
