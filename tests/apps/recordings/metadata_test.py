"""What a recording says of itself: captures, sample indices, texts, digests; and that prose-iq convert keeps it."""
import array, hashlib, json, os, re, shutil, struct, unittest

from tests.apps.recordings import LARGEST, RATE, Recordings, load, run
from tests.harness.paths import REGRESSION


class Captures(Recordings):
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
        self.one_line(run("--iq", meta, "--carrier", "prb=25,tm=4", name="prose-sniffer"), 2, "core:sample_rate", "--rate")
        self.assertEqual(run("--iq", meta, "--rate", RATE, "--carrier", "prb=25,tm=4", name="prose-sniffer").returncode, 0)
        # What the recording says holds.
        self.assertEqual(self.info(self.recording([{"core:sample_start": 0}]), "--rate", 1e6, told=("--rate", "core:sample_rate"))["sample_rate_hz"], RATE)

    def test_many_oddities_are_few_lines(self):
        r = run("info", self.recording([{"core:sample_start": 0}] + [{"core:frequency": i} for i in range(10000)]))
        self.assertEqual(r.returncode, 0)
        self.assertLess(len(r.stderr.splitlines()), 20)

    def test_the_sniffer_and_the_picture_read_them_too(self):
        for c in ([{"core:sample_start": 0}, {"core:sample_start": 76800}], [{"core:sample_start": 40000}, {"core:sample_start": 0}], [{}]):
            meta = self.recording(c, n=76800)
            r = run("--iq", meta, "--carrier", "prb=25,tm=4", name="prose-sniffer")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("captures", r.stderr)
            r = run("plot", meta, self.path("o.png"))
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("captures", r.stderr)


class StreamIndex(Recordings):
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
        data = os.path.join(REGRESSION, "regression_tm4")
        found = []
        for shift in (0, 175292969 * 10240 * 7680):  # whole pool periods, about the device time of today
            m = load(data + ".sigmf-meta")
            m["captures"] = [{**c, "core:global_index": c["core:global_index"] + shift} for c in m["captures"]]
            self.write("s.sigmf-meta", json.dumps(m))
            shutil.copy(data + ".sigmf-data", self.path("s.sigmf-data"))
            expected = load(data + ".expected.json")
            args = [os.path.join(os.path.dirname(data), a) if a.endswith(".yaml") else a for a in expected["arguments"]]
            r = run("--iq", self.path("s.sigmf-meta"), "--events", "-", *args, name="prose-sniffer")
            self.assertEqual(r.returncode, 0, r.stderr)
            events = [json.loads(l) for l in r.stdout.splitlines()]
            found.append([(e["event"], e["sample"], e["hex"], round((e["t"] - shift / RATE) * 1e5)) for e in events if "hex" in e])
        self.assertGreater(len(found[0]), 0)
        self.assertEqual(found[0], found[1])

    def test_converted_it_stays(self):
        meta = self.recording([{"core:sample_start": 0, "core:global_index": self.GPS}], changes={"core:offset": LARGEST - 800})
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta")).returncode, 0)
        self.assertEqual((self.meta("y")["captures"][0]["core:global_index"], self.meta("y")["global"]["core:offset"]), (self.GPS, LARGEST - 800))


