"""The link of security/ts33303 (TS 33.303 6.5 with KDs shared beforehand) and its discovery (6.1) as Horn clauses, as model.py does it for the default profile.

Terms                     code
  kdf(kd, n1, n2)         KD-sess (keys.h)
  prf2(ks, l_pek, a)      PEK and PIK of the algorithm a (keys.h); l_pik
  mac(pik, at, m)         MAC-I over the plain text m; `at` stands for LCID and DIRECTION
  enc(pek, at, m)         a keystream added to m: who knows m can put another text in its place
  prf2(key, label, x)     MIC and keystreams of discovery, from DUIK, DUSK, DUCK

John requests, Peter commands. Nonces are public. An honest nonce names the parameters it was drawn for, so that a disagreement can be
told: n1_jp(time, offer, rest of the Request), n2_jp(time, nonce 1, offer, rest, algorithms). `pj` is the same with the roles exchanged."""
import re

from model import replace_variable, theory, tup

CONSTRUCTORS = {'tup': 2, 'kdf': 3, 'prf2': 3, 'mac': 3, 'enc': 3, 'old': 1}
LABELS = ['junk', 'empty', 'offer_a', 'offer_b', 'now', 'lost', 'strong', 'other', 'weak', 'l_pek', 'l_pik', 'at_request', 'at_command',
          'at_complete', 'at_accept', 'at_data_i', 'at_data_r', 'l_code', 'l_mic', 'l_scramble', 'l_hide']


class profile(theory):
    def attacker(self):
        """After the rules of the honest: what none of them names is no other to the attacker than `junk`, and a smaller theory saturates sooner."""
        named = set(re.findall(r'\w+', ' '.join(self.clauses))) | {'junk', 'empty'}
        for p in range(self.phases):
            k = lambda t: self.known(t, p)
            for c in LABELS:
                if c in named:
                    self.rule([], k(c))
            for f, n in CONSTRUCTORS.items():
                if f not in named:
                    continue
                xs = [f'X{i}' for i in range(n)]
                self.rule([k(x) for x in xs], k(f"{f}({','.join(xs)})"))
            self.rule([k('enc(K,D,M)'), k('K')], k('M'))
            self.rule([k('enc(K,D,M)'), k('M'), k('L')], k('enc(K,D,L)'))
            self.rule([k('tup(X,Y)')], k('X'))
            self.rule([k('tup(X,Y)')], k('Y'))
            if self.has('weak_is_broken'):  # an EIA that can be forged without its key, as EIA0 can
                self.rule([k('M')], k('mac(prf2(K,l_pik,weak),D,M)'))
        if self.phases == 2:
            self.rule([self.known('X', 0)], self.known('X', 1))


