"""prose-ue --data tun between two network namespaces: ping over IPv6 and IPv4, a file by curl over both and by scp (each where the tool is
installed; PROSE_SSHD names an sshd that is not in the path); with --iperf also iperf3, TCP and UDP.
Addresses, routes and names are those of the events. Exit code 77: skipped (no right to make namespaces).
usage: python3 -B -m tests.integration.tun_namespaces_test [--tm 2|4] [--prb 25|50] [--iperf] [--configured]"""
import argparse, getpass, hashlib, json, os, re, shutil, subprocess, sys, tempfile, time

from tests.harness.air import Air
from tests.harness.cases import skip_all
from tests.harness.files import configuration, text_of, write
from tests.harness.keys import Keys
from tests.harness.process import stop_all, wait
from tests.harness.ue import Ue

p = argparse.ArgumentParser()
p.add_argument('--tm', default='2')
p.add_argument('--prb', default='25')
p.add_argument('--iperf', action='store_true')
p.add_argument('--configured', action='store_true', help='addresses of version 0.1: of the configuration, the same on both hosts')
o = p.parse_args()
tag = '%d' % (os.getpid() % 100000)
NS = {'mary': 'pm' + tag, 'john': 'pj' + tag}
# What is configured; the rest is the link's own, or drawn at random.
CONFIGURED = {'mary': ('10.64.0.1', 'fd00:5365::1'), 'john': ('10.64.0.2', 'fd00:5365::2')} if o.configured else {}
ADDRESS = {}  # by host: the other's IPv4 and IPv6 address as its own events tell them


