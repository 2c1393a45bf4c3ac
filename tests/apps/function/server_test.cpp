// The ProSe Function as a whole: a real server on the loopback, real clients, hostile ones beside them.
#include "apps/lib/function/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/address.h"
#include "apps/lib/function/client.h"
#include "apps/lib/function/pair_kd.h"
#include "apps/lib/function/token_bucket.h"
#include "apps/lib/keys/key_file.h"
#include "security/crypto/x25519.h"
#include "tests/apps/function/test_store.h"

namespace prose::function {
namespace {

class seeded_random final : public security::random_port {
public:
  explicit seeded_random(unsigned seed) : rng_(seed) {}
  void fill(security::bytes_span out) override {
    usleep(delay_us);
    for (auto& b : out) b = static_cast<std::uint8_t>(rng_());
  }
  std::atomic<useconds_t> delay_us = 0;

private:
  std::mt19937 rng_;
};

// Certificates are made once; ECDSA key generation is the slow part.
class authority_folder {
public:
  authority_folder() : path(::testing::TempDir() + "prose_function_" + std::to_string(getpid())) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    EXPECT_TRUE(make_authority(path, "ca", 30));
    for (const char* name : {"function.example", "other.example", "mary", "john", "peter"})
      EXPECT_TRUE(issue_certificate(
          path, "ca", name,
          std::string(name).find(".example") != std::string::npos ? certificate_use::server : certificate_use::ue, 30));
  }
  ~authority_folder() { std::filesystem::remove_all(path); }
  tls_identity identity(const std::string& name) const {
    return {path + "/ca.crt", path + "/" + name + ".crt", path + "/" + name + ".key"};
  }
  std::string path;
};

class running_server {
public:
  running_server(const authority_folder& f, const std::string& name, server_limits limits = {}, server_config c = {}) {
    c.port = 0;
    if (c.identity.certificate_path.empty()) c.identity = f.identity(name);
    c.store_path =
        test_store(f.path + "/" + name + "_" + ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".db");
    c.limits = limits;
    auto s = server::open(c, random_, [this](const audit_record& r) {
      const std::lock_guard lock(mutex_);
      audit_ += r.account + " " + r.what + "\n";
    });
    EXPECT_TRUE(s) << s.error().message;
    server_ = std::move(*s);
    thread_ = std::thread([this] { outcome_ = server_->run(); });
  }
  ~running_server() {
    server_->stop();
    thread_.join();
    EXPECT_TRUE(outcome_) << outcome_.error().message;
  }
  int port() const { return server_->port(); }
  void reload() { server_->reload(); }
  void slow_random(useconds_t delay_us) { random_.delay_us = delay_us; }
  const server_counters& counters() const { return server_->counters(); }
  std::string audit() {
    const std::lock_guard lock(mutex_);
    return audit_;
  }

private:
  seeded_random random_{7};
  std::unique_ptr<server> server_;
  std::thread thread_;
  result<void> outcome_;
  std::mutex mutex_;
  std::string audit_;
};

struct ue {
  ue(const authority_folder& f, const std::string& n, unsigned seed)
      : name(n),
        identity(f.identity(n)),
        random(seed),
        key(security::static_private_key::make([&](auto out) { random.fill(out); })) {}
  std::unique_ptr<client> connect(const running_server& s, const std::string& server_name = "function.example") const {
    auto c = client::connect({.port = s.port(), .server_name = server_name, .identity = identity});
    EXPECT_TRUE(c) << c.error().message;
    return c ? std::move(*c) : nullptr;
  }
  public_key public_of() { return dh.public_of(key); }
  std::string name;
  tls_identity identity;
  seeded_random random;
  security::crypto::mbedtls_x25519 dh{random};
  security::static_private_key key;
};

class function_server : public ::testing::Test {
protected:
  static void SetUpTestSuite() { folder_ = std::make_unique<authority_folder>(); }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::unique_ptr<authority_folder> folder_;
  ue mary_{*folder_, "mary", 1}, john_{*folder_, "john", 2}, peter_{*folder_, "peter", 3};
};
std::unique_ptr<authority_folder> function_server::folder_;

TEST_F(function_server, a_mutual_grant_wakes_the_long_poll_of_the_other_side) {
  running_server s(*folder_, "function.example");
  auto m = mary_.connect(s);
  auto j = john_.connect(s);
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  ASSERT_TRUE(j->register_key(john_.dh, john_.key, "john"));
  ASSERT_TRUE(m->grant("john"));
  EXPECT_TRUE(j->changes(0, 0)->empty());
  result<std::vector<change>> heard;
  const auto start = std::chrono::steady_clock::now();
  std::thread poll([&] { heard = m->changes(0, 20); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(j->grant("mary"));
  poll.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  ASSERT_TRUE(heard);
  ASSERT_EQ(heard->size(), 1U);
  EXPECT_EQ(heard->front().peer, "john");
  EXPECT_EQ(heard->front().key, john_.public_of());
  EXPECT_EQ(m->list()->mutual.size(), 1U);
  ASSERT_TRUE(j->withdraw("mary"));
  EXPECT_FALSE(m->changes(1, 5)->front().permitted);
}

TEST_F(function_server, a_pair_has_one_kd_and_each_pair_another_while_both_grant) {
  server_config config;
  config.kd_secret_path = folder_->path + "/kd.secret";
  ASSERT_TRUE(apps::create_private_file(config.kd_secret_path, keys::to_base64(john_.key.expose()) + "\n"));
  running_server s(*folder_, "function.example", {}, config);
  auto m = mary_.connect(s), j = john_.connect(s), p = peter_.connect(s);
  EXPECT_FALSE(m->kd("john"));  // not registered
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  ASSERT_TRUE(j->register_key(john_.dh, john_.key, "john"));
  ASSERT_TRUE(p->register_key(peter_.dh, peter_.key, "peter"));
  ASSERT_TRUE(m->grant("john") && j->grant("peter") && p->grant("john") && p->grant("mary"));
  const auto one_sided = m->kd("john"), nobody = m->kd("paul"), not_granted = m->kd("peter");
  ASSERT_FALSE(one_sided || nobody || not_granted);
  EXPECT_EQ(one_sided.error().message, nobody.error().message);
  EXPECT_EQ(one_sided.error().message, not_granted.error().message);
  EXPECT_NE(one_sided.error().message.find("no mutual permission"), std::string::npos) << one_sided.error().message;
  ASSERT_TRUE(j->grant("mary"));
  const auto at_mary = m->kd("john"), at_john = j->kd("mary"), with_peter = j->kd("peter");
  ASSERT_TRUE(at_mary && at_john && with_peter);
  EXPECT_EQ(at_mary->kd, at_john->kd);
  EXPECT_EQ(at_mary->id, at_john->id);
  EXPECT_EQ(at_mary->key, john_.public_of());
  EXPECT_NE(with_peter->kd, at_john->kd);
  EXPECT_NE(with_peter->id, at_john->id);
  EXPECT_EQ(s.audit().find(keys::to_base64(at_mary->kd)), std::string::npos);
  ASSERT_TRUE(j->withdraw("mary"));
  EXPECT_FALSE(m->kd("john") || j->kd("mary"));
}

TEST_F(function_server, without_a_secret_no_kd_is_handed_out) {
  running_server s(*folder_, "function.example");
  auto m = mary_.connect(s);
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  const auto kd = m->kd("john");
  ASSERT_FALSE(kd);
  EXPECT_NE(kd.error().message.find("hands out no KDs"), std::string::npos);
  EXPECT_TRUE(m->refused());  // and the connection goes on
  EXPECT_TRUE(m->list());
}

TEST(function_pair_kd, depends_on_both_names_and_both_keys) {
  const auto secret = security::pre_shared_key::make([](auto out) { out[0] = 1; });
  const pair_member mary{"mary", {{1}}}, john{"john", {{2}}};
  const auto kd = derive_pair_kd(secret, mary, john);
  EXPECT_EQ(kd.kd, derive_pair_kd(secret, john, mary).kd);
  std::set<std::array<std::uint8_t, 32>> all{kd.kd};
  all.insert(derive_pair_kd(secret, {"mary", {{3}}}, john).kd);
  all.insert(derive_pair_kd(secret, mary, {"john", {{3}}}).kd);
  all.insert(derive_pair_kd(secret, mary, {"joh", {{2}}}).kd);
  all.insert(derive_pair_kd(security::pre_shared_key::make([](auto out) { out[0] = 2; }), mary, john).kd);
  EXPECT_EQ(all.size(), 5U);
}

TEST_F(function_server, a_long_poll_without_a_change_ends_empty) {
  running_server s(*folder_, "function.example");
  auto m = mary_.connect(s);
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  const auto heard = m->changes(0, 1);
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_TRUE(heard->empty());
}

TEST_F(function_server, registration_needs_the_certificates_key_and_name) {
  running_server s(*folder_, "function.example");
  auto m = mary_.connect(s);
  // Another's name, with a good proof for it.
  EXPECT_FALSE(m->register_key(mary_.dh, mary_.key, "peter"));
  // Peter's public key with a proof by Mary's: her own key goes into the proof, so build the request as she would have
  // to.
  class lying_dh final : public security::dh_port {
  public:
    lying_dh(security::dh_port& real, public_key claimed) : real_(real), claimed_(claimed) {}
    std::optional<security::dh_output> agree(const security::static_private_key& o, const public_key& p) override {
      return real_.agree(o, p);
    }
    std::optional<security::dh_output> agree(const security::ephemeral_private_key& o, const public_key& p) override {
      return real_.agree(o, p);
    }
    public_key public_of(const security::static_private_key&) override { return claimed_; }
    public_key public_of(const security::ephemeral_private_key& o) override { return real_.public_of(o); }

  private:
    security::dh_port& real_;
    public_key claimed_;
  } lie(mary_.dh, peter_.public_of());
  const auto refused = m->register_key(lie, mary_.key, "mary");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("proof of possession"), std::string::npos);
  EXPECT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  EXPECT_NE(s.audit().find("mary register mary: proof of possession failed"), std::string::npos) << s.audit();
}

TEST_F(function_server, a_replaced_key_ends_connections_and_is_refused) {
  running_server s(*folder_, "function.example");
  auto old = john_.connect(s);
  ASSERT_TRUE(old->register_key(john_.dh, john_.key, "john"));
  ue fresh{*folder_, "john", 22};
  auto now = fresh.connect(s);
  EXPECT_FALSE(now->register_key(fresh.dh, fresh.key, "john"));
  ASSERT_TRUE(old->list());  // a refusal ends nothing
  ASSERT_TRUE(now->register_key(fresh.dh, fresh.key, "john", true));
  EXPECT_FALSE(old->list());
  EXPECT_FALSE(old->refused());
  EXPECT_TRUE(now->list());
  auto again = john_.connect(s);
  for (const bool replace : {false, true}) {
    EXPECT_FALSE(again->register_key(john_.dh, john_.key, "john", replace));
    EXPECT_TRUE(again->refused());
  }
}

TEST_F(function_server, nothing_works_before_registration) {
  running_server s(*folder_, "function.example");
  auto m = mary_.connect(s);
  EXPECT_FALSE(m->grant("john"));
  EXPECT_FALSE(m->changes(0, 0));
  EXPECT_TRUE(m->list()->granted.empty());
}

TEST_F(function_server, every_session_with_every_server_has_keys_of_its_own) {
  running_server one(*folder_, "function.example");
  running_server two(*folder_, "other.example");
  std::set<std::string> fingerprints;
  std::vector<std::unique_ptr<client>> open;
  for (const auto* u : {&mary_, &john_, &peter_}) {
    open.push_back(u->connect(one));
    open.push_back(u->connect(two, "other.example"));
  }
  for (const auto& c : open) fingerprints.insert(c->key_fingerprint());
  EXPECT_EQ(fingerprints.size(), open.size());
}

TEST_F(function_server, a_server_with_another_name_is_refused) {
  running_server other(*folder_, "other.example");
  EXPECT_FALSE(client::connect({.port = other.port(), .server_name = "function.example", .identity = mary_.identity}));
}

void wait_until(const std::function<bool()>& done) {
  for (int i = 0; i < 500 && !done(); ++i) usleep(10000);
}

apps::file_descriptor plain_connection(int port, int receive_buffer = 0, const char* from = nullptr) {
  apps::file_descriptor fd(socket(AF_INET, SOCK_STREAM, 0));
  if (receive_buffer > 0) setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (from != nullptr) {
    const auto own = parse_address(from, 0);
    if (bind(fd.get(), own->generic(), own->length) != 0) return {};
  }
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) return {};
  return fd;
}

TEST_F(function_server, garbage_and_silence_harm_nobody_else) {
  server_limits limits;
  limits.handshake_s = 0.5;
  running_server s(*folder_, "function.example", limits);
  std::vector<apps::file_descriptor> hostile;
  std::mt19937 rng(5);
  for (int i = 0; i < 100; ++i) {
    hostile.push_back(plain_connection(s.port()));
    ASSERT_TRUE(hostile.back());
    if (i % 2 == 0) {
      std::string garbage(200 + rng() % 3000, '\0');
      for (auto& c : garbage) c = static_cast<char>(rng());
      if (i % 4 == 0) garbage.replace(0, 3, "\x16\x03\x01");  // looks like a TLS record
      send(hostile.back().get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    }
  }
  auto m = mary_.connect(s);
  ASSERT_TRUE(m);
  EXPECT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  wait_until([&] { return s.counters().open.load() == 1; });
  EXPECT_TRUE(m->grant("john"));
  // All hostile connections are closed by now; only Mary's is left.
  EXPECT_EQ(s.counters().open.load(), 1U);
  EXPECT_GE(s.counters().failed_handshakes.load() + s.counters().timed_out.load(), 100U);
}

// A TLS connection of a UE without the client's manners: whatever is written goes out as it is.
class raw_connection {
public:
  raw_connection(const tls_identity& identity, int port, int receive_buffer = 0)
      : fd_(plain_connection(port, receive_buffer)), context_(tls_context::client(identity)) {
    tls_ = std::make_unique<tls_connection>(std::move(*tls_connection::make(*context_, fd_.get(), "function.example")));
    while (true) {
      const auto status = tls_->handshake();
      if (status == tls_status::done) break;
      if (status == tls_status::failed || status == tls_status::closed) {
        ADD_FAILURE() << tls_->failure();
        break;
      }
      usleep(1000);
    }
  }
  /// False: the socket takes no more now.
  bool write(std::string_view bytes) { return tls_->write({bytes.data(), bytes.size()}).status == tls_status::done; }
  /// The next answer, parsed; nothing when the connection ends or after `seconds`.
  std::optional<answer> read(double seconds = 5) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::array<char, 4096> chunk;
    while (true) {
      if (auto m = in_.next()) {
        auto a = parse_answer(*m);
        EXPECT_TRUE(a) << a.error().message;
        return a ? std::optional(std::move(*a)) : std::nullopt;
      }
      const auto got = tls_->read(chunk);
      if (got.status == tls_status::done && in_.add({chunk.data(), got.n})) continue;
      if (got.status != tls_status::want_read || std::chrono::steady_clock::now() > end) return std::nullopt;
      usleep(500);
    }
  }

private:
  apps::file_descriptor fd_;
  result<tls_context> context_;
  std::unique_ptr<tls_connection> tls_;
  frame_reader in_{max_answer_bytes};
};

TEST_F(function_server, a_request_that_says_two_things_is_refused_and_counted) {
  running_server s(*folder_, "function.example");
  ASSERT_TRUE(mary_.connect(s)->register_key(mary_.dh, mary_.key, "mary"));
  raw_connection m(mary_.identity, s.port());
  ASSERT_TRUE(m.read());  // hello
  ASSERT_TRUE(m.write(frame(R"({"op":"grant","peer":"john","peer":"peter"})")));
  const auto refused = m.read();
  ASSERT_TRUE(refused);
  EXPECT_EQ(std::get<error_answer>(*refused).reason, "a key is there twice");
  EXPECT_EQ(s.counters().bad_requests.load(), 1U);
  EXPECT_TRUE(mary_.connect(s)->list()->granted.empty());
}

TEST_F(function_server, a_key_cut_within_a_character_is_only_refused) {
  running_server s(*folder_, "function.example");
  raw_connection m(mary_.identity, s.port());
  ASSERT_TRUE(m.read());  // hello
  ASSERT_TRUE(m.write(frame("{\"op\":\"list\",\"" + std::string(31, 'a') + "\u00e9\":1}")));
  const auto refused = m.read();
  ASSERT_TRUE(refused);
  EXPECT_EQ(std::get<error_answer>(*refused).reason, "unknown key");
  ASSERT_TRUE(m.write(frame(to_text(request(list_request{})))));
  const auto listed = m.read();
  ASSERT_TRUE(listed);
  EXPECT_TRUE(std::holds_alternative<list_answer>(*listed));
}

// The server's socket takes little, so its writes are interrupted while more answers line up behind them.
TEST_F(function_server, a_slow_reader_gets_every_answer_and_in_order) {
  server_limits limits;
  limits.requests_per_second = limits.packets_per_second = 100'000;
  server_config config;
  config.application.echo = true;
  config.send_buffer_bytes = 4096;
  running_server s(*folder_, "function.example", limits, config);
  ASSERT_TRUE(mary_.connect(s)->register_key(mary_.dh, mary_.key, "mary"));
  raw_connection m(mary_.identity, s.port(), 4096);
  ASSERT_TRUE(m.read());  // hello
  constexpr int ahead = 400, rounds = 3;
  int next = 0, sent = 0;
  for (int round = 0; round < rounds; ++round) {
    // As the socket takes them: one that waits would block the other direction too.
    for (int i = 0; i < ahead; ++i, ++sent) {
      const std::vector<std::uint8_t> number{static_cast<std::uint8_t>(sent), static_cast<std::uint8_t>(sent >> 8)};
      const std::string request_frame = frame(to_text(request(data_request{number})));
      for (int tries = 0; !m.write(request_frame); ++tries) {
        ASSERT_LT(tries, 10'000);
        usleep(500);
      }
    }
    while (next < sent) {
      const auto a = m.read();
      ASSERT_TRUE(a) << "after " << next << " of " << sent;
      if (const auto* d = std::get_if<data_answer>(&*a)) {
        ASSERT_EQ(d->octets,
                  (std::vector<std::uint8_t>{static_cast<std::uint8_t>(next), static_cast<std::uint8_t>(next >> 8)}));
        ++next;
      } else {
        ASSERT_TRUE(std::holds_alternative<done_answer>(*a));
      }
    }
  }
  EXPECT_EQ(next, ahead * rounds);
}

// A chain of certificates that the socket does not take at once, to a client that does not read at first.
TEST_F(function_server, a_blocked_handshake_goes_on_later) {
  server_config config;
  config.identity = folder_->identity("function.example");
  config.identity.certificate_path = folder_->path + "/chain.crt";
  {
    std::ofstream chain(config.identity.certificate_path);
    chain << std::ifstream(folder_->path + "/function.example.crt").rdbuf();
    for (int i = 0; i < 25; ++i) chain << std::ifstream(folder_->path + "/ca.crt").rdbuf();
  }
  config.send_buffer_bytes = 2048;
  running_server s(*folder_, "function.example", {}, config);
  const auto fd = plain_connection(s.port(), 2048);
  auto context = tls_context::client(mary_.identity);
  auto t = tls_connection::make(*context, fd.get(), "function.example");
  ASSERT_TRUE(t);
  ASSERT_EQ(t->handshake(), tls_status::want_read);
  usleep(500'000);
  int arrived = 0;
  ASSERT_EQ(ioctl(fd.get(), FIONREAD, &arrived), 0);
  EXPECT_GT(arrived, 0);
  // Less than the certificates, which the file has in base64; or nothing would have had to wait.
  EXPECT_LT(static_cast<double>(arrived),
            0.7 * static_cast<double>(std::filesystem::file_size(config.identity.certificate_path)));
  auto status = tls_status::want_read;
  for (int i = 0; i < 3000 && status == tls_status::want_read; ++i) {
    status = t->handshake();
    usleep(1000);
  }
  EXPECT_EQ(status, tls_status::done) << t->failure();
}

// The client does not wait for the greeting, which takes long: its request comes before the server looks for one.
TEST_F(function_server, a_request_right_behind_the_handshake_is_taken_up) {
  running_server s(*folder_, "function.example");
  auto m = mary_.connect(s);
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  ASSERT_TRUE(john_.connect(s)->register_key(john_.dh, john_.key, "john"));
  ASSERT_TRUE(m->grant("john"));
  result<std::vector<change>> heard;
  std::atomic<bool> done = false;
  std::thread poll([&] {
    heard = m->changes(0, 8);
    done = true;
  });
  wait_until([&] { return s.counters().waiting.load() == 1; });
  s.slow_random(100'000);
  raw_connection j(john_.identity, s.port());
  ASSERT_TRUE(j.write(frame(to_text(request(grant_request{"mary"})))));
  const auto start = std::chrono::steady_clock::now();
  wait_until([&] { return done.load(); });
  const auto took = std::chrono::steady_clock::now() - start;
  s.slow_random(0);
  poll.join();
  EXPECT_LT(took, std::chrono::seconds(4));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->size(), 1U);
}

TEST_F(function_server, requests_held_back_cost_nothing_and_go_on_later) {
  server_limits limits;
  limits.requests_per_second = 100'000;
  limits.frame_s = 60;
  server_config config;
  config.send_buffer_bytes = 4096;
  running_server s(*folder_, "function.example", limits, config);
  raw_connection m(mary_.identity, s.port(), 4096);
  ASSERT_TRUE(m.read());  // hello
  constexpr int requests = 6000;
  const std::string one = frame(R"({"op":"list"})");
  for (int i = 0; i < requests; i += 100) {
    std::string several;
    for (int k = 0; k < 100; ++k) several += one;
    ASSERT_TRUE(m.write(several));
  }
  // The queue's limit is reached: 1 MiB of 516 octets each.
  wait_until([&] { return s.counters().requests.load() > 2000; });
  usleep(300'000);
  const auto before = s.counters().requests.load();
  EXPECT_LT(before, 2200U);
  const auto used = std::clock();
  usleep(500'000);
  EXPECT_LT(std::clock() - used, CLOCKS_PER_SEC / 4);
  EXPECT_EQ(s.counters().requests.load(), before);
  for (int i = 0; i < requests; ++i) ASSERT_TRUE(m.read()) << i;
}

// All of it came in one TLS record and all answers go out in one write: the socket shows neither that requests wait nor
// that it has room again.
TEST_F(function_server, held_back_requests_go_on_with_a_silent_socket) {
  server_limits limits;
  limits.requests_per_second = 100'000;
  server_config config;
  config.max_queued_bytes = 100;
  running_server s(*folder_, "function.example", limits, config);
  raw_connection m(mary_.identity, s.port());
  ASSERT_TRUE(m.read());  // hello
  constexpr int requests = 40;
  std::string several;
  for (int k = 0; k < requests; ++k) several += frame(R"({"op":"list"})");
  ASSERT_TRUE(m.write(several));
  for (int i = 0; i < requests; ++i) ASSERT_TRUE(m.read()) << i;
}

TEST_F(function_server, a_denied_user_with_a_good_certificate_is_refused) {
  server_config config;
  config.denied = {"john"};
  running_server s(*folder_, "function.example", {}, config);
  EXPECT_FALSE(client::connect({.port = s.port(), .server_name = "function.example", .identity = john_.identity}));
  EXPECT_TRUE(mary_.connect(s)->list());
  EXPECT_NE(s.audit().find(" denied"), std::string::npos) << s.audit();
}

TEST_F(function_server, who_is_denied_later_loses_live_sessions) {
  server_config config;
  config.denied = {"peter"};
  std::optional<std::set<std::string>> list;  // nothing: the file is bad
  std::atomic<int> reads = 0;
  config.read_denied = [&] {
    ++reads;
    return list;
  };
  running_server s(*folder_, "function.example", {}, config);
  auto one = john_.connect(s), two = john_.connect(s), m = mary_.connect(s);
  s.reload();
  wait_until([&] { return reads == 1; });
  EXPECT_TRUE(one->list() && two->list() && m->list());
  EXPECT_FALSE(client::connect({.port = s.port(), .server_name = "function.example", .identity = peter_.identity}));
  list = {"john"};
  s.reload();
  wait_until([&] { return s.counters().open.load() == 1; });
  EXPECT_FALSE(one->list());
  EXPECT_FALSE(two->list());
  EXPECT_TRUE(m->list());
  EXPECT_FALSE(client::connect({.port = s.port(), .server_name = "function.example", .identity = john_.identity}));
  EXPECT_TRUE(peter_.connect(s)->list());
}

TEST_F(function_server, a_connection_too_many_ends_the_users_oldest) {
  server_limits limits;
  limits.max_connections_per_user = 2;
  running_server s(*folder_, "function.example", limits);
  auto one = mary_.connect(s);
  auto two = mary_.connect(s);
  auto j = john_.connect(s);
  auto three = mary_.connect(s);
  EXPECT_FALSE(one->list());
  EXPECT_TRUE(two->list() && three->list() && j->list());
}

TEST_F(function_server, a_frame_by_drops_or_too_long_is_cut_off) {
  server_limits limits;
  limits.frame_s = 0.3;
  running_server s(*folder_, "function.example", limits);
  const auto raw = [&](const std::string& bytes) {
    auto fd = plain_connection(s.port());
    auto context = tls_context::client(mary_.identity);
    auto t = tls_connection::make(*context, fd.get(), "function.example");
    while (t->handshake() != tls_status::done) usleep(1000);
    t->write(bytes);
    const auto start = std::chrono::steady_clock::now();
    char in[2048];
    while (true) {
      const auto got = t->read(in);
      if (got.status == tls_status::closed || got.status == tls_status::failed) break;
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(5)) return false;
      usleep(5000);
    }
    return true;
  };
  EXPECT_TRUE(raw(std::string("\0\0\1\0{\"op\"", 10)));  // never finished
  EXPECT_TRUE(raw(std::string("\x7f\xff\xff\xff", 4)));  // 2 GiB announced
}

TEST_F(function_server, requests_beyond_the_rate_are_refused_for_a_while) {
  server_limits limits;
  limits.requests_per_second = 4;  // so that a busy machine cannot be slower than that
  running_server s(*folder_, "function.example", limits);
  auto m = mary_.connect(s);
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  int refused = 0;
  for (int i = 0; i < 80; ++i) refused += m->list() ? 0 : 1;
  EXPECT_GT(refused, 10);
  EXPECT_EQ(s.counters().rate_limited.load(), static_cast<std::uint64_t>(refused));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(m->list());
}

TEST_F(function_server, connections_beyond_an_addresss_limit) {
  server_limits limits;
  limits.max_connections_per_address = 5;
  running_server s(*folder_, "function.example", limits);
  std::vector<apps::file_descriptor> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(plain_connection(s.port()));
  wait_until([&] { return s.counters().evicted.load() >= 15 && s.counters().open.load() == 5; });
  EXPECT_EQ(s.counters().evicted.load(), 15U);
  EXPECT_EQ(s.counters().open.load(), 5U);
  // Those who have shown who they are stay.
  std::vector<std::unique_ptr<client>> connected;
  for (int i = 0; i < 5; ++i) connected.push_back((i % 2 == 0 ? mary_ : john_).connect(s));
  wait_until([&] { return s.counters().open.load() == 5; });
  EXPECT_EQ(s.counters().open.load(), 5U);
  auto one_more = plain_connection(s.port());
  wait_until([&] { return s.counters().refused_connections.load() >= 1; });
  EXPECT_EQ(s.counters().refused_connections.load(), 1U);
  for (auto& c : connected) EXPECT_TRUE(c->list());
}

TEST_F(function_server, silent_connections_keep_nobody_out) {
  server_limits limits;
  limits.max_half_open = 40;
  limits.max_connections = 2;
  running_server s(*folder_, "function.example", limits);
  auto m = mary_.connect(s);
  std::vector<apps::file_descriptor> silent;
  for (const char* from : {"127.0.0.1", "127.0.0.2", "127.0.0.3"})
    for (int i = 0; i < 60; ++i) silent.push_back(plain_connection(s.port(), 0, from));
  wait_until([&] { return s.counters().evicted.load() >= 140 && s.counters().open.load() == 41; });
  EXPECT_EQ(s.counters().evicted.load(), 140U);
  EXPECT_EQ(s.counters().open.load(), 41U);
  auto j = john_.connect(s);
  ASSERT_TRUE(j);
  EXPECT_TRUE(j->list());
  EXPECT_TRUE(m->list());
  // The limit of those who are connected stands.
  EXPECT_FALSE(client::connect({.port = s.port(), .server_name = "function.example", .identity = peter_.identity}));
  wait_until([&] { return s.counters().refused_connections.load() >= 1; });
  EXPECT_EQ(s.counters().refused_connections.load(), 1U);
}

TEST(function_address, a_block_is_what_one_host_can_have) {
  const auto block = [](const char* text) { return parse_address(text, 1)->block(); };
  EXPECT_EQ(block("2001:db8::1"), block("2001:db8::ffff:1:2:3"));
  EXPECT_NE(block("2001:db8::1"), block("2001:db8:0:1::1"));
  EXPECT_NE(block("::ffff:1.2.3.4"), block("::ffff:1.2.3.5"));
  EXPECT_NE(block("1.2.3.4"), block("1.2.3.5"));
}

TEST(function_bucket, a_rate_below_one_a_second_lets_one_through) {
  token_bucket b;
  auto now = std::chrono::steady_clock::now();
  EXPECT_TRUE(b.take(0.1, now));
  EXPECT_FALSE(b.take(0.1, now + std::chrono::seconds(5)));
  EXPECT_TRUE(b.take(0.1, now + std::chrono::seconds(11)));
  EXPECT_FALSE(b.full(0.1, now + std::chrono::seconds(12)));
  EXPECT_TRUE(b.full(0.1, now + std::chrono::seconds(22)));
}

TEST_F(function_server, a_users_connections_share_one_budget) {
  server_limits limits;
  limits.requests_per_second = 5;
  running_server s(*folder_, "function.example", limits);
  const auto start = std::chrono::steady_clock::now();
  auto one = mary_.connect(s);
  auto two = mary_.connect(s);
  int served = 0;
  for (int i = 0; i < 20; ++i) served += (i % 2 == 0 ? one : two)->list() ? 1 : 0;
  one.reset();
  two.reset();
  auto three = mary_.connect(s);
  for (int i = 0; i < 10; ++i) served += three->list() ? 1 : 0;
  EXPECT_GE(served, 10);
  // 10 at once, and five for each second that this took.
  EXPECT_LE(served, 11 + 5 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

// The chance that a value of `a` is larger than one of `b`: 0.5 where the two cannot be told apart (Mann-Whitney).
double chance_larger(const std::vector<double>& a, const std::vector<double>& b) {
  double wins = 0;
  for (const double x : a)
    for (const double y : b) wins += x > y ? 1 : x == y ? 0.5 : 0;
  return wins / static_cast<double>(a.size() * b.size());
}

TEST_F(function_server, the_time_of_an_answer_tells_nothing_of_a_peer) {
  server_limits limits;
  limits.requests_per_second = 100'000;
  running_server s(*folder_, "function.example", limits);
  auto m = mary_.connect(s);
  auto j = john_.connect(s);
  auto p = peter_.connect(s);
  ASSERT_TRUE(m->register_key(mary_.dh, mary_.key, "mary"));
  ASSERT_TRUE(j->register_key(john_.dh, john_.key, "john"));
  ASSERT_TRUE(p->register_key(peter_.dh, peter_.key, "peter"));
  ASSERT_TRUE(p->grant("mary"));  // John has not
  const auto took = [](auto&& call) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(call());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // Taken in turn, so that what else the machine does falls on all alike.
  std::vector<double> grant_john, grant_nobody, withdraw_peter, withdraw_nobody, list;
  for (int i = 0; i < 400; ++i) {
    const auto john = [&] {
      grant_john.push_back(took([&] { return m->grant("john"); }));
      EXPECT_TRUE(m->withdraw("john"));
    };
    const auto nobody = [&] {
      grant_nobody.push_back(took([&] { return m->grant("nobo"); }));
      EXPECT_TRUE(m->withdraw("nobo"));
    };
    if (i % 2 == 0)
      john(), nobody();
    else
      nobody(), john();
    const auto peter = [&] { withdraw_peter.push_back(took([&] { return m->withdraw("peter"); })); };
    const auto none = [&] { withdraw_nobody.push_back(took([&] { return m->withdraw("nobod"); })); };
    if (i % 2 == 0)
      peter(), none();
    else
      none(), peter();
    list.push_back(took([&] { return m->list().has_value(); }));
  }
  const double grant = chance_larger(grant_john, grant_nobody),
               withdraw = chance_larger(withdraw_peter, withdraw_nobody);
  const double control = chance_larger(grant_john, list);
  std::printf("[ timing ] grant %.3f, withdraw %.3f, control %.3f\n", grant, withdraw, control);
  // 400 against 400 that are alike have a standard deviation of 0.0204: five of them.
  EXPECT_NEAR(grant, 0.5, 0.102);
  EXPECT_NEAR(withdraw, 0.5, 0.102);
  EXPECT_GT(control, 0.7);  // the measure tells a write from a read
}

}  // namespace
}  // namespace prose::function
