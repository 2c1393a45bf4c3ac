// Judges what a sniffer has caught so far, again and again, from its events: for scripts/demo --live.
//   live_judge --events FILE.jsonl --report FILE.json [--every S] [--epoch S] [--compromised FILE ..] [--keylog FILE]
// The report is that of prose-sniffer --report, with a headline. How much was missed is known at the end only, so every
// sentence says "so far". With --keylog each frame that the log opens is told as a line of JSON: id, t, src, dst, text.
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/lib/capture/link_opener.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/verdict/verdict.h"
#include "common/hex.h"

using namespace prose;
using namespace prose::apps;
using nlohmann::json;

namespace {

struct options {
  std::string events, report, keylog;
  std::vector<std::string> compromised;
  double every_s = 5, epoch_s = 0;
};

bool read_options(int argc, char** argv, options& o) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--events")
      o.events = value;
    else if (name == "--report")
      o.report = value;
    else if (name == "--keylog")
      o.keylog = value;
    else if (name == "--compromised")
      o.compromised.push_back(value);
    else if (name == "--every")
      o.every_s = std::atof(value.c_str());
    else if (name == "--epoch")
      o.epoch_s = std::atof(value.c_str());
    else
      return false;
  }
  return argc % 2 == 1 && !o.events.empty() && !o.report.empty();
}

phy::mib_sl mib_of(const json& f) {
  phy::mib_sl m;
  m.n_prb = f.value("n_prb", 0);
  m.tdd_config = static_cast<std::uint8_t>(f.value("tdd_config", 0));
  m.direct_frame_number = static_cast<std::uint16_t>(f.value("direct_frame_number", 0));
  m.direct_subframe_number = static_cast<std::uint8_t>(f.value("direct_subframe_number", 0));
  m.in_coverage = f.value("in_coverage", false);
  m.reserved = f.value("reserved", 0U);
  return m;
}

phy::sci_format0 format0_of(const json& f) {
  phy::sci_format0 s;
  s.frequency_hopping = f.value("frequency_hopping", 0) != 0;
  s.resource_block_assignment = static_cast<std::uint16_t>(f.value("riv", 0));
  s.time_resource_pattern = static_cast<std::uint8_t>(f.value("time_resource_pattern", 0));
  s.mcs = static_cast<std::uint8_t>(f.value("mcs", 0));
  s.timing_advance = static_cast<std::uint16_t>(f.value("timing_advance", 0));
  s.group_destination_id = static_cast<std::uint8_t>(f.value("group_destination_id", 0));
  return s;
}

phy::sci_format1 format1_of(const json& f) {
  phy::sci_format1 s;
  s.priority = static_cast<std::uint8_t>(f.value("priority", 0));
  s.resource_reservation = static_cast<std::uint8_t>(f.value("resource_reservation", 0));
  s.frequency_location = static_cast<std::uint8_t>(f.value("riv", 0));
  s.time_gap = static_cast<std::uint8_t>(f.value("time_gap", 0));
  s.mcs = static_cast<std::uint8_t>(f.value("mcs", 0));
  s.retransmission_index = static_cast<std::uint8_t>(f.value("retransmission_index", 0));
  s.transmission_format = static_cast<std::uint8_t>(f.value("transmission_format", 0));
  s.reserved = static_cast<std::uint16_t>(f.value("reserved", 0));
  return s;
}

void read_place(const json& e, captured_frame& f) {
  f.time_s = e.value("t", 0.0);
  f.sample = e.value("sample", std::int64_t{0});
  if (e.contains("absolute_subframe") && e["absolute_subframe"].is_number())
    f.absolute_subframe = e["absolute_subframe"];
  f.snr_db = e.value("snr_db", 0.0F);
  f.power_db = e.value("power_db", 0.0F);
  f.cfo_hz = e.value("cfo_hz", 0.0F);
  f.timing_offset_samples = e.value("timing_offset_samples", 0.0F);
  f.crc_ok = e.value("crc_ok", true);
  f.repetition = e.value("repetition", false);
  f.n_transmissions = e.value("n_transmissions", 1);
  f.prb_start = e.value("prb_start", e.value("prb", 0));
  f.n_bits = e.value("bits", 0);
  f.octets = from_hex(e.value("hex", "")).value_or(std::vector<std::uint8_t>());
}

