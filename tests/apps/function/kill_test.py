"""kill -9 of prose-function under load, PROSE_KILLS times: mutual pairs, registrations and new keys over connections that stay."""
import os, random, tempfile, threading, time

from tests.harness.cases import main
from tests.harness.function import Server
from tests.harness.keys import prose_keys

KILLS = int(os.environ.get('PROSE_KILLS', 3))
USERS = ['u%d' % i for i in range(6)]
rng = random.Random(11)
counts = {'grant': 0, 'withdraw': 0, 'register': 0}


class User:
    """What the server acknowledged: a value, or the set of what it may be when an answer never came."""

    def __init__(self, name):
        self.name, self.granted, self.keys = name, {p: {False} for p in USERS if p != name}, {None}

    def load(self, s, ready, stop):
        c = s.connect(self.name, timeout=60)
        ready.wait()
        try:
            while not stop.is_set():
                # Half of the time within a pair, so that mutual ones come and go.
                p = USERS[USERS.index(self.name) ^ 1] if rng.random() < 0.5 else rng.choice(list(self.granted))
                op = rng.choice(('grant', 'withdraw'))
                before = self.granted[p]
                self.granted[p] = before | {op == 'grant'}
                answer = c.ask(op=op, peer=p)
                if answer['answer'] == 'done':
                    self.granted[p] = {op == 'grant'}
                    counts[op] += 1
                else:
                    self.granted[p] = before
                    time.sleep(0.02)  # the limit of requests per second
        except (OSError, EOFError):
            pass

    def register(self, s):
        """The same connection-less command that a user gives; a new key each time."""
        os.remove(s.path(self.name + '.key'))
        prose_keys('gen', s.path(self.name + '.key'))
        key = s.public(self.name)
        before = self.keys
        self.keys = before | {key}
        r = s.at_server(self.name, 'register', '--replace')
        if r.returncode == 0:
            self.keys = {key}
            counts['register'] += 1


def answer(c, **request):
    """Asked again where the load before has used up what a user may ask a second."""
    while True:
        a = c.ask(**request)
        if not a.get('reason', '').startswith('too many requests'):
            return a
        time.sleep(0.1)


def check(s, users, kill):
    lists, changes = {}, {}
    for u in users.values():
        c = s.connect(u.name)
        lists[u.name] = answer(c, op='list')
        changes[u.name] = answer(c, op='changes', since=0, wait_s=0)['changes']
        c.close()
    for u in users.values():
        granted = set(lists[u.name]['granted'])
        for p, possible in u.granted.items():
            assert (p in granted) in possible, (kill, u.name, p, possible, granted)
            u.granted[p] = {p in granted}
        mutual = {m['name']: m['key'] for m in lists[u.name]['mutual']}
        both = {p for p in granted if u.name in lists[p]['granted'] and users[p].keys != {None}}
        assert set(mutual) == both, (kill, u.name, mutual, both)
        # What a UE that follows the changes believes is what the list says: a pair's two sides changed together.
        told = {e['peer']: e['key'] for e in changes[u.name] if e['permitted']}
        assert told == mutual, (kill, u.name, told, mutual)
        for p, key in mutual.items():
            assert key in users[p].keys, (kill, u.name, p)
            users[p].keys = {key}


def loaded(s, users, strike):
    """All users at work, and one that replaces its key, until the stroke."""
    stop, ready = threading.Event(), threading.Barrier(len(users) + 1, timeout=120)
    threads = [threading.Thread(target=u.load, args=(s, ready, stop)) for u in users.values()]
    for t in threads:
        t.start()
    ready.wait()
    threads.append(threading.Thread(target=rng.choice(list(users.values())).register, args=(s,)))
    threads[-1].start()
    before, end = sum(counts.values()), time.monotonic() + 60
    while sum(counts.values()) < before + 6 and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(rng.uniform(0.1, 0.9))
    strike()
    stop.set()
    for t in threads:
        t.join()


def test_nothing_that_was_acknowledged_is_lost():
    with tempfile.TemporaryDirectory() as folder:
        s = Server(folder, USERS)
        users = {n: User(n) for n in USERS}
        s.start()
        for u in users.values():
            u.register(s)
            assert len(u.keys) == 1 and None not in u.keys
        try:
            for kill in range(KILLS):
                loaded(s, users, s.kill)
                s.start()
                check(s, users, kill)
        finally:
            s.kill()
    assert sum(counts.values()) > 5 * KILLS, counts
    print('%d kills, %d acknowledged grants, %d withdrawals, %d registrations: none lost' %
          (KILLS, counts['grant'], counts['withdraw'], counts['register']))


if __name__ == '__main__':
    main()
