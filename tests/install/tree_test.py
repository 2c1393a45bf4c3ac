"""Programs, the emulated radio, libraries, headers and the Python package of an installation, used from where they were put."""
import glob, gzip, os, re, shutil, stat, subprocess, sys, tempfile, unittest

from tests.harness.files import text_of, write
from tests.harness.paths import BUILD, REGRESSION, SOURCE
from tests.install.commit_test import of_source
from tests.install.installed import PROGRAMS, Installed

COMPILER = os.environ.get('PROSE_CXX', 'c++')
EXPECTED = 'discovery message received\nSHA-256 of abc: ba7816bf'


def octets_of(path):
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as f:
        return f.read()


def source_texts():
    """What is installed as it is: a path in it stood there before there was a build."""
    folders = ('apps/python', 'common', 'configs', 'docs', 'mac', 'phy', 'scripts', 'security')
    files = glob.glob(os.path.join(SOURCE, '*')) + [f for d in folders for f in glob.glob(os.path.join(SOURCE, d, '**'), recursive=True)]
    return {octets_of(f) for f in files if os.path.isfile(f)}


def names(folder, data):
    """A path below the folder. Not where it is the end of another: a checkout may be /src or /prose."""
    return re.search(rb'(?<![\w.~+-])(-\w)?' + re.escape(os.fsencode(folder)) + b'/', data)


def output(*command, **more):
    r = subprocess.run(command, capture_output=True, text=True, **more)
    assert r.returncode == 0, (command, r.stdout[-1500:], r.stderr[-3000:])
    return r.stdout


