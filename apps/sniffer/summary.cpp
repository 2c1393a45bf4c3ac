#include "apps/sniffer/summary.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "apps/lib/capture/frame_words.h"
#include "apps/lib/common/progress.h"
#include "mac/rlc_um.h"

namespace prose::apps {
namespace {
constexpr auto terminal_interval = std::chrono::milliseconds(250);
constexpr auto pipe_interval = std::chrono::seconds(10);
constexpr std::size_t shown_rows = 12;

template <class... A>
std::string line(const char* format, A... a) {
  char text[200];
  std::snprintf(text, sizeof text, format, a...);
  return text;
}
std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
}  // namespace

std::string waiting_text(std::uint64_t times_full, std::uint64_t samples_lost) {
  if (times_full == 0) return {};
  return "processing was slower than the device " + std::to_string(times_full) + " times: " +
         (samples_lost == 0 ? "the device could wait, so no sample was lost"
                            : std::to_string(samples_lost) + " samples were lost where it could not wait");
}

summary::summary(const sniffer_settings& s, const phy::carrier_config& carrier, std::optional<std::int64_t> n_samples)
    : terminal_(!s.plain && draws_on_terminal()),
      rate_hz_(carrier.sample_rate_hz()),
      n_samples_(n_samples),
      started_(std::chrono::steady_clock::now()),
      next_(started_ + (terminal_ ? terminal_interval : pipe_interval)) {}

void summary::add(const captured_frame& f) {
  switch (f.kind) {
    case frame_kind::sci:
      ++sci_;
      return;
    case frame_kind::mib_sl:
      ++mib_;
      break;
    case frame_kind::sl_sch:
      if (f.crc_ok) ++(f.repetition ? repeated_ : blocks_);
      break;
    case frame_kind::discovery:
      ++discovery_;
      break;
  }
  if (!f.crc_ok) return;
  const auto pdu = sl_sch_of(f);
  auto& t = heard_[f.kind == frame_kind::discovery ? "discovery" : who(f)];
  if (pdu && !f.repetition) count_lost(t, *pdu);
  const double share = t.frames == 0 ? 1.0 : 0.1;
  if (t.frames == 0) t.first_s = f.time_s;
  ++t.frames;
  t.octets += f.octets.size();
  t.last_s = f.time_s;
  t.power_db += share * (f.power_db - t.power_db);
  t.snr_db += share * (f.snr_db - t.snr_db);
  t.cfo_hz += share * (f.cfo_hz - t.cfo_hz);
  t.timing_samples += share * (f.timing_offset_samples - t.timing_samples);
  if (heard_.size() <= max_transmitters) return;
  ++forgotten_;
  heard_.erase(std::min_element(heard_.begin(), heard_.end(),
                                [](const auto& a, const auto& b) { return a.second.last_s < b.second.last_s; }));
}

/// A step of up to half the range of the 5-bit SN is taken for loss, a larger one for a PDU that came late.
void summary::count_lost(transmitter& t, const mac::sl_sch_pdu& pdu) {
  mac::umd_pdu umd;
  for (const auto& sdu : pdu.all()) {
    if (!mac::parse(sdu.data, umd)) continue;
    const auto [next, fresh] = t.next_sn.try_emplace(sdu.lcid, umd.sn);
    const unsigned step = (umd.sn - next->second) & 31U;
    if (step >= 16) continue;
    if (!fresh) t.lost += step;
    next->second = static_cast<std::uint8_t>((umd.sn + 1) & 31U);
  }
}

std::string summary::text(std::size_t columns) const {
  const std::string whole = text();
  std::string out;
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t end = whole.find('\n', at);
    out += whole.substr(at, std::min(end - at, columns)) + '\n';
    at = end + 1;
  }
  return out;
}

std::string summary::text() const {
  std::string out = line(
      "%.1f s: %llu blocks (+%llu repetitions, %llu failed), %llu SCI, %llu discovery, %llu MIB-SL, %llu samples lost",
      seconds(), static_cast<unsigned long long>(blocks_), static_cast<unsigned long long>(repeated_),
      static_cast<unsigned long long>(failed_), static_cast<unsigned long long>(sci_),
      static_cast<unsigned long long>(discovery_), static_cast<unsigned long long>(mib_),
      static_cast<unsigned long long>(lost_));
  if (n_samples_ && *n_samples_ > 0)
    out += line(", %.0f %%", 100.0 * static_cast<double>(samples_) / static_cast<double>(*n_samples_));
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  if (wall > 0.1) out += line(", %.2f x real time", seconds() / wall);
  out += "\n";
  if (heard_.empty()) return out;
  std::vector<const decltype(heard_)::value_type*> rows;
  for (const auto& h : heard_) rows.push_back(&h);
  std::sort(rows.begin(), rows.end(), [](auto* a, auto* b) { return a->second.last_s > b->second.last_s; });
  out += line("  %-17s %7s %6s %8s %6s %7s %6s %6s %6s\n", "who", "frames", "lost", "octets", "per s", "dBFS/RE", "SNR",
              "CFO Hz", "last s");
  for (std::size_t i = 0; i < std::min(rows.size(), shown_rows); ++i) {
    const auto& [name, t] = *rows[i];
    const double span = t.last_s - t.first_s;
    out += line("  %-17s %7llu %6llu %8llu %6.1f %7.1f %6.1f %6.0f %6.1f\n", name.c_str(),
                static_cast<unsigned long long>(t.frames), static_cast<unsigned long long>(t.lost),
                static_cast<unsigned long long>(t.octets), span > 0 ? static_cast<double>(t.frames - 1) / span : 0.0,
                t.power_db, t.snr_db, t.cfo_hz, t.last_s);
  }
  if (rows.size() > shown_rows) out += line("  and %zu others\n", rows.size() - shown_rows + forgotten_);
  return out;
}

void summary::draw() {
  if (!terminal_) {
    std::string out = text();
    out.resize(out.find('\n') + 1);  // a pipe gets the first line only
    std::fputs(out.c_str(), stderr);
    return;
  }
  const std::string out = text(terminal_columns());
  if (drawn_lines_ > 0) std::fprintf(stderr, "\033[%dA\033[J", drawn_lines_);
  std::fputs(out.c_str(), stderr);
  std::fflush(stderr);
  drawn_lines_ = static_cast<int>(std::count(out.begin(), out.end(), '\n'));
}

void summary::tick(std::int64_t samples, std::uint64_t samples_lost, std::uint64_t blocks_failed) {
  samples_ = samples;
  lost_ = samples_lost;
  failed_ = blocks_failed;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? std::chrono::steady_clock::duration(terminal_interval)
                           : std::chrono::steady_clock::duration(pipe_interval));
  draw();
}

void summary::finish() {
  if (terminal_) draw();
}

}  // namespace prose::apps
