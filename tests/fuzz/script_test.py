"""scripts/fuzz: what it takes, and with PROSE_FUZZ_SECONDS a real run of one small target."""
import os, re, subprocess, sys, unittest

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
        for wrong in (('nothing',), ('sci', '0'), ('sci', '1s'), ('sci', '-1'), ('all', 'all'), ('--what',), ('sci', '1', '2')):
            r = fuzz(*wrong)
            self.assertEqual((r.returncode, len(r.stderr.splitlines()), r.stdout), (2, 1, ''), wrong)

    def a_run_keeps_a_small_corpus_and_tells_the_coverage(self):
        r = fuzz('sci', SECONDS)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        row = re.fullmatch(r'sci +(\d+) runs +(\d+) inputs kept +(\d+) of +(\d+) edges\n', r.stdout)
        self.assertTrue(row, r.stdout)
        runs, kept, reached, there = map(int, row.groups())
        self.assertGreater(runs, 1000)
        self.assertGreater(kept, 0)
        self.assertTrue(0 < reached <= there)


if SECONDS:
    fuzz_script.test_a_run = fuzz_script.a_run_keeps_a_small_corpus_and_tells_the_coverage

if __name__ == '__main__':
    unittest.main()
