#include "tests/security/search/records.h"

#include <algorithm>

#include "security/crypto/hash.h"
#include "security/record.h"

namespace prose::security::test {

bool is_record(const frame& f) {
  return channel_index(f.lcid).has_value() && f.octets.size() >= record_overhead_octets && read_pdcp_header(f.octets);
}

std::array<std::uint8_t, 12> record_nonce(const frame& f, bytes_view iv) {
  std::array<std::uint8_t, 12> n{};
  std::copy(iv.begin(), iv.end(), n.begin());
  n[7] ^= f.lcid;
  n[10] ^= f.octets[3];
  n[11] ^= f.octets[4];
  return n;
}

record_half half_of(const keyed_hmac& kd, bool initiator) {
  std::array<std::uint8_t, 49> block{};
  kd.expand(crypto::as_bytes(initiator ? "LTESL/1 record initiator" : "LTESL/1 record responder"), block);
  record_half h;
  std::copy_n(block.begin(), 32, h.key.begin());
  std::copy_n(block.begin() + 32, 12, h.iv.begin());
  h.kd_sess_id = static_cast<std::uint16_t>(block[44] << 8 | block[45]);
  if (h.kd_sess_id == 0) h.kd_sess_id = 1;
  h.src = l2_id{block[46]} << 16 | l2_id{block[47]} << 8 | block[48];
  return h;
}

record_search::record_search(const evidence& e) {
  std::map<std::tuple<l2_id, l2_id, int, int>, std::size_t> index;
  for (const auto& f : e.frames) {
    if (!is_record(f)) continue;
    const auto [at, fresh] = index.try_emplace({f.src, f.dst, f.octets[1] << 8 | f.octets[2], f.lcid}, groups_.size());
    if (fresh) groups_.emplace_back();
    groups_[at->second].members.push_back(records_.size());
    records_.push_back(f);
  }
  open_.resize(records_.size());
}

bool record_search::opens(const crypto::aead& box, std::size_t i, bytes_view iv, octets* plain) const {
  const frame& f = records_[i];
  octets out(f.octets.size() - record_overhead_octets);
  const bytes_view pdu = f.octets;
  const bool ok = box.open(record_nonce(f, iv), pdu.first(pdcp_header_octets), pdu.subspan(pdcp_header_octets), out);
  if (ok && plain != nullptr) *plain = std::move(out);
  return ok;
}

void record_search::attempt(const crypto::aead& box, bytes_view iv, const char* kind, findings& out) {
  for (const auto& g : groups_) {
    const auto one = [&](std::size_t i) {
      ++out.trials;
      octets plain;
      if (!opens(box, i, iv, &plain)) return false;
      if (open_[i]) return true;
      open_[i] = true;
      out.open(kind);
      (records_[i].lcid == lcid_pc5s_protected ? new_signalling : data).push_back(std::move(plain));
      return true;
    };
    if (one(g.members.front()))
      for (const std::size_t i : g.members) one(i);
  }
}

void record_search::try_fresh(const holdings& h, findings& out) {
  if (records_.empty()) return;
  const std::set<key32> held(h.secrets.begin(), h.secrets.end());
  constexpr std::array<std::uint8_t, 12> zero_iv{};
  for (const auto& k : h.fresh_all) {
    const keyed_hmac kd(k);
    const record_half initiator = half_of(kd, true), responder = half_of(kd, false);
    for (const suite s : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
      attempt(crypto::aead(s, record_key(initiator.key)), initiator.iv, "record of the initiator by KD", out);
      attempt(crypto::aead(s, record_key(responder.key)), responder.iv, "record of the responder by KD", out);
      // A record key that follows from something follows together with its IV; with every other IV only what was stolen
      // itself.
      const crypto::aead box(s, record_key(k));
      if (held.contains(k)) {
        for (const auto& iv : h.ivs) attempt(box, iv, "record by its key", out);
      } else {
        attempt(box, zero_iv, "record by its key", out);
      }
    }
  }
}

bool record_search::root_opens(const key32& kd0) const {
  const keyed_hmac kd(kd0);
  for (const bool initiator : {true, false}) {
    const record_half h = half_of(kd, initiator);
    for (const suite s : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
      const crypto::aead box(s, record_key(h.key));
      for (const auto& g : groups_)
        if (opens(box, g.members.front(), h.iv)) return true;
    }
  }
  return false;
}

}  // namespace prose::security::test
