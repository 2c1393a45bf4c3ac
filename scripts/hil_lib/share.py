"""What a report that is sent to others must not tell of the operator: names of machines, folders, serial numbers, addresses."""
import os, re, socket

from hil_lib import judge

SECRET_KEYS = ('serial', 'addr', 'second_addr', 'mgmt_addr', 'name')
NUMBERS = ('serial', 'addr', 'second_addr', 'mgmt_addr')  # told by UHD without their keys too
SHORT = 4  # a number shorter than this would also be found where it means something else
# Words of every report. A machine called so is not told by them, and without them the report could not be read.
USUAL = set(re.findall(r'\w+', ' '.join((*judge.GRADES, *judge.REMEDY.values(),
                                         'A B C D to and of radio demo hil scripts mary john peter sniffer internal external gpsdo')).lower()))
MAC = r'(?i)\b(?:(?:en|wl|ww)x[0-9a-f]{12}|[0-9a-f]{2}(?::[0-9a-f]{2}){5})\b'  # also in the name of a network interface


class share:
    def __init__(self, devices):
        """devices: {letter: UHD arguments}."""
        self.words = [(args, 'radio ' + letter) for letter, args in devices.items()]
        values = {v for args in devices.values() for k, _, v in (x.partition('=') for x in args.split(',')) if k.rstrip('0123456789') in NUMBERS}
        hosts = {h for h in (socket.gethostname(), socket.gethostname().split('.')[0]) if h and not h.isdigit() and h.lower() not in USUAL}
        self.whole = sorted({v for v in values if len(v) >= SHORT} | hosts, key=len, reverse=True)
        home = os.path.expanduser('~')
        if len(home) >= SHORT:
            self.words.append((home, 'HOME'))
        self.words.sort(key=lambda w: -len(w[0]))

    def text(self, t):
        for word, with_ in self.words:
            t = t.replace(word, with_)
        t = re.sub(r'\b(%s)\d?=[^\s,\'";]+' % '|'.join(SECRET_KEYS), r'\1=...', t)
        for word in self.whole:
            t = re.sub(r'(?<![\w.])%s(?!\w)' % re.escape(word), '...', t)
        t = re.sub(MAC, '...', t)
        t = re.sub(r'(?<![\w.])/(?:[\w.+~-]+/)+([\w.+~-]+)', r'\1', t)
        return re.sub(r'\b\d{1,3}(\.\d{1,3}){3}\b', '...', t)

    def all(self, x):
        if isinstance(x, str):
            return self.text(x)
        if isinstance(x, dict):
            return {k: self.all(v) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            return [self.all(v) for v in x]
        return x
