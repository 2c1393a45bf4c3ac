"""What scripts/soak does within a part: who is ended when, and how a program may end."""
import random, types, unittest

from scripts.soak_lib import losses, part, scene
from tests.integration.soak_analysis_test import LINKS, OPTIONS


class Unplugging(unittest.TestCase):
    DUE_S = scene.UNPLUG_AFTER * OPTIONS['restart_every']
    SAID = 'prose-ue: the radio is gone: no samples for 1.0 s'

    def test_only_an_end_without_samples_when_it_is_due(self):
        self.assertTrue(scene.was_unplugged(OPTIONS, 'mary', 1, self.SAID, self.DUE_S))
        for name, code, said, age in (('mary', 1, 'out of memory', self.DUE_S), ('mary', 2, self.SAID, self.DUE_S), ('mary', 1, self.SAID, self.DUE_S / 2),
                                      ('mary', 1, self.SAID, None), ('john', 1, self.SAID, self.DUE_S)):
            self.assertFalse(scene.was_unplugged(OPTIONS, name, code, said, age), (name, code, said, age))


class Ending(unittest.TestCase):
    def findings(self, said, code, leaving):
        state = {'wrong': [], 'n_wrong': 0, 'sizes': {'mary 3.2': [[550.0, 1, 1, 9], [551.9, 1, 1, 9], [555.0, 1, 1, 12]]}}
        p = types.SimpleNamespace(state=state, now=1460.0, own={'mary': 1452.0}, since={'mary': 1000.0}, running={'mary'}, leaving=leaving, roles={}, starts_at={},
                                  directions={}, read=lambda: None, count=lambda *a: None, explainer=types.SimpleNamespace(ended=lambda *a: None), options=OPTIONS,
                                  number=3, base=500.0, begin=1400.0,
                                  scene=types.SimpleNamespace(ended=lambda n: code, expected={'mary': 0}, log_of=lambda n: said, forget_run=lambda n: None, runs={'mary': 2}))
        for name in ('was_unplugged', 'life', 'forget_sizes_since'):
            setattr(p, name, types.MethodType(getattr(part.part, name), p))
        part.part.program_ended(p, 'mary')
        self.assertEqual([t for t, *_ in state['sizes']['mary 3.2']], [550.0, 551.9], 'measured when it had ended')
        return len(state['wrong'])

    def test_one_that_is_told_to_end_before_it_knows_that_it_was_unplugged(self):
        for leaving in (set(), {'mary'}):
            self.assertEqual(self.findings(Unplugging.SAID, 1, set(leaving)), 0)
            self.assertEqual(self.findings('prose-ue: something else', 1, set(leaving)), 1)


    def test_one_that_was_unplugged_shortly_before_the_end_of_a_part(self):
        x = losses.explainer(LINKS, False, 7.68e6)
        for a, b in (('mary', 'john'), ('john', 'mary'), ('john', 'peter'), ('peter', 'john')):
            x.event(a, {'event': 'link_established', 't': 1.0, 'peer': b})
        x.event('john', {'event': 'sync', 't': 298.0, 'role': 'holdover'})
        p = types.SimpleNamespace(explainer=x, now=300.0, own={'mary': 297.8}, directions={}, starts_at={}, leaving=set(), state={'wrong': [], 'n_wrong': 0}, judge=lambda **_: None,
                                  weigh_air=lambda until: None, measure_cpu=lambda: None, count=lambda *a: None, was_unplugged=lambda n, code: n == 'mary',
                                  scene=types.SimpleNamespace(stop=lambda: {'mary': 1, 'john': 0}, expected={}, tails={}, runs={}, sockets={}))
        p.judge_last = types.MethodType(part.part.judge_last, p)
        part.part.finish(p)
        self.assertEqual((x.odd, p.state['wrong']), ([], []))


class Turns(unittest.TestCase):
    def test_a_ue_whose_turn_comes_while_it_is_away_is_ended_when_it_is_back(self):
        ended = []
        p = types.SimpleNamespace(now=10.0, next_turn=0.0, turn=1, options={'restart_every': 40.0}, random=random.Random(1), roles={}, running={'peter'},
                                  leaving=set(), count=lambda *a: None, explainer=types.SimpleNamespace(leaves=lambda *a: None),
                                  scene=types.SimpleNamespace(end=lambda name, how: ended.append((name, how))))
        part.part.take_turns(p)
        p.now, p.running = 12.0, {'peter', 'mary'}
        part.part.take_turns(p)
        self.assertEqual(ended, [part.TURNS[1]])
        part.part.take_turns(p)
        self.assertEqual((len(ended), p.turn), (1, 2))
        self.assertGreater(p.next_turn, 40)


if __name__ == '__main__':
    unittest.main()
