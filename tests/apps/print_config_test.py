"""--print-config: the configuration in force, which is a configuration itself, and holds no secret."""
import glob, itertools, os, re, subprocess, tempfile, types

from scripts.demo_lib import channel, sniffer_config, world
from tests.harness.cases import main
from tests.harness.files import text_of, write
from tests.harness.keys import Authority, Keys, prose_keys
from tests.harness.paths import BUILD, ENV, SOURCE, program

FOLDER = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(FOLDER.name, name)


def printed(name, *arguments, cwd=None):
    r = subprocess.run([program('prose-' + name), *arguments, '--print-config'], env=ENV, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, cwd=cwd)
    assert r.returncode == 0 and r.stderr == '', r
    return r.stdout


def values(text):
    """{key with its maps: value} of what --print-config prints; entries of lists have their number."""
    out, above = {}, []
    for line in text.splitlines():
        m = re.match(r'( *)(- )?(?:("[^"]*"|[\w.*]+):(?: (.*))?|(\{.*\}))$', line)
        assert m, line
        indent = len(m[1])
        above = [a for a in above if a[0] < indent]
        if m[2]:
            n = sum(1 for k in out if re.fullmatch(re.escape('.'.join(a[1] for a in above)) + r'\.\d+', k))
            above.append((indent, str(n)))
            out['.'.join(a[1] for a in above)] = m[5] or ''
            indent += 2
        if m[3]:
            above = [a for a in above if a[0] < indent] + [(indent, m[3])]
            out['.'.join(a[1] for a in above)] = m[4] or ''
    return out


def stays(name, *arguments):
    """What is printed, given back from another folder, is printed again."""
    first = printed(name, *arguments)
    write(path('again.yaml'), first)
    assert printed(name, '--config', path('again.yaml'), cwd='/') == first, (name, arguments)
    return first


PROGRAM_OF = {'air': 'air', 'function': 'function', 'sniffer': 'sniffer'}


def test_every_file_of_configs_stays():
    names = sorted(os.path.basename(f)[:-5] for f in glob.glob(os.path.join(SOURCE, 'configs', '*.yaml')))
    assert len(names) >= 14, names
    for name in names:
        file = os.path.join(SOURCE, 'configs', name + '.yaml')
        if name.startswith('radio_'):
            stays('sniffer', '--device', 'type=virtual', '--radio', file)
            stays('iq', 'record', '/tmp/never', '--radio', file)
            out = values(stays('ue', '--config', os.path.join(SOURCE, 'configs', 'mary.yaml'), '--radio', file))
            assert out['radio_profile'] == file and out['radio.rx_gain_db'] == re.search(r'(?m)^rx_gain_db: (\S+)', text_of(file))[1], out
        elif name.startswith('limits_'):
            write(path('limited.yaml'), 'radio: {tx_limits: "%s", power_dbm_at_gain_0: 5}\n' % file)
            out = values(stays('iq', '--config', path('limited.yaml')))
            assert out['radio.tx_limits'] == file and out['radio.power_dbm_at_gain_0'] == '5', out
        else:
            stays(PROGRAM_OF.get(name, 'ue'), '--config', file)


def test_what_the_demo_makes_stays():
    for tm, prb, kind in itertools.product(('2', '4'), ('25', '50'), channel.CHOICES):
        write(path('air.yaml'), channel.air_yaml({kind}, tm, prb))
        stays('air', '--config', path('air.yaml'))
        options = types.SimpleNamespace(devices='', channel=kind, tm=tm, prb=prb, time=None, speed='1', radio=None)
        w = world.world(options, path('demo'), BUILD)
        w.configure()
        for s in (*w.sockets.values(), *w.reserved):
            s.close()
        for n in world.NAMES:
            out = values(stays('ue', '--config', w.path(n + '.yaml'), '--device', w.device(n), '--events', 'e.jsonl', '--keylog', 'k'))
            assert out['carrier.prb'] == prb and out['data.kind'] == 'udp' and out['data.peers.0.name'] in world.NAMES, out
    for tm, prb, sync in itertools.product((2, 4), (25, 50), ('gnss', 'slss')):
        write(path('sniffer.yaml'), sniffer_config.text(SOURCE, program('prose-ue'), tm, prb, sync))
        out = values(stays('sniffer', '--config', path('sniffer.yaml')))
        assert out['sync'] == sync and 'psdch' in out['pools.1'], out


