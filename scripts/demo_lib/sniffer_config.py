"""The sniffer's configuration beside UEs of one transmission mode and bandwidth: configs/sniffer.yaml with that carrier's pools."""
import json, os, re

SC_BITMAP = '11111111' + '0' * 32
DATA_BITMAP = '1111111110111111111111111111100011111111'
DISCOVERY_BITMAP = '0' * 38 + '11'
DISCOVERY_EDGE_PRB = 10  # at the upper edge, in TM4


def pools(tm, prb):
    """What mac::default_ue_config() uses."""
    discovery = {'kind': 'psdch', 'disc_period': 320, 'num_retx': 0, 'num_repetition': 8, 'prb_num': 12, 'prb_start': 0, 'prb_end': prb - 1,
                 'offset_indicator': 0, 'subframe_bitmap': DISCOVERY_BITMAP}
    if tm == 4:
        discovery.update(prb_num=DISCOVERY_EDGE_PRB, prb_start=prb - DISCOVERY_EDGE_PRB)
        return [{'kind': 'v2x', 'size': 5, 'count': 3 if prb == 25 else 8, 'start_prb': 0, 'sl_Subframe_r14': '1' * 20, 'slss_period': 20,
                 'slss_offset': 17}, discovery]
    edges = {'prb_num': (prb + 1) // 2, 'prb_start': 0, 'prb_end': prb - 1}
    return [dict(edges, kind='sl_comm', mode='tm2', sc_period=40, offset_indicator=0, subframe_bitmap=SC_BITMAP,
                 data=dict(edges, offset_indicator=8, subframe_bitmap=DATA_BITMAP)), discovery]


def text(root, tm, prb, sync):
    t = open(os.path.join(root, 'configs', 'sniffer.yaml')).read()
    # JSON is YAML too.
    block = 'pools:\n' + ''.join('  - %s\n' % json.dumps(p) for p in pools(tm, prb))
    for pattern, with_ in ((r'(?m)^carrier: .*$', 'carrier: {prb: %d, tm: %d, cp: normal}' % (prb, tm)), (r'(?m)^sync: .*$', 'sync: ' + sync),
                           (r'(?ms)^pools:.*?(?=^\s*$)', block)):
        t, count = re.subn(pattern, with_, t)
        if count != 1:
            raise RuntimeError('configs/sniffer.yaml: nothing matches ' + pattern)
    return t
