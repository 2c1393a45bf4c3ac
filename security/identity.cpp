#include "security/identity.h"

#include <algorithm>

#include "security/crypto/hash.h"

namespace prose::security {

key_pair key_pair::generate(ports p) {
  return from_private(static_private_key::make([&](auto k) {
                        p.random.fill(k);
                        k[0] &= 248;  // RFC 7748 5, as wireguard-tools store them
                        k[31] = static_cast<std::uint8_t>((k[31] & 127) | 64);
                      }),
                      p);
}

key_pair key_pair::from_private(static_private_key k, ports p) {
  const public_key pub = p.dh.public_of(k);
  return {std::move(k), pub};
}

namespace {
pair_root_key pair_root(const pre_shared_key& psk, const dh_output& ss, const public_key& announcer,
                        const public_key& monitor) {
  std::array<std::uint8_t, 12 + 64> info{};
  const auto label = crypto::as_bytes("LTESL/1 disc");
  auto at = std::copy(label.begin(), label.end(), info.begin());
  at = std::copy(announcer.octets.begin(), announcer.octets.end(), at);
  std::copy(monitor.octets.begin(), monitor.octets.end(), at);
  return pair_root_key::make([&](auto out) {
    const auto prk =
        secret<struct prk_tag, 32>::make([&](auto p) { crypto::hkdf_extract(psk.expose(), ss.expose(), p); });
    crypto::hkdf_expand(prk.expose(), info, out);
  });
}
}  // namespace

direction_keys derive_direction(const pre_shared_key& psk, const dh_output& ss, const public_key& announcer,
                                const public_key& monitor) {
  const auto root = pair_root(psk, ss, announcer, monitor);
  return {derive<announce_key>(root),      derive<mic_key>(root),        derive<request_token_key>(root),
          derive<command_token_key>(root), derive<rendezvous_key>(root), derive<query_key>(root),
          derive<response_key>(root)};
}

address_bits derive_address(const pre_shared_key& psk, const dh_output& ss, const public_key& owner,
                            const public_key& other) {
  const auto key = derive<address_key>(pair_root(psk, ss, owner, other));
  address_bits out{};
  std::copy(key.expose().begin(), key.expose().end(), out.begin());
  return out;
}

peer_table::peer_table(key_pair own, ports p)
    : own_(std::make_shared<key_pair>(std::move(own))),
      ports_(p),
      streams_(std::make_unique<random_streams>(p.random)) {}

random_port& peer_table::stream(stream_purpose p, peer_id id) const {
  const peer* at = find(id);
  return at != nullptr ? streams_->of(p, id, at->key) : streams_->of_former(p, id);
}

result<peer_id> peer_table::add(std::string_view name, const public_key& key, std::optional<pre_shared_key> psk) {
  if (!canonical(key))
    return fail("peer '" + std::string(name) + "' has a public key that is not in its canonical form");
  if (key == own_->public_part) return fail("peer '" + std::string(name) + "' has our own public key");
  for (const auto& p : peers_) {
    if (p->key == key) return fail("peers '" + p->name + "' and '" + std::string(name) + "' have the same public key");
    if (p->name == name) return fail("two peers are named '" + p->name + "'");
  }
  auto shared = ports_.dh.agree(own_->private_key, key);
  if (!shared) return fail("peer '" + std::string(name) + "' has an all-zero or low-order public key");
  pre_shared_key secret_psk =
      psk ? std::move(*psk)
          : pre_shared_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{0}); });
  auto ours = derive_direction(secret_psk, *shared, own_->public_part, key);
  auto theirs = derive_direction(secret_psk, *shared, key, own_->public_part);
  const auto own_address = derive_address(secret_psk, *shared, own_->public_part, key);
  const auto peer_address = derive_address(secret_psk, *shared, key, own_->public_part);
  const peer_id id = next_id_++;
  peers_.push_back(std::make_shared<peer>(peer{id, std::string(name), key, std::move(secret_psk), std::move(*shared),
                                               std::move(ours), std::move(theirs), own_->public_part < key, own_address,
                                               peer_address}));
  return id;
}

bool peer_table::remove(peer_id id) {
  if (std::erase_if(peers_, [id](const auto& p) { return p->id == id; }) == 0) return false;
  streams_->forget(id);
  return true;
}

std::shared_ptr<const peer> peer_table::share(peer_id id) const {
  const auto at =
      std::lower_bound(peers_.begin(), peers_.end(), id, [](const auto& p, peer_id v) { return p->id < v; });
  return at != peers_.end() && (*at)->id == id ? *at : nullptr;
}

const peer* peer_table::find(peer_id id) const {
  const auto at =
      std::lower_bound(peers_.begin(), peers_.end(), id, [](const auto& p, peer_id v) { return p->id < v; });
  return at != peers_.end() && (*at)->id == id ? at->get() : nullptr;
}

const peer* peer_table::find(std::string_view name) const {
  const auto at = std::find_if(peers_.begin(), peers_.end(), [&](const auto& p) { return p->name == name; });
  return at != peers_.end() ? at->get() : nullptr;
}

bool canonical(const public_key& key) {
  // p = 2^255 - 19: little-endian ed ff ... ff 7f.
  const auto& k = key.octets;
  if (k[31] != 0x7f) return k[31] < 0x7f;
  return k[0] < 0xed || std::any_of(k.begin() + 1, k.end() - 1, [](auto b) { return b != 0xff; });
}

std::array<std::uint8_t, 32> pair_fingerprint(const public_key& a, const public_key& b) {
  std::array<std::uint8_t, 32> out{};
  crypto::digest(crypto::hash::sha256, {std::min(a, b).octets, std::max(a, b).octets}, out);
  return out;
}

}  // namespace prose::security
