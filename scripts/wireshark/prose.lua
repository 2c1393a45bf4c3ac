-- Wireshark plugin: PC5_DISCOVERY messages, and inside SL-SCH PDUs what Wireshark does not know: RLC UM, PDCP SLRB, PC5-S and, with a key log, IP.
--   tshark -X lua_script:scripts/wireshark/prose.lua [-o prose.slrb.keylog:FILE] [-o prose.pc5s.ts33303:TRUE] -r capture.pcap
-- The key log is that of prose-ue --keylog; it names link, direction and KD-sess ID. Records are deciphered without checking their tags, which
-- prose-sniffer --keylog does. This plugin is our own, so it is no independent evidence.

-- PC5_DISCOVERY (TS 24.334 11.2.5): message type 8, code 184, MIC 32, UTC counter LSB 8 bits.
-- An installed copy was loaded first: two protocols cannot have the same name.
local fresh, discovery = pcall(Proto, "prose.pc5_discovery", "ProSe PC5 discovery")
if not fresh then return end
local d = discovery.fields
d.type = ProtoField.uint8("prose.pc5_discovery.type", "Message type", base.HEX)
d.code = ProtoField.bytes("prose.pc5_discovery.code", "ProSe code")
d.mic = ProtoField.bytes("prose.pc5_discovery.mic", "MIC")
d.utc = ProtoField.uint8("prose.pc5_discovery.utc_lsb", "UTC-based counter LSB")
function discovery.dissector(buf, pinfo, tree)
  if buf:len() < 29 then return 0 end
  pinfo.cols.protocol = "PC5_DISCOVERY"
  local t = tree:add(discovery, buf(0, 29))
  t:add(d.type, buf(0, 1))
  t:add(d.code, buf(1, 23))
  t:add(d.mic, buf(24, 4))
  t:add(d.utc, buf(28, 1))
  return 29
end

-- PC5-S (type and sequence number as in TS 24.334 12.5.1, whose numbers are NOT VERIFIED; what follows is NOT 3GPP).
local pc5s = Proto("prose.pc5s", "ProSe PC5 signalling")
local types = {[1] = "Direct Communication Request", [2] = "Direct Communication Accept", [4] = "Keepalive", [5] = "Keepalive Ack", [6] = "Release",
  [7] = "Release Accept", [12] = "Direct Security Mode Command", [13] = "Direct Security Mode Complete", [15] = "Direct Rekeying Request",
  [16] = "Direct Rekeying Response"}
local p = pc5s.fields
p.type = ProtoField.uint8("prose.pc5s.type", "Message type", base.DEC, types)
p.seq = ProtoField.uint16("prose.pc5s.seq", "Sequence number")
p.version = ProtoField.uint8("prose.pc5s.version", "Version")
p.ephemeral = ProtoField.bytes("prose.pc5s.ephemeral", "Ephemeral public key")
p.sealed = ProtoField.bytes("prose.pc5s.sealed", "Sealed payload and tag")
p.token = ProtoField.bytes("prose.pc5s.token", "Token")
p.rest = ProtoField.bytes("prose.pc5s.rest", "Contents")
-- For each type: its fields in order, each with its length. The last field takes the rest.
local layouts = {[1] = {{p.version, 1}, {p.ephemeral, 32}, {p.sealed, 21}, {p.token, 8}}, [12] = {{p.ephemeral, 32}, {p.sealed, 19}, {p.token, 3}},
  [13] = {{p.sealed, 21}}, [15] = {{p.version, 1}, {p.ephemeral, 32}, {p.sealed, 21}}, [16] = {{p.ephemeral, 32}, {p.sealed, 19}}}

