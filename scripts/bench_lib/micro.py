"""Rows of prose-bench (Google Benchmark), each by the name of its benchmark."""
import json, os, re, subprocess

from .programs import failed, left_out

MIN_S = 0.2
NS = {'ns': 1.0, 'us': 1e3, 'ms': 1e6, 's': 1e9}


class micro:
    targets, unit = ('prose-bench',), 'ns'

    def __init__(self, name, length):
        self.benchmark, self.name, self.min_s = name, 'micro/' + name, MIN_S * length

    def prepare(self, sides, programs, folder):
        pass

    def measure(self, s, p, folder):
        out = os.path.join(folder, 'micro.json')
        p.run(s, ['prose-bench', '--benchmark_filter=^%s$' % re.sub(r'([][.{}()*+?^$|\\])', r'\\\1', self.benchmark), '--benchmark_min_time=%g' % self.min_s, '--benchmark_out=' + out,
                  '--benchmark_out_format=json'])
        try:
            with open(out) as f:
                found = [b for b in json.load(f)['benchmarks'] if b['name'] == self.benchmark]
        except (OSError, ValueError):
            found = []   # Google Benchmark writes nothing where no name matches
        finally:
            if os.path.exists(out):
                os.unlink(out)
        if not found:
            raise left_out('%s: prose-bench has no such benchmark' % s.name)
        if found[0].get('error_occurred'):
            raise failed('%s: %s' % (s.name, found[0].get('error_message', 'it failed')))
        # Those that time themselves have no processor time of their own.
        return {'': found[0]['real_time' if '/manual_time' in self.benchmark else 'cpu_time'] * NS[found[0]['time_unit']]}


def rows(sides, length):
    """Of every benchmark that one of the builds has."""
    names = {}
    for s in sides:
        if s.has('prose-bench'):
            r = subprocess.run([s.path('prose-bench'), '--benchmark_list_tests'], capture_output=True, text=True, env=s.env)
            names.update(dict.fromkeys(r.stdout.split()))
    return [micro(n, length) for n in names or ['*']]   # without the program the row says so
