"""The link handshake, rekeying, ratchet and discovery as Horn clauses over a Dolev-Yao attacker, unbounded sessions.

A scenario is a set of options (see statements.py). model(options, commutative) gives TPTP CNF in which `goal` clauses refute
the theory exactly when the bad event can be derived: a prover that saturates has shown that it cannot be.

Terms                                   code
  dh(x, y)                              X25519 of private x and public pub(y)
  kdf1(psk, e, es, ss), kdf2(k, f, ee, se)   chaining keys after each Noise message (noise.cpp)
  ext(transcript, k)                    KD_0 = HKDF-Extract(handshake hash, k1 || k2)       (link_handshake.cpp, root_of)
  kdd(psk, ss, announcer, monitor)      Kd                                                  (identity.cpp, derive_direction)
  prf(key, label), prf2(key, label, x)  HKDF-Expand and HMAC/CMAC under a purpose's own key (keys.h)
  aead(key, ad, plain)                  ChaCha20-Poly1305 or AES-256-GCM

SPASS gets dh(x,y) = dh(y,x). E gets no equation: every term is written dh(initiator's or ephemeral key, other key) and the
attacker may build either orientation, which is enough because honest roles only ever compute the written one."""

CONSTRUCTORS = {'tup': 2, 'pub': 1, 'kdf1': 4, 'kdf2': 4, 'ext': 2, 'kdd': 4, 'prf': 2, 'prf2': 3, 'aead': 3, 'old': 1}
LABELS = ['junk', 'empty', 'l_dcr', 'l_complete', 'l_i2r', 'l_r2i', 'l_rekey', 'l_ratchet', 'l_record', 'l_ann', 'l_query',
          'l_resp', 'offer_a', 'offer_b', 'now']

UNUSED_IN_SETUP = ('l_ratchet', 'l_record', 'l_ann', 'l_query', 'l_resp')  # a smaller theory saturates sooner


def tup(*parts):
    return parts[0] if len(parts) == 1 else f'tup({parts[0]},{tup(*parts[1:])})'


class theory:
    def __init__(self, options, commutative):
        self.options, self.commutative, self.clauses, self.asked = options, commutative, [], set()
        self.phases = 2 if 'later_leak' in options else 1  # phase 1: after all sessions, nothing honest happens any more

    def has(self, option):
        self.asked.add(option)
        return option in self.options

    def rule(self, premises, conclusion=None):
        literals = [f'~{p}' for p in premises] + ([conclusion] if conclusion else [])
        self.clauses.append(f"cnf(c{len(self.clauses)},axiom,({' | '.join(literals)})).")

    def known(self, term, phase=0):
        return f'att{phase}({term})'

    def tell(self, term, *premises):
        """An honest party sends `term` once the attacker has supplied the premises."""
        self.rule([self.known(p) for p in premises], self.known(term))

    def bad(self, *premises):
        self.rule(list(premises))

    def attacker(self):
        for p in range(self.phases):
            k = lambda t: self.known(t, p)
            for c in LABELS:
                if c not in UNUSED_IN_SETUP or not self.has('setup'):
                    self.rule([], k(c))
            for f, n in CONSTRUCTORS.items():
                if f == 'old' and not any('old' in x or 'slot' in x or 'agrees' in x for x in self.options):
                    continue
                xs = [f'X{i}' for i in range(n)]
                self.rule([k(x) for x in xs], k(f"{f}({','.join(xs)})"))
            self.rule([k('aead(K,D,M)'), k('K')], k('M'))
            self.rule([k('tup(X,Y)')], k('X'))
            self.rule([k('tup(X,Y)')], k('Y'))
            self.rule([k('pub(X)'), k('Y')], k('dh(X,Y)'))
            if not self.commutative:
                self.rule([k('pub(X)'), k('Y')], k('dh(Y,X)'))
        if self.commutative:
            self.clauses.append('cnf(comm,axiom,( dh(X,Y) = dh(Y,X) )).')
        if self.phases == 2:
            self.rule([self.known('X', 0)], self.known('X', 1))

    def text(self, options):
        unknown = sorted(set(options[1:]) - self.asked)
        if unknown:  # a variant that is misspelt would be the design itself
            raise ValueError(f"{' '.join(options)}: no part of the model asks for {', '.join(unknown)}")
        return '\n'.join(self.clauses) + '\n'

