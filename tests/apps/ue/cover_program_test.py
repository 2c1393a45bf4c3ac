"""Link cover in prose-ue: lines cross a covered link, and only the own user is told which flows are dummies."""
import json, os, tempfile

from tests.harness import ue
from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import edit, text_of
from tests.harness.process import run, wait


def test_a_covered_link_carries_lines_and_dummies_are_told_locally():
    with Air(speed='max') as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air)
        mary, john = (os.path.join(d, n + '.yaml') for n in ('mary', 'john'))
        socket = os.path.join(d, 'mary.sock')
        edit(mary, (r'  lost_s: .*', '  lost_s: 30\n  cover: 3\n  cover_interval_ms: 300\n  cover_round_s: 15'))
        m = ue.Ue(d, 'mary', '--data', 'stdin', '--control', socket)
        j = ue.Ue(d, 'john', '--data', 'stdin')
        placed = lambda: [e for e in m.of('cover') if e['links'] == 1]
        wait(placed, 120)
        first = placed()[0]
        assert (first['flows'], first['dummies'], first['peers']) == (3, 2, 'john'), first
        said = 0
        def crossed():
            nonlocal said
            said += 1
            m.say('john from mary %d' % said)
            j.say('mary from john %d' % said)
            return any('from mary' in l for l in j.lines()) and any('from john' in l for l in m.lines())
        wait(crossed, 120)
        show = lambda *more: run('prose-ue', '--config', mary, '--control', socket, '--show', *more).stdout
        cover = json.loads(show('--json'))['cover']
        assert cover['flows'] == 3 and cover['links'] + cover['dummies'] == 3, cover
        assert 'cover: 3 flows, ' in show()
        wait(lambda: len(m.of('link_established')) >= 4, 120)  # one a round
        assert not m.of('identity_conflict') and not j.of('identity_conflict')
        assert not j.of('cover') and 'dummies' not in text_of(j.log), 'told to others'
        m.stop()
        wait(lambda: any(e['reason'] == 'released_by_peer' for e in j.of('link_lost')), 60)
        j.stop()


if __name__ == '__main__':
    main()
