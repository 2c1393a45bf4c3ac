// Scalar multiplications: how many each peer may cause, and when its answer leaves. What one peer is given never
// depends on what others ask for.
#include <algorithm>

#include "security/crypto/hash.h"
#include "security/link.h"
#include "security/link_engine.h"

namespace prose::security {

octets_digest digest_of(bytes_view octets) {
  crypto::digest256 d{};
  crypto::digest(crypto::hash::sha256, {octets}, d);
  octets_digest out{};
  std::copy_n(d.begin(), out.size(), out.begin());
  return out;
}

peer_budget& link_engine::budget_of(peer_id peer, time_ms now) {
  const std::int64_t all = std::int64_t{config_.set_up_multiplications} * config_.budget_interval_ms;
  return budgets_.try_emplace(peer, peer_budget{all, now}).first->second;
}

bool link_engine::afford(peer_id peer, std::uint32_t multiplications, time_ms now) {
  peer_budget& b = budget_of(peer, now);
  const std::int64_t all = std::int64_t{config_.set_up_multiplications} * config_.budget_interval_ms;
  b.multiplications_ms =
      std::min(all, b.multiplications_ms + std::max<time_ms>(now - b.counted_at, 0) * config_.set_up_multiplications);
  b.counted_at = now;
  const std::int64_t cost = multiplications * config_.budget_interval_ms;
  if (b.multiplications_ms < cost) return false;
  b.multiplications_ms -= cost;
  return true;
}

/// Whether one more request, which anybody may have made, is hashed for this peer.
bool link_engine::may_try(peer_id peer, time_ms now) {
  peer_budget& b = budget_of(peer, now);
  constexpr time_ms interval_ms = 10;  // of link_config::trials_per_10_ms
  if (b.trials_since == INT64_MIN || now - b.trials_since >= interval_ms) {
    b.trials_since = now;
    b.trials = 0;
  }
  return b.trials < config_.trials_per_10_ms;
}

std::shared_ptr<set_up_work> link_engine::new_work(set_up_work_kind k, peer_id peer) const {
  return std::make_shared<set_up_work>(k, peers_.share_own(), peers_.share(peer));
}

/// A job that missed its time is still under way while it occupies the worker. So a peer never has more than one of a
/// kind waiting there.
bool link_engine::under_way(peer_id peer, bool responding) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const link_job& j) {
    return j.peer == peer && responds(j.what) == responding && !(j.missed && j.work->done());
  });
}

bool link_engine::under_way(peer_id peer, link_job_kind k) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&](const link_job& j) { return j.peer == peer && j.what == k && !j.missed; });
}

bool link_engine::answers_already(link_job_kind k, peer_id peer, bytes_view octets) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const link_job& j) {
    const bytes_view o = j.work->octets();
    return j.peer == peer && j.what == k && std::equal(o.begin(), o.end(), octets.begin(), octets.end());
  });
}

std::optional<link_job> link_engine::take_missed(link_job_kind k, peer_id peer, bytes_view octets) {
  const auto at = std::find_if(jobs_.begin(), jobs_.end(), [&](const link_job& j) {
    if (j.peer != peer || j.what != k || !j.missed || !j.work->done()) return false;
    const bytes_view o = j.work->octets();
    return std::equal(o.begin(), o.end(), octets.begin(), octets.end());
  });
  if (at == jobs_.end()) return std::nullopt;
  std::optional<link_job> out = std::move(*at);
  jobs_.erase(at);
  return out;
}

/// The job is no longer needed.
void link_engine::cancel(peer_id peer, link_job_kind k) {
  for (auto& j : jobs_)
    if (j.peer == peer && j.what == k) j.missed = true;
}

link_engine::refusal link_engine::begin(link_job&& j, time_ms now, actions& out) {
  std::erase_if(jobs_, [&](const link_job& old) {
    return old.peer == j.peer && responds(old.what) == responds(j.what) && old.missed && old.work->done();
  });
  const auto work = j.work;
  if (ports_.work != nullptr)
    ports_.work->submit(work);
  else
    work->run(ports_.dh);
  if (j.due <= now && work->done()) return finish(j, now, out);
  jobs_.push_back(std::move(j));
  return took_effect;
}

link_engine::refusal link_engine::finish(link_job& j, time_ms now, actions& out) {
  switch (j.what) {
    case link_job_kind::connect:
      return finish_connect(j, now, out);
    case link_job_kind::request:
      return finish_request(j, now, out);
    case link_job_kind::command:
      return finish_command(j, now, out);
    case link_job_kind::rekey:
      return finish_rekey(j, now, out);
    case link_job_kind::rekeying_request:
      return finish_rekey_request(j, now, out);
    case link_job_kind::rekeying_response:
      return finish_rekey_response(j, now, out);
  }
  return drop_reason::nothing_new;
}

/// Silence, as if the answer had been lost on the air.
void link_engine::miss(link_job& j, time_ms now, actions& out) {
  j.missed = true;
  ++drops_[drop_reason::late];
  if (j.what == link_job_kind::connect) out.push_back(attempt_failed{j.peer});
  if (link* l = j.what == link_job_kind::rekey ? find_live(j.link) : nullptr)
    l->rekey_backoff_until = now + config_.rekey_lifetime_ms;
}

void link_engine::release_due(time_ms now, actions& out) {
  for (;;) {
    const auto at =
        std::find_if(jobs_.begin(), jobs_.end(), [&](const link_job& j) { return !j.missed && now >= j.due; });
    if (at == jobs_.end()) return;
    if (!at->work->done()) {
      miss(*at, now, out);
      continue;
    }
    link_job j = std::move(*at);
    jobs_.erase(at);
    if (const auto r = finish(j, now, out)) ++drops_[*r];
  }
}

time_ms link_engine::next_due() const {
  time_ms next = INT64_MAX;
  for (const auto& j : jobs_)
    if (!j.missed) next = std::min(next, j.due);
  return next;
}

}  // namespace prose::security
