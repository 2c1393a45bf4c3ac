#include "apps/lib/capture/pcap_reader.h"

#include <pcap/pcap.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>

#include "apps/lib/capture/pcap_format.h"

namespace prose::apps {
namespace {

using octets = std::span<const std::uint8_t>;

std::optional<octets> take(octets& from, std::size_t n) {
  if (from.size() < n) return std::nullopt;
  const octets taken = from.first(n);
  from = from.subspan(n);
  return taken;
}
int number(octets two) { return two[0] << 8 | two[1]; }

/// The name of the dissector; what remains of `r` is the PDU. Empty where the header has no end.
std::string_view take_dissector(octets& r) {
  std::string_view name;
  while (const auto head = take(r, 4)) {
    const auto value = take(r, number(head->subspan(2)));
    if (!value) break;
    if (number(*head) == tlv_end) return name;
    if (number(*head) == tlv_dissector_name) name = {reinterpret_cast<const char*>(value->data()), value->size()};
  }
  return {};
}

/// Octets after each tag of the framing, or nothing for tags that are not known.
std::optional<std::size_t> length_of(std::uint8_t tag) {
  switch (tag) {
    case tag_rnti:
    case tag_ueid:
    case tag_frame_subframe:
      return 2;
    case tag_crc_status:
    case tag_carrier_id:
      return 1;
    case tag_phy:
      return 7;
    default:
      return std::nullopt;
  }
}

/// The framing of a MAC PDU, of which the PDU remains in `r`.
bool take_framing(octets& r, captured_frame& f) {
  const auto head = take(r, 3);
  if (!head) return false;
  const std::uint8_t type = (*head)[2];
  if (type != mac_rnti_type_sl_sch && type != mac_rnti_type_sl_bch) return false;
  f.kind = type == mac_rnti_type_sl_sch ? frame_kind::sl_sch : frame_kind::mib_sl;
  while (const auto tag = take(r, 1)) {
    if ((*tag)[0] == tag_payload) return true;
    const auto n = length_of((*tag)[0]);
    const auto value = n ? take(r, *n) : std::nullopt;
    if (!value) return false;
    if ((*tag)[0] == tag_frame_subframe)
      f.absolute_subframe = (number(*value) >> 4) % 1024 * 10 + number(*value) % 16 % 10;
    else if ((*tag)[0] == tag_crc_status)
      f.crc_ok = (*value)[0] == 1;
    else if ((*tag)[0] == tag_phy) {
      f.modulation_order = (*value)[1];
      f.mcs = (*value)[2];
      f.n_prb = (*value)[3];
      f.prb_start = (*value)[4];
    }
  }
  return false;
}

std::optional<captured_frame> frame_in(octets record) {
  captured_frame f;
  const auto dissector = take_dissector(record);
  if (dissector == "prose.pc5_discovery")
    f.kind = frame_kind::discovery;
  else if (dissector == "lte_rrc.sbcch_sl_bch.v2x")
    f.kind = frame_kind::mib_sl;
  else if (dissector != "mac-lte-framed" || !take_framing(record, f))
    return std::nullopt;
  f.octets.assign(record.begin(), record.end());
  f.n_bits = static_cast<int>(8 * record.size());
  if (f.kind == frame_kind::sl_sch) f.tbs = f.n_bits;
  return f;
}

}  // namespace

struct pcap_reader::state {
  pcap_t* handle = nullptr;
  std::string path;
  std::uint64_t n_frames = 0;
  ~state() {
    if (handle != nullptr) pcap_close(handle);
  }
};

pcap_reader::pcap_reader(std::unique_ptr<state> s) : s_(std::move(s)) {}
pcap_reader::pcap_reader(pcap_reader&&) noexcept = default;
pcap_reader& pcap_reader::operator=(pcap_reader&&) noexcept = default;
pcap_reader::~pcap_reader() = default;

result<pcap_reader> pcap_reader::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return fail(path + ": cannot be read: " + std::strerror(errno));
  return read(file, path);
}

result<pcap_reader> pcap_reader::read(std::FILE* file, const std::string& path) {
  auto s = std::make_unique<state>();
  s->path = path;
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  s->handle = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why.data());  // closes it
  if (s->handle == nullptr) {
    std::fclose(file);
    return fail(path + ": is no capture file: " + why.data());
  }
  if (const int type = pcap_datalink(s->handle); type != linktype_wireshark_upper_pdu)
    return fail(path + ": link type " + std::to_string(type) +
                "; accepted: " + std::to_string(linktype_wireshark_upper_pdu) + ", which prose-sniffer --pcap writes");
  return pcap_reader(std::move(s));
}

result<std::optional<captured_frame>> pcap_reader::next() {
  for (;;) {
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    const int got = pcap_next_ex(s_->handle, &header, &data);
    if (got == PCAP_ERROR_BREAK) return std::nullopt;
    if (got != 1) return fail(s_->path + ": " + pcap_geterr(s_->handle));
    auto frame = frame_in({data, header->caplen});
    if (!frame) continue;
    frame->number = s_->n_frames++;
    frame->time_s = static_cast<double>(header->ts.tv_sec) + 1e-9 * static_cast<double>(header->ts.tv_usec);
    return frame;
  }
}

}  // namespace prose::apps
