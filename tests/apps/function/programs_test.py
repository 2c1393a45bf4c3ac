"""prose-function and prose-keys as a user meets them, and kill -9 under load, PROSE_KILLS times."""
import os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time, unittest

from tests.harness import process
from tests.harness.files import text_of, write
from tests.harness.function import Server
from tests.harness.keys import prose_keys
from tests.harness.paths import SOURCE, program
from tests.harness.process import wait

KILLS = int(os.environ.get('PROSE_KILLS', 3))


def run(name, *a):
    return process.run(name, *a, code=None)


class function_programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.s = Server(self.folder.name, ('mary', 'john'))
        self.path, self.start, self.at_server = self.s.path, self.s.start, self.s.at_server

    def tearDown(self):
        self.s.kill()
        self.folder.cleanup()

    def ok(self, *a):
        return prose_keys(*a).stdout

    def interrupt(self):
        self.s.process.send_signal(signal.SIGINT)
        self.assertEqual(self.s.process.wait(20), 0)

    def test_grant_list_withdraw(self):
        self.start()
        self.assertEqual(self.at_server('mary', 'grant', 'john').returncode, 0)
        self.assertEqual(self.at_server('mary', 'list').stdout, 'john - pending server=granted\n')  # one-sided: no key
        self.assertEqual(self.at_server('john', 'grant', 'mary').returncode, 0)
        key = self.ok('pub', self.path('john.key')).strip()
        pair = self.ok('fingerprint', key, '--key', self.path('mary.key')).strip()
        self.assertEqual(self.at_server('mary', 'list').stdout, 'john %s pending fingerprint=%s server=mutual\n' % (key, pair.replace(' ', '')))
        self.assertEqual(run('prose-keys', 'grant', 'john', '--fingerprint', pair, '--key', self.path('mary.key')).returncode, 0)
        self.assertEqual(run('prose-keys', 'list', '--key', self.path('mary.key')).stdout, 'john - fingerprint wanted=%s\n' % pair.replace(' ', ''))
        self.assertEqual(self.at_server('mary', 'withdraw', 'john').returncode, 0)
        self.assertEqual(self.at_server('mary', 'list').stdout, '')
        audit = text_of(self.path('audit.jsonl'))
        self.assertIn('withdraw john', audit)
        for secret in (key, text_of(self.path('john.key')).strip()):
            self.assertNotIn(secret, audit)
        # Another key for a registered name needs --replace.
        os.remove(self.path('john.key'))
        self.ok('gen', self.path('john.key'))
        self.assertEqual(self.at_server('john', 'register').returncode, 1)
        self.assertEqual(self.at_server('john', 'register', '--replace').returncode, 0)
        self.interrupt()
        r = self.at_server('mary', 'list')
        self.assertEqual((r.returncode, len(r.stderr.splitlines())), (1, 1), r.stderr)
        # Without its server a withdrawal is in force all the same, and says that the server was not told.
        self.assertEqual(self.at_server('mary', 'grant', 'john').returncode, 1)
        r = self.at_server('mary', 'withdraw', 'john')
        self.assertEqual((r.returncode, len(r.stderr.splitlines()), 'in force' in r.stderr), (1, 1, True), r.stderr)
        self.assertEqual(run('prose-keys', 'list', '--key', self.path('mary.key')).stdout, '')

    def test_rotate(self):
        self.start()
        key, john = self.path('john.key'), lambda: self.ok('pub', self.path('john.key')).strip()
        old, mary = john(), self.ok('pub', self.path('mary.key')).strip()
        mark = key + '.mark'
        write(mark, '5\n')
        self.ok('grant', 'mary', '--trust-first', '--key', key)
        self.ok('grant', 'ann', '--fingerprint', '00' * 32, '--key', key)
        write(key + '.consent', text_of(key + '.consent').replace('mary trust-first', 'mary first ' + mary))
        self.assertEqual(self.at_server('john', 'register').returncode, 0)
        r = self.at_server('john', 'rotate')
        self.assertEqual(r.returncode, 0, r.stderr)
        new = john()
        self.assertNotEqual(old, new)
        pair = self.ok('fingerprint', mary, '--key', key).strip()
        self.assertEqual(r.stdout, 'fingerprint mary %s\nkey %s\n' % (pair, new))
        self.assertIn('pending now: ann', r.stderr)
        self.assertFalse(os.path.exists(mark) or os.path.exists(key + '.rotating'))
        self.assertEqual(self.ok('list', '--key', key), 'ann - pending\nmary %s first\n' % mary)
        # The server goes away: the key stays, and the next call goes on with the one that waits.
        self.interrupt()
        r = self.at_server('john', 'rotate')
        self.assertEqual((r.returncode, len(r.stderr.splitlines()), john()), (1, 1, new), r.stderr)
        waits = self.ok('pub', key + '.rotating').strip()
        # Without a server, and on a new device that has no key yet.
        os.remove(key)
        r = run('prose-keys', 'rotate', '--key', key)
        self.assertEqual((r.returncode, john()), (0, waits), r.stderr)
        self.assertIn('until each peer has withdrawn it by hand', r.stderr)
        self.assertEqual(run('prose-keys', 'rotate').returncode, 2)
        # The operator's word.
        store = ('--store', self.path('f.db'), '--replace-key')
        self.assertEqual(run('prose-function', *store, 'john=' + waits).returncode, 0)
        for bad, code in (('john=' + old, 1), ('nobody=' + mary, 1), ('john', 2), ('john=x', 2)):
            r = run('prose-function', *store, bad)
            self.assertEqual((r.returncode, len(r.stderr.splitlines())), (code, 1), (bad, r.stderr))

    def test_the_list_without_a_server(self):
        key, john = self.path('mary.key'), self.ok('pub', self.path('john.key')).strip()
        at = lambda *a: run('prose-keys', *a, '--key', key)
        self.assertEqual(at('list').stdout, '')
        for a in ('ann',), ('bob', '--trust-first'), ('bob',):
            self.assertEqual(at('grant', *a).returncode, 0)
        self.assertEqual(at('list').stdout, 'ann - pending\nbob - trust-first\n')
        self.assertEqual(os.stat(key + '.consent').st_mode & 0o777, 0o600)
        for bad in ('12', 'x' * 64):
            r = at('grant', 'john', '--fingerprint', bad)
            self.assertEqual((r.returncode, len(r.stderr.splitlines())), (2, 1), r.stderr)
        for a in (('grant', '../x'), ('grant',), ('grant', 'a', '--trust-first', '--fingerprint', 'f'), ('grant', '--from-cache'), ('withdraw', '../x')):
            self.assertEqual(at(*a).returncode, 2, a)
        self.assertEqual(run('prose-keys', 'grant', 'john').returncode, 2)
        self.assertEqual(at('withdraw', 'ann').returncode, 0)
        self.assertEqual(at('list').stdout, 'bob - trust-first\n')
        # A list that others may write is no list.
        os.chmod(key + '.consent', 0o666)
        self.assertEqual(at('list').returncode, 2)
        os.chmod(key + '.consent', 0o600)
        write(key + '.consent', text_of(key + '.consent') + 'john sure\n')
        r = at('list')
        self.assertEqual((r.returncode, 'mary.key.consent:5: ' in r.stderr), (2, True), r.stderr)

    def test_the_cache_of_version_0_1_is_imported_once(self):
        key, cache, john = self.path('mary.key'), self.path('mary.cache'), self.ok('pub', self.path('john.key')).strip()
        other = self.ok('pub', key).strip()
        for name, line in (('.pins', 'john %s\npaul %s\n' % (john, other)), ('.function.example', 'john %s\n' % john), ('.second.example', ''), ('.pending', 'x bad\n')):
            write(cache + name, line, 0o600)
        at = lambda *a: run('prose-keys', *a, '--key', key)
        self.assertEqual(at('grant', '--from-cache', '--cache', cache).stdout, 'john\n')  # Paul is not permitted now
        self.assertEqual(at('list').stdout, 'john %s first\n' % john)
        self.assertEqual(at('withdraw', 'john').returncode, 0)
        self.assertEqual(at('grant', '--from-cache', '--cache', cache).returncode, 2)
        self.assertEqual(at('list').stdout, '')

    def test_mistakes_are_one_line_with_code_2(self):
        write(self.path('bad.yaml'), 'port: 7\nno_such: 1\n')
        for program, a in (('prose-function', ('--config', self.path('bad.yaml'))), ('prose-function', ('--no-such',)), ('prose-function', ()),
                           ('prose-function', ('--ca', '/none', '--certificate', '/none', '--key', '/none')),
                           ('prose-keys', ('ca', 'init', '--folder', self.s.authority.folder)), ('prose-keys', ('grant', 'john')),
                           ('prose-keys', ('confirm', 'john', '--cache', self.path('none')))):
            r = run(program, *a)
            self.assertEqual((r.returncode, len(r.stderr.strip().splitlines())), (2, 1), (program, a, r.stderr))
        for a in ('--help', '--version'):
            self.assertEqual(run('prose-function', a).returncode, 0)

    def test_the_commands_of_the_readme_with_the_shipped_configuration(self):
        readme = text_of(os.path.join(SOURCE, 'apps', 'lib', 'function', 'README.md'))
        commands = [l.split() for l in readme.splitlines() if l.startswith('    prose-')]
        self.assertEqual({c[0] for c in commands}, {'prose-keys', 'prose-function'})
        cwd = self.path('copy')
        os.mkdir(cwd)
        shutil.copytree(os.path.join(SOURCE, 'configs'), os.path.join(cwd, 'configs'), ignore=shutil.ignore_patterns('tls'))
        config = os.path.join(cwd, 'configs', 'function.yaml')
        text = text_of(config)
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        write(config, text.replace('port: 7999', 'port: %d' % port))
        for c in commands:
            if c[0] == 'prose-function':
                self.s.process = subprocess.Popen([program(c[0]), *c[1:], '--log-level', 'off'], cwd=cwd)

                def listens():
                    try:
                        socket.create_connection(('127.0.0.1', port)).close()
                        return True
                    except OSError:
                        return False
                wait(listens, 30, [self.s.process], 'a server that listens')
                continue
            c += ['--port', str(port)] if '--server' in c and c[1] != 'ca' else []
            process.run(*c, cwd=cwd)

    def test_killed_under_load_it_keeps_what_it_acknowledged(self):
        rng = random.Random(7)
        granted = {'mary': {}, 'john': {}}   # peer -> acknowledged state; None: unknown, the answer never came
        acknowledged = []
        for kill in range(KILLS):
            self.start()
            stop = threading.Event()

            def load(user):
                n = 0
                while not stop.is_set():
                    peer = 'p%d' % (n % 40)
                    n += 1
                    give = not granted[user].get(peer)
                    done = self.at_server(user, 'grant' if give else 'withdraw', peer).returncode == 0
                    granted[user][peer] = give if done else None
                    acknowledged.extend([peer] * done)
            threads = [threading.Thread(target=load, args=(u,)) for u in granted]
            for t in threads:
                t.start()
            before, end = len(acknowledged), time.monotonic() + 60
            while len(acknowledged) < before + 2 and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(rng.uniform(0.3, 1.2))
            self.s.kill()
            stop.set()
            for t in threads:
                t.join()
            self.start()
            for user in granted:
                listed = self.at_server(user, 'list')
                self.assertEqual(listed.returncode, 0, listed.stderr)
                there = {l.split()[0] for l in listed.stdout.splitlines() if 'server=' in l}
                for peer, state in granted[user].items():
                    if state is not None:
                        self.assertEqual(peer in there, state, (kill, user, peer))
                    granted[user][peer] = peer in there
            self.s.kill()
        self.assertGreater(len(acknowledged), KILLS)
        print('%d kills, %d acknowledged changes, none lost' % (KILLS, len(acknowledged)), file=sys.stderr)


if __name__ == '__main__':
    unittest.main()
