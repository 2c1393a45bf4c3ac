"""Mary and John on an emulated air, overheard by prose-iq record and a live prose-sniffer. Used by the tests beside this file."""
import os, re, signal, subprocess, time

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def wait(what, seconds=150, programs=()):
    """`programs`: those that must not end meanwhile."""
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return
        for p in programs:
            assert p.poll() is None, "%s ended with %s" % (p.args[0], p.returncode)
        time.sleep(0.05)
    raise AssertionError("nothing came in %d s" % seconds)


def configs(folder, bin_dir, tm, source, air):
    """Keys, mutual permissions and configurations of Mary and John; the sniffer's configuration beside them."""
    keys = {}
    for n in ("mary", "john"):
        os.makedirs(f"{folder}/keys", exist_ok=True)
        subprocess.run([f"{bin_dir}/prose-keys", "gen", f"{folder}/keys/{n}.key"], check=True, capture_output=True)
        keys[n] = subprocess.run([f"{bin_dir}/prose-keys", "pub", f"{folder}/keys/{n}.key"], check=True, capture_output=True, text=True).stdout.split()[-1]
    for n, other in (("mary", "john"), ("john", "mary")):
        subprocess.run([f"{bin_dir}/prose-keys", "permit", "--permits", f"{folder}/keys/{n}.permit", other, keys[other]], check=True, capture_output=True)
        text = open(f"{SOURCE}/configs/{n}.yaml").read()
        text = re.sub(r"(?m)^device: .*", f"device: {air.device(n)}", text)
        text = re.sub(r"(?m)^  tm: \d", f"  tm: {tm}", text)
        text = re.sub(r"(?m)^  source: \w+", f"  source: {source}", text)
        open(f"{folder}/{n}.yaml", "w").write(text)


class listener:
    """A live sniffer; `options` give carrier, pools and synchronisation."""
    def __init__(self, bin_dir, env, air, events, options, name="live"):
        self.p = subprocess.Popen([f"{bin_dir}/prose-sniffer", "--device", air.device(name), "--events", events, "--log-level", "warn", *options], env=env,
                                  stderr=subprocess.PIPE, text=True)

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        err = self.p.communicate(timeout=60)[1]
        assert self.p.returncode == 0, err
