"""scripts/bench judges made figures as it should, writes what it found, and finds programs that are really slower: here programs that use as much processor time
as they are told to."""
import json, os, random, signal, subprocess, sys, tempfile, unittest, unittest.mock

from scripts.bench_lib import live, machine, other_build, programs, report, rounds, stats
from scripts.demo_lib import world
from tests.harness.files import text_of, write
from tests.harness.paths import SOURCE
from tests.harness.process import wait

BENCH = os.path.join(SOURCE, 'scripts', 'bench')
NAME = 'uxm_s15p36e6_50prb_0prb_offset_mcs12'
ROW = 'recording/' + NAME
# It uses so much processor time, whatever else the machine does: its own start counts too.
PROGRAM = '''#!%s
import os, sys, time
if '--version' in sys.argv: print('prose-sniffer 1.2.3'); sys.exit()
%s
'''
WAITS_S = 280
BURNS = 'while time.process_time() < %g: pass'


class Live(unittest.TestCase):
    def measured(self, *arrived):
        """(what measure() gives, lengths of the airs) where the attempts had so many of 10 datagrams arrive."""
        row, lengths, left = live.ues(2, 25, 0.1), [], list(arrived)

        def attempt(s, p, folder, air_s):
            lengths.append(air_s)
            return {'/prose-ue': air_s}, 10, left.pop(0)

        row.attempt = attempt
        return row.measure(unittest.mock.Mock(), None, None), lengths

    def test_an_air_that_was_over_too_early_is_repeated_longer(self):
        self.assertEqual(self.measured(5), ({'/prose-ue': 4.0}, [4.0]))
        self.assertEqual(self.measured(4, 0, 9), ({'/prose-ue': 16.0}, [4.0, 8.0, 16.0]))
        self.assertRaisesRegex(programs.failed, '3 of 10 datagrams arrived', self.measured, 0, 1, 2, 3, 9)


class Statistics(unittest.TestCase):
    def test_coverage_is_that_of_the_binomial_distribution(self):
        for n, k, chance in ((5, 1, 0.9375), (6, 1, 0.96875), (7, 1, 0.984375), (9, 2, 0.9609375), (20, 6, 0.9586105)):
            self.assertAlmostEqual(stats.coverage(n, k), chance, places=6)

    def test_the_interval_is_the_narrowest_that_is_sure_enough(self):
        for n, low, high in ((1, 0, 0), (2, 0, 1), (5, 0, 4), (6, 0, 5), (8, 0, 7), (9, 1, 7), (20, 5, 14)):
            values = list(range(n))
            random.Random(n).shuffle(values)
            self.assertEqual(stats.interval(values)[:2], (low, high), n)

    def test_the_interval_holds_the_median_as_often_as_it_says(self):
        r = random.Random(1)
        for n in (6, 7, 9, 15):
            held = 0
            for _ in range(4000):
                low, high, sure = stats.interval([r.gauss(0, 1) for _ in range(n)])
                held += low < 0 < high
            self.assertAlmostEqual(held / 4000, sure, delta=0.015)

    def test_what_slows_both_of_a_pair_cancels(self):
        r = random.Random(2)
        b = [r.uniform(1, 5) for _ in range(7)]
        j = stats.compare([1.1 * x for x in b], b, 0.01)
        self.assertEqual(j['verdict'], stats.SLOWER)
        self.assertAlmostEqual(j['ratio'], 1.1)
        self.assertEqual(stats.compare(b, [1.1 * x for x in b], 0.01)['verdict'], stats.FASTER)

    def verdicts(self, slower, seed):
        r = random.Random(seed)
        drawn = lambda factor: [factor * r.gauss(1, 0.02) for _ in range(7)]
        return stats.compare(drawn(slower), drawn(1), 0.01)['verdict']

    def test_ten_percent_are_found_through_noise_and_equal_ones_are_equal(self):
        found = [self.verdicts(1.1, seed) for seed in range(500)]
        self.assertGreaterEqual(found.count(stats.SLOWER), 475)
        self.assertNotIn(stats.FASTER, found)
        equal = [self.verdicts(1, seed) for seed in range(500)]
        self.assertGreaterEqual(equal.count(stats.SAME), 490)

    def test_a_difference_within_the_least_one_is_not_told(self):
        b = [1.0] * 9
        self.assertEqual(stats.compare([1.009] * 9, b, 0.01)['verdict'], stats.SAME)
        self.assertEqual(stats.compare([1.011] * 9, b, 0.01)['verdict'], stats.SLOWER)
        self.assertEqual(stats.compare([0.989] * 9, b, 0.01)['verdict'], stats.FASTER)
        self.assertEqual(stats.compare([0.991] * 9, b, 0.01)['verdict'], stats.SAME)

    def test_few_rounds_tell_nothing(self):
        self.assertEqual(stats.compare([2.0] * 5, [1.0] * 5, 0.01)['verdict'], stats.TOO_FEW)
        self.assertEqual(stats.compare([2.0] * 6, [1.0] * 6, 0.01)['verdict'], stats.SLOWER)


