"""An installed Wireshark plugin does not disturb whoever loads the one of the source (or another copy) too."""
import os, shutil, struct, subprocess

from tests.harness.cases import main, skip_all
from tests.harness.files import write
from tests.harness.tshark import PLUGIN

NO_PACKETS = struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 252)
AS_NOBODY = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')  # Wireshark loads no plugins for root, or not from this folder


def said(folder, *options):
    r = subprocess.run([*(AS_NOBODY if os.geteuid() == 0 else ()), 'tshark', *options, '-Y', 'prose.slrb', '-r', os.path.join(folder, 'x.pcap')],
                       env=dict(os.environ, HOME='/nonexistent', WIRESHARK_PLUGIN_DIR=os.path.join(folder, 'installed')), capture_output=True, text=True)
    return r.returncode, r.stderr


def test_loaded_twice(folder):
    os.chmod(folder, 0o755)
    write(os.path.join(folder, 'x.pcap'), NO_PACKETS, 0o644)
    os.mkdir(os.path.join(folder, 'installed'))
    os.chmod(os.path.join(folder, 'installed'), 0o755)
    second = ('-X', 'lua_script:' + os.path.join(folder, 'second.lua'))
    os.chmod(shutil.copyfile(PLUGIN, os.path.join(folder, 'second.lua')), 0o644)
    assert 'prose.slrb' in said(folder)[1], 'control: without a plugin the filter is a mistake'
    assert said(folder, *second) == (0, '')
    os.chmod(shutil.copyfile(PLUGIN, os.path.join(folder, 'installed', 'prose.lua')), 0o644)
    assert said(folder) == (0, '')
    assert said(folder, *second) == (0, '')


if __name__ == '__main__':
    if not shutil.which('tshark'):
        skip_all('tshark is not installed')
    main()
