"""Interrupted and failed runs, outputs that are links or devices, and recordings that are read in a loop."""
import json, os, resource, signal, subprocess, time, unittest

from tests.apps.recordings import RATE, Recordings, load, run
from tests.harness.paths import REGRESSION, program
from tests.harness.process import catches, give_time


class Ends(Recordings):
    """Interrupted or failed says so, and leaves what was there."""

    def sparse(self, n):
        meta = self.recording([{"core:sample_start": 0}])
        os.truncate(self.path("x.sigmf-data"), 8 * n)
        return meta

    def interrupted(self, *args, when=lambda: True, kind=signal.SIGINT, wait=0.0):
        p = subprocess.Popen([program("prose-iq"), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        give_time(lambda: catches(p, kind) and when())  # it is ready for a signal when it catches it
        time.sleep(wait)
        p.send_signal(kind)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 1, err)
        self.assertEqual(out, "")
        self.assertRegex(err, r"stopped after \d+")
        return err

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
        p = subprocess.run([program("prose-iq"), "convert", meta, "/dev/stdout"], stdout=subprocess.PIPE)
        self.assertEqual((p.returncode, p.stdout), (0, self.read("x.sigmf-data")))


class Loop(Recordings):
    def test_rounds_of_one_subframe_are_all_decoded(self):
        data = os.path.join(REGRESSION, "regression_tm4")
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
            for args in (("--sync", "aligned", "--scene", self.path("s.json")), ("--sync", "gnss", "--carrier", "prb=25,tm=4"), ("--sync", "blind", "--carrier", "prb=25,tm=4")):
                r = run("--iq", self.path("one.sigmf-meta"), "--loop", 5, "--events", "-", *args, name="prose-sniffer")
                self.assertEqual(r.returncode, 0, r.stderr)
                events = [json.loads(l) for l in r.stdout.splitlines()]
                for kind in ("sci", "tb"):
                    found = [e["sample"] for e in events if e["event"] == kind]
                    self.assertLessEqual(abs(found[0]), 9 if "blind" in args else 0)  # a search is a few samples off: a quarter of a prefix
                    self.assertEqual([s - found[0] for s in found], [7680 * n * i for i in range(5)], (n, args))
                self.assertEqual(events[-1]["samples"], 5 * n * 7680)
                if "blind" not in args:  # which also counts what it tries
                    self.assertEqual(events[-1]["subframes"], 5 * n)

    def test_rounds_with_one_synchronisation_signal_are_all_decoded(self):
        data = os.path.join(REGRESSION, "regression_slss")
        m, at = load(data + ".sigmf-meta"), load(data + ".expected.json")["frames"][0]["sample"]
        with open(data + ".sigmf-data", "rb") as f:
            samples = f.read()
        for before, n in ((0, 7680), (100, 7780), (0, 7000)):  # whole, with something before it, cut at its end
            part = samples[4 * (at - before):4 * (at - before + n)]
            meta = self.recording([{"core:sample_start": 0}], changes={"core:datatype": m["global"]["core:datatype"]}, data=part)
            r = run("--iq", meta, "--loop", 5, "--events", "-", "--carrier", "prb=25,tm=2", name="prose-sniffer")
            mibs = [e["sample"] for e in map(json.loads, r.stdout.splitlines()) if e["event"] == "mib_sl"]
            self.assertEqual(mibs, [n * i + before for i in range(5)], r.stderr)


if __name__ == "__main__":
    unittest.main()
