"""prose-air and its users as processes, each air with a name of its own. Used by the tests beside this file."""
import json, os, signal, subprocess, sys, tempfile, time

BIN, PEER, MODULES = sys.argv[1:4]
ENV = dict(os.environ, UHD_MODULE_PATH=MODULES, UHD_LOG_CONSOLE_LEVEL="error")
EXAMPLES = next((d for d in ("/usr/libexec/uhd/examples", "/usr/lib/uhd/examples") if os.path.isdir(d)), "")
_count = 0


class Air:
    def __init__(self, yaml="", speed="1"):
        global _count
        _count += 1
        self.name = f"t{os.getpid()}_{_count}"
        self.log = tempfile.TemporaryFile(mode="w+")
        self.events = tempfile.NamedTemporaryFile("r", suffix=".jsonl")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as f:
            f.write(yaml + "\n")
        self.p = subprocess.Popen([BIN + "/prose-air", "--config", f.name, "--air", self.name, "--speed", speed, "--start", "0", "--log-level", "warn",
                                   "--events", self.events.name],
                                  stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.p.stdout.readline().strip()
        os.unlink(f.name)
        assert line == f"prose-air: ready, air '{self.name}'", line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGINT)
        self.p.wait(60)

    def until_joined(self, name, seconds=60):
        """How long a program takes to load UHD and to open its device is the machine's affair."""
        end = time.monotonic() + seconds
        while not any('"node_joined"' in line and f'"{name}"' in line for line in open(self.events.name)):
            assert time.monotonic() < end, f"{name} is not on the air within {seconds} s"
            time.sleep(0.02)

    def device(self, name):
        return f"type=virtual,name={name},air={self.name}"


def run(command, timeout=60, expect=0):
    p = subprocess.run(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    if expect is not None:
        assert p.returncode == expect, f"{command}: exit {p.returncode}\n{p.stdout}"
    return p.stdout


def peer(device, *options, **kw):
    return subprocess.Popen([PEER, "--device", device, *map(str, options)], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)


class Together:
    """with Together(air) as t: users that begin at t.START exactly, however long they take to start: a receiver holds the air (which must have
    stall_ms for that) until all of them are ready."""
    START = 20

    def __init__(self, air):
        self.gate = peer(air.device("gate"), "--rate", 0.2e6, "--seconds", 1000, "--hold-at", self.START - 0.5, stdin=subprocess.PIPE)
        wait_line(self.gate, "holds")
        self.users = []

    def __enter__(self):
        return self

    def start(self, device, *options):
        self.users.append(peer(device, "--start", self.START, *options))
        return self.users[-1]

    def __exit__(self, kind, *_):
        if kind is None:
            for p in self.users:
                wait_line(p, "ready")
        self.gate.kill()
        self.gate.communicate()


def result(p, timeout=60):
    out, err = p.communicate(timeout=timeout)
    assert p.returncode == 0, err
    return json.loads(out.strip().splitlines()[-1])


def lines(p):
    """What it says; p.at is where it was when it last told."""
    for line in p.stdout:
        if line.startswith("progress"):
            p.at = float(line.split()[1])
        yield line


def wait_line(p, text):
    for line in lines(p):
        if line.startswith(text):
            return
    raise AssertionError(f"ended before '{text}': {p.stderr.read()}")


class TooSlow(AssertionError):
    """A limit in seconds of the wall's clock was not kept. A busy machine may be the reason once in a while, but not three times."""


def keeps(limit_s, took_s, what):
    if took_s >= limit_s:
        raise TooSlow(f"{what}: {took_s:.2f} s, at most {limit_s} s")


def main(tests):
    only = sys.argv[4:]
    for t in tests:
        if only and t.__name__ not in only:
            continue
        started = time.monotonic()
        for tries_left in (2, 1, 0):
            print("RUN ", t.__name__, flush=True)
            try:
                t()
                break
            except TooSlow as e:
                if not tries_left:
                    raise
                print("SLOW", t.__name__, e, flush=True)
        print("OK  ", t.__name__, f"{time.monotonic() - started:.1f} s", flush=True)