def documented(name):
    """{key: default or None} of docs/configuration.md, without entries of lists."""
    section = text_of(os.path.join(SOURCE, 'docs', 'configuration.md')).split('\n## prose-%s\n' % name)[1].split('\n## ')[0]
    rows = [[c.strip() for c in line.split(' | ')] for line in section.splitlines() if line.startswith('| `')]
    keys = {r[0].strip('|` '): (re.fullmatch(r'`([^`]+)`', r[2]) or (None, None))[1] for r in rows}
    return {k: d for k, d in keys.items() if '[]' not in k}


def same(a, b):
    try:
        return float(a) == float(b)
    except ValueError:
        return a == b


def test_every_documented_key_is_printed_with_its_default():
    write(path('ue.yaml'), 'identity: {private_key: own.key}\n')
    given = {'ue': ('--config', path('ue.yaml')), 'sniffer': ('--device', 'type=virtual')}
    # Keys of profile ts33303 are refused with the other one, so they are not printed with it.
    write(path('standard.yaml'), 'identity: {private_key: own.key}\nsecurity: {profile: ts33303, kds: own.kds}\n')
    of_profile = values(stays('ue', '--config', path('standard.yaml')))
    for name in ('ue', 'sniffer', 'function', 'keys', 'iq', 'bler'):
        out, keys = values(stays(name, *given.get(name, ()))), documented(name)
        if name == 'ue':
            out = {**{k: v for k, v in of_profile.items() if k.startswith('security.')}, **out}
        assert len(keys) >= 5 and not set(keys) - set(out), (name, set(keys) - set(out))
        for key, default in keys.items():
            ours = os.path.basename(out[key]) if key == 'store' else out[key]
            # A rate and a frequency that nobody gave are the recording's.
            assert default is None or same(ours, default) or (name == 'iq' and ours == 'null'), (name, key, out[key], default)


def test_paths_are_as_they_are_understood():
    """Of the configuration's own folder, or of the working directory."""
    os.makedirs(path('config'), exist_ok=True)
    write(path('config/ue.yaml'), 'identity: {private_key: keys/own.key}\nevents: e.jsonl\nallow_keylog: true\nkeylog: "-x"\ndata: {hosts: /etc/own.hosts}\n')
    out = values(printed('ue', '--config', 'config/ue.yaml', cwd=FOLDER.name))
    here = os.path.realpath(FOLDER.name)
    for key, name in (('identity.private_key', 'config/keys/own.key'), ('identity.mark', 'config/keys/own.key.mark'), ('data.ipv4_table', 'config/keys/own.key.ipv4'),
                      ('pc3.consent', 'config/keys/own.key.consent'), ('events', 'e.jsonl'), ('keylog', '-x')):
        assert out[key] in (os.path.join(here, name), os.path.join(FOLDER.name, name)), (key, out[key])
    assert out['data.hosts'] == '/etc/own.hosts' and out['identity.permissions'] == '""', out
    write(path('config/ue.yaml'), 'identity: {private_key: own.key}\ndata: {ipv4_table: off}\nevents: "-"\n')
    out = values(stays('ue', '--config', path('config/ue.yaml')))
    assert out['data.ipv4_table'] == 'off' and out['events'] == '"-"', out


