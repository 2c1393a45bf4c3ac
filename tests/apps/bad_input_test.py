"""Bad input to every program that uses a radio: one line on stderr that names what is wrong, exit code 2, at once."""
import json, os, re, subprocess, tempfile

from tests.harness import files, paths, ue
from tests.harness.air import Air
from tests.harness.cases import main
from tests.harness.files import text_of
from tests.harness.paths import SOURCE, program

ENV = {k: v for k, v in paths.ENV.items() if k != "UHD_LOG_CONSOLE_LEVEL"}  # a user does not set it
FOLDER = tempfile.TemporaryDirectory()
META = json.dumps({"global": {"core:datatype": "cf32_le", "core:sample_rate": 1.92e6, "core:version": "1.0.0"},
                   "captures": [{"core:sample_start": 0, "core:frequency": 5.9e9}], "annotations": []})
counted = 0


def path(name):
    return os.path.join(FOLDER.name, name)


def write(name, text):
    return files.write(path(name), text)


def refused(name, *arguments, words=(), code=2, by_check=False):
    """Within 20 s even under load; nothing waits for a hub longer than it is told to. `by_check`: --check says the same."""
    global counted
    counted += 1
    command = [program(name), *map(str, arguments)]
    r = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    lines = r.stderr.splitlines()
    assert r.returncode == code and len(lines) == 1 and lines[0].startswith(name + ": "), (command, r.returncode, r.stderr)
    assert all(w in lines[0] for w in words), (command, words, r.stderr)
    if by_check:
        checked = subprocess.run([*command, '--check'], env=ENV, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert (checked.returncode, checked.stdout, checked.stderr) == (code, '', r.stderr), (checked, r.stderr)


def radio_programs(air):
    """Each program with a radio: how it is given device arguments, and more options."""
    device = air.device
    listen = ("--config", write("sniffer.yaml", text_of(f"{SOURCE}/configs/sniffer.yaml")))
    return {
        "prose-ue": lambda args, *more: ("prose-ue", "--config", path("mary.yaml"), "--device", args, *more),
        "prose-sniffer": lambda args, *more: ("prose-sniffer", *listen, "--device", args, *more),
        "record": lambda args, *more: ("prose-iq", "record", path("never"), "--device", args, *more),
        "replay": lambda args, *more: ("prose-iq", "replay", path("x"), "--device", args, *more),
    }


def scene(air):
    """mary.yaml with keys, a recording and the sniffer's configuration, on this air."""
    if not os.path.exists(path("x.sigmf-meta")):
        ue.configure(FOLDER.name, air)
    write("mary.yaml", re.sub(r"(?m)^device: .*", "device: " + air.device("mary"), text_of(path("mary.yaml"))))
    write("x.sigmf-meta", META)
    write("x.sigmf-data", b"\0" * 8000)


def test_device_arguments_and_hubs():
    with Air() as air:
        scene(air)
        ok = air.device("a")
        for name, command in radio_programs(air).items():
            for args, words in ((ok + ",colour=blue", ("unknown device argument 'colour'", "accepted are name, air")),
                                (ok + ",lead_us=soon", ("lead_us=soon", "accepted is a number")),
                                (ok + ",master_clock_rate=0", ("master_clock_rate=0", "accepted")),
                                (ok + ",clock_source=sundial", ("clock_source=sundial", "accepted are internal")),
                                ("type=virtual,name=../../etc,air=" + air.name, ("name=../../etc", "accepted are 1 to 31")),
                                ("type=virtual,name=a,hub_timeout=0.1,air=nobody_started_this", ("nobody_started_this", "is not running")),
                                ("type=virtual,name=a,hub_timeout=0.1,air=a/b", ("air=a/b", "accepted are")),
                                ("type=no_such_radio", ("no device for 'type=no_such_radio'",)),
                                ("type=b200,serial=00000000", ("no device for 'type=b200",))):
                refused(*command(args), words=words)
            assert not os.path.exists(path("never.sigmf-meta")), name
        for _ in range(30):  # no greeting of UHD's log thread gets in between, however the two race
            refused(*radio_programs(air)["record"](ok + ",colour=blue"), words=("unknown device argument 'colour'",))
    without = dict(ENV)
    del without["UHD_MODULE_PATH"]
    r = subprocess.run([program("prose-iq"), "record", path("never"), "--device", "type=virtual"], env=without, capture_output=True, text=True, timeout=20)
    assert r.returncode == 2 and r.stderr.count("\n") == 1 and "set UHD_MODULE_PATH" in r.stderr, r.stderr


def test_rates_frequencies_and_gains():
    with Air() as air:
        scene(air)
        ok = air.device("a")
        programs = radio_programs(air)
        for rate in ("1e12", "0", "-1", "nan", "inf", "fast", ""):
            for name in ("prose-sniffer", "record", "replay"):
                refused(*programs[name](ok, "--rate", rate))
        refused(*programs["prose-sniffer"](ok, "--rate", 5e6), words=("--rate 5000000", "7680000"))
        refused("prose-sniffer", "--device", ok, "--carrier", "prb=24,tm=4", words=("24 PRB", "25, 50"))
        refused(*programs["record"](ok, "--rate", 199.9e6), words=("sample_rate_hz 199900000", "the device gives"))
        refused(*programs["record"](ok, "--rate", 100), words=("sample_rate_hz 100", "the device gives 10000"))
        refused(*programs["record"](ok, "--freq", 60e9), words=("center_freq_hz",))
        refused(*programs["record"](ok, "--gain", 99), words=("rx_gain_db 99", "0 to 40"))
        refused(*programs["replay"](ok, "--gain", 99), words=("tx_gain_db 99", "0 to 40"))
        refused(*programs["prose-sniffer"](ok, "--gain", 99), words=("rx_gain_db 99", "0 to 40"))
        for option, values in {"--gain": ("nan", "inf", "-1"), "--duration": ("nan", "-1", "1e-9", "1e300"), "--start": ("nan", "1e12", "-1"),
                               "--max-size": ("-1", "7", "nan", ""), "--freq": ("nan", "0", "")}.items():
            for value in values:
                refused(*programs["record"](ok, option, value), words=(option,))
        for option, values in {"--gain": ("nan",), "--scale": ("nan", "-1", "inf"), "--start": ("nan", "1e12"), "--freq": ("nan",)}.items():
            for value in values:
                refused(*programs["replay"](ok, option, value), words=(option,))
        for option in ("--gain", "--duration", "--frequency"):
            refused(*programs["prose-sniffer"](ok, option, "nan"), words=(option,))
        for out in (".", "..", "", FOLDER.name, FOLDER.name + "/"):
            refused("prose-iq", "record", out, "--device", ok, words=("accepted is the name of a file",))
        profile = lambda name, rate: write(name, f'device_args: "{ok}"\nsample_rate_hz: {rate}\n')
        for name, rate in (("m1.yaml", "7.68e6"), ("m2.yaml", "15.36e6"), ("m3.yaml", "5e6")):
            profile(name, rate)
        for measure, words in (((path("m1.yaml"), path("none.yaml")), ("none.yaml",)), ((path("m1.yaml"), path("m2.yaml")), ("sample_rate_hz differs", "the same")),
                               ((path("m3.yaml"), path("m3.yaml")), ("m3.yaml: sample_rate_hz 5000000", "LTE rates")), ((path("m1.yaml"),), ("second",)),
                               ((path("m1.yaml"), path("m1.yaml"), "--bursts", "1"), ("--bursts",)), ((path("m1.yaml"), path("m1.yaml"), "--power", "0"), ("--power",))):
            refused("prose-iq", "measure", *measure, words=words)
        # prose-ue takes all this from its configuration.
        mary = text_of(path("mary.yaml"))
        for old, new, words in (("  tx_gain_db: 0", "  tx_gain_db: 99", ("tx_gain_db 99", "0 to 40")),
                                ("  tx_gain_db: 0", "  sample_rate_hz: 5e6", ("sample_rate_hz", "7680000")),
                                ("  tx_gain_db: 0", "  sample_rate_hz: 1e12", ("mary2.yaml:", "sample_rate_hz")),
                                ("  tx_gain_db: 0", "  device_rate_hz: 199.9e6", ("device_rate_hz 199900000", "the device gives")),
                                ("  tx_gain_db: 0", "  rx_antenna: ROOF", ("rx_antenna 'ROOF'", "TX/RX")),
                                ("  tx_gain_db: 0", "  subdev: \"C:7\"", ("C:7",)),
                                ("  tx_gain_db: 0", "  master_clock_hz: 1e9", ("master_clock_rate",)),
                                ("  center_freq_hz: 5.9e9", "  center_freq_hz: 60e9", ("mary2.yaml:", "center_freq_hz"))):
            assert old in mary
            refused("prose-ue", "--config", write("mary2.yaml", mary.replace(old, new)), words=words)


def test_values_of_a_ue():
    """Values that are wrong in themselves, and those that contradict another value or file: the message names the line in both cases."""
    with Air() as air:
        scene(air)
        mary = text_of(path("mary.yaml"))
        mary = re.sub(r"(?ms)^data:.*?(?=^allow_keylog)", "data:\n  kind: udp\n\n", mary)
        line_of = lambda text, what: text[:text.index(what)].count("\n") + 1
        for old, new, at, words in (
                ("  kind: udp\n", "  kind: udp\n  peers:\n    - {name: john}\n    - {name: nobody}\n", "{name: nobody}", ("data.peers[1].name", "'nobody'", "accepted: john")),
                ("  model: a ", "  query: [john, nobody]\n  model: a ", "query: [john", ("discovery.query", "'nobody'", "accepted: john")),
                ("  model: a ", "  period_subframes: 325\n  model: a ", "period_subframes", ("325", "accepted: a multiple of 40")),
                ("  model: a ", "  period_subframes: 330\n  model: a ", "period_subframes", ("the SC period", "accepted: a multiple of 40")),
                ("  private_key: ", "  # private_key: ", "  permissions:", ("identity.private_key: is missing", "accepted: a file made by prose-keys gen")),
                ("  private_key: ", "  private_key: no/such/", "  private_key:", ("identity.private_key", "no/such/")),
                ("  permissions: ", "  permissions: no/such/", "  permissions:", ("identity.permissions", "no/such/")),
                ("  lost_s: 30", "  lost_s: 10", "lost_s: 10", ("link.lost_s", "accepted: a lost_s above keepalive_s")),
                ("  keepalive_s: 10\n  lost_s: 30", "  keepalive_s: 31", "keepalive_s: 31", ("link.keepalive_s", "accepted: a lost_s above keepalive_s")),
                *(("  lost_s: 30", "  lost_s: 30\n  " + key, key, words) for key, words in (
                    ("cover: 17", ("link.cover", "a whole number of 0 to 16")), ("cover: -1", ("link.cover", "a whole number of 0 to 16")), ("cover: many", ("link.cover",)),
                    ("cover: 8", ("8 flows with a record each 500 ms", "accepted: cover_interval_ms from 640")),
                    ("cover_octets: 10", ("link.cover_octets", "a whole number of 64 to 1000")), ("cover_round_s: 121", ("link.cover_round_s", "a whole number of 15 to 120")))),
                ("  epoch_min_s: 120", "  cover: 2\n  epoch_min_s: 30", "  cover: 2", ("link.cover", "is above epoch_min_s", "up to 30")),
                *(("  kind: udp\n", "  kind: udp\n  peers:\n    - name: john\n      %s: \"%s\"\n" % (key, value), key, (key, "'%s'" % value, "accepted: ADDRESS:PORT"))
                  for key in ("udp_listen", "udp_forward") for value in ("localhost:7001", "127.0.0.1", "127.0.0.1:70000", ":7001")),
                ("  kind: udp\n", "  kind: udp\n  peers:\n    - name: john\n      udp_listen: \"192.0.2.1:7001\"\n", "udp_listen", ("udp_listen", "cannot listen on 192.0.2.1:7001"))):
            assert old in mary, old
            text = mary.replace(old, new, 1)
            refused("prose-ue", "--config", write("mary3.yaml", text), words=("mary3.yaml:%d: " % line_of(text, at), *words), by_check="cannot listen" not in words[-1])
        text = mary.replace("  model: a ", "  period_subframes: 330\n  model: a ").replace("  tm: 2 ", "  tm: 4 ")
        refused("prose-ue", "--config", write("mary3.yaml", mary), words=("--data udp", "no peer has an endpoint", "udp_listen"))
        refused("prose-ue", "--config", write("mary3.yaml", text.replace("kind: udp", "kind: none").replace("tx_gain_db: 0", "tx_gain_db: 99")), words=("tx_gain_db 99",))  # 330 is good in TM4


# Files that are not YAML, or not the map that is expected. None of them may be read as an empty file.
BROKEN = {"unclosed": "a: [1\nb", "tabs": "a:\n\t- 1\n", "quote": 'a: "x\n', "list": "- 1\n- 2\n", "scalar": "just words\n", "colon": "a: b: c\n", "anchor": "a: *nowhere\n",
          "deep": "[" * 20000, "deep_map": "{a: " * 20000, "octets": bytes(range(128, 256)) * 4, "nul": b"a: \0\x01\x02: [\n", "unknown": "no_such_key: 1\n",
          "tag": "!!binary [\n"}


def test_malformed_files():
    with Air() as air:
        scene(air)
        ok = air.device("a")
        commands = {
            "air config": lambda f: ("prose-air", "--config", f),
            "ue config": lambda f: ("prose-ue", "--config", f),
            "ue radio": lambda f: ("prose-ue", "--config", path("mary.yaml"), "--radio", f),
            "sniffer config": lambda f: ("prose-sniffer", "--config", f, "--device", ok),
            "sniffer radio": lambda f: ("prose-sniffer", "--device", ok, "--radio", f),
            "record config": lambda f: ("prose-iq", "--config", f, "record", path("never"), "--device", ok),
            "record radio": lambda f: ("prose-iq", "record", path("never"), "--device", ok, "--radio", f),
            "replay radio": lambda f: ("prose-iq", "replay", path("x"), "--device", ok, "--radio", f),
        }
        for what, command in commands.items():
            for name, text in BROKEN.items():
                refused(*command(write(f"{name}.yaml", text)), words=(f"{name}.yaml:",), by_check=True)
            refused(*command(path("nowhere.yaml")), words=("nowhere.yaml",), by_check=True)
            refused(*command(FOLDER.name), words=(FOLDER.name,), by_check=True)
        # A radio profile's values, wherever it is given.
        for text, words in (("sample_rate_hz: fast", ("p.yaml:1", "sample_rate_hz", "fast")), ("\n\nrx_gain_db: [1]", ("p.yaml:3", "rx_gain_db")),
                            ("clock_source: sundial", ("p.yaml:1", "internal, external, gpsdo")), ("turnaround_s: -1", ("p.yaml:1", "0 to 0.1")),
                            ("clock_source: external\ntime_source: gpsdo", ("p.yaml:2", "same source")), ("center_freq_hz: .nan", ("p.yaml:1", "center_freq_hz"))):
            for what in ("ue radio", "sniffer radio", "record radio", "replay radio"):
                refused(*commands[what](write("p.yaml", text)), words=words, by_check=True)
        assert not os.path.exists(path("never.sigmf-meta"))


def test_an_output_that_is_the_input():
    """It would be emptied before it is read."""
    raw = write("a.raw", b"\1" * 800)
    write("b.sigmf-data", b"\0" * 800)
    write("b.sigmf-meta", META)
    os.symlink(raw, path("soft.raw"))
    os.link(raw, path("hard.raw"))
    os.symlink(path("b.sigmf-data"), path("soft.iq"))
    octets = lambda f: open(path(f), "rb").read()
    kept = {f: octets(f) for f in ("a.raw", "b.sigmf-data", "b.sigmf-meta")}
    for source, target in (("a.raw", "a.raw"), ("a.raw", "soft.raw"), ("hard.raw", "a.raw"), ("a.raw", "./a.raw"), ("b.sigmf-meta", "b.sigmf-data"),
                           ("b.sigmf-data", "b.sigmf-meta"), ("b.sigmf-meta", "soft.iq"), ("soft.iq", "b.sigmf-meta")):
        refused("prose-iq", "convert", "--rate", 1e6, path(source), os.path.join(FOLDER.name, target), words=("is the input itself",))
    assert all(octets(f) == content for f, content in kept.items())


def test_values_of_the_air():
    for text, words in (("sped: 1", ("unknown key 'sped'",)), ("speed: fast", ("accepted are max or a number",)), ("speed: 0", ("speed '0'",)), ("speed: [1]", ("speed",)),
                        ("seed: -1", ("seed",)), ("seed: 1.5", ("seed '1.5'", "whole number")), ("adc_bits: 0.5", ("adc_bits '0.5'", "whole number")), ("seed: .nan", ("seed",)),
                        ("speed: 1\nspeed: 2", (":2: ", "'speed' is given twice")), ("default: {gain_db: 1, gain_db: 2}", ("'gain_db' is given twice",)),
                        ("nodes: {a: {}, a: {}}", ("'a' is given twice in nodes",)), ("pairs: [{from: a, to: b, to: c}]", ("'to' is given twice",)), ("lead_us: soon", ("lead_us",)), ("stall_ms: 1", ("100 to",)), ("adc_bits: 99", ("0 to 16",)),
                        ("\n\npairs: [{from: a}]", (":3: ",)), ("pairs: {a: 1}", ("accepted is a list",)), ("pairs: [1]", ("pairs",)), ("pairs: [{from: a, to: b, gain_db: loud}]", ("gain_db",)),
                        ("pairs: [{between: [a]}]", ("between",)), ("pairs: [{from: a, to: b, between: [a, b]}]", ("between",)), ("pairs: [{from: [a], to: b}]", ("from",)),
                        ("nodes: {a: {noise_dbfs: .nan}}", ("noise_dbfs",)), ("nodes: {a: 5}", ("nodes",)), ("nodes: [a]", ("nodes",)), ("nodes: {a b: {}}", ("a b",)),
                        ("faults: [{node: a, kind: fire}]", ("accepted are overflow",)), ("faults: [{kind: late}]", ("needs a node",)), ("faults: 1", ("faults",)),
                        ("faults: [{node: a, kind: late, every_s: 0}]", ("every_s",)), ("default: {fading: etu}", ("none, epa, eva",)), ("default: {fading: [eva]}", ("fading",)),
                        ("default: {blocked: perhaps}", ("blocked",)), ("default: {delay_us: 1e9}", ("0 to 1000",)), ("default: 3", ("default",)), ("air: ../x", ("air '../x'",)),
                        ("air: \"*\"", ("air",)), ("pairs:\n" + "- {from: a, to: b}\n" * 300, ("up to 256",)), ("faults:\n" + "- {node: a, kind: late}\n" * 70, ("up to 64",))):
        refused("prose-air", "--config", write("air.yaml", text), words=("air.yaml:", *words), by_check=True)
    for args, words in ((("--speed", "-1"), ("speed",)), (("--speed", "warp"), ("--speed", "max")), (("--air", "a/b"), ("--air a/b",)), (("--air", ""), ("--air",)), (("--speed", ""), ("--speed",)), (("--duration", "nan"), ("--duration",)), (("--bogus",), ("bogus",)), (("stray",), ("stray",)),
                        (("--duration", "-3"), ("--duration",)), (("--duration", "long"), ("--duration",)), (("--log-level", "loud"), ("--log-level",)), (("--config",), ("--config",))):
        refused("prose-air", *args, words=words)
    with Air() as air:
        refused("prose-air", "--air", air.name, words=("already running",))


if __name__ == "__main__":
    main()
    print(f"{counted} mistakes, each one line and exit code 2")
