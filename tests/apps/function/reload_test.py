"""prose-function reads its list of denied users again on SIGHUP."""
import os, signal, tempfile, threading, unittest

from tests.harness.files import write
from tests.harness.function import Server, closed_by_server
from tests.harness.process import Background, wait


class reload(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.s = Server(self.folder.name, ('mary', 'john'))
        self.config = self.s.path('function.yaml')
        write(self.config, 'denied: [peter]\n')
        self.s.start('--config', self.config)

    def tearDown(self):
        self.s.kill()
        self.folder.cleanup()

    def hang_up(self, event):
        before = len(self.of(event))
        self.s.process.send_signal(signal.SIGHUP)
        return wait(lambda: self.of(event)[before:], 60, [self.s.process], event)[0]

    def of(self, event):
        return [e for e in self.s.audit() if e['event'] == event]

    def refused(self, user):
        context = self.s.context(user)
        with closed_by_server():
            self.s.connect(user, context)

    def closed(self, c):
        with closed_by_server():
            while True:
                c.read()

    def test_the_denied_lose_their_sessions(self):
        mary, polls, john = self.s.connect('mary'), self.s.connect('mary'), self.s.connect('john')
        self.assertEqual(self.s.at_server('mary', 'register').returncode, 0)
        polls.request(op='changes', since=0, wait_s=60)
        write(self.config, 'denied: [peter, mary]\n')
        self.assertEqual(self.hang_up('denied_read')['users'], 2)
        self.closed(mary)
        self.closed(polls)
        self.refused('mary')
        self.assertEqual(john.ask(op='list')['answer'], 'list')
        # And may come again.
        write(self.config, 'denied: []\n')
        self.hang_up('denied_read')
        self.assertEqual(self.s.connect('mary').ask(op='list')['answer'], 'list')
        self.assertIsNone(self.s.process.poll())

    def test_a_bad_file_leaves_the_old_list(self):
        write(self.config, 'denied: [mary]\n')
        self.hang_up('denied_read')
        # What is refused: denied_test.cpp. An empty file is what "> function.yaml" leaves before an editor has written it.
        for bad in ('', 'denied: [john', 'denied: [john]\nport: never\n', None):
            if bad is None:
                os.remove(self.config)
            else:
                write(self.config, bad)
            self.assertIn('function.yaml', self.hang_up('denied_unreadable')['error'])
            self.refused('mary')
            self.assertEqual(self.s.connect('john').ask(op='list')['answer'], 'list')

    def test_a_pipe_in_its_place_is_not_waited_for(self):
        write(self.config, 'denied: [mary]\n')
        self.hang_up('denied_read')
        os.remove(self.config)
        os.mkfifo(self.config, 0o600)
        self.assertIn('not a regular file', self.hang_up('denied_unreadable')['error'])
        self.refused('mary')
        self.assertEqual(self.s.connect('john').ask(op='list')['answer'], 'list')

    def test_a_configuration_that_is_read_once_ends_by_the_signal(self):
        self.s.kill()
        reader, writer = os.pipe()
        os.write(writer, b'denied: [mary]\n')
        os.close(writer)
        self.s.start('--config', '/dev/fd/%d' % reader, pass_fds=(reader,))
        os.close(reader)
        self.refused('mary')
        self.s.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.s.process.wait(60), 0)
        self.assertFalse(self.of('denied_read') + self.of('denied_unreadable'))

    def test_the_first_lost_line_is_told_at_once(self):
        program, *arguments = self.s.command(store=self.s.path('other.db'), audit='/dev/full')[:-1]  # all but the log's level
        p = Background(os.path.basename(program), *arguments, 'info', '--config', self.config, log=self.s.path('log'))
        self.addCleanup(p.p.kill)
        wait(lambda: '/dev/full: cannot be written' in p.said(), 60, [p], 'word of the line "started"')
        p.stop(code=1)
        self.assertEqual(p.said().count('cannot be written'), 1)

    def test_any_number_of_signals_while_users_come_and_go(self):
        stop = threading.Event()

        def come_and_go():
            while not stop.is_set():
                try:
                    self.s.connect('mary').close()
                except (OSError, EOFError):
                    pass
        threads = [threading.Thread(target=come_and_go) for _ in range(3)]
        for t in threads:
            t.start()
        try:
            for i in range(12):
                write(self.config, 'denied: [%s]\n' % ('mary' if i % 2 == 0 else ''))
                self.hang_up('denied_read')
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(self.s.connect('mary').ask(op='list')['answer'], 'list')


if __name__ == '__main__':
    unittest.main(warnings='ignore')
