"""The project's programs: run to their end, or in the background."""
import signal, subprocess, time

from tests.harness.files import json_lines, text_of
from tests.harness.paths import ENV, program


def run(name, *arguments, code=0, timeout=100, **more):
    """Runs a program to its end; code None: any exit code."""
    more = {'env': ENV, 'capture_output': True, 'text': True, **more}
    r = subprocess.run([program(name), *map(str, arguments)], timeout=timeout, **more)
    assert code is None or r.returncode == code, (r.args, r.returncode, r.stderr)
    return r


def wait(condition, seconds=150, programs=(), what='what the test waits for'):
    """Until the condition holds. `programs`: processes that must not end meanwhile."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        for p in programs:
            assert p.poll() is None, '%s ended with %s before there was %s' % (p.args[0], p.returncode, what)
        assert time.monotonic() < end, 'not within %d s: %s' % (seconds, what)
        time.sleep(0.05)


def give_time(condition, seconds=60):
    """As wait(), for a condition that the test judges afterwards."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


def catches(p, kind):
    """Whether a process has a handler for a signal: before that the signal would end it at once."""
    status = text_of('/proc/%d/status' % p.pid)
    return 'SigCgt:' in status and bool(int(status.split('SigCgt:')[1].split()[0], 16) >> (kind - 1) & 1)


class Background:
    """A program that runs, its standard error in `log` and its events, if it writes any, in `events`."""

    def __init__(self, name, *arguments, log, events=None, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, prefix=(), **more):
        self.log, self.events_path = log, events
        told = ['--events', events] if events else []
        with open(log, 'w') as f:
            self.p = subprocess.Popen([*prefix, program(name), *map(str, arguments), *told], stdin=stdin, stdout=stdout, stderr=f, **{'env': ENV, **more})

    def poll(self):
        return self.p.poll()

    @property
    def args(self):
        return self.p.args

    @property
    def returncode(self):
        return self.p.returncode

    def said(self):
        """Its standard error so far."""
        return text_of(self.log)

    def events(self):
        return json_lines(self.events_path)

    def of(self, kind, peer=None):
        return [e for e in self.events() if e['event'] == kind and peer in (None, e.get('peer'))]

    def end(self, code=0, timeout=60):
        """Waits for its end; its standard error."""
        got = self.p.wait(timeout)
        assert got == code, '%s: exit code %d: %s' % (self.p.args[0], got, self.said()[-500:])
        return self.said()

    def stop(self, how=signal.SIGINT, code=0, timeout=60):
        """how None: it ends by itself."""
        if how and self.poll() is None:
            self.p.send_signal(how)
        return self.end(code, timeout)

    def kill(self):
        if self.poll() is None:
            self.p.kill()
        self.p.wait()


def stop_all(processes, timeout=30):
    """At the end of a test, whatever happened in it: all are told first, so that they end together."""
    for p in processes:
        if p.poll() is None:
            p.send_signal(signal.SIGINT)
    for p in processes:
        try:
            p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