-- The messages of TS 24.334 11.4, with the preference only: nothing on the air tells the two apart. All layouts and numbers of them are NOT
-- VERIFIED: security/ts33303/unverified.h and messages.h.
pc5s.prefs.ts33303 = Pref.bool("Messages of TS 24.334", false, "The contents are those of TS 24.334 instead of this project's own")
types[3], types[14] = "Direct Communication Reject", "Direct Security Mode Reject"
local eea = {[0] = "EEA0", "128-EEA1 (SNOW 3G)", "128-EEA2 (AES)", "128-EEA3 (ZUC)"}
local eia = {[0] = "EIA0", "128-EIA1 (SNOW 3G)", "128-EIA2 (AES)", "128-EIA3 (ZUC)"}
p.user_info_type = ProtoField.uint8("prose.pc5s.user_info_type", "User Info type", base.DEC, {"upper layers", "PRUK ID", "IMSI"})
p.user_info = ProtoField.bytes("prose.pc5s.user_info", "User Info")
p.ip = ProtoField.uint8("prose.pc5s.ip", "IP Address Configuration", base.DEC, {"DHCPv4 server", "IPv6 router", "DHCPv4 server and IPv6 router", "none"})
p.max_inactivity = ProtoField.uint32("prose.pc5s.max_inactivity", "Maximum Inactivity Period")
p.nonce_1 = ProtoField.bytes("prose.pc5s.nonce_1", "Nonce_1")
p.nonce_2 = ProtoField.bytes("prose.pc5s.nonce_2", "Nonce_2")
p.eea = ProtoField.uint8("prose.pc5s.eea", "Capabilities: EEA0 (bit 8) to EEA7", base.HEX)
p.eia = ProtoField.uint8("prose.pc5s.eia", "Capabilities: EIA0 (bit 8) to EIA7", base.HEX)
p.chosen_eea = ProtoField.uint8("prose.pc5s.chosen_eea", "Chosen EEA", base.DEC, eea, 0xf0)
p.chosen_eia = ProtoField.uint8("prose.pc5s.chosen_eia", "Chosen EIA", base.DEC, eia, 0x0f)
p.kd_sess_id_msb = ProtoField.uint8("prose.pc5s.kd_sess_id_msb", "MSB of KD-sess ID", base.HEX)
p.kd_sess_id_lsb = ProtoField.uint8("prose.pc5s.kd_sess_id_lsb", "LSB of KD-sess ID", base.HEX)
p.kd_id = ProtoField.uint32("prose.pc5s.kd_id", "KD ID", base.HEX)
p.kd_id_msb = ProtoField.uint16("prose.pc5s.kd_id_msb", "MSB of KD ID", base.HEX)
p.kd_id_lsb = ProtoField.uint16("prose.pc5s.kd_id_lsb", "LSB of KD ID", base.HEX)
p.relay_service_code = ProtoField.uint24("prose.pc5s.relay_service_code", "Relay Service Code", base.HEX)
p.signature = ProtoField.bytes("prose.pc5s.signature", "Signature")
p.link_local_ipv6 = ProtoField.ipv6("prose.pc5s.link_local_ipv6", "Link Local IPv6 Address")
p.cause = ProtoField.uint8("prose.pc5s.cause", "Cause", base.DEC, {"communication not allowed", "authentication failure", "conflict of layer-2 ID", "lack of resources",
  "IP version mismatch", "other", "UE security capabilities mismatch", "unspecified", "authentication synchronisation error"})
p.counter = ProtoField.uint32("prose.pc5s.counter", "Keepalive Counter")
p.reason = ProtoField.uint8("prose.pc5s.reason", "Release Reason", base.DEC, {"no longer needed", "no longer allowed", "no longer available"})
p.kd_freshness = ProtoField.bytes("prose.pc5s.kd_freshness", "KD Freshness Parameter")
p.gpi = ProtoField.bytes("prose.pc5s.gpi", "GPI")
p.encrypted_payload = ProtoField.bytes("prose.pc5s.encrypted_payload", "Encrypted Payload")
p.rand = ProtoField.bytes("prose.pc5s.rand", "RAND")
p.auts = ProtoField.bytes("prose.pc5s.auts", "AUTS")
p.reauthentication = ProtoField.uint8("prose.pc5s.reauthentication", "Re-authentication flag")
p.pruk_id = ProtoField.bytes("prose.pc5s.pruk_id", "PRUK ID")
p.unknown_ie = ProtoField.bytes("prose.pc5s.unknown_ie", "Unknown IE")

