"""1000 UEs connected to prose-function, each in a long poll, and 10 000 changes of mutual pairs: how long a request takes,
how long until the other side hears of it, and what memory. PROSE_UES and PROSE_CHANGES: other numbers."""
import concurrent.futures, os, resource, selectors, sqlite3, statistics, threading, time

from tests.harness.cases import main
from tests.harness.function import Server

UES, CHANGES = int(os.environ.get('PROSE_UES', 1000)), int(os.environ.get('PROSE_CHANGES', 10000))
ACTORS = min(100, UES) // 2 * 2
resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)


def tell(name, seconds):
    ms = sorted(1e3 * s for s in seconds)
    print('%s: median %.1f ms, 99 %% %.1f ms, longest %.1f ms (%d)' % (name, statistics.median(ms), ms[int(0.99 * len(ms))], ms[-1], len(ms)))


def memory_mb(pid):
    return next(int(l.split()[1]) for l in open('/proc/%d/status' % pid) if l.startswith('VmRSS')) / 1024


def send(c, n, versions):
    c.request(op='changes', since=versions[n], wait_s=60)


def test_requests_and_changes_arrive_in_time(folder):
    s = Server(folder, ())
    names = ['u%d' % i for i in range(UES)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: s.authority.issue(n), names))
    s.start()
    s.kill()
    # Registered beforehand: what is measured is not the proof of possession.
    with sqlite3.connect(s.path('f.db')) as db:
        db.executemany('INSERT INTO user(account, name, key) VALUES(?, ?, ?)',
                       [(n, n, i.to_bytes(4, 'big') + bytes([7]) * 28) for i, n in enumerate(names)])
    db.close()
    s.start()
    try:
        empty = memory_mb(s.process.pid)
        start = time.perf_counter()
        polling = {n: s.connect(n) for n in names}
        print('%d UEs connected in %.1f s' % (UES, time.perf_counter() - start))
        acting = [s.connect(n, source='127.0.0.2') for n in names[:ACTORS]]  # an address has 1024 connections
        selector, versions, acted, heard = selectors.DefaultSelector(), {}, {}, []
        for n, c in polling.items():
            versions[n] = 0
            send(c, n, versions)
            selector.register(c.tls, selectors.EVENT_READ, n)
        full = memory_mb(s.process.pid)
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                for key, _ in selector.select(0.2):
                    n, c = key.data, polling[key.data]
                    while True:
                        changes = c.read()['changes']
                        if changes:
                            versions[n] = changes[-1]['version']
                            if n in acted:
                                heard.append(time.perf_counter() - acted.pop(n))
                        send(c, n, versions)
                        if not c.tls.pending():
                            break
        listener = threading.Thread(target=listen)
        listener.start()
        took, done = [], 0

        def act(i, op):
            # One side's grant or last withdrawal says nothing to the other; what makes or ends a pair does.
            other, heard_of = names[i ^ 1], op in ('second', 'withdraw')
            if heard_of:
                acted[other] = time.perf_counter()
            while True:
                start = time.perf_counter()
                answer = acting[i].ask(op='grant' if op in ('first', 'second') else 'withdraw', peer=other)
                if answer['answer'] == 'done':
                    took.append(time.perf_counter() - start)
                    return
                time.sleep(0.05)  # the limit of requests per second
                if heard_of:
                    acted[other] = time.perf_counter()
        start = time.perf_counter()
        while done < CHANGES:
            # Two requests and two polls a round and user: below the limit of 20 a second that they share.
            next_round = time.perf_counter() + 0.3
            for a in range(0, ACTORS, 2):
                act(a, 'first'), act(a + 1, 'second')
            for a in range(0, ACTORS, 2):
                act(a, 'withdraw'), act(a + 1, 'last')
                done += 4
            time.sleep(max(0, next_round - time.perf_counter()))
        print('%d changes in %.1f s' % (done, time.perf_counter() - start))
        time.sleep(1)
        stop.set()
        listener.join()
        tell('request', took)
        tell('from a request to the other side hearing of it', heard)
        print('memory: %.1f MB empty, %.1f MB with all connected, %.1f MB at the end' % (empty, full, memory_mb(s.process.pid)))
        assert len(took) >= CHANGES
        assert len(heard) > CHANGES // 4, len(heard)
        assert statistics.median(took) < 0.5 and statistics.median(heard) < 2
        for n in names[:ACTORS]:
            assert versions[n] > 0, n
    finally:
        s.kill()


if __name__ == '__main__':
    main()
