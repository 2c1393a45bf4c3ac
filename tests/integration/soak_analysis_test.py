"""The judgement of scripts/soak on made events: what is explained, and that what is not, a leak and the like make it fail."""
import itertools, random, unittest

from scripts.soak_lib import flatness, losses, odds, packets, report, scene, state as kept

LINKS = (('mary', 'john'), ('john', 'peter'))
OPTIONS = {'air': 600.0, 'seed': 1, 'fault_every': 60.0, 'restart_every': 300.0, 'sample_every': 5.0, 'chapter': 3600.0, 'time': 'gnss', 'tm': '2', 'prb': '25'}
IDS = {('mary', 'john'): ('aaaaaa', 'bbbbbb'), ('john', 'mary'): ('bbbbbb', 'aaaaaa')}


def linked(gnss=True, rate_hz=7.68e6):
    """Mary and John have had a link since 1 s, Peter is far away."""
    x = losses.explainer(LINKS, gnss, rate_hz)
    for a, b in IDS:
        x.event(a, {'event': 'link_established', 't': 1.0, 'peer': b, 'own_l2_id': IDS[a, b][0], 'peer_l2_id': IDS[a, b][1]})
    return x


def radio(t, **counters):
    return {'event': 'radio', 't': t, **counters}


def send(x, ue, t, channel='PSSCH', prb=0, block=''):
    x.sent(ue, {'t': t, 'channel': channel, 'prb': prb, 'n_prb': 3 if channel == 'PSSCH' else 1, 'hex': block})


BLOCK = '20aaaaaabbbb1234'


def send_block(x, t):
    """As TM2 does: two announcements, four copies."""
    for at in (0.001, 0.005):
        send(x, 'mary', t + at, 'PSCCH', 20)
    for at in (0.010, 0.013, 0.016, 0.019):
        send(x, 'mary', t + at, block=BLOCK)


