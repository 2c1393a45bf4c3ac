#include "apps/lib/verdict/verdict.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <unordered_set>

#include "apps/lib/verdict/content_checks.h"
#include "apps/lib/verdict/identity_checks.h"
#include "apps/lib/verdict/key_search.h"
#include "apps/lib/verdict/marker_scan.h"
#include "apps/lib/verdict/octet_account.h"
#include "apps/lib/verdict/presence_checks.h"
#include "apps/lib/verdict/radio_clusters.h"
#include "apps/lib/verdict/reuse_checks.h"
#include "apps/lib/verdict/standard_profile.h"
#include "apps/lib/verdict/traffic_residual.h"

namespace prose::apps {

const char* name_of(verdict_outcome o) {
  return o == verdict_outcome::opaque ? "opaque" : o == verdict_outcome::exposed ? "exposed" : "nothing proven";
}

const char* name_of(judged_profile p) { return p == judged_profile::ltesl ? "ltesl" : "ts33303"; }

struct analysis::impl {
  explicit impl(verdict_options given)
      : o(std::move(given)), account(o.profile), reuse(o.max_kept_records), markers(o) {
    kept.max_records = o.max_kept_records;
    kept.max_octets = o.max_kept_octets;
    account.on_unexplained(
        [this](std::span<const std::uint8_t> octets, std::uint64_t frame) { markers.add_body(octets, frame); });
  }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;
  verdict_options o;
  octet_account account;
  reuse_checks reuse;
  marker_scan markers;
  content_checks content;
  identity_checks identity;
  presence_checks presence;
  standard_checks standard;  // profile ts33303 alone
  radio_residual radios;
  answer_residual answers;
  kept_capture kept;  // for stolen keys
  std::unordered_set<std::uint64_t> seen_raw;
  std::set<std::pair<std::uint32_t, std::uint32_t>> links;
  verdict counts;
  std::uint64_t blocks_given = 0, blocks_failed = 0, codes_given = 0, codes_failed = 0;
  std::optional<hearing> told;
  std::map<std::string, double> scis_once;  // of format 0: heard once, and when
  std::uint64_t grants = 0;                 // SCIs of format 0 that were heard twice, as each is sent in a period

