"""--out: a folder to open afterwards. It has the sniffer's report, what it heard as pcap with John's key log and a Wireshark profile, and three seconds of
signal as an annotated SigMF recording."""
import os, shlex, shutil

from . import traffic
from .world import INSTALLED, LINKS, ROOT, background

RECORDED_S = 3
PLUGIN = os.path.join(ROOT, 'scripts', 'wireshark', 'prose.lua')
COLUMNS = (('No.', '%m'), ('Time', '%t'), ('Source', '%Cus:mac-lte.slsch.src-l2-id'), ('Destination', '%Cus:mac-lte.slsch.dst-l2-id'), ('Protocol', '%p'), ('Length', '%L'), ('Info', '%i'))
COLOURS = (('opened with the key log', 'prose.slrb.opened', '[53970,63222,54484]'), ('set-up', 'prose.pc5s', '[65535,62194,52428]'),
           ('discovery', 'prose.pc5_discovery', '[57311,60395,65535]'))


def wireshark_profile(folder, key_log):
    """What WIRESHARK_CONFIG_DIR names."""
    os.makedirs(folder)
    with open(os.path.join(folder, 'preferences'), 'w') as f:
        f.write('gui.column.format: %s\nprose.slrb.keylog: %s\n' % (', '.join('"%s", "%s"' % c for c in COLUMNS), key_log))
    with open(os.path.join(folder, 'colorfilters'), 'w') as f:
        f.writelines('@%s@%s@%s[0,0,0]\n' % c for c in COLOURS)


class results_part:
    def add_arguments(self, parser):
        parser.add_argument('--out', metavar='FOLDER', help='leave there what can be opened: the report, a pcap, a recording (about 100 MB); default on a terminal: demo-DATE-TIME')

    def prepare(self, w):
        self.folder = w.results and os.path.abspath(w.results)
        self.iq = w.program('prose-iq')

    def check(self, w):
        """A second sniffer, for as long as it records; pings meanwhile."""
        if not self.folder or w.real_radios():
            return
        w.telling.phase('recording %d s of signal' % RECORDED_S)
        p = self.record(w)
        try:
            while p.poll() is None:
                for a, b in LINKS:
                    traffic.ping(w, a, b, n=1)
        finally:
            if p.poll() is None:
                p.terminate()
                p.wait(60)

    def record(self, w):
        """The second sniffer: it ends by itself."""
        with open(w.path('recorder.log'), 'w') as log:
            return background([w.program('prose-sniffer'), '--config', w.path('sniffer.yaml'), '--device', w.device('recorder'), '--plain', '--duration', str(RECORDED_S),
                               '--record', os.path.join(self.folder, 'recording.sigmf-meta'), '--record-type', 'ci16'], w.env, log)

    def finish(self, w):
        if not self.folder:
            return
        for name, to in (('sniffer_report.html', 'report.html'), ('sniffer.pcap', 'air.pcap'), ('john.keylog', 'john.keylog')):
            if os.path.exists(w.path(name)):
                shutil.copy(w.path(name), os.path.join(self.folder, to))
        profile = os.path.join(self.folder, 'wireshark')
        shutil.rmtree(profile, ignore_errors=True)
        wireshark_profile(profile, os.path.join(self.folder, 'john.keylog'))
        with open(os.path.join(self.folder, 'README.txt'), 'w') as f:
            f.write('What a demonstration of Mary, John, Peter and a sniffer left.\n\n' + '\n\n'.join('%s:\n    %s' % x for x in self.commands()) + '\n\n'
                    'john.keylog holds the keys of both of John\'s links. Without it air.pcap is what an eavesdropper has: delete the line prose.slrb.keylog\n'
                    'from wireshark/preferences to see that.\n')

    def commands(self):
        """[(what it shows, command)] of what is there."""
        there = lambda name: os.path.join(self.folder, name)
        inside = lambda name: shlex.quote(there(name))
        plugin = '' if INSTALLED else '-X lua_script:%s ' % shlex.quote(PLUGIN)
        found = [('report.html', 'the report of the sniffer, in a browser', 'xdg-open %s' % inside('report.html')),
                 ('air.pcap', 'what was on the air, with John\'s keys', 'WIRESHARK_CONFIG_DIR=%s wireshark %s-r %s' % (inside('wireshark'), plugin, inside('air.pcap'))),
                 ('recording.sigmf-meta', 'the signal with its decoded frames (annotated SigMF; inspectrum opens it too)',
                  '%s plot %s %s' % ('prose-iq' if INSTALLED else shlex.quote(self.iq), inside('recording.sigmf-meta'), inside('recording.png')))]
        return [(what, command) for name, what, command in found if os.path.exists(there(name))]

    def tell(self, w):
        if self.folder:
            w.telling.heading('To open (%s)' % self.folder)
            for what, command in self.commands():
                w.telling.line('%s:\n    %s' % (what, command))
