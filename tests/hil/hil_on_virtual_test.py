"""The hardware suite against the emulated air, shortened: it must pass on a good air and must notice injected faults."""
import subprocess

from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.paths import ENV, tool

PATH = 'default: {gain_db: -20, delay_us: 0.6}\nnodes: {"*": {noise_dbfs: -60}}\n'


def suite(yaml, seconds, *options, devices=("one", "two"), most_offset_us=0.7, **more):
    with Air(yaml, "max") as air:
        env = dict(ENV, PROSE_HIL_DEVICES=";".join(map(air.device, devices)), PROSE_HIL_SECONDS=str(seconds), PROSE_HIL_SOAK_RATE_HZ="3.84e6",
                   PROSE_HIL_MOST_OFFSET_US=str(most_offset_us), **more)
        p = subprocess.run([tool("hil_test"), *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
        return p.returncode, p.stdout


def noticed(text, *arguments, **more):
    code, out = suite(*arguments, **more)
    assert code == 1 and text in out, f"went unnoticed:\n{out}"


def test_a_good_air_passes():
    code, out = suite(PATH, 2)
    print(out)
    assert code == 0 and "SKIPPED" not in out, "the suite fails on a good air"
    assert "not given" not in out and "rate 30.72 Msps" in out, "the air gives every rate"


def test_three_devices():
    code, out = suite(PATH, 0.2, "--gtest_filter=*burst_timing*", devices=("one", "two", "three"))
    assert code == 0 and "2 to 0" in out, out


def test_bursts_that_come_too_late_are_noticed():
    noticed("PROSE_HIL_MOST_OFFSET_US", PATH.replace("0.6", "30"), 0.2, "--gtest_filter=*burst_timing*")


def test_a_missing_reference_is_noticed():
    noticed("not locked", PATH, 0.2, "--gtest_filter=*hears_again*", devices=("one,locked=0", "two"), PROSE_HIL_TIME_SOURCE="external")


def test_radio_faults_are_noticed():
    for kind, node, text in (("overflow", "two", "c.overflows"), ("drop", "two", "c.sequence_errors"), ("late", "one", "c.lates"), ("underflow", "one", "c.underflows")):
        noticed(text, PATH + f"faults: [{{node: {node}, kind: {kind}, after_s: 0.2}}]", 0.6, "--gtest_filter=*for_long")
        print("noticed:", kind)


def test_nothing_to_decode_is_noticed():
    noticed("PSBCH 0", 'default: {gain_db: -90}\nnodes: {"*": {noise_dbfs: -60}}', 0.2, "--gtest_filter=*are_decoded*")


def test_a_missing_cable_is_noticed():
    noticed("not heard", "default: {blocked: true}", 0.2, "--gtest_filter=*burst_timing*")


if __name__ == "__main__":
    main()
