"""scripts/fuzz: what it takes, and with PROSE_FUZZ_SECONDS a real run of one small target."""
import importlib.machinery, importlib.util, os, re, shutil, subprocess, sys, tempfile, unittest
from unittest import mock

from tests.harness.files import write
from tests.harness.paths import SOURCE

FUZZ = os.path.join(SOURCE, 'scripts', 'fuzz')
SECONDS = os.environ.get('PROSE_FUZZ_SECONDS')


def fuzz(*arguments):
    return subprocess.run([FUZZ, *arguments], capture_output=True, text=True)


class fuzz_script(unittest.TestCase):
    def test_names_are_those_of_the_corpus(self):
        names = fuzz('--list').stdout.split()
        self.assertEqual(sorted(os.listdir(os.path.join(SOURCE, 'tests', 'fuzz', 'corpus'))), names)

    def test_mistakes_are_one_line(self):
        for wrong in (('nothing',), ('sci', '0'), ('sci', '1s'), ('sci', '-1'), ('all', 'all'), ('--what',), ('sci', '1', '2'), ('sci', '1', '--runs', '0'), ('sci', '1', '--runs')):
            r = fuzz(*wrong)
            self.assertEqual((r.returncode, len(r.stderr.splitlines()), r.stdout), (2, 1, ''), wrong)

    def test_a_corpus_is_replaced_without_a_moment_of_loss(self):
        loader = importlib.machinery.SourceFileLoader('fuzz_script', FUZZ)
        script = importlib.util.module_from_spec(importlib.util.spec_from_loader('fuzz_script', loader))
        loader.exec_module(script)
        old, new = {'a', 'b', 'c'}, {'c', 'd', 'e'}
        for steps in range(7):  # three are moved and two removed; then nothing interrupts
            left = iter(range(steps))

            def step(call):
                def counted(*a):
                    if next(left, None) is None:
                        raise KeyboardInterrupt
                    return call(*a)
                return counted
            with self.subTest(steps), tempfile.TemporaryDirectory() as d:
                kept, small = os.path.join(d, 'kept'), os.path.join(d, 'small')
                for folder, names in ((kept, old), (small, new)):
                    os.mkdir(folder)
                    for n in names:
                        write(os.path.join(folder, n), n)
                with mock.patch('os.replace', step(os.replace)), mock.patch('os.remove', step(os.remove)), mock.patch('shutil.rmtree', step(shutil.rmtree)):
                    try:
                        script.replace(kept, small)
                    except KeyboardInterrupt:
                        self.assertLess(steps, 5)
                there = set(os.listdir(kept))
                self.assertTrue(old <= there or new <= there, there)
                self.assertEqual(there == new, steps >= 5)

    def a_run_keeps_a_small_corpus_and_tells_the_coverage(self):
        r = fuzz('sci', SECONDS)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        row = re.fullmatch(r'sci +(\d+) runs +(\d+) inputs kept +(\d+) of +(\d+) edges\n', r.stdout)
        self.assertTrue(row, r.stdout)
        runs, kept, reached, there = map(int, row.groups())
        self.assertRegex(fuzz('sci', SECONDS, '--runs', '1000').stdout, r'^sci +1000 runs ')
        self.assertGreater(runs, 1000)
        self.assertGreater(kept, 0)
        self.assertTrue(0 < reached <= there)


if SECONDS:
    fuzz_script.test_a_run = fuzz_script.a_run_keeps_a_small_corpus_and_tells_the_coverage

if __name__ == '__main__':
    if SECONDS and shutil.which('clang++') is None:
        print('skipped: clang is not installed')
        sys.exit(77)
    unittest.main()
