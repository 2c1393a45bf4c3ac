"""Two hosts and a cable, by the steps of docs/usrp.md: each host is a network namespace with a folder and a clock of its own, the cable is the emulated
air. The configurations are those for B210s. Exit code 77: skipped (no right to make namespaces)."""
import os, re, shutil, subprocess, tempfile

from tests.harness.air import Air
from tests.harness.cases import main, skip_all
from tests.harness.files import edited, json_lines, text_of, write
from tests.harness.keys import prose_keys
from tests.harness.paths import SOURCE, tool
from tests.harness.process import Background, stop_all, wait

OTHER = {'mary': 'john', 'john': 'mary'}
# The profile of a B210 has 20 dB of transmit gain and 40 dB of receive gain. What arrives is 28 dB over the noise.
CABLE = 'stall_ms: 20000\ndefault: {gain_db: -80, cfo_hz: 0, delay_us: 0.4}\nnodes: {"*": {noise_dbfs: -100}}\npairs: [{between: [mary, john], cfo_hz: 900}]\n'
WITHIN_NTP_S = 0.8     # docs/usrp.md: hosts synchronised to a second
WRONG_S = -40          # more than the 16 s of docs/usrp.md; behind, so that no mark lies ahead afterwards
ANNOUNCEMENTS = 200    # of each UE, 6 in 320 ms: 11 s; discovery takes a second or two
PINGS, LEAST_PINGS = 10, 8  # there is no ARQ


def sh(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


class Host:
    def __init__(self, d, name, air):
        self.name, self.folder, self.air = name, os.path.join(d, name), air
        self.namespace = 'p%s%d' % (name[0], os.getpid() % 100000)
        self.runs = 0
        os.makedirs(self.folder + '/keys')
        profile = text_of(os.path.join(SOURCE, 'configs', 'radio_b210.yaml'))
        write(self.folder + '/radio_b210.yaml', edited(profile, (r'(?m)^subdev: .*', 'subdev: "A:0"')))  # the emulated device's only one
        text = text_of(os.path.join(SOURCE, 'configs', name + '_b210.yaml'))
        permissions = re.search(r'(?m)^  permissions: (\S+)', text)[1]
        self.config = write('%s/%s_b210.yaml' % (self.folder, name), edited(text, (r'(?m)^  kind: none', '  kind: tun')))
        prose_keys('gen', self.folder + '/keys/%s.key' % name)
        self.permissions = os.path.join(self.folder, permissions)

    def public_line(self):
        return prose_keys('pub', self.folder + '/keys/%s.key' % self.name).stdout.strip()

    def permit(self, peer, public):
        prose_keys('permit', '--permits', self.permissions, peer, public)

    def start(self, clock_s):
        self.runs += 1
        run = '%s/%d' % (self.folder, self.runs)
        self.sent = run + '.sent'
        environment = ['LD_PRELOAD=' + tool('libclock_shift.so'), 'PROSE_CLOCK_SHIFT_S=%g' % clock_s]
        self.ue = Background('prose-ue', '--config', self.config, '--device', self.air.device(self.name), '--tx-log', self.sent, log=run + '.log', events=run + '.jsonl',
                             prefix=('ip', 'netns', 'exec', self.namespace, 'env', *environment))

    def announcements(self):
        return sum(f['channel'] == 'PSDCH' for f in json_lines(self.sent))

    def inside(self, *command, **more):
        return sh('ip', 'netns', 'exec', self.namespace, *command, **more)


def until(hosts, condition, what):
    wait(lambda: all(condition(h) for h in hosts) or any(h.ue.poll() is not None for h in hosts), 240, what=what)
    for h in hosts:
        assert h.ue.poll() is None, (h.name, h.ue.said())


def both_start(hosts, clocks_s):
    for h, clock_s in zip(hosts, clocks_s):
        h.start(clock_s)
    until(hosts, lambda h: h.ue.of('sync'), 'sync')


def test_by_the_document(d):
    with Air(CABLE, start=None) as air:
        hosts = [Host(d, n, air) for n in OTHER]
        mary, john = hosts
        try:
            for h in hosts:
                r = sh('ip', 'netns', 'add', h.namespace)
                if r.returncode != 0:
                    skip_all('no network namespaces: ' + r.stderr.strip())
            # Only public keys travel between the hosts.
            mary.permit('john', john.public_line())
            john.permit('mary', mary.public_line())
            # NTP does not run on one of them: they hear each other, and that is all.
            both_start(hosts, (0, WRONG_S))
            until(hosts, lambda h: h.announcements() >= ANNOUNCEMENTS, 'announcements')
            assert not any(h.ue.of(kind) for h in hosts for kind in ('peer_discovered', 'link_established')), 'clocks that far apart cannot agree on a slot'
            stop_all([h.ue.p for h in hosts])
            # With NTP. The new runs begin after the marks of the old ones.
            both_start(hosts, (0, WITHIN_NTP_S))
            until(hosts, lambda h: h.ue.of('link_established') and h.ue.of('peer_address'), 'a link')
            # Both ends show the same fingerprint of the link's key.
            assert len({h.ue.of('link_established')[0]['key_fingerprint'] for h in hosts}) == 1
            for h, o in ((mary, john), (john, mary)):
                address = h.ue.of('peer_address')[0]
                assert address['peer'] == o.name
                r = h.inside('ping', '-c', str(PINGS), '-i', '0.3', '-W', '10', address['peer_ipv6'], timeout=120)
                assert int(re.search(r'(\d+) received', r.stdout)[1]) >= LEAST_PINGS, r.stdout + r.stderr
        finally:
            stop_all([h.ue.p for h in hosts if h.runs])
            for h in hosts:
                sh('ip', 'netns', 'del', h.namespace)


if __name__ == '__main__':
    if not os.path.exists('/dev/net/tun'):
        skip_all('there is no /dev/net/tun')
    for program in ('ip', 'ping', 'env'):
        if not shutil.which(program):
            skip_all(program + ' is not installed')
    main()
