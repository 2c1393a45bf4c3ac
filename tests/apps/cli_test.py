"""The programs as a user meets them: exit codes, one-line errors, files that appear. usage: python3 -B -m tests.apps.cli_test PROGRAM"""
import array, fcntl, json, math, os, pty, re, resource, signal, struct, subprocess, sys, tempfile, termios, time, unittest

from tests.harness import process
from tests.harness.files import text_of, write
from tests.harness.paths import REGRESSION, SHARED_IQ, program
from tests.harness.process import give_time

PROGRAM = sys.argv[1]
GLOBAL = {"core:datatype": "cf32_le", "core:sample_rate": 1.92e6, "core:version": "1.0.0"}


def run(*args, name=PROGRAM, **more):
    return process.run(name, *args, code=None, **more)


class base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def recording(self, samples, name='x', captures=None, **changes):
        meta = {"global": {**GLOBAL, **changes}, "captures": captures or [{"core:sample_start": 0}], "annotations": []}
        write(self.path(name + '.sigmf-data'), array.array('f', samples).tobytes())
        return write(self.path(name + '.sigmf-meta'), json.dumps(meta))

    def octets(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()

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
        write(self.path('bad.yaml'), '\nno_such_key: 1\n')
        self.one_line(run('--config', self.path('bad.yaml'), *MINIMAL), 2, 'bad.yaml:2', 'no_such_key')
        write(self.path('worse.yaml'), 'a: [1\nb')
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
        self.assertEqual(self.octets('b.sigmf-data'), self.octets('x.sigmf-data'))
        y = array.array('f', self.octets('e.sigmf-data'))
        self.assertLess(max(abs(a - b) for a, b in zip(x, y)), 1.0 / 32768)
        b = json.loads(text_of(self.path('b.sigmf-meta')))
        self.assertEqual(b['captures'][0]['core:frequency'], 5.9e9)
        self.assertEqual(run('info', '--verify', self.path('c.sigmf-meta')).returncode, 0)
        self.one_line(run('convert', self.path('a.raw'), self.path('f.sigmf-meta')), 2, '--rate')
        self.one_line(run('convert', meta, meta), 2, 'input itself')
        self.one_line(run('convert', meta, self.path('g.raw'), '--out-type', 'cu8'), 2, 'cu8', 'accepted')
        self.one_line(run('convert', meta, '/no/such/folder/g.raw'), 2, '/no/such/folder')

    def test_segments_survive(self):
        meta = self.recording([0.25] * 400, captures=[{"core:sample_start": 0, "core:global_index": 5}, {"core:sample_start": 100, "core:global_index": 1000}])
        self.assertEqual(run('convert', meta, self.path('y.sigmf-meta')).returncode, 0)
        y = json.loads(text_of(self.path('y.sigmf-meta')))
        self.assertEqual([(c['core:sample_start'], c['core:global_index']) for c in y['captures']], [(0, 5), (100, 1000)])

    def test_a_full_disk_keeps_what_was_there(self):
        self.recording([0.5] * 20, name='y')
        before = [self.octets('y.sigmf-' + e) for e in ('meta', 'data')]
        meta = self.recording([0.25] * 200000)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100003, resource.RLIM_INFINITY))
        self.one_line(run('convert', meta, self.path('y.sigmf-meta'), preexec_fn=limit), 1, 'disk full')
        self.assertEqual([self.octets('y.sigmf-' + e) for e in ('meta', 'data')], before)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ['x.sigmf-data', 'x.sigmf-meta', 'y.sigmf-data', 'y.sigmf-meta'])

    def test_plot_of_a_known_carrier_draws_what_is_decoded(self):
        for name, args, least in (('tm4', ('--carrier', 'prb=25,tm=4', '--sync', 'gnss'), 4), ('slss', ('--carrier', 'prb=25,tm=2'), 1)):
            recording = os.path.join(REGRESSION, 'regression_' + name + '.sigmf-meta')
            r = run('plot', recording, self.path('s.png'), *args)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertGreaterEqual(int(re.search(r'(\d+) frames decoded', r.stderr).group(1)), least, name)
            # Only the complex plane, right below, differs from the picture without them.
            self.assertEqual(run('plot', recording, self.path('d.png')).returncode, 0)
            self.assertNotEqual(self.octets('s.png'), self.octets('d.png'))
        self.one_line(run('plot', recording, self.path('s.png'), '--carrier', 'prb=26'), 2, '--carrier', '26')
        self.one_line(run('plot', recording, self.path('s.png'), '--scene', self.path('none.json')), 2, 'none.json')
        # 1000 samples hold no subframe
        r = run('plot', self.recording([0.0] * 2000), self.path('s.png'), '--carrier', 'prb=6,tm=2')
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn('0 frames decoded', r.stderr)

    def test_plot_makes_a_picture(self):
        x = []
        for i in range(20000):
            x += [math.cos(0.5 * i), math.sin(0.5 * i)]
        x[100] = float('inf')
        r = run('plot', self.recording(x), self.path('p.png'), '--width', 400, '--height', 300)
        self.assertEqual(r.returncode, 0, r.stderr)
        head = self.octets('p.png')[:24]
        self.assertEqual(head[:8], b'\x89PNG\r\n\x1a\n')
        self.assertEqual((int.from_bytes(head[16:20], 'big'), int.from_bytes(head[20:24], 'big')), (400, 300))
        self.one_line(run('plot', self.path('x.sigmf-meta'), '/no/such/folder/p.png'), 1, '/no/such/folder')
        self.one_line(run('plot', self.path('x.sigmf-meta'), self.path('p.png'), '--start', 9), 2, '--start')
        # silence and a single sample are recordings too
        self.assertEqual(run('plot', self.recording([0.0] * 20000), self.path('q.png')).returncode, 0)
        self.assertEqual(run('plot', self.recording([0.0] * 2), self.path('q.png')).returncode, 0)


