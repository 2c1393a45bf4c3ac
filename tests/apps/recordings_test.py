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

    def test_converted_it_stays(self):
        meta = self.recording([{"core:sample_start": 0, "core:global_index": self.GPS}], changes={"core:offset": LARGEST - 800})
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta")).returncode, 0)
        self.assertEqual((self.meta("y")["captures"][0]["core:global_index"], self.meta("y")["global"]["core:offset"]), (self.GPS, LARGEST - 800))


class convert(base):
    """The datatype changes, and nothing else."""
    RICH = {
        "global": {"core:author": "A. User", "core:license": "CC-BY", "core:description": "d \u00e9 \"q\"", "core:hw": "B210", "core:recorder": "other",
                   "core:extensions": [{"name": "antenna", "version": "1.0.0", "optional": True}], "antenna:gain": 3.5, "z:last": None, "a:first": [1, 2.5, {"k": 2**63 - 1}],
                   "core:geolocation": {"type": "Point", "coordinates": [16.37, 48.2]}, "core:num_channels": 1},
        "captures": [{"core:sample_start": 0, "core:frequency": 5.9e9, "core:datetime": "2026-01-01T00:00:00.123456789Z"},
                     {"core:sample_start": 400, "core:frequency": 5.92e9, "core:datetime": "2026-01-01T00:01:00Z", "x:y": "z"},
                     {"core:sample_start": 500, "core:global_index": 2**53 + 1}],
        "top": {"annotations": [{"core:sample_start": 100, "core:sample_count": 200, "core:label": "PSSCH", "core:freq_lower_edge": 5.899e9}], "foreign": {"a": 1}},
    }

    def changed(self, before, after):
        """Keys of global that differ; everything else must not."""
        b, a = dict(before["global"]), dict(after["global"])
        self.assertEqual({k: v for k, v in before.items() if k != "global"}, {k: v for k, v in after.items() if k != "global"})
        return {k for k in {*a, *b} if a.get(k, "none") != b.get(k, "none")}

    def test_metadata_stays(self):
        meta = self.recording(self.RICH["captures"], changes=self.RICH["global"], top=self.RICH["top"])
        before = self.meta("x")
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta"), "--out-type", "ci16").returncode, 0)
        self.assertEqual(self.changed(before, self.meta("y")), {"core:datatype", "core:sha512"})
        self.assertEqual(list(self.meta("y")["global"])[:12], list(before["global"])[:12])  # in their order
        self.assertEqual(run("convert", self.path("y.sigmf-data"), self.path("z.sigmf-meta")).returncode, 0)
        self.assertEqual(self.changed(before, self.meta("z")), {"core:sha512"})
        self.assertEqual(self.info(self.path("z"))["gaps"], self.info(meta)["gaps"])
        self.assertEqual(run("info", "--verify", self.path("y")).returncode, 0)

    def test_a_gap_of_unknown_length_stays_one(self):
        meta = self.recording([{"core:sample_start": 0, "core:datetime": "2026-01-01T00:00:00Z"}, {"core:sample_start": 400, "core:datetime": "2026-01-01T00:00:01.5Z"}])
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta")).returncode, 0)
        self.assertEqual(self.meta("y")["captures"], self.meta("x")["captures"])
        self.assertEqual(self.info(self.path("y"))["gaps"], 1)

    def test_what_describes_the_old_file_goes(self):
        meta = self.recording([], changes={"core:dataset": "other.bin", "core:trailing_bytes": 5, "core:sample_rate": None}, data=b"")
        self.write("other.bin", array.array("f", [0.25] * 8).tobytes() + b"trail")
        r = run("convert", meta, self.path("y.sigmf-meta"))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("5 bytes", r.stderr)
        self.assertEqual(self.changed(self.meta("x"), self.meta("y")), {"core:dataset", "core:trailing_bytes", "core:sha512"})
        self.assertEqual(len(self.read("y.sigmf-data")), 32)
        # What the command line tells is written where nothing was said.
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta"), "--rate", 1e6, "--freq", 9e8).returncode, 0)
        self.assertEqual((self.meta("y")["global"]["core:sample_rate"], self.meta("y")["captures"]), (1e6, [{"core:sample_start": 0, "core:frequency": 9e8}]))

    def test_raw_samples_get_no_date(self):
        self.write("a.raw", array.array("f", [0.25] * 800).tobytes() + b"abc")
        r = run("convert", self.path("a.raw"), self.path("y.sigmf-meta"), "--rate", 1e6)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("last 3 bytes", r.stderr)
        self.assertNotIn("datetime", json.dumps(self.meta("y")))
        self.one_line(run("convert", self.write("b.raw", b"abc"), self.path("z.sigmf-meta"), "--rate", 1e6), 2, "no sample")
        self.assertFalse(os.path.exists(self.path("z.sigmf-meta")))

    def test_samples_stay_to_the_bit(self):
        data = struct.pack("<8h", -32768, 32767, 0, -1, 1, 12345, -12345, 2)
        meta = self.recording([], changes={"core:datatype": "ci16_le"}, data=data)
        for out in ("y.sigmf-meta", "y.sigmf", "y.raw"):
            self.assertEqual(run("convert", meta, self.path(out), "--out-type", "ci16").returncode, 0)
        self.assertEqual((self.read("y.sigmf-data"), self.read("y.raw")), (data, data))
        self.assertEqual(run("convert", self.path("y.sigmf"), self.path("z.raw"), "--out-type", "ci16").returncode, 0)
        self.assertEqual(self.read("z.raw"), data)

    def test_a_deeply_nested_text_is_refused(self):
        meta = self.recording([])
        self.write("x.sigmf-meta", self.read("x.sigmf-meta", "r").replace('"global": {', '"global": {"a": ' + "[" * 100000 + "]" * 100000 + ", "))
        self.one_line(run("convert", meta, self.path("y.sigmf-meta")), 1, "nested")


