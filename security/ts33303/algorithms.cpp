#include "security/ts33303/algorithms.h"

#include <algorithm>
#include <optional>

#include "security/crypto/require.h"
#include "security/ts33303/aes_modes.h"
#include "security/ts33303/octets.h"
#include "security/ts33303/snow3g.h"
#include "security/ts33303/zuc.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::size_t octets_of(std::size_t bits) { return bits / 8 + (bits % 8 != 0); }

/// BEARER and DIRECTION as the first six of 32 bits.
std::uint32_t bearer_and_direction(const stream_inputs& in) {
  crypto::require(in.bearer < 32);
  return std::uint32_t{in.bearer} << 27 | std::uint32_t{in.direction} << 26;
}

/// The bits of word i (of Word's size) of a message, 0 where it has ended.
template <class Word>
Word message_word(bytes_view message, std::size_t bits, std::size_t i) {
  Word w = 0;
  for (std::size_t at = i * sizeof(Word); at < (i + 1) * sizeof(Word); ++at) {
    const unsigned keep = at < bits / 8 ? 0xffU : at == bits / 8 ? 0xff00U >> bits % 8 & 0xffU : 0U;
    w = static_cast<Word>(w << 8 | (keep != 0 ? message[at] & keep : 0U));
  }
  return w;
}

template <class Generator>
void add_keystream(Generator& generator, bytes_view in, bytes_span out) {
  std::array<std::uint8_t, 4> z{};
  for (std::size_t at = 0; at < in.size(); at += z.size()) {
    store32(generator.next(), z);
    for (std::size_t i = at; i < std::min(at + z.size(), in.size()); ++i)
      out[i] = static_cast<std::uint8_t>(in[i] ^ z[i - at]);
  }
  wipe(z);
}

/// Times P in GF(2^64), reduced by x^64 + x^4 + x^3 + x + 1.
std::uint64_t multiply64(std::uint64_t v, std::uint64_t p) {
  std::uint64_t product = 0;
  for (int i = 0; i < 64; ++i) {
    product ^= v & (0 - (p >> i & 1));
    v = v << 1 ^ (0x1b & (0 - (v >> 63)));
  }
  return product;
}

std::uint32_t eia1(std::span<const std::uint8_t, 16> key, const stream_inputs& in, bytes_view message,
                   std::size_t bits) {
  const std::uint32_t fresh = bearer_and_direction({0, in.bearer, false}), direction = in.direction ? 1 : 0;
  snow3g generator(key, {in.count, fresh, in.count ^ direction << 31, fresh ^ direction << 15});
  std::array<std::uint64_t, 3> z{};  // P, Q, and what covers the result
  for (int i = 0; i < 5; ++i) z[i / 2] = z[i / 2] << 32 | generator.next();
  std::uint64_t eval = 0;
  for (std::size_t i = 0; i < octets_of(bits); i += 8)
    eval = multiply64(eval ^ message_word<std::uint64_t>(message, bits, i / 8), z[0]);
  eval = multiply64(eval ^ bits, z[1]);
  const auto mac = static_cast<std::uint32_t>(eval >> 32 ^ z[2]);
  wipe_word(eval);
  wipe_words(z);
  return mac;
}

std::uint32_t eia2(const aes128& cipher, const stream_inputs& in, bytes_view message, std::size_t bits) {
  std::array<std::uint8_t, 8> prefix{};
  store32(in.count, std::span(prefix).first<4>());
  store32(bearer_and_direction(in), std::span(prefix).last<4>());
  auto whole = cipher.cmac(prefix, message, bits);
  const std::uint32_t mac = load32(whole);
  wipe(whole);  // three quarters of it go nowhere
  return mac;
}

std::array<std::uint8_t, 16> zuc_iv(std::uint32_t first, std::uint32_t second) {
  std::array<std::uint8_t, 16> iv{};
  for (std::size_t i = 0; i < 4; ++i) store32(i % 2 == 0 ? first : second, std::span(iv).subspan(4 * i, 4));
  return iv;
}

