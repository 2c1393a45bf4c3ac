// Cost of the security sublayer. Records: `ratio` is the time of the raw mbedTLS AEAD call, measured in alternation in
// the same run, over the time of seal or open. Aim: at least 0.8.
#include <benchmark/benchmark.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "security/discovery.h"
#include "security/record.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

using clock = std::chrono::steady_clock;
const std::array<std::uint8_t, 32> key_octets{1, 2, 3};
const std::array<std::uint8_t, 12> iv_octets{4, 5, 6};

record_protection protection(suite s) { return {s, record_key(key_octets), record_iv(iv_octets), 0x1234}; }

/// The library's call alone: same key, lengths and AD, context keyed beforehand.
class raw_aead {
public:
  explicit raw_aead(suite s) : suite_(s) {
    mbedtls_gcm_init(&gcm_);
    mbedtls_chachapoly_init(&chachapoly_);
    (void)mbedtls_gcm_setkey(&gcm_, MBEDTLS_CIPHER_ID_AES, key_octets.data(), 256);
    (void)mbedtls_chachapoly_setkey(&chachapoly_, key_octets.data());
  }
  raw_aead(const raw_aead&) = delete;
  raw_aead& operator=(const raw_aead&) = delete;
  ~raw_aead() {
    mbedtls_gcm_free(&gcm_);
    mbedtls_chachapoly_free(&chachapoly_);
  }
  void seal(const std::uint8_t* nonce, const std::uint8_t* ad, const std::uint8_t* in, std::size_t n,
            std::uint8_t* out) {
    if (suite_ == suite::aes_256_gcm) {
      (void)mbedtls_gcm_crypt_and_tag(&gcm_, MBEDTLS_GCM_ENCRYPT, n, nonce, 12, ad, 5, in, out, 16, out + n);
    } else {
      (void)mbedtls_chachapoly_encrypt_and_tag(&chachapoly_, n, nonce, ad, 5, in, out, out + n);
    }
  }
  bool open(const std::uint8_t* nonce, const std::uint8_t* ad, const std::uint8_t* in, std::size_t n,
            std::uint8_t* out) {
    return (suite_ == suite::aes_256_gcm
                ? mbedtls_gcm_auth_decrypt(&gcm_, n, nonce, 12, ad, 5, in + n, 16, in, out)
                : mbedtls_chachapoly_auth_decrypt(&chachapoly_, n, nonce, ad, 5, in + n, in, out)) == 0;
  }

private:
  suite suite_;
  mbedtls_gcm_context gcm_;
  mbedtls_chachapoly_context chachapoly_;
};

/// Blocks of 64 calls, product and raw in alternation. The smallest block counts: other programs on the machine only
/// add.
struct stopwatch {
  double best = 1e9;
  template <class F>
  double measure(F&& f) {
    const auto start = clock::now();
    f();
    const double t = std::chrono::duration<double>(clock::now() - start).count();
    best = std::min(best, t);
    return t;
  }
};
constexpr std::size_t block = 64;

void bm_seal(benchmark::State& state) {
  const auto s = static_cast<suite>(state.range(0));
  const std::size_t n = state.range(1);
  raw_aead raw(s);
  std::vector<std::uint8_t> data(n, 7), out(n + record_overhead_octets);
  auto sealer = std::make_unique<record_sealer>(protection(s));
  stopwatch ours, theirs;
  for (auto _ : state) {
    if (sealer->most_sealed() + block > max_count) {
      state.PauseTiming();
      sealer = std::make_unique<record_sealer>(protection(s));
      state.ResumeTiming();
    }
    const double t = ours.measure([&] {
      for (std::size_t i = 0; i < block; ++i) {
        auto r = sealer->seal(1, sdu_type::ip, data, out);
        benchmark::DoNotOptimize(r);
      }
    });
    theirs.measure([&] {
      for (std::size_t i = 0; i < block; ++i) {
        raw.seal(iv_octets.data(), out.data(), data.data(), n, out.data() + 5);
        benchmark::DoNotOptimize(out.data());
      }
    });
    state.SetIterationTime(t);
  }
  state.counters["ratio"] = theirs.best / ours.best;
  state.counters["ns_each"] = ours.best / block * 1e9;
}

