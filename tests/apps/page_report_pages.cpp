// Writes report pages for the test in the browser: page_report_pages FOLDER. "opaque" and "exposed" have hostile texts,
// "large" the most frames that a page holds; what that one costs is printed.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "apps/sniffer/report_page.h"
#include "mac/sl_sch.h"

namespace {
using namespace prose;
using namespace prose::apps;

constexpr double rate_hz = 1.92e6;
constexpr const char* hostile =
    "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">&amp;{{js}}\xff\x01";

/// Frames of all kinds, as they follow each other; layer-2 IDs change every 400.
captured_frame frame(std::uint64_t n, std::mt19937& random) {
  captured_frame f;
  f.number = n;
  f.sample = static_cast<std::int64_t>(n) * 1920;
  f.time_s = 1000 + static_cast<double>(n) * 1e-3;
  f.absolute_subframe = static_cast<int>(n % 10240);
  f.snr_db = 10 + static_cast<float>(random() % 100) / 10;
  f.cfo_hz = static_cast<float>(n % 3) * 300;
  f.prb_start = static_cast<int>(n % 5);
  f.n_prb = 2;
  f.kind = n % 10 == 0   ? frame_kind::mib_sl
           : n % 10 == 1 ? frame_kind::discovery
           : n % 2 == 0  ? frame_kind::sci
                         : frame_kind::sl_sch;
  f.crc_ok = n % 50 != 3;
  f.repetition = n % 10 == 5;
  f.octets.resize(f.kind == frame_kind::sl_sch ? 90 : f.kind == frame_kind::discovery ? 29 : 5);
  for (auto& o : f.octets) o = static_cast<std::uint8_t>(random());
  if (f.kind == frame_kind::sl_sch) {  // a header of a block: version 3, source, destination, one SDU to the end
    const auto epoch = static_cast<std::uint8_t>(n / 400);
    const std::uint8_t header[] = {0x30, 0xaa, epoch, 0x01, 0xbb, epoch, 0x02, 0x03};
    std::copy(std::begin(header), std::end(header), f.octets.begin());
    f.modulation_order = n % 3 == 0 ? 4 : 2;
    f.mcs = 9;
  }
  if (f.kind == frame_kind::sci) f.sci = phy::sci_format1{1, 2, 3, 4, 5, 1, 0, 0};
  if (!f.crc_ok) f.octets.clear();
  f.n_bits = static_cast<int>(8 * f.octets.size());
  return f;
}

void add_residuals(verdict& v) {
  v.residuals = {{"power", 60, 21, 0.35, 0.24, 0.48, 1.0 / 3}, {"cfo", 60, 60, 1, 0.94, 1, 1.0 / 3}};
  v.followed = {{1, 300, {"cfo", 8, 6, 0.75, 0.4, 0.9, 0.5}}};
  v.traffic = {{"sizes of blocks", 0, 0, 0, 0, 0, 0}};
}

statistic& compressible(verdict& v) {
  return *std::find_if(v.statistics.begin(), v.statistics.end(),
                       [](const auto& s) { return s.aspect == "content" && s.check == "code_octets"; });
}

verdict opaque() {
  verdict v = judge({}, {});
  v.outcome = verdict_outcome::opaque;
  v.doubts.clear();
  v.records = 83;
  v.record_octets = 9600;
  v.links = 4;
  v.discovery_frames = 40;
  v.heard.seconds = 107.7;
  v.figures = {{"blocks_decoded", 0.97, 0.9, true, 97, 100}, {"records", 83, 8, true, 83, 83}};
  for (std::size_t i = 0; i < v.statistics.size(); i += 2) v.statistics[i].n = 9600;
  compressible(v).n = 9600;
  v.octets = {1000, 900, 60, 10, 10, 20, 0};
  v.transmitters = {{"src 1c92e5", verdict_outcome::opaque, "nothing found", v.octets, 4, 0, 0, 8, 500, false, {}}};
  v.n_transmitters = 1;
  add_residuals(v);
  return v;
}

verdict exposed() {
  verdict v = opaque();
  v.outcome = verdict_outcome::exposed;
  v.findings = {{"content", "count_reuse", hostile, {25, 27}, 12}, {hostile, hostile, hostile, {1}, 1}};
  v.remarks = {{"presence", "replayed_request", hostile, {31}, 1}};
  v.doubts = {{"blocks_decoded", hostile, {}}};
  compressible(v).p_value = 1e-40;
  compressible(v).value = 213;
  v.opened_links = {{0xaa0001, 0xbb0002, 7, hostile, 5, 9, false, {35}}};
  v.keys_tried = 3;
  return v;
}

void write(const std::string& path, const verdict& v, std::uint64_t n_frames) {
  std::mt19937 random(1);
  report_page page;
  phy::constellation_sample symbols;
  std::vector<phy::cf32> block(1920);
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t n = 0; n < n_frames; ++n) {
    if (n < 2000) {
      for (auto& s : block)
        s = phy::cf32(static_cast<float>(random() % 200), static_cast<float>(random() % 200)) / 1000.0F;
      page.add_samples(block);
    }
    for (auto& s : symbols) s = {random() % 2 == 0 ? 0.7F : -0.68F, random() % 2 == 0 ? 0.72F : -0.7F};
    page.add(frame(n, random), symbols);
  }
  page_facts facts;
  facts.source = hostile;
  facts.carrier = "6 PRB, TM4, normal prefix";
  facts.sample_rate_hz = rate_hz;
  facts.seconds = static_cast<double>(n_frames) * 1e-3;
  facts.frequency_hz = 5.9e9;
  facts.command = std::string("prose-sniffer --iq ") + hostile;
  facts.version = "prose-sniffer 0";
  facts.digest = std::string(64, 'a');
  facts.transmitters = hostile;
  const auto html = page.html(v, facts);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::ofstream(path, std::ios::binary) << html;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%s: %llu frames, %.2f s, %.1f MB, at most %ld MB of memory so far\n", path.c_str(),
              static_cast<unsigned long long>(n_frames), took.count(), static_cast<double>(html.size()) / 1e6,
              usage.ru_maxrss / 1024);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  write(folder + "/opaque.html", opaque(), 2000);
  write(folder + "/exposed.html", exposed(), 2000);
  write(folder + "/nothing.html", judge({}, {}), 0);
  write(folder + "/large.html", opaque(), 100'000);
  return 0;
}
