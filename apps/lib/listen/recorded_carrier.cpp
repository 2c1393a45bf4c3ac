#include "apps/lib/listen/recorded_carrier.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/lib/listen/pool_keys.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
result<recorded_carrier> parse(const std::string& text, double rate_hz, const std::string& where) {
  auto known = parse_scene(text, where);
  if (!known) return tl::unexpected(known.error());
  recorded_carrier c{std::move(*known), {}};
  // What comes before it is not looked at: a file could hide it from a verdict.
  if (c.known.first_subframe_sample.value_or(0) * 1000.0 >= std::max(rate_hz, 1.0))
    return fail(where + ": first_subframe_sample must lie in the first ms");
  const auto root = phy::parse_json(text, where);
  key_reader r(where + ": ");
  if (root) r.choice(*root, "sync", {"slss", "aligned", "blind", "gnss"}, c.sync);
  if (!r.error().empty()) return fail(r.error());
  return c;
}
}  // namespace

recorded_carrier carrier_from(const phy::sigmf_meta& meta, const std::string& file, std::string& remark) {
  if (meta.prose.empty()) return {};
  auto c = parse(meta.prose, meta.sample_rate_hz, file + ": global.prose");
  if (c) return std::move(*c);
  remark = c.error().message + "; what the file says of its carrier is left out";
  return {};
}

bool is_narrower(const recorded_carrier& c, double rate_hz) {
  std::string assumed;
  const auto widest = carrier_of({}, {"", "rate", rate_hz, std::nullopt}, assumed);
  return widest && c.known.n_prb.value_or(widest->n_prb) < widest->n_prb;
}

std::string narrower_remark(const std::string& file) {
  return file +
         ": global.prose: carrier.n_prb is less than the rate holds: left out for the "
         "verdict, with all that it says of its carrier; accepted: --carrier";
}

std::string extension_text(const recorded_carrier& c) {
  const scene& s = c.known;
  auto carrier = nlohmann::json::object(), root = nlohmann::json::object();
  if (s.n_prb) carrier["n_prb"] = *s.n_prb;
  if (s.tm) carrier["transmission_mode"] = static_cast<int>(*s.tm);
  if (s.cp) carrier["cp"] = *s.cp == phy::cyclic_prefix::normal ? "normal" : "extended";
  if (!carrier.empty()) root["carrier"] = std::move(carrier);
  for (const auto& p : s.pools) root["pool"].push_back(nlohmann::json::parse(to_yaml(p)));
  if (!c.sync.empty()) root["sync"] = c.sync;
  if (s.first_subframe_sample) root["first_subframe_sample"] = *s.first_subframe_sample;
  if (!s.absolute_subframes.empty()) root["absolute_subframes"] = s.absolute_subframes;
  return root.empty() ? std::string() : root.dump();
}

}  // namespace prose::apps
