#include "apps/town/town.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <limits>
#include <queue>

#include "apps/town/listener.h"
#include "apps/town/resident.h"
#include "mac/default_pools.h"
#include "security/crypto/x25519.h"

namespace prose::apps::town {
namespace {

constexpr int n_prb = 25;
constexpr std::int64_t ahead_subframes = 128;  ///< above every lead of the MAC
constexpr std::int64_t switched_on_within_ms = 1000, under_way_ms = 3000;
constexpr double noise_dbm = -123;  ///< of a resource element, with a noise figure of 9 dB

std::int64_t resident_octets() {
  long total = 0, resident_pages = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &resident_pages) != 2) resident_pages = 0;
    std::fclose(f);
  }
  return static_cast<std::int64_t>(resident_pages) * sysconf(_SC_PAGESIZE);
}

mac::ue_config ue_of(const town_config& c) {
  auto ue = mac::default_ue_config(c.tm == 2 ? phy::transmission_mode::tm2 : phy::transmission_mode::tm4, n_prb);
  ue.sync.mode = mac::time_mode::gnss;
  return ue;
}

/// The value that a share of all do not exceed; those that are missing are larger than all.
double quantile(std::vector<std::int64_t> values, std::size_t of, double share) {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(of));
  if (of == 0 || at >= values.size()) return std::numeric_limits<double>::quiet_NaN();
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return static_cast<double>(values[at]);
}

class simulation {
public:
  explicit simulation(const town_config& c)
      : config_(c),
        before_octets_(resident_octets()),
        ue_(ue_of(c)),
        ground_(c.ground, c.ues, c.seed),
        air_(ue_, ground_, curve_table::built_in(), c.seed),
        octets_(c.seed ^ 0x64686468ULL),
        dh_(octets_),
        pending_(ahead_subframes),
        stepped_(static_cast<std::size_t>(c.ues), -1) {
    if (c.listener) listener_.emplace(ue_);
    populate();
    introduce();
  }

  bool run(const std::function<bool()>& stop, const std::function<void(double)>& progress) {
    const double before = cpu_now_s();
    const auto end = static_cast<std::int64_t>(std::llround(1000 * config_.seconds));
    for (now_ = 0; now_ < end; ++now_) {
      if (now_ % 100 == 0) {
        if (stop()) return false;
        progress(static_cast<double>(now_) / static_cast<double>(end));
      }
      subframe();
    }
    cost_.cpu_s = cpu_now_s() - before - (listener_ ? listener_->cpu_s() : 0);
    return true;
  }

  town_result result() {
    town_result r;
    r.figures = figures();
    cost_.memory_octets = resident_octets() - before_octets_;
    if (listener_) {
      r.figures.judged = listener_->judge(now_, air_.counted());
      cost_.verdict_cpu_s = listener_->cpu_s();
      cost_.verdict_frames = listener_->frames();
    }
    r.cost = cost_;
    return r;
  }

private:
  void populate() {
    const traffic_config traffic{config_.every_s, 60, static_cast<std::int64_t>(1000 * config_.seconds) - under_way_ms};
    phy::simulation_rng rng(phy::hash64(config_.seed ^ 0x6F6EULL));
    for (int i = 0; i < config_.ues; ++i) {
      const std::uint64_t seed = phy::hash64(config_.seed ^ phy::hash64(static_cast<std::uint64_t>(i)));
      const auto on_ms = static_cast<std::int64_t>(switched_on_within_ms * rng.uniform());
      ues_.emplace_back(i, seed, on_ms, ue_, dh_, traffic);
      wakes_.push({on_ms, i});
    }
  }

  /// Random acquaintances among those who hear each other well.
  void introduce() {
    phy::simulation_rng rng(phy::hash64(config_.seed ^ 0x706565727320ULL));
    std::vector<std::vector<int>> permitted(ues_.size());
    const auto least = static_cast<float>(std::pow(10.0, config_.link_snr_db / 10));
    const auto most = static_cast<std::size_t>(config_.peers);
    std::vector<int> near;
    for (int i = 0; i < config_.ues; ++i) {
      near.clear();
      for (const auto& h : ground_.hearers_of(i))
        if (static_cast<int>(h.who) != ground_.listener() && h.snr >= least) near.push_back(static_cast<int>(h.who));
      for (std::size_t left = near.size(); left > 0 && permitted[i].size() < most; --left) {
        std::swap(near[rng.below(static_cast<int>(left))], near[left - 1]);
        const int other = near[left - 1];
        auto& theirs = permitted[other];
        if (theirs.size() >= most || std::find(theirs.begin(), theirs.end(), i) != theirs.end()) continue;
        theirs.push_back(i);
        permitted[i].push_back(other);
        ues_[i].permit(ues_[other]);
        ues_[other].permit(ues_[i]);
      }
    }
  }

  void subframe() {
    auto& sent_now = pending_[now_ % ahead_subframes];
    due_.clear();
    while (!wakes_.empty() && wakes_.top().first <= now_) {
      const int i = wakes_.top().second;
      wakes_.pop();
      // A UE that heard something meanwhile has another entry.
      if (ues_[i].wake() <= now_) due_.push_back(i);
    }
    if (sent_now.empty() && due_.empty()) return;
    std::sort(sent_now.begin(), sent_now.end(), [](const sent& a, const sent& b) { return a.from < b.from; });
    air_.subframe(
        now_, sent_now,
        [](void* town, int who, std::uint8_t id) {
          auto& u = static_cast<simulation*>(town)->ues_[who];
          return static_cast<simulation*>(town)->now_ >= u.on_ms() && u.asks(id);
        },
        this);
    for (const auto who : air_.receivers()) {
      if (static_cast<int>(who) == ground_.listener()) {
        if (listener_) listener_->hear(now_, air_.of(who), [this](int from) { return ues_[from].cfo_hz(); });
      } else if (now_ >= ues_[who].on_ms() && !air_.of(who).items.empty()) {
        step(static_cast<int>(who), &air_.of(who));
      }
    }
    for (const int i : due_)
      if (stepped_[i] != now_) step(i, nullptr);
    sent_now.clear();
  }

