"""prose-function on PostgreSQL as its operator and its users meet it: errors, several instances, a balancer before them, a database that goes and comes, the move
from SQLite."""
import json, os, shutil, signal, socket, struct, subprocess, time

from tests.harness.cases import main, skip
from tests.harness.files import write
from tests.harness.function import Connection, Server, closed_by_server
from tests.harness.keys import prose_keys
from tests.harness.postgres import PASSWORD, Cluster, Instance, need_postgres
from tests.harness.process import run, wait

need_postgres()
cluster = Cluster()
USERS = ('mary', 'john')


def instances(folder, name, first='{}', second='{}'):
    """Two with these configurations on a database of their own; both users are registered."""
    s, url = Server(folder, USERS), cluster.database(name)
    both = []
    for n, text in enumerate((first, second)):
        both.append(Instance(s, n, url).start('--config', write(os.path.join(folder, 'c%d.yaml' % n), text, 0o600)))
    for u in USERS:
        both[1].at_server(u, 'register', code=0)
    return both


def permit(of, user, peer):
    c = of.connect(user)
    assert c.ask(op='grant', peer=peer)['answer'] == 'done'
    c.close()


def heard(c, since=0):
    """The first changes that a long poll brings; an empty answer is asked again."""
    while True:
        got = c.ask(op='changes', since=since, wait_s=30)
        if got.get('changes'):
            return got['changes']
        time.sleep(0.1)


def header(source, command=0x21):
    body = socket.inet_aton(source) + socket.inet_aton('127.0.0.1') + struct.pack('>HH', 1234, 7999)
    return b'\r\n\r\n\0\r\nQUIT\n' + bytes([command, 0x11]) + struct.pack('>H', len(body)) + body


def behind_header(of, user, octets, source):
    """A TLS session whose connection begins with these octets."""
    s = socket.create_connection(('127.0.0.1', of.port), 30, (source, 0))
    s.sendall(octets)
    return of.context(user).wrap_socket(s)


def test_errors_are_told_in_plain_words_and_without_a_password(folder):
    s = Server(folder, ())

    def refused(url, *said, env=None):
        r = run('prose-function', *s.command(store=url)[1:], code=2, env=dict(os.environ, **(env or {})))
        assert len(r.stderr.splitlines()) == 1 and all(w in r.stderr for w in said) and PASSWORD not in r.stderr and 'wrong-secret' not in r.stderr, r.stderr
    refused('postgresql://prose:wrong-secret@host/db', 'a password in the URL is refused', 'passfile=')
    refused('postgresql://prose:wrong-secret@[::1/db', 'not a URL of PostgreSQL; accepted: ')
    refused('postgresql://prose@host:port/db', 'invalid integer value')
    refused('postgresql:///prose?host=' + folder, 'store postgresql://', 'No such file')
    refused(cluster.url(database='nowhere'), 'database "nowhere" does not exist')
    refused(cluster.url('locked'), 'no password', 'passfile=')
    passes = write(os.path.join(folder, 'passes'), '*:*:*:locked:wrong-secret\n', 0o600)
    refused(cluster.url('locked', more='&passfile=' + passes), 'password authentication failed')
    refused(cluster.url('locked'), 'password authentication failed', env={'PGPASSFILE': passes})
    # The right password, but a role that may make no tables.
    write(passes, '*:*:*:locked:%s\n' % PASSWORD, 0o600)
    refused(cluster.url('locked', 'postgres', '&passfile=' + passes), 'permission denied', 'accepted: a role that owns the database')
    newer = cluster.database('newer')
    cluster.sql('CREATE TABLE prose_version AS SELECT 99 AS version', 'newer', 'prose')
    refused(newer, 'version 99, made by a newer program; accepted: up to ')
    # Asked for the configuration alone, it says no more.
    r = run('prose-function', '--store', 'postgresql://prose:wrong-secret@host/db', '--print-config', code=2)
    assert 'wrong-secret' not in r.stdout + r.stderr
    config = write(os.path.join(folder, 'c.yaml'), 'store: postgresql://prose@host/db\n', 0o600)
    assert ': "postgresql://prose@host/db"' in run('prose-function', '--config', config, '--print-config').stdout


def test_a_server_that_may_lose_what_it_acknowledged_is_refused(folder):
    own = Cluster()
    try:
        with open(own.data + '/postgresql.auto.conf', 'a') as f:
            f.write('fsync = off\n')
        r = run('prose-function', *Server(folder, ()).command(store=own.make().url())[1:], code=2)
        assert len(r.stderr.splitlines()) == 1 and 'fsync is off' in r.stderr, r.stderr
    finally:
        own.remove()


