// A UE's session with a server that answers whatever it likes, in one process: the limits and rules of
// apps/lib/pc3/pc3.cpp, one a test.
#include "apps/lib/pc3/pc3.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/tls.h"
#include "apps/lib/keys/key_file.h"

namespace prose::apps {
namespace {

using namespace function;
using kind = pc3_event::kind;
using answers = std::vector<answer>;

constexpr const char* server_name = "function.example";
public_key key_of(int n) {
  public_key k{};
  k.octets[0] = static_cast<std::uint8_t>(n);
  k.octets[1] = static_cast<std::uint8_t>(1 + n / 256);
  return k;
}
answers none() { return {changes_answer{}}; }

/// Certificates, made once, and the files of one UE.
struct files {
  std::string path = ::testing::TempDir() + "prose_pc3_" + std::to_string(::getpid());
  files() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    EXPECT_TRUE(make_authority(path, "ca", 30));
    EXPECT_TRUE(issue_certificate(path, "ca", server_name, certificate_use::server, 30));
    EXPECT_TRUE(issue_certificate(path, "ca", "mary", certificate_use::ue, 30));
  }
  ~files() { std::filesystem::remove_all(path); }
  tls_identity identity(const std::string& n) const {
    return {path + "/ca.crt", path + "/" + n + ".crt", path + "/" + n + ".key"};
  }
};

/// Has the right certificate. `says`: to a request, with how many requests for changes came before.
class scripted_server {
public:
  using script = std::function<answers(const request&, int)>;
  scripted_server(const files& f, script says)
      : says_(std::move(says)), context_(tls_context::server(f.identity(server_name)).value()) {
    listener_ = file_descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t n = sizeof a;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&a), n), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&a), &n), 0);
    port = ntohs(a.sin_port);
    thread_ = std::thread([this] {
      for (int s; (s = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        const file_descriptor connection(s);
        connection_ = s;
        if (!stopping_) serve(s);
        connection_ = -1;
      }
    });
  }
  ~scripted_server() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (const int s = connection_; s >= 0) ::shutdown(s, SHUT_RDWR);
    thread_.join();
  }
  int port = 0;
  std::atomic<int> sessions = 0, asked = 0, asked_at_once = 0;

private:
  void serve(int s) {
    auto tls = tls_connection::make(context_, s, "");
    const auto waits = [&](tls_status status) {  // false: over
      if (status != tls_status::want_read && status != tls_status::want_write) return false;
      pollfd p{s, static_cast<short>(status == tls_status::want_read ? POLLIN : POLLOUT), 0};
      return ::poll(&p, 1, -1) >= 0;
    };
    if (!tls) return;
    for (tls_status status; (status = tls->handshake()) != tls_status::done;)
      if (!waits(status)) return;
    ++sessions;
    const auto send = [&](const answer& a) {
      const std::string text = frame(to_text(a));
      for (std::size_t at = 0; at < text.size();) {
        const auto io = tls->write(std::span(text).subspan(at));
        if (io.status == tls_status::done)
          at += io.n;
        else if (!waits(io.status))
          return false;
      }
      return true;
    };
    hello greeting{.server = server_name};
    greeting.ephemeral.octets[0] = 9;
    if (!send(greeting)) return;
    frame_reader frames(max_request_bytes);
    for (std::vector<char> b(4096);;) {
      while (const auto text = frames.next()) {
        const auto r = parse_request(*text);
        if (!r) return;
        const auto* c = std::get_if<changes_request>(&*r);
        const auto said = says_(*r, asked);
        if (c != nullptr) {
          ++asked;
          if (c->wait_s == 0) ++asked_at_once;
        }
        for (const auto& a : said)
          if (!send(a)) return;
      }
      const auto io = tls->read(b);
      if (io.status == tls_status::done ? !frames.add({b.data(), io.n}) : !waits(io.status)) return;
    }
  }
  script says_;
  tls_context context_;
  file_descriptor listener_;
  std::atomic<int> connection_ = -1;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// To requests for changes as `script` says; anything else is done.