-- Readers of one IE's contents: add it and return what is behind it, or nil where it is not whole.
local function fixed(n, ...)
  local fields = {...}
  return function(t, b, at)
    if at + n > b:len() then return nil end
    for _, field in ipairs(fields) do t:add(field, b(at, n)) end
    return at + n
  end
end
local function variable(length_octets, field)
  return function(t, b, at)
    if at + length_octets > b:len() then return nil end
    local n = b(at, length_octets):uint()
    at = at + length_octets
    if at + n > b:len() then return nil end
    if field and n > 0 then t:add(field, b(at, n)) end
    return at + n
  end
end
local function user_info(t, b, at)
  local behind = variable(1)(t, b, at)
  if not behind or behind == at + 1 then return nil end
  t:add(p.user_info_type, b(at + 1, 1))
  if behind > at + 2 then t:add(p.user_info, b(at + 2, behind - at - 2)) end
  return behind
end
local function capabilities(t, b, at)
  at = fixed(1, p.eea)(t, b, at)
  return at and fixed(1, p.eia)(t, b, at)
end
local link_local = {[0x03] = fixed(16, p.link_local_ipv6)}
-- For each type its mandatory IEs in order, and its optional ones by IEI.
local standard = {
  [1] = {{user_info, fixed(1, p.ip), fixed(4, p.max_inactivity), fixed(16, p.nonce_1), capabilities, fixed(1, p.kd_sess_id_msb)},
    {[0x17] = fixed(4, p.kd_id), [0x25] = fixed(3, p.relay_service_code), [0x22] = fixed(129, p.signature), [0x03] = link_local[0x03]}},
  [2] = {{fixed(1, p.ip)}, link_local},
  [3] = {{fixed(1, p.cause)}, {}},
  [4] = {{fixed(4, p.counter)}, {[0x07] = fixed(4, p.max_inactivity)}},
  [5] = {{fixed(4, p.counter)}, {}},
  [6] = {{fixed(1, p.reason)}, {}},
  [7] = {{}, {}},
  [12] = {{capabilities, fixed(16, p.nonce_2), fixed(1, p.chosen_eea, p.chosen_eia), fixed(1, p.kd_sess_id_lsb)},
    {[0x16] = fixed(2, p.kd_id_msb), [0x18] = fixed(16, p.kd_freshness), [0x24] = variable(2, p.gpi), [0x01] = user_info, [0x22] = fixed(129, p.signature),
      [0x23] = variable(2, p.encrypted_payload)}},
  [13] = {{}, {[0x15] = fixed(2, p.kd_id_lsb)}},
  [14] = {{fixed(1, p.cause)}, {[0x10] = fixed(16, p.rand), [0x09] = fixed(14, p.auts)}},
  [15] = {{capabilities, fixed(16, p.nonce_1), fixed(1, p.kd_sess_id_msb)}, {[0x21] = fixed(1, p.reauthentication), [0x08] = fixed(8, p.pruk_id)}},
  [16] = {{}, {}},
}
local command_octets = 23  -- without optional IEs
-- Returns where it stopped: at the end, or at the first octet that does not fit.
local function show_standard(kind, buf, t)
  local at, layout = 3, standard[kind]
  if not layout then return at end
  for _, read in ipairs(layout[1]) do
    local behind = read(t, buf, at)
    if not behind then return at end
    at = behind
  end
  while at < buf:len() do
    local iei = buf(at, 1):uint()
    local behind
    if layout[2][iei] then
      behind = layout[2][iei](t, buf, at + 1)
    else
      behind = iei >= 0x80 and at + 1 or variable(iei >= 0x70 and 2 or 1)(t, buf, at + 1)
      if behind then t:add(p.unknown_ie, buf(at, behind - at)) end
    end
    if not behind then return at end
    at = behind
  end
  return at
end

-- Returns where our own layout ends.
local function show_own(kind, buf, t)
  local at = 3
  for _, field in ipairs(layouts[kind] or {}) do
    if buf:len() < at + field[2] then break end
    t:add(field[1], buf(at, field[2]))
    at = at + field[2]
  end
  return at
