"""Decoded frames as annotations of a recording: with --annotate, and of what --record keeps."""
import json, os, resource, tarfile

from tests.harness.cases import main
from tests.harness.files import json_lines, text_of, write
from tests.harness.paths import REGRESSION
from tests.harness.process import run

RECORDINGS = ('regression_tm2_discovery', 'regression_tm4', 'regression_slss')
SUBFRAME = 7680  # samples, 25 PRB
PRB_HZ = 180e3
FILES = ('.sigmf-meta', '.sigmf-data')
ARGUMENTS = ('--carrier', 'prb=25,tm=4', '--sync', 'gnss', '--plain', '--log-level', 'error')


def arguments_of(name):
    told = json.loads(text_of('%s/%s.expected.json' % (REGRESSION, name)))['arguments']
    return [os.path.join(REGRESSION, a) if a.endswith('.yaml') else a for a in told]


def load(path):
    return json.loads(text_of(path))


def data_of(path):
    with open(path, 'rb') as f:
        return f.read()


def copy(d, name='regression_tm4', change=lambda meta: None):
    """A recording of its own, at d/x."""
    meta = load('%s/%s.sigmf-meta' % (REGRESSION, name))
    change(meta)
    write(d + '/x.sigmf-meta', json.dumps(meta))
    with open(d + '/x.sigmf-data', 'wb') as f:
        f.write(data_of('%s/%s.sigmf-data' % (REGRESSION, name)))
    return d + '/x.sigmf-meta'


def retuned(meta, offset=0, first=0):
    """Each segment has a frequency of its own; the first sample of the file is called `first`."""
    meta['global']['core:offset'] = offset
    for i, c in enumerate(meta['captures']):
        c.update({'core:sample_start': c['core:sample_start'] + first, 'core:frequency': 5.9e9 + i * 1e7})


def annotate(iq, out, *more, **options):
    return run('prose-sniffer', '--iq', iq, '--annotate', out, *ARGUMENTS, *more, **options)


def refused(d, *arguments, code=2, words=(), **options):
    before = {n: data_of(d + '/' + n) for n in os.listdir(d) if os.path.isfile(d + '/' + n)}
    r = run('prose-sniffer', *arguments, *ARGUMENTS, code=code, **options)
    assert len(r.stderr.strip().splitlines()) == 1 and all(w in r.stderr for w in words), r.stderr
    assert {n: data_of(d + '/' + n) for n in os.listdir(d) if os.path.isfile(d + '/' + n)} == before, os.listdir(d)


def edges(event):
    """Hz above the middle of the carrier."""
    if event['event'] == 'mib_sl':
        return -3 * PRB_HZ, 3 * PRB_HZ
    first = event['prb_start'] if event['event'] == 'tb' else event['prb']
    n = event['n_prb'] if event['event'] == 'tb' else 1 + (event['event'] == 'discovery' or event.get('format') == 1)
    return (first - 12.5) * PRB_HZ, (first + n - 12.5) * PRB_HZ


def valid(meta_path, n_samples):
    """What SigMF asks of annotations."""
    annotations = load(meta_path)['annotations']
    starts = [a['core:sample_start'] for a in annotations]
    assert starts == sorted(starts), starts
    for a in annotations:
        assert 0 <= a['core:sample_start'] and a['core:sample_count'] > 0 and a['core:sample_start'] + a['core:sample_count'] <= n_samples, a
        assert a['core:freq_lower_edge'] < a['core:freq_upper_edge'], a
        assert all(a[k].isprintable() and a[k].isascii() for k in ('core:label', 'core:comment')) and len(a['core:label']) <= 20, a
    return annotations


def test_each_frame_is_an_annotation_at_its_place(d):
    channels = {'mib_sl': 'PSBCH', 'sci': 'PSCCH', 'tb': 'PSSCH', 'discovery': 'PSDCH'}
    seen = set()
    for name in RECORDINGS:
        source = '%s/%s' % (REGRESSION, name)
        run('prose-sniffer', '--iq', source + '.sigmf-meta', '--annotate', d + '/' + name, '--events', d + '/e', '--record', d + '/r', '--plain', *arguments_of(name))
        n = os.path.getsize(source + '.sigmf-data') // 4
        middle = load(source + '.sigmf-meta')['captures'][0]['core:frequency']
        frames = [e for e in json_lines(d + '/e') if e['event'] in channels]
        seen |= {e['event'] for e in frames}
        for path in (d + '/' + name, d + '/r'):
            got = valid(path + '.sigmf-meta', n)
            assert len(got) == len(frames) > 0, (name, len(got), len(frames))
            for a, e in zip(got, sorted(frames, key=lambda e: e['sample'])):
                first = max(e['sample'], 0)
                assert (a['core:sample_start'], a['core:sample_count']) == (first, min(e['sample'] + SUBFRAME, n) - first), (a, e)
                assert (a['core:freq_lower_edge'] - middle, a['core:freq_upper_edge'] - middle) == edges(e), (a, e)
                assert a['core:label'].startswith(channels[e['event']]) and e['hex'][:64] in a['core:comment'] and a['core:generator'] == 'prose-sniffer', (a, e)
            run('prose-iq', 'info', '--verify', path + '.sigmf-meta')
        of_source, of_ours = load(source + '.sigmf-meta'), load(d + '/' + name + '.sigmf-meta')
        # What ours says of the carrier besides (no_options_test.py).
        as_before = {k: v for k, v in of_ours['global'].items() if not k.startswith('prose:') and k != 'core:extensions'}
        assert (as_before, of_ours['captures']) == (of_source['global'], of_source['captures'])
    assert seen == set(channels), seen


