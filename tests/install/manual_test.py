"""Manual pages and completions of an installation, as man and bash take them; they say what the programs say."""
import gzip, os, re, shutil, subprocess, tempfile, unittest

from tests.harness.files import write
from tests.harness.paths import SOURCE
from tests.install.installed import PROGRAMS, Installed

COMPLETE = '''. "$1"
shift
complete -p "$1" | grep -q -- '-F' || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
'''


class manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.at = Installed()

    @classmethod
    def tearDownClass(cls):
        cls.at.remove()

    def page(self, name):
        return os.path.join(self.at.prefix, 'share', 'man', 'man1', name + '.1.gz')

    def completed(self, *words, cwd=None):
        script = os.path.join(self.at.prefix, 'share', 'bash-completion', 'completions', words[0])
        r = subprocess.run(['bash', '-uc', COMPLETE, 'bash', script, *words], capture_output=True, text=True, cwd=cwd or self.at.prefix)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        return [w for w in r.stdout.splitlines() if w]

    def test_every_page_renders_without_a_warning(self):
        if shutil.which('man') is None:
            print('\nskipped: man-db is not installed')
            return
        for name in (*PROGRAMS, 'prose-demo', 'prose-lab'):
            r = subprocess.run(['man', '--warnings', '-E', 'UTF-8', '-l', self.page(name)], capture_output=True, text=True,
                               env=dict(os.environ, MANWIDTH='100', LC_ALL='C.UTF-8', MAN_KEEP_FORMATTING=''))
            self.assertEqual((r.returncode, r.stderr), (0, ''), name)
            for heading in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'SEE ALSO'):
                self.assertRegex(r.stdout, r'(?m)^%s$' % heading, name)
            self.assertIn({'prose-demo': '--with-function', 'prose-lab': 'send A B'}.get(name, '--help'), r.stdout, name)

    def test_a_page_has_every_option_and_no_more(self):
        for name in PROGRAMS:
            with gzip.open(self.page(name), 'rt') as f:
                text = re.sub(r'\\(?=-)', '', f.read())
            told = {o for line in re.findall(r'(?m)^\.B[I ] ?"?(-.*?)"?$', text) for o in re.findall(r'--[a-z][a-z0-9-]*', line)}
            help_text = ''
            for command in ('', *re.findall(r'(?m)^\.SS (.+)$', text)):
                help_text += subprocess.run([self.at.program(name), *command.split(), '--help'], capture_output=True, text=True, env=self.at.env, check=True).stdout
            said = {o for line in re.findall(r'(?m)^  +(-.*)$', help_text) for o in re.findall(r'--[a-z][a-z0-9-]*', line.split('   ')[0].split(' ')[0])}
            self.assertGreater(len(said), 3, name)
            self.assertEqual(told, said, name)

    def test_a_program_that_does_not_say_its_options_is_an_error(self):
        for script in ('exit 1', 'exit 0'):
            with tempfile.TemporaryDirectory() as d:
                path = write(os.path.join(d, 'mute'), '#!/bin/sh\n%s\n' % script, 0o755)
                r = subprocess.run([os.path.join(SOURCE, 'scripts', 'manual'), '1.0', d, path], capture_output=True, text=True)
                self.assertEqual((r.returncode, os.path.exists(os.path.join(d, 'prose-mute.1.gz'))), (1, False), r.stderr)
                self.assertIn('mute --help', r.stderr)

    def test_completion(self):
        self.assertEqual(self.completed('prose-ue', '--met'), ['--metrics-port'])
        self.assertEqual(self.completed('prose-ue', '--data', 's'), ['stdin'])
        self.assertEqual(self.completed('prose-ue', '--data', '=', 't'), ['tun'], '--data=t')
        self.assertEqual(self.completed('prose-ue', '--duration', ''), [], 'nobody knows how long')
        self.assertIn('share', self.completed('prose-sniffer', '--scene', 's'))
        self.assertEqual(self.completed('prose-iq', 'con'), ['convert'])
        self.assertEqual(self.completed('prose-iq', 'info', '--ver'), ['--verify', '--version'])
        self.assertIn('share', self.completed('prose-iq', 'info', ''))
        self.assertEqual(self.completed('prose-keys', 'ca', 'i'), ['init', 'issue'])
        self.assertEqual(self.completed('prose-keys', 'ca', 'issue', '--ser'), ['--server'])
        for words in (('prose-keys', 'grant', 's'), ('prose-keys', 'permit', 'name', 's'), ('prose-ue', 's'), ('prose-ue', '--show', 's'), ('prose-keys', 'gen', '--psk', '--fol')):
            self.assertEqual(self.completed(*words), [], 'no file is taken there')
        for words in (('prose-keys', 'gen', 's'), ('prose-keys', 'gen', '--psk', 's'), ('prose-keys', 'permit', '--psk', 's'), ('prose-iq', 'convert', 's'), ('prose-ue', '--events', '=', 's'),
                      ('prose-keys', 'ca', 'init', '--folder', 's'), ('prose-iq', '--config', 's')):
            self.assertEqual(self.completed(*words), ['share'], words)
        for name in PROGRAMS:
            self.assertIn('--help', self.completed(name, '--h'), name)


if __name__ == '__main__':
    unittest.main()
