"""Wireshark's reading of a capture."""
import os, shutil, subprocess, tempfile

from tests.harness.paths import SOURCE

PLUGIN = os.path.join(SOURCE, 'scripts', 'wireshark', 'prose.lua')


def tshark(path, names, *options, plugin=None):
    """Wireshark runs no plugins as root from 4.4 on, and does not say so; another user reads copies."""
    with tempfile.TemporaryDirectory() as d:
        command = ['tshark', '-T', 'fields', *[x for n in names for x in ('-e', n)], *options]
        files = [path] + ([plugin] if plugin else [])
        if plugin and os.geteuid() == 0:
            os.chmod(d, 0o755)
            files = [shutil.copyfile(f, os.path.join(d, os.path.basename(f))) for f in files]
            for f in files:
                os.chmod(f, 0o644)
            command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', 'HOME=/nonexistent', *command]
        command += ['-r', files[0]] + (['-X', 'lua_script:' + files[1]] if plugin else [])
        r = subprocess.run(command, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return [dict(zip(names, l.split('\t'))) for l in r.stdout.rstrip('\n').split('\n')] if r.stdout else []
