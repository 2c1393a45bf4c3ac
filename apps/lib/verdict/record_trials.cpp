#include "apps/lib/verdict/record_trials.h"

#include <algorithm>

#include "security/record.h"

namespace prose::apps {
namespace {
epoch_name name_of(const kept_record& r) {
  return {r.src, r.dst, static_cast<std::uint16_t>(r.pdu[1] << 8 | r.pdu[2])};
}
}  // namespace

std::string record_candidate::name() const {
  std::string out(secret);
  if (ratchets > 0) out += " -> " + std::to_string(ratchets) + " x LTESL/1 ratchet";
  if (!step.empty()) out += " -> " + std::string(step);
  return out;
}

record_trials::record_trials(const std::vector<kept_record>& records, search_watch& watch)
    : records_(records), watch_(watch), open_(records.size()) {
  std::size_t longest = 0;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    if (records[i].pdu.size() < security::record_overhead_octets) continue;
    contexts_[name_of(records[i])].all.push_back(i);
    longest = std::max(longest, records[i].pdu.size());
    ++n_records_;
  }
  plain_.resize(longest);
  for (auto& [id, c] : contexts_) {
    std::map<std::pair<std::uint8_t, bool>, std::vector<std::uint32_t>> by_channel;
    for (const auto i : c.all) by_channel[{records[i].lcid, records[i].alternative}].push_back(i);
    for (const auto& [channel, list] : by_channel) {
      // Not the first three: whoever injects a few records under a genuine header does not hide what the others open
      // with.
      c.samples.push_back(list.front());
      if (list.size() > 1) c.samples.push_back(list.back());
      if (list.size() > 2) c.samples.push_back(list[list.size() / 2]);
    }
    n_samples_ += c.samples.size();
  }
}

bool record_trials::trial(const security::crypto::aead& box, const iv12& iv, const record_candidate& c, context& at,
                          std::uint32_t i) {
  const auto& r = records_[i];
  iv12 nonce = iv;
  nonce[7] ^= r.lcid;
  nonce[10] ^= r.pdu[3];
  nonce[11] ^= r.pdu[4];
  const std::size_t n = r.pdu.size() - security::record_overhead_octets;
  if (!box.open(nonce, security::bytes_view(r.pdu).first(security::pdcp_header_octets),
                security::bytes_view(r.pdu).subspan(security::pdcp_header_octets),
                security::bytes_span(plain_).first(n)))
    return false;
  open_[i] = 1;
  ++n_open_;
  if (at.n_open++ == 0) {
    at.with = c.name();
    watch_.opened(++n_opened_contexts_);
  }
  if (at.frames.size() < 8) at.frames.push_back(r.frame);
  if (r.lcid == security::lcid_pc5s_protected && n >= sizeof(key32))
    carried_.push_back({r.frame, r.src, r.dst, {plain_.begin(), plain_.begin() + n}, c.name()});
  return true;
}

bool record_trials::try_named(const record_candidate& c, const epoch_name& id) {
  const auto at = contexts_.find(id);
  if (at == contexts_.end()) return watch_.count(0);
  for (const auto s : c.suites) {
    const security::crypto::aead box(s, security::record_key(c.key));
    for (const auto& iv : c.ivs)
      for (const auto i : at->second.all) {
        if (open_[i]) continue;
        trial(box, iv, c, at->second, i);
        if (!watch_.count()) return false;
      }
  }
  return true;
}

bool record_trials::try_samples(const record_candidate& c, std::uint64_t from_frame) {
  for (const auto s : c.suites) {
    const security::crypto::aead box(s, security::record_key(c.key));
    for (auto& [id, at] : contexts_) {
      if (at.n_open == at.all.size() || records_[at.all.front()].frame < from_frame) continue;
      for (const auto& iv : c.ivs) {
        bool hit = false;
        for (const auto i : at.samples) {
          if (open_[i]) continue;
          hit |= trial(box, iv, c, at, i);
          if (!watch_.count()) return false;
        }
        if (!hit) continue;
        for (const auto i : at.all) {
          if (open_[i]) continue;
          trial(box, iv, c, at, i);
          if (!watch_.count()) return false;
        }
      }
    }
  }
  return true;
}

bool record_trials::try_all(const record_candidate& c) {
  if (n_open_ == n_records_) return true;
  for (const auto s : c.suites) {
    const security::crypto::aead box(s, security::record_key(c.key));
    for (auto& [id, at] : contexts_) {
      if (at.n_open == at.all.size()) continue;
      for (const auto& iv : c.ivs)
        for (const auto i : at.all) {
          if (open_[i]) continue;
          trial(box, iv, c, at, i);
          if (!watch_.count()) return false;
        }
    }
  }
  return true;
}

std::optional<std::uint64_t> record_trials::heard(const epoch_name& id) const {
  const auto at = contexts_.find(id);
  if (at == contexts_.end()) return std::nullopt;
  return records_[at->second.all.front()].frame;
}

std::size_t record_trials::unopened() const { return n_records_ - n_open_; }

std::vector<opened_link> record_trials::opened() const {
  std::vector<opened_link> out;
  for (const auto& [id, c] : contexts_) {
    if (c.n_open == 0) continue;
    const auto& [src, dst, kd] = id;
    const std::size_t seen =
        std::count_if(c.all.begin(), c.all.end(), [&](auto i) { return !records_[i].alternative; });
    out.push_back({src, dst, kd, c.with, c.n_open, std::max(seen, c.n_open), false, c.frames});
  }
  return out;
}

}  // namespace prose::apps