# Ephemerals of links with Mary. Those of Peter's exist where peter_knows_mary.
JOHNS_WITH_MARY = ['e_jm(S1,C1,O1)', 'f_jmr(S1,P1,C1,X1,O1)']
PETERS_WITH_MARY = ['e_px(S1,C1,O1)', 'f_pxr(S1,P1,C1,X1,O1)']


class session:
    """One side of the handshake between initiator key i and responder key r. slot, ctx (seq and layer-2 IDs) and offer come
    from the attacker, as far as the scenario lets it choose them."""

    def __init__(self, t, i, r, psk, tag, binding=None):
        self.t, self.i, self.r, self.psk, self.tag, self.binding = t, i, r, psk, tag, binding
        self.ss = 'kall' if t.has('one_key_for_all') else f'dh({",".join(sorted((i, r)))})'
        self.kd = f'kdd({psk},{self.ss},pub({r}),pub({i}))'

    def named(self, slot, ctx):
        return ([] if self.t.has('no_slot_bound') else [slot]) + ([] if self.t.has('no_context') else [ctx])

    def prologue(self, slot, ctx):
        head = tup(*self.named(slot, ctx), f'pub({self.i})', f'pub({self.r})')
        return head if self.binding is None or self.t.has('no_binding') else tup(self.binding, head)

    def k1(self, e_public, es):
        if self.t.has('one_key_for_all'):
            es = 'kall'
        if self.t.has('no_ephemerals'):
            es = 'empty'
        if self.t.has('e_not_bound'):
            e_public, es = 'empty', 'empty'
        return f'kdf1({self.psk},{e_public},{es},{self.ss})'

    def k2(self, k1, f_public, ee, se):
        if self.t.has('one_key_for_all'):
            ee, se = 'kall', 'empty'
        if self.t.has('no_ephemerals'):
            ee, se = 'empty', 'empty'
        if self.t.has('no_se'):
            se = 'empty'
        if self.t.has('e_not_bound'):
            ee = 'empty'
        if self.t.has('f_not_bound'):
            f_public, ee, se = 'empty', 'empty', 'empty'
        return f'kdf2({k1},{f_public},{ee},{se})'

    def e_named(self, e_public):
        return [] if self.t.has('e_not_bound') else [e_public]

    def hashed(self, *parts):
        return 'empty' if self.t.has('no_transcript') else tup(*parts)

    def start(self, slot, ctx, e_public, c1, f_public):
        f_named = [] if self.t.has('f_not_bound') else [f_public]
        return [self.prologue(slot, ctx), *self.e_named(e_public), c1, *f_named]

    def first(self, slot, ctx, e_public, k1, offer):
        sealed = 'empty' if self.t.has('offer_in_clear') else offer
        return f'aead({k1},{self.hashed(self.prologue(slot, ctx), *self.e_named(e_public))},{sealed})'

    def token(self, slot, ctx, e_public, c1):
        covered = tup(slot, ctx) if self.t.has('short_token') else tup(*self.named(slot, ctx), *self.e_named(e_public), c1)
        return f'prf2({self.kd},l_dcr,{covered})'

    def initiator(self, secret, request_lost=False):
        t = self.t
        slot = 'old(S)' if t.has('only_old_requests') and self.tag == 'jp' else 'S'
        offer = 'offer_a' if t.has('offers_a_only') and self.tag == 'jp' else 'O'
        e = f'e_{self.tag}({slot},C,{offer})'
        e_public = f'pub({e})'
        k1 = self.k1(e_public, f'dh({e},{self.r})')
        c1 = self.first(slot, 'C', e_public, k1, offer)
        given = [slot, 'C', offer]
        t.tell(e_public, *given)
        t.tell(c1, *given)
        if self.binding is None:
            t.tell(self.token(slot, 'C', e_public, c1), *given)
        if t.has('ephemerals_leak'):
            t.tell(e, *given)
        f_public = 'pub(F)'
        k2 = self.k2(k1, f_public, f'dh({e},F)', f'dh({self.i},F)')
        start = self.start(slot, 'C', e_public, c1, f_public)
        c2 = f'aead({k2},{self.hashed(*start)},P)'
        root = f'ext({self.hashed(*start, c2)},{k2})'
        answered = given + [f_public, c2]
        if t.has('query_initiator_accepts') and self.tag == 'jp':
            t.bad(*map(t.known, answered))
        if t.has('query_initiator_agrees') and self.tag == 'jp':
            self.disagree('F', answered, choice={'F': 'f_jp(S1,offer_a,C1,X1,O1)', 'P': 'offer_b'}, context={'F': 'f_jp(S1,P1,junk,X1,O1)', 'C': 'empty'},
                          offer={'F': 'f_jp(S1,P1,C1,X1,offer_a)', 'O': 'offer_b'}, slot={'F': 'f_jp(now,P1,C1,X1,O1)', 'S': 'old(S2)'},
                          own=['e_jp(S1,C1,O1)', JOHNS_WITH_MARY[0]], answer=JOHNS_WITH_MARY[1:], peer=PETERS_WITH_MARY[:1],
                          peers_answer=PETERS_WITH_MARY[1:],
                          initiator=['f_jp(S1,P1,C1,skM,O1)', 'f_jp(S1,P1,C1,e_jm(S2,C2,O2),O1)'])
        if self.tag == 'ja':
            t.tell(root, *answered)  # a link of John's with Ann, whose KD is lost
        t.tell(f'aead(prf({root},l_complete),empty,empty)', *answered)
        t.tell(f'aead(prf({root},l_i2r),empty,{secret})', *answered)

    def responder(self, secret):
        t = self.t
        f = f'f_{self.tag}(S,P,C,X,O)'
        f_public, e_public = f'pub({f})', 'pub(X)'
        k1 = self.k1(e_public, f'dh(X,{self.r})')
        c1 = self.first('S', 'C', e_public, k1, 'O')
        token = self.token('S', 'C', e_public, c1)
        asked = ['S', 'P', 'C', e_public, c1]
        if self.binding is None:
            asked.append(token)
            if t.has('query_multiplications') and self.tag == 'jp':
                # The token is checked first: a request whose sealed part is rubbish but whose token is right costs a DH.
                rubbish = self.token('S', 'C', e_public, 'junk')
                t.bad(*map(t.known, ['S', 'C', e_public, 'junk', rubbish]))
        if t.has('offer_in_clear'):
            asked.append('O')
        k2 = self.k2(k1, f_public, f'dh(X,{f})', f'dh({self.i},{f})')
        start = self.start('S', 'C', e_public, c1, f_public)
        c2 = f'aead({k2},{self.hashed(*start)},P)'
        root = f'ext({self.hashed(*start, c2)},{k2})'
        t.tell(f_public, *asked)
        t.tell(c2, *asked)
        if t.has('ephemerals_leak'):
            t.tell(f, *asked)
        here = self.tag == 'jp'
        if t.has('query_request_accepted') and here:
            t.bad(*map(t.known, asked))
        if t.has('query_answers_now') and here:
            slot = 'old(S)' if t.has('slot_not_checked') else 'now'
            t.bad(*(t.known(x).replace('(S,', f'({slot},').replace('att0(S)', f'att0({slot})') for x in asked))
        completed = asked + [f'aead(prf({root},l_complete),empty,empty)']
        if t.has('query_responder_accepts') and here:
            offer = (lambda x: replace_variable(x, 'O', 'offer_b')) if t.has('offers_a_only') else (lambda x: x)
            t.bad(*(t.known(offer(x)) for x in completed))
        if t.has('query_responder_agrees') and here:
            self.disagree('X', completed, offer={'X': 'e_jp(S1,C1,offer_a)', 'O': 'offer_b'}, context={'X': 'e_jp(S1,junk,O1)', 'C': 'empty'},
                          slot={'X': 'e_jp(now,C1,O1)', 'S': 'old(S2)'},
                          own=['f_jp(S1,P1,C1,X1,O1)', *PETERS_WITH_MARY], peer=JOHNS_WITH_MARY)
        if t.has('query_accepts_now') and here:
            t.bad(*(t.known(replace_variable(x, 'S', 'now')) for x in completed))
        t.tell(f'aead(prf({root},l_r2i),empty,{secret})', *completed)

    def disagree(self, ephemeral, accepted, own, peer, answer=(), peers_answer=(), initiator=(), **parameters):
        """Bad: it accepts with an ephemeral that the attacker made (on_made), that is its own (on_own), that the other end made for Mary (on_peer) or as the
        answer to another initiator's (on_initiator), or that was made for another parameter (on_offer and so on). With an option on_NAME only this kind is
        bad, and only all of it together, so that a broken variant shows each disagreement of the kind to be found. John's own answer to Mary (on_answer)
        and Peter's (on_peers_answer) are kinds apart where E would take too long for all together."""
        t = self.t
        others = {'own': own, 'answer': answer, 'peer': peer, 'peers_answer': peers_answer, 'initiator': initiator}
        kinds = {'made': [{}], **{name: [{ephemeral: x} for x in terms] for name, terms in others.items()}, **{name: [x] for name, x in parameters.items()}}
        only = [k for k in kinds if t.has('on_' + k)]
        for name in only or kinds:
            for number, replaced in enumerate(kinds[name]):
                terms = accepted + ([ephemeral] if name == 'made' else [])
                for variable, value in replaced.items():
                    terms = [replace_variable(x, variable, value) for x in terms]
                t.rule([t.known(x) for x in terms], f'{name}{number}' if only else None)
        for name in only:
            t.rule([f'{name}{number}' for number in range(len(kinds[name]))])


