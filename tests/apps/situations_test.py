"""Situations of a user's day that nobody reported yet: recordings of other tools, frequencies in odd places, signals of all kinds, names that
are commands, certificates as people put them together, programs that were killed, and a machine that gives little."""
import json, os, re, resource, shutil, signal, socket, struct, subprocess

from tests.apps.machine_test import octets, one_line, recording, run
from tests.harness.air import Air
from tests.harness.cases import main, skip
from tests.harness.files import text_of, write
from tests.harness.function import NAME, Server
from tests.harness.paths import ENV, SOURCE, program
from tests.harness.process import Background, catches, wait

HZ = 5.9e9
HUGE = 2**30  # samples of a sparse file: what reads them is still at it when a signal comes


def changed(d, name='r', captures=None, annotations=(), n=7680, **of_global):
    """The recording of recording() with other metadata; keys of global with _ for the colon."""
    meta = recording(d, name, n)
    m = json.loads(text_of(meta))
    m['global'].update({k.replace('_', ':', 1): v for k, v in of_global.items()})
    m.update(captures=m['captures'] if captures is None else captures, annotations=list(annotations))
    write(meta, json.dumps(m))
    return meta


def metadata(path):
    m = json.loads(text_of(path))
    m['global'].pop('core:sha512', None)
    return m


def unchanged_by_convert(d, meta):
    """As a pair of files, and through an archive."""
    for out in ('pair.sigmf-meta', 'packed.sigmf'):
        p = run('iq', 'convert', meta, d + '/' + out)
        assert p.returncode == 0, p.stderr
    p = run('iq', 'convert', d + '/packed.sigmf', d + '/again.sigmf-meta')
    assert p.returncode == 0, p.stderr
    for name in ('pair', 'again'):
        assert metadata(d + '/%s.sigmf-meta' % name) == metadata(meta), name
        assert octets(d + '/%s.sigmf-data' % name) == octets(meta.replace('-meta', '-data')), name


# --- convert changes the datatype and nothing else ---
def test_annotations_that_overlap_stay_in_their_order(d):
    note = lambda start, **more: {'core:sample_start': start, **{'core:' + k: v for k, v in more.items()}}
    unchanged_by_convert(d, changed(d, annotations=[note(1000, sample_count=2000, label='b'), note(0, sample_count=7000, label='a'), note(1000, label='to the end'),
                                                    note(1000, sample_count=2000, label='b'), note(9000, sample_count=1, label='beyond the data')]))


def test_places_and_foreign_keys_of_each_level_stay(d):
    captures = [{'core:sample_start': 100 * i, 'core:frequency': HZ, 'core:geolocation': {'type': 'Point', 'coordinates': [16.3 + i, 48.2, 180.5]},
                 'x:deep': {'a': [{'b': None, 'c': i}]}} for i in range(3)]
    unchanged_by_convert(d, changed(d, captures=captures, annotations=[{'core:sample_start': 0, 'y:of_a_note': [1, 'two']}], z_wide=2**64 - 1, z_low=-2**63,
                                    z_text='\U0001f600 \0 \u202e \ufeff'))


def test_several_channels_stay(d):
    meta = changed(d, core_num_channels=2)
    unchanged_by_convert(d, meta)
    p = run('iq', 'convert', meta, d + '/i.sigmf-meta', '--out-type', 'ci16')
    assert p.returncode == 0 and os.path.getsize(d + '/i.sigmf-data') == os.path.getsize(d + '/r.sigmf-data') // 2, p.stderr
    assert metadata(d + '/i.sigmf-meta')['global']['core:num_channels'] == 2


def test_datatypes_that_we_do_not_read_are_named_and_nothing_is_written(d):
    for kind in ('ci16_be', 'cf32_be', 'cf64_le', 'cu8', 'ci8', 'rf32_le', 'ri16_le', 'CF32_LE', 'cf32'):
        one_line(run('iq', 'convert', changed(d, core_datatype=kind), d + '/o.sigmf-meta'), 2, "'%s'" % kind, 'cf32_le, ci16_le')
        assert sorted(os.listdir(d)) == ['r.sigmf-data', 'r.sigmf-meta'], os.listdir(d)


