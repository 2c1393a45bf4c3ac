"""Wireshark's reading of a capture."""
import os, shutil, subprocess, tempfile

from tests.harness.paths import SOURCE

PLUGIN = os.path.join(SOURCE, 'scripts', 'wireshark', 'prose.lua')


def tshark(path, names, *options, plugin=None):
    """Wireshark runs no plugins as root from 4.4 on, and does not say so; another user reads copies. Plugins of this machine, an installed copy of
    ours too, are not loaded."""
    with tempfile.TemporaryDirectory() as d:
        none = os.path.join(d, 'no_plugins')
        os.mkdir(none)
        command = ['tshark', '-T', 'fields', *[x for n in names for x in ('-e', n)], *options]
        files = [path] + ([plugin] if plugin else [])
        if os.geteuid() == 0:  # for root Wireshark does not take WIRESHARK_PLUGIN_DIR either
            os.chmod(d, 0o755)
            files = [shutil.copyfile(f, os.path.join(d, os.path.basename(f))) for f in files]
            for f in files:
                os.chmod(f, 0o644)
            command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', *command]
        command += ['-r', files[0]] + (['-X', 'lua_script:' + files[1]] if plugin else [])
        r = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, WIRESHARK_PLUGIN_DIR=none, HOME='/nonexistent'))
    assert r.returncode == 0, r.stderr
    return [dict(zip(names, l.split('\t'))) for l in r.stdout.rstrip('\n').split('\n')] if r.stdout else []
