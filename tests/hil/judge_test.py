"""The judging functions of scripts/hil, what it takes from uhd_find_devices, its profiles, and what its reports leave out."""
import os, re, sys, tempfile, unittest, unittest.mock

from tests.harness.files import write
from tests.harness.paths import SOURCE

sys.path.insert(0, os.path.join(SOURCE, 'scripts'))
from hil_lib import judge, page, radios, share

PATH = {'sent': 20, 'found': 20, 'decoded': 20, 'noise_dbfs': -60, 'power_dbfs': -21, 'peak': 0.2, 'clipped_samples': 0, 'cfo_hz': 300, 'arrival_us': 3.0, 'unsteady_samples': 0.02,
        'drift_ppm': 0.05, 'turnaround_us': 91.7, 'snr_db': 30, 'evm_percent': 3}
PROFILE = {'clock_source': 'internal', 'time_source': 'internal', 'turnaround_s': 0.0001}
SIDE = dict({k: 0 for k in judge.COUNTERS}, leads=[{'lead_ms': ms, 'tries': 10, 'lates': 0} for ms in (1, 2, 3, 4, 6, 8)])
FOUND = """--------------------------------------------------
-- UHD Device 0
--------------------------------------------------
Device Address:
    serial: 30A1B2C
    name: MyB210
    product: B210
    type: b200


--------------------------------------------------
-- UHD Device 1
--------------------------------------------------
Device Address:
    serial: 31E76F0
    addr: 192.168.40.2
    fpga: HG
    name:
    product: X310
    type: x300
"""


def grades(profile=PROFILE, **changed):
    """{what: grade} of a path with some figures changed, but for those that are ok."""
    return {f['what'][len('A to B: '):]: f['grade'] for f in judge.path('A to B', dict(PATH, **changed), dict(PROFILE, **profile), 8.4) if f['grade'] != 'ok'}


class paths(unittest.TestCase):
    def test_a_good_one(self):
        self.assertEqual(grades(), {})

    def test_not_heard(self):
        self.assertEqual(grades(found=0), {'power': 'wrong'})
        self.assertEqual(grades(decoded=19), {'decoded': 'wrong'})

    def test_carrier_offset(self):
        for hz, grade in ((4000, None), (4001, 'look'), (-6000, 'look'), (6001, 'wrong'), (-23600, 'wrong')):
            self.assertEqual(grades(cfo_hz=hz).get('carrier offset'), grade, hz)
        common = {'clock_source': 'external', 'time_source': 'external'}
        for hz, grade in ((50, None), (-51, 'look'), (6001, 'wrong')):
            self.assertEqual(grades(common, cfo_hz=hz).get('carrier offset'), grade, hz)
        for hz, grade in ((300, None), (301, 'look')):
            self.assertEqual(grades({'clock_source': 'gpsdo', 'time_source': 'gpsdo'}, cfo_hz=hz).get('carrier offset'), grade, hz)

    def test_delay(self):
        common = {'clock_source': 'external', 'time_source': 'external'}
        for us, grade in ((50, None), (-50, None), (51, 'wrong'), (1e6, 'wrong')):
            self.assertEqual(grades(common, cfo_hz=0, arrival_us=us).get('delay'), grade, us)
        self.assertEqual(grades(arrival_us=1.7e6), {}, 'without PPS no time is shared')
        self.assertEqual(grades(unsteady_samples=1.1), {'delay': 'wrong'})

    def test_power(self):
        self.assertEqual(grades(power_dbfs=-29), {'power': 'look'})
        self.assertEqual(grades(power_dbfs=-11), {'power': 'look'})
        self.assertEqual(grades(peak=0.71), {'power': 'look'})
        self.assertEqual(grades(clipped_samples=1), {'power': 'wrong'})

    def test_turnaround(self):
        self.assertEqual(grades(turnaround_us=108), {}, 'to the resolution')
        self.assertEqual(grades(turnaround_us=109), {'receives again after sending': 'wrong'})
        self.assertEqual(grades(turnaround_us=None), {'receives again after sending': 'look'})

    def test_snr_and_evm(self):
        self.assertEqual(grades(snr_db=19.9, evm_percent=10.1), {'SNR': 'look', 'EVM': 'look'})
        self.assertEqual(grades(snr_db=9.9, evm_percent=17.6), {'SNR': 'wrong', 'EVM': 'wrong'})

    def test_both_ways(self):
        def grade(there, back):
            return judge.both_ways('A and B', dict(PATH, cfo_hz=there), dict(PATH, cfo_hz=back))[0]['grade']
        self.assertEqual([grade(900, -900), grade(900, -851), grade(900, 900)], ['ok', 'ok', 'look'])
        self.assertEqual(judge.both_ways('A and B', PATH, dict(PATH, found=0)), [])


