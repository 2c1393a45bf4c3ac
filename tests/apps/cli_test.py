#!/usr/bin/env python3
"""The programs as a user meets them: exit codes, one-line errors, files that appear. usage: cli_test.py BIN_DIR PROGRAM"""
import array, json, os, resource, signal, subprocess, sys, tempfile, time, unittest

BIN, PROGRAM = sys.argv[1], sys.argv[2]
GLOBAL = {"core:datatype": "cf32_le", "core:sample_rate": 1.92e6, "core:version": "1.0.0"}


def run(*args, program=None, **kw):
    return subprocess.run([os.path.join(BIN, program or PROGRAM), *map(str, args)], capture_output=True, text=True, timeout=100, **kw)


class base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def recording(self, samples, name='x', captures=None, **changes):
        meta = {"global": {**GLOBAL, **changes}, "captures": captures or [{"core:sample_start": 0}], "annotations": []}
        json.dump(meta, open(self.path(name + '.sigmf-meta'), 'w'))
        array.array('f', samples).tofile(open(self.path(name + '.sigmf-data'), 'wb'))
        return self.path(name + '.sigmf-meta')

    def one_line(self, r, code, *words):
        self.assertEqual(r.returncode, code, r.stderr)
        self.assertEqual(len(r.stderr.strip().splitlines()), 1, r.stderr)
        for w in words:
            self.assertIn(w, r.stderr)


class every_program(base):
    def test_help_version_and_mistakes(self):
        r = run('--help')
        self.assertEqual(r.returncode, 0)
        self.assertIn('--config', r.stdout)
        r = run('--version')
        self.assertEqual(r.returncode, 0)
        self.assertRegex(r.stdout, PROGRAM + r' \d+\.\d+\.\d+')
        self.one_line(run('--no-such-option'), 2, PROGRAM)
        self.one_line(run('--config', self.path('none.yaml'), *MINIMAL), 2, 'none.yaml')
        open(self.path('bad.yaml'), 'w').write('\nno_such_key: 1\n')
        self.one_line(run('--config', self.path('bad.yaml'), *MINIMAL), 2, 'bad.yaml:2', 'no_such_key')
        open(self.path('worse.yaml'), 'w').write('a: [1\nb')
        self.one_line(run('--config', self.path('worse.yaml'), *MINIMAL), 2, 'worse.yaml:')