scripted_server::script to_changes(std::function<answers(const changes_request&, int)> script) {
  return [script = std::move(script)](const request& r, int n) -> answers {
    const auto* c = std::get_if<changes_request>(&r);
    if (c != nullptr) return script(*c, n);
    if (std::holds_alternative<list_request>(r)) return {list_answer{}};
    return {done_answer{}};
  };
}

class consent_pc3 : public ::testing::Test {
protected:
  static void SetUpTestSuite() { files_ = std::make_unique<files>(); }
  static void TearDownTestSuite() { files_.reset(); }
  void SetUp() override {
    folder_ = files_->path + "/" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    key_ = folder_ + "/mary.key";
    std::array<std::uint8_t, 32> own;
    own.fill(77);
    EXPECT_TRUE(keys::write_secret(key_, own));
  }
  void consents(const std::string& lines) {
    EXPECT_TRUE(replace_private_file(key_ + ".consent", "# prose consent 1\n" + lines));
  }
  std::string consent_text() { return read_private_file(key_ + ".consent").value(); }
  void start(const scripted_server& s, double valid_h = 24) {
    pc3_config c;
    c.user = "mary";
    c.private_key = key_;
    c.valid_h = valid_h;
    // No time limit ends a session on a busy machine.
    c.servers.push_back(
        {.client = {.port = s.port, .server_name = server_name, .identity = files_->identity("mary"), .timeout_s = 300},
         .udp_listen = "",
         .udp_forward = ""});
    auto p = pc3::start(c, key_of(5000), {});
    ASSERT_TRUE(p) << p.error().message;
    pc3_ = std::move(*p);
  }
  /// Two minutes, after which something is broken.
  template <class Done>
  static bool comes(Done done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  /// The same while events are taken.
  template <class Done>
  bool until(Done done) {
    const bool came = comes([&] {
      while (auto e = pc3_->poll()) events_.push_back(std::move(*e));
      return done();
    });
    if (came) return true;
    for (const auto& e : events_)
      std::printf("event %d %s %s\n", static_cast<int>(e.what), e.peer.c_str(), e.text.c_str());
    return false;
  }
  std::size_t count(kind k) const {
    return static_cast<std::size_t>(
        std::count_if(events_.begin(), events_.end(), [&](const auto& e) { return e.what == k; }));
  }
  bool heard(kind k, const std::string& text = "") {
    return until([&] {
      return std::any_of(events_.begin(), events_.end(),
                         [&](const auto& e) { return e.what == k && e.text.find(text) != std::string::npos; });
    });
  }

  static std::unique_ptr<files> files_;
  std::string folder_, key_;
  std::unique_ptr<pc3> pc3_;
  std::vector<pc3_event> events_;
};
std::unique_ptr<files> consent_pc3::files_;

TEST_F(consent_pc3, nothing_is_asked_before_the_slot_clock_is_known) {
  consents("john trust-first\n");
  scripted_server s(*files_, to_changes([](const auto&, int n) {
    return n == 0 ? answers{changes_answer{{{1, "john", true, key_of(1)}}}} : none();
  }));
  start(s);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(s.sessions, 0);
  pc3_->set_slot(1'700'000'000);
  EXPECT_TRUE(heard(kind::permitted));
}

TEST_F(consent_pc3, a_key_not_bound_on_the_disk_is_told_and_not_in_force) {
  consents("john trust-first\n");
  std::filesystem::create_directory(key_ + ".consent.lock");  // not to be opened for writing, by root neither
  scripted_server s(*files_, to_changes([](const auto&, int n) {
    return n == 0 ? answers{changes_answer{{{1, "john", true, key_of(1)}}}} : none();
  }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  EXPECT_TRUE(heard(kind::unwritten));
  EXPECT_EQ(count(kind::permitted), 0U);
  std::filesystem::remove(key_ + ".consent.lock");
  EXPECT_TRUE(heard(kind::permitted));
  EXPECT_NE(consent_text().find("john first "), std::string::npos);
}

TEST_F(consent_pc3, what_the_user_writes_while_a_key_is_being_bound_stays) {
  consents("john trust-first\n");
  const file_descriptor lock(::open((key_ + ".consent.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  scripted_server s(*files_, to_changes([](const auto&, int n) {
    return n == 0 ? answers{changes_answer{{{1, "john", true, key_of(1)}}}} : none();
  }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  ASSERT_TRUE(until([&] { return s.asked >= 2; }));  // all that it says is there, and waits for the lock
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  consents("john withdrawn\npaul trust-first\n");
  ASSERT_EQ(::flock(lock.get(), LOCK_UN), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_EQ(consent_text(), "# prose consent 1\njohn withdrawn\npaul trust-first\n");
  while (auto e = pc3_->poll()) events_.push_back(std::move(*e));
  EXPECT_EQ(count(kind::permitted), 0U);
}

TEST_F(consent_pc3, a_list_that_cannot_be_read_permits_nobody) {
  consents("john trust-first\n");
  scripted_server s(*files_, to_changes([](const auto&, int n) {
    return n == 0 ? answers{changes_answer{{{1, "john", true, key_of(1)}}}} : n == 1 ? none() : answers{};
  }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  ASSERT_TRUE(heard(kind::permitted));
  ASSERT_TRUE(replace_private_file(key_ + ".consent", "# prose consent 1\njohn whatever\n"));
  EXPECT_TRUE(heard(kind::unreadable, "mary.key.consent:2"));
  EXPECT_TRUE(heard(kind::withdrawn));
}

TEST_F(consent_pc3, a_server_that_says_the_same_again_and_again_is_left) {
  consents("john trust-first\n");
  const answers same{changes_answer{{{1, "john", true, key_of(1)}}}};
  {
    scripted_server s(*files_, to_changes([&](const auto&, int) { return same; }));
    start(s);
    pc3_->set_slot(1'700'000'000);
    EXPECT_TRUE(heard(kind::session_lost, "not new"));
    EXPECT_EQ(count(kind::permitted), 0U) << "of a list that has no end nothing counts";
    pc3_.reset();
  }
  events_.clear();
  scripted_server s(*files_, to_changes([&](const auto&, int n) { return n == 1 ? none() : same; }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  EXPECT_TRUE(heard(kind::session_lost, "not new"));
}

TEST_F(consent_pc3, a_list_without_end_is_left_whether_of_names_or_of_changes) {
  for (const bool names : {true, false}) {
    scripted_server s(*files_, to_changes([&](const changes_request& r, int) {
      changes_answer a;
      for (std::int64_t v = r.since + 1; v <= r.since + max_changes_per_answer; ++v)
        a.changes.push_back({v, std::string("p").append(names ? std::to_string(v) : ""), true, key_of(1)});
      return answers{a};
    }));
    events_.clear();
    start(s);
    pc3_->set_slot(1'700'000'000);
    EXPECT_TRUE(heard(kind::session_lost, "more changes")) << names;
    EXPECT_LE(s.asked, names ? 16 : 1563);  // 1000 peers; 100 changes of each
    pc3_.reset();
  }
}

TEST_F(consent_pc3, news_is_taken_ten_times_a_second) {
  consents("john trust-first\n");
  scripted_server s(*files_, to_changes([](const changes_request& r, int n) {
    return n == 0 ? none() : answers{changes_answer{{{r.since + 1, "john", n % 2 == 0, key_of(1)}}}};
  }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  ASSERT_TRUE(until([&] { return s.asked >= 2; }));
  const auto begin = std::chrono::steady_clock::now();
  const int first = s.asked;
  ASSERT_TRUE(until([&] { return s.asked >= first + 12; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1000));
}

TEST_F(consent_pc3, packets_that_nobody_takes_are_dropped_and_counted) {
  const answers flood(1000, data_answer{{1, 2, 3}});
  scripted_server s(*files_, to_changes([&](const auto&, int n) {
    return n == 0 ? none() : n == 1 ? flood : answers{};
  }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  EXPECT_TRUE(comes([&] { return pc3_->data_dropped() >= 1000 - 256; }));
  EXPECT_EQ(pc3_->data_dropped(), 1000U - 256);
  EXPECT_TRUE(until([&] { return count(kind::data) == 256; }));
}

TEST_F(consent_pc3, a_server_waits_while_nobody_takes_the_events) {
  // Nobody granted any of the names, and the user is told of each. Later names take the place of earlier ones.
  scripted_server s(*files_, to_changes([](const changes_request& r, int) {
    changes_answer a;
    const auto name = [](std::int64_t n) { return "p" + std::to_string(n); };
    if (r.since < 960)
      for (auto v = r.since + 1; v <= r.since + max_changes_per_answer; ++v)
        a.changes.push_back({v, name(v), true, key_of(static_cast<int>(v))});
    else if (r.wait_s > 0)
      for (auto v = r.since + 1; v <= r.since + max_changes_per_answer; v += 2) {
        a.changes.push_back({v, name(v - 960), false, {}});
        a.changes.push_back({v + 1, name(v + 1), true, key_of(static_cast<int>(v % 4000))});
      }
    return answers{a};
  }));
  start(s);
  pc3_->set_slot(1'700'000'000);
  EXPECT_TRUE(comes([&] { return s.asked >= 18; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // in which it would ask five times
  EXPECT_EQ(s.asked, 18) << "960 names in 15 answers, the empty one, and two with 32 others";
  EXPECT_TRUE(until([&] { return s.asked > 18; }));
}

TEST_F(consent_pc3, packets_for_a_server_that_is_away_are_bounded) {
  scripted_server s(*files_, to_changes([](const auto&, int) { return none(); }));
  start(s);
  const std::uint8_t packet[] = {1, 2, 3};
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(pc3_->send(0, packet));
  EXPECT_FALSE(pc3_->send(0, packet));
  EXPECT_FALSE(pc3_->send(0, {}));
}

TEST_F(consent_pc3, servers_hear_only_what_the_user_withdrew) {
  consents("john withdrawn\npaul trust-first\n");
  std::mutex mutex;
  std::set<std::string> told;
  scripted_server s(*files_, [&](const request& r, int) -> answers {
    if (std::holds_alternative<list_request>(r)) return {list_answer{{"john", "paul"}, {}}};
    if (const auto* w = std::get_if<withdraw_request>(&r)) {
      const std::lock_guard lock(mutex);
      told.insert(w->peer);
    }
    if (std::holds_alternative<changes_request>(r)) return none();
    return {done_answer{}};
  });
  start(s);
  pc3_->set_slot(1'700'000'000);
  ASSERT_TRUE(until([&] { return s.asked >= 1; }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(told, std::set<std::string>{"john"});
}

TEST_F(consent_pc3, a_server_is_asked_again_before_its_word_gets_too_old) {
  consents("john trust-first\n");
  scripted_server s(*files_, to_changes([](const changes_request& r, int n) {
    if (n == 0) return answers{changes_answer{{{1, "john", true, key_of(1)}}}};
    return r.wait_s == 0 ? none() : answers{};
  }));
  start(s, 4.0 / 3600);
  pc3_->set_slot(1'700'000'000);
  ASSERT_TRUE(heard(kind::permitted));
  EXPECT_TRUE(until([&] { return s.asked_at_once > 2; }));  // the list and its end were asked for at first
}

TEST_F(consent_pc3, of_a_cache_of_version_0_1_only_pinned_keys_count) {
  const auto line = [&](const std::string& file, const std::vector<keys::permission>& all) {
    ASSERT_TRUE(keys::write_private_permissions(file, all));
  };
  const std::string cache = folder_ + "/mary.cache";
  line(cache + ".pins", {{"john", key_of(1), {}}, {"paul", key_of(2), {}}});
  line(cache + "." + server_name, {{"john", key_of(1), {}}, {"paul", key_of(3), {}}, {"eve", key_of(4), {}}});
  const auto found = cached_peers(cache);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (permission_book::key_map{{"john", key_of(1)}}));
}

}  // namespace
}  // namespace prose::apps