std::uint32_t eia3(std::span<const std::uint8_t, 16> key, const stream_inputs& in, bytes_view message,
                   std::size_t bits) {
  auto iv = zuc_iv(in.count, bearer_and_direction({0, in.bearer, false}));
  iv[8] ^= in.direction ? 0x80 : 0;
  iv[14] ^= in.direction ? 0x80 : 0;
  zuc generator(key, iv);
  std::uint32_t mac = 0;
  std::uint64_t window = generator.next();
  window = window << 32 | generator.next();
  for (std::size_t left = bits, i = 0;; left -= 32, ++i) {
    const std::uint32_t word = message_word<std::uint32_t>(message, bits, i);
    for (unsigned k = 0; k < 32; ++k)
      mac ^= static_cast<std::uint32_t>(window << k >> 32) & (0U - (word >> (31 - k) & 1));
    if (left >= 32) {
      window = window << 32 | generator.next();
      continue;
    }
    mac ^= static_cast<std::uint32_t>(window << left >> 32);
    mac ^= left == 0 ? static_cast<std::uint32_t>(window) : generator.next();  // the last word of the keystream
    break;
  }
  wipe_word(window);
  return mac;
}

/// An algorithm with its key. One that is not known would leave text as it is, or give a MAC of zeros.
template <class Algorithm, class Key>
struct keyed {
  keyed(Algorithm which, const Key& with) : algorithm(which), key(with.expose()) {
    crypto::require(known(which));
    if (which == Algorithm::aes) aes.emplace(key.expose());
  }
  Algorithm algorithm;
  Key key;
  std::optional<aes128> aes;
};

}  // namespace

struct ciphering::state : keyed<eea, encryption_key> {
  using keyed::keyed;
};

ciphering::ciphering(eea algorithm, const encryption_key& pek) : state_(std::make_unique<state>(algorithm, pek)) {}
ciphering::ciphering(ciphering&&) noexcept = default;
ciphering& ciphering::operator=(ciphering&&) noexcept = default;
ciphering::~ciphering() = default;

void ciphering::apply(const stream_inputs& inputs, bytes_view in, std::size_t bits, bytes_span out) const {
  crypto::require(in.size() == octets_of(bits) && out.size() == in.size());
  const std::uint32_t second = bearer_and_direction(inputs);
  switch (state_->algorithm) {
    case eea::none:
      if (in.data() != out.data()) std::ranges::copy(in, out.begin());
      break;
    case eea::snow3g: {
      snow3g generator(state_->key.expose(), {inputs.count, second, inputs.count, second});
      add_keystream(generator, in, out);
      break;
    }
    case eea::aes: {
      aes_block counter{};
      store32(inputs.count, std::span(counter).first<4>());
      store32(second, std::span(counter).subspan<4, 4>());
      state_->aes->counter_mode(counter, in, out);
      break;
    }
    case eea::zuc: {
      zuc generator(state_->key.expose(), zuc_iv(inputs.count, second));
      add_keystream(generator, in, out);
      break;
    }
  }
  if (bits % 8 != 0) out.back() &= static_cast<std::uint8_t>(0xff00U >> bits % 8);
}

struct integrity::state : keyed<eia, integrity_key> {
  using keyed::keyed;
};

integrity::integrity(eia algorithm, const integrity_key& pik) : state_(std::make_unique<state>(algorithm, pik)) {}
integrity::integrity(integrity&&) noexcept = default;
integrity& integrity::operator=(integrity&&) noexcept = default;
integrity::~integrity() = default;

mac_i integrity::mac(const stream_inputs& inputs, bytes_view message, std::size_t bits) const {
  crypto::require(message.size() == octets_of(bits));
  mac_i out{};
  switch (state_->algorithm) {
    case eia::snow3g:
      store32(eia1(state_->key.expose(), inputs, message, bits), out);
      break;
    case eia::aes:
      store32(eia2(*state_->aes, inputs, message, bits), out);
      break;
    case eia::zuc:
      store32(eia3(state_->key.expose(), inputs, message, bits), out);
      break;
  }
  return out;
}

bool integrity::verify(const stream_inputs& inputs, bytes_view message, std::size_t bits,
                       std::span<const std::uint8_t, mac_octets> received) const {
  return equal_constant_time(mac(inputs, message, bits), received);
}

}  // namespace prose::security::ts33303
