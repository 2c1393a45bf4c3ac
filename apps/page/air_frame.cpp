#include "apps/page/air_frame.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <vector>

#include "common/hex.h"
#include "mac/sl_sch.h"

namespace prose::page {
namespace {

std::string hex24(std::uint32_t v) {
  char t[12];
  std::snprintf(t, sizeof t, "%06x", v & 0xffffffU);
  return t;
}

/// What the parsed PDU tells: addresses, the kind, the SDUs.
void add_pdu(air_frame& f, std::span<const std::uint8_t> octets, std::uint32_t n_x_id) {
  mac::sl_sch_pdu pdu;
  if (const auto status = mac::parse(octets, pdu); status != mac::sl_sch_status::ok) {
    f.kind = "failed";
    f.shown["fields"]["malformed"] = mac::name_of(status);
    return;
  }
  // The 8 LSB of DST travel in SCI format 0 (TS 36.321 6.1.6).
  if (pdu.header.version != mac::sl_sch_version::v2x) pdu.header.dst |= n_x_id & 0xffU;
  f.src = hex24(pdu.header.src);
  f.dst = hex24(pdu.header.dst);
  f.shown["src"] = f.src;
  f.shown["dst"] = f.dst;
  json sdus = json::array();
  bool data = false;
  for (const auto& s : pdu.all()) {
    data = data || mac::carries_data(s.lcid);
    if (mac::carries_sdu(s.lcid)) sdus.push_back({{"lcid", s.lcid}, {"octets", s.data.size()}});
  }
  f.kind = data ? "record" : "set-up";
  f.shown["fields"]["version"] = static_cast<int>(pdu.header.version);
  f.shown["fields"]["sdus"] = std::move(sdus);
}

struct place {
  const char* channel;
  const char* kind;
  double prb_start, prbs;
};

std::optional<place> place_of(const std::string& what, const json& e, int n_prb) {
  if (what == "mib_sl") return place{"PSBCH", "mib", std::max(0, (n_prb - 6) / 2) * 1.0, 6};
  if (what == "sci") return place{"PSCCH", "sci", number_at(e, "prb"), number_at(e, "format") == 0 ? 1.0 : 2.0};
  if (what == "tb") return place{"PSSCH", "record", number_at(e, "prb_start"), number_at(e, "n_prb")};
  if (what == "discovery") return place{"PSDCH", "discovery", number_at(e, "prb"), 2};
  return std::nullopt;
}

}  // namespace

std::optional<air_frame> frame_of(const json& e, std::uint64_t id, int n_prb) {
  const auto at = place_of(string_at(e, "event", 32), e, n_prb);
  if (!at) return std::nullopt;
  air_frame f{id, number_at(e, "t"), at->kind, {}, {}, 0, {}};
  const auto octets = from_hex(string_at(e, "hex", 32768)).value_or(std::vector<std::uint8_t>());
  f.octets = octets.size();
  json fields = json::object();
  for (const auto& [key, value] : e.items())
    if (key != "event" && key != "t" && key != "hex" && key != "fields") fields[key] = value;
  if (const auto own = e.find("fields"); own != e.end() && own->is_object())
    for (const auto& [key, value] : own->items()) fields[key] = value;
  fields["octets"] = f.octets;
  f.shown = {{"id", id},
             {"t", f.t_s},
             {"channel", at->channel},
             {"prb_start", at->prb_start},
             {"prbs", at->prbs},
             {"duration_s", 0.001},
             {"src", nullptr},
             {"dst", nullptr},
             {"link", nullptr},
             {"open", false},
             {"fields", fields},
             {"octets", to_hex(std::span(octets).first(std::min(octets.size(), most_shown_octets)))}};
  const auto subframe = e.find("absolute_subframe");
  f.shown["subframe"] = subframe != e.end() && subframe->is_number_integer() ? *subframe : json(nullptr);
  const auto crc = e.find("crc_ok");
  if (crc != e.end() && !true_at(e, "crc_ok"))
    f.kind = "failed";
  else if (f.kind == "record")
    add_pdu(f, octets, static_cast<std::uint32_t>(std::clamp(number_at(e, "n_x_id"), 0.0, 4294967295.0)));
  f.shown["kind"] = f.kind;
  return f;
}

}  // namespace prose::page
