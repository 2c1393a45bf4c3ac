// Who may read and write the programs' files: secrets, marks, caches and pins; permissions and configurations; what is
// written about peers.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "apps/lib/capture/pcap_writer.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/dumps.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/store.h"
#include "apps/lib/function/tls.h"
#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "apps/lib/pc3/pc3.h"
#include "security/crypto/x25519.h"

namespace prose::apps {
namespace {
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* alice = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
constexpr const char* alices_secret = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";

class files : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/prose_files_XXXXXX";
    folder = ::mkdtemp(name);
    old_mask = ::umask(0022);
  }
  void TearDown() override {
    ::umask(old_mask);
    std::filesystem::remove_all(folder);
  }
  std::string path(const std::string& n) const { return folder + "/" + n; }
  std::string put(const std::string& n, const std::string& text, mode_t mode) const {
    std::ofstream(path(n)) << text;
    ::chmod(path(n).c_str(), mode);
    return path(n);
  }
  std::string text_of(const std::string& n) const {
    std::ifstream f(path(n));
    std::stringstream s;
    s << f.rdbuf();
    return s.str();
  }
  std::string link(const std::string& n, const std::string& target) const {
    std::filesystem::create_symlink(target, path(n));
    return path(n);
  }
  mode_t mode(const std::string& n) const {
    struct stat st {};
    return ::lstat(path(n).c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
  }
  static std::string error_of(const result<std::string>& r) { return r ? "" : r.error().message; }
  std::size_t count_files() const {
    std::size_t n = 0;
    for (const auto& e : std::filesystem::directory_iterator(folder)) n += e.exists() || e.is_symlink() ? 1 : 0;
    return n;
  }
  std::string folder;
  mode_t old_mask = 0;
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
};

// --- private files ---

TEST_F(files, a_private_file_is_0600_or_the_error_says_what_to_do) {
  for (const mode_t good : {0600, 0400})
    EXPECT_EQ(read_private_file(put("good" + std::to_string(good), "x", good)).value_or("refused"), "x");
  for (const mode_t bad : {0640, 0604, 0660, 0666, 0644, 0601, 0610, 0700, 04600, 02600, 01600}) {
    const std::string file = put("bad" + std::to_string(bad), "x", bad);
    EXPECT_THAT(error_of(read_private_file(file)),
                AllOf(HasSubstr(file), HasSubstr("mode "), HasSubstr("chmod 600 " + file)))
        << std::oct << bad;
  }
}

TEST_F(files, a_private_file_is_a_plain_file_of_bounded_size) {
  put("real", "x", 0600);
  EXPECT_THAT(error_of(read_private_file(link("soft", "real"))),
              AllOf(HasSubstr("soft: a symbolic link"), HasSubstr("accepted")));
  EXPECT_THAT(error_of(read_private_file(link("dangling", "absent"))), HasSubstr("a symbolic link"));
  EXPECT_FALSE(read_private_file(folder));
  EXPECT_FALSE(read_private_file("/dev/zero"));
  EXPECT_FALSE(read_private_file(path("none")));
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(read_private_file(path("pipe"))) << "does not wait for a writer either";
  EXPECT_FALSE(read_private_file(put("large", std::string(largest_safe_file + 1, 'a'), 0600)));
}

TEST_F(files, a_private_file_belongs_to_the_user_or_to_root) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const std::string file = put("theirs", "x", 0600);
  ASSERT_EQ(::chown(file.c_str(), 1234, 1234), 0);
  EXPECT_THAT(error_of(read_private_file(file)), AllOf(HasSubstr("belongs to user 1234"), HasSubstr("chown")));
  EXPECT_THAT(error_of(read_trusted_file(file)), HasSubstr("belongs to user 1234"));
}

