"""docs/comparison.md has the figures of a run, and scripts/compare_profiles notices where it has not."""
import os, shutil, subprocess, tempfile, unittest

from tests.harness.paths import SOURCE


def compare(root, *arguments):
    return subprocess.run([os.path.join(root, 'scripts', 'compare_profiles'), *arguments], capture_output=True, text=True)


class Comparison(unittest.TestCase):
    def test_the_document_has_the_figures_of_a_run(self):
        r = compare(SOURCE, '--check')
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, '', ''))

    def test_another_figure_is_noticed_and_put_right(self):
        with tempfile.TemporaryDirectory() as root:
            for name in ('scripts/compare_profiles', 'docs/attacks.md', 'docs/comparison.md'):
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                shutil.copy(os.path.join(SOURCE, name), os.path.join(root, name))
            document = os.path.join(root, 'docs', 'comparison.md')
            right = open(document).read()
            self.assertIn('| 1 | ', right)
            with open(document, 'w') as f:
                f.write(right.replace('records open', 'records opened', 1))
            self.assertEqual(compare(root, '--check').returncode, 1)
            self.assertEqual(compare(root).returncode, 0)
            self.assertEqual(open(document).read(), right)


if __name__ == '__main__':
    unittest.main()
