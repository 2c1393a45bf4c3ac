"""What scripts/soak makes of events and packets: what is explained, and what is a finding."""
import itertools, random, types, unittest

from scripts.soak_lib import losses, odds, packets, part, scene

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

    def test_one_that_was_silent_before_it_was_told_to_end(self):
        x = linked()
        x.leaves('mary', 300.0)
        self.assertIsNone(x.cause('john', 'mary', 297.0))
        x.ended('mary', 296.0)
        self.assertEqual(x.cause('john', 'mary', 297.0), 'restart')
        self.assertIsNone(x.cause('john', 'mary', 295.0))

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
        self.assertAlmostEqual(exposed, losses.SECOND_S + losses.AFTER_GAP_S + losses.BEFORE_S + losses.FLIGHT_S)
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
        x.judge(310.0)
        self.assertEqual(len(x.odd), 1)
        x.event('john', radio(310.0, restarts=1))
        x.event('john', {'event': 'link_lost', 't': 320.0, 'peer': 'mary', 'reason': 'silence'})
        x.judge(330.0)
        self.assertEqual(len(x.odd), 1)

    def test_a_gap_that_is_told_after_the_link_was_lost_explains_it(self):
        for gap_s, findings in ((12.0, 0), (0.7, 1)):
            x = linked()
            x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
            x.forget(300.0 + losses.TOLD_LATER_S / 2)
            x.event('john', radio(287.9 if gap_s > 1 else 280.0, restarts=1, samples_lost=round(gap_s * 7.68e6)))
            x.forget(300.0 + losses.TOLD_LATER_S)
            self.assertEqual(len(x.odd), findings)

    def test_a_ue_that_ends_may_be_behind_the_others(self):
        x = linked()
        x.leaves('mary', 300.1)
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'released_by_us'})
        x.judge(330.0)
        self.assertEqual(x.odd, [])

    def test_some_lost_samples_do_not_silence_a_link(self):
        x = linked()
        x.event('john', radio(295.0, overflows=1, lates=1, samples_lost=23_000))
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
        x.judge(330.0)
        self.assertEqual(len(x.odd), 1)

    def test_what_was_over_long_before_does_not_lose_a_link(self):
        x = linked()
        x.event('john', radio(270.0, restarts=1))
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
        x.judge(330.0)
        self.assertEqual(len(x.odd), 1)

    def test_a_link_lost_for_no_reason_explains_no_lost_packet(self):
        x = linked()
        x.event('mary', {'event': 'link_lost', 't': 300.0, 'peer': 'john', 'reason': 'silence'})
        x.event('john', {'event': 'link_lost', 't': 300.1, 'peer': 'mary', 'reason': 'silence'})
        x.judge(305.0)
        self.assertEqual(len(x.odd), 2)
        self.assertTrue(x.waits('mary', 'john'))
        self.assertIsNone(x.cause('mary', 'john', 301.0))
        for a, b in IDS:
            x.event(a, {'event': 'link_established', 't': 310.0, 'peer': b})
        self.assertFalse(x.waits('mary', 'john'))

    def with_reference_lost(self, role='holdover', before=()):
        """John loses Mary, whom he follows, at 300 s."""
        x = losses.explainer(LINKS, False, 7.68e6)
        for a, b in (*IDS, ('john', 'peter'), ('peter', 'john')):
            x.event(a, {'event': 'link_established', 't': 1.0, 'peer': b})
        x.event('john', {'event': 'sync', 't': 100.0, 'role': 'follower'})
        for name, e in before:
            x.event(name, e)
        x.event('john', {'event': 'sync', 't': 300.0, 'role': role})
        return x

    def test_a_reference_that_is_lost_without_a_cause_is_a_finding(self):
        for role in ('holdover', 'searching', 'reference'):
            x = self.with_reference_lost(role)
            self.assertEqual(x.cause('john', 'mary', 299.0), 'sync')
            x.forget(300.0 + losses.TOLD_LATER_S)
            self.assertEqual(len(x.odd), 1, role)
            self.assertIsNone(x.cause('john', 'mary', 299.0))

    def test_a_reference_is_lost_with_a_stream_a_clock_or_a_ue(self):
        for before in (('mary', radio(299.5, restarts=1)), ('john', radio(299.5, restarts=1)),
                       ('mary', {'event': 'time_jump', 't': 298.0, 'seconds': 0.037}), ('mary', {'event': 'sync', 't': 299.0, 'role': 'follower'})):
            x = self.with_reference_lost(before=[before])
            x.forget(300.0 + losses.TOLD_LATER_S)
            self.assertEqual(x.odd, [], before)

    def test_of_two_that_follow_each_other_one_takes_over(self):
        lost = ('peter', {'event': 'sync', 't': 299.8, 'role': 'holdover'})
        for before, findings in (([('mary', radio(280.0, restarts=1)), lost], 0), ([('mary', radio(270.0, restarts=1)), lost], 1),
                                 ([('mary', radio(280.0, restarts=1)), ('peter', {'event': 'sync', 't': 299.0, 'role': 'holdover'})], 1)):
            x = self.with_reference_lost('reference', before)
            x.forget(320.0 + losses.TOLD_LATER_S)
            self.assertEqual(len(x.odd), findings, (before, x.odd))

    def test_two_that_lose_one_reference_do_not_explain_each_other(self):
        for before in (300.0, 299.9996, 299.5):
            x = self.with_reference_lost(before=[('peter', {'event': 'sync', 't': before, 'role': 'searching'})])
            x.forget(300.0 + losses.TOLD_LATER_S)
            self.assertEqual(sorted(o.split()[0] for o in x.odd), ['john', 'peter'], before)

    def test_what_another_tells_later_is_waited_for(self):
        x = self.with_reference_lost()
        x.forget(301.0)
        x.event('mary', radio(300.8, restarts=1))
        x.forget(300.0 + losses.TOLD_LATER_S)
        self.assertEqual(x.odd, [])

    def test_some_lost_samples_or_a_later_change_lose_no_reference(self):
        for name, e in (('mary', radio(299.5, overflows=1, samples_lost=23_040)), ('mary', radio(280.0, restarts=1)),
                        ('peter', {'event': 'sync', 't': 300.5, 'role': 'holdover'})):
            x = self.with_reference_lost(before=[(name, e)])
            x.forget(301.0 + losses.TOLD_LATER_S)
            self.assertEqual(sum(o.startswith('john') for o in x.odd), 1, e)

    def test_late_bursts_follow_from_gaps_leaps_and_another_timing(self):
        for e, n in ((radio(200.0, restarts=1, lates=14, samples_lost=3_072_000), 14), (radio(200.0, overflows=1, samples_lost=23_040), 3 + losses.LEAD_SUBFRAMES),
                     ({'event': 'time_jump', 't': 200.0, 'seconds': 0.037}, 18), ({'event': 'sync', 't': 200.0, 'role': 'reference'}, losses.LEAD_SUBFRAMES)):
            x = linked()
            x.event('mary', e)
            x.event('mary', radio(201.0, lates=n))
            self.assertEqual((x.told['lates'], x.told[losses.LATE_AFTER]), (0, n), e)
            x.event('mary', radio(201.1, lates=n + 100))
            self.assertGreater(x.told['lates'], 50, e)

    def test_after_a_long_gap_bursts_are_late_until_the_ue_has_caught_up(self):
        x = linked()
        x.event('john', radio(200.0, restarts=1, samples_lost=9_907_200))
        x.event('john', radio(203.0, lates=9))
        x.event('john', radio(205.0, lates=10))
        self.assertEqual((x.told['lates'], x.told[losses.LATE_AFTER]), (1, 9))

    def test_the_first_bursts_of_a_run_may_be_late(self):
        x = linked()
        x.event('john', {'event': 'started', 't': 200.0})
        x.event('john', radio(201.0, lates=1))
        self.assertEqual((x.told['lates'], x.told[losses.LATE_AFTER]), (0, 1))

    def test_late_bursts_without_a_gap_stand_alone(self):
        x = linked()
        x.event('mary', radio(200.0, overflows=1, samples_lost=23_040))
        x.event('john', radio(200.5, lates=1))
        x.event('mary', radio(203.0, lates=2))
        self.assertEqual((x.told['lates'], x.told[losses.LATE_AFTER]), (3, 0))

    def test_a_gap_explains_its_late_bursts_once(self):
        x = linked()
        x.event('mary', radio(200.0, overflows=1, samples_lost=23_040, lates=7))
        x.event('mary', radio(200.5, overflows=1, samples_lost=23_040, lates=14))
        self.assertEqual((x.told['lates'], x.told[losses.LATE_AFTER]), (7, 7))

    def test_a_stream_lasts_until_it_or_its_ue_ends(self):
        x = linked()
        x.event('john', {'event': 'started', 't': 0.5})
        x.event('john', radio(270.0, restarts=1))
        x.ended('john', 300.0)
        x.event('john', {'event': 'started', 't': 310.0})
        self.assertEqual(x.streams['john'], [[[0.5, 270.0], [270.0, 300.0]], [[310.0, None]]])

    def test_streams_that_begin_anew_are_told_by_ue(self):
        x = linked()
        x.event('john', {'event': 'started', 't': 0.5})
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

    def test_a_changed_or_short_packet_is_neither_ignored_nor_lost(self):
        whole = self.sent[2]
        for octets in (b'', whole[:3], whole[:-1], whole + b'x', b'\xff' + whole[1:], whole[:-1] + bytes([whole[-1] ^ 1])):
            self.setUp()
            self.d.arrived(octets)
            self.assertEqual(len(self.d.wrong), 1, octets)
            self.assertEqual([p.number for p in self.d.open.values() if p.changed and p.arrived], [2], octets)

    def test_a_packet_of_an_earlier_part_is_a_finding(self):
        later = packets.direction('mary', 'john', 1, 3, 0.1, self.sent.append)
        later.arrived(self.sent[0])
        self.assertEqual(len(later.wrong), 1)

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


class End(unittest.TestCase):
    def test_a_reference_that_is_lost_shortly_before_the_end_is_judged(self):
        x = losses.explainer(LINKS, False, 7.68e6)
        for a, b in (*IDS, ('john', 'peter'), ('peter', 'john')):
            x.event(a, {'event': 'link_established', 't': 1.0, 'peer': b})
        x.event('john', {'event': 'sync', 't': 295.0, 'role': 'holdover'})
        judged = []
        p = types.SimpleNamespace(explainer=x, now=300.0, directions={}, judge=lambda everything: judged.append(list(x.odd)), weigh_air=lambda until: None)
        part.part.judge_last(p)
        self.assertEqual([len(odd) for odd in judged], [1], 'before the packets')


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


if __name__ == '__main__':
    unittest.main()
