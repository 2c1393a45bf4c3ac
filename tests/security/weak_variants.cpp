#include "tests/security/weak_variants.h"

#include <algorithm>

#include "security/crypto/aead.h"
#include "security/crypto/hash.h"

namespace prose::security::test {
namespace {
using bytes = std::vector<std::uint8_t>;
const std::array<std::uint8_t, 32> group_key{0x47, 0x72, 0x6f, 0x75, 0x70};
const std::array<std::uint8_t, 32> link_key{0x4c, 0x69, 0x6e, 0x6b};  // of one link, not in Mary's state
}  // namespace

std::string name_of(weakness w) {
  switch (w) {
    case weakness::one_key_for_all_peers:
      return "one_key_for_all_peers";
    case weakness::null_cipher:
      return "null_cipher";
    case weakness::repeated_nonce:
      return "repeated_nonce";
    case weakness::plain_identities:
      return "plain_identities";
    case weakness::static_token:
      return "static_token";
    case weakness::replayable_request:
      return "replayable_request";
  }
  return "?";
}

bytes weak_record(weakness w, std::uint8_t lcid, std::uint16_t kd_sess_id, std::uint16_t sn, bytes_view data) {
  bytes out(data.size() + record_overhead_octets);
  const auto type = lcid == lcid_pc5s_protected ? sdu_type::pc5s : sdu_type::ip;
  write_pdcp_header({type, kd_sess_id, sn}, bytes_span(out).first<5>());
  if (w == weakness::null_cipher) {
    std::copy(data.begin(), data.end(), out.begin() + 5);
    return out;
  }
  const record_protection p(suite::aes_256_gcm, record_key(w == weakness::one_key_for_all_peers ? group_key : link_key),
                            record_iv(std::array<std::uint8_t, 12>{}), kd_sess_id);
  const auto nonce = p.nonce(lcid, w == weakness::repeated_nonce ? 0 : sn);
  p.box.seal(nonce, bytes_view(out).first(5), data, bytes_span(out).subspan(5));
  return out;
}

evidence weaken(evidence e, weakness w) {
  switch (w) {
    case weakness::one_key_for_all_peers:
      e.stolen.push_back({"key of all peers", {group_key.begin(), group_key.end()}});
      [[fallthrough]];
    case weakness::null_cipher:
    case weakness::repeated_nonce: {
      std::size_t i = 0;
      for (auto& f : e.frames) {
        if (f.lcid > lcid_data_last || i >= e.truth.size()) continue;
        const auto h = read_pdcp_header(f.octets);
        f.octets = weak_record(w, f.lcid, h->kd_sess_id, h->sn, e.truth[i++]);
      }
      break;
    }
    case weakness::plain_identities:
      for (auto& d : e.discovery) std::copy_n(e.publics.back().octets.begin(), 16, d.begin() + 1);
      break;
    case weakness::static_token:
      for (auto& f : e.frames)
        if (f.lcid == 28 && f.octets.size() == request_octets)
          std::fill(f.octets.end() - 8, f.octets.end(), std::uint8_t{0x5a});
      break;
    case weakness::replayable_request: {
      // A responder that checks the token but neither the slot nor whether it has seen the request.
      std::vector<bytes> good;
      for (const auto& f : e.frames)
        if (f.lcid == 28) good.push_back(f.octets);
      e.reacts_later = [good](const frame& f) { return std::find(good.begin(), good.end(), f.octets) != good.end(); };
      break;
    }
  }
  return e;
}

}  // namespace prose::security::test
