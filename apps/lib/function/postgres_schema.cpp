#include "apps/lib/function/postgres_schema.h"

namespace prose::function {
namespace {

// What store.cpp does in one transaction of SQLite is one call of a function here: one round trip, and all of it or
// nothing. Users are locked by name until the commit, always in the same order, so that versions count without gaps and
// no two transactions wait for each other. Of a pair only the last change is kept. A name may be locked that nobody
// has.
constexpr const char* users_and_changes = R"sql(
CREATE TABLE prose_user(account text COLLATE "C" PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
                        key bytea NOT NULL UNIQUE CHECK (octet_length(key) = 32));
CREATE TABLE prose_permission(granter text COLLATE "C", peer text COLLATE "C", PRIMARY KEY(granter, peer));
CREATE TABLE prose_change(name text COLLATE "C", peer text COLLATE "C", version bigint NOT NULL, permitted boolean NOT NULL,
                          key bytea NOT NULL, PRIMARY KEY(name, peer), UNIQUE(name, version));
CREATE TABLE prose_replaced(key bytea PRIMARY KEY);

-- Which of the stores of one database (each in a schema of its own) this is: their channels and advisory locks are apart.
CREATE SEQUENCE prose_instance AS integer CYCLE;
CREATE FUNCTION prose_store() RETURNS oid STABLE LANGUAGE sql AS $$ SELECT 'prose_instance'::regclass::oid $$;

CREATE FUNCTION prose_lock(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE h bigint;
BEGIN
  FOR h IN SELECT DISTINCT hashtextextended(n COLLATE "C", 0) FROM unnest(names) AS n ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(h);
  END LOOP;
END $$;

CREATE FUNCTION prose_add_change(whose text, about text, is_permitted boolean, new_key bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO prose_change AS c (name, peer, version, permitted, key)
    SELECT whose, about, coalesce(max(o.version), 0) + 1, is_permitted, new_key FROM prose_change o WHERE o.name = whose
    ON CONFLICT (name, peer) DO UPDATE SET version = excluded.version, permitted = excluded.permitted, key = excluded.key;
  PERFORM pg_notify('prose_changed_' || prose_store(), whose);
END $$;

CREATE FUNCTION prose_mutual(who text) RETURNS TABLE(peer_name text, peer_key bytea) STABLE LANGUAGE sql AS $$
  SELECT u.name, u.key FROM prose_permission given
    JOIN prose_permission returned ON returned.granter = given.peer AND returned.peer = given.granter
    JOIN prose_user u ON u.name = given.peer WHERE given.granter = who ORDER BY u.name
$$;

CREATE FUNCTION prose_register(who text, as_name text, new_key bytea, may_replace boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  peers text[] := ARRAY(SELECT peer_name FROM prose_mutual(as_name));
  mine prose_user;
  registered boolean;
  p record;
BEGIN
  PERFORM prose_lock(peers || as_name);
  SELECT * INTO mine FROM prose_user WHERE account = who;
  registered := FOUND;
  IF registered AND mine.name <> as_name THEN RETURN 'name_taken'; END IF;
  IF registered AND mine.key = new_key THEN RETURN 'none'; END IF;
  -- In this order: a key that is replaced meanwhile is then found in one of the two.
  IF EXISTS (SELECT FROM prose_user WHERE key = new_key) THEN RETURN 'key_taken'; END IF;
  IF EXISTS (SELECT FROM prose_replaced WHERE key = new_key) THEN RETURN 'key_replaced'; END IF;
  IF NOT registered THEN
    IF EXISTS (SELECT FROM prose_user WHERE name = as_name) THEN RETURN 'name_taken'; END IF;
    INSERT INTO prose_user(account, name, key) VALUES (who, as_name, new_key);
  ELSE
    IF NOT may_replace THEN RETURN 'key_taken'; END IF;
    INSERT INTO prose_replaced(key) VALUES (mine.key);
    UPDATE prose_user SET key = new_key WHERE account = who;
  END IF;
  FOR p IN SELECT * FROM prose_mutual(as_name) LOOP
    IF p.peer_name <> ALL (peers) THEN  -- came before the lock, and is not locked itself: once more
      RAISE EXCEPTION 'a peer came meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    PERFORM prose_add_change(p.peer_name, as_name, true, new_key);
    IF NOT registered THEN PERFORM prose_add_change(as_name, p.peer_name, true, p.peer_key); END IF;
  END LOOP;
  RETURN 'none';
END $$;

-- The work is the same whether there is such a peer.
CREATE FUNCTION prose_grant(me text, other text, most bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE own bytea; theirs bytea; already boolean; returned boolean;
BEGIN
  PERFORM prose_lock(ARRAY[me, other]);
  SELECT key INTO own FROM prose_user WHERE name = me;
  SELECT key INTO theirs FROM prose_user WHERE name = other;
  already := EXISTS (SELECT FROM prose_permission WHERE granter = me AND peer = other);
  returned := EXISTS (SELECT FROM prose_permission WHERE granter = other AND peer = me);
  IF own IS NULL THEN RETURN 'not_registered'; END IF;
  IF already THEN RETURN 'none'; END IF;
  IF (SELECT count(*) FROM prose_permission WHERE granter = me) >= most THEN RETURN 'too_many'; END IF;
  INSERT INTO prose_permission(granter, peer) VALUES (me, other);
  IF returned AND theirs IS NOT NULL THEN
    PERFORM prose_add_change(me, other, true, theirs);
    PERFORM prose_add_change(other, me, true, own);
  END IF;
  RETURN 'none';
END $$;

CREATE FUNCTION prose_withdraw(me text, other text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE own bytea; theirs bytea; given boolean; returned boolean; none bytea := decode(repeat('00', 32), 'hex');
BEGIN
  PERFORM prose_lock(ARRAY[me, other]);
  SELECT key INTO own FROM prose_user WHERE name = me;
  SELECT key INTO theirs FROM prose_user WHERE name = other;
  given := EXISTS (SELECT FROM prose_permission WHERE granter = me AND peer = other);
  returned := EXISTS (SELECT FROM prose_permission WHERE granter = other AND peer = me);
  IF own IS NULL THEN RETURN 'not_registered'; END IF;
  DELETE FROM prose_permission WHERE granter = me AND peer = other;
  IF given AND returned AND theirs IS NOT NULL THEN
    PERFORM prose_add_change(me, other, false, none);
    PERFORM prose_add_change(other, me, false, none);
  END IF;
  RETURN 'none';
END $$;
)sql";

// Limits over all instances. A crash of the database may empty these tables: budgets are full again, and sessions are
// entered anew with each connection. An instance holds an advisory lock (the store, its number) while it is connected.
constexpr const char* limits = R"sql(
CREATE UNLOGGED TABLE prose_budget(account text COLLATE "C", kind smallint, tokens float8 NOT NULL, at timestamptz NOT NULL,
                                   PRIMARY KEY(account, kind)) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE prose_session(instance integer, number bigint, account text COLLATE "C" NOT NULL, entry bigserial,
                                    PRIMARY KEY(instance, number));
CREATE INDEX prose_session_account ON prose_session(account, entry);

CREATE FUNCTION prose_take(who text, what smallint, rate float8, capacity float8, wanted bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE b prose_budget; level float8; given bigint; now_is timestamptz;
BEGIN
  INSERT INTO prose_budget(account, kind, tokens, at) VALUES (who, what, capacity, clock_timestamp()) ON CONFLICT DO NOTHING;
  SELECT * INTO b FROM prose_budget WHERE account = who AND kind = what FOR UPDATE;
  now_is := clock_timestamp();
  level := least(capacity, b.tokens + rate * greatest(0, extract(epoch FROM now_is - b.at)::float8));
  given := greatest(0, least(wanted, floor(level)::bigint));
  UPDATE prose_budget SET tokens = level - given, at = now_is WHERE account = who AND kind = what;
  RETURN given;
END $$;

CREATE FUNCTION prose_end_session(of_instance integer, of_number bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM prose_session WHERE instance = of_instance AND number = of_number;
  PERFORM pg_notify('prose_ended_' || prose_store(), of_instance || ' ' || of_number);
END $$;

CREATE FUNCTION prose_enter(of_instance integer, of_number bigint, who text, most bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE s record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(who COLLATE "C", 1));
  INSERT INTO prose_session(instance, number, account) VALUES (of_instance, of_number, who);
  FOR s IN SELECT instance, number FROM prose_session WHERE account = who ORDER BY entry DESC OFFSET most LOOP
    PERFORM prose_end_session(s.instance, s.number);
  END LOOP;
END $$;

CREATE FUNCTION prose_end_others(of_instance integer, of_number bigint, who text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE s record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(who COLLATE "C", 1));
  FOR s IN SELECT instance, number FROM prose_session WHERE account = who AND (instance, number) <> (of_instance, of_number) LOOP
    PERFORM prose_end_session(s.instance, s.number);
  END LOOP;
END $$;

CREATE FUNCTION prose_clear_up() RETURNS void LANGUAGE sql AS $$
  DELETE FROM prose_session s WHERE NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2
    AND l.classid = prose_store() AND l.objid::bigint = s.instance
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()));
  DELETE FROM prose_budget WHERE at < clock_timestamp() - interval '10 minutes';
$$;
)sql";

constexpr const char* steps[] = {users_and_changes, limits};

}  // namespace

std::span<const char* const> postgres_steps() { return steps; }

}  // namespace prose::function