class archive(base):
    """x.sigmf, a tar archive of both files."""

    def test_there_and_back(self):
        meta = self.recording([{"core:sample_start": 0, "core:frequency": 5.9e9}], changes={"core:author": "A"})
        self.assertEqual(run("convert", meta, self.path("o.sigmf")).returncode, 0)
        with tarfile.open(self.path("o.sigmf")) as t:
            self.assertEqual(sorted(t.getnames()), ["o/o.sigmf-data", "o/o.sigmf-meta"])
            self.assertEqual(t.extractfile("o/o.sigmf-data").read(), self.read("x.sigmf-data"))
            self.assertEqual(json.load(t.extractfile("o/o.sigmf-meta"))["global"]["core:author"], "A")
        self.assertEqual(subprocess.run(["tar", "-tf", self.path("o.sigmf")], capture_output=True).returncode, 0)
        self.assertEqual(self.info(self.path("o.sigmf"), "--verify")["sha512"], "matches")
        self.assertEqual(run("convert", self.path("o.sigmf"), self.path("b.sigmf-meta")).returncode, 0)
        self.assertEqual(self.read("b.sigmf-data"), self.read("x.sigmf-data"))
        r = run("--iq", self.path("o.sigmf"), "--carrier", "prb=25,tm=4", program="prose-sniffer")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(run("plot", self.path("o.sigmf"), self.path("o.png")).returncode, 0)

    def of_others(self, fmt, names):
        with tarfile.open(self.path("a.sigmf"), "w", format=fmt) as t:
            for inside, here in names:
                t.add(self.path(here), inside)
        return self.path("a.sigmf")

    def test_archives_of_others(self):
        self.recording([{"core:sample_start": 0}])
        self.write("junk", b"junk")
        os.mkdir(self.path("dir"))
        folder = "d" * 120
        for fmt in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            for names in ([("x.sigmf-meta", "x.sigmf-meta"), ("x.sigmf-data", "x.sigmf-data")],
                          [("x", "dir"), ("x/._x.sigmf-meta", "junk"), ("x/x.sigmf-data", "x.sigmf-data"), ("x/readme", "junk"), ("x/x.sigmf-meta", "x.sigmf-meta")],
                          [(folder + "/x.sigmf-meta", "x.sigmf-meta"), (folder + "/x.sigmf-data", "x.sigmf-data")]):
                self.assertEqual(self.info(self.of_others(fmt, names))["samples"], 800, (fmt, names))

    def test_archives_that_are_none(self):
        self.recording([{"core:sample_start": 0}])
        both = [("x.sigmf-meta", "x.sigmf-meta"), ("x.sigmf-data", "x.sigmf-data")]
        self.one_line(run("info", self.path("none.sigmf")), 2, "none.sigmf: no such file")
        self.one_line(run("info", self.of_others(tarfile.PAX_FORMAT, both[:1])), 2, "no data file")
        self.one_line(run("info", self.of_others(tarfile.PAX_FORMAT, both[1:])), 2, "0 recordings")
        self.one_line(run("info", self.of_others(tarfile.PAX_FORMAT, both + [("y.sigmf-meta", "x.sigmf-meta")])), 2, "2 recordings")
        self.of_others(tarfile.PAX_FORMAT, both)
        whole = self.read("a.sigmf")
        self.one_line(run("info", self.write("b.sigmf", whole[:5000])), 2, "cut short")
        self.one_line(run("info", self.write("b.sigmf", whole[:3000])), 2, "no data file")
        self.one_line(run("info", self.write("b.sigmf", b"\x01\x02" * 5000)), 2, "no tar archive")
        import gzip
        self.one_line(run("info", self.write("b.sigmf", gzip.compress(whole))), 2, "gzip")

    def test_nothing_grows_under_the_name_of_an_archive(self):
        r = run("--iq", self.recording([]), "--carrier", "prb=25,tm=4", "--record", self.path("o.sigmf"), program="prose-sniffer")
        self.one_line(r, 2, "o.sigmf", ".sigmf-meta")