class Convert(Recordings):
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

    def test_numbers_keep_every_digit(self):
        meta = self.recording([{"core:sample_start": 0}])
        numbers = ["12345678901234567890123", "-98765432109876543210", "0.1000000000000000055511151231257827", "1.50", "-0", "1E+2", "3e-9"]
        text = self.read("x.sigmf-meta").decode().replace('"annotations": []', '"annotations": [], "lab:list": [%s], "lab:text": "7, \\"8\\" 9e9", "lab:mark": "number\\u003a7"' % ", ".join(numbers))
        self.write("x.sigmf-meta", text)
        for out in ("y.sigmf-meta", "z.sigmf-meta"):
            self.assertEqual(run("convert", meta, self.path(out)).returncode, 0)
            written = self.read(out).decode()
            self.assertEqual(re.findall(r"[^\s,]+", re.search(r'"lab:list": \[(.*?)\]', written, re.S).group(1)), numbers)
            self.assertEqual((json.loads(written)["lab:text"], json.loads(written)["lab:mark"]), ('7, "8" 9e9', "number:7"))
            meta = self.path(out)  # and what was converted is converted alike

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

    def test_headers_in_the_data_are_no_samples(self):
        x = array.array("f", range(100)).tobytes()
        captures = [{"core:sample_start": 0, "core:header_bytes": 44}, {"core:sample_start": 20, "core:header_bytes": 7, "core:frequency": 5e9}, {"core:sample_start": 30}]
        meta = self.recording(captures, changes={"core:trailing_bytes": 3}, data=b"RIFF" + bytes(40) + x[:160] + b"7 bytes" + x[160:] + b"end")
        j = self.info(meta)
        self.assertEqual((j["samples"], j["segments"], j["partial_bytes"]), (50, 3, 0))
        for out in ("y.raw", "y.sigmf-meta", "y.sigmf"):
            r = run("convert", meta, self.path(out))
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("51 bytes before the samples", r.stderr)
            self.assertIn("3 bytes after the samples", r.stderr)
        self.assertEqual((self.read("y.raw"), self.read("y.sigmf-data")), (x, x))
        self.assertNotIn("bytes", json.dumps(self.meta("y")))
        self.assertEqual(self.info(self.path("y.sigmf"), "--verify")["samples"], 50)
        # Cut anywhere: what is there is read, and what is left of a header is no sample.
        for cut, samples, kept in ((44 + 160 + 5, 20, 1), (44 + 160 + 7, 20, 1), (44 + 160 + 7 + 8, 21, 2), (44 + 7, 0, 0), (20, 0, 0)):
            os.truncate(self.path("x.sigmf-data"), cut + 3)
            if samples:
                self.assertEqual([self.info(meta, told=("left out",))[k] for k in ("samples", "segments")], [samples, kept])
            else:
                self.one_line(run("info", meta), 2, "no sample")
        for size in (LARGEST, 2**40):
            self.one_line(run("info", self.recording([{"core:sample_start": 0, "core:header_bytes": size}])), 2, "no sample")

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


class Text(Recordings):
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
                for r in (run("info", meta), run("info", "--json", meta), run("convert", meta, self.path("o.raw")), run("--iq", meta, "--plain", name="prose-sniffer")):
                    for c in "\x1b\x07\u009b\u0085\r\x7f":
                        self.assertNotIn(c, r.stdout + r.stderr, (value, r.args))
                self.assertNotIn("\nb", run("info", meta).stdout)

    def test_letters_stay(self):
        self.assertIn("caf\u00e9 \u011b \u4f60", run("info", self.recording([], changes={"core:description": "caf\u00e9 \u011b \u4f60"})).stdout)


class Digest(Recordings):
    def test_case_and_blanks_do_not_count(self):
        self.recording([])
        true = hashlib.sha512(self.read("x.sigmf-data")).hexdigest()
        for told in (true, true.upper(), true[:64].upper() + true[64:], "\t" + true + " \n"):
            self.assertEqual(self.info(self.recording([], changes={"core:sha512": told}), "--verify")["sha512"], "matches")
        meta = self.recording([], changes={"core:sha512": true.upper()})
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta")).returncode, 0)
        for told in (true[:-1], true[:-1] + "g", true + "00", "00" * 64, " "):
            self.one_line(run("info", "--verify", "--json", self.recording([], changes={"core:sha512": told})), 1, "does not match")

    def test_what_is_damaged_gets_no_new_digest(self):
        meta = self.recording([], changes={"core:sha512": "00" * 64})
        for out in ("y.sigmf-meta", "y.sigmf", "y.raw"):
            self.one_line(run("convert", meta, self.path(out)), 1, "core:sha512 does not match", "--no-verify")
            self.assertFalse(os.path.exists(self.path(out)))
        self.assertEqual(run("convert", meta, self.path("y.sigmf-meta"), "--no-verify").returncode, 0)
        self.assertEqual(self.info(self.path("y"), "--verify")["sha512"], "matches")


if __name__ == "__main__":
    unittest.main()