class Losses(unittest.TestCase):
    def test_a_loss_without_a_cause_is_unexplained(self):
        x = linked()
        send_block(x, 50.02)
        self.assertIsNone(x.cause('mary', 'john', 50.0))

    def test_before_the_link_and_after_the_end_of_a_program(self):
        x = linked()
        self.assertEqual(x.cause('mary', 'john', 0.5), 'restart')
        x.ended('john', 60.0)
        self.assertEqual(x.cause('mary', 'john', 70.0), 'restart')
        for a, b in IDS:
            x.event(a, {'event': 'link_established', 't': 80.0, 'peer': b})
        self.assertEqual(x.cause('john', 'mary', 79.0), 'restart')
        self.assertIsNone(x.cause('mary', 'john', 85.0))

    def test_one_end_that_has_no_link_yet_is_enough(self):
        x = linked()
        x.ended('john', 60.0)
        x.event('mary', {'event': 'link_established', 't': 80.0, 'peer': 'john'})
        self.assertEqual(x.cause('mary', 'john', 85.0), 'restart')

    def test_what_the_radio_tells_covers_its_second_and_the_gap_only(self):
        x = linked()
        x.event('john', radio(100.0, overflows=1, samples_lost=0))
        self.assertEqual(x.cause('mary', 'john', 99.5), 'radio')
        self.assertIsNone(x.cause('mary', 'john', 97.0))
        self.assertIsNone(x.cause('mary', 'john', 101.0))
        x.event('john', radio(200.0, overflows=1, samples_lost=5 * 7_680_000))
        self.assertEqual(x.cause('mary', 'john', 204.0), 'radio')

    def test_a_gap_is_as_long_as_the_rate_says(self):
        for rate, why in ((7.68e6, 'radio'), (15.36e6, None)):
            x = linked(rate_hz=rate)
            x.event('john', radio(200.0, overflows=1, samples_lost=5 * 7_680_000))
            self.assertEqual(x.cause('mary', 'john', 204.0), why)

    def test_time_counts_as_exposed_where_a_packet_would_be(self):
        x = linked()
        x.event('john', radio(100.0, overflows=1))
        clear, exposed = x.air('mary', 'john', 90.0, 110.0)
        self.assertAlmostEqual(exposed, losses.SECOND_S + losses.AFTER_GAP_S + losses.BEFORE_S + losses.FLIGHT_S, delta=0.2)
        self.assertAlmostEqual(clear + exposed, 20.0)

    def test_counters_that_stay_are_no_cause(self):
        x = linked()
        for t in (100.0, 200.0):
            x.event('john', radio(t, overflows=1))
        self.assertIsNone(x.cause('mary', 'john', 199.8))

    def test_the_radio_of_a_third_is_no_cause(self):
        x = linked()
        x.event('peter', radio(100.0, overflows=1))
        self.assertIsNone(x.cause('mary', 'john', 99.8))

    def test_keys_of_another_link_are_no_cause(self):
        x = linked()
        x.event('john', {'event': 'rekeyed', 't': 100.0, 'peer': 'peter'})
        self.assertIsNone(x.cause('mary', 'john', 100.0))
        x.event('john', {'event': 'rekeyed', 't': 100.0, 'peer': 'mary'})
        self.assertEqual(x.cause('mary', 'john', 100.0), 'rekeying')

    def test_half_duplex_needs_every_copy_or_every_announcement(self):
        x = linked()
        send_block(x, 50.02)
        for at in (0.010, 0.013, 0.016):
            send(x, 'john', 50.02 + at, 'PSDCH', 40)
        self.assertIsNone(x.cause('mary', 'john', 50.0))
        send(x, 'john', 50.039, 'PSDCH', 40)
        self.assertEqual(x.cause('mary', 'john', 50.0), 'half_duplex')

    def test_both_announcements_under_another_ue(self):
        x = linked()
        send_block(x, 50.02)
        send(x, 'peter', 50.021, 'PSCCH', 20)
        self.assertIsNone(x.cause('mary', 'john', 50.0))
        send(x, 'peter', 50.025, 'PSCCH', 20)
        self.assertEqual(x.cause('mary', 'john', 50.0), 'collision')

    def test_with_tm4_each_copy_has_its_own_announcement(self):
        x = linked()
        for at in (50.02, 50.03):
            send(x, 'mary', at, 'PSCCH', 20)
            send(x, 'mary', at, block=BLOCK)
        send(x, 'john', 50.02)
        self.assertIsNone(x.cause('mary', 'john', 50.0))
        send(x, 'john', 50.03)
        self.assertEqual(x.cause('mary', 'john', 50.0), 'half_duplex')

    def test_a_block_for_another_is_no_explanation(self):
        x = linked()
        send(x, 'mary', 50.03, block='20aaaaaacccc1234')
        send(x, 'john', 50.03, 'PSDCH', 40)
        self.assertIsNone(x.cause('mary', 'john', 50.0))

    def test_time_that_leapt_is_a_cause_until_it_is_right_again(self):
        x = linked()
        x.event('john', {'event': 'time_jump', 't': 100.037, 'seconds': 0.037})
        self.assertEqual(x.cause('mary', 'john', 150.0), 'clock')
        x.event('john', {'event': 'time_jump', 't': 160.0, 'seconds': -0.037})
        self.assertEqual(x.told['time_jump'], 2)
        self.assertIsNone(x.cause('mary', 'john', 170.0))
        self.assertAlmostEqual(x.air_time('john', 170.0), 170.0)

    def test_a_link_that_is_lost_without_a_cause_is_a_finding(self):
        x = linked()
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
        self.assertEqual(len(x.odd_losses), 1)
        x.event('john', radio(310.0, restarts=1))
        x.event('john', {'event': 'link_lost', 't': 320.0, 'peer': 'mary', 'reason': 'silence'})
        self.assertEqual(len(x.odd_losses), 1)

    def test_a_ue_that_ends_may_be_behind_the_others(self):
        x = linked()
        x.leaves('mary', 300.1)
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'released_by_us'})
        self.assertEqual(x.odd_losses, [])

    def test_some_lost_samples_do_not_silence_a_link(self):
        x = linked()
        x.event('john', radio(295.0, overflows=1, lates=1, samples_lost=23_000))
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
        self.assertEqual(len(x.odd_losses), 1)

    def test_what_was_over_long_before_does_not_lose_a_link(self):
        x = linked()
        x.event('john', radio(270.0, restarts=1))
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
        self.assertEqual(len(x.odd_losses), 1)

    def test_streams_that_begin_anew_are_told_by_ue(self):
        x = linked()
        x.event('john', radio(270.0, restarts=1))
        self.assertEqual(dict(x.told), {'restarts john': 1, 'link_established': 2})


