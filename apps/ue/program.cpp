#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "apps/lib/common/stop.h"
#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/key_file.h"
#include "apps/ue/program_state.h"
#include "apps/ue/utc_source.h"
#include "common/bits.h"

namespace prose::apps {

namespace {
constexpr std::int64_t start_ahead_subframes = 200;  // a busy host may not miss the start of its own reception
constexpr std::int64_t goodbye_subframes = 300;  // for releases and answers to them to get out: more than one SC period
constexpr std::int64_t longest_goodbye_subframes = 2500;  // while a release is repeated
}  // namespace

ue_program::ue_program(std::unique_ptr<state> s) : s_(std::move(s)) {}
ue_program::~ue_program() = default;

result<std::unique_ptr<ue_program>> ue_program::make(const program_config& given) {
  auto s = std::make_unique<state>();
  s->config = given;
  auto& c = s->config;
  if (!c.keylog.empty() && !c.allow_keylog)
    return fail("--keylog: the configuration does not permit it; accepted: allow_keylog: true in the file");
  if (c.data == "stdin" && c.events == "-")
    return fail("--events -: standard output carries the data of --data stdin; accepted: a file");
  if (auto ok = s->open_keys(); !ok) return tl::unexpected(ok.error());
  auto events = event_writer::open(c.events);
  if (!events) return tl::unexpected(events.error());
  s->events = std::move(*events);
  if (!c.tx_log.empty()) {
    auto log = event_writer::open(c.tx_log, "--tx-log");
    if (!log) return tl::unexpected(log.error());
    s->tx_log = std::move(*log);
  }

  c.ue.limits.max_queued_octets_per_link = c.max_queued_octets;
  auto u = mac::ue::make(c.ue, *s->port);
  if (!u) return tl::unexpected(u.error());
  s->u = std::move(*u);
  auto modem =
      frame_modem::make({c.ue, c.radio.sample_rate_hz, c.radio.n_rx_antennas, c.tx_power_db, c.rsrp_offset_db});
  if (!modem) return fail("carrier: " + modem.error().message);
  s->modem = std::move(*modem);
  if (c.ue.sync.mode == mac::time_mode::slss) {
    auto search = phy::slss_search::make({.carrier = s->modem->carrier(), .n_antennas = c.radio.n_rx_antennas});
    if (!search) return tl::unexpected(search.error());
    s->search.emplace(std::move(*search));
  }
  if (auto ok = s->open_data(); !ok) return tl::unexpected(ok.error());
  if (!c.keylog.empty()) {
    auto fd = keys::open_key_log(c.keylog);
    if (!fd) return tl::unexpected(fd.error());
    s->keylog_fd = *fd;
    spdlog::warn("KEY LOG: record keys of every link are being written to {}: whoever reads it reads the traffic",
                 c.keylog);
    s->events.write(s->make_event("keylog").add("file", c.keylog).add("warning", "record keys are being written"));
  }
  if (c.dumpable) {
    spdlog::warn(
        "DUMPABLE: this program's memory, with all its keys, may be read by the user's other programs and left in a "
        "core");
    s->events.write(s->make_event("dumpable").add("warning", "the memory with all keys may be read and dumped"));
  }
  if (c.metrics_port >= 0) {
    auto m = metrics_server::open(c.metrics_port);
    if (!m) return tl::unexpected(m.error());
    s->metrics = std::move(*m);
    spdlog::info("metrics on http://127.0.0.1:{}/metrics", s->metrics->port());
  }
  auto radio = phy::radio::open(c.radio);
  if (!radio) return tl::unexpected(radio.error());
  s->radio = std::move(*radio);
  if (!c.pc3.servers.empty()) {
    permission_book::key_map fixed;
    for (const auto& p : s->sec->peers().all()) fixed[p->name] = p->key;
    auto servers = pc3::start(c.pc3, s->sec->peers().own_public(), fixed);
    if (!servers) return tl::unexpected(servers.error());
    s->servers = std::move(*servers);
    const auto list = c.pc3.consent_path();
    const auto consents = keys::read_consents(list);
    const auto granted =
        !consents ? 0 : std::count_if(consents->entries.begin(), consents->entries.end(), [](const auto& e) {
          return e.second.state != keys::consent_state::withdrawn;
        });
    spdlog::info(
        "consent list {}: {} granted. What a server says counts for {:g} h from the last time it said so (pc3.valid_h, "
        "up to 720); who stays "
        "offline for longer uses permission files",
        list, granted, c.pc3.valid_h);
    if (granted == 0)
      spdlog::warn(
          "{}: nobody is granted, so servers link nobody; prose-keys grant NAME, or once grant --from-cache for the "
          "peers of version 0.1",
          list);
    s->events.write(s->make_event("consent")
                        .add("list", list)
                        .add("granted", static_cast<std::int64_t>(granted))
                        .add("valid_h", c.pc3.valid_h));
    if (!c.pc3.keylog.empty()) {
      spdlog::warn(
          "KEY LOG: secrets of every session with a server are being written to {}: whoever reads it reads what is "
          "said there",
          c.pc3.keylog);
      s->events.write(
          s->make_event("keylog").add("file", c.pc3.keylog).add("warning", "TLS secrets are being written"));
    }
  }
  const auto device = s->radio->now_tick();
  if (!device) return tl::unexpected(device.error());
  const double host = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto epoch = utc_at_zero({c.epoch_s, c.epoch_from_system, c.trust_device, is_emulated(c.radio.device_args)},
                                 static_cast<double>(*device) / c.radio.sample_rate_hz, host, c.duration_s);
  if (!epoch) return fail((c.where.time.empty() ? "time" : c.where.time) + ": " + epoch.error().message);
  s->epoch_s = *epoch;
  spdlog::info("{}", s->radio->description());
  for (const auto& n : s->radio->notes()) spdlog::info("{}", n);
  return std::unique_ptr<ue_program>(new ue_program(std::move(s)));
}

/// Views of [first, first + length) in ticks; copies when part of it is missing.
std::vector<std::span<const phy::cf32>> ue_program::state::window(std::int64_t first, std::size_t length,
                                                                  std::vector<std::vector<phy::cf32>>& copy) const {
  std::vector<std::span<const phy::cf32>> out_spans;
  copy.clear();
  for (const auto& a : stream) {
    const std::int64_t from = first - stream_start;
    if (from >= 0 && from + static_cast<std::int64_t>(length) <= static_cast<std::int64_t>(a.size())) {
      out_spans.emplace_back(a.data() + from, length);
      continue;
    }
    copy.emplace_back(length);
    for (std::size_t i = 0; i < length; ++i) {
      const std::int64_t k = from + static_cast<std::int64_t>(i);
      if (k >= 0 && k < static_cast<std::int64_t>(a.size())) copy.back()[i] = a[k];
    }
    out_spans.emplace_back(copy.back());
  }
  return out_spans;
}

/// SLSS of any timing whose subframe starts in subframe n - 1.
std::vector<mac::received_frame> ue_program::state::search_slss(std::int64_t n) {
  std::vector<mac::received_frame> found;
  const std::int64_t first = std::llround(origin + static_cast<double>(n - 1) * spsf);
  std::vector<std::vector<phy::cf32>> copy, copy2;
  const auto spans = window(first, search->window_samples(), copy);
  const auto candidates = search->search(spans);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& c = candidates[i];
    // An echo of an identity that was found better placed.
    if (std::any_of(candidates.begin(), candidates.begin() + i,
                    [&](const auto& better) { return better.n_sl_id == c.n_sl_id; }))
      continue;
    const auto start = static_cast<std::int64_t>(std::llround(c.start_samples));
    const auto at = window(first + start, static_cast<std::size_t>(spsf), copy2);
    for (auto f : modem->receive({n - 1, -1, true, false}, at, [](std::uint8_t) { return false; })) {
      auto* s = std::get_if<mac::rx_slss>(&f.content);
      if (s == nullptr) continue;
      double offset = s->heard.timing_offset_samples + static_cast<double>(start);
      if (offset > spsf / 2.0) {
        offset -= spsf;
        ++f.subframe;
        ++s->heard.local_subframe;
      }
      s->heard.timing_offset_samples = offset;
      found.push_back(f);
    }
  }
  return found;
}

