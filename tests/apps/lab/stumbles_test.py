"""What costs the first hour: words that were missing, said twice or at odds with each other."""
import os, re, signal

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import edit, text_of
from tests.harness.keys import Authority, Keys, prose_keys
from tests.harness.process import Background, run, wait
from tests.harness.ue import Ue, configure


def one_line(r, *words):
    assert r.stderr.count('\n') == 1 and all(w in r.stderr for w in words), r.stderr


def test_lines_that_go_nowhere_are_told(d):
    """Names that nobody has, lines without a text, peers without a link."""
    with Air(speed='1') as air:
        keys = configure(d, air)
        prose_keys('gen', keys.path('peter.key'))
        keys.permit('mary', 'peter')
        mary, john = Ue(d, 'mary', '--data', 'stdin'), Ue(d, 'john', '--data', 'stdin')
        try:
            wait(lambda: 'wait for the first link' in mary.said(), programs=[mary])
            for line in ('jon hello', 'jon again', 'hello', 'john', 'peter are you there', 'john hello'):
                mary.say(line)
            wait(lambda: mary.of('data_tx', 'john') and len(mary.of('line_refused')) == 3, programs=[mary, john])
            told = mary.said()
            assert told.count("for 'jon', who is not permitted") == 1 and 'accepted: NAME TEXT, with the names john, peter' in told, told
            assert "'john', a name without a space" in told and 'lines of standard input go out' in told, told
            assert told.count('there is no link with peter') == 1, told
            wait(lambda: mary.of('data_expired'), programs=[mary, john])
            assert mary.of('data_expired')[0]['packets'] == 1, mary.of('data_expired')
            # Nothing that may be a secret: of a line that names nobody only what could be a name.
            mary.say('pass:w/rd! and more')
            wait(lambda: len(mary.of('line_refused')) == 4, programs=[mary])
            assert 'pass:' not in mary.said() and 'and more' not in mary.said(), mary.said()
        finally:
            mary.kill(), john.kill()


def test_udp_without_endpoints_is_an_error(d):
    with Air() as air:
        configure(d, air)
        for more in ((), ('--check',)):
            one_line(run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--data', 'udp', *more, code=2), '--data udp: no peer has an endpoint', 'accepted:', 'udp_listen')
        edit(os.path.join(d, 'mary.yaml'), (r'(?m)^  kind: none .*', '  peers: [{name: john, udp_forward: "127.0.0.1:9"}]'))
        run('prose-ue', '--config', os.path.join(d, 'mary.yaml'), '--data', 'udp', '--check')


def test_a_grant_says_what_it_has_come_to(d):
    k = Keys(d)
    say = lambda *a, code=0: prose_keys(*a, '--key', k.path('mary.key'), code=code)
    assert re.match(r'john pending: nothing goes to it before its key is accepted \(prose-keys confirm john', say('grant', 'john').stdout)
    assert say('grant', 'peter', '--trust-first').stdout.startswith('peter pending: the first key')
    fingerprint = prose_keys('fingerprint', k.public('john'), '--key', k.path('mary.key')).stdout.strip()
    assert say('grant', 'john', '--fingerprint', fingerprint).stdout.startswith('john pending: the key with this fingerprint')
    assert [l.split()[:3] for l in say('list').stdout.splitlines()] == [['john', '-', 'fingerprint'], ['peter', '-', 'trust-first']]
    # Its key has come.
    with open(k.path('mary.key.consent.pending'), 'w') as f:
        f.write('# prose pending 1\njohn %s\n' % k.public('john'))
    os.chmod(k.path('mary.key.consent.pending'), 0o600)
    assert say('grant', 'john', '--fingerprint', fingerprint).stdout == 'john in effect: bound to the key %s\n' % k.public('john')
    assert say('grant', 'john').stdout.startswith('john in effect')
    # Names that nobody granted.
    one_line(say('withdraw', 'jon', code=2), "'jon' is not granted", 'accepted: john, peter')
    one_line(say('confirm', 'jon', code=2), "no key of 'jon' waits")
    say('withdraw', 'john')
    one_line(say('withdraw', 'john', code=2), "'john' is not granted", 'accepted: peter')
    one_line(prose_keys('permit', '--permits', k.path('mary.permit'), '--remove', 'jon', code=2), "no peer is named 'jon'")


def test_an_x25519_key_and_a_tls_key_are_told_apart(d):
    k = Keys(d)
    tls = Authority(os.path.join(d, 'tls'), ['function.example'], ['mary'])
    one_line(prose_keys('pub', tls.path('mary.key'), code=2), 'tls/mary.key is a TLS key', 'accepted: an X25519 key')
    options = tls.user_options('mary')
    options[options.index('--tls-key') + 1] = k.path('mary.key')
    one_line(prose_keys('list', '--server', 'function.example', *options, code=2), 'mary.key: not a private key of TLS', 'not the X25519 key')
    assert 'TLS key' in prose_keys('ca', 'issue', '--help').stdout


def test_fingerprint_means_what_people_compare(d):
    """In what the programs say; events keep their key_fingerprint, which scripts read."""
    with Air(speed='1') as air:
        configure(d, air)
        ues = [Ue(d, n) for n in ('mary', 'john')]
        try:
            wait(lambda: all(u.of('link_established') for u in ues), programs=ues)
            for u in ues:
                assert 'fingerprint' not in u.said() and 'session keys ' + u.of('link_established')[0]['key_fingerprint'] in u.said(), u.said()
        finally:
            for u in ues:
                u.kill()


def test_a_restarted_ue_says_until_which_slot_it_waits(d):
    with Air(speed='1') as air:
        configure(d, air)
        first = Ue(d, 'mary')
        wait(lambda: first.of('peer_address') and os.path.exists(os.path.join(d, 'keys', 'mary.mark')), programs=[first])
        first.kill()
        again = Ue(d, 'mary', run='again')
        try:
            silent = wait(lambda: again.of('silent'), programs=[again])[0]
            slot = int(text_of(os.path.join(d, 'keys', 'mary.mark')).split()[-1]) + 1
            said = re.search(r'waiting until slot (\d+) \((\d+) s\)', again.said())
            assert int(said[1]) >= slot - 31 and int(said[2]) == silent['seconds'] > 0, (again.said(), slot)
        finally:
            again.kill()


def test_a_recording_tells_what_it_will_take(d):
    with Air(speed='1') as air:
        for n, command in enumerate((('prose-iq', 'record', '--device', air.device('x'), '--rate', '7.68e6', '--duration', '1', os.path.join(d, 'a')),
                                     ('prose-sniffer', '--device', air.device('y'), '--carrier', 'prb=25,tm=2', '--duration', '1', '--record', os.path.join(d, 'b')))):
            p = Background(*command, log=os.path.join(d, '%d.log' % n))
            said = p.end()
            assert re.search(r'61\.4 MB a second, 61\.4 MB in all; [\d.]+ [MG]B are free', said), said
        p = Background('prose-iq', 'record', '--device', air.device('z'), '--rate', '7.68e6', '--duration', '1e8', os.path.join(d, 'c'), log=os.path.join(d, 'c.log'))
        try:
            wait(lambda: 'enough only for' in p.said(), programs=[p])
            assert re.search('warn.*enough only for', p.said()), p.said()
        finally:
            p.stop(signal.SIGINT)


if __name__ == '__main__':
    main()
