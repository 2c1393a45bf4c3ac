"""The commit of a source as cmake/commit.cmake finds it, and the date that scripts/package takes: of a checkout, a tarball, and a copy inside another checkout."""
import os, re, shutil, subprocess, sys, tempfile, unittest

from tests.harness.files import text_of, write
from tests.harness.paths import SOURCE

NOW, THEN, AROUND = '1700000000', '1600000000', '1500000000'
GIT = ('git', '-c', 'user.name=n', '-c', 'user.email=n@prose.invalid', '-c', 'commit.gpgsign=false')
NO_TOOLS = '#!/bin/sh\necho "$SOURCE_DATE_EPOCH" > "$NOTES"\nexit 1\n'  # scripts/package has its date by then


def commit_of(source, folder):
    """What the programs tell, '' if it is unknown."""
    made = os.path.join(folder, 'commit.cpp')
    subprocess.run(['cmake', '-DSOURCE=' + source, '-DOUTPUT=' + made, '-P', os.path.join(SOURCE, 'cmake', 'commit.cmake')], check=True)
    return re.search(r'prose_commit = "(.*)";', text_of(made))[1]


def of_source():
    """An expression for the commit of a build of this source: git or the tarball says it, or nobody does. Others may have been committed since."""
    with tempfile.TemporaryDirectory() as d:
        told = commit_of(SOURCE, d)
    return r'[0-9a-f]{40}(\+changes)?' if told else 'unknown'


class commit(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix='prose-commit-'))
        self.source = os.path.join(self.folder, 'around', 'source')
        os.makedirs(os.path.join(self.source, 'cmake'))
        os.mkdir(os.path.join(self.source, 'scripts'))
        for f in ('.gitattributes', 'CHANGELOG.md', 'cmake/commit.cmake', 'cmake/commit.txt', 'scripts/package'):
            write(os.path.join(self.source, f), text_of(os.path.join(SOURCE, f)), 0o755)
        write(os.path.join(self.source, 'cmake', 'commit.txt'), '$Format:%H$\n')  # here it may be that of a tarball
        os.utime(os.path.join(self.source, 'CHANGELOG.md'), (int(THEN), int(THEN)))

    def tearDown(self):
        shutil.rmtree(self.folder)

    def git(self, folder, *arguments, when=NOW):
        env = dict({k: v for k, v in os.environ.items() if not k.startswith('GIT_')}, GIT_COMMITTER_DATE=when + ' +0000', GIT_CONFIG_GLOBAL='/dev/null', GIT_CONFIG_SYSTEM='/dev/null')
        return subprocess.run([*GIT, '-C', folder, *arguments], env=env, check=True, capture_output=True).stdout

    def checkout(self, folder, when=NOW):
        for command in (('init', '-q'), ('add', '.'), ('commit', '-q', '--allow-empty', '-m', 'first')):
            self.git(folder, *command, when=when)
        return self.git(folder, 'rev-parse', 'HEAD').decode().strip()

    def told(self):
        return commit_of(self.source, self.folder)

    def date(self):
        tools = os.path.join(self.folder, 'tools')
        os.makedirs(tools, exist_ok=True)
        write(os.path.join(tools, 'cmake'), NO_TOOLS, 0o755)
        env = dict({k: v for k, v in os.environ.items() if k != 'SOURCE_DATE_EPOCH'}, PATH=tools + ':' + os.environ['PATH'], NOTES=os.path.join(self.folder, 'notes'))
        subprocess.run([os.path.join(self.source, 'scripts', 'package')], env=env, capture_output=True)
        return text_of(env['NOTES']).strip()

    def test_of_a_checkout(self):
        head = self.checkout(self.source)
        self.assertEqual((self.told(), self.date()), (head, NOW))
        write(os.path.join(self.source, 'CHANGELOG.md'), 'changed')
        self.assertEqual(self.told(), head + '+changes')

    def test_of_a_copy_inside_another_checkout(self):
        self.checkout(os.path.dirname(self.source), AROUND)
        self.assertEqual((self.told(), self.date()), ('', THEN))

    def test_of_a_tarball_inside_another_checkout(self):
        head = self.checkout(self.source)
        archive = self.git(self.source, 'archive', 'HEAD')
        shutil.rmtree(self.source)
        os.mkdir(self.source)
        self.checkout(os.path.dirname(self.source), AROUND)
        subprocess.run(['tar', '-x', '-C', self.source], input=archive, check=True)
        self.assertEqual((self.told(), self.date()), (head, NOW))

    def test_of_a_checkout_that_git_cannot_read(self):
        os.mkdir(os.path.join(self.source, '.git'))
        self.assertEqual((self.told(), self.date()), ('', THEN))


if __name__ == '__main__':
    if shutil.which('git') is None:
        print('skipped: git is not installed')
        sys.exit(77)
    unittest.main()
