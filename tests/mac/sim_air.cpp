#include "tests/mac/sim_air.h"

#include <algorithm>
#include <stdexcept>

namespace prose::mac::test {

namespace {
struct prb_span {
  int first, n;
};
bool overlap(prb_span a, prb_span b) { return a.first < b.first + b.n && b.first < a.first + a.n; }
std::vector<prb_span> occupied(const subframe_transmission& t, bool v2x, int n_prb) {
  std::vector<prb_span> s;
  if (t.slss) s.push_back({n_prb / 2 - 3, 6});
  if (t.pscch) s.push_back({t.pscch->config.prb, v2x ? 2 : 1});
  if (t.pssch) s.push_back({t.pssch->config.prb_start, t.pssch->config.n_prb});
  if (t.psdch) s.push_back({t.psdch->config.prb, 2});
  return s;
}
}  // namespace

sim_node::sim_node(sim_air& air, int index, std::string name, const ue_config& config, const security::ue_config& sec,
                   std::uint64_t seed, const std::optional<cover_config>& cover, port_maker port)
    : air_(air),
      index_(index),
      name_(std::move(name)),
      config_(config),
      sec_config_(sec),
      cover_config_(cover),
      random_(air.config().random ? air.config().random(seed) : std::make_unique<seeded_random>(seed)),
      dh_(*random_),
      make_port_(std::move(port)) {
  auto pair = security::key_pair::generate({*random_, dh_});
  public_ = pair.public_part;
  const auto octets = pair.private_key.expose();
  private_octets_.assign(octets.begin(), octets.end());
  build();
}

void sim_node::build() {
  auto config = sec_config_;
  config.stored_mark = mark_;
  security::static_private_key key{std::span<const std::uint8_t, 32>(private_octets_.data(), 32)};
  security_ = std::make_unique<security::ue_security>(
      config, security::key_pair::from_private(std::move(key), {*random_, dh_}), security::ports{*random_, dh_});
  if (make_port_)
    adapter_ = make_port_(index_, *security_);
  else
    adapter_ = std::make_unique<diskless_adapter>(*security_);
  cover_.reset();
  if (cover_config_) cover_ = std::make_unique<link_cover>(*cover_config_, *adapter_, *random_, dh_);
  by_peer_.clear();
  for (const auto& [node, k] : permitted_)
    if (const auto id = security_->add_peer(std::string("n").append(std::to_string(node)), k)) by_peer_[*id] = node;
  auto made = ue::make(config_, cover_ ? static_cast<security_port&>(*cover_) : *adapter_);
  if (!made) throw std::runtime_error(made.error().message);
  ue_ = std::move(*made);
  wake_ = air_.now;
  booted_at_ = air_.now;
  known_sci_.clear();
}

void sim_node::restart(const ue_config* changed) {
  if (changed != nullptr) config_ = *changed;
  mark_ = security_->discovery().clock().mark_to_store();
  if (const auto t = security_->discovery().clock().now()) mark_ = *t + security::slot_clock::mark_ahead_slots;
  ue_.reset();
  cover_.reset();
  adapter_.reset();
  security_.reset();
  for (auto& [t, list] : air_.air_) std::erase_if(list, [&](const auto& x) { return x.node == index_; });
  told_linked_.clear();
  on = true;
  build();
}

void sim_node::permit(const sim_node& other) {
  permitted_.emplace(other.index_, other.public_);
  if (const auto id = security_->add_peer(std::string("n").append(std::to_string(other.index_)), other.public_))
    by_peer_[*id] = other.index_;
}

peer_id sim_node::id_of(const sim_node& other) const {
  for (const auto& [id, node] : by_peer_)
    if (node == other.index_) return id;
  return 0;
}

void sim_node::take(const step_output& out) {
  for (const auto& e : out.events) {
    if (const auto* d = std::get_if<ev_peer_discovered>(&e)) discovered.insert(by_peer_.at(d->peer));
    if (const auto* l = std::get_if<ev_link_established>(&e)) {
      ++established[by_peer_.at(l->peer)];
      told_linked_.insert(l->peer);
    }
    if (const auto* l = std::get_if<ev_link_lost>(&e)) {
      if (l->reason != security::lost_reason::replaced) told_linked_.erase(l->peer);
      ++lost[by_peer_.at(l->peer)];
      lost_because += std::string(security::name_of(l->reason)) + " at " + std::to_string(air_.now / 1000) + " s; ";
    }
    if (const auto* l = std::get_if<ev_rekeyed>(&e)) ++rekeys[by_peer_.at(l->peer)];
    if (const auto* l = std::get_if<ev_epoch>(&e)) ++epochs[by_peer_.at(l->peer)];
    if (const auto* l = std::get_if<ev_attempt_failed>(&e)) ++failed[by_peer_.at(l->peer)];
    if (const auto* d = std::get_if<ev_data>(&e)) {
      data_before_link += told_linked_.contains(d->peer) ? 0 : 1;
      if (keep_data) received[by_peer_.at(d->peer)].push_back(d->data);
      received_octets[by_peer_.at(d->peer)] += d->data.size();
      ++received_sdus[by_peer_.at(d->peer)];
    } else if (!std::holds_alternative<ev_peer_discovered>(e) && keep_data) {
      events.push_back(e);
    }
  }
}

sim_node& sim_air::add(const std::string& name, const ue_config& config, const security::ue_config& sec,
                       const std::optional<cover_config>& cover, port_maker port) {
  const auto i = static_cast<int>(nodes_.size());
  nodes_.emplace_back(*this, i, name, config, sec, config_.seed * 1000 + static_cast<std::uint64_t>(i) + 1, cover,
                      std::move(port));
  return nodes_.back();
}

void sim_air::tick() {
  std::vector<on_the_air> sent;
  if (!air_.empty() && air_.begin()->first == now) {
    sent = std::move(air_.begin()->second);
    air_.erase(air_.begin());
  }
  const auto n_sent = sent.size();
  std::vector<char> spoiled(n_sent * 4, 0);
  std::vector<std::vector<prb_span>> used(n_sent);
  for (std::size_t i = 0; i < n_sent; ++i) {
    const auto& c = nodes_[sent[i].node].config_;
    used[i] = occupied(sent[i].t, phy::is_v2x(c.tm), c.n_prb);
    if (on_air) on_air(sent[i].node, sent[i].t);
  }
  if (config_.collisions)
    for (std::size_t i = 0; i < n_sent; ++i)
      for (std::size_t j = i + 1; j < n_sent; ++j)
        for (std::size_t a = 0; a < used[i].size(); ++a)
          for (std::size_t b = 0; b < used[j].size(); ++b)
            if (overlap(used[i][a], used[j][b])) {
              // SLSS of UEs that follow one reference are the same signal: they add up.
              if (sent[i].t.slss && sent[j].t.slss && sent[i].t.slss->n_sl_id == sent[j].t.slss->n_sl_id) continue;
              spoiled[i * 4 + a] = spoiled[j * 4 + b] = 1;
              ++collisions;
            }
  std::bernoulli_distribution lost(config_.loss);
  for (auto& node : nodes_) {
    if (!node.on) continue;
    std::vector<received_frame> frames;
    const bool deaf = config_.half_duplex &&
                      std::any_of(sent.begin(), sent.end(), [&](const auto& s) { return s.node == node.index_; });
    if (deaf && n_sent > 1) ++half_duplex;
    if (deaf && on_outcome)
      for (const auto& s : sent)
        if (s.node != node.index_)
          on_outcome(s.node, node.index_, s.t, s.t.pscch ? outcome::half_duplex : outcome::not_sent,
                     s.t.pssch ? outcome::half_duplex : outcome::not_sent);
    if (!deaf && n_sent != 0 && !(config_.loss > 0 && lost(rng_))) {
      for (std::size_t i = 0; i < n_sent; ++i) {
        const auto& s = sent[i];
        if (s.node == node.index_ || (hears && !hears(s.node, node.index_))) continue;
        const auto& tx_config = nodes_[s.node].config_;
        const bool v2x = phy::is_v2x(tx_config.tm);
        std::size_t part = i * 4;
        outcome pscch = s.t.pscch ? outcome::collided : outcome::not_sent,
                pssch = s.t.pssch ? outcome::collided : outcome::not_sent;
        if (s.t.slss && spoiled[part++] == 0)
          frames.push_back({now, rx_slss{{s.t.slss->n_sl_id, s.t.slss->mib.in_coverage,
                                          s.t.slss->mib.direct_frame_number * 10 + s.t.slss->mib.direct_subframe_number,
                                          now, -80, 0}}});
        bool sci_known = false;
        const std::int64_t period = v2x ? 0 : s.t.absolute_subframe / tx_config.comm.sc_period_subframes;
        if (s.t.pscch && spoiled[part++] == 0) {
          sci_known = true;
          pscch = outcome::heard;
          if (const auto* sci = std::get_if<phy::sci_format1>(&s.t.pscch->sci))
            frames.push_back({now, rx_sci1{*sci, s.t.pscch->config.prb, -80}});
          else
            node.known_sci_[{s.node * 256 + std::get<phy::sci_format0>(s.t.pscch->sci).group_destination_id, period}] =
                now;
        }
        if (s.t.pssch && spoiled[part++] == 0) {
          std::optional<std::uint8_t> dst;
          if (!v2x) {
            dst = static_cast<std::uint8_t>(s.t.pssch->config.n_x_id);
            sci_known = node.known_sci_.contains({s.node * 256 + *dst, period});
          }
          pssch = sci_known ? outcome::heard : outcome::no_sci;
          if (sci_known) {
            const void* key = s.t.pssch->block.get();
            auto [d, fresh] = delivered_.try_emplace(key);
            if (fresh) {
              d->second = {s.t.pssch->block, std::vector<bool>(nodes_.size()), now};
              delivered_order_.emplace_back(now, key);
            }
            d->second.to.resize(nodes_.size());
            if (!d->second.to[node.index_]) {
              d->second.to[node.index_] = true;
              ++deliveries;
              frames.push_back({now, rx_block{*s.t.pssch->block, dst}});
            }
          }
        }
        if (s.t.psdch && spoiled[part++] == 0) frames.push_back({now, rx_discovery{s.t.psdch->message}});
        if (on_outcome) on_outcome(s.node, node.index_, s.t, pscch, pssch);
      }
      // Those of a period that goes on stay.
      if (node.known_sci_.size() > 256)
        std::erase_if(node.known_sci_, [this](const auto& k) { return k.second < now - 1000; });
    }
    if (inject) inject(node.index_, frames);
    if (frames.empty() && node.wake_ > now) continue;
    const step_input in{now, now - node.booted_at_, slot_of(node), frames, {}};
    node.ue_->step(in, output_);
    for (auto& t : output_.transmissions) air_[t.subframe].push_back({node.index_, std::move(t)});
    node.take(output_);
    node.wake_ = node.ue_->next_wakeup(now);
  }
  while (!delivered_order_.empty() && delivered_order_.front().first < now - 2000) {
    delivered_.erase(delivered_order_.front().second);
    delivered_order_.pop_front();
  }
}

void sim_air::run(std::int64_t subframes) {
  const std::int64_t end = now + subframes;
  while (now < end) {
    tick();
    std::int64_t next = end;
    for (const auto& n : nodes_)
      if (n.on) next = std::min(next, n.wake_);
    if (!air_.empty()) next = std::min(next, air_.begin()->first);
    now = std::max(now + 1, std::min(next, end));
  }
}

bool sim_air::run_until(const std::function<bool()>& done, std::int64_t subframes) {
  for (const std::int64_t end = now + subframes; now < end;) {
    if (done()) return true;
    run(std::min<std::int64_t>(20, end - now));
  }
  return done();
}

}  // namespace prose::mac::test
