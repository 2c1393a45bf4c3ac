"""Airs whose users stall, die and disagree."""
import json, os, signal, subprocess, time

from tests.harness.air import Air, new_name
from tests.harness.air_peer import Together, lines, peer, result, wait_line
from tests.harness.cases import keeps, main, skip
from tests.harness.files import json_lines
from tests.harness.paths import ENV
from tests.harness.process import give_time, run

SCENE = """
seed: 7
stall_ms: 60000
default: {gain_db: -6, cfo_hz: 130}
nodes: {"*": {noise_dbfs: -50}}
pairs:
  - {from: mary, to: john, delay_us: 3.3}
  - {from: peter, to: john, fading: epa, doppler_hz: 70}
"""


def three(start, air, *more):
    common = ["--rate", 1.92e6, "--every-ms", 7, *more]
    return [start(air.device(n), *common, "--phase-ms", i, "--seed", i + 1, "--chunk", 500 + 700 * i) for i, n in enumerate(("mary", "john", "peter"))]


def test_never_late_despite_stalls_and_runs_repeat():
    """TX at least `lead` ahead is never late with random stalls of 0-20 ms in each process; two runs are sample for sample the same."""
    def once(scene, *more):
        with Air(scene, "max") as air:
            with Together(air) as t:
                users = three(t.start, air, "--seconds", 0.6, *more)
            return [result(p) for p in users]
    runs = [once(SCENE, "--stall-ms", 20) for _ in range(2)]
    for a, b in zip(*runs):
        assert a["bursts"] > 50 and a["lates"] == 0 and a["overflows"] == 0 and a["underflows"] == 0 and a["gaps"] == 0, a
        assert a["energy"] > 0 and a["hash"] == b["hash"], (a, b)
    other = once(SCENE.replace("seed: 7", "seed: 8"))
    assert all(a["hash"] != b["hash"] for a, b in zip(runs[0], other)), "another seed, the same noise"


def test_chunks_do_not_change_samples():
    hashes = set()
    for chunk in (333, 8192):
        with Air(SCENE, "max") as air:
            with Together(air) as t:
                mary = t.start(air.device("mary"), "--rate", 1.92e6, "--seconds", 0.2, "--every-ms", 5, "--chunk", 500)
                john = t.start(air.device("john"), "--rate", 1.92e6, "--seconds", 0.2, "--chunk", chunk)
            hashes.add(result(john)["hash"])
            result(mary)
    assert len(hashes) == 1


def position(p):
    """The last position that a stopped user has reported."""
    os.set_blocking(p.stdout.fileno(), False)
    try:
        for _ in lines(p):
            pass
    except (BlockingIOError, TypeError):  # there is no more now
        pass
    os.set_blocking(p.stdout.fileno(), True)
    return p.at


def goes_on(p, past, since, within=2.0):
    """It gets further than the others, last seen at `past`, could have held it back to."""
    while p.at < past + 0.3:
        wait_line(p, "progress")
    keeps(within + 0.5, time.monotonic() - since, "stood still")


def test_killed_users():
    """SIGKILL of a receiver, then of a transmitter in the middle of its bursts: the third one goes on within 2 s."""
    with Air(SCENE) as air:
        mary, john, peter = three(peer, air, "--seconds", 300, "--burst", 10000)
        for p in (mary, john, peter):
            wait_line(p, "progress")

        def kill(p):
            since = time.monotonic()
            p.kill()
            p.wait()
            return position(p), since
        gone = kill(mary)
        goes_on(john, *gone)
        goes_on(peter, *gone)
        goes_on(john, *kill(peter))
        # The name is free again at once.
        result(peer(air.device("mary"), "--rate", 1.92e6, "--seconds", 0.2))
        john.kill()


def test_killed_in_mid_burst():
    """The fault plan kills the process inside send(), half of the burst written."""
    with Air("stall_ms: 60000\nfaults: [{node: mary, kind: kill, after_s: 0.05}]", "max") as air:
        with Together(air) as t:
            mary = t.start(air.device("mary"), "--rate", 1.92e6, "--seconds", 20, "--every-ms", 5, "--burst", 5000)
            john = t.start(air.device("john"), "--rate", 1.92e6, "--seconds", 1.5)
        r = result(john)
        assert mary.wait(20) == -signal.SIGKILL
        assert r["energy"] > 0 and r["gaps"] == 0, r
        mary.communicate()


