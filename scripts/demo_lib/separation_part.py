"""A fourth receiver hears both links; every record it caught is tried with every logged key of both."""
import json, os, subprocess

from .world import ROOT


class separation_part:
    def prepare(self, w):
        # configs/sniffer.yaml describes this carrier and device time.
        self.tool = os.path.join(os.path.dirname(w.bin), 'tests', 'cross_open')
        self.on = (w.options.tm, w.options.prb, w.timing()) == ('2', '25', 'gnss') and not w.devices and os.path.exists(self.tool)

    def start(self, w):
        if self.on:
            w.spawn('sniffer', [w.program('prose-sniffer'), '--config', os.path.join(ROOT, 'configs', 'sniffer.yaml'), '--device', w.device('sniffer'),
                                '--events', w.path('sniffer.jsonl')])

    def finish(self, w):
        if not self.on:
            return
        r = subprocess.run([self.tool, w.path('sniffer.jsonl'), w.path('mary.keylog'), w.path('peter.keylog')], capture_output=True, text=True)
        found = json.loads(r.stdout) if r.returncode == 0 else {}
        w.metrics['cross_open'] = found
        w.claim('no frame of one link opens with another link\'s keys, and each link\'s own keys open its frames',
                found.get('both') == 0 and found.get('first', 0) >= 20 and found.get('second', 0) >= 20,
                'records caught off the air: %s opened by Mary-John keys only, %s by John-Peter keys only, %s by both, %s by neither; keys %s' % (
                    found.get('first'), found.get('second'), found.get('both'), found.get('neither'), found.get('keys')) if found else r.stderr)
