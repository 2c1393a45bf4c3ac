"""Metrics of all programs that serve them: Prometheus' own tool finds nothing wrong, nobody is named who was not before, and the dashboard of docs/ uses
names that exist."""
import json, os, re, shutil, subprocess, urllib.request

from tests.harness.air import Air
from tests.harness.cases import main, skip
from tests.harness.function import Server
from tests.harness.paths import SOURCE
from tests.harness.process import Background, wait
from tests.harness.sniffer import configure as configure_sniffer
from tests.harness.ue import Ue, configure

URL = r'http://127\.0\.0\.1:\d+/metrics'
DASHBOARD = os.path.join(SOURCE, 'docs', 'grafana.json')
# The label peer, as it was before the figures of links came: any user of the host may read the page.
OF_A_PEER = {'prose_data_rx_octets_total', 'prose_data_tx_octets_total', 'prose_host_packets_dropped_total', 'prose_packets_filtered_total'}


def page(p):
    url = wait(lambda: re.search(URL, p.said()), programs=[p], what='the port').group(0)
    return wait(lambda: urllib.request.urlopen(url, timeout=5).read().decode(), programs=[p])


def served_by_function(d):
    server = Server(d, ['mary'])
    log = os.path.join(d, 'function.log')
    command = [x for x in server.command() if x not in ('--log-level', 'off')] + ['--metrics-port', '0']
    with open(log, 'w') as f:
        p = subprocess.Popen(command, stderr=f)
    try:
        url = wait(lambda: re.search(URL, open(log).read()), programs=[p]).group(0)
        return wait(lambda: urllib.request.urlopen(url, timeout=5).read().decode(), programs=[p])
    finally:
        p.terminate()
        p.wait(30)


def served_by_air(d):
    a = Background('prose-air', '--air', 'm%d' % os.getpid(), '--metrics-port', '0', log=os.path.join(d, 'air.log'))
    try:
        return page(a)
    finally:
        a.kill()


_pages = {}


def pages(d):
    """Of each program, once for all cases: a linked UE that has carried data, a sniffer that has heard it."""
    if _pages:
        return _pages
    found = {'function': served_by_function(d), 'air': served_by_air(d)}
    with Air(speed='1') as air:
        configure(d, air)
        configure_sniffer(os.path.join(d, 'sniffer.yaml'), 2, 25, 'gnss')
        ues = [Ue(d, n, '--data', 'stdin', '--metrics-port', '0') for n in ('mary', 'john')]
        sniffer = Background('prose-sniffer', '--config', os.path.join(d, 'sniffer.yaml'), '--device', air.device('live'), '--metrics-port', '0', log=os.path.join(d, 'sniffer.log'))
        try:
            wait(lambda: all(u.of('link_established') for u in ues), programs=ues)

            def told():
                ues[0].say('john a line')
                ue, heard = page(ues[0]), page(sniffer)
                return ue, heard if 'prose_link_snr_db ' in ue and 'prose_data_tx_octets_total{' in ue and 'prose_data_rx_octets_total{' in page(ues[1]) and \
                    re.search(r'prose_sniffer_received_total\{kind="block"\} [1-9]', heard) else None
            found['ue'], found['sniffer'] = wait(lambda: [x for x in [told()] if x[1]], programs=[*ues, sniffer])[0]
            found['other ue'] = page(ues[1])  # what John alone has heard
        finally:
            for p in (*ues, sniffer):
                p.kill()
    _pages.update(found)
    return _pages


def samples(text):
    """(name, labels) of each line."""
    out = []
    for line in text.splitlines():
        if not line.startswith('#'):
            m = re.fullmatch(r'(\w+)(?:\{(.*)\})? (-?[0-9.e+-]+)', line)
            assert m, line
            out.append((m.group(1), dict(re.findall(r'(\w+)="([^"]*)"', m.group(2) or ''))))
    return out


def test_the_figures_of_show_are_there_and_name_nobody(d):
    p = pages(d)
    ue = samples(p['ue'])
    names = {n for n, _ in ue}
    assert {'prose_links', 'prose_peers_permitted', 'prose_peers_discovered', 'prose_handshake_age_seconds', 'prose_epoch_age_seconds', 'prose_link_snr_db',
            'prose_link_frequency_offset_hertz', 'prose_link_timing_offset_seconds', 'prose_radio_samples_lost_total'} <= names, names
    snr = float(re.search(r'(?m)^prose_link_snr_db (\S+)', p['ue']).group(1))
    assert snr > 10, snr
    for who, text in p.items():
        for name, labels in samples(text):
            assert 'peer' not in labels or ('ue' in who and name in OF_A_PEER), (who, name, labels)
            assert not {'mary', 'john', 'live'} & set(labels.values()) or name in OF_A_PEER, (who, name, labels)


def test_promtool_finds_nothing_wrong(d):
    if not shutil.which('promtool'):
        skip('promtool is not installed')
    for who, text in pages(d).items():
        r = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True, text=True)
        assert r.returncode == 0 and not r.stderr.strip(), (who, r.stderr, r.stdout)


def test_the_dashboard_uses_names_that_the_programs_tell(d):
    told = {name for text in pages(d).values() for name, _ in samples(text)}
    with open(DASHBOARD) as f:
        panels = json.load(f)['panels']
    used = {n for p in panels for t in p['targets'] for n in re.findall(r'prose_\w+', t['expr'])}
    assert len(used) > 20 and used <= told, used - told
    # And all that is new is drawn, so that a renamed figure is missed there.
    assert {n for n in told if n.startswith(('prose_link', 'prose_epoch', 'prose_handshake'))} <= used, told - used


if __name__ == '__main__':
    main()
