#include "apps/verdict/key_search.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "security/crypto/aead.h"
#include "security/crypto/hash.h"
#include "security/record.h"

namespace prose::apps {
namespace {
using namespace security;
using key32 = std::array<std::uint8_t, 32>;
using iv12 = std::array<std::uint8_t, 12>;
using link = std::tuple<std::uint32_t, std::uint32_t, std::uint16_t>;

constexpr const char* labels[] = {"LTESL/1 announce",   "LTESL/1 mic",        "LTESL/1 request token", "LTESL/1 command token",
                                  "LTESL/1 rendezvous", "LTESL/1 query",      "LTESL/1 response",      "LTESL/1 complete",
                                  "LTESL/1 rekey",      "LTESL/1 ratchet"};

struct candidate {
  std::string name;
  key32 key;
  std::vector<iv12> ivs;
};

bool opens(const crypto::aead& box, const iv12& iv, const kept_record& r) {
  iv12 nonce = iv;
  nonce[7] ^= r.lcid;
  nonce[10] ^= r.pdu[3];
  nonce[11] ^= r.pdu[4];
  std::vector<std::uint8_t> plain(r.pdu.size() - record_overhead_octets);
  return box.open(nonce, bytes_view(r.pdu).first(5), bytes_view(r.pdu).subspan(5), plain);
}

template <std::size_t N>
std::array<std::uint8_t, N> array_of(bytes_view b) {
  std::array<std::uint8_t, N> a{};
  std::copy_n(b.begin(), N, a.begin());
  return a;
}
}  // namespace

void search_keys(const std::vector<stolen_file>& stolen, const std::vector<kept_record>& records, check_report& out) {
  std::set<link> own;
  std::map<key32, candidate> all;
  std::vector<iv12> memory_ivs{iv12{}};
  const auto add = [&](const std::string& name, const key32& k, const std::vector<iv12>& ivs) {
    auto& c = all.try_emplace(k, candidate{name, k, {}}).first->second;
    for (const auto& iv : ivs)
      if (std::find(c.ivs.begin(), c.ivs.end(), iv) == c.ivs.end()) c.ivs.push_back(iv);
  };
  for (const auto& f : stolen)
    for (const auto& s : f.secrets)
      if (s.octets.size() == 12) memory_ivs.push_back(array_of<12>(s.octets));
  for (const auto& f : stolen) {
    for (const auto& k : f.logged_keys) {
      own.insert({k.src, k.dst, k.kd_sess_id});
      add(f.path + ": logged key", array_of<32>(k.key.expose()), {array_of<12>(k.iv.expose()), iv12{}});
    }
    std::vector<std::pair<std::string, key32>> base;
    for (const auto& s : f.secrets)
      if (s.octets.size() == 32) base.emplace_back(f.path + ": " + s.name, array_of<32>(s.octets));
    for (const auto& p : f.publics) base.emplace_back(f.path + ": public key", p.octets);
    for (std::size_t i = 0, n = base.size(); i < n; ++i)
      for (const char* l : labels) {
        key32 k{};
        crypto::hkdf_expand(base[i].second, crypto::as_bytes(l), k);
        base.emplace_back(base[i].first + " -> " + l, k);
      }
    for (const auto& [name, k] : base) {
      add(name, k, memory_ivs);
      for (const char* l : {"LTESL/1 record initiator", "LTESL/1 record responder"}) {
        std::array<std::uint8_t, 49> block{};
        crypto::hkdf_expand(k, crypto::as_bytes(l), block);
        add(name + " -> " + l, array_of<32>(block), {array_of<12>(bytes_view(block).subspan(32))});
      }
    }
  }
  auto& v = out.into();
  v.keys_tried = all.size();
  std::map<link, opened_link> opened;
  std::set<std::size_t> done;
  for (const auto& [key, c] : all)
    for (const suite s : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
      const crypto::aead box(s, record_key(key));
      for (const auto& iv : c.ivs)
        for (std::size_t i = 0; i < records.size(); ++i) {
          const auto& r = records[i];
          if (r.pdu.size() < record_overhead_octets || done.contains(i)) continue;
          ++v.trials;
          if (!opens(box, iv, r)) continue;
          done.insert(i);
          const link id{r.src, r.dst, static_cast<std::uint16_t>(r.pdu[1] << 8 | r.pdu[2])};
          auto& o = opened[id];
          if (o.records_opened++ == 0) o.src = r.src, o.dst = r.dst, o.kd_sess_id = std::get<2>(id), o.with = c.name, o.own = own.contains(id);
          if (o.frames.size() < frame_list::most) o.frames.push_back(r.frame);
        }
    }
  frame_list frames;
  std::size_t foreign = 0;
  for (auto& [id, o] : opened) {
    for (const auto& r : records)
      o.records_seen += link{r.src, r.dst, static_cast<std::uint16_t>(r.pdu[1] << 8 | r.pdu[2])} == id ? 1 : 0;
    if (!o.own) {
      ++foreign;
      for (const auto f : o.frames) frames.add(f);
    }
    v.opened_links.push_back(o);
  }
  if (foreign > 0)
    out.found("compromise", "stolen_key_opens", "stolen keys open " + std::to_string(foreign) + " links that are not the stolen UE's own", frames);
}

}  // namespace prose::apps
