"""Recordings as other tools write them, and what prose-iq makes of them: nothing is refused that can be read, nothing is read as what it is
not, nothing is changed that was not asked for. What the test files of this folder share."""
import array, json, os, tempfile, unittest

from tests.harness import process
from tests.harness.files import write

RATE = 7.68e6
LARGEST = 2**63 - 1


def run(*args, name="prose-iq", **more):
    return process.run(name, *args, code=None, **more)


def load(path):
    with open(path) as f:
        return json.load(f)


class Recordings(unittest.TestCase):
    """A folder of its own with recordings as other tools write them."""

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
        return write(self.path(name), content)

    def recording(self, captures, name="x", n=800, changes=(), top=(), data=None):
        g = {"core:datatype": "cf32_le", "core:sample_rate": RATE, "core:version": "1.2.3", **dict(changes)}
        meta = {"global": {k: v for k, v in g.items() if v is not None}, "captures": captures, "annotations": [], **dict(top)}
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
