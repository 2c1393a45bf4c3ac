#include "apps/verdict/verdict.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "apps/verdict/content_checks.h"
#include "apps/verdict/identity_checks.h"
#include "apps/verdict/key_search.h"
#include "apps/verdict/marker_scan.h"
#include "apps/verdict/presence_checks.h"
#include "apps/verdict/radio_clusters.h"
#include "apps/verdict/reuse_checks.h"

namespace prose::apps {

const char* name_of(verdict_outcome o) {
  return o == verdict_outcome::opaque ? "opaque" : o == verdict_outcome::exposed ? "exposed" : "nothing proven";
}

struct analysis::impl {
  explicit impl(verdict_options given) : o(std::move(given)), reuse(o.max_kept_records), markers(o) {
    kept.max_records = o.max_kept_records;
    kept.max_octets = o.max_kept_octets;
  }
  verdict_options o;
  sdu_stream sdus;
  reuse_checks reuse;
  marker_scan markers;
  content_checks content;
  identity_checks identity;
  presence_checks presence;
  radio_residual radios;
  kept_capture kept;  // for stolen keys
  std::unordered_set<std::uint64_t> seen_raw;
  std::set<std::pair<std::uint32_t, std::uint32_t>> links;
  verdict counts;

  void take(const captured_sdu& s) {
    if (const auto m = setup_of(s)) {
      using security::message_type;
      counts.requests += m->header.type == message_type::direct_communication_request ? 1 : 0;
      counts.commands += m->header.type == message_type::security_mode_command ? 1 : 0;
      counts.completes += m->header.type == message_type::security_mode_complete ? 1 : 0;
      identity.add_setup(*m, s.frame, s.time_s);
      presence.add(*m, s.frame, s.time_s);
      keep([&] { return kept.add(*m, s.frame, s.time_s); });
      return;
    }
    const auto r = record_of(s);
    if (!r || reuse.add(*r, s.frame) == reuse_checks::novelty::copy) return;
    ++counts.records;
    counts.record_octets += r->body().size();
    if (links.size() < 100'000) links.insert({std::min(r->src, r->dst), std::max(r->src, r->dst)});
    content.add(*r, s.frame);
    markers.add_body(r->body(), s.frame);
    identity.add_record(*r, s.frame, s.time_s);
    keep([&] { return kept.add(s); });
  }
  template <class Add>
  void keep(Add&& add) {
    if (o.compromised && !add()) ++counts.frames_not_examined;
  }
};

namespace {
std::string untried(const verdict& v) {
  return std::to_string(v.frames_not_examined) + " records and messages were beyond what is kept, so the stolen keys were not tried on them";
}
constexpr const char* ended_early = "the search with the stolen keys was ended early, so not all of them were tried on everything";
}  // namespace

analysis::analysis(verdict_options options) : impl_(std::make_unique<impl>(std::move(options))) {}
analysis::analysis(analysis&&) noexcept = default;
analysis& analysis::operator=(analysis&&) noexcept = default;
analysis::~analysis() = default;

void analysis::add(const captured_frame& f) {
  auto& i = *impl_;
  ++i.counts.frames;
  if (!f.crc_ok || f.octets.empty()) return;
  // A block heard again (HARQ, repetition of a set-up message) is no new evidence for the octet searches.
  if (i.seen_raw.size() > (1U << 18)) i.seen_raw.clear();
  if (i.seen_raw.insert(hash_of(f.octets, 3)).second) i.markers.add_raw(f.octets, f.number);
  if (f.kind == frame_kind::discovery) {
    ++i.counts.discovery_frames;
    i.identity.add_discovery(f);
    i.keep([&] { return i.kept.add_discovery(f); });
  }
  if (f.kind == frame_kind::sci) i.identity.add_sci(f);
  if (f.kind != frame_kind::sl_sch || f.repetition) return;
  ++i.counts.sl_sch_frames;
  const auto pdu = sl_sch_of(f);
  if (pdu) i.identity.add_block(f, pdu->header.src, pdu->header.dst);
  if (!i.sdus.add(f, [&i](const captured_sdu& s) { i.take(s); })) {
    ++i.counts.malformed_frames;
    return;
  }
  i.radios.add(f, pdu->header.src);
}

verdict analysis::judge() const {
  const auto& i = *impl_;
  verdict v = i.counts;
  v.links = i.links.size();
  v.false_alarm_rate = i.o.false_alarm_rate;
  constexpr int n_tests = content_checks::n_tests + reuse_checks::n_tests + marker_scan::n_tests + identity_checks::n_tests;
  check_report report(v, i.o.false_alarm_rate / n_tests);
  i.content.judge(report);
  i.reuse.judge(report);
  i.markers.judge(report);
  i.identity.judge(report);
  i.presence.judge(report);
  if (i.o.compromised) search_keys(*i.o.compromised, i.kept, i.o, report);
  i.radios.judge(v);
  judge_followed(i.identity.links(), v);
  const std::string seen = std::to_string(v.records) + " records with " + std::to_string(v.record_octets) + " octets on " +
                           std::to_string(v.links) + " links, " + std::to_string(v.discovery_frames) + " discovery messages";
  if (!v.findings.empty()) {
    v.outcome = verdict_outcome::exposed;
    v.reason = v.findings.front().aspect + ": " + v.findings.front().reason;
  } else if (v.records < i.o.min_records || v.record_octets < i.o.min_record_octets) {
    v.reason = (v.frames == 0 ? "nothing was captured" : "too little was captured: " + seen) + "; at least " +
               std::to_string(i.o.min_records) + " records with " + std::to_string(i.o.min_record_octets) + " octets are needed";
  } else if (i.o.compromised && std::none_of(i.o.compromised->begin(), i.o.compromised->end(), [](const auto& f) { return f.holds_key(); })) {
    v.reason = "the stolen state holds no key, so none was tried; nothing else found in " + seen;
  } else if (v.search_ended_early) {
    v.reason = std::string(ended_early) + "; nothing found so far in " + seen;
  } else if (v.frames_not_examined > 0) {
    v.reason = untried(v) + "; nothing else found in " + seen;
  } else {
    v.outcome = verdict_outcome::opaque;
    v.reason = "nothing found in " + seen + (v.discovery_frames == 0 ? "; discovery was not examined" : "");
  }
  return v;
}

verdict judge(std::span<const captured_frame> frames, const verdict_options& options) {
  analysis a(options);
  for (const auto& f : frames) a.add(f);
  return a.judge();
}

std::string to_json(const verdict& v) {
  using nlohmann::json;
  const auto list = [](const std::vector<finding>& all) {
    json out = json::array();
    for (const auto& f : all)
      out.push_back({{"aspect", f.aspect}, {"check", f.check}, {"reason", f.reason}, {"frames", f.frames}, {"n_frames", f.n_frames}});
    return out;
  };
  json j{{"outcome", name_of(v.outcome)}, {"exit_status", exit_status(v.outcome)}, {"reason", v.reason},
         {"false_alarm_rate", v.false_alarm_rate}, {"findings", list(v.findings)}, {"remarks", list(v.remarks)}};
  j["counts"] = {{"frames", v.frames}, {"sl_sch", v.sl_sch_frames}, {"discovery", v.discovery_frames}, {"malformed", v.malformed_frames},
                 {"records", v.records}, {"record_octets", v.record_octets}, {"links", v.links}, {"requests", v.requests},
                 {"commands", v.commands}, {"completes", v.completes}, {"keys_tried", v.keys_tried}, {"trials", v.trials},
                 {"not_examined", v.frames_not_examined}, {"radios_by_cfo", v.radios_by_cfo}};
  j["statistics"] = json::array();
  for (const auto& s : v.statistics)
    j["statistics"].push_back({{"aspect", s.aspect}, {"check", s.check}, {"value", s.value}, {"p_value", s.p_value},
                               {"threshold", s.threshold}, {"n", s.n}, {"note", s.note}});
  j["opened_links"] = json::array();
  for (const auto& o : v.opened_links)
    j["opened_links"].push_back({{"src", o.src}, {"dst", o.dst}, {"kd_sess_id", o.kd_sess_id}, {"with", o.with}, {"own", o.own},
                                 {"records_opened", o.records_opened}, {"records_seen", o.records_seen}, {"frames", o.frames}});
  j["search_ended_early"] = v.search_ended_early;
  j["recognised"] = json::array();
  for (const auto& m : v.recognised)
    j["recognised"].push_back({{"kind", m.kind}, {"with", m.with}, {"own", m.own}, {"n", m.n}, {"first_slot", m.first_slot},
                               {"last_slot", m.last_slot}, {"frames", m.frames}});
  j["residual"] = json::array();
  for (const auto& r : v.residuals)
    j["residual"].push_back({{"feature", r.feature}, {"trials", r.trials}, {"right", r.right}, {"success", r.success},
                             {"low", r.low}, {"high", r.high}, {"chance", r.chance}});
  j["residual_across_rotations"] = json::array();
  for (const auto& f : v.followed)
    j["residual_across_rotations"].push_back({{"radio", f.radio}, {"cfo_hz", f.cfo_hz}, {"feature", f.by.feature}, {"trials", f.by.trials},
                                              {"right", f.by.right}, {"success", f.by.success}, {"low", f.by.low}, {"high", f.by.high},
                                              {"chance", f.by.chance}});
  return j.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string to_text(const verdict& v) {
  std::string out = std::string("verdict: ") + name_of(v.outcome) + " - " + v.reason + '\n';
  for (const auto& f : v.findings) out += "  exposed (" + f.aspect + ", " + f.check + "): " + f.reason + '\n';
  if (v.outcome == verdict_outcome::exposed && v.search_ended_early) out += std::string("  ") + ended_early + '\n';
  if (v.frames_not_examined > 0 && v.outcome == verdict_outcome::exposed) out += "  " + untried(v) + '\n';
  return out;
}

}  // namespace prose::apps
