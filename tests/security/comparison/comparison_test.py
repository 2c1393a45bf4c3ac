"""docs/comparison.md has the figures of a run and all rows of docs/attacks.md, and scripts/compare_profiles notices where it has not."""
import contextlib, os, shutil, subprocess, tempfile, unittest

from tests.harness.paths import SOURCE

COPIED = ('scripts/compare_profiles', 'docs/attacks.md', 'docs/comparison.md', 'tests/adversary/mutants/checks.py')


def compare(root, *arguments):
    return subprocess.run([os.path.join(root, 'scripts', 'compare_profiles'), *arguments], capture_output=True, text=True)


@contextlib.contextmanager
def copied():
    with tempfile.TemporaryDirectory() as root:
        for name in COPIED:
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            shutil.copy(os.path.join(SOURCE, name), os.path.join(root, name))
        yield root


def edit(root, name, old, new):
    """What was there before."""
    path = os.path.join(root, name)
    right = open(path).read()
    assert right.count(old) >= 1, old
    with open(path, 'w') as f:
        f.write(right.replace(old, new, 1))
    return right


class Comparison(unittest.TestCase):
    def test_the_document_has_the_figures_of_a_run(self):
        r = compare(SOURCE, '--check')
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, '', ''))

    def test_another_figure_is_noticed_and_put_right(self):
        with copied() as root:
            right = edit(root, 'docs/comparison.md', 'records open', 'records opened')
            self.assertEqual(compare(root, '--check').returncode, 1)
            self.assertEqual(compare(root).returncode, 0)
            self.assertEqual(open(os.path.join(root, 'docs/comparison.md')).read(), right)

    def test_a_row_that_nobody_compares_is_an_error(self):
        for old, new in (('| [16](', '| [17](x) | new | `t` | none |\n| [16]('), ('## Further attacks\n', '## Further attacks\n\n**A new one.** Test: `t`.\n')):
            with copied() as root:
                edit(root, 'docs/attacks.md', old, new)
                r = compare(root, '--check')
                self.assertTrue(r.returncode == 1 and 'not compared' in r.stderr, r)


if __name__ == '__main__':
    unittest.main()
