"""Where libraries go with CMAKE_INSTALL_LIBDIR, and what prose.pc then says; and that a build with sanitizers installs nothing. In projects of a few lines."""
import os, shutil, subprocess, tempfile, unittest

from tests.harness.files import text_of, write
from tests.harness.paths import SOURCE

LIBRARIES = """cmake_minimum_required(VERSION 3.22)
project(places VERSION 1.0 LANGUAGES NONE)
set(CMAKE_LIBRARY_ARCHITECTURE some-linux-gnu)
include(%s/cmake/install/places.cmake)
configure_file(%s/cmake/install/prose.pc.in ${CMAKE_BINARY_DIR}/prose.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/prose.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
prose_place(lib "${CMAKE_INSTALL_LIBDIR}")
install(CODE "message(STATUS \\"libraries: ${lib}\\")")
""" % (SOURCE, SOURCE)
SANITIZED = """cmake_minimum_required(VERSION 3.22)
project(sanitized LANGUAGES NONE)
include(%s/cmake/install.cmake)
""" % SOURCE


class places(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='prose-places-')
        self.prefix = os.path.join(self.folder, 'prefix')

    def tearDown(self):
        shutil.rmtree(self.folder)

    def cmake(self, *arguments):
        return subprocess.run(['cmake', *arguments], cwd=self.folder, capture_output=True, text=True)

    def configure(self, project, *options):
        write(os.path.join(self.folder, 'CMakeLists.txt'), project)
        r = self.cmake('-S', '.', '-B', 'build', *options)
        self.assertEqual(r.returncode, 0, r.stderr)

    def check(self, libraries, *options):
        for _ in range(2):  # what the first run left in the cache is read by the second
            self.configure(LIBRARIES, '-DCMAKE_INSTALL_PREFIX=' + self.prefix, *options)
        r = self.cmake('--install', 'build')
        self.assertIn('libraries: %s\n' % libraries, r.stdout)
        pc = os.path.join(libraries, 'pkgconfig', 'prose.pc')
        if shutil.which('pkg-config') is None:
            print('\nskipped: pkg-config is not installed')
            return text_of(pc)
        told = lambda name: os.path.normpath(subprocess.run(['pkg-config', '--variable=' + name, pc], capture_output=True, text=True, check=True).stdout.strip())
        self.assertEqual((told('libdir'), told('includedir')), (libraries, os.path.join(self.prefix, 'include', 'prose')))
        return text_of(pc)

    def test_debians_folder_by_default(self):
        self.assertNotIn(self.prefix, self.check(os.path.join(self.prefix, 'lib', 'some-linux-gnu')), 'it can be moved')

    def test_a_relative_folder_is_below_the_prefix(self):
        self.assertNotIn(self.prefix, self.check(os.path.join(self.prefix, 'lib64'), '-DCMAKE_INSTALL_LIBDIR=lib64'), 'it can be moved')

    def test_an_absolute_folder_stays_what_it_is(self):
        elsewhere = os.path.join(self.folder, 'elsewhere')
        self.check(elsewhere, '-DCMAKE_INSTALL_LIBDIR=' + elsewhere)

    def test_builds_with_sanitizers_and_for_fuzzing_say_that_they_install_nothing(self):
        for option in ('-DPROSE_SANITIZE=address', '-DPROSE_FUZZ=ON'):
            self.configure(SANITIZED, option)
            for component in ((), ('--component', 'dev')):
                r = self.cmake('--install', 'build', '--prefix', self.prefix, *component)
                self.assertNotEqual(r.returncode, 0)
                self.assertIn('installs nothing', ' '.join(r.stderr.split()))
            shutil.rmtree(os.path.join(self.folder, 'build'))


if __name__ == '__main__':
    unittest.main()
