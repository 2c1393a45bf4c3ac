"""The verdict of scripts/soak: a good state holds, and a leak, a fault that nobody tells of and the like make it fail."""
import random, unittest

from scripts.soak_lib import flatness, losses, report, scene, state as kept
from tests.integration.soak_analysis_test import OPTIONS


class Flatness(unittest.TestCase):
    def noisy(self, per_hour, hours=1.0, start=50e6, every_s=5.0):
        r = random.Random(1)
        return [(i * every_s, start + per_hour * i * every_s / 3600 + r.choice((0, 0, 4096, 8192))) for i in range(int(hours * 3600 / every_s))]

    def test_noise_and_a_single_step_are_flat(self):
        points = self.noisy(0)
        self.assertTrue(flatness.judge(points, flatness.MEMORY_LIMIT)['held'])
        stepped = [(t, v + (400e3 if t > 3000 else 0)) for t, v in points]
        self.assertTrue(flatness.judge(stepped, flatness.MEMORY_LIMIT)['held'])

    def test_warming_up_is_left_out(self):
        self.assertTrue(flatness.judge([(t, v - max(0.0, 800 - t) * 1e4) for t, v in self.noisy(0)], flatness.MEMORY_LIMIT)['held'])

    def test_a_leak_is_found(self):
        """32 octets for each of 12 packets a second, in half an hour."""
        j = flatness.judge(self.noisy(32 * 12 * 3600, hours=0.5), flatness.MEMORY_LIMIT)
        self.assertFalse(j['held'])
        self.assertAlmostEqual(j['per_hour'], 32 * 12 * 3600, delta=1e5)

    def descriptors_hold(self, points):
        return flatness.judge(points, flatness.DESCRIPTOR_LIMIT, flatness.between_ends)['held']

    def test_one_descriptor_is_a_leak_and_a_file_that_is_closed_is_none(self):
        self.assertFalse(self.descriptors_hold([(t, 10 + (t > 6000)) for t in range(0, 7200, 5)]))
        self.assertTrue(self.descriptors_hold([(t, 12 if t % 600 < 5 or t > 7190 else 10) for t in range(0, 7200, 5)]))

    def test_descriptors_that_are_open_for_a_moment_at_the_end_are_no_leak(self):
        for leaks, held in ((1, True), (2, True), (4, False)):
            points = [(40.0 + t, 10 if t >= 40 - leaks else 8) for t in range(40)]
            self.assertEqual(flatness.judge([(0.0, 8), *points], flatness.DESCRIPTOR_LIMIT, flatness.between_ends)['held'], held, leaks)

    def test_a_descriptor_an_hour_and_a_growing_queue_are_found(self):
        self.assertFalse(self.descriptors_hold([(t, 10 + t // 3600) for t in range(0, 7200, 5)]))
        self.assertFalse(flatness.judge([(t, 0.05 + t * 1e-5) for t in range(0, 7200, 5)], flatness.LATENCY_LIMIT)['held'])

    def test_a_killed_ue_that_was_silent_for_half_its_life_is_warming_up(self):
        silent = [(float(t), 47e6 if t < 28 else 51e6) for t in range(120)]
        self.assertTrue(flatness.judge(silent, flatness.MEMORY_LIMIT)['held'])
        self.assertFalse(flatness.judge(silent[:48], flatness.MEMORY_LIMIT)['judged'])

    def test_too_short_is_not_judged(self):
        self.assertFalse(flatness.judge(self.noisy(0, hours=0.005), flatness.MEMORY_LIMIT)['judged'])


class Verdict(unittest.TestCase):
    def state(self):
        s = kept.empty(dict(OPTIONS))
        s.update(air_s=1200.0, told=dict.fromkeys(scene.TOLD_BY.values(), 1), restarts={'mary unplugged': 1})
        s['parts'] = [{'source': 'gnss', 'began': 'now', 'device_s': 1000, 'air_s': 1200.0, 'wall_s': 300.0, 'versions': {'prose-ue': 'prose-ue 0', 'UHD': '4'},
                       'arrived': 990, 'heard': {'tb': 1000, 'sci': 2000}}]
        s['streams'] = {n: {'1': [[600.0], [600.0]]} for n in ('mary', 'john', 'peter')}
        s['cpu'] = {'john': {'cpu_s': 30.0, 'air_s': 300.0}, 'soak': {'cpu_s': 10.0, 'air_s': 300.0}}
        flat = [[t, 50e6, 90e6, 10] for t in range(0, 600, 5)]
        s['sizes'] = {n + ' 1.1': [list(p) for p in flat] for n in ('john', 'sniffer')}
        s['latency'] = {'1': [[t, 0.05, 0.08] for t in range(0, 600, 5)]}
        e = kept.of_end(s, 'mary>john')
        e.update(sent=1000, arrived=990, lost={'half_duplex': 10}, clear=900, clear_lost=10, clear_s=900.0, exposed_s=100.0)
        return s

    def held(self, s):
        found = report.summary(s, 1200.0)
        report.page(found, s)
        return found['held']

    def test_a_good_one_holds(self):
        self.assertTrue(self.held(self.state()))

    def test_each_of_these_makes_it_fail(self):
        def leak(s):
            s['sizes']['john 1.1'] = [[t, 50e6 + 20e3 * t, 90e6, 10] for t in range(0, 600, 5)]

        def descriptors(s):
            s['sizes']['sniffer 1.1'] = [[t, 50e6, 90e6, 10 + t // 100] for t in range(0, 600, 5)]

        def latency(s):
            s['latency']['1'] = [[t, 0.05 + t * 1e-4, 0.2] for t in range(0, 600, 5)]
        for change in (leak, descriptors, latency, lambda s: kept.keep(s, 'unexplained', {}), lambda s: kept.keep(s, 'wrong', 'x'),
                       lambda s: s['told'].pop('overflows'), lambda s: s['told'].pop('restarts john'), lambda s: s['told'].pop('restarts peter'), lambda s: s['restarts'].clear(), lambda s: s['parts'][0]['heard'].update(tb=989), lambda s: s['parts'][0]['heard'].update(sci=989), lambda s: s['parts'].clear(),
                       lambda s: s['ends']['mary>john'].update(clear_s=60.0), lambda s: s['ends']['mary>john'].update(clear_lost=200), lambda s: s['ends']['mary>john'].update(fits=100), lambda s: s['sizes'].clear(),
                       lambda s: s['ends'].clear()):
            s = self.state()
            change(s)
            self.assertFalse(self.held(s), change)

    def test_latency_that_grows_in_each_part_is_found(self):
        s = self.state()
        sawtooth = {str(k + 1): [[600 * k + t, 0.05 + t * 4e-5, 0.2] for t in range(0, 600, 5)] for k in range(8)}
        self.assertTrue(flatness.judge([p[:2] for points in sawtooth.values() for p in points], flatness.LATENCY_LIMIT)['held'])
        s['latency'] = sawtooth
        self.assertFalse(self.held(s))

    def test_parts_may_differ_in_latency(self):
        s = self.state()
        s['latency'] = {str(k + 1): [[600 * k + t, 0.05 + 0.03 * k, 0.2] for t in range(0, 600, 5)] for k in range(3)}
        self.assertTrue(self.held(s))

    def test_what_is_told_more_often_than_explained_makes_it_fail(self):
        for kind, most in report.most_told(self.state()).items():
            for n in (most, most + 1):
                s = self.state()
                s['told'][kind] = n or 1
                self.assertEqual(self.held(s), 0 < n <= most, (kind, n))
        s = self.state()
        s['told']['unheard of'] = 1
        self.assertFalse(self.held(s))

    def test_late_bursts_beyond_the_faults_need_gaps(self):
        s = self.state()
        s['told']['lates'] = 100
        self.assertFalse(self.held(s))
        s['told'].update({'lates': 10, losses.LATE_AFTER: 90})
        self.assertTrue(self.held(s))

    def test_as_many_faults_as_the_rules_give(self):
        """Mary: overflow at 65 s and each 60 s, a late burst at 143 s and each 138 s; unplugged once, at 450 s."""
        for age, overflows, lates, unplugged in ((60.0, 0, 0, 0), (64.0, 1, 0, 0), (150.0, 2, 1, 0), (600.0, 9, 4, 1)):
            most = scene.most_faults(OPTIONS, 'mary', [age])
            self.assertEqual((most['overflow'], most['late'], most['unplug'], most['outage']), (overflows, lates, unplugged, 0), age)

    def test_faults_of_transmission_count_from_the_begin_of_the_run(self):
        most = scene.most_faults(OPTIONS, 'mary', [100.0, 100.0, 90.0])
        self.assertEqual((most['overflow'], most['late']), (1, 2))

    def test_one_direction_without_clear_time_makes_it_fail(self):
        s = self.state()
        kept.of_end(s, 'john>mary').update(sent=9, arrived=9, clear=9, clear_s=39.0, exposed_s=61.0)
        for e in ('john>peter', 'peter>john'):
            kept.of_end(s, e).update(sent=9, arrived=9, clear=9, clear_s=100.0)
        self.assertFalse(self.held(s))

    def test_what_was_not_due_and_not_tried_is_said(self):
        s = self.state()
        s['parts'][0]['air_s'] = 100.0
        s['told'].pop('restarts john')
        found = report.summary(s, 1200.0)
        self.assertTrue(found['held'])
        self.assertTrue([c for c in found['checks'] if 'not due: outage' in c['evidence']])
        for words in ('outage', 'subframes from slss', 'transmission mode 4', '50 PRBs', 'mary killed by the soak'):
            self.assertIn(words, found['not_tried'])
        self.assertIn('Not tried in this soak: outage', report.page(found, s))

    def test_each_part_has_its_versions(self):
        s = self.state()
        s['parts'].append({**s['parts'][0], 'versions': {'prose-ue': 'prose-ue 1', 'UHD': '5'}})
        page = report.page(report.summary(s, 1200.0), s)
        self.assertIn('prose-ue 0, 4', page)
        self.assertIn('prose-ue 1, 5', page)

    def test_the_processor_is_shared_out(self):
        self.assertEqual(report.processor(self.state()), {'john': {'cpu_s': 30.0, 'cpu_s_per_air_s': 0.1, 'share': 0.75},
                                                          'soak': {'cpu_s': 10.0, 'cpu_s_per_air_s': 0.0333, 'share': 0.25}})

    def test_a_fault_is_due_only_where_restarts_leave_it_time(self):
        for fault_s, restart_s, first in ((60.0, 300.0, 209.0), (15.0, 40.0, 96.0), (25.0, 30.0, float('inf'))):
            due = scene.first_due({**OPTIONS, 'fault_every': fault_s, 'restart_every': restart_s})
            self.assertAlmostEqual(due['late_command'], first, delta=1.0)

    def test_series_stay_bounded_and_keep_their_slope(self):
        s = kept.series()
        for i in range(10 * kept.MOST_POINTS):
            s.add(float(i), 2.0 * i, None)
        self.assertLessEqual(len(s.points), kept.MOST_POINTS)
        self.assertAlmostEqual(flatness.slope(flatness.bins(s.column(1))), 2.0, delta=0.01)
        self.assertEqual(s.column(2), [])


if __name__ == '__main__':
    unittest.main()