class radio(unittest.TestCase):
    def test_noise(self):
        for dbfs, peak, grade in ((-60, 0.01, 'ok'), (-39, 0.1, 'look'), (-73, 0.001, 'look'), (-5, 0.99, 'wrong'), (None, 0, 'wrong')):
            self.assertEqual(judge.noise('A', dbfs, peak)['grade'], grade, dbfs)
        self.assertIsNone(judge.power_db(0))
        self.assertAlmostEqual(judge.power_db(1e-6), -60)

    def test_lead(self):
        def grade(*late_ms):
            side = dict(SIDE, leads=[dict(l, lates=int(l['lead_ms'] in late_ms)) for l in SIDE['leads']])
            return judge.side('A', side)[0]['grade']
        self.assertEqual([grade(), grade(1, 2), grade(1, 3), grade(4), grade(1, 2, 3, 4, 6, 8)], ['ok', 'ok', 'look', 'wrong', 'wrong'])

    def test_losses(self):
        for counter in judge.COUNTERS:
            lost = judge.side('A', dict(SIDE, **{counter: 2}))[1]
            self.assertEqual((lost['grade'], lost['figure']), ('look', '2 ' + counter))
        both = judge.worst_side([SIDE, dict(SIDE, overflows=3)])
        self.assertEqual(both['overflows'], 3)

    def test_errors_have_their_remedy(self):
        for error, words in (("device 'x': the external reference is not locked after 5 s", 'PPS'), ("device 'x': time_source external: no PPS for 5 s", 'PPS'),
                             ("no device for 'x': check power", 'power, cable'), ("device 'x': no samples for 1.0 s", 'power, cable'),
                             ("in use by another program for 8 s: LIBUSB_ERROR_BUSY", 'other program'), ('sample_rate_hz 15360000: the device gives 15625000 Hz', 'master_clock_hz'),
                             ("rx_antenna 'RX9': this device accepts TX/RX, RX2", 'device accepts'), ("device 'x': the start of reception came too late", 'USB'),
                             ("A.yaml:3: tx_limits: none.yaml: cannot open; accepted: a file", 'Limits of a band'), ("not sent: tx_limits allow a duty cycle of 0.03", '--bursts'),
                             ('tx_gain_db 40: 20 dBm in 5.8 GHz short range; accepted: at most 34, which is 14 dBm', 'Limits of a band'), ('', 'power')):
            self.assertIn(words, judge.failed('A', error)['remedy'], error)

    def test_every_remedy_names_a_place_of_the_document(self):
        with open(os.path.join(SOURCE, 'docs', 'usrp.md')) as f:
            document = f.read()
        for remedy in judge.REMEDY.values():
            section = re.search(r'\(docs/usrp\.md, (.*)\)', remedy)[1]
            self.assertTrue('## ' + section in document or '**%s.**' % section in document, section)

    def test_notes(self):
        said = judge.notes('A', ['WARNING: the external reference is not locked after 5 s: running free on the internal clock, with a time of its own',
                                 'net.core.rmem_max is 212992: overflows are rarer with 33554432', "device 'x' is not there, or in use: trying for up to 8 s",
                                 'no right to real-time priority: carrying on without'])
        self.assertEqual([(f['grade'], f['what']) for f in said], [('look', 'A: ' + what) for what in ('clock', 'network', 'opening', 'note')])
        self.assertIn('MTU 9000', said[1]['remedy'])
        self.assertEqual(judge.worst(said + [judge.finding('ok', 'x', 'y')]), 'look')
        self.assertEqual(judge.worst([]), 'ok')


class gains(unittest.TestCase):
    def test_the_strongest_path_decides(self):
        paths = [('B', dict(PATH, power_dbfs=-50)), ('B', dict(PATH, power_dbfs=-35)), ('A', PATH), ('C', dict(PATH, found=0))]
        self.assertEqual(judge.suggest_gains({'A': 40, 'B': 40, 'C': 40}, paths), {'A': 40, 'B': 55, 'C': 40})

    def test_clipping_takes_ten_db_at_least(self):
        self.assertEqual(judge.suggest_gains({'A': 40}, [('A', dict(PATH, power_dbfs=-18, clipped_samples=9))]), {'A': 30})
        self.assertEqual(judge.suggest_gains({'A': 4}, [('A', dict(PATH, power_dbfs=-5, clipped_samples=9))]), {'A': 0})

    def test_what_a_device_accepts(self):
        self.assertEqual(judge.within(90, "device 'x': rx_gain_db 90: accepted is 0 to 76"), 76)
        self.assertIsNone(judge.within(90, "device 'x': no samples for 1 s"))


class demo(unittest.TestCase):
    def test_claims(self):
        def grades_of(*held, **more):
            return [f['grade'] for f in judge.demo({'claims': [{'claim': 'c', 'held': h, 'evidence': 'e'} for h in held], **more})]
        self.assertEqual([grades_of(True, True), grades_of(True, False), grades_of(), grades_of(True, stopped=True)], [['ok'], ['wrong', 'wrong'], ['wrong'], ['wrong']])
        self.assertEqual(judge.demo(None)[0]['grade'], 'wrong')