TEST_F(files, a_new_private_file_is_0600_and_replaces_nothing) {
  for (const mode_t mask : {0000, 0777}) {
    ::umask(mask);
    std::filesystem::remove(path("new"));
    ASSERT_TRUE(create_private_file(path("new"), "x"));
    EXPECT_EQ(mode("new"), 0600U);
    ASSERT_TRUE(replace_private_file(path("replaced"), "x"));
    EXPECT_EQ(mode("replaced"), 0600U);
  }
  ::umask(0022);
  EXPECT_FALSE(create_private_file(path("new"), "y"));
  EXPECT_FALSE(create_private_file(link("soft", path("elsewhere")), "y"));
  EXPECT_FALSE(std::filesystem::exists(path("elsewhere")));
  EXPECT_EQ(text_of("new"), "x");
}

TEST_F(files, replacing_a_private_file_leaves_nothing_else) {
  const std::string file = put("m", "old", 0644);
  const int reader = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);  // somebody who opened the old one
  ASSERT_TRUE(replace_private_file(file, "new"));
  EXPECT_EQ(text_of("m"), "new");
  EXPECT_EQ(mode("m"), 0600U);
  std::array<char, 8> seen{};
  EXPECT_EQ(::read(reader, seen.data(), seen.size()), 3);
  EXPECT_EQ(std::string(seen.data()), "old");
  ::close(reader);
  EXPECT_EQ(count_files(), 1U);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600),
            0);  // no device of the machine: with the check taken out this test would replace it
  for (const auto& other : {link("soft", "m"), path("pipe"), folder}) {
    EXPECT_FALSE(replace_private_file(other, "x")) << other;
    EXPECT_FALSE(check_replaceable(other)) << other;
  }
  EXPECT_EQ(text_of("m"), "new");
  struct stat st {};
  EXPECT_TRUE(::lstat(path("pipe").c_str(), &st) == 0 && S_ISFIFO(st.st_mode));
  EXPECT_FALSE(replace_private_file(path("no/folder"), "x"));
  EXPECT_FALSE(check_replaceable(path("no/folder")));
  EXPECT_TRUE(check_replaceable(path("m")));
  EXPECT_TRUE(check_replaceable(path("not yet")));
  EXPECT_EQ(count_files(), 3U) << "the file, the link and the pipe";
}

TEST_F(files, keys_marks_caches_and_pins_are_private_wherever_they_are_read) {
  const auto refused = [&](const auto& r, const std::string& what) {
    ASSERT_FALSE(r) << what;
    EXPECT_THAT(r.error().message, HasSubstr("chmod 600")) << what;
  };
  refused(keys::read_private_key(put("k", std::string(alices_secret) + "\n", 0644)), "private key");
  refused(keys::read_psk(put("psk", std::string(alices_secret) + "\n", 0640)), "pre-shared key");
  refused(keys::read_mark(put("mark", "7\n", 0644)), "mark");
  EXPECT_FALSE(keys::read_mark(link("soft.mark", "mark")));
  EXPECT_FALSE(keys::read_mark(link("dangling.mark", "none"))) << "no mark would be a reason to use slots again";
  put("cache.pins", std::string("john ") + alice + "\n", 0666);
  put("own.consent.pending", std::string("john ") + alice + "\n", 0644);
  put("own.consent", keys::to_text({}), 0644);
  refused(cached_peers(path("cache")), "pins of 0.1");
  refused(pending_keys(path("own.consent")), "pending");
  refused(keys::read_consents(path("own.consent")), "consent list");
  for (const char* n : {"cache.pins", "own.consent.pending", "own.consent"}) ::chmod(path(n).c_str(), 0600);
  EXPECT_TRUE(cached_peers(path("cache")));
  EXPECT_TRUE(pending_keys(path("own.consent")));
  EXPECT_TRUE(keys::read_consents(path("own.consent")));
  for (const char* n : {"cache.pins", "own.consent.pending", "own.consent"}) {
    std::filesystem::rename(path(n), path("real"));
    link(n, "real");
  }
  EXPECT_FALSE(cached_peers(path("cache")));
  EXPECT_FALSE(pending_keys(path("own.consent")));
  EXPECT_FALSE(keys::read_consents(path("own.consent")));
}