def test_the_command_line_wins():
    write(path('ue.yaml'), 'identity: {private_key: own.key}\nallow_keylog: true\nduration_s: 7\ndata: {kind: tun}\n')
    for name, first, changes in (
            ('ue', ('--config', path('ue.yaml')), (('--device', 'type=b200', 'device'), ('--data', 'udp', 'data.kind'), ('--duration', '9.5', 'duration_s'), ('--events', '/tmp/e', 'events'),
                                                   ('--keylog', '/tmp/k', 'keylog'), ('--metrics-port', '0', 'metrics_port'))),
            ('sniffer', ('--device', 'type=virtual'), (('--frequency', '5.8e9', 'radio.center_freq_hz'), ('--gain', '3', 'radio.rx_gain_db'), ('--duration', '2', 'duration_s'), ('--scene', '/tmp/s', 'scene'),
                                                       ('--sync', 'blind', 'sync'), ('--record-type', 'ci16', 'record_type'), ('--epoch', '5', 'epoch_s'), ('--pcap', '/tmp/p', 'pcap'),
                                                       ('--name', 'John Doe', 'name'), ('--report', '/tmp/r', 'report'), ('--known-plaintext', '/tmp/t', 'known_plaintext'))),
            ('function', (), (('--name', 'x', 'name'), ('--address', '::1', 'address'), ('--port', '8', 'port'), ('--ca', '/a', 'tls.ca'), ('--certificate', '/b', 'tls.certificate'),
                              ('--key', '/c', 'tls.key'), ('--psks', '/d', 'tls.psks'), ('--store', '/e', 'store'), ('--audit', '/f', 'audit'))),
            ('bler', (), (('--trials', '5', 'trials'), ('--errors', '6', 'errors'), ('--threads', '7', 'threads'), ('--csv', '/tmp/c', 'csv'), ('--plot', '/tmp/p', 'plot'))),
            ('air', (), (('--air', 'own', 'air'), ('--speed', 'max', 'speed'))),
            ('iq', ('record', '/tmp/never'), (('--device', 'type=b200', 'device'), ('--rate', '1e6', 'radio.sample_rate_hz'), ('--freq', '1e9', 'radio.center_freq_hz'),
                                              ('--gain', '4', 'radio.rx_gain_db'), ('--channels', '2', 'radio.rx_antennas'))),
            ('iq', ('replay', '/tmp/never'), (('--rate', '2e6', 'radio.sample_rate_hz'), ('--freq', '1e9', 'radio.center_freq_hz'), ('--gain', '4', 'radio.tx_gain_db')))):
        before, after = values(printed(name, *first)), values(stays(name, *first, *(word for o, v, _ in changes for word in (o, v))))
        for option, value, key in changes:
            told = after[key].strip('[]"')
            assert same(told, value) and before[key] != after[key], (name, option, before[key], after[key])
        assert {k for k in after if after[k] != before.get(k)} == {c[2] for c in changes}, (name, {k for k in after if after[k] != before.get(k)})


def test_what_is_known_of_the_carrier():
    out = values(stays('sniffer', '--device', 'type=virtual', '--carrier', 'prb=50,tm=4,cp=normal', '--pool', 'kind=v2x,size=10,count=5,start_prb=0'))
    assert (out['carrier.prb'], out['carrier.tm'], out['carrier.cp']) == ('50', '4', 'normal') and '"size":10' in out['pools.0'], out
    scene = write(path('scene.json'), '{"carrier": {"n_prb": 25, "transmission_mode": 2}}')
    r = subprocess.run([program('prose-sniffer'), '--device', 'type=virtual', '--scene', scene, '--carrier', 'prb=50', '--print-config'], env=ENV, capture_output=True, text=True)
    assert r.returncode == 2 and r.stdout == '' and r.stderr.count('\n') == 1 and 'without a scene' in r.stderr, r