class files(unittest.TestCase):
    def test_uhd_find_devices(self):
        self.assertEqual(radios.parse_found(FOUND), ['type=b200,serial=30A1B2C', 'type=x300,addr=192.168.40.2'])
        self.assertEqual(radios.parse_found('No UHD Devices Found\n'), [])
        self.assertEqual(radios.parse_found(FOUND.replace('b200', 'virtual').replace('x300', 'virtual')), [])

    def test_profiles(self):
        for name in ('radio_b210.yaml', 'radio_x310.yaml', 'radio_n310.yaml'):
            p = radios.profile(os.path.join(SOURCE, 'configs', name), device_args='type=b200,serial=A', center_freq_hz=1.2e9, tx_gain_db=None, rx_gain_db=33.0)
            keys = re.findall(r'(?m)^(\w+):', p.text)
            self.assertEqual(len(keys), len(set(keys)), name)
            for line in ('device_args: "type=b200,serial=A"', 'center_freq_hz: 1200000000.0', 'rx_gain_db: 33.0', 'require_lock: true'):
                self.assertIn(line, p.text.splitlines(), name)
            self.assertGreater(p.values['turnaround_s'], 0)
        with tempfile.TemporaryDirectory() as d:
            for written, file in (('limits.yaml', 'limits.yaml'), ('"../my limits.yaml"  # ours', '../my limits.yaml'), ("'my limits.yaml'", 'my limits.yaml'), ('my #1.yaml', 'my'),
                                  ('my limits.yaml # ours', 'my limits.yaml'), ('/etc/limits.yaml', '/etc/limits.yaml')):
                path = write(os.path.join(d, 'p.yaml'), 'rx_gain_db: 3  # dB\ntx_limits: %s\nturnaround_s: 0.0003\n' % written)
                p = radios.profile(path, device_args='a=b')
                self.assertIn('tx_limits: "%s"' % os.path.join(d, file), p.text.splitlines(), 'a copy lies elsewhere')
                self.assertEqual((p.values['rx_gain_db'], p.values['turnaround_s'], p.text.count('tx_limits')), (3, 0.0003, 1))
            for none in ('', 'tx_limits: ""\n', 'tx_limits:  # none\n'):
                self.assertNotIn(d, radios.profile(write(os.path.join(d, 'p.yaml'), none)).text)

    def test_what_is_not_told(self):
        keep = share.share({'A': 'type=b200,serial=30A1B2C', 'B': 'type=x300,addr=192.168.40.2'})
        secret = "device 'type=b200,serial=30A1B2C': /home/someone/prose/configs/radio_b210.yaml:3: 30A1B2C, serial=OTHER, 192.168.40.2 and 10.0.0.7"
        self.assertEqual(keep.text(secret), "device 'radio A': radio_b210.yaml:3: ..., serial=..., ... and ...")
        self.assertEqual(keep.all({'a': [secret, 1, None]})['a'][1:], [1, None])
        self.assertEqual(keep.text('the MTU of enx3c18a0112233 is 1500, of eth0 (3C:18:a0:11:22:33) 9000'), 'the MTU of ... is 1500, of eth0 (...) 9000')
        self.assertEqual(keep.text('A to B: TX/RX, 16 of 16, I/Q, 1.5 GHz'), 'A to B: TX/RX, 16 of 16, I/Q, 1.5 GHz')

    def test_the_name_of_the_machine_is_not_told(self):
        for host in ('lab', 'x1', 'workshop', 'lab.example.org'):
            with unittest.mock.patch('socket.gethostname', lambda: host):
                keep = share.share({'A': 'type=b200,serial=30A1B2C'})
            self.assertEqual(keep.text('on %s, %s:8 now; x%s' % (host, host, host)), 'on ..., ...:8 now; x' + host)
        report = {'findings': [judge.finding('look', 'A to B: power', '20 dBFS', '', 'cable'), judge.finding('ok', 'mary: demo', '20 of 20')], 'radios': [{'name': 'A'}]}
        for host in ('mary', 'ok', 'look', 'A', 'a', '20', 'cable', 'power', 'to', 'of', 'demo'):
            with unittest.mock.patch('socket.gethostname', lambda: host):
                self.assertEqual(share.share({'A': 'type=b200,serial=30A1B2C'}).all(report), report, host)

    def test_page_escapes(self):
        report = {'verdict': 'wrong', 'when': '', 'program': '', 'ended': '<b>', 'findings': [judge.finding('wrong', '<script>', '&', '', 'cable')], 'settings': {'resolution_us': 8},
                  'radios': [{'name': 'A', 'type': '<i>'}], 'paths': [dict(PATH, **{'from': 'A', 'to': 'B'}, arrivals_us=[1.0], cfos_hz=[0, 0], symbols=[], strength_db=[])], 'demo': None}
        with tempfile.TemporaryDirectory() as d:
            page.write(report, d + '/x.html')
            with open(d + '/x.html') as f:
                text = f.read()
        self.assertIn('&lt;script&gt;', text)
        self.assertNotIn('<i>', text)


if __name__ == '__main__':
    unittest.main()
