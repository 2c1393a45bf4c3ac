"""prose-keys: keys, permissions and certificates in files."""
import os

from tests.harness.process import run


def prose_keys(*arguments, code=0, **more):
    return run('prose-keys', *arguments, code=code, **more)


class Keys:
    """FOLDER/NAME.key and FOLDER/NAME.permit of each name; `links`: pairs that permit each other."""

    def __init__(self, folder, names=('mary', 'john'), links=(('mary', 'john'),)):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        for n in names:
            prose_keys('gen', self.path(n + '.key'))
        for a, b in links:
            self.permit(a, b)
            self.permit(b, a)

    def path(self, name):
        return os.path.join(self.folder, name)

    def public(self, name):
        return prose_keys('pub', self.path(name + '.key')).stdout.strip()

    def permit(self, owner, peer):
        prose_keys('permit', '--permits', self.path(owner + '.permit'), peer, self.public(peer))


class Authority:
    """A certificate authority below FOLDER and what it issues: FOLDER/NAME.crt and FOLDER/NAME.key."""

    def __init__(self, folder, servers=(), users=()):
        self.folder = folder
        prose_keys('ca', 'init', '--folder', folder)
        for s in servers:
            self.issue(s, '--server')
        for u in users:
            self.issue(u)

    def issue(self, name, *options):
        prose_keys('ca', 'issue', name, *options, '--folder', self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def server_options(self, name):
        return ['--ca', self.path('ca.crt'), '--certificate', self.path(name + '.crt'), '--key', self.path(name + '.key')]

    def user_options(self, name):
        return ['--user', name, '--ca', self.path('ca.crt'), '--certificate', self.path(name + '.crt'), '--tls-key', self.path(name + '.key')]
