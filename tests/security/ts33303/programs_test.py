"""Profile ts33303 in the programs: prose-keys kd, and what prose-ue accepts of its configuration."""
import os, re, stat, subprocess

from tests.harness.cases import main
from tests.harness.function import Server
from tests.harness.paths import ENV, SOURCE, program


def run(*a):
    return subprocess.run([program(a[0]), *a[1:]], capture_output=True, text=True, env=ENV)


def good(*a):
    r = run(*a)
    assert r.returncode == 0, (a, r)
    return r.stdout.strip()


def refused(*a):
    """The one line on standard error."""
    r = run(*a)
    assert r.returncode == 2 and r.stderr.count('\n') == 1, (a, r)
    return r.stderr


class people:
    def __init__(self, folder, names=('mary', 'john', 'peter')):
        self.folder = folder
        for n in names:
            good('prose-keys', 'gen', self.at(n + '.key'))
        public = {n: good('prose-keys', 'pub', self.at(n + '.key')) for n in names}
        for a in names:
            for b in names:
                if a != b:
                    good('prose-keys', 'permit', '--permits', self.at(a + '.permit'), b, public[b])

    def at(self, name):
        return os.path.join(self.folder, name)

    def kd(self, whose, peer, *a):
        return 'prose-keys', 'kd', peer, '--permits', self.at(whose + '.permit'), '--kds', self.at(whose + '.kds'), *a

    def share(self, a, b):
        carried = self.at(a + '-' + b + '.kd')
        good(*self.kd(a, b, '--to', carried))
        good(*self.kd(b, a, '--from', carried))
        return carried

    def configure(self, who, security):
        text = open(os.path.join(SOURCE, 'configs', who + '.yaml')).read()
        text = re.sub(r'(?m)^  private_key: .*$', '  private_key: ' + self.at(who + '.key'), text)
        text = re.sub(r'(?m)^  permissions: .*$', '  permissions: ' + self.at(who + '.permit'), text)
        text = re.sub(r'(?m)^  mark: .*$', '  mark: ' + self.at(who + '.mark'), text)
        text = re.sub(r'(?m)^allow_keylog: false', 'allow_keylog: true', text)
        path = self.at(who + '.yaml')
        with open(path, 'w') as f:
            f.write(text + '\nsecurity: {%s}\n' % security)
        return path


def lines(path):
    return dict(l.split(' ', 1) for l in open(path).read().splitlines() if not l.startswith('#'))


def test_a_pair_shares_one_kd_and_each_pair_another(folder):
    p = people(folder)
    carried = p.share('john', 'mary')
    p.share('john', 'peter')
    john, mary, peter = (lines(p.at(n + '.kds')) for n in ('john', 'mary', 'peter'))
    assert john['mary'] == mary['john'] == open(carried).read().strip()
    assert john['peter'] == peter['john']
    assert not set(john['mary'].split()) & set(john['peter'].split())
    for f in (carried, p.at('john.kds')):
        assert stat.S_IMODE(os.stat(f).st_mode) == 0o600


def test_one_kd_for_two_peers_is_refused(folder):
    p = people(folder)
    carried = p.share('mary', 'john')
    said = refused(*p.kd('john', 'peter', '--from', carried))
    assert 'same KD' in said and 'mary' in said and 'peter' in said, said
    assert open(carried).read().split()[1] not in said
    # The same by hand, at the start of a UE: both peers are named, the key is not.
    one = open(carried).read().strip()
    with open(p.at('john.kds'), 'a') as f:
        f.write('peter %s %s\n' % ('00000001', one.split()[1]))
    said = refused('prose-ue', '--config', p.configure('john', 'profile: ts33303, kds: %s' % p.at('john.kds')), '--check')
    assert 'same KD' in said and 'mary' in said and 'peter' in said and one.split()[1] not in said, said


def test_kd_refuses_what_it_should(folder):
    p = people(folder)
    carried = p.share('mary', 'john')
    assert 'no peer is named' in refused(*p.kd('mary', 'paul', '--to', p.at('x.kd')))
    assert '--remove it first' in refused(*p.kd('mary', 'john', '--to', p.at('y.kd')))
    assert 'accepted: one of' in refused(*p.kd('mary', 'peter'))
    for text in ('', 'x', '0000000g ' + 'A' * 44, '00000001 ' + 'A' * 43 + '=', '00000001 ' + 'B' * 43 + '= more'):
        with open(p.at('bad.kd'), 'w') as f:
            f.write(text)
        os.chmod(p.at('bad.kd'), 0o600)
        assert 'accepted' in refused(*p.kd('mary', 'peter', '--from', p.at('bad.kd')))
    os.chmod(carried, 0o644)
    refused(*p.kd('peter', 'mary', '--from', carried))
    good(*p.kd('mary', 'john', '--remove'))
    assert 'john' not in lines(p.at('mary.kds'))


