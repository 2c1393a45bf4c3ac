"""What is claimed, and what must break. SAFE: the bad event cannot be derived. BROKEN: a variant in which the attack must be
found, so that the suite cannot pass by proving nothing. LIMIT: an attack that the design accepts and THREATS.md states."""

SAFE, BROKEN, LIMIT = 'safe', 'attack', 'attack'

STATEMENTS = [
    # --- set-up ---
    ('John and Peter complete a link (sanity)', 'setup query_responder_accepts', BROKEN),
    ('John accepts Peter when Peter answers (sanity)', 'setup query_initiator_accepts', BROKEN),
    ('data between John and Peter stays secret with Mary in the attacker\'s hands', 'setup query_secrecy', SAFE),
    ('the same with links in both role directions', 'setup query_secrecy both_directions', SAFE),
    ('the same where Peter has links with Mary too', 'setup query_secrecy peter_knows_mary', SAFE),
    ('broken: one key for all peers', 'setup query_secrecy one_key_for_all', BROKEN),
    ('past data stays secret when both static keys and the PSK leak later', 'setup query_secrecy later_leak', SAFE),
    ('pairwise static keys without ephemerals: secret while nothing leaks', 'setup query_secrecy no_ephemerals', SAFE),
    ('broken: pairwise static keys without ephemerals, leaked later', 'setup query_secrecy later_leak no_ephemerals', BROKEN),
    ('nobody is John to Peter', 'setup query_responder_accepts john_never_asks', SAFE),
    ('nobody is Peter to John', 'setup query_initiator_accepts peter_never_answers', SAFE),
    ('Peter\'s key leaked: still nobody is John to Peter', 'setup query_responder_accepts john_never_asks peter_leaks', SAFE),
    ('John\'s key leaked: still nobody is Peter to John', 'setup query_initiator_accepts peter_never_answers john_leaks', SAFE),
    ('the same with Peter-Mary links, Peter\'s key leaked', 'setup query_responder_accepts john_never_asks peter_leaks peter_knows_mary', SAFE),
    ('the same with Peter-Mary links, John\'s key leaked', 'setup query_initiator_accepts peter_never_answers john_leaks peter_knows_mary', SAFE),
    ('broken: no se token, Peter\'s key leaked', 'setup query_responder_accepts john_never_asks peter_leaks no_se', BROKEN),
    ('what was offered is what is agreed', 'setup query_responder_accepts offers_a_only', SAFE),
    ('broken: the offer outside the transcript', 'setup query_responder_accepts offers_a_only offer_in_clear no_transcript', BROKEN),
    ('all ephemerals leaked, static keys safe', 'setup query_secrecy ephemerals_leak', SAFE),
    ('X25519 broken, independent PSK secret', 'setup query_secrecy ephemerals_leak john_leaks peter_leaks psk_secret', SAFE),
    ('broken: X25519 broken and no PSK', 'setup query_secrecy ephemerals_leak john_leaks peter_leaks', BROKEN),
    ('static keys known from the start but the PSK secret', 'setup query_secrecy john_leaks peter_leaks psk_secret', SAFE),
    ('broken: static keys known from the start', 'setup query_secrecy john_leaks peter_leaks', BROKEN),
    # --- presence ---
    ('Peter answers nothing in a slot for which John asked nothing', 'setup query_answers_now only_old_requests', SAFE),
    ('broken: the slot is not checked, replays draw an answer', 'setup query_answers_now only_old_requests slot_not_checked', BROKEN),
    ('nobody else makes a request that Peter accepts', 'setup query_request_accepted john_never_asks', SAFE),
    ('limit: a request alone is forgeable once Peter\'s own key leaked', 'setup query_request_accepted john_never_asks peter_leaks', LIMIT),
    ('Peter spends scalar multiplications only on what John made', 'setup query_multiplications', SAFE),
    ('broken: a token that does not cover the request', 'setup query_multiplications short_token', BROKEN),
    # --- rekeying: kd0 is the root of the generation that is renewed ---
    ('rekeying completes (sanity)', 'setup rekeying query_responder_accepts', BROKEN),
    ('rekeyed data stays secret', 'setup rekeying query_secrecy', SAFE),
    ('a leaked KD heals at the rekeying', 'setup rekeying query_secrecy kd_leaks', SAFE),
    ('static keys and PSK leaked: the link\'s own secret still binds the rekeying', 'setup rekeying query_secrecy john_leaks peter_leaks', SAFE),
    ('the same: nobody rekeys as John', 'setup rekeying query_responder_accepts john_never_asks john_leaks peter_leaks', SAFE),
    ('broken: rekeying without the binding, static keys leaked', 'setup rekeying query_secrecy john_leaks peter_leaks no_binding', BROKEN),
    ('limit: KD and static keys leaked together, attacker active', 'setup rekeying query_secrecy john_leaks peter_leaks kd_leaks', LIMIT),
    ('rekeyed data stays secret when static keys leak later and KD leaked', 'setup rekeying query_secrecy later_leak kd_leaks', SAFE),
    # --- ratchet ---
    ('a thief in epoch 1 does not open epoch 0', 'ratchet', SAFE),
    ('broken: no ratchet', 'ratchet no_ratchet', BROKEN),
    ('limit: a thief in epoch 0 opens epoch 1 (until the rekeying)', 'ratchet stolen_in_epoch_0', LIMIT),
    # --- the server ---
    ('a server run by the attacker learns nothing of John-Peter', 'setup query_secrecy server_compromised', SAFE),
    ('and is not John to Peter', 'setup query_responder_accepts john_never_asks server_compromised', SAFE),
    ('broken: Peter takes a key for John from a lying server', 'setup query_secrecy server_compromised server_names_johns_key', BROKEN),
    ('the same, but the pair has a PSK that never crossed the server', 'setup query_secrecy server_compromised server_names_johns_key psk_secret', SAFE),
    # --- discovery ---
    ('John hears no announcement of Peter that Peter did not make now', 'discovery query_john_hears_announcement only_old_announcements', SAFE),
    ('nor while Peter is silent, whatever Mary makes of her own keys', 'discovery query_john_hears_announcement peter_silent', SAFE),
    ('broken: one discovery key for all permitted monitors', 'discovery query_john_hears_announcement peter_silent group_key', BROKEN),
    ('broken: codes without the slot are replayed', 'discovery query_john_hears_announcement only_old_announcements no_slot', BROKEN),
    ('limit: John\'s leaked key lets others announce as Peter to John', 'discovery query_john_hears_announcement peter_silent john_leaks', LIMIT),
    ('John asks and Peter responds (sanity)', 'discovery query_peter_responds', BROKEN),
    ('Peter responds to nobody but John', 'discovery query_peter_responds john_never_asks', SAFE),
    ('Peter responds to no query of an earlier slot', 'discovery query_peter_responds only_old_queries', SAFE),
    ('broken: queries without the slot are replayed', 'discovery query_peter_responds only_old_queries no_slot', BROKEN),
    ('broken: a shared query key', 'discovery query_peter_responds john_never_asks group_key', BROKEN),
    ('John hears no response that Peter did not make', 'discovery query_john_hears_response peter_silent', SAFE),
    ('broken: query and response under one label, John\'s query reflected', 'discovery query_john_hears_response peter_silent one_label', BROKEN),
]
