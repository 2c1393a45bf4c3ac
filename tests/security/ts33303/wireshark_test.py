"""The Wireshark plugin shows every field of the PC5-S messages of TS 24.334: messages.json in a capture made here."""
import json, os, re, shutil, struct

from tests.harness.cases import main, skip_all
from tests.harness.files import text_of
from tests.harness.paths import SOURCE
from tests.harness.tshark import PLUGIN, tshark

UNPROTECTED, SECURITY_MODE, PROTECTED = 28, 29, 30
UPPER_PDU = 252  # link type of a PDU with the name of its dissector in front
WITH_STANDARD = ('-o', 'prose.pc5s.ts33303:TRUE')
OWN_LAYOUT = {'version', 'ephemeral', 'sealed', 'token'}


def messages():
    out = json.loads(text_of(os.path.join(SOURCE, 'tests', 'security', 'ts33303', 'messages.json')))['messages']
    return [(m['name'], bytes.fromhex(re.sub('[ |]', '', m['octets'])), m['fields']) for m in out]


def pdcp(data, kd_sess_id=0, sn=0):
    return struct.pack('>BHH', 2 << 5, kd_sess_id, sn) + data


def record(lcid, sdu):
    """An exported PDU: SL-SCH of version 3 with one SDU, which one RLC PDU holds."""
    name = b'mac-lte-framed'
    sl_sch = bytes([3 << 4]) + b'\x01\x02\x03\x0a\x0b\x0c' + bytes([lcid]) + b'\x00' + sdu
    framed = bytes([1, 0, 8, 1]) + sl_sch  # FDD, uplink, SL-SCH, payload
    return struct.pack('>HH', 12, len(name)) + name + struct.pack('>HH', 0, 0) + framed


def capture(path, records):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, UPPER_PDU))
        for r in records:
            f.write(struct.pack('<IIII', 0, 0, len(r), len(r)) + r)
    return path


def check_messages(told, rows):
    for row, (name, _, fields) in zip(rows, told):
        for field, value in fields.items():
            assert row[field] == value, (name, field, row[field], value)
        assert not row['prose.pc5s.rest'] and not row['prose.pc5s.unknown_ie'], (name, row)


def test_every_field_of_every_message_and_what_is_no_message(folder):
    """One run of tshark for all: it takes seconds to start."""
    told = messages()
    names = sorted({n for _, _, fields in told for n in fields})
    shown = {n for n in re.findall(r'"prose\.pc5s\.(\w+)"', text_of(PLUGIN))} - OWN_LAYOUT - {'rest', 'unknown_ie'}
    assert {n.rsplit('.', 1)[1] for n in names} == shown, shown
    by_name = {name: octets for name, octets, _ in told}
    accept, mac = by_name['accept'], b'\xde\xad\xbe\xef'
    # Records besides the messages -> some of their fields.
    others = [
        # Under a KD-sess ID the Command alone is in clear. The second begins like one, but another channel carries it.
        (record(SECURITY_MODE, pdcp(by_name['command'] + mac, 0x5aa5, 1)),
         {'prose.slrb.pdcp.kd_sess_id': '0x5aa5', 'prose.slrb.pdcp.sn': '1', 'prose.slrb.pdcp.mac_i': 'deadbeef', 'prose.pc5s.chosen_eea': '2', 'prose.pc5s.rest': ''}),
        (record(PROTECTED, pdcp(by_name['command'] + mac, 0x5aa5, 2)), {'prose.slrb.pdcp.sn': '2', 'prose.slrb.pdcp.mac_i': 'deadbeef', 'prose.pc5s.chosen_eea': '', 'prose.pc5s.type': ''}),
        # Ciphered, a Complete can begin with the octet of the Command's type. It is shorter than every Command.
        *((record(SECURITY_MODE, pdcp(by_name['command'][:n] + mac, 0x5aa5, 3)), {'prose.slrb.pdcp.sn': '3', 'prose.slrb.pdcp.mac_i': 'deadbeef', 'prose.pc5s.type': ''})
          for n in (len(by_name['complete']), len(by_name['complete_with_every_ie']), len(by_name['command']) - 1)),
        # What does not fit is shown as octets.
        (record(UNPROTECTED, pdcp(accept + bytes.fromhex('3002aabb'))), {'prose.pc5s.ip': '3', 'prose.pc5s.unknown_ie': '3002aabb', 'prose.pc5s.rest': ''}),
        (record(UNPROTECTED, pdcp(accept + bytes.fromhex('91'))), {'prose.pc5s.unknown_ie': '91', 'prose.pc5s.rest': ''}),
        (record(UNPROTECTED, pdcp(accept + bytes.fromhex('30ff'))), {'prose.pc5s.unknown_ie': '', 'prose.pc5s.rest': '30ff'}),
        (record(UNPROTECTED, pdcp(by_name['request'][:12])), {'prose.pc5s.ip': '2', 'prose.pc5s.rest': by_name['request'][11:12].hex()}),
        (record(UNPROTECTED, pdcp(bytes.fromhex('63000101'))), {'prose.pc5s.type': '99', 'prose.pc5s.rest': '01'}),
    ]
    asked = names + ['prose.pc5s.rest', 'prose.pc5s.unknown_ie', 'prose.slrb.pdcp.kd_sess_id', 'prose.slrb.pdcp.sn', 'prose.slrb.pdcp.mac_i']
    rows = tshark(capture(folder + '/x.pcap', [record(UNPROTECTED, pdcp(octets)) for _, octets, _ in told] + [r for r, _ in others]), asked, *WITH_STANDARD, plugin=PLUGIN)
    assert len(rows) == len(told) + len(others)
    check_messages(told, rows)
    for row, (_, fields) in zip(rows[len(told):], others):
        assert {n: row[n] for n in fields} == fields, row


def test_without_the_preference_nothing_of_it_is_shown(folder):
    rows = tshark(capture(folder + '/x.pcap', [record(UNPROTECTED, pdcp(messages()[0][1]))]), ['prose.pc5s.type', 'prose.pc5s.nonce_1', 'prose.pc5s.version'], plugin=PLUGIN)
    assert [list(r.values()) for r in rows] == [['1', '', '6']], rows


if __name__ == '__main__':
    if not shutil.which('tshark'):
        skip_all('tshark is not installed')
    main()