class containers(base):
    """What is not IQ is told."""

    def test_other_files_are_not_samples(self):
        import bz2, gzip, io, lzma, wave, zipfile
        self.recording([])
        w, z, t = io.BytesIO(), io.BytesIO(), io.BytesIO()
        with wave.open(w, "wb") as f:
            f.setnchannels(2), f.setsampwidth(2), f.setframerate(48000), f.writeframes(bytes(4000))
        with zipfile.ZipFile(z, "w") as f:
            f.writestr("a", "b" * 1000)
        with tarfile.open(fileobj=t, mode="w") as f:
            f.add(self.path("x.sigmf-data"), "x")
        text = b"0.25 -0.25\n" * 100
        files = {"WAV": w.getvalue(), "a WAV": b"RF64" + w.getvalue()[4:], "zip": z.getvalue(), "tar": t.getvalue(), "gzip": gzip.compress(text), "xz": lzma.compress(text),
                 "bzip2": bz2.compress(text), "text": text, "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 6400\n",
                 "git-annex": b"/annex/objects/SHA256E-s6400--00.sigmf-data\n", "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(1000), "NumPy": b"\x93NUMPY\x01\x00" + bytes(1000)}
        for word, content in files.items():
            self.one_line(run("convert", self.write("a.raw", content), self.path("y.sigmf-meta"), "--rate", 1e6), 2, "a.raw", word, "not samples")
            self.assertFalse(os.path.exists(self.path("y.sigmf-meta")))
            self.write("x.sigmf-data", content)
            self.one_line(run("info", self.path("x")), 2, "x.sigmf-data", word, "not samples")

    def test_samples_are_samples(self):
        import random
        g = random.Random(1)
        for content in (bytes(80), b"\x01" * 80, struct.pack("<20f", *[0.25] * 20), g.randbytes(80), struct.pack("<40h", *range(40)), b"abcdefgh"):
            for args in ((), ("--in-type", "ci16")):
                r = run("convert", self.write("a.raw", content), self.path("y.sigmf-meta"), "--rate", 1e6, *args)
                self.assertEqual(r.returncode, 0, r.stderr)

    def test_a_power_that_no_signal_has(self):
        self.write("a.raw", struct.pack("<2000h", *[(7919 * i) % 32768 for i in range(2000)]))
        r = run("convert", self.path("a.raw"), self.path("y.sigmf-meta"), "--rate", 1e6)
        self.assertEqual(r.returncode, 0)
        self.assertIn("is this cf32_le?", r.stderr)
        self.assertIn("is this cf32_le?", run("info", self.path("y")).stderr)
        r = run("convert", self.path("a.raw"), self.path("z.sigmf-meta"), "--rate", 1e6, "--in-type", "ci16")
        self.assertNotIn("is this", r.stderr)
        self.assertEqual(self.info(self.recording([], data=array.array("f", [60.0] * 80).tobytes()))["samples"], 40)  # +38.6 dBFS

    def test_no_sample_is_finite(self):
        nan, inf = float("nan"), float("inf")
        for values in ([nan] * 80, [inf] * 80, [nan, 0.0] * 40):
            meta = self.recording([], data=array.array("f", values).tobytes())
            j = self.info(meta, told=("no sample is finite",))
            self.assertEqual((j["mean_power"], j["peak_power"], j["non_finite_samples"]), (None, None, 40))
            r = run("info", meta)
            self.assertNotIn("zero", r.stdout)
            self.assertEqual(r.stdout.count("no sample is finite"), 2)
            self.assertIn("no sample is finite", run("convert", meta, self.path("y.raw")).stderr)
            self.assertIn("not finite", run("plot", meta, self.path("o.png")).stderr)
        self.assertIn("all zero", run("info", self.recording([], data=bytes(640))).stdout)
        self.assertEqual(self.info(self.recording([], data=array.array("f", [nan, 0] * 39 + [1.0, 0.0]).tobytes()))["mean_power"], 1.0)


class text(base):
    def test_nothing_in_a_file_is_a_terminals_command(self):
        bad = ("\x1b[2J", "\x1b]0;title\x07", "\u009b2J", "\u0085", "\r", "\x7f", "a\nb")
        keys = ("core:description", "core:hw", "core:author", "core:recorder", "core:comment", "core:sha512", "core:dataset")
        for value in bad:
            self.recording([{"core:sample_start": 0, "core:datetime": value, "core:comment": value}], changes=dict.fromkeys(keys, value),
                           top={"annotations": [{"core:sample_start": 0, "core:sample_count": 3, "core:label": value, "core:comment": value}]})
            for name in ("x", "\x1b[2Jy"):
                if name != "x":
                    for part in (".sigmf-meta", ".sigmf-data"):
                        os.rename(self.path("x" + part), self.path(name + part))
                meta = self.path(name + ".sigmf-meta")
                for r in (run("info", meta), run("info", "--json", meta), run("convert", meta, self.path("o.raw")), run("--iq", meta, "--plain", program="prose-sniffer")):
                    for c in "\x1b\x07\u009b\u0085\r\x7f":
                        self.assertNotIn(c, r.stdout + r.stderr, (value, r.args))
                self.assertNotIn("\nb", run("info", meta).stdout)

    def test_letters_stay(self):
        self.assertIn("caf\u00e9 \u011b \u4f60", run("info", self.recording([], changes={"core:description": "caf\u00e9 \u011b \u4f60"})).stdout)


class digest(base):
    def test_case_and_blanks_do_not_count(self):
        import hashlib
        self.recording([])
        true = hashlib.sha512(self.read("x.sigmf-data")).hexdigest()
        for told in (true, true.upper(), true[:64].upper() + true[64:], "\t" + true + " \n"):
            self.assertEqual(self.info(self.recording([], changes={"core:sha512": told}), "--verify")["sha512"], "matches")
        for told in (true[:-1], true[:-1] + "g", true + "00", "00" * 64, " "):
            self.one_line(run("info", "--verify", "--json", self.recording([], changes={"core:sha512": told})), 1, "does not match")


class ends(base):
    """Interrupted or failed says so, and leaves what was there."""

    def sparse(self, n):
        meta = self.recording([{"core:sample_start": 0}])
        os.truncate(self.path("x.sigmf-data"), 8 * n)
        return meta

    def interrupted(self, *args, when=lambda: True, kind=signal.SIGINT, wait=0.0):
        p = subprocess.Popen([os.path.join(BIN, "prose-iq"), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        # It is ready for a signal when it catches it.
        while time.monotonic() < end and not (self.catches(p.pid, kind) and when()):
            time.sleep(0.002)
        time.sleep(wait)
        p.send_signal(kind)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 1, err)
        self.assertEqual(out, "")
        self.assertRegex(err, r"stopped after \d+")
        return err

    @staticmethod
    def catches(pid, kind):
        with open(f"/proc/{pid}/status") as f:
            mask = int(re.search(r"SigCgt:\s*(\w+)", f.read()).group(1), 16)
        return bool(mask >> (kind - 1) & 1)

    def test_info(self):
        for kind in (signal.SIGINT, signal.SIGTERM):
            self.assertRegex(self.interrupted("info", self.sparse(2**30), kind=kind), r"stopped after \d+ of 1073741824 samples")

    def test_convert(self):
        self.write("y.sigmf-meta", "old"), self.write("y.sigmf-data", "old"), self.write("y.sigmf", "old"), self.write("y.raw", "old")
        meta = self.sparse(2**30)
        for out in ("y.sigmf-meta", "y.sigmf", "y.raw"):
            err = self.interrupted("convert", meta, self.path(out), when=lambda: any(n.endswith(".part") for n in os.listdir(self.folder.name)))
            self.assertRegex(err, r"stopped after \d+ of 1073741824 samples")
        self.assertEqual({self.read(n) for n in ("y.sigmf-meta", "y.sigmf-data", "y.sigmf", "y.raw")}, {b"old"})
        self.assertFalse([n for n in os.listdir(self.folder.name) if n.endswith(".part")])

    def test_convert_of_a_pipe(self):
        os.mkfifo(self.path("p"))
        fd = os.open(self.path("p"), os.O_RDWR)
        os.write(fd, bytes(4096))
        self.interrupted("convert", self.path("p"), self.path("y.raw"), "--rate", 1e6, wait=2,  # by then it waits for more
                         when=lambda: any(n.endswith(".part") for n in os.listdir(self.folder.name)))
        os.close(fd)
        self.assertFalse(os.path.exists(self.path("y.raw")))

    def test_plot(self):
        self.write("o.png", "old")
        self.assertRegex(self.interrupted("plot", self.sparse(2**30), self.path("o.png")), r"stopped after \d+ of \d+ columns")
        self.assertEqual(self.read("o.png"), b"old")

    def test_a_full_disk(self):
        meta = self.recording([], n=20000)
        for out in ("y.sigmf-meta", "y.sigmf", "y.raw"):
            for limit in (100000, 8 * 20000 + 100):  # in the data, in what follows
                if out == "y.raw" and limit > 8 * 20000 or out == "y.sigmf-meta" and limit > 8 * 20000:
                    continue
                self.write(out, "old")
                r = run("convert", meta, self.path(out), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
                self.one_line(r, 1, "disk full", out.split("-")[0])
                self.assertEqual(self.read(out), b"old")
                self.assertFalse([n for n in os.listdir(self.folder.name) if n.endswith(".part")])

    def test_links_devices_and_modes(self):
        meta = self.recording([])
        self.write("target.raw", "old")
        os.chmod(self.path("target.raw"), 0o640)
        os.symlink("target.raw", self.path("link.raw"))
        self.assertEqual(run("convert", meta, self.path("link.raw")).returncode, 0)
        self.assertTrue(os.path.islink(self.path("link.raw")))
        self.assertEqual((self.read("target.raw"), os.stat(self.path("target.raw")).st_mode & 0o777), (self.read("x.sigmf-data"), 0o640))
        self.assertEqual(run("convert", meta, "/dev/null").returncode, 0)
        self.assertEqual(run("convert", meta, "/dev/full").returncode, 1)
        p = subprocess.run([os.path.join(BIN, "prose-iq"), "convert", meta, "/dev/stdout"], stdout=subprocess.PIPE)
        self.assertEqual((p.returncode, p.stdout), (0, self.read("x.sigmf-data")))


class loop(base):
    def test_rounds_of_one_subframe_are_all_decoded(self):
        data = os.path.join(SOURCE, "tests", "data", "regression", "regression_tm4")
        m, first = load(data + ".sigmf-meta"), load(data + ".expected.json")["frames"][0]
        at = first["sample"]
        with open(data + ".sigmf-data", "rb") as f:
            samples = f.read()
        for n in (1, 2):  # the second has a subframe that is not there: silence
            start = m["captures"][0]["core:global_index"] + at
            one = {**m, "captures": [{"core:sample_start": 0, "core:global_index": start}]}
            one["global"] = {k: v for k, v in m["global"].items() if k != "core:sha512"}
            self.write("one.sigmf-meta", json.dumps(one))
            self.write("one.sigmf-data", samples[4 * at:4 * (at + 7680)] + bytes(4 * 7680 * (n - 1)))
            self.write("s.json", json.dumps({"carrier": {"n_prb": 25, "cp": "normal", "transmission_mode": 4, "sample_rate_hz": RATE}, "first_subframe_sample": 0}))
            for args in (("--sync", "aligned", "--scene", self.path("s.json")), ("--sync", "gnss", "--carrier", "prb=25,tm=4")):
                r = run("--iq", self.path("one.sigmf-meta"), "--loop", 5, "--events", "-", *args, program="prose-sniffer")
                self.assertEqual(r.returncode, 0, r.stderr)
                events = [json.loads(l) for l in r.stdout.splitlines()]
                for kind in ("sci", "tb"):
                    self.assertEqual([e["sample"] for e in events if e["event"] == kind], [7680 * n * i for i in range(5)], (n, args))
                self.assertEqual(events[-1]["subframes"], 5 * n)


if __name__ == "__main__":
    wanted = sys.argv[3:]
    unittest.main(argv=[sys.argv[0], *wanted])