  void step(int i, const reception* heard) {
    frames_.clear();
    rssi_.clear();
    stepped_[i] = now_;
    if (heard != nullptr) take(*heard);
    ++cost_.steps;
    ues_[i].step(now_, frames_, rssi_, output_);
    for (auto& t : output_.transmissions) {
      auto& at = pending_[t.subframe % ahead_subframes];
      at.push_back({i, std::move(t)});
    }
    wakes_.push({ues_[i].wake(), i});
  }

  void take(const reception& r) {
    for (const auto& item : r.items) {
      const auto& t = item.of->t;
      if (item.pscch)
        if (const auto* sci = std::get_if<phy::sci_format1>(&t.pscch->sci))
          frames_.push_back({now_, mac::rx_sci1{*sci, t.pscch->config.prb, noise_dbm + item.rsrp_db}});
      if (item.block) {
        mac::rx_block b{*t.pssch->block, {}, {item.snr_db, ues_[item.of->from].cfo_hz(), 0}};
        if (config_.tm == 2) b.group_destination_id = static_cast<std::uint8_t>(t.pssch->config.n_x_id);
        frames_.push_back({now_, b});
      }
      if (item.psdch) frames_.push_back({now_, mac::rx_discovery{t.psdch->message}});
    }
    if (config_.tm == 4)
      for (int m = 0; m < ue_.v2x.n_subchannels; ++m)
        rssi_.push_back(noise_dbm + 10 * std::log10(12.0 * ue_.v2x.size_subchannel * r.subchannel_power[m]));
  }

  town_figures figures() const {
    town_figures f;
    std::vector<std::int64_t> discovered, set_ups;
    std::uint64_t delay_ms = 0, n_received = 0, hearers = 0;
    for (const auto& u : ues_) {
      hearers += ground_.hearers_of(u.index()).size();
      f.messages_sent += u.counters().discovery_sent, f.messages_heard += u.counters().discovery_heard;
      for (const auto& a : u.known()) {
        ++f.directions;
        if (a.discovered_ms >= 0) discovered.push_back(a.discovered_ms - a.both_on_ms);
        // The slot in which the second was switched on counts.
        f.slots += static_cast<std::uint64_t>(now_ / 1000 - a.both_on_ms / 1000);
        f.slots_heard += a.slots_heard;
        f.established += a.established, f.failed += a.failed, f.lost += a.lost;
        set_ups.insert(set_ups.end(), a.set_up_ms.begin(), a.set_up_ms.end());
        const auto& other = back(u, a);
        f.linked += u.index() < a.who && a.linked && other.linked;
        f.sent += other.counted;
        for (std::size_t i = 0; i < std::min<std::size_t>(other.counted, a.received.size()); ++i)
          f.delivered += a.received[i];
        delay_ms += a.delay_ms, n_received += a.n_received;
      }
    }
    f.pairs = f.directions / 2;
    f.discovered = discovered.size();
    f.discovery_median_ms = quantile(discovered, f.directions, 0.5);
    f.discovery_p95_ms = quantile(discovered, f.directions, 0.95);
    f.set_up_median_ms = quantile(set_ups, set_ups.size(), 0.5);
    f.delivery_mean_ms = n_received == 0 ? std::numeric_limits<double>::quiet_NaN()
                                         : static_cast<double>(delay_ms) / static_cast<double>(n_received);
    f.hearers = static_cast<double>(hearers) / static_cast<double>(ues_.size());
    f.counted = air_.counted();
    return f;
  }

  const acquaintance& back(const resident& u, const acquaintance& a) const {
    const auto& theirs = ues_[a.who].known();
    return *std::find_if(theirs.begin(), theirs.end(), [&](const auto& b) { return b.who == u.index(); });
  }

  town_config config_;
  std::int64_t before_octets_;
  mac::ue_config ue_;
  ground ground_;
  air air_;
  seeded_octets octets_;
  security::crypto::mbedtls_x25519 dh_;
  std::deque<resident> ues_;
  std::optional<listener> listener_;
  std::vector<std::vector<sent>> pending_;  ///< by subframe
  using wake = std::pair<std::int64_t, int>;
  std::priority_queue<wake, std::vector<wake>, std::greater<>> wakes_;
  std::vector<std::int64_t> stepped_;
  std::vector<int> due_;
  std::vector<mac::received_frame> frames_;
  std::vector<double> rssi_;
  mac::step_output output_;
  std::int64_t now_ = 0;
  town_cost cost_;
};

}  // namespace

std::optional<town_result> run_town(const town_config& config, const std::function<bool()>& stop,
                                    const std::function<void(double)>& progress) {
  const auto s = std::make_unique<simulation>(config);
  if (!s->run(stop, progress)) return std::nullopt;
  return s->result();
}

std::string name_of(const town_config& c) {
  char out[256];
  std::snprintf(out, sizeof out,
                "TM%d %d UEs, %g m, %g s, %d peers above %g dB, message every %g s, %g dB at 100 m, exponent %g, "
                "%s%g dB, listener %d, seed %llu",
                c.tm, c.ues, c.ground.side_m, c.seconds, c.peers, c.link_snr_db, c.every_s, c.ground.snr_100m_db,
                c.ground.exponent, c.ground.equal ? "all at " : "up to ", c.ground.highest_snr_db, c.listener ? 1 : 0,
                static_cast<unsigned long long>(c.seed));
  return out;
}

}  // namespace prose::apps::town
