#include "apps/lib/verdict/verdict_words.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace prose::apps {
namespace {
std::string decimal(double v, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

std::string size_text(std::uint64_t octets) {
  const auto v = static_cast<double>(octets);
  if (octets < 1000) return std::to_string(octets) + " B";
  return v < 999'950 ? decimal(v / 1e3, 1) + " kB" : decimal(v / 1e6, 1) + " MB";
}

/// 97.9 %; never rounded up to the whole.
std::string percent(double share) {
  const double value = 100 * share;
  return (share < 1 && value > 99.9 ? "99.9" : decimal(value, 1)) + " %";
}

std::string counted(std::uint64_t n, const std::string& one, const std::string& many) {
  return std::to_string(n) + ' ' + (n == 1 ? one : many);
}

bool of_stolen_keys(const finding& f) { return f.aspect == "compromise" || f.check.starts_with("stolen_key"); }
const char* tile_of(const finding& f) {
  if (of_stolen_keys(f)) return "stolen_keys";
  return f.aspect == "identity" || f.aspect == "presence" ? "identity" : "content";
}

std::vector<const finding*> findings_of(const verdict& v, std::string_view tile) {
  std::vector<const finding*> found;
  for (const auto& f : v.findings)
    if (tile_of(f) == tile) found.push_back(&f);
  return found;
}

bool of_keys(const doubt& d) { return d.check == "keys_untried"; }
/// The first doubt about the keys, or about anything else; null if there is none.
const doubt* first_doubt(const verdict& v, bool about_keys) {
  const auto at =
      std::find_if(v.doubts.begin(), v.doubts.end(), [&](const auto& d) { return of_keys(d) == about_keys; });
  return at == v.doubts.end() ? nullptr : &*at;
}

std::string and_more(const std::string& first, std::size_t n) {
  return n > 1 ? first + "; and " + counted(n - 1, "more finding", "more findings") : first;
}

const char* lead_of(const finding& f) {
  if (f.of_standard) return "What TS 33.303 itself shows, and nothing else: ";
  if (f.aspect == "compromise") return "Stolen keys open what is not theirs: ";
  if (f.aspect == "presence") return "An eavesdropper could tell who is there: ";
  if (f.aspect == "identity") return "An eavesdropper could tell who it is: ";
  return "An eavesdropper could tell what was sent: ";
}

std::string decoded_text(const verdict& v) {
  double least = 1;
  for (const auto& f : v.figures)
    if (f.name == "blocks_decoded" || f.name == "discovery_decoded") least = std::min(least, f.value);
  return least >= 1 ? "all decoded" : percent(least) + " decoded";
}

bool keys_given(const verdict& v) { return v.keys_tried > 0 || first_doubt(v, true) != nullptr; }

verdict_tile failed(verdict_tile t, const std::vector<const finding*>& found) {
  t.state = test_state::failed;
  t.label = "Failed";
  t.sentence = and_more(found.front()->reason, found.size()) + '.';
  return t;
}
verdict_tile not_run(verdict_tile t, const std::string& why) {
  t.label = "Not run";
  t.sentence = why;
  return t;
}
/// Nothing was found; whether that says something is for the doubts to tell.
verdict_tile unless_doubted(verdict_tile t, const doubt* d, const std::string& passed) {
  t.state = d == nullptr ? test_state::passed : test_state::not_run;
  t.label = d == nullptr ? "Passed" : "Not proven";
  t.sentence = d == nullptr ? passed : "Nothing was found, which proves nothing: " + d->reason + '.';
  return t;
}

verdict_tile content_tile(const verdict& v) {
  const verdict_tile t{"content", "Content", {}, {}, {}};
  if (const auto found = findings_of(v, t.id); !found.empty()) return failed(t, found);
  if (v.records == 0) return not_run(t, "No message was heard.");
  return unless_doubted(t, first_doubt(v, false),
                        counted(v.records, "message", "messages") + " with " + size_text(v.record_octets) +
                            " look like random octets: nothing readable, nothing regular, no key used twice.");
}

verdict_tile identity_tile(const verdict& v) {
  const verdict_tile t{"identity", "Identity", {}, {}, {}};
  if (const auto found = findings_of(v, t.id); !found.empty()) return failed(t, found);
  const auto set_ups = v.requests + v.commands + v.completes;
  if (v.discovery_frames + v.links + set_ups == 0) return not_run(t, "No identifier was heard.");
  return unless_doubted(t, first_doubt(v, false),
                        "No identifier tells who it is or follows from an earlier one: " +
                            counted(v.discovery_frames, "discovery message", "discovery messages") + ", " +
                            counted(v.links, "pair", "pairs") + " of layer-2 IDs, " +
                            counted(set_ups, "set-up message", "set-up messages") + '.');
}

verdict_tile stolen_tile(const verdict& v) {
  const verdict_tile t{"stolen_keys", "Stolen keys", {}, {}, {}};
  if (const auto found = findings_of(v, t.id); !found.empty()) return failed(t, found);
  if (!keys_given(v)) return not_run(t, "No stolen key was given: --compromised names files of a stolen device.");
  if (const auto* d = first_doubt(v, true); d != nullptr) return unless_doubted(t, d, {});
  std::uint64_t opened = 0;
  for (const auto& o : v.opened_links)
    if (o.own && o.kd_sess_id != 0) opened += o.records_opened;
  return unless_doubted(t, first_doubt(v, false),
                        counted(v.keys_tried, "stolen key", "stolen keys") + " in " +
                            counted(v.trials, "trial", "trials") + ": " + std::to_string(opened) + " of " +
                            counted(v.records, "message", "messages") +
                            " open, all of the stolen device's own links; the others stay closed.");
}

verdict_tile radio_tile(const verdict& v) {
  verdict_tile t{"radio", "Radio fingerprints", {}, {}, {}};
  const residual* best = nullptr;
  for (const auto& r : v.residuals)
    if (r.trials > 0 && (best == nullptr || r.low - r.chance > best->low - best->chance)) best = &r;
  if (best == nullptr) return not_run(t, "There were no two senders to tell apart.");
  const bool told = beats_guessing(*best);
  t.state = told ? test_state::failed : test_state::passed;
  t.label = told ? "Failed" : "Passed";
  t.sentence =
      (told ? "Radios differ in their signal, whatever they send. " : "Radios are not told apart by their signal. ") +
      sentence_of(*best) + " This is measured and never decides the outcome.";
  return t;
}

const std::map<std::string_view, const char*>& feature_words() {
  static const std::map<std::string_view, const char*> words{{"power", "received power"},
                                                             {"timing", "time of arrival"},
                                                             {"cfo", "carrier frequency offset"},
                                                             {"who answers whom", "who answered whom before"},
                                                             {"sizes of blocks", "the sizes of blocks"},
                                                             {"times between blocks", "the times between blocks"},
                                                             {"length of an epoch", "the length of an epoch"}};
  return words;
}
}  // namespace

const char* name_of(test_state s) {
  return s == test_state::passed ? "passed" : s == test_state::failed ? "failed" : "not_run";
}

bool beats_guessing(const residual& r) { return r.trials > 0 && r.low > r.chance; }

std::string sentence_of(const residual& r) {
  const auto at = feature_words().find(r.feature);
  const std::string by = "By " + (at == feature_words().end() ? r.feature : std::string(at->second));
  if (r.trials == 0) return by + ": not run, there was nothing to guess.";
  return by + ", " + std::to_string(r.right) + " of " + counted(r.trials, "guess was", "guesses were") +
         " right: " + decimal(100 * r.success, 0) + " %, and blind guessing is right in " + decimal(100 * r.chance, 0) +
         " %. " +
         (beats_guessing(r)   ? "That is better than guessing."
          : r.high < r.chance ? "That is worse than guessing."
                              : "That is no more than guessing.");
}

std::string sentence_of(const verdict& v) {
  if (!v.findings.empty())
    return lead_of(v.findings.front()) + and_more(v.findings.front().reason, v.findings.size()) + '.';
  if (v.outcome != verdict_outcome::opaque) {
    if (v.doubts.empty()) return "Nothing is proven.";
    return "Nothing is proven: " + v.doubts.front().reason +
           (v.doubts.size() > 1 ? "; and " + counted(v.doubts.size() - 1, "more doubt", "more doubts") : "") + '.';
  }
  return "An eavesdropper could read nothing in " + counted(v.records, "message", "messages") +
         (v.heard.seconds > 0 ? " of " + decimal(v.heard.seconds, 1) + " s" : "") +
         (keys_given(v) ? ", and stolen keys open no link but their own" : "") +
         "; evidence: " + size_text(v.record_octets) + ", " + decoded_text(v) + '.';
}

std::vector<verdict_tile> tiles_of(const verdict& v) {
  return {content_tile(v), identity_tile(v), stolen_tile(v), radio_tile(v)};
}

}  // namespace prose::apps