  void count_grant(const captured_frame& f) {
    constexpr double longest_period_s = 0.32;
    if (!std::holds_alternative<phy::sci_format0>(f.sci)) return;
    if (scis_once.size() > 4096) scis_once.clear();
    const auto [at, first] = scis_once.try_emplace(std::string(f.octets.begin(), f.octets.end()), f.time_s);
    if (first) return;
    if (f.time_s - at->second > longest_period_s) {
      at->second = f.time_s;
      return;
    }
    ++grants;
    scis_once.erase(at);
  }
  void count_setup(security::message_type type) {
    using security::message_type;
    counts.requests += type == message_type::direct_communication_request ? 1 : 0;
    counts.commands += type == message_type::security_mode_command ? 1 : 0;
    counts.completes += type == message_type::security_mode_complete ? 1 : 0;
  }
  /// False: it is a record.
  bool take_standard(const captured_sdu& s) {
    const auto m = standard_message_of(s);
    if (!m) return false;
    count_setup(m->type);
    if (m->type == security::message_type::direct_communication_request)
      identity.add_request(s.src, s.dst, s.frame, s.time_s);
    presence.add({s.src, s.dst, s.lcid, {m->type, 0}, m->octets}, s.frame, s.time_s);
    standard.add(*m, s.frame);
    return true;
  }
  void take(const captured_sdu& s, bool alternative) {
    if (alternative) {  // for the stolen keys only: at most one of them is genuine, and their octets were told of one
                        // by one
      const auto m = setup_of(s);
      return keep([&] { return m ? kept.add(*m, s.frame, s.time_s) : kept.add(s, true); });
    }
    if (o.profile == judged_profile::ts33303) {
      if (take_standard(s)) return;
    } else if (const auto m = setup_of(s)) {
      count_setup(m->header.type);
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
    if (o.profile == judged_profile::ts33303) standard.add_record(s.frame);
    keep([&] { return kept.add(s, false); });
  }
  /// The outcome, from findings, doubts and figures.
  void conclude(verdict& v) const;
  void judge_evidence(verdict& v) const;
  void doubt_search(verdict& v) const;
  hearing heard() const;
  void judge_grants(verdict& v) const;
  void add_unexplained_figures(verdict& v) const;
  template <class Add>
  void keep(Add&& add) {
    if (o.compromised && !add()) ++counts.frames_not_examined;
  }
};

namespace {
std::string untried(const verdict& v) {
  return std::to_string(v.frames_not_examined) +
         " records and messages were beyond what is kept, so the stolen keys were not tried on them";
}
constexpr const char* ended_early =
    "the search with the stolen keys was ended early, so not all of them were tried on everything";

/// What was captured, in words.
std::string seen_in(const verdict& v) {
  return std::to_string(v.records) + " records with " + std::to_string(v.record_octets) + " octets on " +
         std::to_string(v.links) + " links, " + std::to_string(v.discovery_frames) + " discovery messages";
}

std::string percent(double p) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * p);
  return text;
}

/// How much of what was on the air was heard: figures, and doubts where they miss their bounds.
void judge_shares(const hearing& h, std::uint64_t cut, double bound, verdict& v) {
  v.heard = h;
  const double time = h.seconds > 0 ? std::clamp(1 - h.seconds_lost / h.seconds, 0.0, 1.0) : 1.0;
  const auto share = [&](const char* name, std::uint64_t part, std::uint64_t whole, const std::string& what) {
    const double value =
        (whole > 0 ? static_cast<double>(std::min(part, whole)) / static_cast<double>(whole) : 1.0) * time;
    v.figures.push_back({name, value, bound, true, part, whole});
    if (value < bound)
      v.doubts.push_back({name,
                          std::to_string(part) + " of " + std::to_string(whole) + ' ' + what + ", times " +
                              percent(time) + " of the time heard: " + percent(value) + ", and " + percent(bound) +
                              " are needed",
                          {}});
  };
  // An SDU that a lost block cut was not judged as one: the blocks that hold its parts are as good as lost.
  share("blocks_decoded", h.blocks_decoded - std::min(h.blocks_decoded, cut),
        std::max(h.blocks_announced, h.blocks_decoded),
        "announced blocks were decoded" +
            (cut > 0 ? " (" + std::to_string(cut) + " held parts of SDUs only)" : std::string()));
  share("discovery_decoded", h.discovery_decoded, std::max(h.discovery_occupied, h.discovery_decoded),
        "discovery resources with energy were decoded");
  if (h.unknown_gaps > 0)
    v.doubts.push_back({"time_heard", std::to_string(h.unknown_gaps) + " gaps of a length that nobody knows", {}});
  if (h.pools_told && !h.searched_beside)
    v.doubts.push_back({"pools_told", "only the pools told were searched: what lies outside them was not heard", {}});
}
}  // namespace

analysis::analysis(verdict_options options) : impl_(std::make_unique<impl>(std::move(options))) {}
analysis::analysis(analysis&&) noexcept = default;
analysis& analysis::operator=(analysis&&) noexcept = default;
analysis::~analysis() = default;

void analysis::heard(const hearing& h) { impl_->told = h; }