def test_two_instances_are_one_server(folder):
    a, b = instances(folder, 'two')
    try:
        mary = a.connect('mary')
        mary.request(op='changes', since=0, wait_s=60)
        permit(a, 'mary', 'john')
        permit(b, 'john', 'mary')
        changes = mary.read()['changes']
        assert [(c['peer'], c['permitted']) for c in changes] == [('john', True)], changes
        # A key that is replaced at one ends the user's connections at the other.
        os.remove(b.path('mary.key'))
        prose_keys('gen', b.path('mary.key'))
        mary.request(op='changes', since=changes[-1]['version'], wait_s=60)
        b.at_server('mary', 'register', '--replace', code=0)
        with closed_by_server():
            mary.read()
    finally:
        a.kill(), b.kill()


def test_limits_of_a_user_hold_over_all_instances(folder):
    limits = 'limits: {requests_per_second: 1, connections_per_user: 2}'
    a, b = instances(folder, 'limits', limits, limits)
    try:
        first, second = a.connect('mary'), b.connect('mary')
        time.sleep(2.5)  # what registering took of the budget is there again
        start, done = time.monotonic(), 0
        for i in range(12):
            done += (first, second)[i % 2].ask(op='list')['answer'] != 'error'
        most = 2 + (time.monotonic() - start) + 0.1
        assert 1 <= done <= most, (done, most)
        third = b.connect('mary')
        with closed_by_server():
            first.read()
        second.request(op='list'), second.read(), third.request(op='list'), third.read()
    finally:
        a.kill(), b.kill()


def test_a_database_that_goes_and_comes_back(folder):
    a, b = instances(folder, 'away')
    try:
        mary, john = a.connect('mary'), b.connect('john')
        assert mary.ask(op='grant', peer='john')['answer'] == 'done'
        poll = a.connect('mary')
        poll.request(op='changes', since=0, wait_s=60)
        cluster.kill()
        for i in (a, b):
            wait(lambda: 'the database cannot be reached' in [e.get('what') for e in i.audit()], 60)
        answer = john.ask(op='list')
        assert 'database cannot be reached; nothing was changed' in answer['reason'], answer
        with closed_by_server():  # nobody can say who this is
            b.connect('mary')
        cluster.start()
        wait(lambda: john.ask(op='grant', peer='mary')['answer'] == 'done' or time.sleep(0.1), 60)
        got = poll.read()['changes'] or heard(poll)
        assert [(c['peer'], c['permitted']) for c in got] == [('john', True)], got
        assert 'the database is there again' in [e.get('what') for e in b.audit()]
    finally:
        a.kill(), b.kill()
        cluster.start()


def test_a_header_is_believed_from_the_balancer_alone(folder):
    a, b = instances(folder, 'header', 'proxies: [127.0.0.1, "::1"]\n')
    b.kill()
    try:
        def address_of(tls):
            c = Connection.__new__(Connection)
            c.tls = tls
            c.read()
            c.ask(op='grant', peer='nobody')
            return a.audit()[-1]['address']
        assert address_of(behind_header(a, 'mary', header('192.0.2.77'), '127.0.0.1')) == '192.0.2.77'
        assert address_of(behind_header(a, 'mary', header('192.0.2.77', 0x20), '127.0.0.1')) == '127.0.0.1'  # its own: a health check
        assert address_of(behind_header(a, 'mary', b'', '127.0.0.2')) == '127.0.0.2'
        first_version = b'PROXY TCP4 192.0.2.77 127.0.0.1 1 2\r\n'
        for octets, source in ((b'', '127.0.0.1'), (first_version, '127.0.0.1'), (header('192.0.2.77', 0x22), '127.0.0.1'), (header('192.0.2.77'), '127.0.0.2')):
            with closed_by_server():
                behind_header(a, 'mary', octets, source)
    finally:
        a.kill()


