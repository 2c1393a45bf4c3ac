-- Wireshark plugin: PC5_DISCOVERY messages, and behind each SL-SCH PDU its RLC UM and PDCP SLRB headers.
--   tshark -X lua_script:scripts/wireshark/prose.lua -r capture.pcap
-- Deciphers nothing: prose-sniffer --keylog writes opened packets as records of their own. Segmented SDUs are not put together here.

-- PC5_DISCOVERY (TS 24.334 11.2.5): message type 8, code 184, MIC 32, UTC counter LSB 8 bits.
local discovery = Proto("prose.pc5_discovery", "ProSe PC5 discovery")
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

-- RLC UM with SN of 5 bits (TS 36.322 6.2.1.3) and PDCP SLRB (TS 36.323 6.2.10), from the SDUs that mac-lte shows.
local slrb = Proto("prose.slrb", "ProSe sidelink bearer")
local f = slrb.fields
f.fi = ProtoField.uint8("prose.slrb.rlc.fi", "RLC framing info", base.HEX)
f.sn = ProtoField.uint8("prose.slrb.rlc.sn", "RLC SN")
f.sdu_type = ProtoField.uint8("prose.slrb.pdcp.sdu_type", "PDCP SDU type", base.DEC, {[0] = "IP", [1] = "ARP", [2] = "PC5-S", [3] = "non-IP"})
f.kd_sess_id = ProtoField.uint16("prose.slrb.pdcp.kd_sess_id", "KD-sess ID", base.HEX)
f.pdcp_sn = ProtoField.uint16("prose.slrb.pdcp.sn", "PDCP SN")
f.data = ProtoField.bytes("prose.slrb.pdcp.data", "Data and tag")
local sdu_field = Field.new("mac-lte.slsch.sdu")
function slrb.dissector(buf, pinfo, tree)
  for _, info in ipairs({sdu_field()}) do
    local s = info.range
    if s:len() >= 2 then
      local t = tree:add(slrb, s)
      local first = s(0, 1):uint()
      t:add(f.fi, s(0, 1), bit32.rshift(first, 6) % 4)
      t:add(f.sn, s(0, 1), first % 32)
      -- A PDCP header is here only where one SDU begins in this PDU and no length indicators follow.
      if first < 128 and bit32.band(first, 0x20) == 0 and s:len() > 6 then
        t:add(f.sdu_type, s(1, 1), bit32.rshift(s(1, 1):uint(), 5))
        t:add(f.kd_sess_id, s(2, 2))
        t:add(f.pdcp_sn, s(4, 2))
        t:add(f.data, s(6))
      end
    end
  end
end
register_postdissector(slrb)