# --- replay transmits only where somebody said ---
def test_frequencies_in_odd_places(d):
    at = lambda start, hz: {'core:sample_start': start, 'core:frequency': hz}
    no_hz = [{'core:sample_start': 0}]
    with Air() as air:
        go = lambda *more: run('iq', 'replay', d + '/r.sigmf-meta', '--device', air.device('tx'), *more)
        for what in (dict(captures=no_hz, annotations=[{'core:sample_start': 0, 'core:freq_lower_edge': HZ - 1e6, 'core:freq_upper_edge': HZ + 1e6}]),
                     dict(captures=no_hz, core_frequency=HZ), dict(captures=[]), dict(captures=[at(0, -HZ)])):
            changed(d, **what)
            one_line(go(), 2, 'no frequency to send at', '--freq')
        for hz in ('5.9 GHz', True, [HZ], {'Hz': HZ}):
            changed(d, captures=[at(0, hz)])
            one_line(go(), 2, 'captures[0].core:frequency')
        changed(d, captures=[at(0, 1e15)])
        one_line(go(), 2, 'tunes to')
        changed(d, captures=[at(0, HZ), at(1000, HZ + 0.4)])
        one_line(go(), 2, '2 frequencies', '--segment')
        for hz in ('0', '-5.9e9', 'nan', 'inf', '5.9GHz', ''):
            one_line(go('--freq=' + hz), 2, '--freq')
        # An integer and a number with a point agree.
        changed(d, captures=[at(0, HZ), at(1000, 5900000000), at(2000, 5.9e9)])
        p = go()
        assert p.returncode == 0 and b'5900 MHz' in p.stderr, p.stderr


# --- interrupted says so ---
def long_run(d, *command):
    meta = recording(d)
    os.truncate(d + '/r.sigmf-data', 8 * HUGE)
    p = subprocess.Popen([program('prose-iq'), command[0], meta, *command[1:]], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait(lambda: catches(p, signal.SIGINT), 60, [p])
    return p


def is_cut_short(p, of):
    out, err = p.communicate(timeout=60)
    assert p.returncode == 1 and out == '' and len(err.splitlines()) == 1 and 'stopped after' in err and of in err, (p.args, p.returncode, out, err)


def test_a_lost_terminal_and_impatient_users_get_a_whole_line(d):
    for command in (('info',), ('info', '--json'), ('convert', d + '/o.raw'), ('convert', d + '/o.sigmf'), ('plot', d + '/o.png')):
        for kinds in ((signal.SIGHUP,), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):  # a second of one kind ends it at once
            p = long_run(d, *command)
            for kind in kinds:
                p.send_signal(kind)
            is_cut_short(p, 'of 900 columns' if command[0] == 'plot' else 'of %d samples' % HUGE)
            assert sorted(os.listdir(d)) == ['r.sigmf-data', 'r.sigmf-meta'], os.listdir(d)


def test_what_was_stopped_and_continued_is_still_interrupted_once(d):
    write(d + '/o.raw', 'old')
    p = long_run(d, 'convert', d + '/o.raw')
    for _ in range(20):
        p.send_signal(signal.SIGSTOP)
        p.send_signal(signal.SIGCONT)
    assert p.poll() is None, p.communicate()
    p.send_signal(signal.SIGSTOP)
    p.send_signal(signal.SIGTERM)  # it comes when the program goes on
    p.send_signal(signal.SIGCONT)
    is_cut_short(p, 'of %d samples' % HUGE)
    assert text_of(d + '/o.raw') == 'old'


def test_the_disk_is_full_and_the_user_leaves(d):
    """Whichever is first: an old file stays, and no half one is left."""
    write(d + '/o.raw', 'old')
    meta = recording(d)
    os.truncate(d + '/r.sigmf-data', 8 * HUGE)
    p = subprocess.Popen([program('prose-iq'), 'convert', meta, d + '/o.raw'], env=ENV, stderr=subprocess.PIPE, text=True,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000,) * 2))
    wait(lambda: p.poll() is not None or catches(p, signal.SIGINT), 60)
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=60)[1]
    assert p.returncode == 1 and len(err.splitlines()) == 1 and ('disk full' in err or 'stopped after' in err), err
    assert text_of(d + '/o.raw') == 'old' and sorted(os.listdir(d)) == ['o.raw', 'r.sigmf-data', 'r.sigmf-meta'], os.listdir(d)


# --- text is data ---
def test_shipped_air_gives_one_clock_to_ues_that_need_it():
    """UEs with source gnss correct no drift."""
    folder = os.path.join(SOURCE, 'configs')
    sources = [re.search(r'(?m)^  source: (\w+)', text_of(os.path.join(folder, f'{n}.yaml'))).group(1) for n in ('mary', 'john', 'peter')]
    assert len(set(sources)) == 1, sources
    air = ''.join(line.split('#')[0] + '\n' for line in text_of(os.path.join(folder, 'air.yaml')).splitlines())
    errors = [float(x) for x in re.findall(r'(?:clock|drift)_ppm: *([-\d.e]+)', air)]
    assert errors and (sources[0] != 'gnss' or not any(errors)), errors


