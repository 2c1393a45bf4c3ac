#include "apps/lib/listen/sync_search.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "apps/lib/common/progress.h"

namespace prose::apps {
namespace {
constexpr double first_part_s = 2;
/// An SCI alone may be noise (its CRC has 16 bits).
constexpr std::uint64_t least_scis = 2;

struct score {
  std::uint64_t blocks = 0, scis = 0;  ///< blocks: of any kind with a CRC of its own, MIB-SL included
  bool any() const { return blocks > 0 || scis >= least_scis; }
  bool operator>(const score& o) const { return std::pair(blocks, scis) > std::pair(o.blocks, o.scis); }
};

result<score> try_one(const std::string& recording, double rate_hz, const scene& known, listen_sync way,
                      double duration_s, const std::function<bool()>& stop, progress_bar& progress) {
  auto reader = phy::sigmf_reader::open(recording, {.rate_hz = rate_hz});
  if (!reader) return tl::unexpected(reader.error());
  capture_options options;
  options.sync = way;
  options.duration_s = duration_s;
  options.stop = stop;
  options.tell_odd_samples = false;
  std::string assumed;
  const auto all = static_cast<double>((*reader)->n_samples());
  const double wanted = duration_s > 0 ? std::min(all, duration_s * (*reader)->sample_rate_hz()) : all;
  auto made = capture::make(std::make_unique<file_source>(std::move(*reader), 1), known, std::move(options), assumed);
  if (!made) return tl::unexpected(made.error());
  event_writer nowhere;
  const auto done = made->run(
      nowhere,
      {{.progress = [&](std::int64_t n, double) { progress.update(static_cast<double>(n) / wanted, name_of(way)); }}});
  if (!done) return tl::unexpected(done.error());
  const auto& n = done->statistics;
  return score{n.mib + n.tb_ok + n.discovery, n.sci};
}
}  // namespace

const char* name_of(listen_sync s) {
  switch (s) {
    case listen_sync::slss:
      return "slss";
    case listen_sync::aligned:
      return "aligned";
    case listen_sync::blind:
      return "blind";
    case listen_sync::gnss:
      break;
  }
  return "gnss";
}

result<sync_search> search_sync(const std::string& recording, double rate_hz, const scene& known, double duration_s,
                                const std::function<bool()>& stop) {
  sync_search out;
  std::vector<double> parts{first_part_s, duration_s};
  if (duration_s > 0 && duration_s <= first_part_s) parts.erase(parts.begin());
  progress_bar progress("--sync auto");
  for (const double part_s : parts) {
    score best;
    out.tried.clear();
    for (const auto way : {listen_sync::aligned, listen_sync::gnss, listen_sync::slss, listen_sync::blind}) {
      if (stop() || (way == listen_sync::blind && out.way)) break;
      const auto found = try_one(recording, rate_hz, known, way, part_s, stop, progress);
      if (!found) return tl::unexpected(found.error());
      out.tried += (out.tried.empty() ? "" : ", ") + std::string(name_of(way)) + ' ' +
                   std::to_string(found->blocks + found->scis);
      if (!found->any() || !(*found > best)) continue;
      best = *found;
      out.way = way;
    }
    if (out.way) break;
  }
  out.tried += " frames";
  return out;
}

std::string what_to_try(const std::string& recording, const phy::carrier_config& carrier,
                        std::optional<listen_sync> way) {
  const std::string prb = std::to_string(carrier.n_prb);
  std::string text = recording + ": nothing was decoded with " + prb + " PRB, TM" +
                     std::to_string(static_cast<int>(carrier.tm)) + " and --sync " + (way ? name_of(*way) : "auto");
  text += way ? "; try --sync auto, and --carrier prb=" : "; try --carrier prb=";
  return text + prb + (phy::is_v2x(carrier.tm) ? ",tm=2" : ",tm=4") +
         "; prose-iq plot shows whether there is a signal at all";
}

}  // namespace prose::apps