def replace_variable(term, name, value):
    import re
    return re.sub(rf'\b{name}\b', value, term)


def handshakes(t):
    o = t.has
    if o('one_key_for_all'):
        t.rule([], t.known('kall'))
    # Mary is the attacker's: her key, and the zero PSK of her pairs.
    for term in ('skM', 'zero', 'pub(skJ)', 'pub(skP)'):
        t.rule([], t.known(term))
    leaks = {'psk_known': 'pskJP', 'john_leaks': 'skJ', 'peter_leaks': 'skP'}
    for option, term in leaks.items():
        if o(option) or (option == 'psk_known' and not o('psk_secret')):
            t.rule([], t.known(term))
    if o('later_leak'):
        for term in ('skJ', 'skP', 'pskJP'):
            t.rule([], t.known(term, 1))
    john_as_peter_knows_him = 'Z' if o('server_names_johns_key') else 'skJ'
    binding = 'prf(kd0,l_rekey)' if o('rekeying') else None
    if o('kd_leaks'):
        t.rule([], t.known('kd0'))
    if not o('john_never_asks'):
        session(t, 'skJ', 'skP', 'pskJP', 'jp', binding).initiator('secret_i')
    if not o('peter_never_answers'):
        if o('server_names_johns_key'):
            # A lying server gave Peter a public key of its own for John, and Peter did not pin or compare it.
            t.rule([], t.known('skZ'))
            session(t, 'skZ', 'skP', 'pskJP', 'jp', binding).responder('secret_r')
        else:
            session(t, 'skJ', 'skP', 'pskJP', 'jp', binding).responder('secret_r')
    if o('both_directions'):
        session(t, 'skP', 'skJ', 'pskJP', 'pj').initiator('secret_i2')
        session(t, 'skP', 'skJ', 'pskJP', 'pj').responder('secret_r2')
    # John's links with Mary, and with a server that the attacker runs (its key skS is known, as Mary's is).
    others = [('skM', 'jm')] + ([('skS', 'js')] if o('server_compromised') else [])
    if o('server_compromised'):
        t.rule([], t.known('skS'))
    for key, tag in others:
        session(t, 'skJ', key, 'zero', tag).initiator('zero')
        session(t, key, 'skJ', 'zero', tag + 'r').responder('zero')
    if o('peter_knows_mary') or o('server_compromised'):
        key = 'skS' if o('server_compromised') else 'skM'
        session(t, 'skP', key, 'zero', 'px').initiator('zero')
        session(t, key, 'skP', 'zero', 'pxr').responder('zero')
    if o('another_pair_loses'):  # John and Ann: their PSK, and the KD of each link that John begins with her
        t.rule([], t.known('pskJA'))
        t.rule([], t.known('pub(skA)'))
        session(t, 'skJ', 'skA', 'pskJA', 'ja').initiator('zero')
        session(t, 'skJ', 'skA', 'pskJA', 'ja').responder('zero')
    last = t.phases - 1
    if o('query_secrecy'):
        for s in ('secret_i', 'secret_r') + (('secret_i2', 'secret_r2') if o('both_directions') else ()):
            t.bad(t.known(s, last))