class prose_bler(base):
    def test_a_small_curve(self):
        args = ['--prb', 6, '--n-prb', 4, '--snr', '-6:6:12', '--trials', 100, '--csv', self.path('c.csv'), '--plot', self.path('c.png')]
        r = run(*args, '--threads', 1)
        self.assertEqual(r.returncode, 0, r.stderr)
        one = text_of(self.path('c.csv'))
        rows = [l.rsplit(',', 6) for l in one.splitlines()[2:]]
        self.assertEqual([float(x[1]) for x in rows], [-6, 0, 6, 12])
        bler = [float(x[4]) for x in rows]
        self.assertEqual((bler[0], bler[-1]), (1.0, 0.0))
        for x in rows:
            self.assertTrue(float(x[5]) <= float(x[4]) <= float(x[6]))
        self.assertEqual(self.octets('c.png')[:8], b'\x89PNG\r\n\x1a\n')
        self.assertEqual(run(*args, '--threads', 2).returncode, 0)
        self.assertEqual(text_of(self.path('c.csv')), one)

    def test_mistakes(self):
        for args, word in ((('--snr', '1:0:2'), '--snr'), (('--snr', 'nan'), '--snr'), (('--channel', 'pdsch'), '--channel'), (('--prb', 7), '--prb'),
                           (('--n-prb', 7), '7'), (('--n-prb', 50), '--n-prb'), (('--mcs', 30), '--mcs'), (('--cp', 'extended'), '--cp'),
                           (('--fading', 'epa6'), '--fading'), (('--snr', 30, '--trials', 1, '--csv', '/no/such/folder/x'), '/no/such')):
            r = run(*args, '--tm', 4)
            self.one_line(r, 1 if word == '/no/such' else 2, word)

    def test_noise_gives_nothing(self):
        r = run('--false-alarms', 1000, '--noise-subframes', 5, '--max-false-sci', 0)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stdout, r'false SCI +0 in 1\d\d\d')


