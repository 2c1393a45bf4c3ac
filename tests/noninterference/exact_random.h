// Randomness for two worlds that are to be the same but for one thing: every stream comes from one seed and the
// stream's label alone, and so do ephemeral keys for a peer. What is drawn for others changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "security/crypto/hash.h"
#include "security/random_streams.h"

namespace prose::noninterference {

class exact_random final : public security::random_port {
public:
  explicit exact_random(std::uint64_t seed) : seed_(seed), own_(key("own", {}, 0)) {}

  /// Keys of one's own and of dummies: drawn before the worlds part.
  void fill(security::bytes_span out) override { own_.fill(out); }
  std::unique_ptr<security::random_port> stream(const security::stream_label& label) override {
    return std::make_unique<security::random_stream>(
        key("stream", label.peer != nullptr ? security::bytes_view(label.peer->octets) : security::bytes_view{},
            static_cast<std::uint32_t>(label.purpose)));
  }
  security::random_port& ephemerals_for(const security::public_key& peer) override {
    return ephemerals_.try_emplace(peer, key("ephemerals", peer.octets, 0)).first->second;
  }

private:
  void derive(std::string_view what, security::bytes_view peer, std::uint32_t purpose,
              std::span<std::uint8_t, 32> out) {
    std::array<std::uint8_t, 12> numbers{};
    for (std::size_t i = 0; i < 8; ++i) numbers[i] = static_cast<std::uint8_t>(seed_ >> (8 * i));
    for (std::size_t i = 0; i < 4; ++i) numbers[8 + i] = static_cast<std::uint8_t>(purpose >> (8 * i));
    security::crypto::digest(security::crypto::hash::sha256, {security::crypto::as_bytes(what), numbers, peer}, out);
  }
  security::stream_key key(std::string_view what, security::bytes_view peer, std::uint32_t purpose) {
    return security::stream_key::make([&](auto out) { derive(what, peer, purpose, out); });
  }

  std::uint64_t seed_;
  security::random_stream own_;
  std::map<security::public_key, security::random_stream> ephemerals_;
};

}  // namespace prose::noninterference
