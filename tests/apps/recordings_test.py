#!/usr/bin/env python3
"""Recordings as other tools write them, and what prose-iq makes of them: nothing is refused that can be read, nothing is read as what it is
not, nothing is changed that was not asked for. usage: recordings_test.py BIN_DIR SOURCE_DIR [TEST...]"""
import array, json, os, re, resource, shutil, signal, struct, subprocess, sys, tarfile, tempfile, time, unittest

BIN, SOURCE = sys.argv[1:3]
RATE = 7.68e6
LARGEST = 2**63 - 1


def run(*args, program="prose-iq", **kw):
    return subprocess.run([os.path.join(BIN, program), *map(str, args)], capture_output=True, text=True, timeout=100, **kw)


def load(path):
    with open(path) as f:
        return json.load(f)


class base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def read(self, name, mode="rb"):
        with open(self.path(name), mode) as f:
            return f.read()

    def write(self, name, content):
        with open(self.path(name), "wb" if isinstance(content, bytes) else "w") as f:
            f.write(content)
        return self.path(name)

    def recording(self, captures, name="x", n=800, changes={}, top={}, data=None):
        g = {"core:datatype": "cf32_le", "core:sample_rate": RATE, "core:version": "1.2.3", **changes}
        meta = {"global": {k: v for k, v in g.items() if v is not None}, "captures": captures, "annotations": [], **top}
        self.write(name + ".sigmf-meta", json.dumps(meta))
        self.write(name + ".sigmf-data", data if data is not None else array.array("f", [((i * 7919) % 2001 - 1000) / 2000 for i in range(2 * n)]).tobytes())
        return self.path(name + ".sigmf-meta")

    def meta(self, name):
        return json.loads(self.read(name + ".sigmf-meta"))

    def one_line(self, r, code, *words):
        self.assertEqual(r.returncode, code, r.stderr)
        self.assertEqual(len(r.stderr.strip().splitlines()), 1, r.stderr)
        for w in words:
            self.assertIn(w, r.stderr)

    def info(self, meta, *args, told=()):
        """What info --json says; each word of `told` is in a warning."""
        r = run("info", "--json", meta, *args)
        self.assertEqual(r.returncode, 0, r.stderr)
        for w in told:
            self.assertIn(w, r.stderr)
        if not told:
            self.assertEqual(r.stderr, "")
        return json.loads(r.stdout)


class captures(base):
    """What is there is read, with a warning."""

    def test_one_at_the_end_has_no_samples(self):
        j = self.info(self.recording([{"core:sample_start": 0}, {"core:sample_start": 800}]), told=("captures[1]", "end of the data"))
        self.assertEqual((j["samples"], j["segments"], j["gaps"]), (800, 1, 0))

    def test_truncated_data(self):
        j = self.info(self.recording([{"core:sample_start": 0}, {"core:sample_start": 700}, {"core:sample_start": 900}], n=400), told=("captures[1]", "1 more", "400 samples"))
        self.assertEqual((j["samples"], j["segments"]), (400, 1))
        # Nothing of what is described is left: that is no recording.
        self.one_line(run("info", self.recording([{"core:sample_start": 700}], n=400)), 2, "captures[0].core:sample_start 700")

    def test_two_with_one_start(self):
        meta = self.recording([{"core:sample_start": 0, "core:frequency": 5.9e9}, {"core:sample_start": 0, "core:frequency": 5.91e9}])
        j = self.info(meta, told=("captures[0]", "captures[1]", "same sample"))
        self.assertEqual((j["samples"], j["gaps"]), (800, 0))

    def test_out_of_order(self):
        meta = self.recording([{"core:sample_start": 400, "core:global_index": 5000}, {"core:sample_start": 0, "core:global_index": 100},
                               {"core:sample_start": 200, "core:global_index": 300}])
        j = self.info(meta, told=("in order",))
        self.assertEqual((j["segments"], j["gaps"]), (3, 1))
        self.assertEqual(re.findall(r"from sample (\d+) \(stream (\d+)\)", run("info", meta).stdout), [("0", "100"), ("200", "300"), ("400", "5000")])

    def test_no_start(self):
        self.assertEqual(self.info(self.recording([{"core:frequency": 5.9e9}]), told=("captures[0].core:sample_start is missing",))["samples"], 800)
        j = self.info(self.recording([{"core:sample_start": None}, {"core:frequency": 5.91e9}]), told=("captures[1].core:sample_start is missing",))
        self.assertEqual((j["samples"], j["segments"]), (800, 1))

    def test_no_rate(self):
        meta = self.recording([{"core:sample_start": 0}], changes={"core:sample_rate": None})
        self.assertIsNone(self.info(meta, told=("core:sample_rate", "--rate"))["sample_rate_hz"])
        self.assertIn("not given", run("info", meta).stdout)
        j = self.info(meta, "--rate", RATE)
        self.assertEqual((j["sample_rate_hz"], j["duration_s"]), (RATE, 800 / RATE))
        self.one_line(run("plot", meta, self.path("o.png")), 2, "core:sample_rate", "--rate")
        self.assertEqual(run("plot", meta, self.path("o.png"), "--rate", RATE).returncode, 0)
        self.one_line(run("--iq", meta, "--carrier", "prb=25,tm=4", program="prose-sniffer"), 2, "core:sample_rate", "--rate")
        self.assertEqual(run("--iq", meta, "--rate", RATE, "--carrier", "prb=25,tm=4", program="prose-sniffer").returncode, 0)
        # What the recording says holds.
        self.assertEqual(self.info(self.recording([{"core:sample_start": 0}]), "--rate", 1e6, told=("--rate", "core:sample_rate"))["sample_rate_hz"], RATE)

    def test_many_oddities_are_few_lines(self):
        r = run("info", self.recording([{"core:sample_start": 0}] + [{"core:frequency": i} for i in range(10000)]))
        self.assertEqual(r.returncode, 0)
        self.assertLess(len(r.stderr.splitlines()), 20)

    def test_the_sniffer_and_the_picture_read_them_too(self):
        for c in ([{"core:sample_start": 0}, {"core:sample_start": 76800}], [{"core:sample_start": 40000}, {"core:sample_start": 0}], [{}]):
            meta = self.recording(c, n=76800)
            r = run("--iq", meta, "--carrier", "prb=25,tm=4", program="prose-sniffer")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("captures", r.stderr)
            r = run("plot", meta, self.path("o.png"))
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("captures", r.stderr)