class Fake:
    """A row of given figures."""
    name, unit, targets = 'fake/row', 'us', ()

    def __init__(self, figures):
        self.figures, self.order = {side: list(v) for side, v in figures.items()}, ''

    def prepare(self, sides, programs_of, folder):
        assert os.path.isdir(folder)

    def measure(self, s, programs_of, folder):
        self.order += s.name
        return {'/part': self.figures[s.name].pop(0)}


class Rounds(unittest.TestCase):
    def measure(self, row, n):
        with tempfile.TemporaryDirectory() as d:
            sides = [programs.side('A', d), programs.side('B', d)]
            try:
                return rounds.measure(row, sides, n, programs.programs(d), os.path.join(d, 'row'))
            finally:
                self.assertEqual(os.listdir(d), [])

    def test_the_order_is_swapped_and_pairs_stay_pairs(self):
        row = Fake({'A': [1, 2, 3], 'B': [10, 20, 30]})
        m = self.measure(row, 3)
        self.assertEqual(row.order, 'ABBAAB')
        self.assertEqual(m['figures'], {'fake/row/part': {'A': [1, 2, 3], 'B': [10, 20, 30]}})
        self.assertAlmostEqual(rounds.judged(m, 0.01)[0]['ratio'], 0.1)

    def test_no_figure_is_a_failure(self):
        with self.assertRaises(programs.failed):
            self.measure(Fake({'A': [0], 'B': [1]}), 1)

    def test_what_is_not_built_is_left_out(self):
        row = Fake({})
        row.targets = ('prose-sniffer',)
        with self.assertRaises(programs.left_out) as e:
            self.measure(row, 1)
        self.assertIn('A: prose-sniffer not built', str(e.exception))


class End(unittest.TestCase):
    def test_a_signal_while_a_program_starts_ends_it_once(self):
        handlers = [(s, signal.getsignal(s)) for s in programs.ended_by]
        self.addCleanup(lambda: [signal.signal(*h) for h in handlers])
        with tempfile.TemporaryDirectory() as d:
            p = programs.programs(d)
            sleeper = p.start(None, ['/bin/sleep', '1000'])
            with self.assertRaises(KeyboardInterrupt):
                with world.not_stopped():
                    world.stop()
            programs.ignore_signals()
            p.stop_all()
            self.assertEqual((p.running, sleeper.returncode), ([], -signal.SIGTERM))


CMAKE = '''cmake_minimum_required(VERSION 3.20)
project(x NONE)
add_custom_target(prose-sniffer COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/made)
'''


class OtherBuild(unittest.TestCase):
    """A commit of a repository of its own, with a project that takes no time to build."""

    def git(self, *arguments):
        return subprocess.run(['git', '-C', world.ROOT, '-c', 'user.name=x', '-c', 'user.email=x', *arguments], check=True, capture_output=True, text=True).stdout

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='prose-bench-test-')
        self.addCleanup(folder.cleanup)
        self.folder = os.path.join(folder.name, 'made')
        os.mkdir(self.folder)
        root = unittest.mock.patch.object(world, 'ROOT', os.path.join(folder.name, 'repository'))
        root.start()
        self.addCleanup(root.stop)
        handlers = [(s, signal.getsignal(s)) for s in programs.ended_by]   # at its end it ignores them
        self.addCleanup(lambda: [signal.signal(*h) for h in handlers])
        os.makedirs(world.ROOT)
        self.git('init', '--quiet')
        self.commit(CMAKE)

    def commit(self, project):
        write(os.path.join(world.ROOT, 'CMakeLists.txt'), project)
        self.git('add', '-A')
        self.git('commit', '--quiet', '-m', 'x')

    def make(self, commit, targets):
        said = []
        with other_build.other_build(other_build.resolve(commit), self.folder, {'PROSE_NATIVE': 'OFF'}, said.append) as b:
            b.make(targets)
            return b, os.path.exists(os.path.join(b.build, 'made')), said

    def test_a_commit_is_built_with_the_same_options_and_its_source_goes(self):
        self.commit('nonsense(')
        b, built, said = self.make('HEAD~1', ['prose-iq', 'prose-sniffer'])
        self.assertTrue(built)
        self.assertEqual(programs.side('B', b.build).options()['PROSE_NATIVE'], 'OFF')
        self.assertIn('builds prose-sniffer', said)
        self.left_nothing()

    def left_nothing(self):
        self.assertFalse(os.path.exists(os.path.join(self.folder, 'source')))
        self.assertEqual(self.git('worktree', 'list').count('\n'), 1)

    def test_a_commit_that_does_not_build_is_told(self):
        self.commit('nonsense(')
        with self.assertRaisesRegex(RuntimeError, 'cmake failed'):
            self.make('HEAD', ['prose-sniffer'])
        self.left_nothing()

    def test_a_commit_without_the_programs_is_told(self):
        with self.assertRaisesRegex(RuntimeError, 'none of the programs'):
            self.make('HEAD', ['prose-iq'])

    def test_a_commit_that_is_not_there_is_a_mistake(self):
        with self.assertRaisesRegex(ValueError, 'accepted'):
            other_build.resolve('nothing')