class Packets(unittest.TestCase):
    def setUp(self):
        self.sent = []
        self.d = packets.direction('mary', 'john', 1, 0, 0.1, self.sent.append)
        for i in range(3):
            self.d.give(10.0 * i)
        self.taken = [len(p) for p in self.sent]

    def test_one_that_the_ue_never_took_does_not_shift_the_others(self):
        self.d.taken(self.taken[0], 1.0)
        self.d.taken(self.taken[2], 21.0)
        self.assertEqual([p.taken for p in self.d.open.values()], [1.0, None, 21.0])

    def test_twice_changed_and_invented_are_findings(self):
        self.d.arrived(self.sent[1])
        self.assertEqual(self.d.wrong, [])
        self.d.arrived(self.sent[1])
        self.d.arrived(self.sent[0][:-1] + b'x')
        self.d.taken(1, 5.0)
        self.assertEqual(len(self.d.wrong), 3)

    def test_the_next_waits_for_the_one_before(self):
        self.d.give(20.5)
        self.assertEqual(len(self.sent), 3)
        self.d.arrived(self.sent[2])
        self.d.give(20.6)
        self.assertEqual(len(self.sent), 4)

    def test_two_directions_do_not_stay_in_step(self):
        other = packets.direction('john', 'mary', 1, 0, 0.1, self.sent.append)
        times = {self.d: [], other: []}
        for i in range(1000):
            for d, at in times.items():
                sent = len(self.sent)
                d.give(100 + 0.01 * i)
                if len(self.sent) > sent:
                    at.append(i)
                    d.arrived(self.sent[-1])
        self.assertLess(len(set(times[self.d]) & set(times[other])), len(times[other]) / 4)
        self.assertAlmostEqual(len(times[other]), 100, delta=10)

    def test_judged_only_when_nothing_can_come_any_more(self):
        late = 20.0 + packets.JUDGED_AFTER_S
        self.assertEqual(len(self.d.judged(late, waits=True)), 0)
        self.assertEqual(len(self.d.judged(late, waits=False)), 3)


class Unplugging(unittest.TestCase):
    DUE_S = scene.UNPLUG_AFTER * OPTIONS['restart_every']
    SAID = 'prose-ue: the radio is gone: no samples for 1.0 s'

    def test_only_an_end_without_samples_when_it_is_due(self):
        self.assertTrue(scene.was_unplugged(OPTIONS, 'mary', 1, self.SAID, self.DUE_S))
        for name, code, said, age in (('mary', 1, 'out of memory', self.DUE_S), ('mary', 2, self.SAID, self.DUE_S), ('mary', 1, self.SAID, self.DUE_S / 2),
                                      ('mary', 1, self.SAID, None), ('john', 1, self.SAID, self.DUE_S)):
            self.assertFalse(scene.was_unplugged(OPTIONS, name, code, said, age), (name, code, said, age))


class Odds(unittest.TestCase):
    def test_as_counted_over_all_draws(self):
        draws = [set(d) for d in itertools.combinations(range(6), 3)]
        for receiver, third in ((draws, draws), (draws, [set()]), ([set()], draws)):
            met = [set(range(3)) <= r | t for r in receiver for t in third]
            self.assertAlmostEqual(odds.all_met(6, 3, len(receiver[0]), len(third[0])), sum(met) / len(met))

    def test_a_busy_receiver_loses_more_and_few_packets_scatter(self):
        to, back = (odds.share_lost(a, b, '2', '25') for a, b in (('mary', 'john'), ('john', 'mary')))
        self.assertGreater(to, back)
        # mac/tm2_scheduler.cpp: 1 of 70 patterns; announcements: 1 of 28 pairs
        self.assertGreater(back, odds.load('mary', '2') * (1 / 70 + 1 / 28))
        self.assertLess(to, 0.1)
        self.assertGreater(odds.most_lost('mary', 'john', OPTIONS, 100), 1.2 * 100 * to)


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
        s = kept.empty(dict(OPTIONS), {'prose-ue': 'prose-ue 0'})
        s.update(air_s=1200.0, sniffer_events=1, told=dict.fromkeys((*report.TOLD_BY.values(), 'restarts john', 'restarts peter'), 1), restarts={'mary unplugged': 1})
        s['parts'] = [{'source': 'gnss', 'began': 'now', 'device_s': 1000, 'air_s': 1200.0, 'wall_s': 300.0}]
        flat = [[t, 50e6, 90e6, 10] for t in range(0, 600, 5)]
        s['sizes'] = {n + ' 1.1': [list(p) for p in flat] for n in ('john', 'sniffer')}
        s['latency'] = {'points': [[t, 0.05, 0.08] for t in range(0, 600, 5)]}
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
            s['latency']['points'] = [[t, 0.05 + t * 1e-4, 0.2] for t in range(0, 600, 5)]
        for change in (leak, descriptors, latency, lambda s: kept.keep(s, 'unexplained', {}), lambda s: kept.keep(s, 'wrong', 'x'),
                       lambda s: s['told'].pop('overflows'), lambda s: s['told'].pop('restarts john'), lambda s: s['told'].pop('restarts peter'), lambda s: s['restarts'].clear(), lambda s: s.update(sniffer_events=0),
                       lambda s: s['ends']['mary>john'].update(clear_s=60.0), lambda s: s['ends']['mary>john'].update(clear_lost=200), lambda s: s['ends']['mary>john'].update(fits=100), lambda s: s['sizes'].clear(),
                       lambda s: s['ends'].clear()):
            s = self.state()
            change(s)
            self.assertFalse(self.held(s), change)

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
