"""live_judge beside the sniffer: the verdict so far, and what Mary's stolen keys open."""
import json

from .tail import tail
from .world import background

EVERY_S = 3


class live_judge:
    """`tell` gets messages of the control socket."""

    def __init__(self, w, tell):
        self.w, self.tell, self.p, self.stolen = w, tell, None, False
        self.report_path = w.path('live.json')

    def start(self):
        w, more = self.w, []
        if self.stolen:
            more = ['--keylog', w.path('mary.keylog')]
            for f in (w.path('keys', 'mary.key'), w.path('keys', 'mary.permit'), w.path('mary.keylog')):
                more += ['--compromised', f]
        if not w.real_radios():
            more += ['--epoch', '1.7e9']
        with open(w.path('opened.jsonl'), 'w') as opened, open(w.path('judge.log'), 'w') as log:
            self.p = background([w.tool('live_judge'), '--events', w.path('sniffer.jsonl'), '--report', self.report_path, '--every', str(EVERY_S), *more], w.env, log, opened)
        w.processes['judge'] = self.p
        self.opened = tail(w.path('opened.jsonl'))

    def steal(self):
        """From now on Mary's key, permissions and key log are in the hands of whoever listens. What was caught before is judged again."""
        self.stolen = True
        self.p.terminate()
        self.p.wait()
        self.start()
        self.tell({'control': 'stolen'})

    def step(self):
        for e in self.opened.events():
            self.tell({'control': 'opened', **e})

    def report(self):
        try:
            with open(self.report_path) as f:
                return json.load(f)
        except (OSError, ValueError):
            return {}