void ue_program::state::process(std::int64_t n) {
  const auto& sync = u->sync();
  const bool timed = sync.has_timing();
  std::vector<mac::received_frame> frames;
  std::vector<std::vector<phy::cf32>> copy;
  std::vector<mac::received_frame> searched;
  const bool scan = search && sync.searches(n);
  if (scan) searched = search_slss(n);
  if (timed) {
    const bool slss = search && sync.is_slss_subframe(n) && !scan;
    const auto spans =
        window(std::llround(origin + static_cast<double>(n) * spsf), static_cast<std::size_t>(spsf), copy);
    const auto heard = modem->receive({n, sync.dfn_subframe(n), slss, u->transmits_in(n)}, spans,
                                      [&](std::uint8_t lsb) { return u->addressed(lsb); });
    frames.assign(heard.begin(), heard.end());
  }
  frames.insert(frames.end(), searched.begin(), searched.end());

  const double utc = epoch_s + device_time();  // within 32 bits: checked at the start and in run()
  const mac::step_input in{n, static_cast<security::time_ms>(std::llround(device_time() * 1000)),
                           static_cast<security::slot_t>(utc), frames, modem->subchannel_rssi_dbm()};
  u->step(in, out);
  keep_mark();
  tell_silence();
  if (servers) {
    servers->set_slot(static_cast<security::slot_t>(utc));
    follow_servers();
  }
  for (const auto& e : out.events) tell(e);
  pending_shift += out.shift_samples;
}

