"""The examples run, and draw."""
import os, re, struct, subprocess, sys

from tests.harness.paths import REGRESSION, SOURCE

FOLDER = os.path.join(SOURCE, 'apps', 'python', 'examples')
TM4 = os.path.join(REGRESSION, 'regression_tm4.sigmf-meta')


def example(name, *arguments, code=0):
    p = subprocess.run([sys.executable, '-B', os.path.join(FOLDER, name), *map(str, arguments)], capture_output=True, text=True)
    assert p.returncode == code, p.stdout + p.stderr
    return p.stdout + p.stderr


def size(png):
    """Width and height of a picture that has content."""
    data = png.read_bytes()
    assert data[:8] == b'\x89PNG\r\n\x1a\n' and len(data) > 5000
    return struct.unpack('>II', data[16:24])


def test_spectrogram_with_frames(tmp_path):
    out = example('spectrogram.py', TM4, tmp_path / 'x.png', '--carrier', 'prb=25,tm=4', '--sync', 'gnss', '--subframes', 4)
    assert int(out.split()[0]) >= 6 and size(tmp_path / 'x.png') == (1100, 750)


def test_constellation_before_and_after_equalisation(tmp_path):
    out = example('constellation.py', TM4, tmp_path / 'x.png', '--carrier', 'prb=25,tm=4', '--sync', 'gnss')
    assert float(re.search(r'EVM ([\d.]+) %', out)[1]) < 30 and size(tmp_path / 'x.png') == (1100, 750)
    assert 'there is no block 999' in example('constellation.py', TM4, tmp_path / 'y.png', '--carrier', 'prb=25,tm=4', '--sync', 'gnss', '--block', 999, code=1)


def test_bler_with_the_bound(tmp_path):
    """The table of apps/bler/table.h has -2.0 dB as the bound's 10 % point of MCS 4 with 10 PRB; the receiver stays above its bound, and reaches its target."""
    out = example('bler.py', tmp_path / 'x.png', '--mcs', 4, '--snr=-2:4:2', '--blocks', 60)
    rows = [[float(x) for x in re.findall(r'-?\d[\d.e-]*', line)] for line in out.splitlines()]
    assert len(rows) == 2 and size(tmp_path / 'x.png') == (1100, 750)
    (_, first, low, high, least), (_, last, *_) = rows
    assert low <= first <= high and 0.05 < least < 0.2 and first > least and last < 0.2
