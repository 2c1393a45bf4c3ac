"""What the buttons of the live page do. Each takes a request and returns what is wrong in one line, or None."""
import base64, json, os, subprocess, threading

from .world import ENDS, NAMES

MOST_FILE = 64 * 1024
MOST_TEXT = 1000
SAMPLE_RATE = {'25': 7.68e6, '50': 15.36e6}
NOISE_S = 0.25


class live_actions:
    """`in_main`: calls a function in the thread of the demo and waits. Programs are started there: they end when the thread that started them does."""

    def __init__(self, w, traffic, function, judge, in_main):
        self.w, self.traffic, self.function, self.judge, self.in_main = w, traffic, function, judge, in_main
        self.restarting, self.busy, self.jammer = set(), threading.Lock(), None

    def offered(self):
        """What changes the air or the UEs' lives is for emulated radios only."""
        always = {'send': self.send, 'file': self.file}
        if self.w.real_radios():
            return always
        server = {'withdraw': self.withdraw} if self.function.on else {}
        return {**always, **server, 'restart': self.restart, 'jam': self.jam, 'steal': self.steal}

    def pair(self, r):
        pair = r.get('from'), r.get('to')
        if pair not in ENDS:
            raise ValueError('accepted are %s' % ', '.join('%s to %s' % e for e in ENDS))
        return pair

    def send(self, r):
        text = r.get('text')
        if not isinstance(text, str) or not 0 < len(text.encode()) <= MOST_TEXT or ord(text[0]) < 3:
            return 'accepted are texts of 1 to %d octets' % MOST_TEXT
        return self.traffic.say(*self.pair(r), text)

    def file(self, r):
        data = base64.b64decode(r.get('data', ''), validate=True)
        if len(data) > MOST_FILE:
            return 'accepted are files of up to %d octets' % MOST_FILE
        return self.traffic.send_file(*self.pair(r), os.path.basename(str(r.get('name', 'file')))[:80], data)

    def withdraw(self, r):
        a, b = self.pair(r)
        self.function.call(self.w, a, 'withdraw', b)

    def restart(self, r):
        n = r.get('name')
        if n not in NAMES:
            return 'accepted are %s' % ', '.join(NAMES)
        with self.busy:
            self.restarting.add(n)
            try:
                p = self.w.processes[n]
                p.terminate()
                try:
                    p.wait(15)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
                self.in_main(lambda: self.w.start_ue(n))
            finally:
                self.restarting.discard(n)

    def jam(self, r):
        """A radio that sends noise on the whole carrier. Its device joins the air like any other."""
        length = r.get('seconds')
        if not isinstance(length, (int, float)) or not 0 < length <= 30:
            return 'accepted are up to 30 seconds'
        if not self.busy.acquire(blocking=False):
            return 'a restart or jamming is under way'
        try:
            self.jammer = subprocess.Popen(['setpriv', '--pdeathsig', 'TERM', '--', self.w.program('prose-iq'), 'replay', self.noise(), '--device',
                                            'type=virtual,name=jammer,air=' + self.w.air, '--times', str(max(1, round(length / NOISE_S)))],
                                           env=self.w.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
            said = self.jammer.communicate()[1].strip().splitlines()
            code = self.jammer.returncode
        finally:
            self.busy.release()
        return None if code == 0 else said[-1] if said else 'prose-iq replay failed with %d' % code

    def close(self):
        if self.jammer and self.jammer.poll() is None:
            self.jammer.terminate()

    def noise(self):
        """A recording of white noise: octets of the system's randomness as samples."""
        meta, rate = self.w.path('noise.sigmf-meta'), SAMPLE_RATE[self.w.options.prb]
        if not os.path.exists(meta):
            with open(self.w.path('noise.sigmf-data'), 'wb') as f:
                f.write(os.urandom(4 * int(rate * NOISE_S)))
            with open(meta, 'w') as f:
                json.dump({'global': {'core:datatype': 'ci16_le', 'core:sample_rate': rate, 'core:version': '1.0.0'},
                           'captures': [{'core:sample_start': 0, 'core:frequency': 5.9e9}], 'annotations': []}, f)
        return meta

    def steal(self, _):
        if not self.judge.stolen:
            self.in_main(self.judge.steal)
