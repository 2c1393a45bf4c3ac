// Capture files that Wireshark opens with no configuration: classic pcap with nanoseconds,
// LINKTYPE_WIRESHARK_UPPER_PDU, each record naming its dissector. docs/captures.md says what tshark shows of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/result.h"

namespace prose::apps {

/// What a record says beside its octets. Wireshark shows it in the mac-lte layer.
struct pcap_context {
  std::int64_t time_ns = 0;       ///< since the Unix epoch, or device time when that is all there is
  std::uint16_t transmitter = 1;  ///< a number the sniffer gives each transmitter: mac-lte.ueid
  int frame_number = 0;           ///< DFN 0..1023
  int subframe = 0;               ///< 0..9
  bool crc_ok = true;
  std::uint8_t carrier = 0;
  struct layer2_ids {
    std::uint32_t src = 0, dst = 0;  ///< 24 bits
  };
  std::optional<layer2_ids> ids{};  ///< shown as source and destination: fe80::XX:XXXX
  std::string protocol{}, info{};   ///< for Wireshark's columns, where no dissector fills them; empty: nothing
};

struct pcap_phy_context {
  int modulation_order = 2;  ///< 2, 4 or 6
  int tbs_index = 0;
  int n_prb = 0;
  int prb_start = 0;
  int harq_id = 0;
  bool new_data = true;
};

/// One capture file. Every record is flushed, so that a killed program leaves a readable file. One thread.
class pcap_writer {
public:
  static result<pcap_writer> open(const std::string& path);
  pcap_writer(pcap_writer&&) noexcept;
  pcap_writer& operator=(pcap_writer&&) noexcept;
  ~pcap_writer();

  /// A MAC PDU of the SL-SCH ("mac-lte-framed", SL-SCH).
  result<void> write_sl_sch(const pcap_context& c, const std::optional<pcap_phy_context>& phy,
                            std::span<const std::uint8_t> pdu);
  /// A MIB-SL of 5 octets ("mac-lte-framed", SL-BCH) or of 6, the V2X form ("lte_rrc.sbcch_sl_bch.v2x").
  result<void> write_mib_sl(const pcap_context& c, std::span<const std::uint8_t> mib);
  /// A PC5_DISCOVERY message of 29 octets, for the project's own Lua dissector ("prose.pc5_discovery").
  result<void> write_discovery(const pcap_context& c, std::span<const std::uint8_t> message);
  /// An SCI: its octets as data, for Wireshark has no dissector; the context's texts say what it is.
  result<void> write_sci(const pcap_context& c, std::span<const std::uint8_t> sci);
  /// A decrypted IP packet, for Wireshark's own stack ("ip").
  result<void> write_ip(const pcap_context& c, std::span<const std::uint8_t> packet);

  /// Without a record not even the file's header was written before.
  result<void> finish();
  std::uint64_t n_records() const;

private:
  struct state;
  explicit pcap_writer(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
