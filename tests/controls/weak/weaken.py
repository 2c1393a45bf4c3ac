#!/usr/bin/env python3
"""Copies the files of the security sublayer that a weak variant changes, with each weakness behind a look at the environment.

    python3 -m tests.controls.weak.weaken SOURCE_DIR OUTPUT_DIR

The texts must occur exactly once in their file, so that a change of the product that a weakness no longer fits ends the build. Only
tests/controls links the copies; the product knows nothing of them."""
import pathlib, sys

from tests.harness.source_edit import replace_once

# (weakness, file, text as it is, the same with WEAK)
EDITS = [
    # The requirement's own attack: what a group key instead of a key for each link and direction gives.
    ("one_key_for_all_peers", "epoch_chain.cpp",
     "record_protection(s, record_key(v.first<32>()), record_iv(v.subspan<32, 12>()), kd_sess_id.value_or(id))",
     "(WEAK ? record_protection(s, record_key(group_key), record_iv(group_iv), kd_sess_id.value_or(id))\n"
     "                : record_protection(s, record_key(v.first<32>()), record_iv(v.subspan<32, 12>()), kd_sess_id.value_or(id)))"),
    ("one_key_for_all_peers", "epoch_chain.cpp", "struct half {",
     "constexpr std::array<std::uint8_t, 32> group_key{0x47, 0x72, 0x6f, 0x75, 0x70};\n"
     "constexpr std::array<std::uint8_t, 12> group_iv{0x47};\n\nstruct half {"),
    ("null_cipher", "record.cpp",
     "  protection_.box.seal(n, header, data, out.subspan(pdcp_header_octets, data.size() + crypto::tag_octets));",
     "  if (WEAK) {\n    std::copy(data.begin(), data.end(), out.begin() + pdcp_header_octets);\n"
     "    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(pdcp_header_octets + data.size()), crypto::tag_octets, std::uint8_t{0});\n"
     "    return data.size() + record_overhead_octets;\n  }\n"
     "  protection_.box.seal(n, header, data, out.subspan(pdcp_header_octets, data.size() + crypto::tag_octets));"),
    ("null_cipher", "record.cpp",
     "  if (!protection_.box.open(",
     "  if (WEAK) std::copy_n(pdu.begin() + pdcp_header_octets, n, out.begin());\n  if (!WEAK && !protection_.box.open("),
    ("repeated_nonce", "record.cpp", "  n[8] ^= static_cast<std::uint8_t>(count >> 24);",
     "  if (WEAK) return n;\n  n[8] ^= static_cast<std::uint8_t>(count >> 24);"),
    # The announcer's public key stands in each of its codes; the first eight octets still tell slots and peers apart.
    ("plain_identities", "identity.cpp", "  return {derive<announce_key>(root), ",
     "  return {WEAK ? announce_key(announcer.octets) : derive<announce_key>(root), "),
    ("plain_identities", "discovery_code.cpp", "  std::copy_n(code.begin(), code_octets, pdu.begin() + code_at);",
     "  std::copy_n(code.begin(), code_octets, pdu.begin() + code_at);\n  if (WEAK) std::copy_n(code_key(type, keys).data(), 15, pdu.begin() + 9);"),
    ("static_token", "link_handshake.cpp", "  return token_of<request_token_octets>(k.request_token.expose(), t, src, dst, preceding);",
     "  if (WEAK) return {0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a};\n"
     "  return token_of<request_token_octets>(k.request_token.expose(), t, src, dst, preceding);"),
    # A responder whose slots never close and that does not know again what it has answered.
    ("replayable_request", "link_setup.cpp", "  if (std::find(slot.seen.begin(), seen_end, digest) != seen_end) {",
     "  if (WEAK) slot.requests = 0;\n  if (!WEAK && std::find(slot.seen.begin(), seen_end, digest) != seen_end) {"),
    ("replayable_request", "discovery.cpp", "  std::erase_if(rendezvous_, [&](const auto& r) { return now - r.last_sent_ms > config_.request_validity_ms; });",
     "  if (WEAK) return;\n  std::erase_if(rendezvous_, [&](const auto& r) { return now - r.last_sent_ms > config_.request_validity_ms; });"),
    ("replayable_request", "discovery.cpp", "    if (r.id == dst && now - r.last_sent_ms <= config_.request_validity_ms) out.push_back(&r);",
     "    if (r.id == dst && (WEAK || now - r.last_sent_ms <= config_.request_validity_ms)) out.push_back(&r);"),
    ("replayable_request", "discovery.cpp", "    if (now - r.last_sent_ms <= config_.request_validity_ms) out.push_back(r.id);",
     "    if (WEAK || now - r.last_sent_ms <= config_.request_validity_ms) out.push_back(r.id);"),
]


def main():
    source, output = pathlib.Path(sys.argv[1]) / "security", pathlib.Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    texts = {}
    for weakness, file, old, new in EDITS:
        text = texts.get(file) or (source / file).read_text()
        texts[file] = replace_once(text, old, new.replace("WEAK", f'::prose::weakened("{weakness}")'), f"{weakness} in {file}")
    for file, text in texts.items():
        (output / file).write_text(text)


if __name__ == "__main__":
    main()
