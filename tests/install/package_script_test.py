"""scripts/package with a cmake and a cpack that only note what is asked of them: where the packages go, and that nothing else is moved or deleted."""
import os, shutil, subprocess, tempfile, unittest

from tests.harness.files import text_of, write
from tests.harness.paths import SOURCE

CMAKE = '#!/bin/sh\nprintf "%s\\n" "$@" >> "$NOTES"\n'
CPACK = '#!/bin/sh\n[ "$3" = -B ] && touch "$4/prose_1.deb" "$4/libprose-dev_1.deb"\n'
MADE = ['libprose-dev_1.deb', 'prose_1.deb']


class package_script(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix='prose-package-'))
        self.root, self.here, tools = (os.path.join(self.folder, n) for n in ('source', 'here', 'tools'))
        for d in (os.path.join(self.root, 'scripts'), os.path.join(self.root, 'build-package'), self.here, tools):
            os.makedirs(d)
        self.script = shutil.copy(os.path.join(SOURCE, 'scripts', 'package'), os.path.join(self.root, 'scripts'))
        write(os.path.join(tools, 'cmake'), CMAKE, 0o755)
        write(os.path.join(tools, 'cpack'), CPACK, 0o755)
        self.notes = os.path.join(self.folder, 'notes')
        self.env = dict(os.environ, PATH=tools + ':' + os.environ['PATH'], NOTES=self.notes, SOURCE_DATE_EPOCH='1')

    def tearDown(self):
        shutil.rmtree(self.folder)

    def run_it(self, *arguments):
        return subprocess.run([self.script, *arguments], cwd=self.here, env=self.env, capture_output=True, text=True)

    def packages(self, folder):
        return sorted(n for n in os.listdir(folder) if n.endswith('.deb'))

    def good(self, folder, *arguments):
        r = self.run_it(*arguments)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(sorted(r.stdout.splitlines()), [os.path.join(folder, n) for n in MADE])
        self.assertLessEqual(set(MADE), set(self.packages(folder)))
        self.assertEqual(set(os.listdir(os.path.join(self.root, 'build-package'))) - set(MADE) - {'old_1.deb'}, set(), 'nothing is left')

    def test_the_default_is_the_folder_of_the_build_with_these_packages_alone(self):
        build = os.path.join(self.root, 'build-package')
        write(os.path.join(build, 'prose_0.deb'), '')
        self.good(build)
        self.assertEqual(self.packages(build), MADE)

    def test_a_relative_folder_is_the_callers_and_what_is_in_it_stays(self):
        out = os.path.join(self.here, 'out')
        os.mkdir(out)
        write(os.path.join(out, 'mine.deb'), 'mine')
        write(os.path.join(self.root, 'build-package', 'old_1.deb'), '')
        self.good(out, '--output', 'out')
        self.assertEqual((self.packages(out), text_of(os.path.join(out, 'mine.deb'))), (sorted([*MADE, 'mine.deb']), 'mine'))
        self.assertEqual(self.packages(os.path.join(self.root, 'build-package')), ['old_1.deb'])

    def test_the_folder_of_the_build_by_other_names(self):
        for name in ('../source/build-package', '../source/./build-package/'):
            self.good(os.path.join(self.root, 'build-package'), '--output', name)

    def test_arguments_of_cmake_before_and_after(self):
        self.good(os.path.join(self.here, 'a b'), '-DONE=1 2', '--output', 'a b', '-DTWO=2')
        asked = text_of(self.notes).splitlines()
        self.assertEqual(asked[asked.index('-DONE=1 2'):][:2], ['-DONE=1 2', '-DTWO=2'])
        self.assertNotIn('--output', asked)
        self.good(os.path.join(self.here, 'c'), '--output=c')

    def test_output_without_a_value(self):
        for arguments in (('--output',), ('--output=',), ('-DONE=1', '--output', '')):
            r = self.run_it(*arguments)
            self.assertEqual((r.returncode, r.stdout), (2, ''))
            self.assertIn('--output needs a value', r.stderr)
        self.assertFalse(os.path.exists(self.notes), 'nothing was built')


if __name__ == '__main__':
    unittest.main()