def test_an_air_with_every_key():
    write(path('air.yaml'), 'speed: max\nseed: 12345678901234\nlead_us: 333.25\nnodes: {"*": {noise_dbfs: -60.5}, "null": {clock_ppm: 0.02}}\n'
          'pairs: [{from: a, to: b, delay_us: 0.7, fading: eva, doppler_hz: 70, burst_loss: 0.1, blocked: true}, {between: [a, c], cfo_hz: 80, drift_ppm: -0.1}]\n'
          'faults: [{node: a, kind: clock_step, step_ms: -2.5, after_s: 3}, {node: b, kind: overflow, every_s: 2, length_ms: 4}, {kind: kill_hub, after_s: 9}]\n')
    out = values(stays('air', '--config', path('air.yaml')))
    for key, value in (('speed', 'max'), ('seed', '12345678901234'), ('lead_us', '333.25'), ('stall_ms', '1000'), ('default.gain_db', '0'), ('default.fading', 'none'),
                       ('nodes."null".clock_ppm', '0.02'), ('pairs.0.delay_us', '0.7'), ('pairs.0.blocked', 'true'), ('pairs.1.cfo_hz', '80'), ('pairs.2.cfo_hz', '-80'),
                       ('pairs.2.drift_ppm', '0.1'), ('faults.0.step_ms', '-2.5'), ('faults.1.every_s', '2'), ('faults.1.length_ms', '4'), ('faults.2.kind', 'kill_hub')):
        assert out[key] == value, (key, out.get(key), value)
    write(path('air.yaml'), 'pairs:\n' + '- {from: a, to: b}\n' * 256)  # no room for one more rule
    assert 'default.gain_db' not in values(stays('air', '--config', path('air.yaml')))


def test_odd_texts_stay():
    for text in ('', ' ', 'null', '~', '-', 'a: b', '# none', 'a"b\\c', "it's", '\ttab', '[1]', '{a: b}', '*a', '&a', 'ü ☃', 'true', '1e3', '\x1b[1m', 'line\nbreak', "'"):
        quoted = '"' + text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n').replace('\t', '\\t').replace('\x1b', '\\e') + '"'
        write(path('sniffer.yaml'), 'device: type=virtual\nname: [%s]\nradio: {subdev: %s}\n' % (quoted, quoted))
        out = stays('sniffer', '--config', path('sniffer.yaml'))
        assert '\x1b' not in out and '\t' not in out, out
        write(path('iq.yaml'), 'device: %s\n' % quoted)
        stays('iq', '--config', path('iq.yaml'))


def test_no_secret_is_printed():
    keys, authority = Keys(path('keys')), Authority(path('tls'), ['function.example'], ['mary'])
    prose_keys('gen', '--psk', path('keys/pair.psk'))
    secrets = {line for f in ('keys/mary.key', 'keys/pair.psk', 'tls/mary.key', 'tls/function.example.key', 'tls/ca.key') for line in text_of(path(f)).splitlines() if len(line) > 20 and ' ' not in line}
    assert len(secrets) >= 8, secrets  # PEM files have several lines
    server = '{name: function.example, ca: tls/ca.crt, certificate: tls/mary.crt, key: tls/mary.key}'
    write(path('ue.yaml'), 'identity: {private_key: keys/mary.key, permissions: keys/mary.permit}\npc3: {servers: [%s, {name: b, psk: keys/pair.psk}]}\n' % server)
    write(path('keys.yaml'), 'key: keys/mary.key\nuser: mary\nserver: ' + server + '\n')
    write(path('function.yaml'), 'tls: {ca: tls/ca.crt, certificate: tls/function.example.crt, key: tls/function.example.key}\n')
    write(path('sniffer.yaml'), 'device: type=virtual\ncompromised: [keys/mary.key, keys/mary.permit]\n')
    named = 0
    for name in ('ue', 'keys', 'function', 'sniffer'):
        for option in ('--print-config', '--check'):
            r = subprocess.run([program('prose-' + name), '--config', path(name + '.yaml'), option], env=ENV, capture_output=True, text=True, cwd=FOLDER.name)
            assert r.returncode == 0, r
            assert not [s for s in secrets if s in r.stdout + r.stderr], (name, option)
            named += r.stdout.count('.key')
    assert named >= 6 and keys.public('mary') and authority.folder, named


if __name__ == '__main__':
    main()
