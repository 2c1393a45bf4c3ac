"""kill -9 of one of two instances, or of the whole database, under load, PROSE_KILLS times: nothing that was acknowledged is lost, no grant is half done."""
import os, random, tempfile

from tests.apps.function.kill_test import USERS, User, check, counts, loaded
from tests.harness.cases import main
from tests.harness.function import Server
from tests.harness.postgres import Cluster, Instance, need_postgres
from tests.harness.process import wait

need_postgres()
KILLS = int(os.environ.get('PROSE_KILLS', 4))
rng = random.Random(12)


class Pair(Server):
    """Two instances; each connection goes to one of them, as a balancer would have it."""

    def __init__(self, folder, url):
        super().__init__(folder, USERS)
        self.instances = [Instance(self, n, url) for n in range(2)]

    def connect(self, user, context=None, timeout=30, source=None):
        return rng.choice(self.instances).connect(user, context, timeout, source)

    def at_server(self, user, command, *a, **more):
        return rng.choice(self.instances).at_server(user, command, *a, **more)

    def answers(self):
        """Whether both have their database."""
        try:
            for i in self.instances:
                c = i.connect(USERS[0])
                c.ask(op='list')
                c.close()
            return True
        except (OSError, EOFError):
            return False

    def ready(self):
        for i in self.instances:
            if i.process is None:
                i.start()
        wait(self.answers, 120, [i.process for i in self.instances], 'two instances that answer')

    def kill(self):
        for i in self.instances:
            i.kill()


def test_nothing_that_was_acknowledged_is_lost():
    cluster = Cluster()
    with tempfile.TemporaryDirectory() as folder:
        s = None
        try:
            s = Pair(folder, cluster.make().url())
            users = {n: User(n) for n in USERS}
            s.ready()
            for u in users.values():
                u.register(s)
                assert len(u.keys) == 1 and None not in u.keys
            struck = [0, 0, 0]
            for kill in range(KILLS):
                # In turn at first, so that a short run has both kinds.
                what = (2, 0, 2, 1)[kill] if kill < 4 else rng.randrange(3)
                struck[what] += 1
                loaded(s, users, cluster.kill if what == 2 else s.instances[what].kill)
                if what == 2:
                    cluster.start()
                s.ready()
                check(s, users, kill)
        finally:
            if s is not None:
                s.kill()
            cluster.remove()
    assert sum(counts.values()) > 5 * KILLS, counts
    print('%d kills (instances %d and %d, database %d), %d acknowledged grants, %d withdrawals, %d registrations: none lost' %
          (KILLS, *struck, counts['grant'], counts['withdraw'], counts['register']))


if __name__ == '__main__':
    main()