def ratchet(t):
    """Epoch 0 and 1 of one link; a thief comes during epoch 1 (or 0)."""
    next_root = 'kd0' if t.has('no_ratchet') else 'prf(kd0,l_ratchet)'
    t.tell('aead(prf(kd0,l_record),empty,secret_0)')
    t.tell(f'aead(prf({next_root},l_record),empty,secret_1)')
    t.tell('kd0' if t.has('stolen_in_epoch_0') else next_root)
    t.bad(t.known('secret_1' if t.has('stolen_in_epoch_0') else 'secret_0'))


def server(t):
    """Registration at an honest server: a TLS connection that names the account, a fresh ephemeral key and challenge of the server's, and a proof under
    dh(user's key, ephemeral) over server, connection and name (possession.cpp). Mary has an account there, and a server of her own that John uses."""
    o = t.has
    for term in ('skM', 'pub(skJ)', 'name_mary', 'name_john', 'server_s', 'server_m', 'n_john', 'n_later'):
        t.rule([], t.known(term))

    def proof(key, ephemeral_public, shared, where, challenge, name):
        covered = ([] if o('no_server_in_proof') else [where]) + ([] if o('no_connection_in_proof') else [challenge, ephemeral_public]) + \
                  ([] if o('no_name_in_proof') else [name]) + [f'pub({key})']
        return f'prf2({"kfixed" if o("no_connection_in_proof") and key == "skJ" else shared},l_record,{tup(*covered)})'
    # Each connection N of the honest server has its own ephemeral and challenge.
    t.tell('pub(se(N))', 'N')
    t.tell('ch(N)', 'N')
    # John answers whatever server he uses: Mary's, with an ephemeral and challenge that she chooses.
    where = 'server_m'
    t.tell(proof('skJ', 'pub(Y)', 'dh(Y,skJ)', where, 'H', 'name_john'), 'pub(Y)', 'H')
    if not o('john_never_registers'):
        t.tell(proof('skJ', 'pub(se(n_john))', 'dh(se(n_john),skJ)', 'server_s', 'ch(n_john)', 'name_john'), 'pub(se(n_john))', 'ch(n_john)')
    if o('query_marys_account_gets_johns_key'):
        t.bad(t.known('N'), t.known(proof('skJ', 'pub(se(N))', 'dh(se(N),skJ)', 'server_s', 'ch(N)', 'name_mary')))
    if o('query_again_on_another_connection'):
        t.bad(t.known(proof('skJ', 'pub(se(n_later))', 'dh(se(n_later),skJ)', 'server_s', 'ch(n_later)', 'name_john')))


