"""Configurations and programs of a town."""
import json, os, re, socket, subprocess, time

from demo_lib import sniffer_config, world

from .town import Mistake, links


class Programs:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        absent = [p for p in ('prose-ue', 'prose-air', 'prose-sniffer', 'prose-keys', 'prose-page') if not os.access(self.program(p), os.X_OK)]
        if absent:
            raise Mistake('%s: not built: %s; accepted: --build with the folder of a build' % (self.build, ', '.join(absent)))

    def program(self, name):
        return os.path.join(self.build, 'bin', name)

    def env(self, s):
        # The air keeps the end of its last run below the state folder, so that nothing of it stays.
        return dict(os.environ, UHD_MODULE_PATH=world.modules(self.build), XDG_STATE_HOME=s.path('air'))

    def keys(self, *arguments):
        r = subprocess.run([self.program('prose-keys'), *arguments], capture_output=True, text=True)
        if r.returncode != 0:
            raise RuntimeError(r.stderr.strip())
        return r.stdout.strip()


def make_keys(p, s, names):
    os.makedirs(s.path('keys'), mode=0o700, exist_ok=True)
    for n in names:
        p.keys('gen', s.path('keys', n + '.key'))


def permit(p, s, permits):
    for a, b in sorted(permits):
        p.keys('permit', '--permits', s.path('keys', a + '.permit'), b, p.keys('pub', s.path('keys', b + '.key')))


def free_ports(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for x in sockets:
        x.bind(('127.0.0.1', 0))
    ports = [x.getsockname()[1] for x in sockets]
    for x in sockets:
        x.close()
    return ports


def data_block(s, name):
    """What the UE carries: an interface in its namespace, or a pair of UDP ports for each whom it permits."""
    if s.data['mode'] == 'tun':
        return 'data:\n  kind: tun\n  interface: prose0\n  hosts: %s.hosts\n\n' % name
    mine = sorted(b for a, b in s.data['permits'] if a == name)
    if not mine:
        return 'data:\n  kind: none\n\n'
    lines = ['data:', '  kind: udp', '  peers:']
    for peer in mine:
        ports = s.data['ports'].setdefault('%s %s' % (name, peer), free_ports(2))
        lines.append('    - {name: %s, udp_listen: "127.0.0.1:%d", udp_forward: "127.0.0.1:%d"}' % (peer, *ports))
    return '\n'.join(lines) + '\n\n'


def configure(s, name):
    with open(os.path.join(world.ROOT, 'configs', 'mary.yaml')) as f:
        text = f.read()
    has_permits = os.path.exists(s.path('keys', name + '.permit'))
    for pattern, with_ in ((r'(?m)^name: .*$', 'name: ' + name), (r'(?m)^  private_key: .*$', '  private_key: keys/%s.key' % name),
                           (r'(?m)^  permissions: .*$', '  permissions: keys/%s.permit' % name if has_permits else '  # permits nobody'),
                           (r'(?m)^  mark: .*$', '  mark: keys/%s.mark' % name), (r'(?m)^device: .*$', 'device: type=virtual,name=%s,air=%s' % (name, s.data['air'])),
                           (r'(?ms)^data:.*?(?=^# control)', data_block(s, name)), (r'(?m)^# control: .*$', 'control: %s.sock' % name)):
        text, count = re.subn(pattern, lambda _: with_, text)
        if count != 1:
            raise RuntimeError('configs/mary.yaml: nothing matches ' + pattern)
    with open(s.path(name + '.yaml'), 'w') as f:
        f.write(text)
    s.save()


def in_namespace(s, name):
    return ['ip', 'netns', 'exec', s.data['ues'][name]['namespace']] if s.data['mode'] == 'tun' else []


def start_air(p, s):
    with open(s.path('air.yaml'), 'w') as f:
        f.write('stall_ms: 20000\ndefault: {gain_db: -20}\nnodes: {"*": {noise_dbfs: -60}}\n')
    s.spawn('air', [p.program('prose-air'), '--config', s.path('air.yaml'), '--air', s.data['air']], p.env(s))
    wait(s, lambda: 'ready' in s.said('air'), 60, 'the air')


def start_sniffer(p, s):
    with open(s.path('sniffer.yaml'), 'w') as f:
        f.write(sniffer_config.text(world.ROOT, p.program('prose-ue'), 2, 25, 'gnss'))
    s.spawn('sniffer', [p.program('prose-sniffer'), '--config', s.path('sniffer.yaml'), '--device', 'type=virtual,name=sniffer,air=' + s.data['air'],
                        '--pcap', s.path('town.pcap'), '--events', s.path('sniffer.jsonl'), '--report', s.path('town.html'), '--look', s.path('look.sock')], p.env(s))


def start_page(p, s):
    """Of what the sniffer hears and the UEs know. Its address is good for one browser."""
    if s.alive('page'):
        s.stop(['page'])
    ues = [x for n in s.data['ues'] for x in ('--ue', '%s=%s' % (n, s.path(n + '.jsonl')))]
    s.spawn('page', [p.program('prose-page'), '--look', s.path('look.sock'), '--events', s.path('sniffer.jsonl'), *ues], p.env(s))
    address = lambda: re.search(r'http://\S+', s.said('page'))
    wait(s, address, 60, 'the page')
    s.data['page'] = address()[0]
    s.save()


def start_ue(p, s, name):
    s.spawn(name, [*in_namespace(s, name), p.program('prose-ue'), '--config', s.path(name + '.yaml'), '--events', s.path(name + '.jsonl')], p.env(s))


def status(s, name):
    """The UE's own, as prose-ue --show --json gives it. None: it does not run, or does not tell yet."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as x:
        x.settimeout(5)
        try:
            x.connect(s.path(name + '.sock'))
            text = b''.join(iter(lambda: x.recv(65536), b''))
        except OSError:
            return None
    return json.loads(text) if text else None


def linked(s, a, b):
    st = status(s, a)
    return bool(st) and any(p['name'] == b and p['state'] == 'linked' for p in st['peers'])


def wait(s, condition, seconds, what):
    """RuntimeError if a program ends meanwhile, or the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        for n in s.data['processes']:
            if not s.alive(n):
                raise RuntimeError('%s has ended: %s' % (n, (s.said(n).strip().splitlines() or ['it said nothing'])[-1]))
        if time.monotonic() > end:
            raise RuntimeError('not within %d s: %s' % (seconds, what))
        time.sleep(0.2)


def wait_for_links(s, seconds, say, pairs=None):
    left = list(pairs if pairs is not None else links({tuple(x) for x in s.data['permits']}))

    def one_more():
        for a, b in list(left):
            if linked(s, a, b) and linked(s, b, a):
                left.remove((a, b))
                say('%s and %s are linked' % (a, b))
        return not left
    wait(s, one_more, seconds, 'a link of ' + ', '.join('%s and %s' % x for x in left))
