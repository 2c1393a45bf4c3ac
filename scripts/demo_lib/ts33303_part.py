"""--profile ts33303: what the three UEs show when they talk as TS 33.303 has it. Its own list of claims: a KD for each pair, no epochs, no forward secrecy."""
import json, os, re, subprocess, time

from . import sniffer_config, traffic, ue_part
from .world import ENDS, LINKS, NAMES

ALGORITHMS = '128-EEA2/128-EIA2'


class ts33303_part(ue_part.ue_part):
    def prepare(self, w):
        super().prepare(w)
        for n in NAMES:
            w.config_edits.setdefault(n, []).append((r'\Z', '\nsecurity: {profile: ts33303, kds: %s, codes: %s}\n' % (w.path('keys', n + '.kds'), w.path('keys', n + '.codes'))))
        w.permit = lambda public: self.permit(w, public)
        self.sniffs = not w.real_radios() and not w.devices or 'sniffer' in w.devices
        if self.sniffs:
            sniffer_config.write(w)
            w.before_ues = lambda: self.listen(w)

    def permit(self, w, public):
        w.permit_by_files(public)
        for a, b in LINKS:
            self.kd(w, a, b, '--to', w.path('keys', a + '-' + b + '.kd'))
            self.kd(w, b, a, '--from', w.path('keys', a + '-' + b + '.kd'))
        for n in NAMES:
            self.code(w, n, '--to', w.path('keys', n + '.code'))
        for a, b in ENDS:
            self.code(w, a, b, '--from', w.path('keys', b + '.code'))

    def kd(self, w, whose, peer, *how):
        w.keys('kd', peer, '--permits', w.path('keys', whose + '.permit'), '--kds', w.path('keys', whose + '.kds'), *how)

    def code(self, w, whose, *how):
        w.keys('code', *how, '--permits', w.path('keys', whose + '.permit'), '--codes', w.path('keys', whose + '.codes'))

    def listen(self, w):
        """Before the UEs start, so that it hears the Requests of their set-ups."""
        w.spawn('sniffer', [w.program('prose-sniffer'), '--config', w.path('sniffer.yaml'), '--device', w.device('sniffer'), *w.radio_options('sniffer'), '--plain',
                            '--profile', 'ts33303', '--events', w.path('sniffer.jsonl'), '--report', w.path('sniffer_report.json'), '--verdict'])
        # Its first line names the radio, which is open then.
        w.wait(lambda: os.path.getsize(w.path('sniffer.log')) > 0, 60)

    def finish(self, w):
        super().finish(w)
        if not self.sniffs:
            return
        w.telling.heading('What a sniffer without any key finds')
        try:
            report = json.load(open(w.path('sniffer_report.json')))
        except (OSError, ValueError) as e:
            w.claim('the sniffer judged what it heard', False, '%s; %s' % (e, open(w.path('sniffer.log')).read()[-300:]))
            return
        found = {f['check']: f['standard'] for f in report['findings']}
        code = w.processes['sniffer'].returncode
        evidence = 'exit status %s; %s; %s' % (code, report['reason'], {k: report['counts'][k] for k in ('records', 'requests', 'commands', 'completes')})
        w.claim('the sniffer finds weaknesses of TS 33.303 itself: KD IDs and User Info in clear', code == 3 and {'kd_id_in_clear', 'user_info_in_clear'} <= set(found), evidence)
        own = sorted(c for c, standard in found.items() if not standard)
        w.claim('and nothing else: %d records and all set-ups are as the profile has them' % report['counts']['records'], not own and not report['doubts'],
                'findings %s; doubts %s' % (own, [d['reason'] for d in report['doubts']]))

    def check(self, w):
        w.telling.heading('Discovery and links after TS 33.303')
        w.telling.phase('Mary, John and Peter look for each other')
        w.wait(lambda: all(w.events(n, 'started') for n in NAMES), 60 * self.limit)
        up = w.wait(lambda: all(w.events(a, 'link_established', b) for a, b in ENDS), 120 * self.limit)
        seen = {n: sorted({e['peer'] for e in w.events(n, 'peer_discovered')}) for n in NAMES}
        w.claim('Mary and John discovered each other by codes of TS 33.303 6.1', 'john' in seen['mary'] or 'mary' in seen['john'], seen)
        w.claim('John and Peter discovered each other by codes of TS 33.303 6.1', 'peter' in seen['john'] or 'john' in seen['peter'], seen)
        told = {n: [(e['peer'], e['kd_sess_id'], e['suite']) for e in w.events(n, 'link_established')] for n in NAMES}
        profiles = {n: [e.get('profile') for e in w.events(n, 'started')] for n in NAMES}
        w.claim('both links are up by the procedure of TS 33.303, with %s' % ALGORITHMS,
                up and all(s == ALGORITHMS for links in told.values() for _, _, s in links) and all(p == ['ts33303'] for p in profiles.values()), '%s; %s' % (told, profiles))
        if not up:
            return
        w.telling.heading('Data on both links')
        self.data(w)
        w.telling.heading('New keys in mid-traffic')
        self.rekey_in_traffic(w)
        w.telling.heading('Keys')
        self.separate_keys(w)

    def rekey_in_traffic(self, w):
        w.telling.phase('a file on each link, until both were rekeyed')
        before = {e: len(w.events(e[0], 'rekeyed', e[1])) for e in ENDS}
        transfers = [traffic.file_copy(w, a, b, octets=1_000_000, window=3, gap=0.25) for a, b in LINKS]
        rekeyed = lambda: all(len(w.events(a, 'rekeyed', b)) > before[a, b] for a, b in ENDS)
        end, next_look, over = time.time() + 150 * self.limit, 0.0, False
        while time.time() < end and not (over and all(t.done() for t in transfers)):
            for t in transfers:
                t.step()
            if not over and time.time() > next_look:
                next_look = time.time() + 1
                over = rekeyed() and all(len(t.sent_at) >= 40 for t in transfers)
                for t in transfers if over else ():  # the file ends with what has been sent by then
                    t.n = max(t.sent_at, default=0) + 1
                    t.data = t.data[:t.n * traffic.CHUNK]
            w.telling.tick()
            time.sleep(0.01)
        lost = [(n, e['peer'], e['reason']) for n in NAMES for e in w.events(n, 'link_lost')]
        counts = {'%s-%s' % e: len(w.events(e[0], 'rekeyed', e[1])) - before[e] for e in ENDS}
        w.claim('both links got new keys in mid-traffic, both files arrived intact and no link was lost', over and all(t.done() and t.intact() for t in transfers) and not lost,
                'rekeys %s; %s; links lost: %s' % (counts, '; '.join(t.describe() for t in transfers), lost or 'none'))

    def separate_keys(self, w):
        w.telling.phase('both ends tell their keys')
        w.wait(lambda: self.fingerprints(w)[0], 20 * self.limit)
        w.claim('both ends of a link agree on the fingerprint of every KD-sess, and none occurs on two links or twice on one', *self.fingerprints(w))
        kds = {n: {l.split()[0]: l.split()[1:] for l in open(w.path('keys', n + '.kds')) if not l.startswith('#')} for n in NAMES}
        marys, johns = kds['mary']['john'], kds['john']
        separate = johns['mary'] == marys and johns['peter'] == kds['peter']['john'] and not set(johns['mary']) & set(johns['peter'])
        w.claim('John shares one KD with Mary and another with Peter, and neither of them has the other\'s', separate and len(kds['mary']) == len(kds['peter']) == 1,
                'KD IDs: %s' % {n: {p: kd[0] for p, kd in of.items()} for n, of in kds.items()})
        w.claim('a UE with one KD for two peers does not start', *self.start_with_one_kd(w, marys[1]))

    def start_with_one_kd(self, w, kd):
        with open(os.open(w.path('keys', 'one.kds'), os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
            f.write('# prose kds 1\nmary 00000001 %s\npeter 00000002 %s\n' % (kd, kd))
        with open(w.path('one.yaml'), 'w') as f:
            f.write(re.sub(r'kds: [^}]*', 'kds: ' + w.path('keys', 'one.kds'), open(w.path('john.yaml')).read()))
        r = subprocess.run([w.program('prose-ue'), '--config', w.path('one.yaml'), '--check'], env=w.env, capture_output=True, text=True)
        return r.returncode == 2 and 'same KD' in r.stderr and kd not in r.stderr, 'exit status %d; %s' % (r.returncode, r.stderr.strip())
