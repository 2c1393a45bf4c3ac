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
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as f:
            f.write(yaml + "\n")
        self.p = subprocess.Popen([BIN + "/prose-air", "--config", f.name, "--air", self.name, "--speed", speed, "--log-level", "warn"],
                                  stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.p.stdout.readline().strip()
        os.unlink(f.name)
        assert line == f"prose-air: ready, air '{self.name}'", line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGINT)
        self.p.wait(10)

    def device(self, name):
        return f"type=virtual,name={name},air={self.name}"


def run(command, timeout=60, expect=0):
    p = subprocess.run(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    if expect is not None:
        assert p.returncode == expect, f"{command}: exit {p.returncode}\n{p.stdout}"
    return p.stdout


def peer(device, *options):
    return subprocess.Popen([PEER, "--device", device, *map(str, options)], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(p, timeout=60):
    out, err = p.communicate(timeout=timeout)
    assert p.returncode == 0, err
    return json.loads(out.strip().splitlines()[-1])


def wait_line(p, text):
    for line in p.stdout:
        if line.startswith(text):
            return
    raise AssertionError(f"ended before '{text}': {p.stderr.read()}")


def main(tests):
    only = sys.argv[4:]
    for t in tests:
        if only and t.__name__ not in only:
            continue
        started = time.monotonic()
        print("RUN ", t.__name__, flush=True)
        t()
        print("OK  ", t.__name__, f"{time.monotonic() - started:.1f} s", flush=True)