class prose_iq(base):
    def test_info(self):
        r = run('info', '--json', self.recording([0.5, 0.0] * 1000))
        self.assertEqual(r.returncode, 0, r.stderr)
        j = json.loads(r.stdout)
        self.assertEqual(j['samples'], 1000)
        self.assertAlmostEqual(j['mean_power'], 0.25)
        r = run('info', '--json', self.recording([0.5, float('nan')] + [0.0, 0.0] * 9))
        self.assertEqual(json.loads(r.stdout)['non_finite_samples'], 1)

    def test_a_wrong_checksum_is_told(self):
        meta = self.recording([0.5, 0.0] * 10, **{"core:sha512": "00" * 64})
        self.assertEqual(run('info', meta).returncode, 0)
        self.one_line(run('info', '--verify', meta), 1, 'core:sha512')

    def test_bad_recordings(self):
        self.one_line(run('info', self.path('none.sigmf-meta')), 2, 'none.sigmf-meta')
        self.one_line(run('info', self.recording([])), 2, 'x.sigmf-data')
        self.one_line(run('info', self.recording([0.0] * 20, **{"core:datatype": "cu8"})), 2, 'x.sigmf-meta', 'core:datatype')
        self.one_line(run('plot', self.recording([0.0] * 20, captures=[{"core:sample_start": 10}]), self.path('p.png')), 2, 'core:sample_start')

    def test_convert_there_and_back(self):
        x = [i / 4096 - 0.5 for i in range(4000)]
        meta = self.recording(x, **{"core:sample_rate": 15.36e6})
        for step in (('x.sigmf-meta', 'a.raw'), ('a.raw', 'b.sigmf-meta', '--rate', 15.36e6, '--freq', 5.9e9), ('b.sigmf-meta', 'c.sigmf-meta', '--out-type', 'ci16'),
                     ('c.sigmf-meta', 'd.raw', '--out-type', 'ci16'), ('d.raw', 'e.sigmf-meta', '--in-type', 'ci16', '--rate', 15.36e6)):
            r = run('convert', self.path(step[0]), self.path(step[1]), *step[2:])
            self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(open(self.path('b.sigmf-data'), 'rb').read(), open(self.path('x.sigmf-data'), 'rb').read())
        y = array.array('f', open(self.path('e.sigmf-data'), 'rb').read())
        self.assertLess(max(abs(a - b) for a, b in zip(x, y)), 1.0 / 32768)
        b = json.load(open(self.path('b.sigmf-meta')))
        self.assertEqual(b['captures'][0]['core:frequency'], 5.9e9)
        self.assertEqual(run('info', '--verify', self.path('c.sigmf-meta')).returncode, 0)
        self.one_line(run('convert', self.path('a.raw'), self.path('f.sigmf-meta')), 2, '--rate')
        self.one_line(run('convert', meta, meta), 2, 'input itself')
        self.one_line(run('convert', meta, self.path('g.raw'), '--out-type', 'cu8'), 2, 'cu8', 'accepted')
        self.one_line(run('convert', meta, '/no/such/folder/g.raw'), 2, '/no/such/folder')

    def test_segments_survive(self):
        meta = self.recording([0.25] * 400, captures=[{"core:sample_start": 0, "core:global_index": 5}, {"core:sample_start": 100, "core:global_index": 1000}])
        self.assertEqual(run('convert', meta, self.path('y.sigmf-meta')).returncode, 0)
        y = json.load(open(self.path('y.sigmf-meta')))
        self.assertEqual([(c['core:sample_start'], c['core:global_index']) for c in y['captures']], [(0, 5), (100, 1000)])

    def test_a_full_disk_keeps_what_was_written(self):
        meta = self.recording([0.25] * 200000)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100003, resource.RLIM_INFINITY))
        self.one_line(run('convert', meta, self.path('y.sigmf-meta'), preexec_fn=limit), 1, 'disk full')
        r = run('info', '--json', self.path('y.sigmf-meta'))
        self.assertEqual(json.loads(r.stdout)['samples'], 100000 // 8)

    def test_plot_makes_a_picture(self):
        import math
        x = []
        for i in range(20000):
            x += [math.cos(0.5 * i), math.sin(0.5 * i)]
        x[100] = float('inf')
        r = run('plot', self.recording(x), self.path('p.png'), '--width', 400, '--height', 300)
        self.assertEqual(r.returncode, 0, r.stderr)
        head = open(self.path('p.png'), 'rb').read(24)
        self.assertEqual(head[:8], b'\x89PNG\r\n\x1a\n')
        self.assertEqual((int.from_bytes(head[16:20], 'big'), int.from_bytes(head[20:24], 'big')), (400, 300))
        self.one_line(run('plot', self.path('x.sigmf-meta'), '/no/such/folder/p.png'), 1, '/no/such/folder')
        self.one_line(run('plot', self.path('x.sigmf-meta'), self.path('p.png'), '--start', 9), 2, '--start')
        # silence and a single sample are recordings too
        self.assertEqual(run('plot', self.recording([0.0] * 20000), self.path('q.png')).returncode, 0)
        self.assertEqual(run('plot', self.recording([0.0] * 2), self.path('q.png')).returncode, 0)


MINIMAL = {'prose-iq': ['info', 'x.sigmf-meta'], 'prose-sniffer': [], 'prose-bler': []}[PROGRAM]
if __name__ == '__main__':
    loader, suite = unittest.TestLoader(), unittest.TestSuite()
    suite.addTests(loader.loadTestsFromTestCase(every_program))
    own = globals().get(PROGRAM.replace('-', '_'))
    if own:
        suite.addTests(loader.loadTestsFromTestCase(own))
    sys.exit(0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1)