TEST_F(files, a_readable_server_key_or_writable_authority_is_refused) {
  ASSERT_TRUE(function::make_authority(folder, "ca", 10));
  ASSERT_TRUE(function::issue_certificate(folder, "ca", "server", function::certificate_use::server, 10));
  EXPECT_EQ(mode("server.key"), 0600U);
  EXPECT_EQ(mode("ca.key"), 0600U);
  const function::tls_identity id{
      .ca_path = path("ca.crt"), .certificate_path = path("server.crt"), .key_path = path("server.key")};
  ASSERT_TRUE(function::tls_context::server(id));
  const auto refused = [&](const std::string& file, mode_t bad, const std::string& advice) {
    const auto good = mode(file);
    ::chmod(path(file).c_str(), bad);
    for (const auto& r : {function::tls_context::server(id), function::tls_context::client(id)}) {
      ASSERT_FALSE(r) << file;
      EXPECT_THAT(r.error().message, AllOf(HasSubstr(path(file)), HasSubstr(advice)));
    }
    ::chmod(path(file).c_str(), good);
  };
  refused("server.key", 0644, "chmod 600");
  refused("server.key", 0640, "chmod 600");
  refused("ca.crt", 0666, "chmod go-w");
  refused("server.crt", 0606, "chmod go-w");
  ASSERT_TRUE(function::tls_context::server(id));
  ::chmod(path("ca.key").c_str(), 0644);
  const auto issued = function::issue_certificate(folder, "ca", "mary", function::certificate_use::ue, 10);
  ASSERT_FALSE(issued);
  EXPECT_THAT(issued.error().message, HasSubstr("chmod 600"));
}

TEST_F(files, the_servers_database_is_private) {
  {
    ASSERT_TRUE(function::store::open(path("db")));
    EXPECT_EQ(mode("db"), 0600U);
    ASSERT_TRUE(function::store::open(path("db")));
  }
  ::chmod(path("db").c_str(), 0644);
  const auto open = function::store::open(path("db"));
  ASSERT_FALSE(open);
  EXPECT_THAT(open.error().message, HasSubstr("chmod 600"));
  ::chmod(path("db").c_str(), 0600);
  EXPECT_FALSE(function::store::open(link("soft", "db")));
}

// --- trusted files ---

TEST_F(files, permissions_may_be_read_but_not_written_by_others) {
  const std::string line = std::string("john ") + alice + "\n";
  for (const mode_t good : {0644, 0600, 0444})
    EXPECT_TRUE(keys::read_permissions(put("p" + std::to_string(good), line, good), dh, random));
  for (const mode_t bad : {0666, 0646, 0606, 0602}) {
    const auto p = keys::read_permissions(put("q" + std::to_string(bad), line, bad), dh, random);
    ASSERT_FALSE(p) << std::oct << bad;
    EXPECT_THAT(p.error().message, AllOf(HasSubstr("others may write it"), HasSubstr("chmod go-w")));
    const auto c = config_section::load(put("c" + std::to_string(bad), "a: 1\n", bad));
    ASSERT_FALSE(c) << std::oct << bad;
    EXPECT_THAT(c.error().message, HasSubstr("chmod go-w"));
  }
  EXPECT_TRUE(config_section::load(put("good.yaml", "a: 1\n", 0644)));
  EXPECT_TRUE(config_section::load("/dev/null"));
  EXPECT_FALSE(config_section::load(path("none.yaml")));
  EXPECT_FALSE(config_section::load(folder));
}

TEST_F(files, a_group_that_others_are_in_must_not_write) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file to any group";
  const std::string file = put("p", "x", 0664);
  ASSERT_EQ(::chown(file.c_str(), 0, 1234), 0);
  EXPECT_THAT(error_of(read_trusted_file(file)), HasSubstr("chmod go-w"));
  ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
  const group* root = ::getgrgid(0);
  const bool alone =
      root != nullptr && std::string(root->gr_name) == "root" && (root->gr_mem == nullptr || *root->gr_mem == nullptr);
  EXPECT_EQ(read_trusted_file(file).has_value(), alone) << "the user's own group, as a umask of 002 leaves files";
}

