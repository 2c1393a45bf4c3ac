"""An output is never an input: recordings whose samples lie elsewhere, links, standard output, pipes."""
import os, subprocess, tarfile, unittest

from tests.apps.recordings import Recordings, run
from tests.harness.paths import program


class Roles(Recordings):
    SNIFFER = ("--carrier", "prb=25,tm=4", "--plain")

    def setUp(self):
        super().setUp()
        self.meta = self.recording([{"core:sample_start": 0}])

    def snapshot(self):
        return {n: self.read(n) for n in sorted(os.listdir(self.folder.name)) if os.path.isfile(self.path(n))}

    def refused(self, *args, **more):
        before = self.snapshot()
        r = run(*args, **more)
        self.one_line(r, 2)
        self.assertEqual(self.snapshot(), before, args)

    def test_what_a_recording_consists_of(self):
        """Archives, data files with a name of their own, and other names of them."""
        with tarfile.open(self.path("a.sigmf"), "w") as t:
            for n in ("x.sigmf-meta", "x.sigmf-data"):
                t.add(self.path(n), n)
        self.write("own.bin", self.read("x.sigmf-data"))
        self.recording([], name="d", changes={"core:dataset": "own.bin"}, data=b"")
        os.link(self.path("own.bin"), self.path("hard.bin"))
        os.symlink("a.sigmf", self.path("soft.sigmf"))
        for iq, out in (("a.sigmf", "a.sigmf"), ("a.sigmf/x", "a.sigmf"), ("soft.sigmf", "a.sigmf"), ("d.sigmf-meta", "own.bin"), ("d.sigmf-meta", "hard.bin")):
            self.refused("convert", self.path(iq), self.path(out))
            self.refused("plot", self.path(iq), self.path(out))
            for option in ("--events", "--pcap", "--report"):
                self.refused("--iq", self.path(iq), *self.SNIFFER, option, self.path(out), name="prose-sniffer")
        self.write("c.yaml", "device: none\n")
        self.refused("convert", self.meta, self.path("c.yaml"), "--config", self.path("c.yaml"))

    def to_standard_output(self, name, mode, *args):
        with open(self.path(name), mode) as f:
            return subprocess.run([program("prose-sniffer"), "--iq", self.meta, *self.SNIFFER, *args], stdout=f, stderr=subprocess.PIPE, text=True, timeout=60)

    def test_standard_output_is_a_file_too(self):
        before = self.read("x.sigmf-data")
        self.one_line(self.to_standard_output("x.sigmf-data", "ab", "--events", "-"), 2, "--iq")
        self.assertEqual(self.read("x.sigmf-data"), before)
        self.one_line(self.to_standard_output("o", "wb", "--events", "-", "--pcap", self.path("o")), 2, "--events")
        self.assertEqual(self.to_standard_output("o", "wb", "--events", "-").returncode, 0)

    def test_two_outputs_are_not_one(self):
        os.mkfifo(self.path("p"))
        twice = lambda a, b: self.refused("--iq", self.meta, *self.SNIFFER, "--events", a, "--pcap", b, name="prose-sniffer")
        twice("-", "-")
        twice("-", "/dev/stdout")
        twice(self.path("p"), self.path("p"))
        twice(self.path("new"), os.path.join(self.folder.name, ".", "new"))


if __name__ == "__main__":
    unittest.main()
