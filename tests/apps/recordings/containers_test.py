"""Archives of recordings, and files that hold no samples."""
import array, bz2, gzip, io, json, lzma, os, random, struct, subprocess, tarfile, unittest, wave, zipfile

from tests.apps.recordings import Recordings, run


class Archive(Recordings):
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
        r = run("--iq", self.path("o.sigmf"), "--carrier", "prb=25,tm=4", name="prose-sniffer")
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
        self.of_others(tarfile.PAX_FORMAT, both)
        whole = self.read("a.sigmf")
        self.one_line(run("info", self.write("b.sigmf", whole[:5000])), 2, "cut short")
        self.one_line(run("info", self.write("b.sigmf", whole[:3000])), 2, "no data file")
        self.one_line(run("info", self.write("b.sigmf", b"\x01\x02" * 5000)), 2, "no tar archive")
        self.one_line(run("info", self.write("b.sigmf", gzip.compress(whole))), 2, "gzip")

    def test_one_of_several_recordings(self):
        for name, n in (("x", 800), ("y", 700), ("z", 600)):
            self.recording([{"core:sample_start": 0}], name=name, n=n)
        pair = lambda here, inside: [(inside + s, here + s) for s in (".sigmf-meta", ".sigmf-data")]
        a = self.of_others(tarfile.PAX_FORMAT, pair("x", "./x") + pair("y", "a/y") + pair("z", "a/z") + pair("x", "b/z"))
        self.one_line(run("info", a), 2, "4 recordings", a + "/x, " + a + "/a/y, " + a + "/a/z, " + a + "/b/z")
        self.one_line(run("info", a + "/none"), 2, "no recording 'none'", a + "/a/y")
        self.one_line(run("info", a + "/z"), 2, "more than one recording 'z'")
        for name, n in (("x", 800), ("y", 700), ("a/y", 700), ("a/z", 600), ("b/z.sigmf-meta", 800), ("b/z.sigmf-data", 800)):
            self.assertEqual(self.info(a + "/" + name)["samples"], n, name)
        self.assertEqual(run("convert", a + "/y", self.path("o.sigmf-meta")).returncode, 0)
        self.assertEqual(self.read("o.sigmf-data"), self.read("y.sigmf-data"))
        r = run("--config", self.write("s.yaml", "iq: a.sigmf/y\ncarrier: {prb: 25, tm: 4}\n"), "--events", "-", name="prose-sniffer")
        self.assertEqual((r.returncode, json.loads(r.stdout)["samples"]), (0, 700), r.stderr)
        # Many are not all named; of files with one name the last counts, as for tar.
        many = [p for i in range(30) for p in pair("x", "n%d" % i)]
        self.assertIn("n9 and 20 more", run("info", self.of_others(tarfile.PAX_FORMAT, many)).stderr)
        self.assertEqual(self.info(self.of_others(tarfile.PAX_FORMAT, pair("x", "x") + pair("y", "x")))["samples"], 700)
        # A folder may be called so too.
        os.mkdir(self.path("dir.sigmf"))
        self.recording([{"core:sample_start": 0}], name="dir.sigmf/x")
        self.assertEqual(self.info(self.path("dir.sigmf/x"))["samples"], 800)

    def test_nothing_grows_under_the_name_of_an_archive(self):
        r = run("--iq", self.recording([]), "--carrier", "prb=25,tm=4", "--record", self.path("o.sigmf"), name="prose-sniffer")
        self.one_line(r, 2, "o.sigmf", ".sigmf-meta")


class Containers(Recordings):
    """What is not IQ is told."""

    def test_other_files_are_not_samples(self):
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
        loud = self.recording([], data=array.array("f", [1000.0] * 160).tobytes())
        for r in (run("plot", loud, self.path("o.png")), run("--iq", loud, "--carrier", "prb=25,tm=4", name="prose-sniffer")):
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(r.stderr.count("63.0 dBFS is no signal's: is this cf32_le?"), 1, r.stderr)
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
            self.assertIn("no sample is finite", run("plot", meta, self.path("o.png")).stderr)
            self.assertIn("no sample is finite", run("--iq", meta, "--carrier", "prb=25,tm=4", name="prose-sniffer").stderr)
        self.assertIn("all zero", run("info", self.recording([], data=bytes(640))).stdout)
        self.assertEqual(self.info(self.recording([], data=array.array("f", [nan, 0] * 39 + [1.0, 0.0]).tobytes()))["mean_power"], 1.0)


if __name__ == "__main__":
    unittest.main()