/// The frame of one line of events, as frame_of() makes it of the receiver's; empty for a line that is no frame.
std::optional<captured_frame> frame_of_line(const json& e, std::uint64_t number) {
  captured_frame f;
  f.number = number;
  const std::string kind = e.value("event", "");
  read_place(e, f);
  if (kind == "mib_sl") {
    f.kind = frame_kind::mib_sl;
    f.n_sl_id = e.value("n_sl_id", 0);
    f.mib = mib_of(e.value("fields", json::object()));
    f.n_prb = 6;
  } else if (kind == "sci") {
    f.kind = frame_kind::sci;
    const json fields = e.value("fields", json::object());
    const bool first = e.value("format", 0) == 0;
    if (first)
      f.sci = format0_of(fields);
    else
      f.sci = format1_of(fields);
    f.n_subchannels = e.value("n_subchannels", 0);
    f.n_prb = first ? 1 : 2;
  } else if (kind == "tb") {
    f.kind = frame_kind::sl_sch;
    f.n_prb = e.value("n_prb", 0);
    f.tbs = e.value("tbs", 0);
    f.mcs = e.value("mcs", 0);
    f.modulation_order = e.value("modulation_order", 2);
    f.rv = e.value("rv", 0);
    f.n_x_id = e.value("n_x_id", 0U);
  } else if (kind == "discovery") {
    f.kind = frame_kind::discovery;
    f.n_prb = 2;
    f.rv = e.value("rv", 0);
  } else {
    return std::nullopt;
  }
  return f;
}

std::string text_of(std::span<const std::uint8_t> data) {
  std::string out;
  for (const auto c : data.first(std::min<std::size_t>(data.size(), 400)))
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.';
  return out;
}

/// Tells which frames the key log opens: all that carried a part of what opened.
class opener {
public:
  explicit opener(link_opener log) : log_(std::move(log)) {}
  void add(const captured_frame& f) {
    const auto pdu = sl_sch_of(f);
    if (!pdu || f.repetition) return;
    auto& parts = parts_[{pdu->header.src, pdu->header.dst}];
    parts.push_back({f.number, f.time_s});
    if (parts.size() > 16) parts.pop_front();
    log_.add(f, [&](const link_opener::opened& o) {
      const bool signalling = o.sdu_type == 2;
      const std::string text =
          signalling ? "(signalling of the link, " + std::to_string(o.data.size()) + " octets)" : text_of(o.data);
      for (const auto& [id, t] : parts) tell(id, t, o, text);
      parts.clear();
    });
  }

private:
  static void tell(std::uint64_t id, double t, const link_opener::opened& o, const std::string& text) {
    char src[16], dst[16];
    std::snprintf(src, sizeof src, "%06x", o.src);
    std::snprintf(dst, sizeof dst, "%06x", o.dst);
    std::printf("%s\n", json{{"id", id}, {"t", t}, {"src", src}, {"dst", dst}, {"text", text}}.dump().c_str());
    std::fflush(stdout);
  }
  link_opener log_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::deque<std::pair<std::uint64_t, double>>> parts_;
};

