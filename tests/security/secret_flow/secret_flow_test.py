"""No branch and no address of ours depends on a secret, from key to record: valgrind's memcheck over secret_flow.cpp."""
import os, re, shutil, subprocess, sys, unittest

from tests.harness.files import text_of
from tests.harness.paths import SOURCE, tool

SUPPRESSIONS = os.path.join(SOURCE, 'tests', 'security', 'secret_flow', 'mbedtls.supp')
REPORTED = 9
# How often a file says that a value is no secret any more. Another number is another set of secrets, and THREATS.md is to be read again.
MARKS = {'crypto/aead.cpp': 3, 'crypto/hash.cpp': 1, 'crypto/x25519.cpp': 3, 'discovery_code.cpp': 2, 'epoch_chain.cpp': 1, 'link_handshake.cpp': 1, 'link_setup.cpp': 1,
         'ts33303/context.cpp': 2, 'ts33303/direct_link_setup.cpp': 1}


def memcheck(*arguments, program='secret_flow'):
    return subprocess.run(['valgrind', '--quiet', '--error-exitcode=%d' % REPORTED, '--error-limit=no', '--suppressions=' + SUPPRESSIONS, tool(program), *arguments],
                          capture_output=True, text=True, timeout=600)


class secret_flow(unittest.TestCase):
    def test_nothing_of_ours_depends_on_a_secret(self):
        r = memcheck()
        self.assertEqual((r.returncode, r.stdout), (0, 'both suites from key to record\n'), r.stderr[-4000:])

    def test_controls_are_reported(self):
        for control in ('branch', 'address', 'comparison'):
            r = memcheck('leak', control)
            self.assertEqual(r.returncode, REPORTED, control)
            self.assertIn('leak_by_' + control, r.stderr)

    def test_only_functions_of_mbedtls_are_excluded_and_all_are_listed(self):
        text = text_of(SUPPRESSIONS)
        entries = re.findall(r'\{(.*?)\}', text, re.S)
        threats = text_of(os.path.join(SOURCE, 'security', 'THREATS.md'))
        self.assertGreater(len(entries), 10)
        for e in entries:
            frames = [l.strip() for l in e.splitlines() if re.match(r' *(fun|obj|\.\.\.)', l)]
            self.assertRegex(frames[0], r'^(fun:mbedtls_\w+|obj:\*/libmbedcrypto\.so\*)$', e)
            self.assertRegex(frames[-1], r'^fun:mbedtls_\w+$', e)
            self.assertIn('`%s`' % frames[-1][4:], threats)

    def test_every_mark_that_a_value_is_no_secret_is_listed(self):
        threats = text_of(os.path.join(SOURCE, 'security', 'THREATS.md'))
        listed = threats.split('**Declassified.**')[1].split('\n- ')[0]
        self.assertEqual(set(re.findall(r'`(\S+\.cpp)`', listed)), set(MARKS))
        folder, found = os.path.join(SOURCE, 'security'), {}
        for root, _, files in os.walk(folder):
            for name in (os.path.join(root, f) for f in files if f.endswith(('.cpp', '.h')) and f != 'declassify.h'):
                if marks := len(re.findall(r'\bdeclassif(?:y|ied)\(', text_of(name))):
                    found[os.path.relpath(name, folder)] = marks
        self.assertEqual(found, MARKS)


def main():
    if shutil.which('valgrind') is None:
        print('skipped: valgrind is not installed')
        sys.exit(77)
    if ' aes ' not in text_of('/proc/cpuinfo'):
        print('skipped: this processor has no AES instructions, without which mbedTLS looks tables up')
        sys.exit(77)
    unittest.main()


if __name__ == '__main__':
    main()
