"""UHD's own programs, unmodified, on type=virtual."""
import array, cmath, os, re, signal, subprocess

from tests.harness.air import Air
from tests.harness.air_peer import wait_line
from tests.harness.cases import TooSlow, main, skip, skip_all
from tests.harness.paths import ENV

EXAMPLES = next((d for d in ("/usr/libexec/uhd/examples", "/usr/lib/uhd/examples") if os.path.isdir(d)), "")


def run(command, timeout=60, expect=0):
    """What it prints; expect None: any exit code."""
    p = subprocess.run(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    assert expect is None or p.returncode == expect, f"{command}: exit {p.returncode}\n{p.stdout}"
    return p.stdout


def example(name, *args, timeout=60):
    return run([f"{EXAMPLES}/{name}", *map(str, args)], timeout)


def floats(path):
    a = array.array("f")
    with open(path, "rb") as f:
        a.frombytes(f.read())
    return [complex(a[i], a[i + 1]) for i in range(0, len(a), 2)]


def tone_power(x, freq, rate):
    """Share of the power that is at freq (which UHD's wave table of 8192 entries must give exactly)."""
    s = sum(v * cmath.exp(-2j * cmath.pi * freq * i / rate) for i, v in enumerate(x))
    total = sum(abs(v) ** 2 for v in x)
    return abs(s) ** 2 / len(x) / total if total else 0.0


def test_discovery():
    # A user with real radios sees no change: no air needed, none mentioned.
    assert "virtual" not in run(["uhd_find_devices"], expect=None)
    with Air() as air:
        out = run(["uhd_find_devices", "--args", air.device("mary")])
        assert "name: mary" in out and "type: virtual" in out, out
        for _ in range(2):
            tree = run(["uhd_usrp_probe", "--args", air.device("mary"), "--tree"])
            for node in ("/mboards/0/time/now", "/mboards/0/rx_dsps/0/rate/value", "/mboards/0/dboards/A/tx_frontends/0/freq/value"):
                assert node in tree, node
        assert "Emulated air" in run(["uhd_usrp_probe", "--args", air.device("mary")])


def test_receive_to_file(folder):
    with Air("nodes: {mary: {noise_dbfs: -20}}") as air:
        path = folder + "/rx"
        example("rx_samples_to_file", "--args", air.device("mary"), "--rate", 1.92e6, "--freq", 2.4e9, "--nsamps", 100000, "--type", "float", "--file", path)
        x = floats(path)
        power = sum(abs(v) ** 2 for v in x) / len(x)
        assert len(x) == 100000 and abs(power / 0.01 - 1) < 0.05, power


def test_waveform_is_heard(folder):
    with Air() as air:
        path = folder + "/wave"
        tx = subprocess.Popen([EXAMPLES + "/tx_waveforms", "--args", air.device("mary"), "--rate", "1.92e6", "--freq", "2.4e9", "--wave-type", "SINE",
                               "--wave-freq", "93750"], env=ENV, stdout=subprocess.PIPE, text=True)
        wait_line(tx, "Press Ctrl + C")
        example("rx_samples_to_file", "--args", air.device("john"), "--rate", 1.92e6, "--freq", 2.4e9, "--nsamps", 200000, "--type", "float", "--file", path)
        tx.send_signal(signal.SIGINT)
        assert tx.wait(30) == 0
        x = floats(path)[-20000:]
        assert tone_power(x, 93750, 1.92e6) > 0.99


# So many seconds of device time ahead do the next two ask for what they want; the time since then they cannot help.
AHEAD_S = 1.5


def test_bursts():
    with Air() as air:
        out = example("tx_bursts", "--args", air.device("mary"), "--secs", AHEAD_S, "--freq", 2.4e9)
        assert "ACK... success" in out, out


def test_timed_reception():
    with Air() as air:
        out = example("rx_timed_samples", "--args", air.device("mary"), "--secs", AHEAD_S)
        assert re.search(r"1 full secs, 0\.50\d* frac secs", out) and "Done!" in out, out


def test_loopback(folder):
    # The program transmits from device time 0.5 s on.
    with Air() as air:
        path = folder + "/loop"
        example("txrx_loopback_to_file", "--tx-args", air.device("mary"), "--rx-args", air.device("john"), "--tx-rate", 2e6, "--rx-rate", 2e6, "--tx-freq",
                2.4e9, "--rx-freq", 2.4e9, "--nsamps", 100000, "--settling", 0.7, "--type", "float", "--wave-type", "SINE", "--wave-freq", 97656.25, "--file", path)
        x = floats(path)
        if len(x) != 100000 or tone_power(x[-10000:], 97656.25, 2e6) <= 0.99:
            raise TooSlow("%d samples; it gives itself half a second" % len(x))


def test_messages():
    with Air("stall_ms: 300") as air:
        out = example("test_messages", "--args", air.device("mary"), "--ntests", 20, "--test-chain")
        counts = re.findall(r"-> +(\d+) successes, +(\d+) failures", out)
        assert len(counts) >= 4 and sum(int(s) + int(f) for s, f in counts) == 20, out
        if sum(int(f) for _, f in counts):
            raise TooSlow("it waits a tenth of a second for a message\n" + out)


def test_latency():
    with Air() as air:
        out = example("latency_test", "--args", air.device("mary"), "--nruns", 200)
        assert "ACKs received:    200/200" in out and "Late packets:     0" in out, out


def test_rates():
    with Air() as air:
        out = example("benchmark_rate", "--args", air.device("mary"), "--rx_rate", 5e6, "--tx_rate", 5e6, "--duration", 3)
        for zero in ("dropped samples", "overruns detected", "underruns detected", "late commands", "sequence errors \\(Tx\\)", "sequence errors \\(Rx\\)"):
            assert re.search(zero + r": +0\n", out), out
        timeouts = re.findall(r"timeouts \([TR]x\): +(\d+)\n", out)
        if timeouts != ["0", "0"] or int(re.search(r"received samples: +(\d+)", out)[1]) <= 14e6:
            raise TooSlow("3 s of the clock on the wall for 3 s of samples\n" + out)


def test_python_interface():
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import uhd"], env=ENV, capture_output=True).returncode != 0:
        skip("python3-uhd is not installed")
    with Air("nodes: {mary: {noise_dbfs: -20}}") as air:
        code = (f"import uhd, numpy as np\nu = uhd.usrp.MultiUSRP('{air.device('mary')}')\n"
                "x = u.recv_num_samps(50000, 2.4e9, 1.92e6, [0], 10)  # 10 dB of gain\nprint(x.shape, float(np.mean(np.abs(x)**2)))")
        out = run([python, "-c", code])
        m = re.search(r"\(1, 50000\) ([0-9.e-]+)", out)
        assert m and abs(float(m[1]) / 0.1 - 1) < 0.05, out


def test_wrong_arguments():
    with Air() as air:
        for args, text in ((air.device("mary") + ",colour=blue", "unknown device argument 'colour'"), ("type=virtual,hub_timeout=0.1,air=nobody", "is not running"),
                           (air.device("a b"), "accepted are 1 to 31 letters")):
            out = run([EXAMPLES + "/rx_samples_to_file", "--args", args, "--nsamps", "100"], expect=None)
            assert text in out, out


if __name__ == '__main__':
    if not EXAMPLES:
        skip_all("uhd-host is not installed (UHD's examples)")
    main()
