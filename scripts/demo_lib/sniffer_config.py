"""The sniffer's configuration beside UEs of one transmission mode and bandwidth: configs/sniffer.yaml with what such a UE says of its pools."""
import os, re, subprocess, tempfile

from .world import ROOT


def text(root, prose_ue, tm, prb, sync):
    """`prose_ue`: the program."""
    with open(os.path.join(root, 'configs', 'mary.yaml')) as f:
        ue = f.read()
    for key, value in (('prb', prb), ('tm', tm)):
        ue, count = re.subn(r'(?m)^  %s: \d+' % key, '  %s: %d' % (key, value), ue)
        if count != 1:
            raise RuntimeError('configs/mary.yaml: no carrier.%s' % key)
    with tempfile.NamedTemporaryFile('w', suffix='.yaml') as f:
        f.write(ue)
        f.flush()
        said = subprocess.run([prose_ue, '--config', f.name, '--show-pools'], capture_output=True, text=True, check=True).stdout
    carrier, _, pools = said.partition('\nsync: ')
    pools = pools.partition('\n')[2]
    with open(os.path.join(root, 'configs', 'sniffer.yaml')) as f:
        t = f.read()
    for pattern, with_ in ((r'(?m)^carrier: .*$', carrier), (r'(?m)^sync: .*$', 'sync: ' + sync), (r'(?ms)^pools:.*?(?=^\s*$)', pools)):
        t, count = re.subn(pattern, lambda _: with_, t)
        if count != 1:
            raise RuntimeError('configs/sniffer.yaml: nothing matches ' + pattern)
    return t


def write(w):
    """sniffer.yaml of a demonstration."""
    with open(w.path('sniffer.yaml'), 'w') as f:
        f.write(text(ROOT, w.program('prose-ue'), int(w.options.tm), int(w.options.prb), w.timing()))
