#include "apps/lib/function/possession.h"

#include <gtest/gtest.h>

#include <random>

#include "security/crypto/x25519.h"

namespace prose::function {
namespace {

class seeded_random final : public security::random_port {
public:
  void fill(security::bytes_span out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(rng_());
  }

private:
  std::mt19937 rng_{1};
};

template <class Key>
Key make_key(security::random_port& random) {
  return Key::make([&](auto out) { random.fill(out); });
}

class possession : public ::testing::Test {
protected:
  possession() {
    greeting_.server = "function.example";
    random_.fill(greeting_.challenge);
    greeting_.ephemeral = dh_.public_of(server_);
    request_.name = "mary";
    request_.key = dh_.public_of(mary_);
    request_.proof = prove_possession(dh_, mary_, greeting_, "mary").value();
  }
  bool verified() { return verify_possession(dh_, server_, greeting_, request_); }

  seeded_random random_;
  security::crypto::mbedtls_x25519 dh_{random_};
  security::ephemeral_private_key server_ = make_key<security::ephemeral_private_key>(random_);
  security::static_private_key mary_ = make_key<security::static_private_key>(random_);
  hello greeting_;
  register_request request_;
};

TEST_F(possession, the_holder_of_the_key_passes) { EXPECT_TRUE(verified()); }

TEST_F(possession, a_proof_for_another_connection_name_or_key_fails) {
  const auto good = request_;
  request_.name = "peter";
  EXPECT_FALSE(verified());
  request_ = good;
  request_.key.octets[0] ^= 1;
  EXPECT_FALSE(verified());
  request_ = good;
  request_.proof[31] ^= 0x80;
  EXPECT_FALSE(verified());
  request_ = good;
  greeting_.challenge[0] ^= 1;  // a registration replayed on the next connection
  EXPECT_FALSE(verified());
}

TEST_F(possession, a_proof_made_for_one_server_is_worth_nothing_at_another) {
  // The lying server passes on the challenge and the ephemeral key of another; Mary proves to the name that she is
  // connected to.
  hello passed_on = greeting_;
  passed_on.server = "lying.example";
  request_.proof = prove_possession(dh_, mary_, passed_on, "mary").value();
  EXPECT_FALSE(verified());
}

TEST_F(possession, low_order_points_are_refused_on_both_sides) {
  request_.key = {};
  EXPECT_FALSE(verified());
  greeting_.ephemeral = {};
  EXPECT_FALSE(prove_possession(dh_, mary_, greeting_, "mary"));
}

}  // namespace
}  // namespace prose::function
