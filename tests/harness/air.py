"""The emulated air as a process."""
import itertools, os, signal, subprocess, tempfile

from tests.harness.files import json_lines
from tests.harness.paths import ENV, program
from tests.harness.process import wait

PATH = 'default: {gain_db: %g, delay_us: 0.5}\nnodes: {%s}\nfaults: [%s]\n'
_counter = itertools.count(1)


def new_name():
    """Of an air that no other test has."""
    return f't{os.getpid()}_{next(_counter)}'


def scene(noise_dbfs=-60, gain_db=-20, node_noise=(), faults=()):
    """A configuration. `node_noise`: {name: dBFS} of nodes that hear worse than the others; `faults`: as configs/air.yaml has them."""
    noise = {'*': noise_dbfs, **dict(node_noise)}
    return PATH % (gain_db, ', '.join('"%s": {noise_dbfs: %.2f}' % x for x in noise.items()), ', '.join(faults))


class Air:
    """prose-air with a name of its own. speed "max": as fast as its users read. `start`: device time at its begin; None: as a user starts it, the host's
    time or after its last run, which it keeps below `state`."""

    def __init__(self, yaml='', speed='1', start='0', name=None, state=None):
        self.name = name or new_name()
        self.log = tempfile.TemporaryFile(mode='w+')
        self.events = tempfile.NamedTemporaryFile('r', suffix='.jsonl')
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as f:
            f.write(yaml + '\n')
            f.flush()
            self.p = subprocess.Popen([program('prose-air'), '--config', f.name, '--air', self.name, '--speed', speed, '--log-level', 'warn', '--events', self.events.name,
                                       *(['--start', start] if start is not None else [])], stdout=subprocess.PIPE, stderr=self.log, text=True,
                                      env=dict(ENV, XDG_STATE_HOME=state) if state else ENV)
            line = self.p.stdout.readline().strip()
        assert line == f"prose-air: ready, air '{self.name}'", line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGINT)
        self.p.wait(60)

    def device(self, name):
        return f'type=virtual,name={name},air={self.name}'

    def joined(self, name):
        """Whether it is on the air now: the last that the air told of it."""
        told = [e['event'] for e in json_lines(self.events.name) if e.get('node') == name]
        return told[-1:] == ['node_joined']

    def until_joined(self, name, seconds=60):
        """How long a program takes to load UHD and to open its device depends on the machine."""
        wait(lambda: self.joined(name), seconds, what=name + ' on the air')

    def die(self):
        """SIGKILL. The shared memory that stays would be taken over by the next air of this name."""
        self.p.kill()
        self.p.wait()

    def remove(self):
        os.unlink('/dev/shm/prose-air-' + self.name)
