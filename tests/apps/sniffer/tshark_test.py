"""What Wireshark itself makes of a capture of three UEs on the air: every MAC PDU and MIB-SL with the fields that the sniffer's events (and so the bits)
say, none malformed but those of the documented trap (a first LCID of 28 to 30), and with a key log the IP packets that a UE sent."""
import collections, os, shutil, subprocess

from tests.harness.cases import main, skip_all
from tests.harness.files import json_lines
from tests.harness.scene import Scene
from tests.harness.tshark import PLUGIN, tshark

PC5S = (28, 29, 30)
TUN = 'pt%d' % (os.getpid() % 100000)
HAVE_TUN = os.path.exists('/dev/net/tun') and subprocess.run(['ip', 'tuntap', 'add', 'dev', TUN, 'mode', 'tun'], capture_output=True).returncode == 0
if HAVE_TUN:
    subprocess.run(['ip', 'tuntap', 'del', 'dev', TUN, 'mode', 'tun'], check=True)
USE_TUN = (r'(?ms)^data:.*?(?=^allow_keylog)', 'data:\n  kind: tun\n  interface: %s\n  ipv4: 10.64.7.1\n  peers: [{name: john, ipv4: 10.64.7.2}]\n\n' % TUN)


def lcids(hex_):
    """LCIDs of an SL-SCH PDU's subheaders (TS 36.321 6.1.6), our own reading."""
    b = bytes.fromhex(hex_)
    at, out = 7 if b[0] >> 4 == 3 else 6, []
    while True:
        first, at = b[at], at + 1
        out.append(first & 31)
        if not first & 32:
            return out
        if first & 31 != 31:
            at += 2 if b[at] & 128 else 1


def capture(s):
    """x.pcap with Mary's key log: three UEs by SLSS, so that MIB-SL are sent, and pings of Mary's. The sniffer's events of it."""
    listens = s.start('prose-sniffer', 'sniffer', '--config', s.sniffer_config('slss'), '--device', s.air.device('sniffer'), '--record', s.path('x.sigmf-meta'), '--record-type', 'ci16')
    s.until_recording('x')
    s.start_ues(edits={'mary': [USE_TUN]} if HAVE_TUN else {})
    s.until_linked(0)
    if HAVE_TUN:
        ping = subprocess.Popen(['ping', '-c', '8', '-i', '0.2', '-W', '1', '-s', '300', '-p', '7a', '10.64.7.2'], stdout=subprocess.DEVNULL)
        s.until('eight pings', lambda: ping.poll() is not None)
    s.until_linked(2)
    s.stop_ues()
    listens.stop(timeout=300)
    s.run('prose-sniffer', '--config', s.path('sniffer.yaml'), '--iq', s.path('x.sigmf-meta'), '--events', s.path('e.jsonl'), '--pcap', s.path('x.pcap'),
          '--keylog', s.path('mary.keylog'))
    return json_lines(s.path('e.jsonl'))