def stop(p):
    """SIGSTOP; where it stands, and since when."""
    since = time.monotonic()
    p.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WNOWAIT)
    return position(p), since


def test_stopped_receiver():
    """The watchdog leaves a stopped process behind, which is told of its overflow when it continues."""
    with Air("stall_ms: 400") as air:
        mary = peer(air.device("mary"), "--rate", 1.92e6, "--seconds", 3)
        john = peer(air.device("john"), "--rate", 1.92e6, "--seconds", 6)
        wait_line(john, "progress")
        wait_line(mary, "progress")
        stood = stop(mary)
        goes_on(john, *stood)
        mary.send_signal(signal.SIGCONT)
        assert result(mary)["overflows"] >= 1
        assert result(john)["overflows"] == 0


def test_several_stopped_at_once():
    """Two stopped processes hold up the third one for one stall time together, not for one each."""
    with Air("stall_ms: 1500") as air:
        mary, john, peter = three(peer, air, "--seconds", 300)
        for p in (mary, john, peter):
            wait_line(p, "progress")
        at, since = stop(mary)
        time.sleep(0.1)  # so that the two do not stand at one limit
        at = max(at, stop(peter)[0])
        goes_on(john, at, since, within=2.3)
        for p in (mary, john, peter):
            p.kill()


PYTHON = "/usr/bin/python3"  # Debian's own, which python3-uhd belongs to
HAS_UHD = subprocess.run([PYTHON, "-c", "import uhd"], env=ENV, capture_output=True).returncode == 0


def needs_uhd():
    if not HAS_UHD:
        skip("python3-uhd is not installed")