void analysis::add(const captured_frame& f) {
  auto& i = *impl_;
  ++i.counts.frames;
  if (!f.repetition && f.kind == frame_kind::sl_sch) ++(f.crc_ok ? i.blocks_given : i.blocks_failed);
  if (!f.repetition && f.kind == frame_kind::discovery) ++(f.crc_ok ? i.codes_given : i.codes_failed);
  if (!f.crc_ok || f.octets.empty()) return;
  // A block heard again (HARQ, repetition of a set-up message) is no new evidence for the octet searches.
  if (i.seen_raw.size() > (1U << 18)) i.seen_raw.clear();
  if (i.seen_raw.insert(hash_of(f.octets, 3)).second) i.markers.add_raw(f.octets, f.number);
  if (f.kind == frame_kind::discovery) {
    ++i.counts.discovery_frames;
    i.account.add_discovery(f);
    i.identity.add_discovery(f);
    i.keep([&] { return i.kept.add_discovery(f); });
  }
  if (f.kind == frame_kind::mib_sl) i.account.add_mib(f);
  if (f.kind == frame_kind::sci) {
    i.account.add_sci(f);
    i.count_grant(f);
    i.identity.add_sci(f);
  }
  if (f.kind != frame_kind::sl_sch || f.repetition) return;
  ++i.counts.sl_sch_frames;
  const auto pdu = sl_sch_of(f);
  if (pdu) {
    i.identity.add_block(f, pdu->header.src, pdu->header.dst);
    i.answers.add(f, pdu->header.src, pdu->header.dst);
  }
  if (!i.account.add_block(f, [&i](const captured_sdu& s, bool alternative) { i.take(s, alternative); })) {
    ++i.counts.malformed_frames;
    return;
  }
  i.radios.add(f, pdu->header.src);
}

verdict analysis::judge() const {
  const auto& i = *impl_;
  verdict v = i.counts;
  v.profile = i.o.profile;
  v.links = i.links.size();
  v.false_alarm_rate = i.o.false_alarm_rate;
  constexpr int n_tests = content_checks::n_tests + reuse_checks::n_tests + marker_scan::n_tests +
                          identity_checks::n_tests + octet_account::n_tests;
  check_report report(v, i.o.false_alarm_rate / n_tests);
  i.content.judge(report);
  i.reuse.judge(report);
  i.markers.judge(report);
  i.account.judge(report);
  i.identity.judge(report);
  i.presence.judge(report);
  if (i.o.profile == judged_profile::ts33303) {
    i.standard.judge(report);
    for (auto& f : v.findings) f.of_standard = is_of_standard(f.check);
  }
  if (i.o.compromised) search_keys(*i.o.compromised, i.kept, i.o, report);
  i.radios.judge(v);
  judge_followed(i.identity.links(), v);
  i.answers.judge(v);
  judge_traffic(i.identity.links(), v);
  i.conclude(v);
  return v;
}

void analysis::impl::judge_evidence(verdict& v) const {
  v.figures.push_back(
      {"records", static_cast<double>(v.records), static_cast<double>(o.min_records), true, v.records, v.records});
  v.figures.push_back({"record_octets", static_cast<double>(v.record_octets), static_cast<double>(o.min_record_octets),
                       true, v.record_octets, v.record_octets});
  if (v.records >= o.min_records && v.record_octets >= o.min_record_octets) return;
  v.doubts.push_back({"evidence",
                      (v.frames == 0 ? "nothing was captured" : "too little was captured: " + seen_in(v)) +
                          "; at least " + std::to_string(o.min_records) + " records with " +
                          std::to_string(o.min_record_octets) + " octets are needed",
                      {}});
}

void analysis::impl::doubt_search(verdict& v) const {
  if (o.compromised &&
      std::none_of(o.compromised->begin(), o.compromised->end(), [](const auto& f) { return f.holds_key(); }))
    v.doubts.push_back({"keys_untried", "the stolen state holds no key, so none was tried", {}});
  if (v.search_ended_early) v.doubts.push_back({"keys_untried", ended_early, {}});
  if (v.frames_not_examined > 0) v.doubts.push_back({"keys_untried", untried(v), {}});
}

