"""The Debian packages of this build: what dpkg reads in them. tests/install/use_packages installs, uses and purges them."""
import glob, os, re, shutil, subprocess, sys, tempfile, unittest

from tests.harness.files import text_of
from tests.harness.paths import BUILD

MPI = os.path.exists(os.path.join(BUILD, 'lib', 'prose', 'prose_mpi.so'))  # where Open MPI is installed
PACKAGE = glob.glob(os.path.join(BUILD, 'python', 'prose', '_native.*.so'))  # of the Python package, if this build makes it


def output(*command, **more):
    r = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, LC_ALL='C'), **more)
    assert r.returncode == 0, (command, r.stdout[-1500:], r.stderr[-1500:])
    return r.stdout


class packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='prose-packages-')
        output('cpack', '--config', os.path.join(BUILD, 'CPackConfig.cmake'), '-B', cls.folder, cwd=BUILD)
        cls.deb = {os.path.basename(f).split('_')[0]: f for f in glob.glob(os.path.join(cls.folder, '*.deb'))}
        cls.unpacked = {}
        os.mkdir(os.path.join(cls.folder, 'unpacked'))
        for name, f in cls.deb.items():
            cls.unpacked[name] = os.path.join(cls.folder, 'unpacked', name)
            output('dpkg-deb', '-R', f, cls.unpacked[name])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def field(self, name, field):
        return output('dpkg-deb', '-f', self.deb[name], field).strip()

    def test_all_are_there_and_every_file_has_a_package(self):
        wanted = {'prose', 'libprose-dev'} | ({'python3-prose'} if PACKAGE else set()) | ({'prose-mpi'} if MPI else set())
        self.assertEqual(wanted, set(self.deb))

    def test_the_target_programs_builds_all_that_is_installed(self):
        """scripts/package builds no more than that."""
        linked = re.findall(r' (?:-o|qc) (\S+)', output('ninja', '-C', BUILD, '-t', 'commands', 'programs'))
        installed = re.findall(r'FILES "(%s/[^"]*)"' % re.escape(BUILD), text_of(os.path.join(BUILD, 'cmake_install.cmake')))
        installed = {os.path.relpath(f, BUILD) for f in installed if re.search(r'/(bin|tests)/|\.(a|so)$', f)}
        self.assertLessEqual({'cross_open', 'prose-ue', 'libprose_security.a'}, {os.path.basename(f) for f in installed})
        self.assertEqual(installed - set(linked), set())

    def test_dependencies(self):
        depends = self.field('prose', 'Depends')
        for package in ('adduser', 'python3', 'libc6', 'libuhd', 'libmbedcrypto', 'libliquid', 'libsqlite3-0', 'libpq5', 'libpcap'):
            self.assertIn(package, depends)
        for package in ('libuhd-dev', 'libliquid-dev', 'libfftw3-dev', 'libmbedtls-dev', 'libexpected-dev'):
            self.assertIn(package, self.field('libprose-dev', 'Depends'))

    @unittest.skipUnless(MPI, 'Open MPI is not installed (libopenmpi-dev, openmpi-bin)')
    def test_mpi_is_a_package_of_its_own(self):
        self.assertRegex(self.field('prose-mpi', 'Depends'), 'libopenmpi')
        self.assertNotIn('openmpi', self.field('prose', 'Depends'))
        self.assertTrue(os.path.exists(os.path.join(self.unpacked['prose-mpi'], 'usr/lib/prose/prose_mpi.so')))

    @unittest.skipUnless(PACKAGE, 'this build has no Python package')
    def test_the_python_package_is_for_one_python_and_owns_what_python_compiles(self):
        depends, folder = self.field('python3-prose', 'Depends'), self.unpacked['python3-prose']
        minor = int(re.match(r'_native\.cpython-3(\d+)-', os.path.basename(PACKAGE[0]))[1])
        for package in ('python3 (>= 3.%d)' % minor, 'python3 (<< 3.%d)' % (minor + 1), 'python3-numpy', 'libc6', 'libfftw3', 'libpcap'):
            self.assertIn(package, depends)
        files = {os.path.relpath(f, folder) for f in glob.glob(folder + '/usr/**', recursive=True) if os.path.isfile(f)}
        place = 'usr/lib/python3/dist-packages/prose/'
        self.assertLessEqual({place + n for n in ('__init__.py', '_native.pyi', 'py.typed', os.path.basename(PACKAGE[0]))}, files)
        self.assertLessEqual({'usr/share/doc/python3-prose/examples/%s.py' % n for n in ('spectrogram', 'constellation', 'bler', 'drawing')}, files)
        self.assertFalse([f for f in files if not f.startswith((place, 'usr/share/doc/python3-prose/')) or f.endswith('.pyc')])
        for script, command in (('postinst', 'py3compile'), ('prerm', 'py3clean')):
            path = os.path.join(folder, 'DEBIAN', script)
            output('sh', '-n', path)
            self.assertTrue(os.access(path, os.X_OK))
            self.assertIn(command + ' -p python3-prose', text_of(path))

    def test_descriptions(self):
        for name in self.deb:
            lines = self.field(name, 'Description').splitlines()
            self.assertGreater(len(lines), 2, name)
            self.assertLessEqual(max(map(len, lines)), 80)
            self.assertFalse([l for l in lines[1:] if re.match(r'  +\S', l)], 'a second space makes it verbatim text')

    def test_owners_and_modes(self):
        for name, f in self.deb.items():
            lines = output('dpkg-deb', '-c', f).splitlines()
            self.assertGreater(len(lines), 10)
            for line in lines:
                mode, owner, path = line.split()[0], line.split()[1], line.split()[5]
                self.assertEqual(owner, 'root/root', path)
                runs = re.search(r'/bin/.|/libexec/prose/.|scripts/(demo|lab)$', path)
                self.assertIn(mode, ('lrwxrwxrwx', 'drwxr-xr-x', '-rwxr-xr-x' if runs else '-rw-r--r--'), path)

    def test_nothing_outside_usr_and_no_configuration(self):
        for name, folder in self.unpacked.items():
            self.assertLessEqual(set(os.listdir(folder)), {'DEBIAN', 'usr'}, name)
            self.assertNotIn('conffiles', os.listdir(os.path.join(folder, 'DEBIAN')))

    def test_documents_of_debian(self):
        for name, folder in self.unpacked.items():
            doc = os.path.join(folder, 'usr', 'share', 'doc', name)
            self.assertIn('GPL-3', text_of(os.path.join(doc, 'copyright')))
            changelog = os.path.join(self.folder, 'changelog')
            with open(changelog, 'wb') as f:
                f.write(subprocess.run(['gzip', '-dc', os.path.join(doc, 'changelog.Debian.gz')], capture_output=True, check=True).stdout)
            self.assertEqual(output('dpkg-parsechangelog', '-l', changelog, '-S', 'Version').strip(), self.field(name, 'Version'))

    def test_programs_are_stripped_and_libraries_can_be_linked(self):
        for path in glob.glob(os.path.join(self.unpacked['prose'], 'usr', '*bin', '*')) + glob.glob(self.folder + '/unpacked/*/**/*.so', recursive=True):
            if not path.endswith(('prose-demo', 'prose-lab')):
                self.assertNotIn('.symtab', output('readelf', '-WS', path), path)
        for path in glob.glob(self.unpacked['libprose-dev'] + '/**/*.a', recursive=True):
            self.assertRegex(output('nm', '-C', path), r' T prose::')

    def test_scripts_of_the_package(self):
        control = os.path.join(self.unpacked['prose'], 'DEBIAN')
        for script in ('postinst', 'prerm', 'postrm'):
            path = os.path.join(control, script)
            output('sh', '-n', path)
            self.assertTrue(os.access(path, os.X_OK))
            text = text_of(path)
            self.assertIn('set -e', text)
            self.assertNotRegex(text, r'(systemctl|invoke) (--now )?(start|enable|restart)', 'nothing runs without a configuration')


if __name__ == '__main__':
    missing = [t for t in ('dpkg-shlibdeps', 'file', 'readelf') if shutil.which(t) is None]
    if missing:
        print('skipped: %s is not installed' % missing[0])
        sys.exit(77)
    unittest.main()