class link:
    """Set-up and data between a requesting and a commanding UE that share `kd`."""

    def __init__(self, t, kd, tag, ids):
        self.t, self.kd, self.tag, self.ids = t, kd, tag, ids
        self.here = tag == 'jp'

    def kd_sess(self, n1, n2):
        n1 = 'empty' if self.t.has('no_nonce_1') else n1
        n2 = 'empty' if self.t.has('no_nonce_2') else n2
        return f"kdf({self.kd},{tup(self.ids, n1) if self.t.has('ids_in_kd_sess') else n1},{n2})"

    def keys(self, ks, algorithms):
        named = 'empty' if self.t.has('choice_not_bound') else algorithms
        return [f"prf2({ks},{'l_pek' if self.t.has('one_key_for_both') else label},{named})" for label in ('l_pek', 'l_pik')]

    def command(self, pik, offer, n2, algorithms):
        covered = tup(*([] if self.t.has('offer_not_repeated') else [offer]), n2, *([] if self.t.has('choice_not_bound') else [algorithms]))
        return f'mac({pik},at_command,{covered})'

    def at_data(self, who):
        return 'at_data_i' if self.t.has('no_direction') else f'at_data_{who}'

    def request(self, n1, offer, rest):
        """A rekeying's Request is under the old context, that of a set-up under nothing. With others than Peter, John has no link yet."""
        return [f'mac(prf2(ks0,l_pik,strong),at_request,{tup(n1, offer, rest)})'] if self.t.has('rekeying') and self.here else []

    def send(self, keys, at, text, *given):
        """A PDU that is ciphered and bears a MAC-I."""
        pek, pik = keys
        self.t.tell(f'enc({pek},{at},{text})', *given)
        if not (self.t.has('no_mac_on_data') and 'data' in at):
            self.t.tell(f'mac({pik},{at},{text})', *given)

    def lose(self, ks, keys, given, all_of_it):
        t = self.t
        for option, term in (('pek_lost', keys[0]), ('pik_lost', keys[1])):
            if t.has(option):
                t.tell(term, *given)
        if all_of_it:
            t.tell(ks, *given)

    def requesting(self, secret):
        t = self.t
        times = ['old(S)'] if t.has('only_old_requests') and self.here else ['now', 'lost'] if t.has('a_set_up_is_lost') else ['S']
        offer = 'offer_a' if t.has('offers_a_only') and self.here else 'O'
        accepted = ['strong', 'other'] + (['weak'] if t.has('john_offers_weak') else [])
        for time in times:
            n1 = f'n1_{self.tag}({time},{offer},R)'
            given = [time, offer, 'R']
            for term in [n1, *self.request(n1, offer, 'R')]:
                t.tell(term, *given)
            # Who asked earlier only had nonces from earlier, and those of the attacker.
            for n2 in ('n2_jp(old(S2),N,O2,R2,A2)', 'junk') if t.has('only_old_requests') and self.here else ('N2',):
                for a in accepted:
                    self.requesting_with(a, n1, n2, offer, given, time, secret if time != 'lost' else 'empty')

    def requesting_with(self, a, n1, n2, offer, given, time, secret):
        t = self.t
        ks = self.kd_sess(n1, n2)
        keys = self.keys(ks, a)
        answered = given + [n2] + ([] if t.has('command_without_mac') else [self.command(keys[1], offer, n2, a)])
        self.lose(ks, keys, answered, time == 'lost' or (self.tag == 'ja'))
        if t.has('query_initiator_accepts') and self.here:
            t.bad(*map(t.known, answered))
        if t.has('query_accepted_now') and self.here:
            t.bad(*(t.known(replace_variable(x, 'S', 'now')) for x in answered))
        if t.has('query_initiator_agrees') and self.here:
            # In `other` is a choice that Peter made for `strong`; `own` is a nonce of John's, as initiator or as the one whom Mary asks.
            self.disagree('N2', answered, made=['junk'], own=['n1_jp(S1,O1,R1)', 'n1_jm(S1,O1,R1)', 'n2_mj(S1,N,O1,R1,A1)'],
                          peer=['n1_pm(S1,O1,R1)', 'n2_mp(S1,N,O1,R1,A1)'], request=[f'n2_jp(S1,junk,O1,R1,{a})'],
                          offer=({'N2': 'n2_jp(S1,N,offer_a,R1,A1)', 'O': 'offer_b'},), rest=({'N2': 'n2_jp(S1,N,O1,junk,A1)', 'R': 'empty'},),
                          choice=[f"n2_jp(S1,N,O1,R1,{'strong' if a == 'other' else 'other'})"])
        if t.has('query_own_command') and self.here:
            t.bad(*(t.known(replace_variable(x, 'N2', 'n2_pj(S1,N,O1,R1,A1)')) for x in answered))
        self.send(keys, 'at_complete', 'empty', *answered)
        linked = answered + [f'mac({keys[1]},at_accept,empty)']
        for text in (secret, 'empty'):
            self.send(keys, self.at_data('i'), text, *linked)
        if t.has('query_own_data') and self.here:
            t.bad(*map(t.known, linked + [f"mac({keys[1]},{self.at_data('r')},{secret})"]))

    def commanding(self, secret):
        accepted = ['strong', 'other'] + ([] if self.t.has('peter_refuses_weak') else ['weak'])
        earlier = self.t.has('only_old_commands') and self.here
        for n1 in ('n1_jp(old(S1),O1,R1)', 'junk') if earlier else ('N1',):
            for a in accepted:
                self.commanding_with(a, n1, 'old(S)' if earlier else 'S', secret)

    def commanding_with(self, a, n1, time, secret):
        t = self.t
        n2 = f'n2_{self.tag}({time},{n1},O,R,{a})'
        ks = self.kd_sess(n1, n2)
        keys = self.keys(ks, a)
        asked = [time, n1, 'O', 'R', *self.request(n1, 'O', 'R')]
        t.tell(n2, *asked)
        t.tell(self.command(keys[1], 'O', n2, a), *asked)
        self.lose(ks, keys, asked, self.tag == 'ja')
        if t.has('query_draws_a_command') and self.here:
            t.bad(*map(t.known, asked))
        completed = asked + [f'mac({keys[1]},at_complete,empty)']
        self.accepts(a, completed)
        self.send(keys, 'at_accept', 'empty', *completed)
        self.send(keys, self.at_data('r'), secret, *completed)
        if t.has('query_forged_data') and self.here:
            for_data = f"enc({keys[0]},{self.at_data('i')},junk)" if t.has('no_mac_on_data') else f"mac({keys[1]},{self.at_data('i')},junk)"
            t.bad(*map(t.known, completed + [for_data]))

    def accepts(self, a, completed):
        t = self.t
        if not self.here:
            return
        if t.has('query_responder_accepts'):
            t.bad(*(t.known(replace_variable(x, 'O', 'offer_b') if t.has('offers_a_only') else x) for x in completed))
        if t.has('query_accepts_now'):
            t.bad(*(t.known(replace_variable(x, 'S', 'now')) for x in completed))
        if t.has('query_responder_agrees'):
            self.disagree('N1', completed, made=['junk'], own=['n2_jp(S1,N,O1,R1,A1)', 'n1_pm(S1,O1,R1)', 'n2_mp(S1,N,O1,R1,A1)'],
                          peer=['n1_jm(S1,O1,R1)', 'n2_mj(S1,N,O1,R1,A1)'],
                          offer=({'N1': 'n1_jp(S1,offer_a,R1)', 'O': 'offer_b'},), rest=({'N1': 'n1_jp(S1,O1,junk)', 'R': 'empty'},))

    def disagree(self, nonce, accepted, **kinds):
        """Bad: it accepts with a nonce that is not the other end's for this peer and these parameters. With an option on_NAME only that kind is bad. What
        the rest of a Request says is a kind of its own: nothing covers it in a set-up."""
        t = self.t
        only = [k for k in kinds if t.has('on_' + k)]
        for name in only or [k for k in kinds if k != 'rest']:
            for replaced in kinds[name]:
                terms = accepted
                for variable, value in (replaced if isinstance(replaced, dict) else {nonce: replaced}).items():
                    terms = [replace_variable(x, variable, value) for x in terms]
                t.bad(*map(t.known, terms))