hearing analysis::impl::heard() const {
  if (told) return *told;
  hearing h;
  h.blocks_decoded = blocks_given;
  h.blocks_announced = blocks_given + blocks_failed;
  h.discovery_decoded = codes_given;
  h.discovery_occupied = codes_given + codes_failed;
  return h;
}

// Where no pool is told, blocks are found by their DMRS alone, and one that is drowned is not announced. Each grant has
// a block.
void analysis::impl::judge_grants(verdict& v) const {
  if (!told || told->pools_told || grants == 0) return;
  const double value = static_cast<double>(std::min(blocks_given, grants)) / static_cast<double>(grants);
  v.figures.push_back(
      {"grants_with_a_block", value, o.min_decoded_share, true, std::min(blocks_given, grants), grants});
  if (value < o.min_decoded_share)
    v.doubts.push_back({"blocks_decoded",
                        std::to_string(blocks_given) + " blocks were decoded, and " + std::to_string(grants) +
                            " grants heard, each for one or more",
                        {}});
}

void analysis::impl::add_unexplained_figures(verdict& v) const {
  const auto share = [](std::uint64_t part, std::uint64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  };
  double most = 0;
  std::uint64_t most_octets = 0, not_zero = v.octets.padding_not_zero;
  for (const auto& t : v.transmitters) {
    most = std::max({most, share(t.octets.unexplained, t.octets.heard), share(t.unexplained_blocks, t.blocks)});
    most_octets = std::max(most_octets, t.octets.unexplained);
    not_zero += t.reserved_not_zero;
  }
  const auto untried_keys = static_cast<std::uint64_t>(
      std::count_if(v.doubts.begin(), v.doubts.end(), [](const auto& d) { return d.check == "keys_untried"; }));
  v.figures.push_back({"unexplained_share_of_a_transmitter", most, o.max_unexplained_share, false, v.octets.unexplained,
                       v.octets.heard});
  v.figures.push_back({"unexplained_octets_of_a_transmitter", static_cast<double>(most_octets),
                       static_cast<double>(o.max_unexplained_octets) - 1, false, most_octets, v.octets.heard});
  v.figures.push_back(
      {"padding_and_reserved_not_zero", static_cast<double>(not_zero), 0, false, not_zero, v.octets.heard});
  v.figures.push_back({"keys_untried", static_cast<double>(untried_keys), 0, false, untried_keys, untried_keys});
}

void analysis::impl::conclude(verdict& v) const {
  std::vector<doubt> of_key_search;
  of_key_search.swap(v.doubts);
  judge_evidence(v);
  doubt_search(v);
  v.doubts.insert(v.doubts.end(), of_key_search.begin(), of_key_search.end());
  judge_shares(heard(), account.cut_pieces(), o.min_decoded_share, v);
  judge_grants(v);
  account.conclude(o, v);
  add_unexplained_figures(v);
  if (!v.findings.empty()) {
    v.outcome = verdict_outcome::exposed;
    // What this implementation shows comes before what any other would show too.
    std::stable_partition(v.findings.begin(), v.findings.end(), [](const finding& f) { return !f.of_standard; });
    const auto& first = v.findings.front();
    v.reason = (first.of_standard ? "by the standard's own procedure only: " : "") + first.aspect + ": " + first.reason;
  } else if (!v.doubts.empty()) {
    v.reason = v.doubts.front().reason +
               (v.doubts.size() > 1 ? "; and " + std::to_string(v.doubts.size() - 1) + " more doubts" : "") +
               (v.doubts.front().check == "evidence" ? "" : "; nothing found in " + seen_in(v));
  } else {
    v.outcome = verdict_outcome::opaque;
    v.reason = "nothing found in " + seen_in(v) + (v.discovery_frames == 0 ? "; discovery was not examined" : "");
  }
}

verdict judge(std::span<const captured_frame> frames, const verdict_options& options) {
  analysis a(options);
  for (const auto& f : frames) a.add(f);
  return a.judge();
}

}  // namespace prose::apps
