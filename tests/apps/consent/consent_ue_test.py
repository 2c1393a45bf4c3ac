"""prose-ue, its user's consent list, and servers that lie or fall silent, on an emulated air."""
import time

from tests.harness.cases import keeps, main
from tests.harness.files import text_of
from tests.harness.keys import prose_keys
from tests.harness.process import wait
from tests.harness.served import Liar, Served, changes


def mary_beside(w):
    """Starts Mary with a file that permits Peter, so that only Peter's side can keep the two apart."""
    prose_keys('permit', '--permits', w.path('mary.permit'), 'peter', w.public('peter'))
    servers, w.servers = w.servers, ()
    w.ue('mary', edits=[(r'(?m)^pc3:\n  cache: .*\n  servers:\n', ''), (r'(?m)^  private_key: .*', r'\g<0>\n  permissions: mary.permit')])
    w.servers = servers
    wait(lambda: w.of('mary', 'started'))


def test_a_server_that_lies_in_both_ways_links_nobody():
    with Served(['mary', 'john', 'peter'], speed='4') as w:
        mary, john = w.public('mary'), w.public('john')
        compared = prose_keys('fingerprint', john, '--key', w.path('peter.key')).stdout.strip()
        prose_keys('grant', 'john', '--fingerprint', compared, '--key', w.path('peter.key'))
        prose_keys('grant', 'paul', '--key', w.path('peter.key'))
        # Mary under her own name, which Peter never granted; her key as John's, whose fingerprint he compared.
        lie = Liar(w, [changes((1, 'mary', True, mary)), changes((2, 'mary', False, mary), (3, 'john', True, mary)), changes(), None])
        mary_beside(w)
        w.ue('peter')
        reasons = lambda: {(e['peer'], e['reason']) for e in w.of('peter', 'rejected') if 'peer' in e}
        wait(lambda: ('john', 'another fingerprint than granted') in reasons())
        time.sleep(4)  # 16 s of the air: a link takes one or two
        assert not w.of('peter', 'peer_permitted') and not w.of('peter', 'peer_discovered') and not w.of('peter', 'link_established'), w.of('peter', 'peer_permitted')
        assert not w.of('mary', 'peer_discovered') and not w.of('mary', 'link_established')
        assert mary in text_of(w.path('peter.key.consent.pending'))
        w.stop('peter')
        lie.close()
        # The same key under a name that is merely granted: pending, and still nothing.
        lie = Liar(w, [changes((1, 'paul', True, mary)), changes(), None])
        w.ue('peter')
        wait(lambda: w.of('peter', 'peer_pending', 'paul'))
        time.sleep(4)
        assert not w.of('peter', 'peer_permitted') and not w.of('mary', 'peer_discovered'), w.of('peter', 'peer_permitted')
        listed = prose_keys('list', '--key', w.path('peter.key')).stdout
        assert 'paul %s pending fingerprint=%s\n' % (mary, w.of('peter', 'peer_pending')[0]['fingerprint'].replace(' ', '')) in listed, listed
        # The control: it was Peter's consent alone that was missing.
        prose_keys('grant', 'paul', '--fingerprint', w.of('peter', 'peer_pending')[0]['fingerprint'], '--key', w.path('peter.key'))
        wait(lambda: w.of('peter', 'link_established', 'paul') and w.of('mary', 'link_established', 'peter'))
        # A withdrawal is in force within a second, whatever the server says.
        begin = time.monotonic()
        prose_keys('withdraw', 'paul', '--key', w.path('peter.key'))
        wait(lambda: w.of('peter', 'peer_withdrawn', 'paul') and w.of('peter', 'link_lost', 'paul'))
        keeps(1, time.monotonic() - begin, 'the withdrawal')
        for u in ('peter', 'mary'):
            w.stop(u)
        lie.close()


def test_what_a_server_said_ends_with_its_validity():
    with Served(['mary', 'john']) as w:
        w.serve()
        w.grant_each_other(('mary', 'john'))
        short = [(r'(?m)^pc3:', 'pc3:\n  valid_h: 0.002')]  # 7.2 s
        for u in ('mary', 'john'):
            w.ue(u, edits=short if u == 'mary' else ())
        wait(lambda: w.of('mary', 'link_established') and w.of('john', 'link_established'))
        assert w.of('mary', 'consent')[0]['valid_h'] == 0.002 and w.of('john', 'consent')[0]['valid_h'] == 24
        time.sleep(10)  # while the server answers it does not end
        assert not w.of('mary', 'peer_withdrawn') and not w.of('mary', 'permission_expires')
        w.kill('function.example')
        wait(lambda: w.of('mary', 'permission_expires', 'john'))
        wait(lambda: w.of('mary', 'peer_withdrawn', 'john') and w.of('mary', 'link_lost', 'john'))
        ahead, over = w.of('mary', 'permission_expires')[0], w.of('mary', 'peer_withdrawn')[0]
        assert 0 < ahead['in_s'] <= 2 and over['t'] - ahead['t'] < 5, (ahead, over)
        wait(lambda: w.of('john', 'link_lost', 'mary'))
        # Not even a restart revives it; the server does.
        w.stop('mary')
        w.ue('mary', edits=short)
        wait(lambda: w.of('mary', 'server_lost'))
        assert not w.of('mary', 'peer_permitted')
        w.serve()
        wait(lambda: w.of('mary', 'peer_permitted', 'john'), 60)
        for u in ('mary', 'john'):
            w.stop(u)


if __name__ == '__main__':
    main(at_once=2)
