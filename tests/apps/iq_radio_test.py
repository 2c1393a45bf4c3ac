"""prose-iq record and replay over the emulated air."""
import array, cmath, json, os, random, resource, signal, subprocess, tempfile, time

from tests.harness.air import Air
from tests.harness.cases import keeps, main
from tests.harness.files import text_of, write
from tests.harness.paths import ENV, program
from tests.harness.process import catches, run, wait

FOLDER = tempfile.TemporaryDirectory()
RATE = 1.92e6


def path(name):
    return os.path.join(FOLDER.name, name)


def start(*args, **kw):
    return subprocess.Popen([program("prose-iq"), *map(str, args)], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)


def ended(p, code=0, timeout=60):
    out, err = p.communicate(timeout=timeout)
    assert p.returncode == code, (p.returncode, err)
    return err


def one_line(p, *words, code=2):
    err = ended(p, code)
    assert err.count("\n") == 1 and all(w in err for w in words), err


def meta(name):
    return json.loads(text_of(path(name + ".sigmf-meta")))


def samples(name):
    with open(path(name + ".sigmf-data"), "rb") as f:
        a = array.array("f", f.read())
    return [complex(a[i], a[i + 1]) for i in range(0, len(a), 2)]


def source(name, n, captures=None, rate=RATE):
    g = random.Random(5)
    a = array.array("f", (g.uniform(-0.5, 0.5) for _ in range(2 * n)))
    write(path(name + ".sigmf-data"), a.tobytes())
    write(path(name + ".sigmf-meta"), json.dumps({"global": {"core:datatype": "cf32_le", "core:sample_rate": rate, "core:version": "1.0.0"},
                                                  "captures": captures or [{"core:sample_start": 0, "core:frequency": 2.4e9}], "annotations": []}))
    return [complex(a[i], a[i + 1]) for i in range(0, len(a), 2)]


def worst(a, b):
    assert len(a) == len(b) and a
    return max(abs(x - y) for x, y in zip(a, b))


def ready(p, kind):
    """It runs and looks at signals."""
    wait(lambda: catches(p, kind), 60, [p])


def recorder(air, out, *more, **kw):
    return start("record", path(out), "--device", air.device("rec"), "--rate", RATE, "--freq", 2.4e9, *more, **kw)


def sender(air, name, *more):
    return start("replay", path(name), "--device", air.device("play"), *more)


def reaches(name, size):
    """Waits until so many octets were recorded."""
    data = path(name + ".sigmf-data")
    wait(lambda: os.path.exists(data) and os.path.getsize(data) >= size, 60, what="so many octets recorded")


def begun(name):
    reaches(name, 1)


def test_what_is_replayed_is_recorded_gaps_included():
    x = source("gaps", 60000, [{"core:sample_start": 0, "core:global_index": 100, "core:frequency": 2.4e9},
                               {"core:sample_start": 20000, "core:global_index": 50100, "core:frequency": 2.4e9}])
    with Air() as air:
        rec = recorder(air, "a")
        begun("a")
        err = ended(sender(air, "gaps", "--times", 2))
        assert "2 rounds" in err, err
        reaches("a", os.path.getsize(path("a.sigmf-data")) + int(RATE) * 8)  # what was on its way to the file is there
        rec.send_signal(signal.SIGINT)
        assert "ended by: stopped" in ended(rec)
    y = samples("a")
    first = next(i for i, v in enumerate(y) if abs(v) > 0.01)
    for at in (first, first + 90000):
        assert worst(y[at:at + 20000], x[:20000]) < 1e-3 and worst(y[at + 50000:at + 90000], x[20000:]) < 1e-3
        assert max(abs(v) for v in y[at + 20000:at + 50000]) == 0.0
    m = meta("a")
    assert len(m["captures"]) == 1 and m["captures"][0]["core:frequency"] == 2.4e9 and m["global"]["core:sha512"]
    run("prose-iq", "info", "--verify", path("a.sigmf-meta"))


