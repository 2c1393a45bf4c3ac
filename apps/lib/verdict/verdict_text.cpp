// A verdict as JSON and as lines for people.
#include <nlohmann/json.hpp>

#include "apps/lib/verdict/verdict.h"
#include "apps/lib/verdict/verdict_words.h"

namespace prose::apps {
namespace {
using nlohmann::json;

json json_of(const finding& f) {
  return {{"aspect", f.aspect}, {"check", f.check},       {"reason", f.reason},
          {"frames", f.frames}, {"n_frames", f.n_frames}, {"standard", f.of_standard}};
}

json json_of(const doubt& d) { return {{"check", d.check}, {"reason", d.reason}, {"frames", d.frames}}; }

json json_of(const bounded_figure& f) {
  return {{"name", f.name},     {"value", f.value}, {"bound", f.bound}, {"at_least", f.at_least},
          {"holds", f.holds()}, {"part", f.part},   {"whole", f.whole}};
}

json json_of(const octet_sums& s) {
  return {{"heard", s.heard},
          {"parsed", s.parsed},
          {"padding", s.padding},
          {"cut", s.cut},
          {"waiting", s.waiting},
          {"unexplained", s.unexplained},
          {"padding_not_zero", s.padding_not_zero}};
}

json json_of(const transmitter_verdict& t) {
  return {{"who", t.who},
          {"outcome", name_of(t.outcome)},
          {"reason", t.reason},
          {"octets", json_of(t.octets)},
          {"blocks", t.blocks},
          {"unexplained_blocks", t.unexplained_blocks},
          {"reserved_not_zero", t.reserved_not_zero},
          {"records", t.records},
          {"record_octets", t.record_octets},
          {"exempt", t.exempt},
          {"frames", t.frames}};
}

json json_of(const statistic& s) {
  return {{"aspect", s.aspect},       {"check", s.check}, {"value", s.value}, {"p_value", s.p_value},
          {"threshold", s.threshold}, {"n", s.n},         {"note", s.note}};
}

json json_of(const opened_link& o) {
  return {{"src", o.src},
          {"dst", o.dst},
          {"kd_sess_id", o.kd_sess_id},
          {"with", o.with},
          {"own", o.own},
          {"records_opened", o.records_opened},
          {"records_seen", o.records_seen},
          {"frames", o.frames}};
}

json json_of(const recognised_marks& m) {
  return {{"kind", m.kind},           {"with", m.with},    {"own", m.own}, {"n", m.n}, {"first_slot", m.first_slot},
          {"last_slot", m.last_slot}, {"frames", m.frames}};
}

json json_of(const residual& r) {
  return {{"feature", r.feature}, {"trials", r.trials}, {"right", r.right},   {"success", r.success},
          {"low", r.low},         {"high", r.high},     {"chance", r.chance}, {"sentence", sentence_of(r)}};
}

json json_of(const followed_radio& f) {
  json j = json_of(f.by);
  j["radio"] = f.radio;
  j["cfo_hz"] = f.cfo_hz;
  return j;
}

json json_of(const question& q) {
  json j{{"tile", q.tile},     {"check", q.check},          {"question", q.asked},
         {"answer", q.answer}, {"state", name_of(q.state)}, {"n", q.n}};
  if (q.has_p) j["p_value"] = q.p_value, j["threshold"] = q.threshold;
  return j;
}

template <class T>
json list_of(const std::vector<T>& all) {
  json out = json::array();
  for (const auto& x : all) out.push_back(json_of(x));
  return out;
}

json tiles_json(const verdict& v) {
  json tiles = json::object();
  for (const auto& t : tiles_of(v))
    tiles[t.id] = {{"title", t.title}, {"state", name_of(t.state)}, {"label", t.label}, {"sentence", t.sentence}};
  return tiles;
}

json heard_of(const verdict& v) {
  return {{"blocks_announced", v.heard.blocks_announced},
          {"blocks_decoded", v.heard.blocks_decoded},
          {"blocks_absent", v.heard.blocks_absent},
          {"discovery_occupied", v.heard.discovery_occupied},
          {"discovery_decoded", v.heard.discovery_decoded},
          {"seconds", v.heard.seconds},
          {"seconds_lost", v.heard.seconds_lost},
          {"pools_told", v.heard.pools_told},
          {"searched_beside", v.heard.searched_beside},
          {"unknown_gaps", v.heard.unknown_gaps},
          {"prbs_occupied", v.heard.prbs_occupied},
          {"prbs_unexplained", v.heard.prbs_unexplained},
          {"rlc_gaps", v.rlc_gaps},
          {"assemblies_untried", v.assemblies_untried}};
}

json counts_of(const verdict& v) {
  return {{"frames", v.frames},
          {"sl_sch", v.sl_sch_frames},
          {"discovery", v.discovery_frames},
          {"malformed", v.malformed_frames},
          {"records", v.records},
          {"record_octets", v.record_octets},
          {"links", v.links},
          {"requests", v.requests},
          {"commands", v.commands},
          {"completes", v.completes},
          {"keys_tried", v.keys_tried},
          {"trials", v.trials},
          {"not_examined", v.frames_not_examined},
          {"radios_by_cfo", v.radios_by_cfo}};
}
}  // namespace

std::string to_json(const verdict& v) {
  const json j{{"outcome", name_of(v.outcome)},
               {"exit_status", exit_status(v.outcome)},
               {"profile", name_of(v.profile)},
               {"reason", v.reason},
               {"sentence", sentence_of(v)},
               {"tiles", tiles_json(v)},
               {"questions", list_of(questions_of(v))},
               {"false_alarm_rate", v.false_alarm_rate},
               {"findings", list_of(v.findings)},
               {"remarks", list_of(v.remarks)},
               {"doubts", list_of(v.doubts)},
               {"figures", list_of(v.figures)},
               {"octets", json_of(v.octets)},
               {"noise_scis", v.noise_scis},
               {"exempt_octets", v.exempt_octets},  // encoded text could hide in these
               {"heard", heard_of(v)},
               {"n_transmitters", v.n_transmitters},
               {"transmitters", list_of(v.transmitters)},
               {"counts", counts_of(v)},
               {"statistics", list_of(v.statistics)},
               {"opened_links", list_of(v.opened_links)},
               {"search_ended_early", v.search_ended_early},
               {"recognised", list_of(v.recognised)},
               {"residual", list_of(v.residuals)},
               {"residual_traffic", list_of(v.traffic)},
               {"residual_across_rotations", list_of(v.followed)}};
  return j.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string to_text(const verdict& v) {
  std::string out = std::string("verdict: ") + name_of(v.outcome) + " - " + v.reason + '\n';
  for (const auto& f : v.findings)
    out += std::string("  exposed") + (f.of_standard ? " by the standard" : "") + " (" + f.aspect + ", " + f.check +
           "): " + f.reason + '\n';
  for (const auto& d : v.doubts) out += "  doubt (" + d.check + "): " + d.reason + '\n';
  return out;
}

}  // namespace prose::apps
