"""prose-sniffer --look: its readers change nothing of what it decodes, and prose-page shows it."""
import base64, contextlib, json, os, shutil, signal, socket, stat, tempfile

from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.process import Background, run, wait
from tests.harness.scene import Scene
from tests.page.browser import Browser, Page

FOLDER = tempfile.TemporaryDirectory(prefix='prose-feed-')
RECORDING, CONFIG = (os.path.join(FOLDER.name, n) for n in ('x.sigmf-meta', 'sniffer.yaml'))


class Reader:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.settimeout(60)
        self.s.connect(path)
        self.lines = self.s.makefile('rb')

    def next(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def close(self):
        self.lines.close()
        self.s.close()


def record():
    """Two seconds of an air with three UEs, to read again and again."""
    with Scene(tm=4, prb=25) as s:
        s.record_busy(s.sniffer_config('gnss'), 2, 100)
        for name in os.listdir(s.path()):
            if name.startswith('x.sigmf') or name == 'sniffer.yaml':
                shutil.copy(s.path(name), FOLDER.name)


@contextlib.contextmanager
def sniffer(folder):
    """One that reads the recording again and again; its socket is there. It ends with the test, whatever happened."""
    look = os.path.join(folder, 'look')
    p = Background('prose-sniffer', '--config', CONFIG, '--iq', RECORDING, '--loop', 1000000, '--plain', '--log-level', 'warn', '--look', look, log=os.path.join(folder, 'log'),
                   events=os.path.join(folder, 'events'))
    try:
        wait(lambda: os.path.exists(look), programs=[p], what='the socket')
        yield p, look
    finally:
        p.kill()


def test_a_reader_that_stalls_costs_the_decode_nothing(folder):
    with sniffer(folder) as (p, look):
        assert stat.S_IMODE(os.stat(look).st_mode) == 0o600
        stalled, reader = Reader(look), Reader(look)
        hello = reader.next()
        assert hello['look'] == 'hello' and hello['bins'] == 256 and hello['carrier']['tm'] == 4, hello
        octets, points = 0, set()
        while octets < 3 << 20 or not points:  # more than the stalled one's share of the kernel's memory and the sniffer's
            line = reader.next()
            octets += len(json.dumps(line))
            if line['look'] == 'points':
                assert 0 < len(base64.b64decode(line['iq'])) <= 400 and 0 < line['evm'] < 1, line
                points.add((line['channel'], line['modulation']))
        assert {c for c, _ in points} <= {'PSCCH', 'PSSCH', 'PSBCH', 'PSDCH'}, points
        reader.close()
        line = stalled.next()
        while 'dropped' not in line:
            line = stalled.next()
        assert line['dropped'] > 0
        p.stop(signal.SIGINT)
        while stalled.next() is not None:  # its end is told by the socket's
            pass
        stalled.close()
        assert not os.path.exists(look)
        # The same events as without anybody looking. The end of the last round is where Ctrl-C came.
        with_readers = text_of(p.events_path).splitlines()
        plain = os.path.join(folder, 'plain')
        run('prose-sniffer', '--config', CONFIG, '--iq', RECORDING, '--loop', 1000000, '--plain', '--log-level', 'warn', '--events', plain, '--duration', json.loads(with_readers[-1])['t'], timeout=250)
        whole = with_readers[:-10]
        assert len(whole) > 100 and text_of(plain).splitlines()[:len(whole)] == whole


def test_the_page_shows_the_sniffer(folder):
    with sniffer(folder) as (p, look):
        page = Page(os.path.join(folder, 'page.log'), '--look', look, '--events', p.events_path)
        b = Browser(page).stream()
        b.until(lambda b: b.of('waterfall') and b.of('points') and b.items('frames'), 'all that the sniffer gives')
        assert b.of('hello')[-1]['carrier']['tm'] == 4 and any(s['sniffer'] == 'running' for s in b.of('status')) or b.until(
            lambda b: b.of('status')[-1]['sniffer'] == 'running', 'its status')
        assert {f['channel'] for f in b.items('frames')} & {'PSCCH', 'PSSCH', 'PSDCH'}
        p.stop(signal.SIGINT)
        b.until(lambda b: b.of('status')[-1]['sniffer'] == 'ended', 'its end')
        b.close()
        page.stop()


def test_options(folder):
    here = os.path.join(folder, 'file')
    with open(here, 'w'):
        pass
    for wrong, said in ((here, 'no socket'), (os.path.join(folder, 'x' * 200), 'octets'), (os.path.join(folder, 'no', 'x'), 'no such')):
        for more in ([], ['--check']):
            r = run('prose-sniffer', RECORDING, '--look', wrong, *more, code=2)
            assert said in r.stderr.lower() and r.stderr.count('\n') == 1, r.stderr
    r = run('prose-sniffer', RECORDING, '--look', here + 'x', '--check')
    assert os.listdir(folder) == ['file'], os.listdir(folder)
    run('prose-sniffer', RECORDING, '--look', here + 'x', '--plain')
    assert os.listdir(folder) == ['file'], os.listdir(folder)


if __name__ == '__main__':
    record()
    main()