class stream_index(base):
    """Sample indices of 64 bits, at the device times of GPS and Unix."""
    GPS = 13792014345366705  # above 2^53, odd: no double holds it

    def stream(self, meta):
        r = run("info", meta)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        return [int(s) for s in re.findall(r"\(stream (\d+)\)", r.stdout)]

    def test_global_index(self):
        for at in (2**53 + 1, self.GPS, LARGEST - 800):
            c = [{"core:sample_start": 0, "core:global_index": at}, {"core:sample_start": 400, "core:global_index": at + 400}]
            self.assertEqual(self.stream(self.recording(c)), [at, at + 400])
            self.assertEqual(self.info(self.path("x"))["gaps"], 0)

    def test_offset(self):
        meta = self.recording([{"core:sample_start": 0}, {"core:sample_start": 400}], changes={"core:offset": self.GPS})
        self.assertEqual(self.stream(meta), [self.GPS, self.GPS + 400])

    def test_a_gap_at_gps_time_has_its_length(self):
        meta = self.recording([{"core:sample_start": 0, "core:global_index": self.GPS}, {"core:sample_start": 400, "core:global_index": self.GPS + 401}])
        self.assertEqual(self.info(meta)["gaps"], 1)

    def test_beyond_the_range(self):
        for at in (2**63, 2**64, -1, 0.5, "7", True):
            self.one_line(run("info", self.recording([{"core:sample_start": 0, "core:global_index": at}])), 2, "captures[0].core:global_index", str(LARGEST))
            self.one_line(run("info", self.recording([], changes={"core:offset": at})), 2, "core:offset", str(LARGEST))
        # The first sample's index fits, that of a later one does not.
        for c, g in (([{"core:sample_start": 0, "core:global_index": LARGEST}], {}), ([{"core:sample_start": 0}], {"core:offset": LARGEST})):
            self.assertEqual(self.info(self.recording(c, changes=g), told=("too large",))["samples"], 800)

    def test_written_as_a_float(self):
        self.assertEqual(self.stream(self.recording([{"core:sample_start": 0.0, "core:global_index": 1e6}])), [1000000])
        self.info(self.recording([{"core:sample_start": 0, "core:global_index": 1.3792014345366704e16}]), told=("may be rounded",))

    def test_frames_are_found_at_gps_time(self):
        data = os.path.join(SOURCE, "tests", "data", "regression", "regression_tm4")
        found = []
        for shift in (0, 175292969 * 10240 * 7680):  # whole pool periods, about the device time of today
            m = load(data + ".sigmf-meta")
            m["captures"] = [{**c, "core:global_index": c["core:global_index"] + shift} for c in m["captures"]]
            self.write("s.sigmf-meta", json.dumps(m))
            shutil.copy(data + ".sigmf-data", self.path("s.sigmf-data"))
            expected = load(data + ".expected.json")
            args = [os.path.join(os.path.dirname(data), a) if a.endswith(".yaml") else a for a in expected["arguments"]]
            r = run("--iq", self.path("s.sigmf-meta"), "--events", "-", *args, program="prose-sniffer")
            self.assertEqual(r.returncode, 0, r.stderr)
            events = [json.loads(l) for l in r.stdout.splitlines()]
            found.append([(e["event"], e["sample"], e["hex"], round((e["t"] - shift / RATE) * 1e5)) for e in events if "hex" in e])
        self.assertGreater(len(found[0]), 0)
        self.assertEqual(found[0], found[1])


if __name__ == "__main__":
    wanted = sys.argv[3:]
    unittest.main(argv=[sys.argv[0], *wanted])
