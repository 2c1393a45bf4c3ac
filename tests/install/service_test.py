"""prose-function.service as systemd-analyze judges it, and that its command line is one that the program takes."""
import os, re, shlex, shutil, subprocess, sys, tempfile, unittest

from tests.harness.files import text_of, write
from tests.install.installed import Installed

# systemd calls an exposure below 2 "OK". The rest is what a network server needs: IP sockets, and the host's own network.
MOST_EXPOSED = 1.5
CONFIGURATION, DATABASE = '/etc/prose-function/function.yaml', '/var/lib/prose-function/function.db'
ENDS_S = 120  # a program that does not end would hang the test


class service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.at = Installed()
        cls.unit = cls.at.one('lib/systemd/system/prose-function.service')

    @classmethod
    def tearDownClass(cls):
        cls.at.remove()

    def verify(self, text):
        """What systemd says of a unit. The program is named by its path here, for it is not where systemd looks."""
        with tempfile.TemporaryDirectory() as d:
            unit = write(os.path.join(d, 'prose-function.service'), text.replace('ExecStart=prose-function', 'ExecStart=' + self.at.program('prose-function')))
            r = subprocess.run(['systemd-analyze', 'verify', '--man=no', unit], capture_output=True, text=True)
            return [l for l in (r.stdout + r.stderr).splitlines() if 'prose-function' in l]  # others' units are read too

    def test_verify_finds_nothing(self):
        self.assertEqual(self.verify(text_of(self.unit)), [])

    def test_control_verify_finds_a_mistake(self):
        for good, bad in (('ProtectSystem=strict', 'ProtectSystem=tight'), ('StartLimitBurst=', 'StartLimitBrust='), ('ExecStart=', 'ExecStart=/no/such/')):
            said = self.verify(text_of(self.unit).replace(good, bad))
            self.assertIn(bad.split('=')[1] or bad.split('=')[0], ' '.join(said))

    def test_security(self):
        def exposure(path):
            r = subprocess.run(['systemd-analyze', 'security', '--offline=yes', '--no-pager', path], capture_output=True, text=True)
            told = re.search(r'exposure level for \S+ ([\d.]+)', r.stdout)
            return float(told[1]) if told else self.fail(r.stdout + r.stderr)
        if '--offline' not in subprocess.run(['systemd-analyze', '--help'], capture_output=True, text=True).stdout:
            print('\nskipped: this systemd-analyze judges no units that are not loaded')
            return
        self.assertLessEqual(exposure(self.unit), MOST_EXPOSED)
        with tempfile.TemporaryDirectory() as d:
            weak = write(os.path.join(d, 'weak.service'), '[Service]\nExecStart=/bin/true\n')
            self.assertGreater(exposure(weak), 9)

    def test_the_program_takes_the_command_line_and_reload_is_its_signal(self):
        text = text_of(self.unit)
        command = shlex.split(re.search(r'(?m)^ExecStart=(.+)$', text)[1])
        self.assertEqual((command[2], command[4]), (CONFIGURATION, DATABASE))
        with tempfile.TemporaryDirectory() as d:  # not those of a server that this machine may have
            moved = {CONFIGURATION: os.path.join(d, 'function.yaml'), DATABASE: os.path.join(d, 'function.db')}
            r = subprocess.run([self.at.program(command[0]), *(moved.get(a, a) for a in command[1:])], capture_output=True, text=True, timeout=ENDS_S)
            self.assertEqual(os.listdir(d), [])
        self.assertEqual(r.returncode, 2)
        self.assertIn(moved[CONFIGURATION], r.stderr, 'only the configuration is missing')
        self.assertRegex(text, r'(?m)^ExecReload=/bin/kill -HUP \$MAINPID$')
        self.assertRegex(text, r'(?m)^ConditionPathExists=%s$' % CONFIGURATION)

    def test_a_failure_is_tried_again_and_not_for_ever(self):
        """An address that is not there yet is a failure as any other, so none may end the service at once."""
        text = text_of(self.unit)
        number = lambda key: int(re.search(r'(?m)^%s=(\d+)$' % key, text)[1])
        self.assertRegex(text, r'(?m)^Restart=on-failure$')
        self.assertNotIn('RestartPreventExitStatus', text)
        self.assertGreater(number('StartLimitIntervalSec'), number('RestartSec') * number('StartLimitBurst'), 'otherwise the limit is never reached')


if __name__ == '__main__':
    if shutil.which('systemd-analyze') is None:
        print('skipped: systemd is not installed')
        sys.exit(77)
    unittest.main()