def told(a, b, **more):
    m = {'unit': 'us', 'figures': {'x/%d' % i: {'A': v, 'B': w} for i, (v, w) in enumerate(zip(a, b))}, 'others_share': [0.0]}
    quiet = {'load': [0.1, 0.1, 0.1], 'others_share': 0.0, 'busiest': []}
    sides = [{'name': n, 'version': '1', 'options': {'PROSE_NATIVE': 'ON'}} for n in 'AB']
    return {'options': {'rounds': len(a[0]), 'length': 1, 'least': 0.01}, 'machine': machine.describe(), 'before': quiet, 'after': quiet, 'rows': rounds.judged(m, 0.01),
            'left_out': [], 'failed': [], 'ended': 'Over.', 'sides': sides, 'when': 'now', **more}


class Report(unittest.TestCase):
    def test_figures_and_verdicts_are_in_the_table(self):
        t = told([[110, 112, 111, 113, 109, 110, 114], [5, 6, 5, 6, 5, 6, 5], [1] * 7], [[100] * 7, [5, 5, 6, 6, 5, 5, 6], [2] * 7])
        page = report.markdown(t)
        self.assertIn('**1 slower, 1 faster, 1 without a difference shown.**', page)
        self.assertIn('| x/0 | us | 111.0 | 100.0 | 1.110 (1.090 to 1.140) | slower | 0.0 % |', page)
        self.assertIn('| x/2 | us | 1.000 | 2.000 | 0.500 (0.500 to 0.500) | faster |', page)
        self.assertIn('98.4 %', page)
        self.assertNotIn('doubtful', page)

    def test_a_machine_that_is_not_quiet_is_told(self):
        t = told([[1] * 7], [[1] * 7], before={'load': [99.0, 1, 1], 'others_share': 0.8, 'busiest': ['cc1plus']})
        t['rows'][0]['others_share'] = 0.5
        page = report.markdown(t)
        for words in ('doubtful', 'load average is 99.0', 'others use 80 % of the machine (cc1plus)', '1 of 1 rows (marked *)', '50.0 % *'):
            self.assertIn(words, page)

    def test_builds_of_different_kinds_and_few_rounds_are_told(self):
        t = told([[1] * 3], [[1] * 3])
        t['sides'][1]['options'] = {'PROSE_NATIVE': 'OFF'}
        self.assertIn('different PROSE_NATIVE: ON and OFF; 3 rounds are too few', report.markdown(t))

    def test_reasons_are_told_once(self):
        t = told([[1] * 7], [[1] * 7], left_out=[{'row': 'micro/%d' % i, 'why': 'B: prose-bench not built'} for i in range(9)], failed=[{'row': 'y', 'why': 'broken'}])
        page = report.markdown(t)
        self.assertIn('- micro/0, micro/1, micro/2 and 6 more: B: prose-bench not built', page)
        self.assertIn('Failed:\n- y: broken', page)

    def test_others_are_seen(self):
        w = machine.watch()
        self.assertTrue(0 <= w.others_share() <= 1)
        self.assertTrue(machine.describe()['processors'] >= 1)


