"""scripts/examples, with a small town: each recording opens without options and gives what the UEs say they sent; the READMEs say what is there."""
import json, os, re, signal, subprocess, sys

from scripts.demo_lib import decode_share
from tests.harness.cases import main
from tests.harness.files import json_lines, text_of
from tests.harness.paths import BUILD, ENV, SOURCE
from tests.harness.process import run, wait

SCRIPT = os.path.join(SOURCE, 'scripts', 'examples')
TOWN_S = 4
# What each holds: transmission mode, how subframes are found, the channels, and how many transmissions clear of others the least (places are drawn).
HOLDS = {'psbch_tm2': (2, 'slss', {'PSBCH': 30}), 'psbch_tm4': (4, 'slss', {'PSBCH': 30}), 'psdch': (2, 'gnss', {'PSDCH': 20}), 'data_tm2': (2, 'gnss', {'PSCCH': 10, 'PSSCH': 10}),
         'data_tm4': (4, 'gnss', {'PSCCH': 10, 'PSSCH': 10}), 'town': (4, 'slss', {'PSBCH': 10, 'PSDCH': 20, 'PSCCH': 20, 'PSSCH': 20})}
SHARE = decode_share.WANTED


def examples(*arguments, code=0):
    r = subprocess.run([sys.executable, SCRIPT, '--build', BUILD, '--no-build', *map(str, arguments)], env=ENV, capture_output=True, text=True, timeout=900)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return r


def check_metadata(folder, name):
    tm, sync, _ = HOLDS[name]
    said = json.loads(text_of('%s/%s.sigmf-meta' % (folder, name)))['global']
    assert said['prose:carrier'] == {'n_prb': 25, 'transmission_mode': tm, 'cp': 'normal'} and said['prose:sync'] == sync, said
    assert [p['kind'] for p in said['prose:pool']] == ['v2x' if tm == 4 else 'sl_comm', 'psdch'], said
    assert said['core:extensions'][0]['name'] == 'prose', said


def check_decodes(folder, name):
    """No option tells of the carrier."""
    tm, _, channels = HOLDS[name]
    recording, heard = '%s/%s.sigmf-meta' % (folder, name), folder + '/heard'
    said = run('prose-sniffer', recording, '--events', heard, '--plain', timeout=600).stderr
    assert 'nothing was decoded' not in said and 'assumed' not in said, said
    ues = [f[:-5] for f in os.listdir(folder) if f.endswith('.sent')]
    got = decode_share.measure({n: '%s/%s.sent' % (folder, n) for n in ues}, heard, 40 if tm == 2 else None)
    print(name, '; '.join(decode_share.describe(c, x) for c, x in got.items() if x['sent']), flush=True)
    for c, least in channels.items():
        assert got[c]['counted'] >= least and got[c]['share'] >= SHARE, (name, c, got[c])
    # Nor does anything else decode than what was sent.
    sent = {f['hex'] for n in ues for f in json_lines('%s/%s.sent' % (folder, n)) if 'hex' in f}
    strange = [e for e in json_lines(heard) if e['event'] in ('tb', 'discovery') and e.get('crc_ok', True) and e['hex'] not in sent]
    assert len(strange) <= len(sent) / 20, strange[:3]  # a block that began before the recording did
    said = run('prose-iq', 'plot', recording, folder + '/x.png', timeout=600).stderr
    assert re.search(r'[1-9]\d* frames decoded', said), said
    run('prose-iq', 'info', '--verify', recording, timeout=600)


def check_readme(folder, name):
    text = text_of(folder + '/README.md')
    assert text.startswith('# %s\n' % name), text
    for command in ('prose-sniffer %s.sigmf-meta' % name, 'prose-iq plot %s.sigmf-meta %s.png' % (name, name)):
        assert '\n    ' + command + '\n' in text, text
    counts = {c: int(n) for c, n in re.findall(r'^\| (PS\w+) \| [^|]+ \| (\d+) \|$', text, re.M)}
    sent = [f['channel'] for log in os.listdir(folder) if log.endswith('.sent') for f in json_lines(folder + '/' + log)]
    assert counts == {c: sent.count(c) for c in set(sent)} and set(HOLDS[name][2]) <= set(counts), (counts, text)
    size = os.path.getsize('%s/%s.sigmf-data' % (folder, name))
    assert 'TM%d, %.1f s, %.0f MB' % (HOLDS[name][0], size / 4 / 7.68e6, size / 1e6) in text, text


def test_each_opens_without_options(d):
    said = examples(d + '/out', '--seconds', TOWN_S).stdout
    assert sorted(os.listdir(d + '/out')) == sorted(HOLDS) and all(n in said for n in HOLDS), said
    for name in HOLDS:
        folder = d + '/out/' + name
        check_metadata(folder, name)
        check_readme(folder, name)
        check_decodes(folder, name)
    assert json.loads(text_of(d + '/out/town/town.sigmf-meta'))['annotations']


def test_ctrl_c_leaves_nothing(d):
    """It goes to the whole group, and comes twice. Other recordings stay."""
    os.makedirs(d + '/tmp')
    os.makedirs(d + '/out/psdch')
    default = lambda: (os.setpgrp(), signal.signal(signal.SIGINT, signal.SIG_DFL))
    p = subprocess.Popen([sys.executable, SCRIPT, '--build', BUILD, '--no-build', '--only', 'town', '--seconds', '600', d + '/out'], env=dict(ENV, TMPDIR=d + '/tmp'),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default)
    data = d + '/out/town/town.sigmf-data'
    wait(lambda: p.poll() is not None or (os.path.exists(data) and os.path.getsize(data)), 300, what='samples of the town')
    for _ in range(2):
        os.killpg(p.pid, signal.SIGINT)
    said = p.communicate(timeout=120)
    assert (p.returncode, *said) == (1, '', 'examples: stopped\n'), (p.returncode, said)
    assert os.listdir(d + '/out') == ['psdch'] and not os.listdir(d + '/tmp'), (os.listdir(d + '/out'), os.listdir(d + '/tmp'))


def test_wrong_options_are_one_line(d):
    os.makedirs(d + '/psdch')
    for arguments, what in ((('--seconds', 0), '--seconds 0'), (('--seconds', 'x'), '--seconds'), (('--only', 'city'), 'city'), (('--only', 'psdch'), 'psdch: is there')):
        said = examples(d, *arguments, code=2).stderr
        assert len(said.splitlines()) == 1 and said.startswith('examples: ') and what in said, said
    assert os.listdir(d) == ['psdch'] and not os.listdir(d + '/psdch')


if __name__ == '__main__':
    main()