TEST_F(files, links_are_followed_where_only_the_owner_can_write) {
  const std::string line = std::string("john ") + alice + "\n";
  for (const char* d : {"a", "a/b", "open", "open/inner"})
    std::filesystem::create_directory(path(d)), ::chmod(path(d).c_str(), 0755);
  put("a/b/real", line, 0644);
  put("open/inner/real", line, 0644);
  ::chmod(path("open").c_str(), 0777);
  const auto reads = [&](const std::string& p) { return keys::read_permissions(p, dh, random); };
  EXPECT_TRUE(reads(link("direct", "a/b/real")));
  EXPECT_TRUE(reads(link("absolute", path("a/b/real"))));
  EXPECT_TRUE(reads(link("chain", "direct")));
  EXPECT_TRUE(reads(link("up", "a/b/../b/real")));
  link("folder", "a/b");
  EXPECT_TRUE(reads(path("folder/real")));
  EXPECT_TRUE(reads(path("open/inner/real"))) << "no link: the file itself is judged";
  for (const auto& through :
       {link("weak", "open/inner/real"), link("weaker", "weak"), link("open/inner/link", path("a/b/real"))}) {
    const auto r = reads(through);
    ASSERT_FALSE(r) << through;
    EXPECT_THAT(r.error().message, AllOf(HasSubstr(path("open")), HasSubstr("chmod go-w")));
  }
  ::chmod(path("a/b/real").c_str(), 0666);
  EXPECT_FALSE(reads(path("direct"))) << "the target is judged too";
  EXPECT_FALSE(reads(link("loop", "loop")));
  EXPECT_FALSE(reads(link("nowhere", "none")));
  // A folder with the sticky bit, as /tmp: nobody can take away another's entry.
  ::chmod(path("a/b/real").c_str(), 0644);
  ::chmod(path("open").c_str(), 01777);
  EXPECT_TRUE(reads(path("weak")));
  if (::geteuid() != 0) return;
  ASSERT_EQ(::lchown(path("weak").c_str(), 1234, 1234), 0);
  EXPECT_THAT(reads(path("weak")).error().message, HasSubstr("a symbolic link that belongs to user 1234"));
  ASSERT_EQ(::lchown(path("weak").c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(path("open/inner").c_str(), 1234, 1234), 0);
  EXPECT_THAT(reads(path("weak")).error().message, HasSubstr("belongs to user 1234"));
}

TEST_F(files, writing_permissions_keeps_the_link) {
  std::filesystem::create_directory(path("d"));
  ::chmod(path("d").c_str(), 0755);
  link("p", "d/real");
  ASSERT_TRUE(keys::write_permissions(path("p"), {{"john", {}, {}}}));  // also where the target is not there yet
  EXPECT_TRUE(std::filesystem::is_symlink(path("p")));
  EXPECT_THAT(text_of("d/real"), HasSubstr("john"));
  ASSERT_TRUE(keys::write_permissions(path("p"), {{"mary", {}, {}}}));
  EXPECT_TRUE(std::filesystem::is_symlink(path("p")));
  EXPECT_THAT(text_of("d/real"), AllOf(HasSubstr("mary"), Not(HasSubstr("john"))));
  EXPECT_EQ(mode("d/real"), 0600U);
  ::chmod(path("d").c_str(), 0777);
  EXPECT_FALSE(keys::write_permissions(path("p"), {{"eve", {}, {}}}));
  EXPECT_THAT(text_of("d/real"), Not(HasSubstr("eve")));
}

// --- what is written about peers ---

TEST_F(files, what_is_written_about_peers_is_readable_by_its_owner_alone) {
  ASSERT_TRUE(event_writer::open(path("events")));
  EXPECT_EQ(mode("events"), 0600U);
  ASSERT_TRUE(pcap_writer::open(path("pcap")));
  EXPECT_EQ(mode("pcap"), 0600U);
  ASSERT_TRUE(write_private_output(path("report"), "x"));
  EXPECT_EQ(mode("report"), 0600U);
  // One of an earlier version, which somebody may have open.
  const std::string old = put("old", "before\n", 0644);
  const int reader = ::open(old.c_str(), O_RDONLY | O_CLOEXEC);
  {
    auto w = event_writer::open(old);
    ASSERT_TRUE(w);
    w->write(event("peer_discovered", 1));
  }
  EXPECT_EQ(mode("old"), 0600U);
  EXPECT_THAT(text_of("old"), AllOf(HasSubstr("peer_discovered"), Not(HasSubstr("before"))));
  std::array<char, 64> seen{};
  EXPECT_GT(::read(reader, seen.data(), seen.size() - 1), 0);
  EXPECT_THAT(std::string(seen.data()), Not(HasSubstr("peer_discovered")));
  ::close(reader);
  EXPECT_FALSE(event_writer::open(link("soft", "victim")));
  EXPECT_FALSE(std::filesystem::exists(path("victim")));
  EXPECT_FALSE(event_writer::open(folder));
  EXPECT_TRUE(event_writer::open("/dev/null"));
  EXPECT_TRUE(event_writer::open("/dev/stdout"));
}

TEST_F(files, logs_are_added_to_only_where_nobody_else_reads_them) {
  ASSERT_TRUE(open_private_output(path("log"), output_mode::append));
  EXPECT_EQ(mode("log"), 0600U);
  EXPECT_TRUE(open_private_output(path("log"), output_mode::append));
  const auto open = open_private_output(put("open", "x", 0644), output_mode::append);
  ASSERT_FALSE(open);
  EXPECT_THAT(open.error().message, HasSubstr("chmod 600"));
  EXPECT_TRUE(open_private_output(path("open"), output_mode::probe));
  EXPECT_EQ(text_of("open"), "x");
}

TEST_F(files, a_pipe_of_ones_own_is_closed_to_others) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0644), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_TRUE(event_writer::open(path("pipe")));
  EXPECT_EQ(mode("pipe"), 0600U);
  ::close(reader);
}