end
function pc5s.dissector(buf, pinfo, tree)
  if buf:len() < 3 then return 0 end
  local kind = buf(0, 1):uint()
  pinfo.cols.info = types[kind] or "PC5-S"
  local t = tree:add(pc5s, buf())
  t:add(p.type, buf(0, 1))
  t:add(p.seq, buf(1, 2))
  local at = (pc5s.prefs.ts33303 and show_standard or show_own)(kind, buf, t)
  if at < buf:len() then t:add(p.rest, buf(at)) end
  return buf:len()
end

-- Lua 5.2 (Wireshark up to 4.2) has bit32. Later versions have operators, which 5.2 cannot parse, so they are in a string.
local bits = bit32 or load([[
  return {
    band = function(a, b) return a & b & 0xffffffff end,
    bxor = function(a, b, c, d, e, f) return (a ~ b ~ (c or 0) ~ (d or 0) ~ (e or 0) ~ (f or 0)) & 0xffffffff end,
    lshift = function(a, n) return a << n & 0xffffffff end,
    rshift = function(a, n) return (a & 0xffffffff) >> n end,
    lrotate = function(a, n) a = a & 0xffffffff; return (a << n | a >> 32 - n) & 0xffffffff end,
  }]])()
local band, bxor, rshift, lshift, lrotate = bits.band, bits.bxor, bits.rshift, bits.lshift, bits.lrotate
local function bytes_of(hex)
  local out = {}
  for pair in hex:gmatch("%x%x") do out[#out + 1] = tonumber(pair, 16) end
  return out
end

-- AES-256 encryption of a block (FIPS 197), for counter mode.
local sbox = {}
do
  local x, y = 1, 1
  repeat
    x = bxor(x, band(lshift(x, 1), 255), x >= 128 and 0x1b or 0)
    y = bxor(y, lshift(y, 1)); y = bxor(y, lshift(y, 2)); y = band(bxor(y, lshift(y, 4)), 255)
    if y >= 128 then y = bxor(y, 9) end
    local r = y + y * 256
    sbox[x] = band(bxor(y, rshift(r, 7), rshift(r, 6), rshift(r, 5), rshift(r, 4), 0x63), 255)
  until x == 1
  sbox[0] = 0x63
end
local function double(v) return band(bxor(lshift(v, 1), v >= 128 and 0x1b or 0), 255) end
local function aes_schedule(key)
  local w, rcon = {}, 1
  for i = 1, 32 do w[i] = key[i] end
  for i = 32, 239, 4 do
    local a, b, c, e = w[i - 3], w[i - 2], w[i - 1], w[i]
    if i % 32 == 0 then
      a, b, c, e = bxor(sbox[b], rcon), sbox[c], sbox[e], sbox[a]
      rcon = double(rcon)
    elseif i % 32 == 16 then
      a, b, c, e = sbox[a], sbox[b], sbox[c], sbox[e]
    end
    w[i + 1], w[i + 2], w[i + 3], w[i + 4] = bxor(w[i - 31], a), bxor(w[i - 30], b), bxor(w[i - 29], c), bxor(w[i - 28], e)
  end
  return w
end
local function aes_block(w, input)
  local s = {}
  for i = 1, 16 do s[i] = bxor(input[i], w[i]) end
  for round = 1, 14 do
    local t = {}
    for c = 0, 3 do
      for r = 0, 3 do t[4 * c + r + 1] = sbox[s[(4 * (c + r) + r) % 16 + 1]] end
    end
    for c = 1, 13, 4 do
      local a, b, e, f = t[c], t[c + 1], t[c + 2], t[c + 3]
      if round < 14 then
        local all = bxor(a, b, e, f)
        t[c], t[c + 1], t[c + 2], t[c + 3] = bxor(a, all, double(bxor(a, b))), bxor(b, all, double(bxor(b, e))), bxor(e, all, double(bxor(e, f))),
          bxor(f, all, double(bxor(f, a)))
      end
    end
    for i = 1, 16 do s[i] = bxor(t[i], w[16 * round + i]) end
  end
  return s
end
-- ChaCha20 (RFC 8439 2.3).
local function chacha_block(key, counter, nonce)
  local function word(b, i) return b[i] + b[i + 1] * 256 + b[i + 2] * 65536 + b[i + 3] * 16777216 end
  local s = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
  for i = 1, 29, 4 do s[#s + 1] = word(key, i) end
  s[13] = counter
  for i = 1, 9, 4 do s[#s + 1] = word(nonce, i) end
  local x = {}
  for i = 1, 16 do x[i] = s[i] end
  local function quarter(a, b, c, e)
    x[a] = (x[a] + x[b]) % 4294967296; x[e] = lrotate(bxor(x[e], x[a]), 16)
    x[c] = (x[c] + x[e]) % 4294967296; x[b] = lrotate(bxor(x[b], x[c]), 12)
    x[a] = (x[a] + x[b]) % 4294967296; x[e] = lrotate(bxor(x[e], x[a]), 8)
    x[c] = (x[c] + x[e]) % 4294967296; x[b] = lrotate(bxor(x[b], x[c]), 7)
  end
  for _ = 1, 10 do
    for i = 1, 4 do quarter(i, i + 4, i + 8, i + 12) end
    quarter(1, 6, 11, 16); quarter(2, 7, 12, 13); quarter(3, 8, 9, 14); quarter(4, 5, 10, 15)
  end
  local out = {}
  for i = 1, 16 do
    local v = (x[i] + s[i]) % 4294967296
    for k = 0, 24, 8 do out[#out + 1] = band(rshift(v, k), 255) end
  end
  return out
end

local slrb = Proto("prose.slrb", "ProSe sidelink bearer")
slrb.prefs.keylog = Pref.string("Key log", "", "File of prose-ue --keylog")
local f = slrb.fields
f.lcid = ProtoField.uint8("prose.slrb.lcid", "LCID")
f.fi = ProtoField.uint8("prose.slrb.rlc.fi", "RLC framing info", base.HEX)
f.sn = ProtoField.uint8("prose.slrb.rlc.sn", "RLC SN")
f.sdu_type = ProtoField.uint8("prose.slrb.pdcp.sdu_type", "PDCP SDU type", base.DEC, {[0] = "IP", [1] = "ARP", [2] = "PC5-S", [3] = "non-IP"})
f.kd_sess_id = ProtoField.uint16("prose.slrb.pdcp.kd_sess_id", "KD-sess ID", base.HEX)
f.pdcp_sn = ProtoField.uint16("prose.slrb.pdcp.sn", "PDCP SN")
f.data = ProtoField.bytes("prose.slrb.pdcp.data", "Data and tag")
f.mac_i = ProtoField.bytes("prose.slrb.pdcp.mac_i", "MAC-I")
f.opened = ProtoField.bytes("prose.slrb.opened", "Deciphered with the key log (tag not checked)")

-- Lines of the key log: PROSE_RECORD_KEY suite kd_sess_id src dst key iv. A MAC PDU holds only the upper 16 bits of a unicast destination.
local keys, loaded = {}, nil
local function load_keys()
  if loaded == slrb.prefs.keylog then return end
  keys, loaded = {}, slrb.prefs.keylog
  local file = loaded ~= "" and io.open(loaded)
  if not file then return end
  for line in file:lines() do
    local suite, id, src, dst, key, iv = line:match("^PROSE_RECORD_KEY (%S+) (%x+) (%x+) (%x+) (%x+) (%x+)%s*$")
    if suite and #key == 64 and #iv == 24 then
      keys[string.format("%x %x %x", tonumber(src, 16), rshift(tonumber(dst, 16), 8), tonumber(id, 16))] =
        {aes = suite:find("AES") and aes_schedule(bytes_of(key)), key = bytes_of(key), iv = bytes_of(iv)}
    end
  end
  file:close()
end
local function decipher(key, lcid, sdu)  -- a ByteArray: PDCP header 5, data, tag 16
  local nonce = {}
  for i = 1, 12 do nonce[i] = key.iv[i] end
  nonce[8] = bxor(nonce[8], lcid)
  nonce[11], nonce[12] = bxor(nonce[11], sdu:get_index(3)), bxor(nonce[12], sdu:get_index(4))
  local out, n, size = ByteArray.new(), sdu:len() - 21, key.aes and 16 or 64
  out:set_size(n)
  for at = 0, n - 1, size do
    local count, pad = at / size, nil
    if key.aes then  -- the block of counter 1 masks the tag
      local block = {table.unpack(nonce)}
      count = count + 2
      for k = 24, 0, -8 do block[#block + 1] = band(rshift(count, k), 255) end
      pad = aes_block(key.aes, block)
    else
      pad = chacha_block(key.key, count + 1, nonce)
    end
    for i = 0, math.min(size, n - at) - 1 do out:set_index(at + i, bxor(sdu:get_index(5 + at + i), pad[i + 1])) end
  end
  return out
end

-- The SL-SCH PDU in a record: the header of the exported PDU, the framing of mac-lte-framed, then the PDU. It is parsed here because Wireshark's
-- own dissector gives no SDU for the LCIDs of PC5-S.
local tag_octets = {[0x02] = 2, [0x03] = 2, [0x04] = 2, [0x07] = 1, [0x0a] = 1, [0x0b] = 6}
local function mac_pdu(buf)
  local at, is_mac = 0, false
  while at + 4 <= buf:len() do
    local tag, n = buf(at, 2):uint(), buf(at + 2, 2):uint()
    at = at + 4
    if tag == 0 then break end
    if at + n > buf:len() then return nil end
    if tag == 12 then is_mac = buf(at, n):string():gsub("%z", "") == "mac-lte-framed" end
    at = at + n
  end
  if not is_mac or at + 3 > buf:len() or buf(at + 2, 1):uint() ~= 8 then return nil end  -- SL-SCH only
  at = at + 3
  while at < buf:len() do
    local tag = buf(at, 1):uint()
    if tag == 1 then return at + 1 < buf:len() and buf(at + 1) or nil end
    local n = tag_octets[tag]
    if tag == 0x0b then n = at + 1 < buf:len() and 1 + buf(at + 1, 1):uint() or nil end
    if not n then return nil end
    at = at + 1 + n
  end
end
-- SRC, DST as far as the PDU holds it, and for each SDU its LCID and range (TS 36.321 6.1.6, 6.2.4).
local function sdus_of(pdu)
  if pdu:len() < 6 then return nil end
  local version = rshift(pdu(0, 1):uint(), 4)
  local long = version == 3
  if long and pdu:len() < 7 then return nil end
  local src, dst = pdu(1, 3):uint(), long and rshift(pdu(4, 3):uint(), 8) or pdu(4, 2):uint()
  local at, list = long and 7 or 6, {}
  while at < pdu:len() do
    local first = pdu(at, 1):uint()
    local more, lcid, n = band(first, 0x20) ~= 0, band(first, 31), nil
    at = at + 1
    if more and lcid ~= 31 then
      if at >= pdu:len() then return nil end
      n = pdu(at, 1):uint()
      at = at + 1
      if n >= 128 then
        if at >= pdu:len() then return nil end
        n = band(n, 127) * 256 + pdu(at, 1):uint()
        at = at + 1
      end
    end
    list[#list + 1] = {lcid = lcid, n = n}
    if not more then break end
  end
  local out = {}
  for _, s in ipairs(list) do
    if s.lcid ~= 31 then
      local n = s.n or pdu:len() - at
      if n == 0 or at + n > pdu:len() then return nil end
      out[#out + 1] = {lcid = s.lcid, range = pdu(at, n)}
      at = at + n
    end
  end
  return src, dst, out
end

-- RLC UM with SN of 5 bits and a window of 0 (TS 36.322 6.2.1.3): returns what a PDU completes, as ByteArrays. Wireshark first shows the records
-- in order; what each completed is kept, because Wireshark asks again later.
local partial, completed = {}, {}
local function reassemble(id, s)
  local first = s(0, 1):uint()
  local fi, sn, at, lengths = rshift(first, 6), band(first, 31), 1, {}
  local more, nibble = band(first, 32) ~= 0, 0
  while more do  -- E 1, LI 11: one and a half octets each
    local octet = 1 + rshift(nibble, 1)
    if octet + 2 > s:len() then return {} end
    local v = s(octet, 2):uint()
    v = nibble % 2 == 0 and rshift(v, 4) or band(v, 0xfff)
    more = v >= 0x800
    lengths[#lengths + 1] = band(v, 0x7ff)
    nibble = nibble + 3
  end
  at = 1 + rshift(nibble + 1, 1)
  local parts = {}
  for _, n in ipairs(lengths) do
    if n == 0 or at + n > s:len() then return {} end
    parts[#parts + 1] = s(at, n):bytes()
    at = at + n
  end
  if at >= s:len() then return {} end
  parts[#parts + 1] = s(at):bytes()
  local state = partial[id]
  local whole, held = {}, state and state.sn == (sn - 1) % 32 and state.bytes or nil
  for i, part in ipairs(parts) do
    local inside, last = i == 1 and fi >= 2, i == #parts and fi % 2 == 1
    local sdu = part
    if inside then sdu = held and held .. part or nil end
    held = nil
    if last then held = sdu elseif sdu then whole[#whole + 1] = sdu end
  end
  partial[id] = {sn = sn, bytes = held}
  return whole
end

local ip = Dissector.get("ip")
local function show_sdu(sdu, lcid, src, dst, pinfo, tree)
  if sdu:len() <= 5 then return end
  local whole = sdu:tvb("PDCP SLRB")
  local t = tree:add(slrb, whole(), "PDCP SLRB")
  local kind, id = rshift(whole(0, 1):uint(), 5), whole(1, 2):uint()
  t:add(f.sdu_type, whole(0, 1), kind)
  t:add(f.kd_sess_id, whole(1, 2))
  t:add(f.pdcp_sn, whole(3, 2))
  t:add(f.data, whole(5))
  if id == 0 then
    if kind == 2 then pc5s.dissector(whole(5):tvb(), pinfo, tree) end
    return
  end
  -- TS 36.323: the Command of TS 24.334 is integrity protected and not ciphered (MAC-I at its end); all other signalling under a KD-sess ID is ciphered.
  -- A Complete, which LCID 29 carries too, is shorter than a Command without optional IEs; ciphered, it can begin with any octet.
  if pc5s.prefs.ts33303 then
    if kind ~= 2 or whole:len() < 9 then return end
    t:add(f.mac_i, whole(whole:len() - 4))
    if lcid == 29 and whole:len() - 9 >= command_octets and whole(5, 1):uint() == 12 then pc5s.dissector(whole(5, whole:len() - 9):tvb(), pinfo, tree) end
    return
  end
  local key = keys[string.format("%x %x %x", src, dst, id)]
  if not key or sdu:len() < 22 then return end
  local plain = decipher(key, lcid, sdu):tvb("Deciphered")
  t:add(f.opened, plain())
  if kind == 0 then ip:call(plain, pinfo, tree) elseif kind == 2 then pc5s.dissector(plain, pinfo, tree) end
end

function slrb.init()
  partial, completed, loaded = {}, {}, nil
end
function slrb.dissector(buf, pinfo, tree)
  local pdu = mac_pdu(buf)
  if not pdu then return end
  local src, dst, sdus = sdus_of(pdu)
  if not src then return end
  load_keys()
  local fresh = not completed[pinfo.number]
  if fresh then completed[pinfo.number] = {} end
  for i, s in ipairs(sdus) do
    local t = tree:add(slrb, s.range)
    t:add(f.lcid, s.lcid):set_generated()
    t:add(f.fi, s.range(0, 1), rshift(s.range(0, 1):uint(), 6))
    t:add(f.sn, s.range(0, 1), band(s.range(0, 1):uint(), 31))
    if fresh then completed[pinfo.number][i] = reassemble(string.format("%x %x %d", src, dst, s.lcid), s.range) end
    for _, sdu in ipairs(completed[pinfo.number][i] or {}) do show_sdu(sdu, s.lcid, src, dst, pinfo, tree) end
  end
end
register_postdissector(slrb)
