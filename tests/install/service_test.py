"""prose-function.service as systemd-analyze judges it, and that its command line is one that the program takes."""
import os, re, shlex, shutil, subprocess, sys, tempfile, unittest

from tests.harness.files import text_of, write
from tests.install.installed import Installed

# systemd calls an exposure below 2 "OK". The rest is what a network server needs: IP sockets, and the host's own network.
MOST_EXPOSED = 1.5


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
            return r.returncode, r.stdout + r.stderr

    def test_verify_finds_nothing(self):
        self.assertEqual(self.verify(text_of(self.unit)), (0, ''))

    def test_control_verify_finds_a_mistake(self):
        _, said = self.verify(text_of(self.unit).replace('ProtectSystem=strict', 'ProtectSystem=tight'))
        self.assertIn('tight', said)

    def test_security(self):
        exposure = lambda path: float(re.search(r'exposure level for \S+ ([\d.]+)', subprocess.run(
            ['systemd-analyze', 'security', '--offline=yes', '--no-pager', path], capture_output=True, text=True).stdout)[1])
        self.assertLessEqual(exposure(self.unit), MOST_EXPOSED)
        with tempfile.TemporaryDirectory() as d:
            weak = write(os.path.join(d, 'weak.service'), '[Service]\nExecStart=/bin/true\n')
            self.assertGreater(exposure(weak), 9)

    def test_the_program_takes_the_command_line_and_reload_is_its_signal(self):
        text = text_of(self.unit)
        command = shlex.split(re.search(r'(?m)^ExecStart=(.+)$', text)[1])
        r = subprocess.run([self.at.program(command[0]), *command[1:]], capture_output=True, text=True)
        self.assertEqual(r.returncode, 2)
        self.assertIn('/etc/prose-function/function.yaml', r.stderr, 'only the configuration is missing')
        self.assertRegex(text, r'(?m)^ExecReload=/bin/kill -HUP \$MAINPID$')
        self.assertRegex(text, r'(?m)^ConditionPathExists=/etc/prose-function/function.yaml$')


if __name__ == '__main__':
    if shutil.which('systemd-analyze') is None:
        print('skipped: systemd is not installed')
        sys.exit(77)
    unittest.main()
