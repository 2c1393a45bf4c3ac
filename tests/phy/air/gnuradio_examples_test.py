"""The flow graphs of docs/examples/gnuradio: known blocks, all connected; their options are those of the README. Where grcc is installed it compiles them."""
import os, re, shutil, subprocess

from tests.harness.cases import main, skip
from tests.harness.files import text_of
from tests.harness.paths import SOURCE

FOLDER = os.path.join(SOURCE, 'docs', 'examples', 'gnuradio')
NAMES = sorted(f[:-4] for f in os.listdir(FOLDER) if f.endswith('.grc'))
# Of GNU Radio 3.10.
BLOCKS = {'parameter', 'variable', 'blocks_delay', 'blocks_file_source', 'blocks_head', 'blocks_sigmf_sink_minimal', 'channels_channel_model', 'qtgui_waterfall_sink_x',
          'uhd_usrp_sink', 'uhd_usrp_source'}


def graph(name):
    """{name: {key: value}} of its blocks, and its connections as pairs. Of YAML only what GRC writes is read, so that no package is needed."""
    blocks, connections = {}, []
    part = own = None
    for line in text_of(f'{FOLDER}/{name}.grc').splitlines():
        if m := re.fullmatch(r'(\w+):', line):
            part = m[1]
        elif part == 'blocks' and (m := re.fullmatch(r'- name: (\w+)', line)):
            assert m[1] not in blocks, (name, m[1])
            own = blocks[m[1]] = {}
        elif part == 'blocks' and (m := re.fullmatch(r' +(\w+): (.+)', line)):
            own[m[1]] = m[2].strip("'")
        elif part == 'connections' and line:
            connections.append(re.fullmatch(r"- \[(\w+), '0', (\w+), '0'\]", line).groups())
    return blocks, connections


def commands():
    """The flow graphs and options that commands of the README name."""
    text = text_of(f'{FOLDER}/README.md').replace('\\\n', ' ')
    return [(m[1], re.findall(r' (--[\w-]+)', m[2])) for m in re.finditer(r'(?m)^    .*\b(\w+)\.py(.*)', text)]


def table():
    """The same of the README's table."""
    return [(m[1], re.findall(r'`(--[\w-]+)`', m[2])) for m in re.finditer(r'(?m)^\| `(\w+)\.grc` (.*)', text_of(f'{FOLDER}/README.md'))]


def test_graphs_have_known_blocks_and_ends():
    assert NAMES == ['impair', 'record', 'replay', 'waterfall'], NAMES
    for name in NAMES:
        blocks, connections = graph(name)
        assert {b['id'] for b in blocks.values()} <= BLOCKS, (name, blocks)
        ends = {e for c in connections for e in c}
        streams = {n for n, b in blocks.items() if b['id'] not in ('parameter', 'variable')}
        assert ends == streams, (name, ends ^ streams)
        gui = 'qt_gui' if name == 'waterfall' else 'no_gui'
        assert f'\n    generate_options: {gui}\n' in text_of(f'{FOLDER}/{name}.grc'), name


def test_the_readme_names_the_options():
    options = {g: {'--' + n.replace('_', '-') for n, b in graph(g)[0].items() if b['id'] == 'parameter' and b.get('type')} for g in NAMES}
    assert {g: set(named) for g, named in table()} == options, options
    assert {g for g, _ in commands()} == set(NAMES) - {'waterfall'}, commands()
    for g, named in commands():
        assert set(named) <= options[g], (g, named)


def test_grcc_compiles_them(folder):
    if not shutil.which('grcc'):
        skip('GNU Radio is not installed')
    r = subprocess.run(['grcc', '-o', folder, *(f'{FOLDER}/{name}.grc' for name in NAMES)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    assert r.returncode == 0 and sorted(os.listdir(folder)) == [name + '.py' for name in NAMES], r.stdout


if __name__ == '__main__':
    main()