def test_the_configuration_of_the_profile(folder):
    p = people(folder, ('mary', 'john'))
    kds = 'kds: ' + p.at('mary.kds')
    check = lambda security: ('prose-ue', '--config', p.configure('mary', security), '--check')
    refused(*check('profile: ts33303, ' + kds))  # no such file yet
    p.share('mary', 'john')
    good(*check('profile: ts33303, ' + kds))
    good(*check('profile: ts33303, ciphering: [eea1, eea0], integrity: eia3, data_integrity: false, ' + kds))
    good(*check('profile: ltesl'))
    for security, why in (('profile: ts33303', 'needs kds'), (kds, 'belongs to another profile'), ('profile: other', 'accepted'), ('profile: ts33303, ciphering: [], ' + kds, 'empty'),
                          ('profile: ts33303, integrity: eia0, ' + kds, 'eia1'), ('profile: ts33303, ciphering: rot13, ' + kds, 'eea2')):
        said = refused(*check(security))
        assert why in said, (security, said)
    shown = good('prose-ue', '--config', p.configure('mary', 'profile: ts33303, ' + kds), '--print-config')
    with open(p.at('again.yaml'), 'w') as f:
        f.write(shown)
    os.chmod(p.at('again.yaml'), 0o600)
    assert 'ts33303' in shown and good('prose-ue', '--config', p.at('again.yaml'), '--print-config') == shown
    assert 'not built for profile ts33303' in refused(*check('profile: ts33303, ' + kds), '--keylog', p.at('x.keylog'))


def code(p, whose, *a):
    return 'prose-keys', 'code', '--permits', p.at(whose + '.permit'), '--codes', p.at(whose + '.codes'), *a


def test_codes_of_restricted_discovery(folder):
    p = people(folder)
    good(*code(p, 'john', '--to', p.at('john.code')))
    good(*code(p, 'mary', 'john', '--from', p.at('john.code')))
    john, mary = lines(p.at('john.codes')), lines(p.at('mary.codes'))
    assert mary['john'] == john['*'] == open(p.at('john.code')).read().strip()
    assert mary['*'] != john['*']
    for f in ('john.code', 'john.codes'):
        assert stat.S_IMODE(os.stat(p.at(f)).st_mode) == 0o600
    assert "'john' and 'peter' have the same code" in refused(*code(p, 'mary', 'peter', '--from', p.at('john.code')))
    assert "own code" in refused(*code(p, 'john', 'mary', '--from', p.at('john.code')))
    assert '--remove it first' in refused(*code(p, 'mary', 'john', '--from', p.at('john.code')))
    assert 'no peer is named' in refused(*code(p, 'mary', 'paul', '--from', p.at('john.code')))
    for a in ((), ('john',), ('john', '--to', p.at('x')), ('--remove',), ('--from', p.at('john.code'))):
        assert 'accepted: --to FILE' in refused(*code(p, 'mary', *a)), a
    keys = john['*'].split()
    for bad in ('', 'x', ' '.join(keys[:3]), ' '.join([keys[0][:-1], *keys[1:]]), ' '.join([*keys, 'more'])):
        with open(p.at('bad.code'), 'w') as f:
            f.write(bad)
        os.chmod(p.at('bad.code'), 0o600)
        said = refused(*code(p, 'peter', 'john', '--from', p.at('bad.code')))
        assert 'accepted' in said and keys[1] not in said, said
    good(*code(p, 'mary', 'john', '--remove'))
    assert 'john' not in lines(p.at('mary.codes'))


def test_the_configuration_of_codes(folder):
    p = people(folder, ('mary', 'john'))
    p.share('mary', 'john')
    kds, codes = 'profile: ts33303, kds: ' + p.at('mary.kds'), ', codes: ' + p.at('mary.codes')
    check = lambda security: ('prose-ue', '--config', p.configure('mary', security), '--check')
    refused(*check(kds + codes))  # no such file yet
    good(*code(p, 'mary', '--to', p.at('mary.code')))
    good(*check(kds + codes))
    good(*code(p, 'john', '--to', p.at('john.code')))
    good(*code(p, 'mary', 'john', '--from', p.at('john.code')))
    good(*check(kds + codes))
    assert 'belongs to another profile' in refused(*check('codes: ' + p.at('mary.codes')))
    path = p.configure('mary', kds + codes)
    text = open(path).read()
    with open(path, 'w') as f:
        f.write(re.sub(r'(?m)^  model: a.*$', '  model: b', text))
    assert 'model B is not built' in refused('prose-ue', '--config', path, '--check')
    with open(p.at('mary.codes'), 'a') as f:
        f.write('paul ' + lines(p.at('john.codes'))['*'].replace('a', 'b', 1) + '\n')
    assert 'paul' in refused(*check(kds + codes))


