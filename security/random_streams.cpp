#include "security/random_streams.h"

#include <mbedtls/chacha20.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace prose::security {

void random_stream::fill(bytes_span out) {
  constexpr std::array<std::uint8_t, 12> nonce{};  // each key serves one draw
  constexpr std::size_t in_first = 32;             // octets of the first block beside the next key
  std::array<std::uint8_t, 64> first{};
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  const auto rest = out.size() > in_first ? out.subspan(in_first) : bytes_span{};
  // Fails for impossible arguments only. Octets that can be predicted are no option.
  if (mbedtls_chacha20_crypt(key_.expose().data(), nonce.data(), 0, first.size(), first.data(), first.data()) != 0)
    std::abort();
  if (!rest.empty() &&
      mbedtls_chacha20_crypt(key_.expose().data(), nonce.data(), 1, rest.size(), rest.data(), rest.data()) != 0)
    std::abort();
  std::copy_n(first.begin() + 32, std::min(out.size(), in_first), out.begin());
  key_ = stream_key(std::span<const std::uint8_t, 32>(first.data(), 32));
  wipe(first);
}

random_port& random_streams::open(const id& i, const stream_label& label) {
  auto& s = streams_[i];
  if (!s) s = system_.stream(label);
  if (!s) s = std::make_unique<random_stream>(stream_key::make([&](auto out) { system_.fill(out); }));
  return *s;
}

random_port& random_streams::common(stream_purpose p) { return open({0, p}, {p, nullptr}); }

random_port& random_streams::of(stream_purpose p, peer_id peer, const public_key& key) {
  return open({peer, p}, {p, &key});
}

random_port& random_streams::of_former(stream_purpose p, peer_id peer) {
  if (std::find(former_.begin(), former_.end(), peer) == former_.end()) return common(p);
  return open({peer, p}, {p, nullptr});
}

void random_streams::forget(peer_id peer) {
  former_.push_back(peer);
  if (former_.size() <= former_peers_kept) return;
  const peer_id gone = former_.front();
  former_.pop_front();
  std::erase_if(streams_, [gone](const auto& s) { return s.first.first == gone; });
}

}  // namespace prose::security
