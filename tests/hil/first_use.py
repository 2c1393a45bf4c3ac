"""scripts/hil as a process, on an emulated air."""
import json, os, re, socket, subprocess, xml.dom.minidom

from tests.harness.files import text_of, write
from tests.harness.paths import BUILD, ENV, SOURCE

HIL = os.path.join(SOURCE, 'scripts', 'hil')
CARRIER_HZ = 5.9e9
BURST_DBFS = -12
PROFILE = 'sample_rate_hz: 7.68e6\ncenter_freq_hz: %g\nturnaround_s: 0.0001\nrx_gain_db: %g\ntx_gain_db: 0\n'
STALL = 'stall_ms: 20000\n'  # a reader that waits for a processor loses nothing, as in cabled_air.yaml
QUIET = STALL + 'nodes: {"*": {noise_dbfs: -60}}\n'


class Hil:
    """A run of it in the folder d."""

    def __init__(self, d, air, names, *options, rx_gain_db=0, clocks='', consent='--yes', demo=False, nobody_reads=False, env=ENV):
        self.out, self.air, self.names = d + '/out', air, names
        profile = write(d + '/profile.yaml', PROFILE % (CARRIER_HZ, rx_gain_db) + clocks)
        devices = [x for n in names for x in ('--device', air.device(n))]
        if nobody_reads:
            read, said = os.pipe()
            os.close(read)
        else:
            said = open(d + '/said', 'w')
        self.p = subprocess.Popen([HIL, *devices, '--build', BUILD, '--radio', profile, '--out', self.out, *options,
                                   *([] if demo else ['--no-demo']), *([consent] if consent else [])],
                                  cwd=d, env=env, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, text=True)
        os.close(said) if nobody_reads else said.close()
        self.said = lambda: text_of(d + '/said')

    def end(self, code, answers=''):
        self.p.communicate(answers, timeout=600)
        assert self.p.returncode == code, (self.p.returncode, self.said())
        page = text_of(self.out + '/report.html')
        for drawing in re.findall(r'<svg.*?</svg>', page):
            xml.dom.minidom.parseString(drawing)
        for told in (page, text_of(self.out + '/report.json')):
            for secret in (socket.gethostname(), SOURCE, self.out, self.air.name):
                assert not re.search(r'\b%s\b' % re.escape(secret), told), secret
        assert 'http' not in page and '<script' not in page
        self.report = json.loads(text_of(self.out + '/report.json'))
        return self

    def path(self, a, b):
        return next(p for p in self.report['paths'] if (p['from'], p['to']) == (a, b))

    def wrong(self):
        return {f['what']: f for f in self.report['findings'] if f['grade'] == 'wrong'}