def test_exact_start():
    x = source("short", 3000)
    with Air() as air:
        rec = recorder(air, "s", "--start", 6, "--duration", 0.01)
        ended(sender(air, "short", "--start", 6.001))
        ended(rec)
        one_line(sender(air, "short", "--start", 1), "--start", "has passed", code=1)
    y = samples("s")
    assert len(y) == 19200 and meta("s")["captures"][0]["core:global_index"] == 6 * RATE
    assert worst(y[1920:4920], x) < 1e-3 and abs(y[1919]) == 0.0 and abs(y[4920]) == 0.0


def test_another_rate_is_resampled():
    # A tone of 3.84 Msps leaves at 1.92 Msps: amplitude and frequency stay.
    n = 38400
    x = [0.5 * cmath.exp(2j * cmath.pi * 100e3 * i / 3.84e6) for i in range(n)]
    source("tone", 1, rate=3.84e6)
    write(path("tone.sigmf-data"), array.array("f", [v for z in x for v in (z.real, z.imag)]).tobytes())
    with Air() as air:
        rec = recorder(air, "t", "--start", 6, "--duration", 0.02)
        ended(sender(air, "tone", "--rate", RATE, "--start", 6.002))
        ended(rec)
    y = samples("t")[3840:3840 + n // 2]
    assert worst(y[100:-100], [x[2 * i] for i in range(n // 2)][100:-100]) < 5e-3
    assert all(abs(v) < 1e-2 for v in samples("t")[3840 + n // 2 + 50:])


def test_overflow_begins_a_segment():
    with Air("nodes: {rec: {noise_dbfs: -30}}\nfaults: [{node: rec, kind: overflow, after_s: 0.1, length_ms: 3}]") as air:
        err = ended(recorder(air, "o", "--duration", 0.3))
        assert "1 overflows" in err and "in 2 segments" in err, err
    c = meta("o")["captures"]
    assert len(c) == 2 and c[1]["core:global_index"] - c[0]["core:global_index"] - c[1]["core:sample_start"] == 5760, c
    assert len(samples("o")) == 0.3 * RATE - 5760


def test_limits_and_a_full_disk():
    with Air("nodes: {rec: {noise_dbfs: -30}}") as air:
        err = ended(recorder(air, "l", "--max-size", "100kB", "--type", "ci16"))
        assert "ended by: size limit" in err and os.path.getsize(path("l.sigmf-data")) == 100000, err
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100003, resource.RLIM_INFINITY))
        err = ended(recorder(air, "full", preexec_fn=limit), 1)
        assert "disk full" in err and "are kept" in err, err
    r = run("prose-iq", "info", "--json", path("full.sigmf-meta"), code=None)
    assert json.loads(r.stdout)["samples"] == 100003 // 8


def test_ctrl_c_ends_a_loop():
    source("loop", 5000)
    with Air() as air:
        p = sender(air, "loop", "--loop")
        air.until_joined("play")
        ready(p, signal.SIGINT)
        time.sleep(0.5)  # some rounds
        p.send_signal(signal.SIGINT)
        assert "then stopped" in ended(p, timeout=10)


def test_a_dying_air_keeps_the_recording():
    air = Air("nodes: {rec: {noise_dbfs: -30}}")
    rec = recorder(air, "d")
    begun("d")
    air.p.send_signal(signal.SIGINT)
    err = ended(rec, 1, timeout=10)
    air.p.wait(5)
    assert "has ended" in err and "are kept" in err and len(samples("d")) > 0, err


def test_a_dying_air_ends_a_replay():
    """Killed while the start is far ahead, and while what was handed over is still to be played, at a slow speed too."""
    source("dy", 6000)
    for speed, start_s in (("1", 3600), ("1", 6), ("0.1", 1.4)):
        air = Air(speed=speed)
        p = sender(air, "dy", "--start", start_s)
        air.until_joined("play")
        time.sleep(1)
        assert p.poll() is None, p.communicate()
        air.p.kill()
        t = time.monotonic()
        err = ended(p, 1, timeout=10)
        took = time.monotonic() - t
        assert "has ended" in err and err.count("\n") == 1, err
        air.p.wait()
        air.remove()
        keeps(2, took, "its end")


def test_a_slow_air_is_played_to_the_end():
    source("slow", 3000)
    t = time.monotonic()  # before the air's own begin
    with Air(speed="0.2") as air:
        ended(sender(air, "slow", "--start", 1.6))
        assert time.monotonic() - t > 7.5, "it ended before its device time"


def test_ctrl_c_ends_a_wait_for_the_start():
    with Air() as air:
        p = recorder(air, "far", "--start", 3600)
        air.until_joined("rec")
        ready(p, signal.SIGINT)
        p.send_signal(signal.SIGINT)
        assert "nothing was recorded" in ended(p, timeout=20) and not os.path.exists(path("far.sigmf-meta"))
    with Air() as air:
        q = recorder(air, "far", "--start", 3600)
        air.until_joined("rec")
        time.sleep(0.5)
        air.p.kill()
        assert "has ended" in ended(q, 1, timeout=20)
    air.remove()


def test_an_interrupted_replay_keeps_time():
    x = source("u", 960000)
    with Air("faults: [{node: play, kind: underflow, after_s: 0.1}]") as air:
        rec = recorder(air, "v", "--start", 6, "--duration", 0.6)
        err = ended(sender(air, "u", "--start", 6.01), 1)
        assert "1 interruptions" in err, err
        ended(rec)
    y = samples("v")[19200:19200 + 960000]
    assert worst(y[:100000], x[:100000]) < 1e-3 and worst(y[900000:], x[900000:]) < 1e-3
    assert any(v == 0 for v in y[150000:700000])


def test_nothing_is_sent_without_one_frequency():
    """Without a frequency, or with two, nothing is sent. Where the recording gives none, the radio profile's counts."""
    at = lambda s, hz=None: {"core:sample_start": s, **({} if hz is None else {"core:frequency": hz})}
    with Air() as air:
        dev = air.device("play")
        write(path("hz.yaml"), "center_freq_hz: 2.4e9\n")
        write(path("no_hz.yaml"), "sample_rate_hz: 1.92e6\n")
        go = lambda *more: start("replay", path("f"), "--device", dev, *more)
        for captures in ([at(0)], [at(0, 0)]):
            source("f", 3000, captures)
            for more in ((), ("--radio", path("no_hz.yaml"))):
                one_line(go(*more), "f.sigmf-meta", "no frequency", "--freq")
            for more in (("--freq", 2.4e9), ("--radio", path("hz.yaml"))):
                assert "2400 MHz" in ended(go(*more))
        for captures in ([at(0, 2.4e9), at(1000, 2.5e9)], [at(0, 2.4e9), at(0, 2.5e9)], [at(0, 2.4e9), {"core:frequency": 2.5e9}]):
            source("f", 3000, captures)
            for more in ((), ("--radio", path("hz.yaml"))):
                one_line(go(*more), "2 frequencies", "2400 MHz", "2500 MHz", "--segment")
            assert "2450 MHz" in ended(go("--freq", 2.45e9))
        for captures in ([at(0, 2.4e9), at(1000)], [at(1000, 2.4e9)]):
            source("f", 3000, captures)
            one_line(go(), "a part of the samples", "--freq")
        # What lies beyond the data is not sent.
        source("f", 3000, [at(0, 2.4e9), at(3000, 2.5e9)])
        assert "2400 MHz" in ended(go())


def test_one_segment_is_replayed():
    x = source("seg", 9000, [{"core:sample_start": 6000, "core:frequency": 2.5e9}, {"core:sample_start": 0, "core:frequency": 2.3e9},
                             {"core:sample_start": 3000, "core:frequency": 2.4e9, "core:global_index": 2**62}])
    with Air() as air:
        rec = recorder(air, "sr", "--start", 6, "--duration", 0.01)
        assert "2400 MHz" in ended(sender(air, "seg", "--segment", 2, "--start", 6.001))
        ended(rec)
        one_line(sender(air, "seg", "--segment", 3), "--segment 3", "no such capture")
        one_line(sender(air, "seg", "--segment", -1), "--segment")
        one_line(sender(air, "seg", "--freq", 2.4e9), "span", "--segment")  # 76 000 years of silence
    y = samples("sr")
    assert worst(y[1920:4920], x[3000:6000]) < 1e-3 and abs(y[1919]) == 0.0 and abs(y[4920]) == 0.0


def test_ctrl_c_cuts_a_finite_replay_short():
    source("fin", 5000)
    with Air() as air:
        for sign in (signal.SIGINT, signal.SIGTERM):
            p = sender(air, "fin", "--times", 10**9)
            air.until_joined("play")
            ready(p, sign)
            time.sleep(0.5)  # some rounds
            p.send_signal(sign)
            err = ended(p, 1, timeout=10)
            assert "stopped after" in err and "of 1000000000 rounds" in err, err


def test_recorded_at_the_time_of_today():
    """The device time of an external reference: sample indices above 2^53. What we write we read, and send again."""
    write(path("ext.yaml"), "clock_source: external\ntime_source: external\n")
    with Air("nodes: {rec: {noise_dbfs: -30}}") as air:
        ended(start("record", path("e"), "--device", air.device("rec"), "--radio", path("ext.yaml"), "--rate", 7.68e6, "--freq", 2.4e9, "--duration", 0.05))
        at = meta("e")["captures"][0]["core:global_index"]
        assert at > 2**53, at
        r = run("prose-iq", "info", path("e.sigmf-meta"))
        assert f"(stream {at})" in r.stdout and not r.stderr, (r.stdout, r.stderr)
        ended(sender(air, "e"))


def test_mistakes():
    source("ok", 100)
    with Air() as air:
        ok = air.device("rec")
        out = path("never")
        bad = path("bad.yaml")
        one_line(start("record", out, "--device", ok + ",colour=blue"), "unknown device argument 'colour'")
        one_line(start("record", out, "--device", "type=virtual,hub_timeout=0.1,air=nobody_there"), "is not running")
        one_line(start("record", out, "--device", "type=nonsense"), "no device")
        one_line(start("record", out, "--device", ok, "--rate", 1e12), "sample_rate_hz")
        one_line(start("record", out, "--device", ok, "--rate", -1), "--rate")
        one_line(start("record", out, "--device", ok, "--gain", 99), "rx_gain_db 99", "0 to 40")
        one_line(start("record", out, "--device", ok, "--type", "cu8"), "--type")
        one_line(start("record", "/no/such/folder/x", "--device", ok), "/no/such/folder")
        one_line(start("replay", path("ok"), "--device", ok + ",colour=blue"), "unknown device argument 'colour'")
        one_line(start("replay", path("nothing"), "--device", ok), "nothing.sigmf-meta")
        one_line(start("replay", path("ok"), "--device", ok, "--channel", 3), "--channel 3")
        one_line(start("replay", path("ok"), "--device", ok, "--rate", 1234567), "cannot resample")
        for text, words in (("rx_gain_db: [", ("bad.yaml:", "YAML")), ("\nsample_rate_hz: fast", ("bad.yaml:2", "sample_rate_hz")),
                            ("clock_source: sundial", ("bad.yaml:1", "accepted: internal, external, gpsdo"))):
            write(bad, text)
            one_line(start("record", out, "--radio", bad), *words)
        one_line(start("record", out, "--radio", "/nowhere.yaml"), "/nowhere.yaml")
        assert not os.path.exists(out + ".sigmf-meta")
        # The profile gives what the command line does not say.
        write(bad, f"device_args: \"{ok}\"\nsample_rate_hz: 1.92e6\ncenter_freq_hz: 2.5e9\n")
        ended(start("record", path("p"), "--radio", bad, "--duration", 0.01, "--freq", 2.45e9))
        assert meta("p")["captures"][0]["core:frequency"] == 2.45e9 and len(samples("p")) == 19200


if __name__ == '__main__':
    main(at_once=3)