// --- memory ---

int after_forbidding() {
  const bool before = ::prctl(PR_GET_DUMPABLE) != 0;
  const bool done = forbid_dumps().has_value();
  rlimit limit{};
  const bool none = ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0;
  return before && done && none && ::prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1;
}

TEST(files_dumps, a_program_with_keys_leaves_no_core_and_is_not_dumpable) {
  EXPECT_EXIT(std::_Exit(after_forbidding()), testing::ExitedWithCode(0), "");
}

// --- versions ---

TEST_F(files, old_files_without_a_version_are_read_and_newer_ones_refused) {
  const std::string line = std::string("john ") + alice + "\n";
  EXPECT_TRUE(keys::parse_permissions("# NAME PUBLIC-KEY [psk=FILE]; links need such a line on both sides\n" + line,
                                      "f", dh, random));
  EXPECT_TRUE(keys::parse_permissions("# prose permissions 1\n" + line, "f", dh, random));
  EXPECT_TRUE(keys::parse_permissions("# prose users of mine\n" + line, "f", dh, random)) << "somebody's comment";
  const auto newer = keys::parse_permissions("# prose permissions 2\n" + line, "f", dh, random);
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().message, AllOf(HasSubstr("f:1: version 2"), HasSubstr("accepted: up to 1")));
  ASSERT_TRUE(keys::write_permissions(path("p"), {}));
  EXPECT_EQ(text_of("p").rfind("# prose permissions 1\n", 0), 0U);
  EXPECT_EQ(keys::read_mark(put("m0", "1700000000\n", 0600)).value(), 1700000000U);
  EXPECT_EQ(keys::read_mark(put("m1", "# prose mark 1\n1700000000\n", 0600)).value(), 1700000000U);
  EXPECT_FALSE(keys::read_mark(put("m2", "# prose mark 2\n1700000000\n", 0600)));
  for (const char* bad :
       {"# prose mark 1\n", "# prose mark 1", "# prose mark 1\nx\n", "# prose mark x\n1\n", "# prose mark 0\n1\n"})
    EXPECT_FALSE(keys::read_mark(put("bad", bad, 0600))) << bad;
}

}  // namespace
}  // namespace prose::apps