def test_names_that_are_commands_are_drawn_as_titles(d):
    for n, name in enumerate(("'\n!touch pwned\n", '`touch pwned`', '$(touch pwned)', '@{pwned}"\\\n', '%s%n{=200 x}', '-d', "'';system('touch pwned');'")):
        changed(d, 'r%d' % n, core_hw=name, core_description=name)
        for part in ('meta', 'data'):
            os.rename('%s/r%d.sigmf-%s' % (d, n, part), '%s/%s.sigmf-%s' % (d, name, part))
        p = subprocess.run([program('prose-iq'), 'plot', './%s.sigmf-meta' % name, './%s.png' % name], cwd=d, env=ENV, capture_output=True, timeout=120)
        assert p.returncode == 0 and octets('%s/%s.png' % (d, name))[-8:-4] == b'IEND', (name, p.stderr)
        assert 'pwned' not in os.listdir(d), name


def test_what_the_command_line_and_files_name_commands_no_terminal(d):
    bad = 'x\x1b[2J\x1b]0;t\x07\u009b31m'
    recording(d)
    run('keys', 'gen', d + '/k')
    public = run('keys', 'pub', d + '/k').stdout.decode().strip()
    as_yaml = json.dumps(bad)
    files = [write(d + '/%d.yaml' % n, text) for n, text in enumerate(('%s: 1\n' % as_yaml, 'iq: %s\n' % as_yaml, 'carrier: {prb: %s}\n' % as_yaml, 'iq: x\n%s\n' % bad))]
    lists = [write(d + '/%d.permits' % n, text) for n, text in enumerate(('%s %s\n' % (bad, public), 'john %s\n' % bad, 'john %s psk=%s\n' % (public, bad)))]
    for c in [('sniffer', '--config', f) for f in files] + [('keys', 'fingerprint', bad, '--key', d + '/k', '--permits', f) for f in lists] + [
            ('iq', 'info', d + '/' + bad), ('iq', bad), ('sniffer', '--' + bad), ('keys', 'permit', bad, public, '--permits', d + '/p'),
            ('keys', 'list', '--server', bad, '--user', bad, '--ca', bad, '--certificate', bad, '--tls-key', bad), ('air', '--air', bad, '--check'), ('air', '--check', '--config', files[0])]:
        p = run(*c)
        said = (p.stdout + p.stderr).decode()
        assert p.returncode == 2 and said and not set('\x1b\x07\u009b') & set(said), (c, p.returncode, said)