def read_by_tshark(tm):
    with Scene(tm=tm, source='slss') as s:
        events = capture(s)
        told = [e for e in events if e['event'] in ('tb', 'mib_sl', 'discovery', 'sci') and e.get('crc_ok', True) and not e.get('repetition')]
        names = ['frame.time_epoch', 'mac-lte.rnti-type', 'mac-lte.slsch.version', 'mac-lte.slsch.src-l2-id', 'mac-lte.slsch.dst-l2-id', 'mac-lte.slsch.lcid',
                 'mac-lte.slsch.sdu', 'mac-lte.sfn', 'mac-lte.subframe', 'lte-rrc.directFrameNumber_r12', 'lte-rrc.directSubframeNumber_r12',
                 'lte-rrc.reserved_r12', 'lte-rrc.directFrameNumber_r14', 'lte-rrc.directSubframeNumber_r14', 'lte-rrc.reserved_r14', 'ip.src', 'ip.dst',
                 'icmp.type', 'icmp.checksum.status', 'data.data', '_ws.malformed', 'exported_pdu.col_proto_str']
        records = tshark(s.path('x.pcap'), names)
        packets = [r for r in records if r['ip.src']]
        rest = [r for r in records if not r['ip.src']]
        assert len(rest) == len(told), (len(rest), len(told))
        seen = collections.Counter()
        # Dates are those that the recording says, of the host's clock; between records they are exact.
        epoch = float(rest[0]['frame.time_epoch']) - told[0]['t']
        assert abs(epoch + told[0]['t'] - os.path.getmtime(s.path('x.sigmf-data'))) < 600, epoch
        for r, e in zip(rest, told):
            assert abs(float(r['frame.time_epoch']) - epoch - e['t']) < 2e-6, (r, e)
            if e['event'] == 'discovery':
                continue
            if e['event'] == 'sci':
                assert r['data.data'] == e['hex'] and r['exported_pdu.col_proto_str'] == 'SCI format %d' % e['format'], (r, e)
                seen['sci'] += 1
                continue
            if e['event'] == 'mib_sl':
                release = 'r12' if e['bits'] == 40 else 'r14'
                value = lambda name: r['lte-rrc.%s_%s' % (name, release)]
                # Ten bits, left-aligned.
                assert value('directFrameNumber') == '%04x' % (e['fields']['direct_frame_number'] << 6), (r, e)
                assert int(value('directSubframeNumber')) == e['fields']['direct_subframe_number'] and value('reserved') and not r['_ws.malformed'], (r, e)
                seen['mib'] += 1
                continue
            b = bytes.fromhex(e['hex'])
            assert r['mac-lte.rnti-type'] and int(r['mac-lte.slsch.version'], 0) == b[0] >> 4, (r, e)
            assert int(r['mac-lte.slsch.src-l2-id'], 0) == int.from_bytes(b[1:4], 'big'), (r, e)
            assert int(r['mac-lte.slsch.dst-l2-id'], 0) == int.from_bytes(b[4:7] if b[0] >> 4 == 3 else b[4:6], 'big'), (r, e)
            if e['absolute_subframe'] is not None:
                assert (int(r['mac-lte.sfn']), int(r['mac-lte.subframe'])) == divmod(e['absolute_subframe'], 10), (r, e)
            mine = lcids(e['hex'])
            trap = mine[0] in PC5S or any(l in PC5S for l in mine)
            seen['trap' if trap else 'data'] += 1
            if trap:
                seen['malformed'] += bool(r['_ws.malformed'])
                continue
            assert not r['_ws.malformed'] and [int(x, 0) for x in r['mac-lte.slsch.lcid'].split(',')] == mine and r['mac-lte.slsch.sdu'], (r, e, mine)
            for sdu in r['mac-lte.slsch.sdu'].split(','):
                assert sdu in e['hex'], (r, e)
        # Our plugin knows the trap's PDUs.
        plugin = tshark(s.path('x.pcap'), ['prose.pc5s.type'], '-Y', 'prose.pc5s', plugin=PLUGIN)
        kinds = collections.Counter(t for r in plugin for t in r['prose.pc5s.type'].split(','))
        print('TM%d: %s, %d IP packets, PC5-S by type %s' % (tm, dict(seen), len(packets), dict(kinds)))
        assert seen['mib'] >= 20 and seen['trap'] >= 4 and kinds['1'] >= 2 and kinds['12'] >= 2 and kinds['13'] >= 2, (seen, kinds)
        for r in packets:
            assert not r['_ws.malformed'], r
        pings = [r for r in packets if r['icmp.type'] == '8']
        if HAVE_TUN:
            assert len(pings) >= 4 and seen['data'] >= 4, (len(pings), seen)
            for r in pings:
                # On a link every IPv4 packet bears the same two addresses.
                assert (r['ip.src'], r['ip.dst'], r['icmp.checksum.status']) == ('192.0.0.1', '192.0.0.2', '1') and '7a' * 100 in r['data.data'], r
        else:
            print('no TUN interface here: without IP packets')


def test_tm2():
    read_by_tshark(2)


def test_tm4():
    read_by_tshark(4)


if __name__ == '__main__':
    if not shutil.which('tshark'):
        skip_all('tshark is not installed')
    if not HAVE_TUN:
        print('skipped: there is no /dev/net/tun, or no right to use it: no IP packets of a UE in the capture')
    main()