def test_the_function_hands_each_pair_its_own_kd(folder):
    s = Server(folder, ('mary', 'john', 'peter'))
    good('prose-keys', 'gen', '--psk', s.path('kd.psk'))
    good('prose-keys', 'gen', s.path('another.key'))
    s.start('--kd-secret', s.path('kd.psk'))
    try:
        kd = lambda who, peer, code=0: s.at_server(who, 'kd', peer, '--from-server', '--kds', s.path(who + '.kds'), code=code)
        # The consent list holds here too: without a bound key there is no KD, whatever the server says.
        said = kd('mary', 'john', 1).stderr
        assert 'not bound' in said, said
        bind = lambda who, peer: good('prose-keys', 'grant', peer, '--trust-first', '--key', s.path(who + '.key'))
        for a, b in (('mary', 'john'), ('john', 'mary'), ('john', 'peter'), ('peter', 'john')):
            bind(a, b)
            s.at_server(a, 'grant', b, code=0)
        for who, peer, key in (('mary', 'john', 'john'), ('john', 'mary', 'mary'), ('john', 'peter', 'another'), ('peter', 'john', 'john')):
            path = s.path(who + '.key.consent')
            text = open(path).read()
            with open(path, 'w') as f:
                f.write(text.replace(peer + ' trust-first', peer + ' first ' + s.public(key)))
        bound = open(s.path('mary.key.consent')).read()
        with open(s.path('mary.key.consent'), 'w') as f:
            f.write(bound.replace('john first', 'john suspended'))
        assert 'not bound' in kd('mary', 'john', 1).stderr
        with open(s.path('mary.key.consent'), 'w') as f:
            f.write(bound)
        kd('mary', 'john'), kd('john', 'mary'), kd('peter', 'john')
        # John's list binds another key than the server has for Peter.
        said = kd('john', 'peter', 1).stderr
        assert 'another key' in said, said
        mary, john, peter = (lines(s.path(n + '.kds')) for n in ('mary', 'john', 'peter'))
        assert mary['john'] == john['mary'] and set(john) == {'mary'}
        assert not set(peter['john'].split()) & set(john['mary'].split())
        assert mary['john'].split()[1] not in open(s.path('audit.jsonl')).read()
        assert 'has a KD' in kd('mary', 'john', 2).stderr
    finally:
        s.kill()


def test_a_sniffer_is_told_the_profile(folder):
    key = os.path.join(folder, 'mary.key')
    good('prose-keys', 'gen', key)
    sniffer = ('prose-sniffer', '--device', 'type=virtual', '--check')
    good(*sniffer, '--profile', 'ts33303', '--verdict')
    assert 'accepted: --profile ltesl' in refused(*sniffer, '--profile', 'ts33303', '--compromised', key)
    assert 'ts33303' in refused(*sniffer, '--profile', 'other')
    path = os.path.join(folder, 'sniffer.yaml')
    with open(path, 'w') as f:
        f.write('device: type=virtual\nsecurity: {profile: ts33303}\ncompromised: [%s]\n' % key)
    assert 'accepted: --profile ltesl' in refused('prose-sniffer', '--config', path, '--check')


def test_link_cover_is_of_the_default_profile(folder):
    p = people(folder, ('mary', 'john'))
    p.share('mary', 'john')
    path = p.configure('mary', 'profile: ts33303, kds: ' + p.at('mary.kds'))
    text = open(path).read()
    with open(path, 'w') as f:
        f.write(re.sub(r'(?m)^link:$', 'link:\n  cover: 2', text, count=1))
    said = refused('prose-ue', '--config', path, '--check')
    assert 'accepted: link.cover: 0' in said, said


def test_a_peer_without_a_kd_is_named_at_the_start(folder):
    p = people(folder)
    p.share('john', 'mary')
    said = refused('prose-ue', '--config', p.configure('john', 'profile: ts33303, kds: ' + p.at('john.kds')), '--check')
    assert "no KD for 'peter'" in said, said


if __name__ == '__main__':
    main()