std::string headline(const verdict& v, double seconds) {
  if (v.outcome == verdict_outcome::exposed) return "So far exposed: an eavesdropper learns something";
  std::uint64_t own = 0;
  for (const auto& o : v.opened_links) own += o.own ? o.records_opened : 0;
  const std::uint64_t others = v.records - std::min(own, v.records);
  if (own > 0)
    return "So far the stolen keys read " + std::to_string(own) + " messages of their owner's links and none of " +
           std::to_string(others) + " others";
  const std::string what =
      std::to_string(v.records) + " messages of " + std::to_string(static_cast<int>(seconds)) + " s";
  if (v.outcome == verdict_outcome::opaque) return "So far an eavesdropper could read nothing in " + what;
  return "So far nothing is proven, and nothing was read in " + what;
}

class judge_of_events {
public:
  explicit judge_of_events(options o) : o_(std::move(o)), in_(o_.events) {}

  /// Empty, or what is wrong in one line.
  std::string prepare() {
    verdict_options wanted;
    for (const auto& path : o_.compromised) {
      auto file = load_stolen_state(path);
      if (!file) return file.error().message;
      stolen_->push_back(std::move(*file));
    }
    if (!stolen_->empty()) wanted.compromised = stolen_;
    wanted.utc_at_zero_s = o_.epoch_s;
    wanted.on_search = [](const search_progress&) { return !stop_requested(); };
    analysis_.emplace(std::move(wanted));
    if (o_.keylog.empty()) return {};
    auto log = link_opener::open(o_.keylog);
    if (!log) return log.error().message;
    opener_.emplace(std::move(*log));
    return {};
  }

  bool read() {
    bool any = false;
    for (std::string part; std::getline(in_, part);) {
      if (in_.eof()) {  // a line that is being written
        line_ += part;
        break;
      }
      take(line_ + part);
      line_.clear();
      any = true;
    }
    in_.clear();
    return any;
  }

  std::string report() {
    for (std::size_t i = 0; i < stolen_->size(); ++i)  // a key log grows
      if (auto now = load_stolen_state(o_.compromised[i])) (*stolen_)[i] = std::move(*now);
    const auto v = analysis_->judge();
    json out = json::parse(to_json(v));
    out["headline"] = headline(v, last_ - first_);
    const auto ok = write_private_output(o_.report, out.dump() + '\n');
    return ok ? "" : ok.error().message;
  }

private:
  void take(const std::string& line) {
    const auto e = json::parse(line, nullptr, false);
    if (!e.is_object()) return;
    const auto f = frame_of_line(e, n_);
    if (!f) return;
    ++n_;
    if (first_ == 0) first_ = f->time_s;
    last_ = f->time_s;
    analysis_->add(*f);
    if (opener_) opener_->add(*f);
  }

  options o_;
  std::ifstream in_;
  std::string line_;
  std::shared_ptr<std::vector<stolen_file>> stolen_ = std::make_shared<std::vector<stolen_file>>();
  std::optional<analysis> analysis_;
  std::optional<opener> opener_;
  std::uint64_t n_ = 0;
  double first_ = 0, last_ = 0;
};

int fail_with(const std::string& why) { return std::fprintf(stderr, "live_judge: %s\n", why.c_str()), 1; }

}  // namespace

int main(int argc, char** argv) {
  options o;
  if (!read_options(argc, argv, o))
    return std::fprintf(stderr,
                        "usage: live_judge --events FILE.jsonl --report FILE.json [--every S] [--epoch S] "
                        "[--compromised FILE ..] [--keylog FILE]\n"),
           2;
  install_stop_handler();
  using clock = std::chrono::steady_clock;
  judge_of_events judge(o);
  if (const auto wrong = judge.prepare(); !wrong.empty()) return fail_with(wrong);
  auto next = clock::now();
  while (!stop_requested()) {
    const bool any = judge.read();
    if (clock::now() >= next) {
      const auto begin = clock::now();
      if (const auto wrong = judge.report(); !wrong.empty()) return fail_with(wrong);
      // At most a tenth of a core, however much there is to judge.
      const auto took = clock::now() - begin;
      next = clock::now() +
             std::max<clock::duration>(
                 std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(o.every_s)), 9 * took);
    }
    if (!any) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return 0;
}
