"""The whole demo, with a server too, from an installation."""
import subprocess, tempfile, unittest

from tests.install.installed import Installed


class demo(unittest.TestCase):
    def test_every_claim_holds(self):
        at = Installed()
        try:
            with tempfile.TemporaryDirectory() as d:
                r = subprocess.run([at.program('prose-demo'), '--with-function', '--speed', 'max'], cwd=d, capture_output=True, text=True)
            self.assertEqual(r.returncode, 0, r.stdout[-3000:] + r.stderr)
            self.assertNotIn('FAIL', r.stdout)
            self.assertEqual([f for f in at.files() if f.endswith('.pyc')], [])
        finally:
            at.remove()


if __name__ == '__main__':
    unittest.main()
