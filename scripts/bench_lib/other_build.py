"""Builds another commit in a temporary folder, only what is needed."""
import os, signal, subprocess, time

from ..demo_lib import world
from .programs import ignore_signals

KEPT = ('CMAKE_BUILD_TYPE', 'CMAKE_CXX_COMPILER', 'PROSE_NATIVE', 'PROSE_HARDENED')   # as the first build has them
POLL_S, SAY_EVERY_S, SAID_OCTETS = 0.1, 30, 400


def resolve(commit):
    """Its 40 digits. ValueError: one line."""
    r = subprocess.run(['git', '-C', world.ROOT, 'rev-parse', '--verify', '--quiet', '--end-of-options', commit + '^{commit}'], capture_output=True, text=True)
    if r.returncode != 0:
        raise ValueError('--against-commit %s: no such commit here; accepted: what git log shows' % commit)
    return r.stdout.strip()


class other_build:
    """with other_build(commit, folder, options_of_the_first) as b: b.make(targets); b.build. The working tree is gone afterwards."""

    def __init__(self, commit, folder, options, say):
        self.commit, self.source, self.build, self.say = commit, os.path.join(folder, 'source'), os.path.join(folder, 'build'), say
        self.log, self.options, self.process = os.path.join(folder, 'build.log'), options, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        ignore_signals()
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()
        if self.process:
            for how in (['remove', '--force', self.source], ['prune']):
                subprocess.run(['git', '-C', world.ROOT, 'worktree', *how], capture_output=True, start_new_session=True)

    def run(self, what, command):
        began = time.monotonic()
        said = began
        with open(self.log, 'w') as log, world.not_stopped():
            self.process = world.background(command, None, log)   # of a session of its own, so that killpg() reaches compilers too
        while self.process.poll() is None:
            if time.monotonic() >= said + SAY_EVERY_S:
                said = time.monotonic()
                self.say('%s, for %d s so far' % (what, said - began))
            time.sleep(POLL_S)
        if self.process.returncode != 0:
            with open(self.log, errors='replace') as f:
                raise RuntimeError('%s failed: %s' % (what, f.read()[-SAID_OCTETS:].strip()))

    def make(self, targets):
        """Those of these that this commit has."""
        self.say('takes %s out of git' % self.commit[:12])
        self.run('git worktree add', ['git', '-C', world.ROOT, 'worktree', 'add', '--detach', '--quiet', self.source, self.commit])
        self.say('configures it')
        kept = ['-D%s=%s' % (k, self.options[k]) for k in KEPT if self.options.get(k)]
        self.run('cmake', ['cmake', '-S', self.source, '-B', self.build, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Release', *kept])
        known = subprocess.run(['cmake', '--build', self.build, '--target', 'help'], capture_output=True, text=True).stdout
        there = {line.partition(':')[0] for line in known.splitlines()}
        wanted = [t for t in targets if t in there]
        if not wanted:
            raise RuntimeError('%s has none of the programs that are measured' % self.commit[:12])
        self.say('builds ' + ', '.join(wanted))
        self.run('the build', ['cmake', '--build', self.build, '--target', *wanted])