def sh(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


for tool in ('ip', 'ping'):
    if not shutil.which(tool):
        skip_all(tool + ' is not installed')
if not os.path.exists('/dev/net/tun'):
    skip_all('there is no /dev/net/tun')
d = tempfile.mkdtemp(prefix='prose-tun-')
running, UES = [], {}


def configure(air):
    Keys(d + '/keys')
    for n, other in (('mary', 'john'), ('john', 'mary')):
        data = 'data:\n  kind: tun\n  interface: prose0\n  hosts: %s.hosts\n' % n
        if CONFIGURED:
            data += '  ipv4: %s\n  ipv6: "%s"\n  peers: [{name: %s, ipv4: %s, ipv6: "%s"}]\n' % (*CONFIGURED[n], other, *CONFIGURED[other])
        write(d + '/%s.yaml' % n, configuration(n, (r'(?m)^device: .*', 'device: ' + air.device(n)), (r'(?m)^  prb: .*$', '  prb: ' + o.prb), (r'(?m)^  tm: .*$', '  tm: ' + o.tm),
                                                (r'(?ms)^data:.*?(?=^allow_keylog)', data + '\n')))


def events(n, kind):
    return UES[n].of(kind)


def learn_addresses():
    told = {n: events(n, 'peer_address') for n in NS}
    for n, other in (('mary', 'john'), ('john', 'mary')):
        assert [(e['peer'], e['interface']) for e in told[n]] == [(other, 'prose0')], told[n]
        e = told[n][0]
        ADDRESS[n] = e['peer_ipv4'], e['peer_ipv6']
        # A machine finds them by name.
        hosts = [l.split()[:2] for l in text_of(d + '/%s.hosts' % n).splitlines() if not l.startswith('#')]
        assert hosts == [[e['peer_ipv6'], other], [e['peer_ipv4'], other]] and os.stat(d + '/%s.hosts' % n).st_mode & 0o777 == 0o600, hosts
        for to, own in (('peer_ipv6', 'own_ipv6'), ('peer_ipv4', 'own_ipv4')):
            route = json.loads(inside(n, 'ip', '-j', '-6' if to == 'peer_ipv6' else '-4', 'route', 'get', e[to]).stdout)[0]
            assert (route['dev'], route['prefsrc']) == ('prose0', e[own]), route
    m, j = told['mary'][0], told['john'][0]
    on_link = lambda e, which: e.get(which + '_ipv6_on_link', e[which + '_ipv6'])
    assert (on_link(m, 'own'), on_link(m, 'peer')) == (on_link(j, 'peer'), on_link(j, 'own')) and on_link(m, 'own').startswith('fd50:726f:5365:'), told
    if CONFIGURED:
        assert (ADDRESS['mary'], ADDRESS['john']) == (CONFIGURED['john'], CONFIGURED['mary']), ADDRESS
    else:
        assert os.stat(d + '/keys/mary.key.ipv4').st_mode & 0o777 == 0o600
        assert len({m['own_ipv4'], m['peer_ipv4'], j['own_ipv4'], j['peer_ipv4']}) == 4, told  # each host's own names for both


def inside(n, *command, **more):
    return sh('ip', 'netns', 'exec', NS[n], *command, **more)


def iperf():
    server = subprocess.Popen(['ip', 'netns', 'exec', NS['john'], 'iperf3', '-s', '-1', '-J'], stdout=subprocess.DEVNULL)
    time.sleep(1)
    r = json.loads(inside('mary', 'iperf3', '-c', ADDRESS['mary'][0], '-t', '20', '-J', timeout=120).stdout)
    server.wait(30)
    tcp = r['end']['sum_received']['bits_per_second'] / 1e3
    udp = {}
    for rate in ('100k', '1M'):
        server = subprocess.Popen(['ip', 'netns', 'exec', NS['john'], 'iperf3', '-s', '-1', '-J'], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        inside('mary', 'iperf3', '-c', ADDRESS['mary'][0], '-u', '-b', rate, '-l', '1000', '-t', '15', '-J', timeout=120)
        out = json.loads(server.communicate(timeout=60)[0])
        received = [s['sum'] for s in out['intervals'] if 'sum' in s]
        seconds = sum(s['seconds'] for s in received)
        udp[rate] = (sum(s['bytes'] for s in received) * 8e-3 / seconds, sum(s['lost_packets'] for s in received), sum(s['packets'] for s in received))
    print('TM%s %s PRB: TCP %.0f kbit/s; UDP %s' % (o.tm, o.prb, tcp, ', '.join(
        'offered %s: %.0f kbit/s received, %d of %d lost' % (k, *v) for k, v in udp.items())))


def digest(path):
    return hashlib.sha256(open(path, 'rb').read()).hexdigest()


def beside(n, ready, *command):
    """A server in n's namespace that has said that it is ready; ended with the rest."""
    log = open(os.path.join(d, 'server.log'), 'w')
    running.append(subprocess.Popen(['ip', 'netns', 'exec', NS[n], *command], stdout=log, stderr=log))
    wait(lambda: ready in text_of(log.name), 60, running[-1:], ready)


def copy_by_curl(source):
    if not shutil.which('curl'):
        return print('skipped: curl is not installed')
    for version, (family, host) in {'4': ('0.0.0.0', ADDRESS['mary'][0]), '6': ('::', '[%s]' % ADDRESS['mary'][1])}.items():
        beside('john', 'Serving HTTP', sys.executable, '-u', '-m', 'http.server', '800' + version, '--bind', family, '--directory', os.path.dirname(source))
        begin, got = time.time(), os.path.join(d, 'curl' + version)
        r = inside('mary', 'curl', '-sS', '-m', '120', '-o', got, 'http://%s:800%s/%s' % (host, version, os.path.basename(source)), timeout=150)
        assert r.returncode == 0 and digest(got) == digest(source), r.stderr
        print('curl over IPv%s: %d octets intact in %.1f s' % (version, os.path.getsize(got), time.time() - begin))


def copy_by_scp(source):
    sshd = os.environ.get('PROSE_SSHD') or shutil.which('sshd', path=os.environ.get('PATH', '') + ':/usr/sbin')
    if not sshd or not shutil.which('scp'):
        return print('skipped: sshd or scp is not installed')
    for k in ('host', 'user'):
        sh('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', '%s/%s_key' % (d, k), check=True)
    write(d + '/sshd.conf', 'HostKey %s/host_key\nAuthorizedKeysFile %s/user_key.pub\nStrictModes no\nUsePAM no\nPidFile none\n'
                                      'PermitRootLogin yes\nSubsystem sftp internal-sftp\n' % (d, d))
    # An sshd that was never installed has no user of its own: this one sees a list of users that names it.
    users = text_of('/etc/passwd')
    write(d + '/passwd', users if '\nsshd:' in users else users + 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n')
    beside('john', 'Server listening', 'unshare', '-m', 'sh', '-c', 'mount --bind %s/passwd /etc/passwd && mount -t tmpfs none /run && mkdir /run/sshd && exec "$0" -D -e -f %s/sshd.conf -p 2222'
           % (d, d), sshd)
    begin, got = time.time(), d + '/by_scp'
    r = inside('mary', 'scp', '-q', '-P', '2222', '-i', d + '/user_key', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=yes',
               '%s@%s:%s' % (getpass.getuser(), ADDRESS['mary'][0], source), got, timeout=200)
    assert r.returncode == 0 and digest(got) == digest(source), r.stderr + text_of(d + '/server.log')[-1000:]
    print('scp: %d octets intact in %.1f s' % (os.path.getsize(got), time.time() - begin))


air, code = None, 1
try:
    for n in NS.values():
        r = sh('ip', 'netns', 'add', n)
        if r.returncode != 0:
            skip_all('no network namespaces: ' + r.stderr.strip())
    air = Air('stall_ms: 20000\ndefault: {gain_db: -20}\nnodes: {"*": {noise_dbfs: -60}}\n', start=None)
    configure(air)
    UES.update((n, Ue(d, n, prefix=('ip', 'netns', 'exec', NS[n]))) for n in NS)
    wait(lambda: all(u.of('link_established') for u in UES.values()), 240, list(UES.values()), 'a link')
    learn_addresses()
    for n, other in (('mary', 'john'), ('john', 'mary')):
        for version, address in zip(('4', '6'), ADDRESS[n]):
            r = inside(n, 'ping', '-' + version, '-c', '20', '-i', '0.3', '-s', '200', '-W', '10', address, timeout=200)
            m = re.search(r'(\d+) received', r.stdout)
            received = int(m.group(1)) if m else 0
            print('%s pings %s over IPv%s: %d of 20; %s' % (n, other, version, received, r.stdout.strip().splitlines()[-1] if m else r.stderr))
            # There is no ARQ, and two UEs that send in one SC period may miss each other.
            assert received >= 16, r.stdout
    for nobody in ('10.127.255.9', 'fd50:726f:5365::9'):
        assert inside('mary', 'ping', '-c', '2', '-W', '2', nobody, timeout=60).returncode != 0, 'an address of nobody answers'
    # Not by one's own address towards somebody else, nor by another of the host's: nothing comes out.
    inside('mary', 'ip', '-6', 'address', 'add', 'fd00:bad::1/128', 'dev', 'prose0', 'nodad')
    assert inside('mary', 'ping', '-6', '-I', 'fd00:bad::1', '-c', '2', '-W', '2', ADDRESS['mary'][1], timeout=60).returncode != 0
    wait(lambda: any((e['direction'], e['reason']) == ('out', 'foreign source') for e in events('mary', 'packets_dropped')), 30, what='a packet dropped for its source')
    os.mkdir(d + '/files')
    write(d + '/files/random.bin', os.urandom(60_000))
    copy_by_curl(d + '/files/random.bin')
    copy_by_scp(d + '/files/random.bin')
    if o.iperf:
        iperf()
    # An interface that somebody takes away ends its UE, which says so.
    sh('ip', 'netns', 'exec', NS['john'], 'ip', 'link', 'delete', 'prose0', check=True)
    assert 'prose0: it is gone' in UES['john'].end(1), UES['john'].said()
    assert [e['ok'] for e in events('john', 'data_port')] == [False] and 'it is gone' in events('john', 'stopped')[0]['error']
    code = 0
finally:
    stop_all(running + [u.p for u in UES.values()] + ([air.p] if air else []))
    for n in NS.values():
        sh('ip', 'netns', 'del', n)
    shutil.rmtree(d, ignore_errors=True)
sys.exit(code)
