#include "apps/sniffer/judgement.h"

#include <chrono>
#include <filesystem>

#include "apps/lib/common/log.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
bool is_page(const std::string& path) {
  const auto extension = std::filesystem::path(path).extension();
  return extension == ".html" || extension == ".htm";
}

// Every eight octets in a row are remembered, in some 40 octets each.
constexpr std::size_t most_known_octets = 1U << 20;

result<void> read_wanted(const sniffer_settings& s, verdict_options& wanted) {
  const auto too_short = [](const std::string& what) {
    return fail(what + ": shorter than " + std::to_string(shortest_wanted_string) +
                " octets, which random octets hold too");
  };
  std::size_t total = 0;
  for (const auto& path : s.known_plaintexts) {
    const auto text = phy::read_text_file(path, most_known_octets);
    if (!text) return fail("--known-plaintext " + text.error().message);
    if (text->size() < shortest_wanted_string) return too_short("--known-plaintext " + path);
    if ((total += text->size()) > most_known_octets)
      return fail("--known-plaintext " + path + ": more than 1 MiB of known octets in all");
    wanted.known_plaintexts.emplace_back(text->begin(), text->end());
  }
  for (const auto& name : s.names)
    if (name.size() < shortest_wanted_string) return too_short("--name '" + name + "'");
  wanted.names = s.names;
  return {};
}
}  // namespace

result<std::unique_ptr<judgement>> judgement::make(const sniffer_settings& s) {
  if (!s.verdict && s.reports.empty() && s.compromised.empty() && s.known_plaintexts.empty() && s.names.empty())
    return nullptr;
  const bool standard = s.profile == "ts33303";
  if (standard && !s.compromised.empty())
    return fail(
        "--compromised: stolen keys of profile ts33303 are not tried; accepted: --profile ltesl, or no stolen keys");
  std::unique_ptr<judgement> j(new judgement(s));
  for (const auto& path : s.compromised) {
    auto file = load_stolen_state(path);
    if (!file) return tl::unexpected(file.error());
    j->stolen_->push_back(std::move(*file));
  }
  verdict_options wanted;
  wanted.profile = standard ? judged_profile::ts33303 : judged_profile::ltesl;
  if (auto ok = read_wanted(s, wanted); !ok) return tl::unexpected(ok.error());
  if (!j->stolen_->empty()) wanted.compromised = j->stolen_;
  wanted.utc_at_zero_s = s.epoch_s;
  wanted.on_search = [told = std::chrono::steady_clock::now()](const search_progress& p) mutable {
    if (const auto now = std::chrono::steady_clock::now(); now - told >= std::chrono::seconds(2)) {
      told = now;
      log_info("stolen keys on {}: {:.0f} %, {} trials, {} links opened; Ctrl-C ends the search", p.part, 100 * p.done,
               p.trials, p.links_opened);
    }
    return !stop_requested();
  };
  j->analysis_.emplace(std::move(wanted));
  for (const auto& path : s.reports) {
    // A report that cannot be written is told now, not after hours; what an earlier run left there stays until then.
    if (const auto probe = open_private_output(path, output_mode::probe); !probe)
      return fail("--report " + probe.error().message);
    if (is_page(path) && !j->page_) j->page_.emplace();
  }
  return j;
}

capture_observer judgement::observer() {
  capture_observer o;
  o.frame = [this](const phy::monitor_event& e, const captured_frame& f) {
    analysis_->add(f);
    if (page_) page_->add(f, std::visit([](const auto& x) { return x.rx.symbols; }, e));
    return true;
  };
  if (page_)
    o.samples = [this](std::span<const std::span<const phy::cf32>> samples, std::int64_t, bool) {
      page_->add_samples(samples[0]);
      return true;
    };
  return o;
}

std::vector<event> events_of(const verdict& v, double t_s) {
  std::vector<event> out;
  for (const auto& f : v.figures) {
    event e("figure", t_s);
    e.add("name", f.name)
        .add("value", f.value)
        .add("bound", f.bound)
        .add("at_least", f.at_least)
        .add("holds", f.holds())
        .add("part", f.part)
        .add("whole", f.whole);
    out.push_back(std::move(e));
  }
  for (const auto& t : v.transmitters) {
    event e("transmitter", t_s);
    e.add("who", t.who)
        .add("outcome", name_of(t.outcome))
        .add("reason", t.reason)
        .add("octets", t.octets.heard)
        .add("parsed", t.octets.parsed);
    e.add("padding", t.octets.padding)
        .add("cut", t.octets.cut)
        .add("unexplained", t.octets.unexplained)
        .add("exempt", t.exempt);
    out.push_back(std::move(e));
  }
  event e("verdict", t_s);
  e.add("outcome", name_of(v.outcome))
      .add("exit_status", exit_status(v.outcome))
      .add("reason", v.reason)
      .add("octets", v.octets.heard);
  e.add("parsed", v.octets.parsed)
      .add("padding", v.octets.padding)
      .add("cut", v.octets.cut)
      .add("waiting", v.octets.waiting);
  e.add("unexplained", v.octets.unexplained).add("exempt_octets", v.exempt_octets).add("trials", v.trials);
  out.push_back(std::move(e));
  return out;
}

result<verdict> judgement::finish(const capture_result& captured, const page_facts& facts, std::string& remark) {
  for (std::size_t i = 0; i < stolen_->size(); ++i) {
    if (auto now = load_stolen_state(settings_.compromised[i]))
      (*stolen_)[i] = std::move(*now);
    else
      remark = now.error().message + "; what it held at the start is used";
    const stolen_file& f = (*stolen_)[i];
    if (!f.holds_key() && f.names.empty()) remark = f.path + ": holds no key, so it proves nothing";
  }
  analysis_->heard(hearing_of(captured));
  clear_stop();  // what ended the capture does not end the search as well
  const auto v = analysis_->judge();
  for (const auto& path : settings_.reports) {
    if (auto ok = write_private_output(path, is_page(path) ? page_->html(v, facts) : to_json(v) + '\n'); !ok)
      return fail("--report " + ok.error().message);
  }
  return v;
}

}  // namespace prose::apps