/// Nothing but what anybody hears: no keys, no peers' names.
void ue_program::state::log_sent(const mac::subframe_transmission& t) {
  const auto line = [&](const char* channel, int prb, int n_prb, std::span<const std::uint8_t> octets) {
    event e("sent", (origin + static_cast<double>(t.subframe) * spsf) / rate);
    e.add("channel", channel)
        .add("subframe", t.subframe)
        .add("absolute_subframe", t.absolute_subframe)
        .add("prb", prb)
        .add("n_prb", n_prb);
    if (!octets.empty()) e.add_hex("hex", octets);
    if (t.slss && channel[2] == 'B') e.add("n_sl_id", t.slss->n_sl_id);
    tx_log.write(e);
  };
  if (t.slss) {
    std::array<std::uint8_t, 48> bits{};
    std::array<std::uint8_t, 6> octets{};
    const std::size_t n = phy::mib_sl_bits(config.ue.tm);
    phy::pack(t.slss->mib, std::span(bits).first(n));
    pack_bits(std::span(bits).first(n), std::span(octets).first(n / 8));
    // The middle 72 subcarriers; with an odd number of PRBs they touch seven.
    line("PSBCH", config.ue.n_prb / 2 - 3, 6 + config.ue.n_prb % 2, std::span(octets).first(n / 8));
  }
  if (t.pscch) line("PSCCH", t.pscch->config.prb, phy::is_v2x(config.ue.tm) ? 2 : 1, {});
  if (t.pssch) line("PSSCH", t.pssch->config.prb_start, t.pssch->config.n_prb, *t.pssch->block);
  if (t.psdch) line("PSDCH", t.psdch->config.prb, 2, t.psdch->message);
}

result<void> ue_program::state::transmit() {
  for (const auto& t : out.transmissions) {
    burst.resize(spsf);
    if (auto ok = modem->transmit(t, burst); !ok) return fail("transmission: " + ok.error().message);
    const auto sent = radio->transmit(std::llround(origin + static_cast<double>(t.subframe) * spsf), burst);
    if (!sent) return tl::unexpected(sent.error());
    if (*sent == phy::transmit_status::late)
      ++lates;
    else if (tx_log)
      log_sent(t);
  }
  return {};
}