def test_the_samples_are_linked_or_copied(d):
    """Linked where they are a file of their own; of an archive, copied."""
    iq = copy(d)
    annotate(iq, d + '/linked.sigmf-meta')
    assert os.path.samefile(d + '/x.sigmf-data', d + '/linked.sigmf-data')
    with tarfile.open(d + '/a.sigmf', 'w') as t:
        for kind in FILES:
            t.add(d + '/x' + kind, 'x' + kind)
    annotate(d + '/a.sigmf', d + '/copied')
    os.rename(d + '/x.sigmf-data', d + '/own.bin')
    meta = load(iq)
    meta['global']['core:dataset'] = 'own.bin'
    write(iq, json.dumps(meta))
    annotate(iq, d + '/named')
    want = load(d + '/linked.sigmf-meta')['annotations']
    for name in ('copied', 'named'):
        assert data_of(d + '/%s.sigmf-data' % name) == data_of(d + '/own.bin')
        got = load(d + '/%s.sigmf-meta' % name)
        assert got['annotations'] == want and 'core:dataset' not in got['global'], name
    os.chmod(d + '/own.bin', 0o600)
    annotate(iq, d + '/private')
    assert os.stat(d + '/private.sigmf-meta').st_mode & 0o777 == 0o600, 'what the samples hold is shown to others'


def test_nobody_else_may_read_more_than_before(d):
    """What is written has neither a right that the source's file lacks nor one that the umask takes."""
    copy(d)
    with tarfile.open(d + '/a.sigmf', 'w') as t:
        for kind in FILES:
            t.add(d + '/x' + kind, 'x' + kind)

    def modes(source, out, umask):
        annotate(source, d + '/' + out, preexec_fn=lambda: os.umask(umask))
        return [os.stat(d + '/' + out + kind).st_mode & 0o777 for kind in FILES]

    for of_source, umask, want in ((0o600, 0o022, 0o600), (0o640, 0o022, 0o640), (0o666, 0o077, 0o600), (0o666, 0o022, 0o644)):
        os.chmod(d + '/a.sigmf', of_source)
        name = 'of_%o_%o' % (of_source, umask)
        assert modes(d + '/a.sigmf', name, umask) == [want, want], name
    os.chmod(d + '/x.sigmf-data', 0o666)
    # A link has the source's mode, being the same file.
    assert modes(d + '/x.sigmf-meta', 'linked', 0o077) == [0o600, 0o666]
    os.chmod(d + '/x.sigmf-meta', 0o600)
    assert modes(d + '/x.sigmf-meta', 'of_private_metadata', 0o022) == [0o600, 0o666]


def test_annotations_of_others_stay_and_ours_are_replaced(d):
    others = [{'core:sample_start': 30000, 'core:label': 'late', 'x:n': 12345678901234567890}, {'core:sample_start': 0, 'core:label': 'early'}, {'core:label': 'nowhere'}]
    iq = copy(d, change=lambda m: m.update(annotations=others))
    annotate(iq, d + '/one')
    annotate(d + '/one.sigmf-meta', d + '/two')
    one, two = (load(d + '/%s.sigmf-meta' % n)['annotations'] for n in ('one', 'two'))
    assert one == two and [a for a in one if 'core:generator' not in a] == [others[1], others[2], others[0]], one
    starts = [a.get('core:sample_start', 0) for a in one]
    assert len(one) > len(others) and starts == sorted(starts), starts


