"""The verdict of a capture, capture files, and what a key log opens of them."""
import json, os, struct

import numpy as np
import pytest

import prose
from tests.harness.paths import REGRESSION
from tests.harness.process import run

TM4 = os.path.join(REGRESSION, 'regression_tm4.sigmf-meta')
TOLD = {'carrier': 'prb=25,tm=4', 'sync': 'gnss'}


def test_the_verdict_is_that_of_prose_sniffer(tmp_path):
    r = prose.Receiver(TM4, judge=True, **TOLD)
    list(r)
    v = r.verdict()
    p = run('prose-sniffer', '--iq', TM4, '--carrier', TOLD['carrier'], '--sync', 'gnss', '--verdict', '--report', tmp_path / 'r.json', code=None)
    assert v.exit_status == p.returncode and v.outcome == 'nothing proven' and v.doubts and v.text in p.stderr
    assert v.report() == json.loads((tmp_path / 'r.json').read_text())
    assert v.octets.heard > 0 and v.octets.heard >= v.octets.parsed and v.transmitters and any(not f.holds for f in v.figures)
    assert r.verdict() == v


def test_known_plaintext_is_found_in_the_clear(tmp_path):
    blocks = [e for e in prose.Receiver(TM4, **TOLD) if e.event == 'tb']
    r = prose.Receiver(TM4, known_plaintexts=[blocks[0].data[20:40]], **TOLD)
    list(r)
    v = r.verdict()
    assert v.outcome == 'exposed' and v.exit_status == 3 and v.findings[0].aspect == 'content' and v.findings[0].frames


def test_a_capture_file_is_that_of_prose_sniffer(tmp_path):
    r = prose.Receiver(TM4, pcap=tmp_path / 'a.pcap', **TOLD)
    n = sum(e.event in ('mib_sl', 'tb', 'discovery', 'sci') and not getattr(e, 'repetition', False) for e in r)
    assert r.pcap_records == (n, 0)
    run('prose-sniffer', '--iq', TM4, '--carrier', TOLD['carrier'], '--sync', 'gnss', '--pcap', tmp_path / 'b.pcap')
    r.close()
    assert (tmp_path / 'a.pcap').read_bytes() == (tmp_path / 'b.pcap').read_bytes()


# regression_*: made by this project's own code (tests/apps/capture/pcap_test.cpp, sealed_frame() in 80 octets: fixed key, UDP packet of Mary to John). AES-256-GCM.
SEALED = '200a0b0c0d0e23361f000012340000ed51d712ec4f6892d42e8e9ad19cdefa32b03543bca699d03fb625119ae342d51762eb5be7b146702c95079d6b05b0700000000000000000000000000000000000'
KEY = 'PROSE_RECORD_KEY AES-256-GCM 1234 0a0b0c 0d0e0f ' + 64 * '7' + ' ' + 24 * '5'
PACKET = '450000200001000040117ccb0a4000010a40000212345678000c000070696e67'


def record(pdu, crc_ok=1, name=b'mac-lte-framed'):
    body = struct.pack('>HH', 12, len(name)) + name + bytes(4) + bytes((1, 0, 8, 3, 0, 1, 4, 0x15, 0x57, 7, crc_ok, 1)) + pdu
    return struct.pack('<IIII', 2, 250_000_000, len(body), len(body)) + body


def capture_file(path, *records, link=252):
    path.write_bytes(struct.pack('<IHHIIII', 0xA1B23C4D, 2, 4, 0, 0, 262144, link) + b''.join(records))
    return path


def test_a_key_log_opens_a_capture_file(tmp_path):
    log = tmp_path / 'keylog'
    log.write_text('# a remark\n' + KEY + '\n')
    pdu = bytes.fromhex(SEALED)
    path = capture_file(tmp_path / 'x.pcap', record(b''), record(pdu, name=b'unknown'), record(pdu, crc_ok=0), record(pdu), record(pdu[:9]))
    packets = list(prose.PcapPackets(path, log))
    assert [(p.t, p.src, p.lcid, p.sdu_type, p.data.hex()) for p in packets] == [(2.25, 0x0a0b0c, 3, 0, PACKET)]
    assert packets[0].frame == 2, 'the records of other kinds are not counted'
    log.write_text(KEY.replace('77', '78') + '\n')
    assert list(prose.PcapPackets(path, log)) == []


def test_capture_files_that_are_none(tmp_path):
    log = tmp_path / 'keylog'
    log.write_text(KEY + '\n')
    pdu = bytes.fromhex(SEALED)
    cut = tmp_path / 'cut.pcap'
    cut.write_bytes(capture_file(tmp_path / 'x.pcap', record(pdu), record(pdu)).read_bytes()[:-5])
    found = prose.PcapPackets(cut, log)
    assert next(found).data.hex() == PACKET
    with pytest.raises(prose.Error, match='cut.pcap'):
        next(found)
    for bad in (capture_file(tmp_path / 'l.pcap', record(pdu), link=1), log, tmp_path, tmp_path / 'none'):
        with pytest.raises(prose.Error):
            prose.PcapPackets(bad, log)
    log.write_text('no key\n')
    with pytest.raises(prose.Error, match='keylog:1'):
        prose.PcapPackets(tmp_path / 'x.pcap', log)
