"""security/proof: a misspelt variant or a prover that is not there must not look like a proof."""
import os, shutil, subprocess, sys, tempfile, unittest

from tests.harness.paths import SOURCE

PROOF = os.path.join(SOURCE, 'security', 'proof')


class Mistakes(unittest.TestCase):
    def test_an_option_that_the_model_does_not_know_is_an_error(self):
        sys.path.insert(0, PROOF)
        from model import model
        self.assertIn('cnf(', model(['setup', 'query_secrecy', 'one_key_for_all'], True))
        with self.assertRaisesRegex(ValueError, 'one_key_for_everybody'):
            model(['setup', 'query_secrecy', 'one_key_for_everybody'], True)

    def test_one_prover_alone_is_not_enough(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('env', 'python3', 'prlimit', 'eprover'):
                os.symlink(shutil.which(name) or '/bin/true', os.path.join(folder, name))
            r = subprocess.run([os.path.join(PROOF, 'run'), '--only', 'sanity'], env={'PATH': folder}, capture_output=True, text=True)
        self.assertEqual((r.returncode, r.stderr), (1, 'run: SPASS: not installed (scripts/setup --test installs it)\n'))


if __name__ == '__main__':
    unittest.main()
