"""--live: the three and a sniffer with a page that shows them, until Ctrl-C. --weak shows the same UEs with one measure of protection left out."""
import json, os, queue, signal, threading, time

from . import sniffer_config, sniffer_part, weak_part
from .live_actions import live_actions
from .live_control import live_control
from .live_judge import live_judge
from .live_traffic import live_traffic
from .world import ENDS, NAMES

TARGETS = ('live_judge', 'prose-iq')  # beside those of the demonstration
STEP_S = 0.03


def add_arguments(parser):
    parser.add_argument('--live', action='store_true', help='a local page that shows the air, the links and what the sniffer makes of them, until Ctrl-C')
    parser.add_argument('--port', type=int, default=0, metavar='N', help='of the page; default: any that is free')
    weak_part.add_arguments(parser)


def check(o):
    """ValueError: one line."""
    if not 0 <= o.port <= 65535:
        raise ValueError('--port %d: accepted are 0 (any) to 65535' % o.port)
    if o.port and not o.live:
        raise ValueError('--port %d: it is of the page; accepted with --live' % o.port)
    weak_part.check(o)


def targets(o):
    return (*(TARGETS if o.live or o.weak else ()), *(('prose-page',) if o.live else ()), *(('weak_ue',) if o.weak else ()))


class live_part:
    def __init__(self, function, results):
        self.function, self.results, self.calls, self.recorder = function, results, queue.Queue(), None
        self.actions = self.weak = self.control = None

    def tell(self, message):
        if self.control:
            self.control.tell(message)

    def in_main(self, f):
        done, out = threading.Event(), []

        def call():
            try:
                out.append((f(), None))
            except Exception as e:  # belongs to who asked
                out.append((None, e))
            done.set()
        self.calls.put(call)
        done.wait()
        if out[0][1]:
            raise out[0][1]
        return out[0][0]

    # --- programs, the listener first, so that it misses nothing ---
    def prepare(self, w):
        if not os.access(w.tool('live_judge'), os.X_OK):
            raise RuntimeError('%s is not there: build it, or run without --no-build' % w.tool('live_judge'))
        # A withdrawal needs a server. Weakened UEs have files: their weakness is on the air.
        w.options.with_function = w.options.with_function or not (w.real_radios() or w.options.weak)
        self.function.prepare(w)
        self.results.prepare(w)
        w.make_keys()
        w.configure()
        sniffer_config.write(w)

    def start(self, w):
        w.start_air()
        self.listen(w)
        self.judge = live_judge(w, self.tell)
        self.traffic = live_traffic(w, self.tell, *weak_part.traffic(w.options))
        self.actions = live_actions(w, self.traffic, self.function, self.judge, self.in_main)
        if w.options.weak:
            self.weak = weak_part.weak_run(w, self.judge)
        if w.options.live:
            self.open_page(w)
        w.start_ues()
        self.judge.start()
        if self.weak:
            self.weak.start()

    def listen(self, w):
        look = ['--look', w.path('look')] if w.options.live else []
        w.spawn('sniffer', [w.program('prose-sniffer'), '--config', w.path('sniffer.yaml'), '--device', w.device('sniffer'), *w.radio_options('sniffer'), '--plain',
                            '--events', w.path('sniffer.jsonl'), '--verdict', '--report', w.path('sniffer_report.json'), *sniffer_part.more_reports(w), *look,
                            *([] if w.real_radios() else ['--epoch', '1.7e9'])])
        if not w.wait(lambda: os.path.exists(w.path('sniffer.jsonl')) and (not look or os.path.exists(w.path('look'))), 30):
            raise RuntimeError('prose-sniffer does not start: ' + open(w.path('sniffer.log')).read()[-300:])

    def open_page(self, w):
        self.control = live_control(w.path('control'), self.actions.offered(), NAMES, w.options.weak)
        ues = [x for n in NAMES for x in ('--ue', '%s=%s' % (n, w.path(n + '.jsonl')))]
        w.spawn('page', [w.program('prose-page'), '--look', w.path('look'), '--events', w.path('sniffer.jsonl'), *ues, '--verdict', self.judge.report_path,
                         '--control', w.path('control'), '--listen', '127.0.0.1:%d' % w.options.port])
        said = lambda: open(w.path('page.log')).read()
        if not w.wait(lambda: 'http://' in said(), 30):
            raise RuntimeError('prose-page does not start: ' + said()[-300:])
        w.telling.heading('A page of what goes on')
        w.telling.line('open %s\n(the address is for one browser; Ctrl-C ends the demonstration)' % next(x for x in said().split() if x.startswith('http://')))

    # --- while they run ---
    def run(self, w):
        """Until Ctrl-C, or without a page until it is known whether the sniffer finds the weakness."""
        while w.options.live or not self.weak.over() or (self.recorder and self.recorder.poll() is None):
            begin = time.monotonic()
            self.traffic.step()
            self.judge.step()
            if self.weak:
                self.weak.step()
            if self.results.folder and not self.recorder and not w.real_radios() and len(self.traffic.linked) == len(ENDS):
                self.recorder = self.results.record(w)
            while not self.calls.empty():
                self.calls.get()()
            for n, p in w.processes.items():
                if p.poll() is not None and n not in self.actions.restarting:
                    raise RuntimeError('%s ended with %s: %s' % (n, p.returncode, open(w.path(n + '.log')).read()[-300:]))
            time.sleep(max(0.0, STEP_S - (time.monotonic() - begin)))

    def close(self):
        for x in (self.actions, self.weak, self.control):
            if x:
                x.close()
        if self.recorder and self.recorder.poll() is None:
            self.recorder.terminate()
            self.recorder.wait(60)


def main(w, function, results, quiet):
    """The exit status: 0 after Ctrl-C; with --weak 3 where the sniffer found the weakness. `quiet`: a context in which signals are ignored."""
    part = live_part(function, results)
    try:
        part.prepare(w)
        part.start(w)
        part.run(w)
    except KeyboardInterrupt:
        pass
    finally:
        with quiet():
            part.close()
            codes = w.stop()
    tell_end(w)
    code = part.weak.tell() if part.weak else 0
    # The sniffer's exit status is the verdict. A program that is ended as soon as it starts has no handler yet.
    bad = {n: c for n, c in codes.items() if c not in (0, -signal.SIGINT) and n != 'sniffer'}
    if bad:
        w.telling.line('not every program ended cleanly: %s' % bad)
    results.finish(w)
    results.tell(w)
    return code or (1 if bad else 0)


def tell_end(w):
    try:
        with open(w.path('sniffer_report.json')) as f:
            report = json.load(f)
        w.telling.line('the sniffer\'s verdict on the whole: %s: %s' % (report['outcome'], report['reason']))
    except (OSError, ValueError):
        pass  # it was ended before it heard anything
