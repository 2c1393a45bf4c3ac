// TLS with the private CA: who is let in, and that every session has secrets of its own. Both ends in one thread, over
// a socket pair.
#include "apps/lib/function/tls.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>

#include "apps/lib/keys/key_file.h"

namespace prose::function {
namespace {

struct ends {
  int fd[2] = {-1, -1};
  ends() {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0) fd[0] = fd[1] = -1;
  }
  ~ends() {
    close(fd[0]);
    close(fd[1]);
  }
};

class tls : public ::testing::Test {
protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "prose_tls_" + std::to_string(getpid()) + "_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(make_authority(folder_, "ca", 30));
    ASSERT_TRUE(issue_certificate(folder_, "ca", "function.example", certificate_use::server, 30));
    ASSERT_TRUE(issue_certificate(folder_, "ca", "mary", certificate_use::ue, 30));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  tls_identity identity(const std::string& name, const std::string& authority = "ca") const {
    return {folder_ + "/" + authority + ".crt", folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key"};
  }
  struct outcome {
    tls_status client;
    tls_status server;
  };
  static outcome shake(tls_connection& client, tls_connection& server) {
    outcome o{tls_status::want_read, tls_status::want_read};
    const auto open = [](tls_status s) { return s == tls_status::want_read || s == tls_status::want_write; };
    for (int i = 0; i < 100 && (open(o.client) || open(o.server)); ++i) {
      if (open(o.client)) o.client = client.handshake();
      if (open(o.server)) o.server = server.handshake();
      // A side that gave up says nothing more; the other would wait for ever.
      if (o.client == tls_status::failed || o.server == tls_status::failed) break;
    }
    return o;
  }
  std::string folder_;
};

TEST_F(tls, certificates_of_the_authority_open_a_session_with_its_own_secret) {
  auto server_context = tls_context::server(identity("function.example"));
  auto client_context = tls_context::client(identity("mary"));
  ASSERT_TRUE(server_context) << server_context.error().message;
  ASSERT_TRUE(client_context) << client_context.error().message;
  std::set<std::array<std::uint8_t, 32>> fingerprints;
  for (int i = 0; i < 3; ++i) {
    ends e;
    auto client = tls_connection::make(*client_context, e.fd[0], "function.example");
    auto server = tls_connection::make(*server_context, e.fd[1], "");
    ASSERT_TRUE(client && server);
    const auto o = shake(*client, *server);
    ASSERT_EQ(o.client, tls_status::done) << client->failure();
    ASSERT_EQ(o.server, tls_status::done) << server->failure();
    EXPECT_EQ(server->peer_name(), "mary");
    EXPECT_EQ(client->peer_name(), "function.example");
    EXPECT_EQ(client->session_fingerprint(), server->session_fingerprint());
    EXPECT_NE(client->session_fingerprint(), (std::array<std::uint8_t, 32>{}));
    fingerprints.insert(client->session_fingerprint());
    const std::string text = "hello";
    EXPECT_EQ(client->write(text).n, 5U);
    char in[16];
    const auto got = server->read(in);
    EXPECT_EQ(std::string(in, got.n), "hello");
    client->close_notify();
    EXPECT_EQ(server->read(in).status, tls_status::closed);
  }
  EXPECT_EQ(fingerprints.size(), 3U);
}

TEST_F(tls, foreign_certificates_are_refused_on_both_sides) {
  ASSERT_TRUE(make_authority(folder_, "other-ca", 30));
  ASSERT_TRUE(issue_certificate(folder_, "other-ca", "eve", certificate_use::ue, 30));
  ASSERT_TRUE(issue_certificate(folder_, "other-ca", "eve.example", certificate_use::server, 30));
  auto server_context = tls_context::server(identity("function.example"));
  // Eve trusts the right CA, so that only her own certificate is wrong.
  auto eve_context = tls_context::client(identity("eve"));
  {
    ends e;
    auto client = tls_connection::make(*eve_context, e.fd[0], "function.example");
    auto server = tls_connection::make(*server_context, e.fd[1], "");
    EXPECT_EQ(shake(*client, *server).server, tls_status::failed);
  }
  // A server of another CA.
  auto lying_context = tls_context::server(identity("eve.example"));
  auto mary_context = tls_context::client(identity("mary"));
  ends e;
  auto client = tls_connection::make(*mary_context, e.fd[0], "eve.example");
  auto server = tls_connection::make(*lying_context, e.fd[1], "");
  EXPECT_EQ(shake(*client, *server).client, tls_status::failed);
}

TEST_F(tls, a_server_must_have_the_name_that_was_asked_for) {
  ASSERT_TRUE(issue_certificate(folder_, "ca", "other.example", certificate_use::server, 30));
  auto server_context = tls_context::server(identity("other.example"));  // of the right CA, but not the server
  auto client_context = tls_context::client(identity("mary"));
  ends e;
  auto client = tls_connection::make(*client_context, e.fd[0], "function.example");
  auto server = tls_connection::make(*server_context, e.fd[1], "");
  EXPECT_EQ(shake(*client, *server).client, tls_status::failed);
}

TEST_F(tls, a_ue_cannot_serve_and_a_server_is_no_ue) {
  auto client_context = tls_context::client(identity("mary"));
  {
    auto server_context = tls_context::server(identity("mary"));
    ends e;
    auto client = tls_connection::make(*client_context, e.fd[0], "mary");  // the very name of its certificate
    auto server = tls_connection::make(*server_context, e.fd[1], "");
    EXPECT_NE(shake(*client, *server).client, tls_status::done);
  }
  auto server_context = tls_context::server(identity("function.example"));
  auto posing_context = tls_context::client(identity("function.example"));
  ends e;
  auto client = tls_connection::make(*posing_context, e.fd[0], "function.example");
  auto server = tls_connection::make(*server_context, e.fd[1], "");
  EXPECT_EQ(shake(*client, *server).server, tls_status::failed);
}

TEST_F(tls, expired_and_future_certificates_are_refused) {
  constexpr std::int64_t day = 86400;
  const std::int64_t now = std::time(nullptr);
  ASSERT_TRUE(issue_certificate(folder_, "ca", "late", certificate_use::ue, 5, now - 10 * day));
  ASSERT_TRUE(issue_certificate(folder_, "ca", "early", certificate_use::ue, 5, now + 3 * day));
  ASSERT_TRUE(issue_certificate(folder_, "ca", "late.example", certificate_use::server, 5, now - 10 * day));
  auto server_context = tls_context::server(identity("function.example"));
  EXPECT_TRUE(server_context->check_dates());
  for (const auto& [name, words] :
       {std::pair{"late", "late.crt: expired on "}, std::pair{"early", "early.crt: valid only from "}}) {
    const auto dates = tls_context::client(identity(name))->check_dates();
    ASSERT_FALSE(dates);
    EXPECT_NE(dates.error().message.find(words), std::string::npos) << dates.error().message;
    auto client_context = tls_context::client(identity(name));
    ends e;
    auto client = tls_connection::make(*client_context, e.fd[0], "function.example");
    auto server = tls_connection::make(*server_context, e.fd[1], "");
    EXPECT_EQ(shake(*client, *server).server, tls_status::failed) << name;
    for (int i = 0; i < 10 && client->handshake() != tls_status::failed; ++i) continue;
    EXPECT_NE(client->failure().find("refused by the peer: certificate"), std::string::npos)
        << name << ": " << client->failure();
  }
  auto late_context = tls_context::server(identity("late.example"));
  auto client_context = tls_context::client(identity("mary"));
  ends e;
  auto client = tls_connection::make(*client_context, e.fd[0], "late.example");
  auto server = tls_connection::make(*late_context, e.fd[1], "");
  EXPECT_EQ(shake(*client, *server).client, tls_status::failed);
}

TEST_F(tls, pre_shared_keys_open_sessions_with_forward_secrecy) {
  const auto write_psk = [&](const std::string& name, std::uint8_t octet) {
    std::array<std::uint8_t, 32> psk;
    psk.fill(octet);
    std::filesystem::create_directories(folder_ + "/psk");
    ASSERT_TRUE(keys::write_secret(folder_ + name, psk));
  };
  write_psk("/psk/mary.psk", 1);
  write_psk("/wrong.psk", 2);
  tls_identity server_identity;
  server_identity.psk_folder = folder_ + "/psk";
  auto server_context = tls_context::server(server_identity);
  ASSERT_TRUE(server_context) << server_context.error().message;
  const auto attempt = [&](const std::string& file, const std::string& name) {
    tls_identity i;
    i.psk_path = folder_ + file;
    i.psk_identity = name;
    auto client_context = tls_context::client(i);
    EXPECT_TRUE(client_context);
    ends e;
    auto client = tls_connection::make(*client_context, e.fd[0], "function.example");
    auto server = tls_connection::make(*server_context, e.fd[1], "");
    const auto o = shake(*client, *server);
    if (o.server != tls_status::done || o.client != tls_status::done) return std::string();
    EXPECT_EQ(client->suite(), "TLS-ECDHE-PSK-WITH-CHACHA20-POLY1305-SHA256");
    EXPECT_EQ(client->session_fingerprint(), server->session_fingerprint());
    return server->peer_name();
  };
  EXPECT_EQ(attempt("/psk/mary.psk", "mary"), "mary");
  EXPECT_EQ(attempt("/wrong.psk", "mary"), "");
  EXPECT_EQ(attempt("/psk/mary.psk", "john"), "");
  // A server with both kinds of credentials serves both.
  auto both = identity("function.example");
  both.psk_folder = folder_ + "/psk";
  server_context = tls_context::server(both);
  EXPECT_EQ(attempt("/psk/mary.psk", "mary"), "mary");
  auto client_context = tls_context::client(identity("mary"));
  ends e;
  auto client = tls_connection::make(*client_context, e.fd[0], "function.example");
  auto server = tls_connection::make(*server_context, e.fd[1], "");
  EXPECT_EQ(shake(*client, *server).server, tls_status::done);
  std::filesystem::remove(folder_ + "/psk/mary.psk");  // shut out at once
  ASSERT_TRUE(std::filesystem::exists(folder_ + "/wrong.psk"));
  EXPECT_EQ(attempt("/wrong.psk", "mary"), "");
}

TEST_F(tls, files_that_do_not_fit_are_errors_that_name_the_file) {
  auto crossed = identity("mary");
  crossed.key_path = folder_ + "/function.example.key";
  EXPECT_NE(tls_context::client(crossed).error().message.find("function.example.key"), std::string::npos);
  EXPECT_FALSE(tls_context::client(identity("nobody")));
  std::ofstream(folder_ + "/garbage.crt") << "not pem";
  auto garbage = identity("mary");
  garbage.ca_path = folder_ + "/garbage.crt";
  EXPECT_NE(tls_context::client(garbage).error().message.find("garbage.crt"), std::string::npos);
}

// The CA's key is kept elsewhere, and the command is given again.
TEST_F(tls, an_authority_is_never_half_made_anew_and_only_its_own_key_issues) {
  const std::string key = folder_ + "/ca.key";
  std::filesystem::rename(key, folder_ + "/offline");
  EXPECT_FALSE(make_authority(folder_, "ca", 30));
  EXPECT_FALSE(std::filesystem::exists(key));
  ASSERT_TRUE(make_authority(folder_, "other", 30));
  std::filesystem::copy_file(folder_ + "/other.key", key);
  const auto wrong = issue_certificate(folder_, "ca", "john", certificate_use::ue, 30);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("not the key of"), std::string::npos) << wrong.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/john.key"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/john.crt"));
  std::filesystem::rename(folder_ + "/offline", key);
  EXPECT_TRUE(issue_certificate(folder_, "ca", "john", certificate_use::ue, 30));
}

TEST_F(tls, the_authority_overwrites_nothing_and_keeps_keys_private) {
  EXPECT_FALSE(issue_certificate(folder_, "ca", "mary", certificate_use::ue, 30));
  EXPECT_FALSE(issue_certificate(folder_, "ca", "../x", certificate_use::ue, 30));
  EXPECT_FALSE(issue_certificate(folder_, "absent", "john", certificate_use::ue, 30));
  struct stat info {};
  ASSERT_EQ(stat((folder_ + "/mary.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

}  // namespace
}  // namespace prose::function
