// One discovery message through transmitter and receiver, and the fingerprint of a pair of keys. With UHD device
// arguments (discovery type=virtual,name=me) the message is looked for in what that radio hears in one subframe.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "common/hex.h"
#include "mac/default_pools.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/radio/radio.h"
#include "security/crypto/hash.h"

namespace {
using namespace prose;

int failed(const error& e) {
  std::fprintf(stderr, "discovery: %s\n", e.message.c_str());
  return 1;
}

/// One subframe of samples from a radio.
result<std::vector<phy::cf32>> hear(const std::string& device, const phy::carrier_config& carrier) {
  phy::radio_config config;
  config.device_args = device;
  config.sample_rate_hz = carrier.sample_rate_hz();
  config.transmits = false;
  auto radio = phy::radio::open(config);
  if (!radio) return tl::unexpected(radio.error());
  std::vector<phy::cf32> samples(static_cast<std::size_t>(carrier.samples_per_subframe()));
  const auto status = (*radio)->read(samples);
  if (!status) return tl::unexpected(status.error());
  std::printf("%zu samples from %s\n", status->n_samples, device.c_str());
  return samples;
}
}  // namespace

int main(int argc, char** argv) {
  // The carrier that prose-ue uses by default: 25 PRB, TM2.
  const auto ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  const auto carrier = phy::carrier_config::make(ue.n_prb, phy::cyclic_prefix::normal, ue.tm,
                                                 phy::standard_fft_size(ue.n_prb) * phy::subcarrier_spacing_hz);
  if (!carrier) return failed(carrier.error());

  auto tx = phy::transmitter::make({.carrier = *carrier});
  if (!tx) return failed(tx.error());
  std::vector<std::uint8_t> message(phy::discovery_message_bits);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = i % 3 == 0 ? 1 : 0;
  std::vector<phy::cf32> samples(static_cast<std::size_t>(carrier->samples_per_subframe()));
  const phy::psdch_config place{.prb = 4};
  const phy::transmission sent{phy::psdch_transmission{place, message}};
  if (const auto ok = tx->transmit({&sent, 1}, samples); !ok) return failed(ok.error());
  if (argc > 1) {
    auto heard = hear(argv[1], *carrier);
    if (!heard) return failed(heard.error());
    samples = std::move(*heard);
  }

  auto rx = phy::subframe_receiver::make({.carrier = *carrier});
  if (!rx) return failed(rx.error());
  rx->load(samples);
  phy::soft_buffer buffer;
  buffer.reset(phy::discovery_message_bits);
  std::vector<std::uint8_t> received(message.size());
  const auto r = rx->decode_psdch(place, buffer, received);
  std::printf("discovery message %s\n", r.crc_ok && received == message ? "received" : "not received");

  std::uint8_t digest[32];
  security::crypto::digest(security::crypto::hash::sha256, {security::crypto::as_bytes("abc")}, digest);
  std::printf("SHA-256 of abc: %s\n", to_hex(digest).c_str());
  return argc > 1 || (r.crc_ok && received == message) ? 0 : 1;
}
