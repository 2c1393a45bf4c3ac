"""prose-sniffer as a process."""
from scripts.demo_lib import sniffer_config
from tests.harness.files import write
from tests.harness.paths import SOURCE, program
from tests.harness.process import Background


def configure(path, tm, prb, sync):
    """Its configuration beside UEs of this mode and bandwidth."""
    return write(path, sniffer_config.text(SOURCE, program('prose-ue'), tm, prb, sync))


class Sniffer(Background):
    """A live one on an air; `options` give carrier, pools and synchronisation."""

    def __init__(self, air, events, *options, name='live'):
        super().__init__('prose-sniffer', '--device', air.device(name), '--log-level', 'warn', *options, log=events + '.log', events=events)