def setup(t):
    """John and Peter, and Mary, who is the attacker, with whom both have links under KDs of their own. `tag` names requester and commander."""
    o = t.has
    for term in ('kd_jm', 'kd_pm'):
        t.rule([], t.known(term))
    kd = 'kd_jm' if o('one_kd_for_two_peers') else 'kd_jp'
    if o('kd_known'):
        t.rule([], t.known(kd))
    if o('ks0_lost'):
        t.rule([], t.known('ks0'))
    if o('later_leak'):
        t.rule([], t.known(kd, 1))
    if not o('john_never_asks'):
        link(t, kd, 'jp', 'ids_jp').requesting('secret_i')
    if not o('peter_never_answers'):
        link(t, kd, 'jp', 'ids_jp').commanding('secret_r')
    if o('both_directions'):
        if not o('peter_never_answers'):  # then he takes no part at all
            link(t, kd, 'pj', 'ids_pj').requesting('secret_i2')
        link(t, kd, 'pj', 'ids_pj').commanding('secret_r2')
    for who, key in (('j', 'kd_jm'), ('p', 'kd_pm')):
        link(t, key, who + 'm', 'ids_m').requesting('empty')
        link(t, key, 'm' + who, 'ids_m').commanding('empty')
    if o('another_pair_loses'):  # John and Ann: their KD, and the KD-sess of each link
        t.rule([], t.known('kd_ja'))
        link(t, 'kd_ja', 'ja', 'ids_ja').requesting('empty')
        link(t, 'kd_ja', 'ja', 'ids_ja').commanding('empty')
    if o('query_secrecy'):
        for s in ('secret_i',) if o('a_set_up_is_lost') else ('secret_i', 'secret_r', 'secret_i2', 'secret_r2'):
            t.bad(t.known(s, t.phases - 1))


def discovery(t):
    """Peter announces a code to John. DUIK, DUSK and DUCK belong to the code, and every monitor of it has them: Mary too, if mary_monitors. The counter is
    old(...) or now. A message is a MIC and the code under the keystreams of DUCK and DUSK; it is one term `enc` for each, as a keystream is added."""
    o = t.has
    if o('mary_monitors'):
        for term in ('duik', 'dusk', 'duck', 'code'):
            t.rule([], t.known(term))
    if o('code_known'):
        t.rule([], t.known('code'))
    t.rule([], t.known('duik_of_another_code'))  # Mary monitors that one
    counter = (lambda c: 'empty') if o('no_counter') else (lambda c: c)
    mic = lambda c: 'empty' if o('no_duik') else f"prf2({'duik_of_another_code' if o('one_duik') else 'duik'},l_mic,{tup('code', counter(c))})"
    hidden = lambda c: f"enc(prf2(duck,l_hide,{tup(counter(c), mic(c))}),l_hide,code)"
    sent = lambda c: f"enc(prf2(dusk,l_scramble,{counter(c)}),l_scramble,{tup(mic(c), hidden(c) if not o('no_duck') else 'code')})"
    if not o('peter_silent'):
        c = 'old(C)' if o('only_old_announcements') else 'C'
        t.tell(sent(c), c)
    if o('dusk_known'):
        t.rule([], t.known('dusk'))
    if o('query_john_believes'):
        t.bad(t.known(sent('now')))
    if o('query_code'):
        t.bad(t.known('code'))


PARTS = {'setup': setup, 'discovery': discovery}


def model(options, commutative):  # commutative: nothing here is an equation, both provers get the same clauses
    t = profile(set(options), commutative)
    PARTS[options[0]](t)
    t.attacker()
    return t.text(options)
