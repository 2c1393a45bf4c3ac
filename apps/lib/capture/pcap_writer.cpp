#include "apps/lib/capture/pcap_writer.h"

#include <pcap/pcap.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "apps/lib/capture/pcap_format.h"
#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace {

constexpr int snapshot_length = 262144;

class record {
public:
  void u8(int v) { octets_.push_back(static_cast<std::uint8_t>(v)); }
  void u16(int v) {
    u8(v >> 8);
    u8(v & 0xff);
  }
  void append(std::span<const std::uint8_t> b) { octets_.insert(octets_.end(), b.begin(), b.end()); }
  void head(std::string_view dissector, const pcap_context& c) {
    text(tlv_dissector_name, dissector);
    if (c.ids) {
      address(tlv_ipv6_source, c.ids->src);
      address(tlv_ipv6_destination, c.ids->dst);
    }
    if (!c.protocol.empty()) text(tlv_protocol_text, c.protocol);
    if (!c.info.empty()) text(tlv_info_text, c.info);
    u16(tlv_end);
    u16(0);
  }
  void mac_framing(int rnti_type, const pcap_context& c) {
    u8(mac_radio_fdd);
    u8(mac_direction_uplink);
    u8(rnti_type);
    u8(tag_ueid);
    u16(c.transmitter);
    u8(tag_frame_subframe);
    u16(((c.frame_number & 0x3ff) << 4) | (c.subframe & 0xf));
    u8(tag_crc_status);
    u8(c.crc_ok ? 1 : 0);
    if (c.carrier != 0) {
      u8(tag_carrier_id);
      u8(c.carrier);
    }
  }
  const std::vector<std::uint8_t>& octets() const { return octets_; }

private:
  void text(int tag, std::string_view value) {
    u16(tag);
    u16(static_cast<int>(value.size()));
    for (const char c : value) u8(static_cast<std::uint8_t>(c));
  }
  // A layer-2 ID has no tag of its own. fe80::/64 is nobody's here: links use fd50:726f:5365::/48.
  void address(int tag, std::uint32_t layer2_id) {
    u16(tag);
    u16(16);
    for (const int v : {0xfe80, 0, 0, 0, 0, 0}) u16(v);
    u16(static_cast<int>(layer2_id >> 16));
    u16(static_cast<int>(layer2_id & 0xffff));
  }

  std::vector<std::uint8_t> octets_;
};

}  // namespace

struct pcap_writer::state {
  pcap_t* handle = nullptr;
  pcap_dumper_t* dumper = nullptr;
  std::string path;
  std::uint64_t n_records = 0;
  ~state() {
    if (dumper != nullptr) pcap_dump_close(dumper);
    if (handle != nullptr) pcap_close(handle);
  }
  result<void> write(const pcap_context& c, const record& r) {
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<time_t>(c.time_ns / 1'000'000'000);
    header.ts.tv_usec = static_cast<suseconds_t>(c.time_ns % 1'000'000'000);  // nanoseconds at this precision
    header.caplen = header.len = static_cast<bpf_u_int32>(r.octets().size());
    pcap_dump(reinterpret_cast<u_char*>(dumper), &header, r.octets().data());
    if (auto ok = flush(); !ok) return ok;
    ++n_records;
    return {};
  }
  result<void> flush() const {
    if (pcap_dump_flush(dumper) != 0) return fail(path + ": cannot be written: " + why_not_written(errno));
    return {};
  }
};

pcap_writer::pcap_writer(std::unique_ptr<state> s) : s_(std::move(s)) {}
pcap_writer::pcap_writer(pcap_writer&&) noexcept = default;
pcap_writer& pcap_writer::operator=(pcap_writer&&) noexcept = default;
pcap_writer::~pcap_writer() = default;

std::uint64_t pcap_writer::n_records() const { return s_->n_records; }
result<void> pcap_writer::finish() { return s_->flush(); }

result<pcap_writer> pcap_writer::open(const std::string& path) {
  auto s = std::make_unique<state>();
  s->path = path;
  s->handle =
      pcap_open_dead_with_tstamp_precision(linktype_wireshark_upper_pdu, snapshot_length, PCAP_TSTAMP_PRECISION_NANO);
  if (s->handle == nullptr) return fail(path + ": libpcap gave no handle");
  if (path == "-") {
    s->dumper = pcap_dump_open(s->handle, path.c_str());
  } else {
    auto fd = open_private_output(path, output_mode::truncate);
    if (!fd) return tl::unexpected(fd.error());
    std::FILE* file = ::fdopen(fd->get(), "wb");
    if (file == nullptr) return fail(path + ": cannot be created: " + std::strerror(errno));
    (void)fd->release();
    s->dumper = pcap_dump_fopen(s->handle, file);  // closes it
    if (s->dumper == nullptr) std::fclose(file);
  }
  if (s->dumper == nullptr) {
    const std::string why = pcap_geterr(s->handle);  // begins with the path already
    return fail(why.rfind(path, 0) == 0 ? why : path + ": " + why);
  }
  return pcap_writer(std::move(s));
}

result<void> pcap_writer::write_sl_sch(const pcap_context& c, const std::optional<pcap_phy_context>& phy,
                                       std::span<const std::uint8_t> pdu) {
  record r;
  r.head("mac-lte-framed", c);
  r.mac_framing(mac_rnti_type_sl_sch, c);
  if (phy) {
    r.u8(tag_phy);
    r.u8(6);
    for (const int v :
         {phy->modulation_order, phy->tbs_index, phy->n_prb, phy->prb_start, phy->harq_id, phy->new_data ? 1 : 0})
      r.u8(v);
  }
  r.u8(tag_payload);
  r.append(pdu);
  return s_->write(c, r);
}

result<void> pcap_writer::write_mib_sl(const pcap_context& c, std::span<const std::uint8_t> mib) {
  assert(mib.size() == 5 || mib.size() == 6);
  record r;
  if (mib.size() == 6) {
    r.head("lte_rrc.sbcch_sl_bch.v2x", c);
  } else {
    r.head("mac-lte-framed", c);
    r.mac_framing(mac_rnti_type_sl_bch, c);
    r.u8(tag_payload);
  }
  r.append(mib);
  return s_->write(c, r);
}

result<void> pcap_writer::write_discovery(const pcap_context& c, std::span<const std::uint8_t> message) {
  record r;
  r.head("prose.pc5_discovery", c);
  r.append(message);
  return s_->write(c, r);
}

result<void> pcap_writer::write_sci(const pcap_context& c, std::span<const std::uint8_t> sci) {
  record r;
  r.head("data", c);
  r.append(sci);
  return s_->write(c, r);
}

result<void> pcap_writer::write_ip(const pcap_context& c, std::span<const std::uint8_t> packet) {
  record r;
  r.head("ip", {});
  r.append(packet);
  return s_->write(c, r);
}

}  // namespace prose::apps
