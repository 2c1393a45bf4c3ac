"""Three UEs and the sniffer on an emulated air that runs as fast as they read. Prints air seconds per wall second and, since that depends
on the machine's other load, each program's processor seconds per second of air. No test.
usage: python3 -B -m tests.integration.realtime_factor [tm] [prb] [seconds]"""
import sys, tempfile, time

from scripts.demo_lib import world as demo_world
from tests.harness import sniffer
from tests.harness.paths import BUILD


class Options:
    devices, channel, speed, time = '', 'clean', 'max', None
    tm = sys.argv[1] if len(sys.argv) > 1 else '2'
    prb = sys.argv[2] if len(sys.argv) > 2 else '25'


seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20
w = demo_world.world(Options, tempfile.mkdtemp(prefix='prose-factor-'), BUILD)
w.make_keys()
w.configure()
w.start()
sniffer.configure(w.path('sniffer.yaml'), int(Options.tm), int(Options.prb), w.timing())
w.spawn('sniffer', [w.program('prose-sniffer'), '--config', w.path('sniffer.yaml'), '--device', w.device('sniffer'), '--plain', '--events', w.path('sniffer.jsonl')])
last = lambda n: max((e['t'] for e in w.events(n)), default=0.0)
try:
    assert w.wait(lambda: all(w.events(a, 'link_established', b) for a, b in demo_world.ENDS), 120), 'no links'
    cpu, wall, air = w.cpu_seconds(), time.time(), last('john')
    end = wall + seconds
    while time.time() < end:  # datagrams both ways, and events to read the air's time from
        for a, b in demo_world.ENDS:
            w.sockets[a, b].sendto(b'x' * 500, ('127.0.0.1', w.ports[a, b]))
        time.sleep(0.05)
    used = {n: c - cpu[n] for n, c in w.cpu_seconds().items() if n in cpu}
    wall = time.time() - wall
    air = last('john') - air
    links_lost = sum(len(w.events(n, 'link_lost')) for n in demo_world.NAMES)
    radio = {n: [(e['overflows'], e['underflows'], e['lates']) for e in w.events(n, 'radio')] for n in demo_world.NAMES}
finally:
    codes = w.stop()
print('exit codes', codes)
print('TM%s %s PRB: %.2f x real time (%.1f s of air in %.1f s); processor seconds per air second: %s; sum %.2f; links lost %d; radio %s' % (
    Options.tm, Options.prb, air / wall, air, wall, {n: round(u / air, 2) for n, u in used.items()}, sum(used.values()) / air, links_lost, radio))