class prose_sniffer(base):
    def sniff(self, meta, *args, scene=None):
        if scene is not None:
            write(self.path('s.json'), json.dumps(scene))
            args += ('--scene', self.path('s.json'))
        return run('--iq', meta, '--events', '-', *args)

    def events(self, r):
        return [json.loads(l) for l in r.stdout.splitlines()]

    def test_bad_input_is_one_line_and_exit_2(self):
        noise = [((i * 7919) % 2001 - 1000) / 1000 for i in range(2 * 4000)]
        carrier = {"n_prb": 6, "cp": "normal", "transmission_mode": 4, "sample_rate_hz": 1920000.0}
        self.one_line(run(), 2, '--iq')
        self.one_line(self.sniff(self.path('none.sigmf-meta')), 2, 'none.sigmf-meta')
        self.one_line(self.sniff(self.recording([])), 2, 'x.sigmf-data')
        self.one_line(self.sniff(self.recording(noise, **{"core:datatype": "ru8"})), 2, 'x.sigmf-meta', 'core:datatype')
        self.one_line(self.sniff(self.recording(noise, **{"core:sample_rate": 1e6})), 2, 'x.sigmf-meta', 'core:sample_rate')
        self.one_line(self.sniff(self.recording(noise, **{"core:sample_rate": -1})), 2, 'core:sample_rate')
        self.one_line(self.sniff(self.recording(noise, captures=[{"core:sample_start": 99999}])), 2, 'core:sample_start')
        meta = self.recording(noise)
        for change, word in (({"carrier": {**carrier, "sample_rate_hz": 3.84e6}}, 'carrier.sample_rate_hz'), ({"carrier": {**carrier, "n_prb": 7}}, 'carrier.n_prb'),
                             ({"carrier": carrier, "first_subframe_sample": 4000}, 'first_subframe_sample'), ({"carrier": carrier, "absolute_subframes": [1, 2, 3, 4]}, 'absolute_subframes'),
                             ({"carrier": carrier, "pool": {"kind": "v2x", "size": 5, "count": 2}}, 'pool.count'), ({"carrier": carrier, "samples_per_subframe": 15360}, 'samples_per_subframe')):
            self.one_line(self.sniff(meta, scene=change), 2, 's.json', word)
        write(self.path('s.json'), '{"carrier":')
        self.one_line(self.sniff(meta, '--scene', self.path('s.json')), 2, 's.json:1')
        self.one_line(self.sniff(meta, '--sync', 'psychic'), 2, '--sync')
        self.one_line(self.sniff(meta, '--carrier', 'prb=6,tm=9'), 2, '--carrier')
        self.one_line(self.sniff(meta, '--pool', 'kind=v2x'), 2, '--pool')
        self.one_line(run('--iq', meta, '--events', '/no/such/folder/e'), 2, '--events')
        self.one_line(run('--iq', meta, '--known-plaintext', self.path('none')), 2, '--known-plaintext', 'no such file')
        for name, content in (('empty', ''), ('short', 'abc'), ('large', 'x' * ((1 << 20) + 1))):
            write(self.path(name), content)
            self.one_line(run('--iq', meta, '--known-plaintext', self.path(name)), 2, '--known-plaintext', name)
        self.one_line(run('--iq', meta, '--name', 'ann'), 2, '--name', 'ann')
        write(self.path('known.yaml'), 'known_plaintext: [empty]\nname: [john]\n')
        self.one_line(run('--config', self.path('known.yaml'), '--iq', meta), 2, '--known-plaintext', 'empty')
        write(self.path('permit'), 'john ' + 43 * 'A' + '= psk=none.psk\n')
        self.one_line(run('--iq', meta, '--compromised', self.path('permit')), 2, 'permit', 'none.psk')

    def test_hostile_samples_are_no_mistake_and_give_nothing(self):
        nan, inf = float('nan'), float('inf')
        for samples, zeroed in (([0.0] * 8000, 0), ([nan, inf] * 4000, 4000), ([1e38, -1e38] * 4000, 4000), ([1e-40] * 8000, 0), ([1.0] * 8000, 0)):
            for sync in ('aligned', 'slss', 'blind'):
                r = self.sniff(self.recording(samples), '--sync', sync)
                self.assertEqual(r.returncode, 0, r.stderr)
                e = self.events(r)
                self.assertEqual([x['event'] for x in e], ['statistics'])
                self.assertEqual(e[0]['non_finite_samples'], zeroed, (samples[:2], sync))
                self.assertIn('t', e[0])

    def test_a_full_disk_is_a_run_time_failure(self):
        if os.path.exists('/dev/full'):
            self.one_line_at_end(run('--iq', self.recording([0.0] * 8000), '--events', '/dev/full'), 1, '--events')

    def one_line_at_end(self, r, code, word):
        self.assertEqual(r.returncode, code, r.stderr)
        self.assertIn(word, r.stderr.strip().splitlines()[-1])

    def skip(self, why):
        print('skipped: ' + why, flush=True)  # the runner says only how many
        self.skipTest(why)

    def score(self, *args):
        if not os.path.exists(os.path.join(SHARED_IQ, 'score')):
            self.skip('no recordings at ' + SHARED_IQ)
        folders = [os.path.join(SHARED_IQ, f) for f in ('recorded', 'generated_a', 'generated_b')]
        r = subprocess.run([sys.executable, os.path.join(SHARED_IQ, 'score'), program(PROGRAM), *folders, *args], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_recordings_of_others_aligned(self):
        self.score()

    def recorded(self, name):
        path = os.path.join(SHARED_IQ, name)
        if not os.path.exists(path + '.sigmf-meta'):
            self.skip('no recordings at ' + SHARED_IQ)
        scene = json.loads(text_of(path + '.expected.json'))
        frames = scene.pop('frames')
        with open(path + '.sigmf-data', 'rb') as f:
            samples = array.array('f', f.read())
        return samples, scene, frames, json.loads(text_of(path + '.sigmf-meta'))['global']['core:sample_rate']

    def test_a_real_recording_survives_datatype_cut_and_nan(self):
        samples, scene, frames, rate = self.recorded('recorded/uxm_s15p36e6_50prb_0prb_offset_mcs12')
        want = {f['hex'] for f in frames if f['channel'] == 'PSSCH'}
        found = lambda r: {e['hex'] for e in self.events(r) if e['event'] == 'tb' and e['crc_ok']}
        meta = self.recording(samples, **{"core:sample_rate": rate})
        self.assertEqual(found(self.sniff(meta, '--sync', 'aligned', scene=scene)), want)
        # sixteen bits
        r = run('convert', meta, self.path('y.sigmf-meta'), '--out-type', 'ci16', name='prose-iq')
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(found(self.sniff(self.path('y.sigmf-meta'), '--sync', 'aligned', scene=scene)), want)
        # the guard symbol of the last subframe and half a sample are missing
        cut = samples[:-2 * 900]
        write(self.path('x.sigmf-data'), cut.tobytes() + b'abc')
        self.assertEqual(found(self.sniff(meta, '--sync', 'aligned', scene=scene)), want)
        # ten NaNs in the middle of a symbol
        for i in range(10):
            samples[2 * (5000 + i)] = float('nan')
        r = self.sniff(self.recording(samples, **{"core:sample_rate": rate}), '--sync', 'aligned', scene=scene)
        self.assertEqual(found(r), want)
        self.assertEqual(self.events(r)[-1]['non_finite_samples'], 10)
        self.assertIn('not finite', r.stderr)

    def test_a_mistake_empties_no_output(self):
        meta = self.recording([0.01, -0.02, 0.03, 0.015] * 2000)
        for wrong in (['--compromised', self.path('nobody.key')], ['--keylog', self.path('k')]):
            for kind in ('--events', '--record', '--report') if wrong[0] == '--keylog' else ('--events', '--record', '--pcap'):
                kept = self.path('kept.sigmf-meta')
                write(kept, 'of an earlier run')
                self.one_line(run('--iq', meta, kind, kept, *wrong), 2, 'nobody.key' if wrong[0] == '--compromised' else '--keylog')
                self.assertEqual(text_of(kept), 'of an earlier run', kind)

    def test_the_table_is_redrawn_in_place_on_a_narrow_terminal(self):
        meta = self.recording([0.01, -0.02, 0.03, 0.015] * 500000)

        def drawn_on(term):
            ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 50, 0, 0))
            p = subprocess.Popen([program(PROGRAM), '--iq', meta, '--sync', 'blind', '--loop', '3', '--log-level', 'error'], stderr=theirs,
                                 env=dict(os.environ, TERM=term))
            os.close(theirs)
            out = b''
            try:
                while chunk := os.read(ours, 65536):
                    out += chunk
            except OSError:
                pass  # the other end is closed
            self.assertEqual(p.wait(60), 0)
            return out

        for term in ('dumb', ''):
            self.assertNotIn(b'\033', drawn_on(term))
        out = drawn_on('xterm')
        drawn = out.decode().split('\033[1A\033[J')  # up one line: nothing was heard, so the table has only its first
        self.assertGreater(len(drawn), 1, out)
        for d in drawn:
            lines = [l for l in d.replace('\r', '').split('\n') if l]
            self.assertLessEqual(len(lines), 1, d)
            self.assertTrue(all(len(l) <= 50 for l in lines), d)

    def test_ctrl_c_ends_cleanly(self):
        meta = self.recording([0.01, -0.02, 0.03, 0.015] * 2000000)
        p = subprocess.Popen([program(PROGRAM), '--iq', meta, '--events', self.path('e'), '--sync', 'blind'], stderr=subprocess.PIPE, text=True)
        give_time(lambda: os.path.exists(self.path('e')))  # then it has long been ready for a signal
        time.sleep(0.1)
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 0, err)
        self.assertTrue(os.path.exists(self.path('e')))
        text = text_of(self.path('e'))
        self.assertTrue(text == '' or text.endswith('\n'), text[-200:])
        for line in text.splitlines():
            json.loads(line)


MINIMAL = {'prose-iq': ['info', 'x.sigmf-meta'], 'prose-sniffer': [], 'prose-bler': [], 'prose-town': [], 'prose-ue': [], 'prose-function': [], 'prose-page': [],
            'prose-keys': ['gen']}[PROGRAM]
if __name__ == '__main__':
    loader, suite = unittest.TestLoader(), unittest.TestSuite()
    suite.addTests(loader.loadTestsFromTestCase(every_program))
    own = globals().get(PROGRAM.replace('-', '_'))
    if own:
        suite.addTests(loader.loadTestsFromTestCase(own))
    sys.exit(0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1)