def discovery(t):
    """Peter announces to John (model A), John asks and Peter responds (model B). Mary is known to John; in the group-key
    variant every permitted monitor of Peter's shares one key, and Mary is one of them."""
    o = t.has
    for term in ('skM', 'zero', 'pub(skJ)', 'pub(skP)', 'pskJP'):
        t.rule([], t.known(term))
    if o('john_leaks'):
        t.rule([], t.known('skJ'))
    kd = 'kgroup' if o('group_key') else 'kdd(pskJP,dh(skJ,skP),pub(skP),pub(skJ))'
    if o('group_key'):
        t.rule([], t.known('kgroup'))
    slot = (lambda s: 'empty') if o('no_slot') else (lambda s: s)
    query = lambda s: f'prf2({kd},l_query,{slot(s)})'
    response = lambda s: f"prf2({kd},{'l_query' if o('one_label') else 'l_resp'},{slot(s)})"
    announcement = lambda s: f'prf2({kd},l_ann,{slot(s)})'
    jm = 'kdd(zero,dh(skJ,skM),pub(skM),pub(skJ))'
    for label in ('l_ann', 'l_query', 'l_resp'):  # John's exchanges with Mary
        t.tell(f'prf2({jm},{label},S)', 'S')
    if not o('john_never_asks'):
        t.tell(query('old(S)' if o('only_old_queries') else 'S'), *(['S']))
    if not o('peter_silent'):
        t.tell(announcement('old(S)' if o('only_old_announcements') else 'S'), 'S')
        answered = 'old(S)' if o('only_old_responses') else 'S'
        t.tell(response(answered), 'S', query(answered))  # only for a query that verifies
    if o('query_peter_responds'):
        t.bad(t.known(query('now')))
    if o('query_john_hears_response'):
        t.bad(t.known(response('now')))
    if o('query_john_hears_announcement'):
        t.bad(t.known(announcement('now')))


PARTS = {'setup': handshakes, 'ratchet': ratchet, 'discovery': discovery, 'server': server}


def model(options, commutative):
    t = theory(set(options), commutative)
    t.attacker()
    PARTS[options[0]](t)
    return t.text(options)
