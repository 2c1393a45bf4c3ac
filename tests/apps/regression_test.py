"""The project's own recordings give the frames that are written beside them; a live run, its recording and the recording's replay over the
air give the very same frames."""
import json, os, signal, tempfile, time

from tests.harness import ue
from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import json_lines, text_of
from tests.harness.paths import REGRESSION as DATA
from tests.harness.process import Background, give_time, run
from tests.harness.sniffer import Sniffer
from tests.harness.ue import Ue

FOLDER = tempfile.TemporaryDirectory()
SCENE = 'nodes: {"*": {noise_dbfs: -55}}\ndefault: {gain_db: -6, cfo_hz: 90, delay_us: 0.4}\n'


def path(name):
    return os.path.join(FOLDER.name, name)


def frames(events, key, keep=lambda e: True):
    out = []
    for e in json_lines(events):
        if e["event"] in ("mib_sl", "sci", "tb", "discovery") and e.get("crc_ok") is not False and keep(e):
            out.append((e["event"], e[key], e["hex"]))
    return sorted(out)


def sniff(meta, arguments):
    run("prose-sniffer", "--iq", meta, "--events", path("e"), "--log-level", "warn", *arguments)


def expected(name):
    e = json.loads(text_of(f"{DATA}/{name}.expected.json"))
    return [f"{DATA}/{a}" if a.endswith(".yaml") else a for a in e["arguments"]], sorted((f["event"], f["sample"], f["hex"]) for f in e["frames"])


def test_own_recordings():
    kinds = set()
    for name in ("regression_tm2_discovery", "regression_tm4", "regression_slss"):
        arguments, want = expected(name)
        sniff(f"{DATA}/{name}.sigmf-meta", arguments)
        got = frames(path("e"), "sample")
        assert want and got == want, (name, set(got) ^ set(want))
        kinds |= {f[0] for f in want}
        run("prose-iq", "info", "--verify", f"{DATA}/{name}.sigmf-meta")
    assert kinds == {"mib_sl", "sci", "tb", "discovery"}, kinds


def test_own_recording_replayed_over_the_air():
    """Another radio, another noise, another CFO: the frames stay. Six seconds later: PSSCH of mode 4 is scrambled by its subframe in the pool, which
    the receiver then has to find out, as no pool is told."""
    name = "regression_tm4"
    arguments, want = expected(name)
    want = sorted({(e, h) for e, _, h in want})
    start = json.loads(text_of(f"{DATA}/{name}.sigmf-meta"))["captures"][0]["core:global_index"] / 7.68e6 + 6
    with Air(SCENE) as air:
        live = Sniffer(air, path("r"), *arguments)
        run("prose-iq", "replay", f"{DATA}/{name}", "--device", air.device("play"), "--start", f"{start:.9f}")
        heard = lambda: sorted({(e, h) for e, _, h in frames(path("r"), "t")})
        give_time(lambda: heard() == want)
        live.stop()
    got = heard()
    assert got == want, (got, want)


def test_live_run_and_its_recording():
    start = 5  # s of the air's time, at which all must be ready
    # An SC period is whole in both only inside.
    first, last = 1000 * start + 40, 1000 * (start + 4) - 40
    inside = lambda e: first <= e["absolute_subframe"] < last
    tm2 = ["--config", f"{DATA}/regression_tm2_discovery.yaml"]
    with Air(SCENE) as air:
        ue.configure(FOLDER.name, air)
        live = Sniffer(air, path("live"), *tm2)
        rec = Background("prose-iq", "record", path("run"), "--device", air.device("rec"), "--rate", "7.68e6", "--type", "ci16", "--start", start, "--duration", 4,
                         log=path("rec.log"))
        time.sleep(start - 1)
        ues = [Ue(FOLDER.name, n) for n in ("mary", "john")]
        rec.end(timeout=100)
        give_time(lambda: frames(path("live"), "absolute_subframe", lambda e: last + 200 <= e["absolute_subframe"] < 10240))
        live.stop()
        for u in ues:
            u.stop(signal.SIGTERM, timeout=20)
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
    with Air(start="10") as air:  # five seconds for the programs to start
        live = Sniffer(air, path("third"), *tm2)
        run("prose-iq", "replay", path("run"), "--device", air.device("play"), "--freq", "5.9e9", "--start", start + 10.24)
        give_time(lambda: third() == heard)
        live.stop()
    assert third() == heard, set(third()) ^ set(heard)


if __name__ == '__main__':
    main()