def test_indices_count_as_those_of_the_captures(d):
    """SigMF counts them from core:offset; captures below it show that a file counts from its beginning."""
    places = {}
    for offset, first in ((0, 0), (64, 64), (10**9, 10**9), (10**9, 0)):
        iq = copy(d, 'regression_tm4', lambda m: retuned(m, offset, first))
        out = '%s/at%d_%d' % (d, offset, first)
        run('prose-sniffer', '--iq', iq, '--annotate', out, '--carrier', 'prb=25,tm=4', '--sync', 'blind', '--plain')
        meta = load(out + '.sigmf-meta')
        assert meta['captures'] == load(iq)['captures'] and meta['global']['core:offset'] == offset, meta
        places[offset, first] = [(a['core:sample_start'] - first, a['core:sample_count'], a['core:freq_lower_edge'], a['core:freq_upper_edge']) for a in meta['annotations']]
    assert len({round(p[2] / 1e7) for p in places[0, 0]}) > 1, places  # of segments with different frequencies
    assert all(p == places[0, 0] for p in places.values()), places


def test_what_is_recorded_again_keeps_its_frequencies(d):
    for change in (lambda m: None, retuned, lambda m: retuned(m, 5000, 5000), lambda m: m['captures'][1].pop('core:frequency')):
        iq = copy(d, change=change)
        run('prose-sniffer', '--iq', iq, '--annotate', d + '/a', '--record', d + '/r', *ARGUMENTS)
        source, annotated, again = load(iq), load(d + '/a.sigmf-meta'), load(d + '/r.sigmf-meta')
        first = source['captures'][0]['core:sample_start']
        frequencies = [[(c['core:sample_start'], c.get('core:frequency')) for c in m['captures']] for m in (source, again)]
        assert [(at - first, hz) for at, hz in frequencies[0]] == frequencies[1], frequencies
        assert again['annotations'] == [{**a, 'core:sample_start': a['core:sample_start'] - first} for a in annotated['annotations']] != [], again
        for kind in FILES:
            os.remove(d + '/a' + kind)


def test_a_subframe_that_is_cut_ends_with_the_recording(d):
    """The last symbol of a subframe is empty: what is sent can be decoded without it."""
    iq = copy(d)
    run('prose-sniffer', '--iq', iq, '--events', d + '/e', *ARGUMENTS)
    last = max(e['sample'] for e in json_lines(d + '/e') if 'hex' in e)
    n = last + SUBFRAME - 200
    os.truncate(d + '/x.sigmf-data', 4 * n)
    run('prose-sniffer', '--iq', iq, '--annotate', d + '/a', '--record', d + '/r', *ARGUMENTS)
    for name in ('a', 'r'):
        at_end = [a for a in valid(d + '/%s.sigmf-meta' % name, n) if a['core:sample_start'] == last]
        assert at_end and all(a['core:sample_count'] == n - last for a in at_end), at_end


def test_what_is_refused(d):
    iq = copy(d)
    annotate(iq, d + '/there')
    of = ('--iq', iq, '--annotate')
    refused(d, *of, d + '/there', words=('--annotate', 'there.sigmf'))
    os.rename(d + '/there.sigmf-data', d + '/other')
    refused(d, *of, d + '/there', words=('there.sigmf-meta: exists', 'accepted'))
    os.rename(d + '/there.sigmf-meta', d + '/there.sigmf-data')
    refused(d, *of, d + '/there', words=('there.sigmf-data: exists',))
    os.symlink('nowhere', d + '/dangling.sigmf-data')
    refused(d, *of, d + '/dangling', words=('dangling.sigmf-data: exists',))
    for itself in (iq, d + '/x', d + '/./x.sigmf-data'):
        refused(d, *of, itself, words=('--annotate', 'would overwrite what --iq reads'))
    refused(d, *of, d + '/new', '--record', d + '/new', words=('--annotate', '--record'))
    refused(d, *of, d + '/new', '--loop', '2', words=('--annotate', '--loop 1'))
    refused(d, *of, d + '/new.sigmf', words=('archive',))
    for name in ('-', d + '/', d + '/none/new'):
        refused(d, *of, name, words=('--annotate',))
    refused(d, '--device', 'type=virtual,name=a,air=none%d,hub_timeout=0' % os.getpid(), '--annotate', d + '/new', words=('--annotate', '--record'))


def test_a_full_disk_leaves_nothing(d):
    """Neither for the metadata, nor for samples that have to be copied."""
    iq = copy(d)
    with tarfile.open(d + '/a.sigmf', 'w') as t:
        for kind in FILES:
            t.add(d + '/x' + kind, 'x' + kind)
    for source, octets in ((iq, 1000), (d + '/a.sigmf', os.path.getsize(d + '/x.sigmf-data') - 1)):
        small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets))
        refused(d, '--iq', source, '--annotate', d + '/new', code=1, words=('--annotate', 'new.sigmf', 'disk full'), preexec_fn=small)


if __name__ == '__main__':
    main()
