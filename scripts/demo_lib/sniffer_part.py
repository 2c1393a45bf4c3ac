"""A sniffer hears both links: its verdict with Mary compromised, which links her keys open, and what it says where nobody transmits. Then every
record it caught is tried with every logged key of both links; and which of the frames that the UEs say they sent it decoded."""
import collections, json, os, subprocess, time

from . import decode_share, sniffer_config
from .world import LINKS, NAMES, background


def more_reports(w):
    """What --out wants of the sniffer."""
    return ['--report', w.path('sniffer_report.html'), '--pcap', w.path('sniffer.pcap')] if w.results else []


class sniffer_part:
    def prepare(self, w):
        self.cross = os.path.join(w.tools, 'cross_open')
        self.on = not w.real_radios() and not w.devices or 'sniffer' in w.devices
        if not self.on:
            return
        sniffer_config.write(w)
        self.silence(w)

    def silence(self, w):
        """An air of its own with nobody on it."""
        w.telling.heading('A sniffer where nobody transmits')
        name = w.air + 'silent'
        with open(w.path('silent.log'), 'w') as log:
            air = background([w.program('prose-air'), '--air', name, '--speed', 'max'], w.env, log)
            try:
                end = time.time() + 30
                while 'ready' not in open(w.path('silent.log')).read() and time.time() < end:
                    time.sleep(0.05)
                r = subprocess.run([w.program('prose-sniffer'), '--config', w.path('sniffer.yaml'), '--sync', 'gnss', '--device',
                                    'type=virtual,name=sniffer,air=' + name, '--duration', '2', '--verdict', '--plain'],
                                   env=w.env, capture_output=True, text=True, timeout=120)
            finally:
                air.terminate()
                air.wait(30)
        said = [l for l in r.stderr.splitlines() if l.startswith('verdict:')]
        w.claim('where nobody transmits the sniffer says that nothing is proven and exits with 4',
                r.returncode == 4 and said and 'nothing was captured' in said[0], 'exit status %d; %s' % (r.returncode, said or r.stderr[-300:]))

    def start(self, w):
        if not self.on:
            return
        stolen = [w.path('keys', 'mary.key'), w.path('keys', 'mary.permit'), w.path('mary.keylog')]
        w.telling.phase('the UEs\' key logs are there')
        w.wait(lambda: os.path.exists(stolen[2]), 60)
        w.spawn('sniffer', [w.program('prose-sniffer'), '--config', w.path('sniffer.yaml'), '--device', w.device('sniffer'), *w.radio_options('sniffer'), '--plain',
                            '--events', w.path('sniffer.jsonl'), '--verdict', '--report', w.path('sniffer_report.json'),
                            *more_reports(w),
                            *([] if w.real_radios() else ['--epoch', '1.7e9']),
                            *[x for s in stolen for x in ('--compromised', s)]])

    def finish(self, w):
        if not self.on:
            return
        w.telling.heading('What a sniffer with everything of Mary\'s finds')
        self.verdict(w)
        self.share(w)
        self.cross_open(w)

    def verdict(self, w):
        try:
            report = json.load(open(w.path('sniffer_report.json')))
        except (OSError, ValueError) as e:
            w.claim('the sniffer judged what it heard', False, '%s; %s' % (e, open(w.path('sniffer.log')).read()[-300:]))
            return
        w.metrics['verdict'] = {k: report[k] for k in ('outcome', 'exit_status', 'reason', 'counts', 'residual', 'residual_across_rotations')}
        counts, code = report['counts'], w.processes['sniffer'].returncode
        w.claim('with Mary compromised the sniffer says opaque and exits with 0', report['outcome'] == 'opaque' and code == 0 and not report['findings'],
                '%s (exit status %s): %s' % (report['outcome'], code, report['reason']))
        # Whose links: layer-2 IDs as the UEs themselves tell them, and as their key logs do for epochs still to come.
        pairs = {l: {frozenset((x['own_l2_id'], x['peer_l2_id'])) for x in w.events(l[0], peer=l[1]) if 'own_l2_id' in x} for l in LINKS}
        pairs['mary', 'john'] |= set(w.logged_keys('mary'))
        pairs['john', 'peter'] |= set(w.logged_keys('peter'))
        opened = dict.fromkeys([*LINKS, 'requests', 'unknown'], 0)
        for o in report['opened_links']:
            ids = frozenset('%06x' % o[k] for k in ('src', 'dst'))
            # A request to her, before the link has identifiers, opens with her static key: that the pair is Mary and John is what the search says.
            request = o['own'] and o['with'].endswith('with john: request')
            opened[next((l for l in LINKS if ids in pairs[l]), 'requests' if request else 'unknown')] += o['records_opened']
        w.metrics['opened_with_marys_keys'] = {str(k): v for k, v in opened.items()}
        w.claim('Mary\'s stolen keys open her link with John and nothing else',
                opened['mary', 'john'] >= 20 and opened['john', 'peter'] == 0 and opened['unknown'] == 0 and counts['not_examined'] == 0,
                'of %d records: Mary-John %d, John-Peter %d, others %d; John\'s requests to Mary %d; %d keys, %d trials' % (
                    counts['records'], opened['mary', 'john'], opened['john', 'peter'], opened['unknown'], opened['requests'], counts['keys_tried'], counts['trials']))
        if not w.real_radios() and not w.options.with_function:  # with a server no stolen file names John's key
            own = collections.Counter(r['kind'] for r in report['recognised'] if r['own'])
            foreign = [r for r in report['recognised'] if not r['own']]
            w.claim('Mary\'s stolen keys recognise discovery codes of Mary and John and of nobody else', own['announcement'] >= 1 and not foreign,
                    'of %d discovery messages and the set-ups heard, by kind of mark: %s; of others: %s' % (counts['discovery'], dict(own), foreign or 'none'))

    def share(self, w):
        """A claim where the channel is noise at a known level; with fading, lost bursts or radios it is reported."""
        try:
            got = decode_share.measure({n: w.path(n + '.sent') for n in NAMES}, w.path('sniffer.jsonl'), 40 if w.options.tm == '2' else None)
        except OSError as e:
            w.claim('the sniffer\'s share of what was sent is known', False, e)
            return
        w.metrics['decode_share'] = got
        used = {c: x for c, x in got.items() if x['sent']}
        text = '; '.join(decode_share.describe(c, x) for c, x in used.items())
        if w.real_radios() or w.channel & {'eva', 'loss'}:
            w.telling.detail('of what the UEs sent clear of others the sniffer decoded: ' + text)
            return
        w.claim('the sniffer decoded at least 99 % of what the UEs say they sent clear of others\' PRBs, on each channel',
                {'PSCCH', 'PSSCH', 'PSDCH'} <= set(used) and all(x['counted'] >= 20 and x['share'] >= decode_share.WANTED for x in used.values()), text)

    def cross_open(self, w):
        found, problem = {}, self.cross + ' is not built'
        if os.path.exists(self.cross):
            r = subprocess.run([self.cross, w.path('sniffer.jsonl'), w.path('mary.keylog'), w.path('peter.keylog')], capture_output=True, text=True)
            found, problem = json.loads(r.stdout) if r.returncode == 0 else {}, r.stderr
        w.metrics['cross_open'] = found
        w.claim('no frame of one link opens with another link\'s keys, and each link\'s own keys open its frames',
                found.get('both') == 0 and found.get('first', 0) >= 20 and found.get('second', 0) >= 20,
                'records caught off the air: %s opened by Mary-John keys only, %s by John-Peter keys only, %s by both, %s by neither; keys %s' % (
                    found.get('first'), found.get('second'), found.get('both'), found.get('neither'), found.get('keys')) if found else problem)
