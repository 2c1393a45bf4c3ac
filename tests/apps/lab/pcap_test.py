"""What Wireshark shows without our plugin, live through a pipe: dates, source and destination, SCIs, names of messages."""
import os, re, shutil, signal, subprocess, time

from tests.harness.air import Air
from tests.harness.cases import main, skip_all
from tests.harness.files import text_of
from tests.harness.paths import ENV, program
from tests.harness.process import wait
from tests.harness.sniffer import configure as configure_sniffer
from tests.harness.ue import Ue, configure

if not shutil.which('tshark'):
    skip_all('tshark is not installed')
FIELDS = ('frame.time_epoch', '_ws.col.Source', '_ws.col.Destination', 'exported_pdu.col_proto_str', 'mac-lte.slsch.src-l2-id', 'data.len')
NAMES = {2: 'SCI format 0', 4: 'SCI format 1'}


def shown_live(d, tm, *options):
    """Rows of FIELDS, as a tshark shows them that reads from the sniffer's standard output while UEs set up a link."""
    rows = os.path.join(d, 'rows')
    none = os.path.join(d, 'no_plugins')
    os.mkdir(none)
    with Air(speed='1', start=None) as air:
        configure(d, air, tm=tm)
        configure_sniffer(os.path.join(d, 'sniffer.yaml'), tm, 25, 'gnss')
        with open(rows, 'w') as out, open(os.path.join(d, 'sniffer.log'), 'w') as log:
            sniffer = subprocess.Popen([program('prose-sniffer'), '--config', os.path.join(d, 'sniffer.yaml'), '--device', air.device('sniffer'), '--pcap', '-', *options],
                                       stdout=subprocess.PIPE, stderr=log, env=ENV)
            shark = subprocess.Popen(['tshark', '-l', '-i', '-', '-T', 'fields', *[x for f in FIELDS for x in ('-e', f)]], stdin=sniffer.stdout, stdout=out, stderr=subprocess.DEVNULL,
                                     env=dict(os.environ, WIRESHARK_PLUGIN_DIR=none, HOME=d))
            sniffer.stdout.close()
            air.until_joined('sniffer')
            ues = [Ue(d, n) for n in ('mary', 'john')]
            try:
                wait(lambda: all(u.of('link_established') for u in ues), programs=[*ues, sniffer, shark])
                # Live: shown while everything runs.
                wait(lambda: 'PC5-S' in text_of(rows) and NAMES[tm] in text_of(rows), programs=[sniffer, shark], what='rows of tshark')
            finally:
                for u in ues:
                    u.kill()
                sniffer.send_signal(signal.SIGINT)
                sniffer.wait(60), shark.wait(60)
    return [dict(zip(FIELDS, l.split('\t'))) for l in text_of(rows).splitlines()]


def look(rows, tm):
    by_name = {}
    for r in rows:
        by_name.setdefault(r['exported_pdu.col_proto_str'].split(',')[0], []).append(r)
    assert {NAMES[tm], 'PC5_DISCOVERY', 'PC5-S DIRECT_COMMUNICATION_REQUEST', 'PC5-S DIRECT_SECURITY_MODE_COMMAND', 'PC5-S DIRECT_SECURITY_MODE_COMPLETE'} <= set(by_name), by_name.keys()
    assert all(int(r['data.len']) >= 4 for r in by_name[NAMES[tm]])
    for r in rows:
        if r['mac-lte.slsch.src-l2-id']:
            ids = [re.fullmatch(r'fe80::(?:([0-9a-f]+):)?([0-9a-f]+)', r['_ws.col.' + x]) for x in ('Source', 'Destination')]
            assert all(ids), r
            assert int(ids[0][1] or '0', 16) << 16 | int(ids[0][2], 16) == int(r['mac-lte.slsch.src-l2-id'], 0), r
    # A request and its answer go opposite ways.
    asked, told = by_name['PC5-S DIRECT_SECURITY_MODE_COMMAND'][0], by_name['PC5-S DIRECT_SECURITY_MODE_COMPLETE'][0]
    assert asked['_ws.col.Source'] == told['_ws.col.Destination'] and asked['_ws.col.Destination'] == told['_ws.col.Source'], (asked, told)


def test_a_live_capture_has_dates_addresses_and_names_in_tm2(d):
    begin = time.time()
    rows = shown_live(d, 2)
    look(rows, 2)
    assert all(begin - 5 < float(r['frame.time_epoch']) < time.time() + 5 for r in rows), (begin, rows[0])


def test_epoch_gives_the_dates_in_tm4(d):
    rows = shown_live(d, 4, '--epoch', '1e9')
    look(rows, 4)
    # The air's time is the host's less 1.7e9.
    assert all(abs(float(r['frame.time_epoch']) - (time.time() - 7e8)) < 300 for r in rows), rows[0]


if __name__ == '__main__':
    main()