def uhd_python(air, body):
    """A program with UHD's own Python interface: u is the device."""
    text = f"import uhd, time\nu = uhd.usrp.MultiUSRP('{air.device('py')}')\n" + body
    return subprocess.Popen([PYTHON, "-c", text], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_hub_ends_who_polls_the_time():
    needs_uhd()
    air = Air()
    p = uhd_python(air, "print('polls', flush=True)\nwhile True: u.get_time_now()\n")
    wait_line(p, "polls")
    air.p.kill()
    t = time.monotonic()
    _, err = p.communicate(timeout=10)
    took = time.monotonic() - t
    assert p.returncode == 1 and "has ended" in err, err
    air.p.wait()
    air.remove()
    keeps(2.0, took, "its end")


def test_the_rate_changes_while_streaming():
    needs_uhd()
    with Air() as air:
        p = uhd_python(air, """
import numpy
a = uhd.usrp.StreamArgs('fc32', 'sc16')
rx, tx = u.get_rx_stream(a), u.get_tx_stream(a)
buffer, md = numpy.zeros((1, 1000), dtype=numpy.complex64), uhd.types.RXMetadata()
rx.issue_stream_cmd(uhd.types.StreamCMD(uhd.types.StreamMode.start_cont))
stamps = []
for rate in (1e6, 2e6, 0.5e6):
    u.set_rx_rate(rate)
    assert u.get_rx_rate() == rate
    for _ in range(3):
        assert rx.recv(buffer, md, 3.0) == 1000
        stamps.append(md.time_spec.get_real_secs())
print([round((b - a) * 1e6) for a, b in zip(stamps, stamps[1:])])
rx.issue_stream_cmd(uhd.types.StreamCMD(uhd.types.StreamMode.stop_cont))
u.set_tx_rate(1e6)
start = u.get_time_now() + 1.0
md = uhd.types.TXMetadata()
md.start_of_burst, md.has_time_spec, md.time_spec = True, True, start
assert tx.send(buffer, md) == 1000
u.set_tx_rate(2e6)
md = uhd.types.TXMetadata()
assert tx.send(buffer, md) == 1000
md.end_of_burst = True
tx.send(numpy.zeros((1, 0), dtype=numpy.complex64), md)
ends, m = [], uhd.types.TXAsyncMetadata()
while tx.recv_async_msg(m, 3.0): ends.append(round((m.time_spec.get_real_secs() - start.get_real_secs()) * 1e6))
print(ends)
""")
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0, err
        steps, ends = map(json.loads, out.splitlines())
        # A coarser grid begins at its next sample.
        assert all(0 <= got - wanted <= 2 for got, wanted in zip(steps, [1000] * 3 + [500] * 3 + [2000] * 2)) and len(steps) == 8, out
        assert ends == [1000, 1500], out


def test_speed_paces():
    needs_uhd()
    for speed in (0.5, 2, 8):
        with Air(speed=str(speed)) as air:
            # Each reading of the device's time lies somewhere between two of the clock.
            p = uhd_python(air, "t = time.monotonic\na, x, b = t(), u.get_time_now(), t()\ntime.sleep(1.5)\nc, y, d = t(), u.get_time_now(), t()\n"
                                "print((y - x).get_real_secs(), c - b, d - a)\n")
            out, err = p.communicate(timeout=60)
            assert p.returncode == 0, err
            passed, least, most = map(float, out.split())
            assert 0.9 * speed * least < passed < 1.1 * speed * most, (speed, out)
    with Air(speed="max") as air:
        t = time.monotonic()
        result(peer(air.device("mary"), "--rate", 0.2e6, "--seconds", 20))
        keeps(10, time.monotonic() - t, "max is no faster than twice real time")


def test_killed_hub():
    """Every user ends with a clear error within 2 s; the name can be used again."""
    for how in (signal.SIGKILL, signal.SIGINT):
        air = Air(SCENE)
        users = three(peer, air, "--seconds", 300)
        for p in users:
            wait_line(p, "progress")
        air.p.send_signal(how)
        t = time.monotonic()
        for p in users:
            out, err = p.communicate(timeout=10)
            assert p.returncode == 1 and "has ended" in err and err.count("\n") == 1, (p.returncode, err)
        took = time.monotonic() - t
        air.p.wait(20)
        with Air(name=air.name) as again:
            again.p.terminate()
            assert again.p.wait(20) == 0
        keeps(2.0, took, "their end")
    # By the fault plan.
    air = Air("faults: [{kind: kill_hub, after_s: 0.3}]")
    assert air.p.wait(20) == -signal.SIGKILL
    air.remove()


def test_late_joiner_and_late_hub():
    with Air() as air:
        mary = peer(air.device("mary"), "--rate", 1.92e6, "--seconds", 300, "--every-ms", 5)
        wait_line(mary, "progress")
        assert result(peer(air.device("john"), "--rate", 1.92e6, "--seconds", 0.3))["energy"] > 0
        mary.kill()
    # A device that is started first waits for the hub.
    name = new_name()
    early = peer(f"type=virtual,name=mary,air={name}", "--rate", 1.92e6, "--seconds", 0.1)
    time.sleep(0.7)
    with Air(name=name):
        result(early)


def test_one_name_one_device():
    with Air() as air:
        mary = peer(air.device("mary"), "--rate", 1.92e6, "--seconds", 300)
        wait_line(mary, "ready")
        second = peer(air.device("mary"), "--rate", 1.92e6)
        _, err = second.communicate(timeout=20)
        assert second.returncode == 1 and "already on air" in err, err
        mary.kill()
        assert "already running" in run("prose-air", "--air", air.name, code=2).stderr


def test_events_of_the_hub():
    with Air() as air:
        device = air.device("mary")
        result(peer(device, "--rate", 1.92e6, "--seconds", 0.1))
        mary = peer(device, "--rate", 1.92e6, "--seconds", 300)
        wait_line(mary, "progress")
        mary.kill()
        mary.communicate()
        give_time(lambda: any(e["event"] == "node_died" for e in json_lines(air.events.name)), 20)
        air.p.send_signal(signal.SIGINT)
        assert air.p.wait(20) == 0
        events = json_lines(air.events.name)
    assert [e["event"] for e in events] == ["ready", "node_joined", "node_left", "node_joined", "node_died", "ended"], events
    assert all(isinstance(e["t"], float) for e in events) and events[0]["air"] == air.name and events[1]["node"] == "mary"
    assert run("prose-air", "--version").stdout.startswith("prose-air ")
    run("prose-air", "--help")


if __name__ == '__main__':
    main()
