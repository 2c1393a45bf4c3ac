#include "apps/lib/capture/pcap_sink.h"

#include <utility>

#include "apps/lib/capture/frame_text.h"

namespace prose::apps {
namespace {
constexpr std::size_t max_numbers = 60'000;
constexpr std::uint8_t sdu_type_ip = 0;
}  // namespace

result<pcap_sink> pcap_sink::open(const std::string& path, const std::string& keylog, double utc_at_zero_s) {
  std::optional<link_opener> opener;
  if (!keylog.empty()) {
    auto o = link_opener::open(keylog);
    if (!o) return tl::unexpected(o.error());
    opener.emplace(std::move(*o));
  }
  auto w = pcap_writer::open(path);
  if (!w) return tl::unexpected(w.error());
  return pcap_sink(std::move(*w), std::move(opener), utc_at_zero_s);
}

// L2 IDs rotate, so memory must not grow with them: once full, the numbering starts again.
std::uint16_t pcap_sink::number_of(std::uint32_t src) {
  if (const auto it = numbers_.find(src); it != numbers_.end()) return it->second;
  if (numbers_.size() >= max_numbers) numbers_.clear();
  return numbers_[src] = static_cast<std::uint16_t>(numbers_.size() + 1);
}

result<void> pcap_sink::add(const captured_frame& f) {
  if (!f.crc_ok || f.repetition || f.octets.empty()) return {};
  pcap_context c;
  c.time_ns = utc_at_zero_ns_ + std::llround(f.time_s * 1e9);
  auto text = text_of(f);
  c.protocol = std::move(text.protocol);
  c.info = std::move(text.info);
  if (f.absolute_subframe >= 0) {
    c.frame_number = f.absolute_subframe / 10;
    c.subframe = f.absolute_subframe % 10;
  }
  switch (f.kind) {
    case frame_kind::mib_sl:
      return writer_.write_mib_sl(c, f.octets);
    case frame_kind::discovery:
      return writer_.write_discovery(c, f.octets);
    case frame_kind::sci:
      return writer_.write_sci(c, f.octets);
    case frame_kind::sl_sch:
      break;
  }
  if (const auto pdu = sl_sch_of(f)) {
    c.transmitter = number_of(pdu->header.src);
    c.ids = {pdu->header.src, pdu->header.dst};
  }
  const pcap_phy_context phy{f.modulation_order, f.mcs, f.n_prb, f.prb_start, 0, true};
  if (auto ok = writer_.write_sl_sch(c, phy, f.octets); !ok) return ok;
  result<void> written;
  if (opener_)
    opener_->add(f, [&](const link_opener::opened& o) {
      if (o.sdu_type == sdu_type_ip && written) written = writer_.write_ip(c, o.data);
    });
  return written;
}

}  // namespace prose::apps
