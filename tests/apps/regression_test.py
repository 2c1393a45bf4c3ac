"""The project's own recordings give the frames that are written beside them; a live run, its recording and the recording's replay over the
air give the very same frames. usage: regression_test.py BIN SOURCE_DIR UHD_MODULES [TEST...]"""
import json, os, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "phy", "air"))
from air_harness import BIN, ENV, Air, main
from live_run import SOURCE, configs, listener

DATA = os.path.join(SOURCE, "tests", "data", "regression")
FOLDER = tempfile.TemporaryDirectory()
SCENE = 'nodes: {"*": {noise_dbfs: -55}}\ndefault: {gain_db: -6, cfo_hz: 90, delay_us: 0.4}\n'


def path(name):
    return os.path.join(FOLDER.name, name)


def frames(events, key, keep=lambda e: True):
    out = []
    for line in open(events):
        if not line.endswith("\n"):
            continue  # being written
        e = json.loads(line)
        if e["event"] in ("mib_sl", "sci", "tb", "discovery") and e.get("crc_ok") is not False and keep(e):
            out.append((e["event"], e[key], e["hex"]))
    return sorted(out)


def give_time(condition, seconds=60):
    """The sniffer works through what it has queued: how long that takes is the machine's affair. Whether it was enough is judged after it."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def sniff(meta, arguments):
    r = subprocess.run([BIN + "/prose-sniffer", "--iq", meta, "--events", path("e"), "--log-level", "warn", *arguments], capture_output=True, text=True, timeout=100)
    assert r.returncode == 0, r.stderr


def expected(name):
    e = json.load(open(f"{DATA}/{name}.expected.json"))
    return [f"{DATA}/{a}" if a.endswith(".yaml") else a for a in e["arguments"]], sorted((f["event"], f["sample"], f["hex"]) for f in e["frames"])


def own_recordings():
    kinds = set()
    for name in ("regression_tm2_discovery", "regression_tm4", "regression_slss"):
        arguments, want = expected(name)
        sniff(f"{DATA}/{name}.sigmf-meta", arguments)
        got = frames(path("e"), "sample")
        assert want and got == want, (name, set(got) ^ set(want))
        kinds |= {f[0] for f in want}
        verify = subprocess.run([BIN + "/prose-iq", "info", "--verify", f"{DATA}/{name}.sigmf-meta"], capture_output=True, text=True)
        assert verify.returncode == 0, verify.stderr
    assert kinds == {"mib_sl", "sci", "tb", "discovery"}, kinds


def own_recording_replayed_over_the_air():
    """Another radio, another noise, another CFO: the frames stay. Six seconds later: PSSCH of mode 4 is scrambled by its subframe in the pool, which
    the receiver then has to find out, as no pool is told."""
    name = "regression_tm4"
    arguments, want = expected(name)
    want = sorted({(e, h) for e, _, h in want})
    start = json.load(open(f"{DATA}/{name}.sigmf-meta"))["captures"][0]["core:global_index"] / 7.68e6 + 6
    with Air(SCENE) as air:
        live = listener(BIN, ENV, air, path("r"), arguments)
        r = subprocess.run([BIN + "/prose-iq", "replay", f"{DATA}/{name}", "--device", air.device("play"), "--start", f"{start:.9f}"], env=ENV, capture_output=True, text=True,
                           timeout=60)
        assert r.returncode == 0, r.stderr
        heard = lambda: sorted({(e, h) for e, _, h in frames(path("r"), "t")})
        give_time(lambda: heard() == want)
        live.stop()
    got = heard()
    assert got == want, (got, want)


def live_run_and_its_recording():
    start = 5  # s of the air's time, at which all must be ready
    # An SC period is whole in both only inside.
    first, last = 1000 * start + 40, 1000 * (start + 4) - 40
    inside = lambda e: first <= e["absolute_subframe"] < last
    tm2 = ["--config", f"{DATA}/regression_tm2_discovery.yaml"]
    with Air(SCENE) as air:
        configs(FOLDER.name, BIN, 2, "gnss", air)
        live = listener(BIN, ENV, air, path("live"), tm2)
        rec = subprocess.Popen([BIN + "/prose-iq", "record", path("run"), "--device", air.device("rec"), "--rate", "7.68e6", "--type", "ci16", "--start", f"{start}",
                                "--duration", "4"], env=ENV, stderr=subprocess.PIPE, text=True)
        time.sleep(start - 1)
        ues = [subprocess.Popen([BIN + "/prose-ue", "--config", path(n + ".yaml"), "--log-level", "warn"], env=ENV) for n in ("mary", "john")]
        err = rec.communicate(timeout=100)[1]
        assert rec.returncode == 0, err
        give_time(lambda: frames(path("live"), "absolute_subframe", lambda e: last + 200 <= e["absolute_subframe"] < 10240))
        live.stop()
        for u in ues:
            u.terminate()
        assert [u.wait(20) for u in ues] == [0, 0]
    heard = frames(path("live"), "absolute_subframe", inside)
    sniff(path("run.sigmf-meta"), tm2)
    again = frames(path("e"), "absolute_subframe", inside)
    assert len(heard) > 20 and {f[0] for f in heard} >= {"discovery"}, heard
    assert again == heard, set(again) ^ set(heard)
    print(f"     {len(heard)} frames live and from the recording", {k: sum(f[0] == k for f in heard) for k in ("sci", "tb", "discovery")})

    def third():
        of = frames(path("third"), "absolute_subframe", inside)
        of = of or frames(path("third"), "absolute_subframe", lambda e: inside({"absolute_subframe": e["absolute_subframe"] % 10240}))
        return sorted((e, n % 10240, h) for e, n, h in of)
    # The recording out of a radio, one SFN cycle later: over an air that adds nothing, as the recording has its noise and CFO.
    with Air() as air:
        live = listener(BIN, ENV, air, path("third"), tm2)
        r = subprocess.run([BIN + "/prose-iq", "replay", path("run"), "--device", air.device("play"), "--freq", "5.9e9", "--start", f"{start + 10.24}"], env=ENV, capture_output=True,
                           text=True, timeout=100)
        assert r.returncode == 0, r.stderr
        give_time(lambda: third() == heard)
        live.stop()
    assert third() == heard, set(third()) ^ set(heard)


main([own_recordings, own_recording_replayed_over_the_air, live_run_and_its_recording])