void bm_open(benchmark::State& state) {
  const auto s = static_cast<suite>(state.range(0));
  const std::size_t n = state.range(1);
  raw_aead raw(s);
  std::vector<std::uint8_t> data(n, 7), out(n + 16);
  std::vector<std::vector<std::uint8_t>> pdus(block, std::vector<std::uint8_t>(n + record_overhead_octets));
  std::vector<std::array<std::uint8_t, 12>> nonces;
  std::unique_ptr<record_sealer> sealer;
  std::unique_ptr<record_opener> opener;
  const record_protection p = protection(s);
  stopwatch ours, theirs;
  for (auto _ : state) {
    state.PauseTiming();
    if (!sealer || sealer->most_sealed() + block > max_count) {
      sealer = std::make_unique<record_sealer>(protection(s));
      opener = std::make_unique<record_opener>(protection(s));
    }
    nonces.clear();
    for (auto& pdu : pdus) {
      nonces.push_back(p.nonce(1, sealer->sealed_on(1)));
      (void)sealer->seal(1, sdu_type::ip, data, pdu);
    }
    state.ResumeTiming();
    bool good = true;
    const double t = ours.measure([&] {
      for (const auto& pdu : pdus) {
        const auto h = read_pdcp_header(pdu);
        good = good && h && opener->open(1, *h, pdu, out).has_value();
      }
    });
    theirs.measure([&] {
      for (std::size_t i = 0; i < block; ++i)
        good = raw.open(nonces[i].data(), pdus[i].data(), pdus[i].data() + 5, n, out.data()) && good;
    });
    if (!good) state.SkipWithError("a record did not open");
    state.SetIterationTime(t);
  }
  state.counters["ratio"] = theirs.best / ours.best;
  state.counters["ns_each"] = ours.best / block * 1e9;
}

void record_sizes(benchmark::internal::Benchmark* b) {
  for (const int s : {1, 2})
    for (const int n : {40, 300, 1500}) b->Args({s, n});
  b->ArgNames({"suite", "octets"})->UseManualTime()->Iterations(1000);  // of 64 records each
}
BENCHMARK(bm_seal)->Name("security/seal")->Apply(record_sizes);
BENCHMARK(bm_open)->Name("security/open")->Apply(record_sizes);

/// Through the whole link engine: look-up of the link, epochs, COUNT.
void bm_link_seal_and_open(benchmark::State& state) {
  ue john("john", 1), peter("peter", 2);
  john.knows(peter);
  peter.knows(john);
  air world;
  world.ues = {&john, &peter};
  auto l = world.link_up(john, peter);
  std::vector<std::uint8_t> data(static_cast<std::size_t>(state.range(0)), 7), pdu(data.size() + 21), out(pdu.size());
  actions none;
  const link_id at_john = l->first;
  std::size_t k = 0;
  for (auto _ : state) {
    const auto s = john.security->links().seal(at_john, 1, sdu_type::ip, data, world.now, pdu);
    if (!s) {
      state.SkipWithError("seal refused");
      break;
    }
    const auto r = peter.security->links().receive(1, s->src, s->dst, pdu, world.now, out, none);
    if (!r) state.SkipWithError("open refused");
    if (++k % 1000 == 0) {  // Peter says something now and then, so that epochs move on
      state.PauseTiming();
      peter.pending.clear();
      for (auto& a : none)
        if (const auto* m = std::get_if<send_message>(&a))
          john.hear({1, m->lcid, m->src, m->dst, m->octets}, world.now);
      none.clear();
      john.pending.clear();
      state.ResumeTiming();
    }
  }
}
BENCHMARK(bm_link_seal_and_open)->Name("security/link_seal_and_open")->Arg(40)->Arg(300)->Arg(1500);

