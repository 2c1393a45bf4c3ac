"""air_peer, a user of the emulated air that sends bursts, counts what it hears and says where it is."""
import json, subprocess

from tests.harness.paths import ENV, tool


def peer(device, *options, **more):
    return subprocess.Popen([tool('air_peer'), '--device', device, *map(str, options)], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


class Together:
    """with Together(air) as t: users that begin at t.START exactly, however long they take to start: a receiver holds the air (which needs a long
    stall_ms) until all of them are ready."""
    START = 20

    def __init__(self, air):
        self.gate = peer(air.device('gate'), '--rate', 0.2e6, '--seconds', 1000, '--hold-at', self.START - 0.5, stdin=subprocess.PIPE)
        wait_line(self.gate, 'holds')
        self.users = []

    def __enter__(self):
        return self

    def start(self, device, *options):
        self.users.append(peer(device, '--start', self.START, *options))
        return self.users[-1]

    def __exit__(self, kind, *_):
        if kind is None:
            for p in self.users:
                wait_line(p, 'ready')
        self.gate.kill()
        self.gate.communicate()


def result(p, timeout=60):
    out, err = p.communicate(timeout=timeout)
    assert p.returncode == 0, err
    return json.loads(out.strip().splitlines()[-1])


def lines(p):
    """What it says; p.at is the time of its last progress."""
    for line in p.stdout:
        if line.startswith('progress'):
            p.at = float(line.split()[1])
        yield line


def wait_line(p, text):
    for line in lines(p):
        if line.startswith(text):
            return
    raise AssertionError(f"ended before '{text}': {p.stderr.read() if p.stderr else ''}")
