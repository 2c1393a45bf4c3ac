"""What a person reads of the demo: headings, a line for each claim, and what takes long. Colour and moving lines on a terminal only."""
import os, sys, time

SHOWN_AFTER_S = 2
REDRAWN_EVERY_S = 0.5
ELSEWHERE_EVERY_S = 30  # a line in a file or a pipe


class telling:
    def __init__(self, verbose, out=None, clock=time.monotonic):
        self.verbose, self.out, self.clock = verbose, out or sys.stdout, clock
        self.moving = self.out.isatty() and os.environ.get('TERM', 'dumb') != 'dumb'
        self.coloured = self.moving and not os.environ.get('NO_COLOR')
        self.phase_text, self.since, self.shown = '', clock(), 0.0

    def paint(self, code, text):
        return '\033[%sm%s\033[0m' % (code, text) if self.coloured else text

    def line(self, text):
        self.clear()
        print(text, file=self.out, flush=True)

    def clear(self):
        if self.moving and self.shown:
            print('\r\033[K', end='', file=self.out)
        self.shown = 0.0

    def heading(self, text):
        self.line('\n' + self.paint('1', text))

    def claim(self, text, held, evidence):
        self.line('%s %s' % (self.paint('32', 'ok  ') if held else self.paint('1;31', 'FAIL'), text))
        if self.verbose or not held:
            self.line('       %s' % evidence)

    def detail(self, text):
        """Figures that are no claim."""
        if self.verbose:
            self.line('     ' + text)

    def phase(self, text):
        """What is waited for from now on."""
        self.clear()
        self.phase_text, self.since, self.shown = text, self.clock(), 0.0

    def tick(self):
        """Called again and again while it waits: tells of what takes long."""
        now = self.clock()
        if now - self.since < SHOWN_AFTER_S or now - max(self.since, self.shown) < (REDRAWN_EVERY_S if self.moving else ELSEWHERE_EVERY_S):
            return
        text = '     ... %s, %d s' % (self.phase_text, now - self.since)
        if self.moving:
            print('\r\033[K' + self.paint('2', text), end='', file=self.out, flush=True)
        else:
            print(text, file=self.out, flush=True)
        self.shown = now
