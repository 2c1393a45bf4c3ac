"""The hardware suite against the emulated air, shortened: it must pass on a good air and must notice injected faults.
usage: hil_on_virtual.py BIN HIL_TEST UHD_MODULES"""
import os, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "phy", "air"))
from air_harness import ENV, PEER as HIL_TEST, Air


def suite(yaml, seconds, *options, devices=("one", "two"), most_offset_us=0.7, **more):
    with Air(yaml, "max") as air:
        env = dict(ENV, PROSE_HIL_DEVICES=";".join(map(air.device, devices)), PROSE_HIL_SECONDS=str(seconds), PROSE_HIL_SOAK_RATE_HZ="3.84e6",
                   PROSE_HIL_MOST_OFFSET_US=str(most_offset_us), **more)
        p = subprocess.run([HIL_TEST, *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
        return p.returncode, p.stdout


PATH = 'default: {gain_db: -20, delay_us: 0.6}\nnodes: {"*": {noise_dbfs: -60}}\n'
code, out = suite(PATH, 2)
print(out)
assert code == 0 and "SKIPPED" not in out, "the suite fails on a good air"
assert "not given" not in out and "rate 30.72 Msps" in out, "the air gives every rate"
code, out = suite(PATH, 0.2, "--gtest_filter=*burst_timing*", devices=("one", "two", "three"))
assert code == 0 and "2 to 0" in out, out
print("three devices")
code, out = suite(PATH.replace("0.6", "30"), 0.2, "--gtest_filter=*burst_timing*")
assert code == 1 and "PROSE_HIL_MOST_OFFSET_US" in out, out
print("noticed: bursts that come too late")
code, out = suite(PATH, 0.2, "--gtest_filter=*hears_again*", devices=("one,locked=0", "two"), PROSE_HIL_TIME_SOURCE="external")
assert code == 1 and "not locked" in out, out
print("noticed: no reference")
for kind, node, text in (("overflow", "two", "c.overflows"), ("drop", "two", "c.sequence_errors"), ("late", "one", "c.lates"), ("underflow", "one", "c.underflows")):
    code, out = suite(PATH + f"faults: [{{node: {node}, kind: {kind}, after_s: 0.2}}]", 0.6, "--gtest_filter=*for_long")
    assert code == 1 and text in out, f"{kind} went unnoticed:\n{out}"
    print("noticed:", kind)
code, out = suite("default: {gain_db: -90}\nnodes: {\"*\": {noise_dbfs: -60}}", 0.2, "--gtest_filter=*are_decoded*")
assert code == 1 and "PSBCH 0" in out, out
print("noticed: nothing to decode")
code, out = suite("default: {blocked: true}", 0.2, "--gtest_filter=*burst_timing*")
assert code == 1 and "not heard" in out, out
print("noticed: no cable")
