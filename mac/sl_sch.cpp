#include "mac/sl_sch.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace prose::mac {

namespace {
constexpr std::uint8_t e_bit = 0x20;
constexpr std::uint8_t f_bit = 0x80;

std::uint32_t read24(const std::uint8_t* p) { return std::uint32_t{p[0]} << 16 | std::uint32_t{p[1]} << 8 | p[2]; }
void write24(std::uint8_t* p, std::uint32_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 16);
  p[1] = static_cast<std::uint8_t>(v >> 8);
  p[2] = static_cast<std::uint8_t>(v);
}
}  // namespace

const char* name_of(sl_sch_status s) {
  switch (s) {
    case sl_sch_status::ok:
      return "ok";
    case sl_sch_status::truncated:
      return "truncated";
    case sl_sch_status::reserved_version:
      return "reserved_version";
    case sl_sch_status::reserved_lcid:
      return "reserved_lcid";
    case sl_sch_status::misplaced_padding:
      return "misplaced_padding";
    case sl_sch_status::empty_sdu:
      return "empty_sdu";
    case sl_sch_status::too_many_sdus:
      return "too_many_sdus";
  }
  return "?";
}

sl_sch_status parse(std::span<const std::uint8_t> tb, sl_sch_pdu& out) {
  out.n_sdus = 0;
  if (tb.empty()) return sl_sch_status::truncated;
  const unsigned v = tb[0] >> 4;
  if (v < 1 || v > 3) return sl_sch_status::reserved_version;
  out.header.version = static_cast<sl_sch_version>(v);
  std::size_t pos = header_octets(out.header.version);
  if (tb.size() <= pos) return sl_sch_status::truncated;
  out.header.src = read24(&tb[1]);
  out.header.dst = out.header.version == sl_sch_version::v2x ? read24(&tb[4])
                                                             : std::uint32_t{tb[4]} << 16 | std::uint32_t{tb[5]} << 8;
  std::array<std::size_t, max_sdus_per_pdu> lengths{};
  std::size_t front_padding = 0, explicit_octets = 0;
  bool last_takes_rest = false;
  for (bool more = true; more;) {
    if (pos >= tb.size()) return sl_sch_status::truncated;
    const std::uint8_t sub = tb[pos++];
    more = (sub & e_bit) != 0;
    const std::uint8_t lcid = sub & 0x1F;
    if (lcid == lcid_padding) {
      // One or two padding subheaders may stand in front; any other must be the last subheader.
      if (more && (out.n_sdus != 0 || ++front_padding > 2)) return sl_sch_status::misplaced_padding;
      continue;
    }
    if (!carries_sdu(lcid)) return sl_sch_status::reserved_lcid;
    if (out.n_sdus == max_sdus_per_pdu) return sl_sch_status::too_many_sdus;
    out.sdus[out.n_sdus].lcid = lcid;
    if (more) {
      if (pos >= tb.size()) return sl_sch_status::truncated;
      std::size_t length = tb[pos] & 0x7F;
      if ((tb[pos++] & f_bit) != 0) {
        if (pos >= tb.size()) return sl_sch_status::truncated;
        length = length << 8 | tb[pos++];
      }
      if (length == 0) return sl_sch_status::empty_sdu;
      lengths[out.n_sdus] = length;
      explicit_octets += length;
    } else {
      last_takes_rest = true;
    }
    ++out.n_sdus;
  }
  if (explicit_octets > tb.size() - pos) return sl_sch_status::truncated;
  if (last_takes_rest) {
    lengths[out.n_sdus - 1] = tb.size() - pos - explicit_octets;
    if (lengths[out.n_sdus - 1] == 0) return sl_sch_status::empty_sdu;
  }
  for (std::size_t i = 0; i < out.n_sdus; ++i) {
    out.sdus[i].data = tb.subspan(pos, lengths[i]);
    pos += lengths[i];
  }
  return sl_sch_status::ok;
}

// SDUs are staged at the end of the block's header space: the headers of the SDUs added so far can only grow, so
// finish() moves the payload once, to where the final headers end.
sl_sch_builder::sl_sch_builder(const sl_sch_header& header, std::span<std::uint8_t> transport_block)
    : header_(header), tb_(transport_block), staged_(header_octets(header.version) + 1) {}

std::size_t sl_sch_builder::room() const {
  if (n_sdus_ == max_sdus_per_pdu) return 0;
  std::size_t used = header_octets(header_.version) + payload_ + 1;  // the new SDU is last: one octet
  for (std::size_t i = 0; i < n_sdus_; ++i) used += with_length(entries_[i].octets);
  return used < tb_.size() ? tb_.size() - used : 0;
}

std::span<std::uint8_t> sl_sch_builder::add(std::uint8_t lcid, std::size_t octets) {
  assert(carries_sdu(lcid));
  if (octets == 0 || octets > room()) return {};
  entries_[n_sdus_++] = {lcid, octets};
  const auto place = tb_.subspan(staged_ + payload_, octets);
  payload_ += octets;
  return place;
}

void sl_sch_builder::shrink_last(std::size_t octets) {
  if (n_sdus_ == 0) return;
  entry& e = entries_[n_sdus_ - 1];
  assert(octets <= e.octets);
  payload_ -= e.octets - octets;
  e.octets = octets;
  if (octets == 0) --n_sdus_;
}

void sl_sch_builder::finish() {
  if (tb_.size() <= header_octets(header_.version)) {
    std::fill(tb_.begin(), tb_.end(), std::uint8_t{0});
    return;
  }
  std::size_t headers = header_octets(header_.version);
  std::size_t front_padding = 0;
  bool end_padding = n_sdus_ == 0;
  for (std::size_t i = 0; i + 1 < n_sdus_; ++i) headers += with_length(entries_[i].octets);
  headers += 1;  // the last SDU's subheader without L, or a padding subheader alone
  if (n_sdus_ != 0) {
    const std::size_t spare = tb_.size() - headers - payload_;
    if (spare <= 2) {
      front_padding = spare;
      headers += spare;
    } else {
      end_padding = true;
      headers += with_length(entries_[n_sdus_ - 1].octets);  // its L, and the padding subheader
    }
  }
  if (payload_ != 0) std::memmove(&tb_[headers], &tb_[staged_], payload_);
  std::fill(tb_.begin() + (headers + payload_), tb_.end(), std::uint8_t{0});

  tb_[0] = static_cast<std::uint8_t>(static_cast<unsigned>(header_.version) << 4);
  write24(&tb_[1], header_.src);
  std::size_t pos = header_octets(header_.version);
  if (header_.version == sl_sch_version::v2x) {
    write24(&tb_[4], header_.dst);
  } else {
    tb_[4] = static_cast<std::uint8_t>(header_.dst >> 16);
    tb_[5] = static_cast<std::uint8_t>(header_.dst >> 8);
  }
  for (std::size_t i = 0; i < front_padding; ++i) tb_[pos++] = e_bit | lcid_padding;
  for (std::size_t i = 0; i < n_sdus_; ++i) {
    const bool last = i + 1 == n_sdus_;
    const auto [lcid, octets] = entries_[i];
    if (last && !end_padding) {
      tb_[pos++] = lcid;
      break;
    }
    tb_[pos++] = e_bit | lcid;
    if (octets < 128) {
      tb_[pos++] = static_cast<std::uint8_t>(octets);
    } else {
      tb_[pos++] = static_cast<std::uint8_t>(f_bit | octets >> 8);
      tb_[pos++] = static_cast<std::uint8_t>(octets);
    }
  }
  if (end_padding) tb_[pos++] = lcid_padding;
  assert(pos == headers);
}

}  // namespace prose::mac
