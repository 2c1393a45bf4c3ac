"""prose-function with many users, changes and connections, on SQLite and as one and two instances on PostgreSQL: how long a request takes, how long until the other
side hears of it, how many requests a second, what memory. One line for each number of connections; docs/scale.md has such lines.
PROSE_SCALE_USERS (each has 10 permitted peers, and so 10 changes), PROSE_SCALE_CONNECTIONS (a list), PROSE_SCALE_REQUESTS."""
import os, resource, selectors, sqlite3, statistics, threading, time

from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.function import Server
from tests.harness.postgres import Cluster, Instance, need_postgres
from tests.harness.process import run

need_postgres()
USERS = int(os.environ.get('PROSE_SCALE_USERS', 1000))
CONNECTIONS = [int(n) for n in os.environ.get('PROSE_SCALE_CONNECTIONS', '16 64').split()]
REQUESTS = int(os.environ.get('PROSE_SCALE_REQUESTS', 200))
BLOCK, EACH, WORKERS = 11, 8, 4  # users who permit each other; connections of a user; at once for the rate
LIMITS = 'limits: {connections: 20000, half_open: 20000, connections_per_address: 20000, connections_per_user: 64, requests_per_second: 100000, idle_s: 86400, handshake_s: 600}'
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def fill(path):
    name, key = 'u%d'.__mod__, lambda i: i.to_bytes(4, 'big') + bytes([7]) * 28
    peers = [(i, j) for i in range(USERS) for j in range(i // BLOCK * BLOCK, min(USERS, (i // BLOCK + 1) * BLOCK)) if i != j]
    with sqlite3.connect(path) as db:
        db.executemany('INSERT INTO user VALUES(?, ?, ?)', ((name(i), name(i), key(i)) for i in range(USERS)))
        db.executemany('INSERT INTO permission VALUES(?, ?)', ((name(i), name(j)) for i, j in peers))
        db.executemany('INSERT INTO change VALUES(?, ?, ?, 1, ?)', ((name(i), j % BLOCK + 1, name(j), key(j)) for i, j in peers))
    db.close()
    return len(peers)


def memory_mb(pid):
    """What is its own, and its part of what it shares."""
    return sum(int(line.split()[1]) for line in text_of('/proc/%d/smaps_rollup' % pid).split('\n') if line.startswith('Pss:')) / 1024


def times(seconds):
    ms = sorted(1e3 * s for s in seconds)
    return '%.2f / %.2f' % (statistics.median(ms), ms[int(0.99 * len(ms))])


class Polls:
    """Connections that wait for changes, with a thread that notes when one hears of something."""

    def __init__(self):
        self.selector, self.count, self.heard, self.stop = selectors.DefaultSelector(), 0, {}, threading.Event()
        self.thread = threading.Thread(target=self.listen)

    def add(self, c, name):
        since = 0
        while True:
            changes = c.ask(op='changes', since=since, wait_s=0)['changes']
            if not changes:
                break
            since = changes[-1]['version']
        state = {'c': c, 'name': name, 'since': since}
        c.request(op='changes', since=since, wait_s=60)
        self.selector.register(c.tls, selectors.EVENT_READ, state)
        self.count += 1

    def listen(self):
        while not self.stop.is_set():
            for key, _ in self.selector.select(0.2):
                s = key.data
                answer = s['c'].read()
                assert 'changes' in answer, answer
                changes = answer['changes']
                if changes:
                    s['since'] = changes[-1]['version']
                    self.heard.setdefault(s['name'], time.perf_counter())
                s['c'].request(op='changes', since=s['since'], wait_s=60)


def measure(instances, names, contexts, polls, actors):
    took, heard = [], []

    def act(c, op, peer):
        start = time.perf_counter()
        answer = c.ask(op=op, peer=peer)
        assert answer['answer'] == 'done', answer
        took.append(time.perf_counter() - start)
        return start
    for n in range(REQUESTS // 4):
        a, b = names[n % (len(names) // 2)], names[len(names) // 2 + n % (len(names) // 2)]
        act(actors[a], 'grant', b)
        polls.heard.pop(a, None)
        start = act(actors[b], 'grant', a)
        end = time.monotonic() + 30
        while a not in polls.heard and time.monotonic() < end:
            time.sleep(0.0002)
        heard.append(polls.heard[a] - start)
        act(actors[a], 'withdraw', b), act(actors[b], 'withdraw', a)

    def work(n, done):
        c = instances[n % len(instances)].connect(names[n], contexts[names[n]])
        for i in range(REQUESTS // 2):
            assert c.ask(op='grant' if i % 2 == 0 else 'withdraw', peer='nobody')['answer'] == 'done'
        done.append(c)
    done, start = [], time.perf_counter()
    threads = [threading.Thread(target=work, args=(n, done)) for n in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    rate = len(done) * (REQUESTS // 2) / (time.perf_counter() - start)
    for c in done:
        c.close()
    assert len(done) == WORKERS
    return took, heard, rate


def series(kind, instances, names, contexts, database):
    polls, actors, shown = Polls(), {}, []
    empty = [memory_mb(i.process.pid) for i in instances]
    for n, name in enumerate(names):
        actors[name] = instances[n % len(instances)].connect(name, contexts[name], 600)
    polls.thread.start()
    try:
        for target in CONNECTIONS:
            start, before = time.perf_counter(), polls.count
            while polls.count < target:
                name = names[polls.count % len(names)]
                # A user's polls are at another instance than its actor.
                polls.add(instances[(polls.count % len(names) + 1) % len(instances)].connect(name, contexts[name], 600), name)
            connected = (polls.count - before) / (time.perf_counter() - start)
            took, heard, rate = measure(instances, names, contexts, polls, actors)
            memory = ' + '.join('%.0f' % memory_mb(i.process.pid) for i in instances)
            shown.append('| %s | %d | %s | %s | %.0f | %.0f | %s | %s |' % (kind, target, times(took), times(heard), rate, connected, memory, '%.0f' % database() if database else '-'))
            print(shown[-1], flush=True)
    finally:
        polls.stop.set()
        polls.thread.join()
    assert len(shown) == len(CONNECTIONS) and all(m > 0 for m in empty)


def test_latency_and_memory(folder):
    s = Server(folder, ())
    names = ['u%d' % (BLOCK * i) for i in range(max(4, min(max(CONNECTIONS) // EACH, USERS // BLOCK)) // 2 * 2)]
    for n in names:
        s.authority.issue(n)
    contexts = {n: s.context(n) for n in names}
    config = write(os.path.join(folder, 'c.yaml'), LIMITS + '\n', 0o600)
    s.start()
    s.kill()
    changes = fill(s.path('f.db'))
    print('%d users, %d permissions, %d changes, %d certificates; %s' % (USERS, changes, changes, len(names), ' '.join(os.uname()[:3:2])))
    print('| store | long polls | request, ms: median / 99 % | heard, ms: median / 99 % | requests a second | connections a second | memory of each instance, MB | of the database, MB |')
    print('| --- | --- | --- | --- | --- | --- | --- | --- |', flush=True)
    s.start('--config', config)
    try:
        series('SQLite', [s], names, contexts, None)
    finally:
        s.kill()
    cluster = Cluster()
    try:
        url = cluster.make().url()
        start = time.perf_counter()
        run('prose-function', 'migrate', s.path('f.db'), '--store', url, timeout=3000)
        moved = time.perf_counter() - start
        for number in (1, 2):
            instances = [Instance(s, 10 * number + n, url).start('--config', config) for n in range(number)]
            try:
                series('PostgreSQL, %d instance%s' % (number, 's' * (number > 1)), instances, names, contexts, lambda: sum(memory_mb(p) for p in cluster.processes()))
            finally:
                for i in instances:
                    i.kill()
        print('migrate: %.1f s' % moved)
    finally:
        cluster.remove()


if __name__ == '__main__':
    main()