void bm_handshake(benchmark::State& state) {
  ue john("john", 1), peter("peter", 2);
  john.knows(peter);
  peter.knows(john);
  air world;
  world.ues = {&john, &peter};
  std::size_t octets = 0;
  for (auto _ : state) {
    world.now += 1000;
    world.captured.clear();
    if (!world.link_up(john, peter)) state.SkipWithError("no link");
    octets = 0;
    for (const auto& f : world.captured)
      if (f.lcid == 28 || f.lcid == 29) octets += f.octets.size();
    world.captured_discovery.clear();
    for (ue* u : {&john, &peter}) u->history.clear();
  }
  state.counters["handshakes_per_second"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["octets_on_air"] = static_cast<double>(octets);
}
BENCHMARK(bm_handshake)->Name("security/handshake_both_sides")->Unit(benchmark::kMillisecond);

/// What monitoring 1000 peers costs for a received announcement: of a stranger, and of a peer. More than a UE permits
/// (max_peers), so the discovery engine alone.
class crowd {
public:
  crowd()
      : random_(1),
        dh_(random_),
        peers_(key_pair::generate({random_, dh_}), {random_, dh_}),
        discovery_(config(), peers_) {
    for (int i = 0; i < 1000; ++i) {
      const auto other = key_pair::generate({random_, dh_});
      if (const auto id = peers_.add("peer" + std::to_string(i), other.public_part)) discovery_.peer_added(*id);
    }
    discovery_.advance(1000, 0);
  }
  peer_table& peers() { return peers_; }
  discovery_engine& discovery() { return discovery_; }
  random_port& random() { return random_; }

private:
  static discovery_config config() {
    discovery_config c;
    c.announce = false;
    return c;
  }
  seeded_random random_;
  crypto::mbedtls_x25519 dh_;
  peer_table peers_;
  discovery_engine discovery_;
};
crowd& thousand_peers() {
  static crowd c;
  return c;
}

void bm_monitor_stranger(benchmark::State& state) {
  auto& d = thousand_peers().discovery();
  std::vector<discovery_pdu> pdus(4096);
  for (auto& p : pdus) {
    thousand_peers().random().fill(p);
    p[0] = 0x81;
  }
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(d.receive(pdus[i++ % pdus.size()], 0));
}
BENCHMARK(bm_monitor_stranger)->Name("security/monitor_1000_peers_stranger");

void bm_monitor_peer(benchmark::State& state) {
  auto& crowd = thousand_peers();
  std::vector<discovery_pdu> pdus;
  static slot_t t = 1000;
  for (auto _ : state) {
    state.PauseTiming();
    if (pdus.empty()) {  // a new slot: each code counts once
      crowd.discovery().advance(++t, 0);
      for (const auto& p : crowd.peers().all())
        pdus.push_back(make_discovery(discovery_type::announcement, p->theirs, t));
    }
    const auto batch = std::move(pdus);
    pdus.clear();
    std::size_t found = 0;
    const auto start = clock::now();
    for (const auto& p : batch) found += crowd.discovery().receive(p, 0) ? 1 : 0;
    const double s = std::chrono::duration<double>(clock::now() - start).count();
    state.ResumeTiming();
    if (found != 1000) state.SkipWithError("a peer was not recognised");
    state.SetIterationTime(s);
    state.counters["us_each"] = s * 1e3;
  }
}
BENCHMARK(bm_monitor_peer)->Name("security/monitor_1000_peers_peer")->UseManualTime()->Iterations(10);

void bm_refresh(benchmark::State& state) {
  auto& crowd = thousand_peers();
  static slot_t t = 3'000'000;
  crowd.discovery().advance(t, 0, true);
  for (auto _ : state) crowd.discovery().advance(++t, 0);
}
BENCHMARK(bm_refresh)->Name("security/monitor_1000_peers_slot_change")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace prose::security::test
