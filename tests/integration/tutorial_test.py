"""Runs the commands of docs/tutorial.md as they stand there, in their order, up to the section that needs radios. They run in a folder that looks like a
checkout with a build, so that what they leave goes away."""
import os, re, signal, subprocess, tempfile, unittest

from tests.harness.paths import BUILD, SOURCE

BUILT_BEFORE = {'scripts/setup', 'scripts/build'}


def commands(text):
    """The indented lines, some within lists, before the section on radios."""
    before = text[:text.index('USRPs on two hosts\n')]
    return [c for c in re.findall(r'(?m)^ {4,6}(\S.*)$', before) if c not in BUILT_BEFORE and not c.startswith(('-', '!'))]


class tutorial(unittest.TestCase):
    def setUp(self):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it, and so would what is started here
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.at = place.name
        for name in os.listdir(SOURCE):
            if not name.startswith(('.', 'build')):
                os.symlink(os.path.join(SOURCE, name), os.path.join(self.at, name))
        os.symlink(BUILD, os.path.join(self.at, 'build'))
        # The build is there; building again would be that of another checkout.
        self.env = dict(os.environ, UHD_MODULE_PATH=os.path.join(BUILD, 'uhd_modules'), XDG_STATE_HOME=os.path.join(self.at, 'state'), PYTHONDONTWRITEBYTECODE='1',
                        PATH='/usr/bin:' + os.environ['PATH'])  # Debian's Python, which has NumPy

    def run_one(self, command):
        c = re.sub(r'^scripts/(demo|examples)', r'scripts/\1 --no-build', command)
        lives = '--live' in c
        p = subprocess.Popen(['bash', '-c', 'exec ' + c if lives else c], cwd=self.at, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors='replace')
        said = ''
        with p:
            for line in p.stdout:
                said += line
                if lives and 'http://' in line:
                    p.send_signal(signal.SIGINT)
        return p.returncode, said

    def test_each_command_does_what_the_tutorial_says(self):
        with open(os.path.join(SOURCE, 'docs', 'tutorial.md')) as f:
            text = f.read()
        todo = commands(text)
        self.assertGreaterEqual(len(todo), 20, todo)
        for command in todo:
            print('$', command, flush=True)
            code, said = self.run_one(command)
            wanted = 0
            if '--weak' in command:
                wanted = 3
                self.assertIn('EXPOSED', said)
            self.assertEqual(code, wanted, '%s\n%s' % (command, said[-3000:]))
            if ' ping ' in command:
                self.assertRegex(said, r'[1-9]\d* received')
            if ' send ' in command:
                self.assertIn('peter heard from john: hello Peter', said)
        for made in ('first/report.html', 'first/air.pcap', 'first/recording.png', 'town/town.pcap', 'town/town.html', 'town/again.jsonl', 'town/town.png', 'town/spectrogram.png'):
            self.assertGreater(os.path.getsize(os.path.join(self.at, made)), 100, made)

    def test_what_the_tutorial_points_at_is_there(self):
        with open(os.path.join(SOURCE, 'docs', 'tutorial.md')) as f:
            text = f.read()
        for to in re.findall(r'\]\(([^)#]+)', text):
            self.assertTrue(os.path.exists(os.path.join(SOURCE, 'docs', to)), to)


if __name__ == '__main__':
    unittest.main()
