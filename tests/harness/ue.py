"""prose-ue as a process."""
import os, signal, subprocess

from tests.harness.files import configuration, write
from tests.harness.keys import Keys
from tests.harness.process import Background


def configure(folder, air, tm=2, source='gnss'):
    """FOLDER/mary.yaml and FOLDER/john.yaml, who permit each other, on this air; their keys in FOLDER/keys."""
    keys = Keys(os.path.join(folder, 'keys'))
    for n in ('mary', 'john'):
        write(os.path.join(folder, n + '.yaml'), configuration(n, (r'(?m)^device: .*', 'device: ' + air.device(n)), (r'(?m)^  tm: \d', f'  tm: {tm}'),
                                                               (r'(?m)^  source: \w+', '  source: ' + source)))
    return keys


class Ue(Background):
    """FOLDER/NAME.yaml; events, log and, with stdin, what it prints in FOLDER/RUN.jsonl, .log and .out."""

    def __init__(self, folder, name, *options, run=None, stdin=subprocess.PIPE, prefix=()):
        self.out = os.path.join(folder, (run or name) + '.out')
        path = lambda kind: os.path.join(folder, f'{run or name}.{kind}')
        with open(self.out, 'w') as out:
            super().__init__('prose-ue', '--config', os.path.join(folder, name + '.yaml'), *options, log=path('log'), events=path('jsonl'), stdin=stdin, stdout=out, prefix=prefix)

    def say(self, text):
        self.p.stdin.write((text + '\n').encode())
        self.p.stdin.flush()

    def lines(self):
        """What it has printed."""
        with open(self.out) as f:
            return f.read().splitlines()

    def stop(self, how=signal.SIGINT, code=0, timeout=60):
        """Ends it; what it printed."""
        super().stop(how, code, timeout)
        return self.lines()