result<void> ue_program::state::run() {
  spsf = modem->carrier().samples_per_subframe();
  rate = modem->carrier().sample_rate_hz();
  const auto now = radio->now_tick();
  if (!now) return tl::unexpected(now.error());
  const std::int64_t begin = (*now / spsf + start_ahead_subframes) * spsf;
  const auto started = radio->start(begin);
  if (!started) return tl::unexpected(started.error());
  subframe = (*started + spsf - 1) / spsf;
  const int n_antennas = radio->n_antennas();
  stream.assign(n_antennas, {});
  stream_start = *started;
  std::vector<std::vector<phy::cf32>> block(static_cast<std::size_t>(n_antennas),
                                            std::vector<phy::cf32>(static_cast<std::size_t>(spsf)));
  std::vector<std::span<phy::cf32>> block_spans(block.begin(), block.end());
  const std::int64_t first = subframe;
  std::int64_t end = config.duration_s > 0 ? first + static_cast<std::int64_t>(config.duration_s * 1000) : INT64_MAX;
  std::int64_t longest = end;  // of the goodbye
  bool leaving = false;
  events.write(make_event("started").add("name", config.name).add("device", config.radio.device_args));
  for (std::size_t i = 0; i < peers.size(); ++i)
    if (peers[i] != 0) tell_addresses(i);

  while (subframe < end) {
    if (!leaving && (stop_requested() || subframe >= end - goodbye_subframes)) {
      leaving = true;
      for (const auto p : peers)
        if (p != 0) u->release(p);
      end = std::min(end, subframe + goodbye_subframes);
      longest = subframe + longest_goodbye_subframes;
    }
    if (leaving && subframe + 20 >= end && end < longest && sec->links().closing() != 0) end = subframe + 50;
    const auto status = radio->read(block_spans);
    if (!status) return tl::unexpected(status.error());
    if (status->end) break;
    if (status->first_tick != stream_start + static_cast<std::int64_t>(stream[0].size())) {
      for (auto& a : stream) a.clear();
      stream_start = status->first_tick;
    }
    for (std::size_t a = 0; a < stream.size(); ++a)
      stream[a].insert(stream[a].end(), block[a].begin(), block[a].begin() + status->n_samples);
    const std::int64_t stream_end = stream_start + static_cast<std::int64_t>(stream[0].size());
    while (std::llround(origin + static_cast<double>(subframe + 1) * spsf) <= stream_end && subframe < end) {
      poll_data();
      process(subframe);
      if (auto ok = transmit(); !ok) return ok;
      if (pending_shift != 0) {
        origin += pending_shift;
        pending_shift = 0;
      }
      if (subframe >= next_second) {
        next_second = subframe + 1000;
        if (epoch_s + device_time() + 2 > UINT32_MAX) return fail("UTC is beyond 32 bits of seconds");
        each_second();
        if (data_trouble.for_good) return fail(data_trouble.text);
        if (!events.ok()) return fail(config.events + ": cannot be written");
      }
      ++subframe;
    }
    // Keep the last two subframes for the search.
    const std::int64_t keep_from = std::llround(origin + static_cast<double>(subframe - 2) * spsf);
    if (keep_from > stream_start + 4 * spsf) {
      const auto n = std::min<std::int64_t>(keep_from - stream_start, static_cast<std::int64_t>(stream[0].size()));
      for (auto& a : stream) a.erase(a.begin(), a.begin() + n);
      stream_start += n;
    }
    while (const auto e = radio->poll_event()) {
      if (e->kind == phy::radio_event_kind::overflow) spdlog::debug("overflow");
      if (e->kind == phy::radio_event_kind::late) spdlog::debug("late burst");
    }
  }
  return {};
}

result<void> ue_program::run() {
  auto& s = *s_;
  const auto ended = s.run();
  s.keep_last_mark();
  s.each_second();
  const auto r = s.radio->counters();
  s.events.write(
      s.make_event("radio").add("overflows", r.overflows).add("underflows", r.underflows).add("lates", r.lates));
  const auto c = s.u->counters();
  auto e = s.make_event("stopped");
  e.add("subframes_sent", c.subframes_sent)
      .add("blocks_received", s.modem->counters().blocks_ok)
      .add("discovery_heard", c.discovery_heard);
  if (!ended) e.add("error", ended.error().message);
  s.events.write(e);
  s.radio->stop();
  return ended;
}

}  // namespace prose::apps