class tree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.at = Installed()
        cls.work = os.path.realpath(tempfile.mkdtemp())

    @classmethod
    def tearDownClass(cls):
        cls.at.remove()
        shutil.rmtree(cls.work)

    def run_program(self, name, *arguments):
        return output(self.at.program(name), *arguments, env=self.at.env, cwd=self.work)

    def test_no_path_of_the_build_is_in_a_file(self):
        kind = re.search(r'(?m)^CMAKE_BUILD_TYPE:\w+=(.*)$', text_of(os.path.join(BUILD, 'CMakeCache.txt')))
        if kind and kind[1] not in ('', 'Release'):
            print('\nskipped: debug information names the folder of the source (%s)' % kind[1])
            return
        files = self.at.files()
        self.assertGreater(len(files), 100)
        self.assertTrue(names('/src', b'x\0/src/a.cpp') and names('/src', b' -I/src/a ') and not names('/src', b'/usr/src/a'), 'control')
        texts = source_texts()
        for path in files:
            data = octets_of(path)
            for folder in () if data in texts else (SOURCE, BUILD, self.at.folder):
                self.assertFalse(names(folder, data), (path, folder))

    def test_modes(self):
        for path in self.at.files():
            mode = stat.S_IMODE(os.stat(path).st_mode)
            runs = os.path.relpath(path, self.at.prefix).startswith(('bin/', 'libexec/')) or path.endswith(('scripts/demo', 'scripts/lab'))
            self.assertIn(mode, (0o755,) if runs else (0o644, 0o755) if path.endswith('.so') else (0o644,), path)

    def test_programs_need_no_folder_of_the_build(self):
        for path in [self.at.program(p) for p in PROGRAMS] + [self.at.one('**/libprose_uhd_virtual.so')]:
            dynamic = output('readelf', '-Wd', path)
            self.assertIn('NEEDED', dynamic)
            self.assertNotRegex(dynamic, 'R(UN)?PATH')

    def test_every_program_tells_its_commit(self):
        # Whether it is the right one: commit_test. That of the build may be older than the checkout's.
        for p in PROGRAMS:
            self.assertRegex(self.run_program(p, '--version'), r'^%s \d+\.\d+\.\d+ \(commit (%s)\)\n$' % (p, of_source()))

    def test_uhd_finds_the_emulated_radio_when_asked_for_it_alone(self):
        if shutil.which('uhd_find_devices') is None:
            print('\nskipped: uhd-host is not installed')
            return
        find = lambda env, *a: subprocess.run(['uhd_find_devices', *a], env=env, capture_output=True, text=True)
        without = {k: v for k, v in self.at.env.items() if k != 'UHD_MODULE_PATH'}
        told = lambda r: (r.returncode, r.stdout)
        everywhere = find(self.at.env)
        self.assertEqual(told(everywhere), told(find(without)), 'nobody else notices the module')
        self.assertNotRegex(everywhere.stderr, '(?i)virtual')  # the network may be told of
        self.assertIn('emulated air', find(self.at.env, '--args', 'type=virtual').stdout)
        self.assertIn('UHD_MODULE_PATH=', self.at.said, 'the installation says how UHD finds it')

    def test_a_radio_on_an_air_and_what_a_ue_would_do(self):
        air = 'install%d' % os.getpid()
        patient = write(os.path.join(self.work, 'air.yaml'), 'stall_ms: 600000\n')  # a reader that waits for a processor loses nothing
        with subprocess.Popen([self.at.program('prose-air'), '--config', patient, '--speed', 'max', '--air', air, '--start', '0'], env=self.at.env, stdout=subprocess.PIPE, text=True) as hub:
            try:
                self.assertIn('ready', hub.stdout.readline())
                self.run_program('prose-iq', 'record', 'x.sigmf-meta', '--device', 'type=virtual,name=iq,air=' + air, '--rate', '1.92e6', '--duration', '0.02')
            finally:
                hub.terminate()
        self.assertIn('38400', self.run_program('prose-iq', 'info', 'x.sigmf-meta'))
        config = self.at.one('share/prose/configs/mary.yaml')
        self.assertIn('pools:', self.run_program('prose-ue', '--config', config, '--show-pools'))

    def test_the_lab_knows_where_it_is(self):
        r = subprocess.run([self.at.program('prose-lab'), '--state', os.path.join(self.at.folder, 'town'), 'up', '--udp', '--build', '/no/such/place'], capture_output=True, text=True, env=self.at.env)
        self.assertEqual((r.returncode, r.stderr.count('\n')), (2, 1), r.stderr)
        self.assertIn('not built', r.stderr)

    def test_the_demo_knows_where_it_is(self):
        self.assertIn('--with-function', self.run_program('prose-demo', '--help'))
        r = subprocess.run([self.at.program('prose-demo'), '--build', '/no/such/place'], capture_output=True, text=True, env=self.at.env)
        self.assertEqual(r.returncode, 2, 'it builds nothing')
        self.assertEqual([f for f in self.at.files() if f.endswith('.pyc')], [])

    def test_the_python_package_from_where_it_is(self):
        module = glob.glob(os.path.join(BUILD, 'python', 'prose', '_native.*.so'))
        if not module:
            print('\nskipped: this build has no Python package')
            return
        package = os.path.dirname(self.at.one('lib/python3*/dist-packages/prose/__init__.py'))
        self.assertEqual(set(os.listdir(package)), set(os.listdir(os.path.dirname(module[0]))) - {'__pycache__'})
        env = dict(os.environ, PYTHONPATH=os.path.dirname(package), PYTHONDONTWRITEBYTECODE='1')
        python = os.environ['PROSE_PYTHON']
        code = ('import prose\nprint(prose.__file__)\nc = prose.Carrier(prb=25, tm=4)\nprint(prose.Transmitter(c).transmit([]).shape)\n'
                'r = prose.Receiver(%r, carrier="prb=25,tm=4", sync="gnss")\nprint(sum(e.event == "tb" for e in r) > 1)\n')
        said = output(python, '-c', code % os.path.join(REGRESSION, 'regression_tm4.sigmf-meta'), env=env, cwd=self.work)
        self.assertEqual(said, '%s/__init__.py\n(7680,)\nTrue\n' % package)
        example = self.at.one('share/doc/python3-prose/examples/bler.py')
        self.assertIn('--blocks', output(python, example, '--help', env=env, cwd=self.work))

    def example(self, executable, *device):
        self.assertIn(EXPECTED, output(executable, *device, env=self.at.env))

    def test_the_example_with_find_package(self):
        source, build = self.at.one('share/doc/libprose-dev/examples'), os.path.join(self.work, 'example')
        configure = ['cmake', '-S', source, '-B', build, '-G', 'Ninja', '-DCMAKE_PREFIX_PATH=' + self.at.prefix, '-DCMAKE_CXX_COMPILER=' + COMPILER]
        output(*configure)
        output('cmake', '--build', build)
        self.example(os.path.join(build, 'discovery'))
        with open(os.path.join(build, 'CMakeCache.txt')) as f:
            self.assertIn('prose_DIR:PATH=' + self.at.prefix, f.read())
        with open(os.path.join(source, 'CMakeLists.txt')) as f:
            later = tempfile.mkdtemp(dir=self.work)
            write(os.path.join(later, 'CMakeLists.txt'), f.read().replace('prose 0.2', 'prose 0.9'))
        r = subprocess.run(['cmake', '-S', later, '-B', os.path.join(later, 'build'), *configure[5:]], capture_output=True, text=True)
        self.assertNotEqual(r.returncode, 0, 'a version that is not there is refused')

    def test_the_example_with_pkg_config_after_every_header(self):
        include = self.at.one('include/prose')
        headers = sorted(os.path.relpath(os.path.join(d, n), include) for d, _, names in os.walk(include) for n in names)
        self.assertGreater(len(headers), 80)
        for h in headers:
            with open(os.path.join(include, h)) as f:
                for own in re.findall(r'^#include "(.+)"', f.read(), re.M):
                    self.assertIn(own, headers, h)
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(self.at.lib, 'pkgconfig'))
        flags = output('pkg-config', '--cflags', '--libs', 'prose', env=env).split()
        self.assertTrue(any(f.startswith('-I' + self.at.folder) for f in flags), flags)
        program, example = os.path.join(self.work, 'by_pkg_config'), self.at.one('share/doc/libprose-dev/examples/discovery.cpp')
        source = write(os.path.join(self.work, 'all.cpp'), ''.join('#include "%s"\n' % h for h in [*headers, example]))
        output(COMPILER, '-std=c++20', '-Wall', '-Werror', source, *flags, '-o', program)
        self.example(program)


if __name__ == '__main__':
    if shutil.which('readelf') is None:
        print('skipped: binutils is not installed')
        sys.exit(77)
    unittest.main()
