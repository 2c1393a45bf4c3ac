// A frame's octets in parts: [{from, to, name, value, kind}]. What does not fit the formats stays one part.
// TS 36.321 6.2.4 (MAC), TS 36.322 6.2.1.3 (RLC UM, SN of 5 bits), TS 36.323 6.2.10 (PDCP), TS 24.334 11.2.5 (PC5_DISCOVERY).
import {octetsOf} from './format.js';

const hex = (octets, from, to) => Array.from(octets.subarray(from, to), (x) => x.toString(16).padStart(2, '0')).join('');
const TAG_OCTETS = 16;

function nameOfLcid(lcid) {
  const named = {28: 'signalling, not protected', 29: 'security mode command', 30: 'signalling, protected', 31: 'padding'};
  return named[lcid] ?? (lcid >= 1 && lcid <= 10 ? 'data' : 'reserved');
}

export function dissect(frame) {
  const octets = octetsOf(frame.octets);
  if (!octets.length) return {octets, parts: []};
  const parts = frame.channel === 'PSDCH' ? discovery(octets) : frame.channel === 'PSSCH' && frame.kind !== 'failed' ? slSch(octets) : [];
  if (!parts.length) parts.push({from: 0, to: octets.length, name: 'Octets', value: `${octets.length}`, kind: 'plain'});
  return {octets, parts};
}

function discovery(o) {
  if (o.length < 29) return [];
  return [{from: 0, to: 1, name: 'Message type', value: '0x' + hex(o, 0, 1), kind: 'head'},
    {from: 1, to: 24, name: 'ProSe code', value: hex(o, 1, 24), kind: 'secret'},
    {from: 24, to: 28, name: 'MIC', value: hex(o, 24, 28), kind: 'tag'},
    {from: 28, to: 29, name: 'UTC counter, 8 LSB', value: String(o[28]), kind: 'head'}];
}

function slSch(o) {
  const version = o[0] >> 4, length = version === 3 ? 7 : 6;
  if (version < 1 || version > 3 || o.length <= length) return [];
  const parts = [{from: 0, to: 1, name: 'MAC version', value: String(version), kind: 'head'},
    {from: 1, to: 4, name: 'Source layer-2 ID', value: hex(o, 1, 4), kind: 'address'},
    {from: 4, to: length, name: version === 3 ? 'Destination layer-2 ID' : 'Destination, 16 MSB', value: hex(o, 4, length), kind: 'address'}];
  const sdus = subheaders(o, length, parts);
  if (!sdus) return parts;
  let at = parts[parts.length - 1].to;
  const told = sdus.reduce((sum, s) => sum + (s.length ?? 0), 0);
  for (const s of sdus) {
    const end = Math.min(o.length, at + (s.length ?? Math.max(0, o.length - at - told)));
    sdu(o, at, end, s.lcid, parts);
    at = end;
  }
  if (at < o.length) parts.push({from: at, to: o.length, name: 'Padding', value: `${o.length - at} octets`, kind: 'padding'});
  return parts;
}

function subheaders(o, at, parts) {
  const sdus = [];
  for (let more = true; more;) {
    if (at >= o.length) return null;
    const from = at, sub = o[at++], lcid = sub & 0x1f;
    more = (sub & 0x20) !== 0;
    let length = null;
    if (more && lcid !== 31) {
      if (at + 1 >= o.length) return null;
      length = o[at] & 0x7f;
      if (o[at++] & 0x80) length = length << 8 | o[at++];
    }
    parts.push({from, to: at, name: `LCID ${lcid}`, value: nameOfLcid(lcid) + (length === null ? '' : `, ${length} octets`), kind: 'head'});
    if (lcid !== 31) sdus.push({lcid, length});
  }
  return sdus;
}

function sdu(o, at, end, lcid, parts) {
  if (end <= at) return;
  const fi = o[at] >> 6, extended = (o[at] & 0x20) !== 0;
  const place = ['whole', 'first part', 'last part', 'middle part'][fi === 1 ? 1 : fi === 2 ? 2 : fi];
  parts.push({from: at, to: at + 1, name: 'RLC', value: `SN ${o[at] & 0x1f}, ${place} of an SDU`, kind: 'head'});
  if (fi & 2 || extended || end - at <= 6) {
    if (end > at + 1) parts.push({from: at + 1, to: end, name: 'Part of an SDU', value: `${end - at - 1} octets`, kind: lcid === 28 ? 'plain' : 'secret'});
    return;
  }
  pdcp(o, at + 1, end, lcid, fi === 0, parts);
}

function pdcp(o, at, end, lcid, whole, parts) {
  const type = ['IP', 'ARP', 'PC5 signalling', 'non-IP'][o[at] >> 5] ?? 'reserved';
  parts.push({from: at, to: at + 1, name: 'PDCP SDU type', value: type, kind: 'head'},
    {from: at + 1, to: at + 3, name: 'KD-sess ID', value: hex(o, at + 1, at + 3), kind: 'address'},
    {from: at + 3, to: at + 5, name: 'PDCP SN', value: String(o[at + 3] << 8 | o[at + 4]), kind: 'head'});
  const tag = whole && lcid !== 28 && lcid !== 29 && end - at - 5 > TAG_OCTETS ? TAG_OCTETS : 0;
  const clear = lcid === 28 || lcid === 29;
  parts.push({from: at + 5, to: end - tag, name: clear ? 'Message' : 'Ciphertext', value: `${end - tag - at - 5} octets`, kind: clear ? 'plain' : 'secret'});
  if (tag) parts.push({from: end - tag, to: end, name: 'Tag', value: hex(o, end - tag, end), kind: 'tag'});
}