# --- certificates ---
def openssl(*arguments, cwd):
    p = subprocess.run(['openssl', *arguments], cwd=cwd, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr


def authority_of(folder, name, begin, end):
    """NAME.crt: the authority's key and name with other dates."""
    os.makedirs(folder + '/db', exist_ok=True)
    write(folder + '/db/index', '')
    write(folder + '/db/serial', '01\n')
    write(folder + '/ca.cnf', '[ca]\ndefault_ca=d\n[d]\ndatabase=db/index\nnew_certs_dir=db\nserial=db/serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n'
                              '[req]\ndistinguished_name=n\nprompt=no\n[n]\nCN=ca\n[e]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n')
    openssl('req', '-new', '-config', 'ca.cnf', '-key', 'ca.key', '-out', 'ca.csr', cwd=folder)
    openssl('ca', '-batch', '-config', 'ca.cnf', '-selfsign', '-keyfile', 'ca.key', '-in', 'ca.csr', '-extensions', 'e', '-startdate', begin, '-enddate', end, '-out', name + '.crt',
            '-notext', cwd=folder)


def test_certificates_as_people_put_them_together(d):
    if shutil.which('openssl') is None:
        skip('openssl is not installed')
    s = Server(d, ['mary', 'john'])
    tls = s.path('tls')
    path = lambda name: os.path.join(tls, name)
    ca, mary = text_of(path('ca.crt')), text_of(path('mary.crt'))
    authority_of(tls, 'old', '20200101000000Z', '20210101000000Z')
    authority_of(tls, 'young', '20990101000000Z', '20991231000000Z')
    write(path('both.crt'), text_of(path('old.crt')) + ca)  # while users move from one authority to the next
    openssl('x509', '-in', 'mary.crt', '-outform', 'DER', '-out', 'der.crt', cwd=tls)
    openssl('ec', '-in', 'mary.key', '-aes128', '-passout', 'pass:x', '-out', 'locked.key', cwd=tls)
    os.chmod(path('locked.key'), 0o600)
    for name, text in (('reversed.crt', ca + mary), ('chain.crt', mary + ca), ('crlf.crt', mary.replace('\n', '\r\n')), ('empty.crt', ''), ('cut.crt', mary[:len(mary) // 2])):
        write(path(name), text)
    os.mkdir(path('folder.crt'))
    listed = lambda ca='ca.crt', certificate='mary.crt', key='mary.key': run(
        'keys', 'list', '--server', NAME, '--address', '127.0.0.1', '--port', str(s.port), '--user', 'mary', '--key', d + '/mary.key', '--ca', path(ca), '--certificate', path(certificate),
        '--tls-key', path(key))
    s.start()
    try:
        for what in ({}, {'certificate': 'chain.crt'}, {'certificate': 'der.crt'}, {'certificate': 'crlf.crt'}, {'ca': 'both.crt'}):
            p = listed(**what)
            assert p.returncode == 0, (what, p.stderr)
        for what, words in (({'ca': 'old.crt'}, ('old.crt', 'expired on 2021-01-01')), ({'ca': 'young.crt'}, ('young.crt', 'valid only from 2099-01-01')),
                            ({'certificate': 'reversed.crt'}, ('mary.key: not the key of', 'reversed.crt')), ({'key': 'john.key'}, ('john.key: not the key of', 'mary.crt')),
                            ({'key': 'locked.key'}, ('locked.key', 'password')), ({'certificate': 'empty.crt'}, ('empty.crt', 'not a certificate')),
                            ({'certificate': 'cut.crt'}, ('cut.crt', 'not a certificate')), ({'certificate': 'folder.crt'}, ('folder.crt',)), ({'ca': 'none.crt'}, ('none.crt', 'No such file'))):
            one_line(listed(**what), 2, *words)
        # These only the other side can tell.
        one_line(listed(certificate='john.crt', key='john.key'), 1, 'own name only')
        one_line(listed(ca='mary.crt'), 1, 'not correctly signed')
        one_line(listed(certificate=NAME + '.crt', key=NAME + '.key'), 1, 'refused by the peer: unsupported certificate')
    finally:
        s.kill()
    for what, word in ((('--ca', path('old.crt')), 'expired on 2021-01-01'), (('--ca', path('young.crt')), 'valid only from 2099-01-01'),
                       (('--certificate', path('reversed.crt')), 'not the key of'), (('--key', path('mary.key')), 'mary.key: not the key of')):
        command = s.command()
        command[command.index(what[0]) + 1] = what[1]
        one_line(subprocess.run(command, capture_output=True, timeout=60), 2, word)


# --- a killed program starts again at once ---
def test_a_killed_ue_comes_back_under_its_name_and_port(d):
    run('keys', 'gen', d + '/own.key')
    with socket.create_server(('127.0.0.1', 0)) as s:
        port = s.getsockname()[1]
    with Air() as air:
        write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\nmetrics_port: %d\ndevice: "%s"\n' % (port, air.device('a')))
        for n in range(3):
            ue = Background('prose-ue', '--config', d + '/ue.yaml', log=d + '/ue.log', events=d + '/events%d' % n)
            try:
                wait(lambda: ue.of('started'), 60, [ue])
                reader = socket.create_connection(('127.0.0.1', port))  # whose connection outlives the program
                ue.stop(signal.SIGKILL if n < 2 else signal.SIGTERM, code=-signal.SIGKILL if n < 2 else 0)
                reader.close()
            finally:
                ue.kill()


def test_a_killed_sniffer_leaves_what_it_had_and_starts_again(d):
    with Air('nodes: {s: {noise_dbfs: -30}}') as air:
        for n in range(2):
            outputs = [d + '/' + f for f in ('k.pcap', 'k.sigmf-data')]
            s = Background('prose-sniffer', '--device', air.device('s'), '--plain', '--sync', 'blind', '--pcap', outputs[0], '--record', d + '/k', log=d + '/log')
            try:
                wait(lambda: os.path.exists(outputs[1]) and os.path.getsize(outputs[1]), 60, [s])
                s.stop(signal.SIGKILL, code=-signal.SIGKILL)
            finally:
                s.kill()
            assert sorted(os.listdir(d)) == ['k.pcap', 'k.sigmf-data', 'k.sigmf-meta', 'log'], os.listdir(d)
            p = run('iq', 'info', '--json', d + '/k')
            assert p.returncode == 0 and json.loads(p.stdout)['samples'] > 0, p.stderr
            for f in (*outputs, d + '/k.sigmf-meta'):
                os.unlink(f)


def test_a_killed_air_comes_back_under_its_name_with_its_user(d):
    first = Air()
    p = Background('prose-iq', 'record', d + '/r', '--device', first.device('r'), '--rate', '7.68e6', '--freq', '5.9e9', log=d + '/log')
    try:
        first.until_joined('r')
        first.die()
        with Air(name=first.name) as again:
            assert 'has ended' in p.end(1)
            assert run('iq', 'record', d + '/again', '--device', again.device('r'), '--rate', '7.68e6', '--freq', '5.9e9', '--duration', '0.01').returncode == 0
    finally:
        p.kill()


def test_a_killed_server_comes_back_on_its_port_while_its_users_hold_on(d):
    s = Server(d, ['mary'])
    s.start()
    port, held = s.port, [s.connect('mary') for _ in range(3)] + [socket.create_connection(('127.0.0.1', s.port)) for _ in range(3)]
    try:
        for _ in range(2):
            begun = len(s.starts())
            s.kill()
            s.process = subprocess.Popen(s.command(port))
            assert wait(lambda: s.starts()[begun:], 60, [s.process], 'a server that listens') == [port]
            assert s.at_server('mary', 'list').returncode == 0
    finally:
        s.kill()
    for c in held:
        c.close()


# --- a machine that gives little ---
def test_no_place_for_settings_and_no_standard_input(d):
    run('keys', 'gen', d + '/own.key')
    nowhere = {k: '/proc/none' for k in ('HOME', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR')}
    with Air() as air:
        write(d + '/ue.yaml', 'name: a\nidentity: {private_key: own.key}\ndevice: "%s"\n' % air.device('a'))
        p = run('ue', '--config', d + '/ue.yaml', '--duration', '0.1', env=dict(ENV, **nowhere), preexec_fn=lambda: os.close(0))
        assert p.returncode == 0, p.stderr
    for env in (nowhere, {'XDG_STATE_HOME': 'relative'}):
        with Air(state=env['XDG_STATE_HOME']) as air:
            air.p.terminate()
            assert air.p.wait(60) == 0
    assert not os.path.exists('relative')
    one_line(run('keys', 'pub', preexec_fn=lambda: os.close(0)), 2, 'standard input')


def test_out_of_descriptors_is_one_line_and_leaves_the_old_file(d):
    r = recording(d)
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))
    for name in ('o.png', 'o.raw', 'o.sigmf-meta', 'rep.json'):
        write(d + '/' + name, 'old')
    # So many that each program loads what it is made of: it fails at its own files, or it does all.
    for name, command in (('o.png', ('iq', 'plot', r, d + '/o.png')), ('o.raw', ('iq', 'convert', r, d + '/o.raw')), ('o.sigmf-meta', ('iq', 'convert', r, d + '/o.sigmf-meta')),
                          ('rep.json', ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--log-level', 'off', '--report', d + '/rep.json'))):
        p = run(*command, preexec_fn=few)
        if p.returncode == 0:
            assert octets(d + '/' + name) != b'old', command
        else:
            one_line(p, p.returncode, name, 'Too many open files')
            assert p.returncode in (1, 2) and octets(d + '/' + name) == b'old', (command, p.returncode)
    assert not [f for f in os.listdir(d) if f.endswith('.part')], os.listdir(d)


def test_no_file_may_grow(d):
    """RLIMIT_FSIZE 0, as some job systems set it: each output that is lost is told."""
    r = recording(d)
    none = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for c in (('iq', 'convert', r, d + '/o.raw'), ('iq', 'plot', r, d + '/o.png'), ('keys', 'gen', d + '/k'), ('bler', '--channel', 'psbch', '--snr', '9', '--trials', '2', '--csv', d + '/c'),
              ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--events', d + '/e'), ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--pcap', d + '/p'),
              ('sniffer', '--iq', r, '--plain', '--sync', 'blind', '--report', d + '/j')):
        p = run(*c, preexec_fn=none)
        assert p.returncode in (1, 2) and os.path.basename(c[-1]) in p.stderr.decode().splitlines()[-1], (c, p.returncode, p.stderr)
    assert [f for f in os.listdir(d) if os.path.getsize(d + '/' + f) and not f.startswith('r.')] == []


if __name__ == '__main__':
    main()
