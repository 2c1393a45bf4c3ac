// Sessions with servers: separate secrets, and a recorded session opens with its own secret only. The key schedule and
// the record layer here are written from RFC 5246 5, 6.3 and RFC 5288 3, beside the library that is tested.
#include <gtest/gtest.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "apps/lib/function/message.h"
#include "apps/lib/function/tls.h"

namespace prose::function {
namespace {

std::string prf_sha384(const std::array<std::uint8_t, 48>& secret, const std::string& seed, std::size_t size) {
  const auto hmac = [&](const std::string& text) {
    std::string out(48, '\0');
    mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA384), secret.data(), secret.size(),
                    reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                    reinterpret_cast<unsigned char*>(out.data()));
    return out;
  };
  std::string out, a = seed;
  while (out.size() < size) {
    a = hmac(a);
    out += hmac(a + seed);
  }
  return out.substr(0, size);
}

/// The plaintext of one application data record that the client sent as its `sequence`th protected record; empty: wrong
/// keys.
std::string open_record(const std::string& record, const tls_secret& s, std::uint64_t sequence) {
  const auto text = [](const auto& a) { return std::string(a.begin(), a.end()); };
  const std::string block = prf_sha384(s.master, "key expansion" + text(s.server_random) + text(s.client_random), 72);
  const std::size_t size = record.size() - 5 - 8 - 16;
  const std::string nonce = block.substr(64, 4) + record.substr(5, 8);
  std::string ad(8, '\0');
  for (int i = 0; i < 8; ++i) ad[i] = static_cast<char>(sequence >> (56 - 8 * i));
  ad += record.substr(0, 3) + static_cast<char>(size >> 8) + static_cast<char>(size);
  const auto* in = reinterpret_cast<const unsigned char*>(record.data());
  std::string out(size, '\0');
  mbedtls_gcm_context gcm;
  mbedtls_gcm_init(&gcm);
  mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, reinterpret_cast<const unsigned char*>(block.data()), 256);
  const int code =
      mbedtls_gcm_auth_decrypt(&gcm, size, reinterpret_cast<const unsigned char*>(nonce.data()), 12,
                               reinterpret_cast<const unsigned char*>(ad.data()), ad.size(), in + record.size() - 16,
                               16, in + 13, reinterpret_cast<unsigned char*>(out.data()));
  mbedtls_gcm_free(&gcm);
  return code == 0 ? out : "";
}

TEST(separation, each_of_six_secrets_opens_its_own_session_only) {
  const std::string folder = ::testing::TempDir() + "prose_separation_" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(make_authority(folder, "ca", 30));
  const auto identity = [&](const std::string& n) {
    return tls_identity{folder + "/ca.crt", folder + "/" + n + ".crt", folder + "/" + n + ".key"};
  };
  std::vector<std::string> records;
  std::vector<tls_secret> secrets;
  for (const std::string ue : {"mary", "john", "peter"})
    ASSERT_TRUE(issue_certificate(folder, "ca", ue, certificate_use::ue, 30));
  for (const std::string name : {"one.example", "two.example"}) {
    ASSERT_TRUE(issue_certificate(folder, "ca", name, certificate_use::server, 30));
    auto server_context = tls_context::server(identity(name));
    ASSERT_TRUE(server_context);
    for (const std::string ue : {"mary", "john", "peter"}) {
      auto client_context = tls_context::client(identity(ue));
      ASSERT_TRUE(client_context);
      client_context->observe_secrets([&](const tls_secret& s) { secrets.push_back(s); });
      int fd[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
      auto client = tls_connection::make(*client_context, fd[0], name);
      auto server = tls_connection::make(*server_context, fd[1], "");
      ASSERT_TRUE(client && server);
      auto c = tls_status::want_read, s = tls_status::want_read;
      for (int i = 0; i < 100 && (c != tls_status::done || s != tls_status::done); ++i) {
        if (c != tls_status::done) c = client->handshake();
        if (s != tls_status::done) s = server->handshake();
      }
      ASSERT_EQ(c, tls_status::done);
      ASSERT_EQ(s, tls_status::done);
      EXPECT_EQ(client->suite(), "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384");
      // On the wire: what an eavesdropper records of a request.
      const std::string text = ue + " to " + name;
      ASSERT_EQ(client->write(text).status, tls_status::done);
      std::string wire(2000, '\0');
      const auto n = recv(fd[1], wire.data(), wire.size(), MSG_PEEK | MSG_DONTWAIT);
      ASSERT_GT(n, 29);
      wire.resize(n);
      ASSERT_EQ(wire[0], 23);  // application data
      EXPECT_EQ(wire.find(ue), std::string::npos);
      records.push_back(wire);
      close(fd[0]);
      close(fd[1]);
    }
  }
  std::filesystem::remove_all(folder);
  ASSERT_EQ(secrets.size(), 6U);
  std::set<std::array<std::uint8_t, 48>> distinct;
  for (const auto& s : secrets) distinct.insert(s.master);
  EXPECT_EQ(distinct.size(), 6U);
  // Sequence 0 was Finished. Every other secret, also with the randoms of the session at hand, which are public, fails.
  for (std::size_t session = 0; session < 6; ++session) {
    EXPECT_NE(open_record(records[session], secrets[session], 1), "") << session;
    for (std::size_t other = 0; other < 6; ++other) {
      if (other == session) continue;
      EXPECT_EQ(open_record(records[session], secrets[other], 1), "");
      auto mixed = secrets[session];
      mixed.master = secrets[other].master;
      EXPECT_EQ(open_record(records[session], mixed, 1), "");
    }
  }
}

TEST(separation, requests_and_answers_have_one_length_whoever_is_named) {
  std::set<std::size_t> requests, answers;
  for (const std::string& peer : {std::string("a"), std::string("john"), std::string(64, 'x')}) {
    requests.insert(to_text(request(grant_request{peer})).size());
    requests.insert(to_text(request(withdraw_request{peer})).size());
    // One's own grants, whether or not anybody granted in return.
    answers.insert(to_text(answer(list_answer{{peer}, {}})).size());
  }
  answers.insert(to_text(answer(list_answer{{"john"}, {{"john", {}}}})).size());
  answers.insert(to_text(answer(changes_answer{})).size());
  answers.insert(to_text(answer(changes_answer{{{1, "john", true, {}}}})).size());
  answers.insert(to_text(answer(done_answer{})).size());
  EXPECT_EQ(requests.size(), 1U);
  EXPECT_EQ(answers.size(), 1U);
}

}  // namespace
}  // namespace prose::function