class Script(unittest.TestCase):
    """The whole script over programs that use as much time as they are told to."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='prose-bench-test-')
        self.addCleanup(self.folder.cleanup)
        os.makedirs(self.path('iq', 'recorded'))
        os.mkdir(self.path('tmp'))
        stem = self.path('iq', 'recorded', NAME)
        write(stem + '.sigmf-data', bytes(8 * 4))
        write(stem + '.sigmf-meta', json.dumps({'global': {'core:sha512': 'x'}, 'captures': [], 'annotations': []}))
        write(stem + '.expected.json', json.dumps({'carrier': {}, 'pool': None, 'samples_per_subframe': 2, 'first_subframe_sample': 0, 'frames': [1]}))

    def path(self, *p):
        return os.path.join(self.folder.name, *p)

    def build(self, name, what):
        os.makedirs(self.path(name, 'bin'))
        program = write(self.path(name, 'bin', 'prose-sniffer'), PROGRAM % (sys.executable, what))
        os.chmod(program, 0o755)
        return self.path(name)

    def start(self, *options):
        return subprocess.Popen([BENCH, '--iq', self.path('iq'), '--only', ROW, '--output', self.path('out'), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=dict(os.environ, TMPDIR=self.path('tmp')))

    def run_to(self, code, *options):
        p = self.start(*options)
        out, err = p.communicate()
        self.assertEqual(p.returncode, code, (out, err))
        self.assertEqual(os.listdir(self.path('tmp')), [])
        return out, err

    def report(self):
        return json.loads(text_of(self.path('out', 'bench.json')))

    def test_a_program_that_is_slower_is_found(self):
        a, b = self.build('a', BURNS % 0.3), self.build('b', BURNS % 0.15)   # a loaded machine adds up to 0.06 to both
        out, _ = self.run_to(3, '--build', a, '--against', b, '--rounds', '7')
        r = self.report()['rows'][0]
        self.assertEqual((r['name'], r['verdict']), (ROW, stats.SLOWER))
        self.assertTrue(1.2 < r['ratio'] < 2.5, r)
        self.assertTrue(0.3e6 / 2000 <= r['A']['median'] < 0.6e6 / 2000, r)   # in microseconds of 2000 subframes
        self.assertIn('1 slower', out)
        self.assertIn('| slower |', text_of(self.path('out', 'bench.md')))

    def test_two_equal_programs_are_not_told_apart(self):
        a, b = self.build('a', BURNS % 0.15), self.build('b', BURNS % 0.15)
        self.run_to(0, '--build', a, '--against', b, '--rounds', '7', '--least', '10')
        self.assertEqual(self.report()['rows'][0]['verdict'], stats.SAME)

    def test_what_one_of_them_cannot_do_is_left_out(self):
        a, b = self.build('a', BURNS % 0.05), self.build('b', 'print("--loop?", file=sys.stderr); sys.exit(2)')
        self.run_to(1, '--build', a, '--against', b)
        r = self.report()
        self.assertEqual((r['rows'], r['failed']), ([], []))
        self.assertIn('B: prose-sniffer ended with 2: --loop?', r['left_out'][0]['why'])

    def test_a_program_that_fails_fails(self):
        self.run_to(1, '--build', self.build('a', 'sys.exit(1)'))
        self.assertIn('ended with 1', self.report()['failed'][0]['why'])

    def test_one_build_alone(self):
        self.run_to(0, '--build', self.build('a', BURNS % 0.05), '--rounds', '1')
        self.assertNotIn('verdict', self.report()['rows'][0])

    def test_ctrl_c_leaves_a_report_and_nothing_else(self):
        a = self.build('a', 'open(%r, "w").write(str(os.getpid())); time.sleep(1000)' % self.path('pid'))
        p = self.start('--build', a)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        wait(lambda: os.path.exists(self.path('pid')) and text_of(self.path('pid')), WAITS_S, programs=[p], what='a program that runs')
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=WAITS_S)
        self.assertEqual(p.returncode, 1, (out, err))
        self.assertIn('stopped after 0 of 1', err)
        self.assertEqual(self.report()['ended'], 'Stopped before its end.')
        self.assertEqual(os.listdir(self.path('tmp')), [])
        self.assertFalse(os.path.exists('/proc/' + text_of(self.path('pid'))))

    def test_mistakes_are_told(self):
        a = self.build('a', 'pass')
        for options, word in ((('--build', self.path('nowhere')), '--build'), (('--build', a, '--against', self.path('iq')), '--against'),
                              (('--build', a, '--only', 'nonsense'), '--list'), (('--build', a, '--rounds', '0'), '1 to'),
                              (('--build', a, '--output', self.path('iq')), 'empty'), (('--build', a, '--against-commit', 'no-such-commit'), 'git log')):
            err = self.run_to(2, *options)[1]
            self.assertTrue(err.count('\n') == 1 and 'accepted' in err and word in err, err)


if __name__ == '__main__':
    unittest.main()
