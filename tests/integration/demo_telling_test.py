"""What scripts/demo prints while it runs, on a terminal and elsewhere."""
import io, os, unittest
from unittest import mock

from scripts.demo_lib.telling import telling


class screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


class demo_telling(unittest.TestCase):
    def setUp(self):
        self.now = 100.0

    def told(self, terminal=False, verbose=False, **env):
        out = screen(terminal)
        with mock.patch.dict(os.environ, dict({'TERM': 'xterm', 'NO_COLOR': ''}, **env)):
            return telling(verbose, out, lambda: self.now), out

    def test_evidence_only_where_it_is_wanted_or_a_claim_fails(self):
        for verbose in (False, True):
            t, out = self.told(verbose=verbose)
            t.claim('this holds', True, 'because')
            t.claim('this does not', False, 'as can be seen')
            t.detail('figures')
            lines = out.getvalue().splitlines()
            self.assertEqual(lines[0], 'ok   this holds')
            self.assertEqual('       because' in lines, verbose)
            self.assertEqual('     figures' in lines, verbose)
            self.assertIn('FAIL this does not', lines)
            self.assertIn('       as can be seen', lines)

    def test_what_takes_long_is_told_and_gone_afterwards(self):
        t, out = self.told(terminal=True)
        t.phase('waiting for Peter')
        self.now += 1.9
        t.tick()
        self.assertEqual(out.getvalue(), '')
        self.now += 0.2
        t.tick()
        self.assertIn('waiting for Peter, 2 s', out.getvalue())
        self.assertNotIn('\n', out.getvalue())
        t.claim('he came', True, '')
        self.assertIn('\r\033[K\033[32mok  \033[0m he came\n', out.getvalue())

    def test_elsewhere_it_is_a_line_now_and_then_without_colour(self):
        t, out = self.told()
        t.phase('waiting for Peter')
        for _ in range(700):
            self.now += 0.1
            t.tick()
        t.heading('Next')
        self.assertEqual(out.getvalue().splitlines(), ['     ... waiting for Peter, 30 s', '     ... waiting for Peter, 60 s', '', 'Next'])

    def test_no_colour_where_none_is_wanted(self):
        for env in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}):
            t, out = self.told(terminal=True, **env)
            t.claim('this holds', True, '')
            self.assertEqual(out.getvalue(), 'ok   this holds\n')


if __name__ == '__main__':
    unittest.main()
