"""Radios: which there are, their profiles, and the programs that measure them."""
import json, os, re, signal, subprocess, tempfile, time

from demo_lib import world

DEFAULTS = {'clock_source': '', 'time_source': '', 'sample_rate_hz': 7.68e6, 'center_freq_hz': 5.9e9, 'rx_gain_db': 0.0, 'tx_gain_db': 0.0, 'turnaround_s': 0.0}
LISTEN_S = 0.5
RECORD_PATIENCE_S = 90   # opening may wait for locks, PPS and other programs
MEASURE_PATIENCE_S = 180
DEMO_PATIENCE_S = 1200
TRIES = 3


def parse_found(text):
    """Device arguments of what uhd_find_devices printed."""
    out = []
    for block in re.split(r'-- UHD Device \d+', text)[1:]:
        values = dict(re.findall(r'(?m)^\s+(\w+):[ \t]*(\S+)[ \t]*$', block))
        keys = [k for k in ('type', 'serial', 'addr') if k in values and not (k == 'serial' and 'addr' in values)]
        if values.get('type', '') in ('', 'virtual') or len(keys) < 2:
            continue
        out.append(','.join('%s=%s' % (k, values[k]) for k in keys))
    return out


def find():
    try:
        r = subprocess.run(['uhd_find_devices'], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise ValueError('uhd_find_devices is not installed (package uhd-host); accepted: --device ARGS for each radio')
    return parse_found(r.stdout)


def type_of(args):
    m = re.search(r'(?:^|,)type=(\w+)', args)
    return m[1] if m else 'unknown'


class profile:
    """A profile file with some keys replaced. Its values are those of the file, or what programs take without them."""

    def __init__(self, path, **replaced):
        self.text = ''
        if path:
            with open(path) as f:
                self.text = f.read()
        self.values = dict(DEFAULTS)
        for key, value in re.findall(r'''(?m)^(\w+):(?:[ \t]+("[^"]*"|'[^']*'|[^#\s].*?))?[ \t\r]*(?:[ \t]#.*)?$''', self.text):
            self.values[key] = value[1:-1] if value[:1] in ('"', "'") else value
        for key in DEFAULTS:
            if isinstance(DEFAULTS[key], float):
                try:
                    self.values[key] = float(self.values[key])
                except ValueError:
                    raise ValueError('%s: %s: "%s"; accepted is a number' % (path, key, self.values[key]))
        self.set(**{'require_lock': 'true', **{k: v for k, v in replaced.items() if v is not None}})
        if self.values.get('tx_limits'):  # relative to the profile, and a copy of it lies elsewhere
            self.set(tx_limits=os.path.join(os.path.dirname(os.path.abspath(path)), self.values['tx_limits']))
        if not path:
            self.set(**{k: v for k, v in self.values.items() if k in DEFAULTS and v != ''})

    def set(self, **values):
        for key, value in values.items():
            self.values[key] = value
            self.text = re.sub(r'(?m)^%s:.*\n?' % key, '', self.text)
            if self.text and not self.text.endswith('\n'):
                self.text += '\n'
            self.text += '%s: %s\n' % (key, json.dumps(value) if key in ('device_args', 'tx_limits') else value)

    def write(self, path):
        with open(path, 'w') as f:
            f.write(self.text)
        return path


def profile_path(args, radio):
    if radio:
        return radio
    name = world.PROFILES.get(type_of(args))
    return os.path.join(world.ROOT, 'configs', name) if name else None


class runner:
    """Runs the project's programs one after the other; Ctrl-C reaches this script, which ends them."""

    def __init__(self, build):
        self.bin = os.path.join(build, 'bin')
        self.env = dict(os.environ, UHD_MODULE_PATH=os.path.join(build, 'uhd_modules'), UHD_LOG_CONSOLE_LEVEL='error')

    def run(self, command, patience_s):
        """(exit code, what it printed). Exit code None: it did not end in time."""
        with tempfile.TemporaryFile('w+', errors='replace') as log:
            p = world.background(command, self.env, log)
            try:
                code = p.wait(patience_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if p.poll() is None:
                    p.send_signal(signal.SIGINT)
                    try:
                        p.wait(30)
                    except subprocess.TimeoutExpired:
                        p.kill()
                        p.wait()
            log.seek(0)
            return code, log.read()

    def prose_iq(self, *arguments, patience_s=RECORD_PATIENCE_S):
        return self.run([os.path.join(self.bin, 'prose-iq'), *arguments], patience_s)

    @staticmethod
    def error_of(code, said):
        lines = [l for l in said.splitlines() if l.startswith('prose-iq: ')]
        return lines[-1][len('prose-iq: '):] if lines else 'no answer in time' if code is None else 'prose-iq ended with %s' % code

    def listen(self, profile_file, folder):
        """(figures, notes, error): what a radio hears. Nothing is transmitted: prose-iq record opens no transmitter."""
        meta = os.path.join(folder, 'noise.sigmf-meta')
        code, said = self.prose_iq('record', meta, '--radio', profile_file, '--duration', str(LISTEN_S))
        notes = [m[1] for m in re.finditer(r'(?m)^\S+ prose-iq (?:info|warning) (.*)$', said)
                 if not re.search('ended by:|are free$', m[1])]  # what is said of every recording
        if code != 0:
            return None, [], self.error_of(code, said)
        code, said = self.prose_iq('info', meta, '--json')
        for end in ('meta', 'data'):
            os.unlink(meta[:-4] + end)
        if code != 0:
            return None, [], self.error_of(code, said)
        return self.json_in(said), notes, ''

    @staticmethod
    def json_in(said):
        return next((json.loads(l) for l in said.splitlines() if l.startswith('{')), None)

    def measure(self, first, second, bursts):
        """(figures, error). A host that was too busy to start reception in time gets another chance."""
        for _ in range(TRIES):
            code, said = self.prose_iq('measure', first, second, '--bursts', str(bursts), patience_s=MEASURE_PATIENCE_S)
            figures = self.json_in(said) if code == 0 else None
            error = '' if figures else self.error_of(code, said)
            if 'start of reception came too late' not in error:
                break
        return figures, error

    def demo(self, devices, build, radio, time_source, folder):
        """The report of scripts/demo, or None."""
        names = ('mary', 'john', 'peter', 'sniffer')
        report = os.path.join(folder, 'demo.json')
        command = [os.path.join(world.ROOT, 'scripts', 'demo'), '--no-build', '--build', build, '--patience', '2', '--report', report,
                   '--devices', ','.join('%s=%s' % x for x in zip(names, devices))]
        command += ['--radio', radio] if radio else []
        command += ['--time', 'gnss' if time_source in ('external', 'gpsdo') else 'slss']
        code, said = self.run(command, DEMO_PATIENCE_S)
        try:
            with open(report) as f:
                return json.load(f)
        except (OSError, ValueError):
            return {'claims': [{'claim': 'the demo runs', 'held': False, 'evidence': (said.strip().splitlines() or ['exit %s' % code])[-1]}]}