def test_behind_haproxy_users_are_served_while_an_instance_is_left(folder):
    balancer_program = shutil.which('haproxy', path='/usr/sbin:/usr/bin:' + os.environ['PATH'])
    if not balancer_program:
        skip('haproxy is not installed')
    s, url = Server(folder, USERS), cluster.database('balanced')
    config = write(os.path.join(folder, 'c.yaml'), 'proxies: [127.0.0.1]\n', 0o600)
    a, b = (Instance(s, n, url).start('--config', config) for n in range(2))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    text = 'defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n option redispatch\n retries 3\n'
    text += 'listen prose\n bind 127.0.0.1:%d\n' % port
    text += ''.join(' server s%d 127.0.0.1:%d send-proxy-v2 check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions\n' % (i.number, i.port) for i in (a, b))
    command = [balancer_program, '-db', '-f', write(os.path.join(folder, 'haproxy.cfg'), text)]
    balancer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def listens():
            try:
                return socket.create_connection(('127.0.0.1', port), 1).close() or True
            except OSError:
                return False
        wait(listens, 60, [balancer])
        s.port = port
        for u in USERS:
            s.at_server(u, 'register', code=0)
        for n in range(6):
            permit_from(s, 'mary', 'peer%d' % n, '127.0.0.9')
        for i in (a, b):  # both served, and both know where the user was
            assert '127.0.0.9' in {e['address'] for e in i.audit() if e.get('account') == 'mary'}, i.audit()
        a.kill()
        for n in range(4):
            def again():
                try:
                    permit_from(s, 'john', 'peer%d' % n, '127.0.0.9')
                    return True
                except (OSError, EOFError):  # until the balancer notices
                    return False
            wait(again, 60, [balancer])
        assert len(s.connect('john').ask(op='list')['granted']) == 4
    finally:
        balancer.kill(), balancer.wait(), a.kill(), b.kill()


def permit_from(of, user, peer, source):
    c = of.connect(user, source=source)
    assert c.ask(op='grant', peer=peer)['answer'] == 'done'
    c.close()


def test_a_ue_tries_the_addresses_of_a_server_in_turn(folder):
    a, b = instances(folder, 'addresses')
    try:
        dead = a.port
        a.kill()
        options = b.authority.user_options('mary')

        def config(addresses, name='function.example'):
            text = 'server: {name: %s, address: 127.0.0.1, port: %d, addresses: %s}\n' % (name, dead, json.dumps(addresses))
            return write(os.path.join(folder, 'keys.yaml'), text, 0o600)
        key = ['--key', b.path('mary.key')]
        prose_keys('--config', config(['127.0.0.1:%d' % b.port]), 'register', *options, *key)
        r = prose_keys('--config', config(['127.0.0.9']), 'register', *options, *key, code=1)
        assert r.stderr.count('refused') == 2 and '127.0.0.9' in r.stderr, r.stderr
        # Another server's certificate does at no address.
        r = prose_keys('--config', config(['127.0.0.1:%d' % b.port], 'other.example'), 'register', *options, *key, code=1)
        assert 'does not match with the expected CN' in r.stderr or 'certificate' in r.stderr.lower(), r.stderr
        r = prose_keys('--config', config(['elsewhere']), 'register', *options, *key, code=2)
        assert "accepted: ADDRESS or ADDRESS:PORT" in r.stderr, r.stderr
    finally:
        b.kill()


def test_a_store_moves_from_sqlite_with_its_versions(folder):
    s = Server(folder, USERS)
    s.start()
    for u in USERS:
        s.at_server(u, 'register', code=0)
    permit(s, 'mary', 'john'), permit(s, 'john', 'mary'), permit(s, 'mary', 'peter')
    os.remove(s.path('john.key'))
    prose_keys('gen', s.path('john.key'))
    s.at_server('john', 'register', '--replace', code=0)

    def state(of):
        c = of.connect('mary')
        listed, changes = c.ask(op='list'), c.ask(op='changes', since=0, wait_s=0)['changes']
        c.close()
        return listed['granted'], listed['mutual'], changes
    before, url = state(s), cluster.database('moved')
    r = run('prose-function', 'migrate', s.path('f.db'), '--store', url, code=2)
    assert 'in use; accepted: a store whose server was stopped' in r.stderr, r.stderr
    s.process.send_signal(signal.SIGTERM)
    assert s.process.wait(60) == 0
    s.process = None
    r = run('prose-function', 'migrate', s.path('f.db'), '--store', url)
    assert 'copied: 2 users, 3 permissions, 2 changes, 1 replaced keys' in r.stdout + r.stderr, (r.stdout, r.stderr)
    assert 'has users already' in run('prose-function', 'migrate', s.path('f.db'), '--store', url, code=2).stderr
    assert 'SQLite that is there' in run('prose-function', 'migrate', s.path('none.db'), '--store', url, code=2).stderr
    moved = Instance(s, 1, url).start()
    try:
        assert state(moved) == before
        permit(moved, 'john', 'peter')
        c = moved.connect('mary')
        assert c.ask(op='withdraw', peer='john')['answer'] == 'done'
        assert [e['version'] for e in c.ask(op='changes', since=0, wait_s=0)['changes']] == [before[2][-1]['version'] + 1]
    finally:
        moved.kill()


if __name__ == '__main__':
    try:
        cluster.make()
        main()
    finally:
        cluster.remove()
