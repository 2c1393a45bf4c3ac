// The positive controls of the verdict, end to end: Mary, John and Peter as programs on an emulated air, each with the
// same measure of the security sublayer left out (weak_ue), or with none (prose-ue); prose-sniffer listens live with
// Mary's files stolen and must turn red on each weak variant, for that variant's reason, and on nothing else. In every
// run an attacker sends again, after its time, each request she heard.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "common/octet_order.h"
#include "prose_test_paths.h"
#include "tests/adversary/figures.h"
#include "tests/adversary/thief.h"
#include "tests/adversary/town.h"

namespace prose::adversary {
namespace {

constexpr int lines_each_way = 16;

class on_air : public ::testing::Test {
protected:
  /// weakness: empty for the product.
  void run(const std::string& weakness) {
    for (const auto* n : {"mary", "john", "peter"}) t.make_key(n);
    t.permit("mary", "john"), t.permit("john", "peter");
    m.run(0.1);
    ue_settings s;
    s.link = "  epoch_min_s: 6\n  epoch_max_s: 10\n  rekey_s: 600\n";
    s.discovery = "  period_subframes: 320\n";
    if (!weakness.empty()) s.program = PROSE_BINARY_DIR "/tests/weak_ue";
    setenv("PROSE_WEAKNESS", weakness.c_str(), 1);
    std::vector<std::string> arguments{
        "--events", t.file("sniffer.jsonl"),  "--verdict",     "--report", t.file("report.json"),
        "--record", t.file("air.sigmf-meta"), "--record-type", "ci16",     "--epoch",
        "1.7e9"};
    for (const auto* f : {"mary.key", "mary.permit", "mary.keylog"})
      arguments.insert(arguments.end(), {"--compromised", t.file(f)});
    // Before the UEs, so that it misses nothing: the key log that it reads at the end begins empty.
    std::ofstream(t.file("mary.keylog")).close();
    std::filesystem::permissions(t.file("mary.keylog"),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    t.sniff("sniffer", arguments);
    std::error_code none_yet;
    const auto recorded = [&] {
      return std::filesystem::exists(t.file("air.sigmf-data")) &&
             std::filesystem::file_size(t.file("air.sigmf-data"), none_yet) > 0;
    };
    for (int i = 0; i < 10'000 && !recorded(); ++i) {
      m.step();
      usleep(2000);
    }
    ASSERT_TRUE(recorded()) << t.log("sniffer");
    for (const auto* n : {"mary", "john", "peter"}) t.start(n, s);
    ASSERT_TRUE(m.run_until([&] { return t.linked("mary", "john") && t.linked("john", "peter"); }, 30))
        << t.log("john");
    for (int i = 0; i < lines_each_way; ++i) {
      const std::string text =
          " line " + std::to_string(i) + ": meet me at the old mill at noon, and bring the maps of the northern road";
      // One after the other: in TM2 two UEs that send in one SC period may miss each other.
      for (const auto& [from, to] :
           {std::pair{"mary", "john"}, {"john", "mary"}, {"john", "peter"}, {"peter", "john"}}) {
        t.say(from, to, std::string(from) + " to " + to + text);
        m.run(0.1);
      }
    }
    m.run(2);
    // Requests of links that are up, after their lifetime (8 s; 10 s in the verdict).
    octet_set replayed;
    m.run(4);
    const auto heard = m.messages;
    for (const auto& x : heard)
      if (x.lcid == security::lcid_pc5s_unprotected && replayed.insert(x.pdu).second) m.send(x);
    ASSERT_GE(replayed.size(), 2U) << "a request for each link";
    ASSERT_TRUE(m.run_until([&] { return m.unsent() == 0; }, 10));
    m.run(4);  // an answer takes half a second, and up to 1.2 s of signal wait in the sniffer, which does not look at
               // them once told to stop
    delivered = t.printed("john").size() + t.printed("mary").size() + t.printed("peter").size();
    exit_code = t.stop("sniffer", m);
    report = json::parse(std::ifstream(t.file("report.json")));
    for (const auto& f : report["findings"]) found.insert(f["check"].get<std::string>());
  }
  /// Red for the reason `check`, and no finding of another aspect than the weakness has; each names frames.
  void expect_exposed(const std::string& check, const std::string& aspect, const std::string& also = "") {
    EXPECT_EQ(exit_code, 3) << report.dump(1);
    EXPECT_EQ(report["outcome"], "exposed");
    EXPECT_TRUE(found.contains(check)) << report["findings"].dump(1);
    std::string all;
    for (const auto& f : report["findings"]) {
      EXPECT_TRUE(f["aspect"] == aspect || f["aspect"] == also) << "not what this weakness shows: " << f.dump(1);
      EXPECT_FALSE(f["frames"].empty()) << f.dump(1);
      all += (all.empty() ? "" : ", ") + f["check"].get<std::string>();
    }
    figure("control", "%s: exposed by %s; %d records, %zu lines delivered",
           ::testing::UnitTest::GetInstance()->current_test_info()->name(), all.c_str(),
           report["counts"]["records"].get<int>(), delivered);
  }
  /// Links opened by stolen keys: (layer-2 IDs of both ends as the key log of a UE names them) -> records.
  int opened(const json& r, const std::string& owner, const std::string& peer) {
    std::set<std::set<std::uint32_t>> ids;
    for (const auto& k : thief(t, owner).log()) ids.insert({k.src, k.dst});
    std::set<std::set<std::uint32_t>> others;
    for (const auto& k : thief(t, peer).log()) others.insert({k.src, k.dst});
    int n = 0;
    for (const auto& o : r["opened_links"]) {
      const std::set<std::uint32_t> pair{o["src"].get<std::uint32_t>(), o["dst"].get<std::uint32_t>()};
      if (ids.contains(pair) && others.contains(pair)) n += o["records_opened"].get<int>();
    }
    return n;
  }

  town t;
  node m{t.radio("mallory")};
  std::size_t delivered = 0;
  int exit_code = -1;
  json report;
  std::set<std::string> found;
};

TEST_F(on_air, the_product_is_opaque_mary_opens_hers_and_john_both_of_his) {
  run("");
  EXPECT_EQ(exit_code, 0) << report.dump(1);
  EXPECT_EQ(report["outcome"], "opaque");
  EXPECT_TRUE(found.empty());
  EXPECT_GE(report["counts"]["records"].get<int>(), 4 * lines_each_way * 9 / 10);
  EXPECT_GE(delivered, 4U * lines_each_way * 9 / 10);
  const auto& remarks = report["remarks"];
  EXPECT_TRUE(std::any_of(remarks.begin(), remarks.end(), [](const auto& r) {
    return r["check"] == "replayed_request";
  })) << "control: the sniffer heard the replays, and that nobody answered";
  const int hers = opened(report, "mary", "john"), theirs = opened(report, "peter", "john");
  EXPECT_GE(hers, 2 * lines_each_way * 9 / 10);
  EXPECT_EQ(theirs, 0);

  // The same recording with John's state: both his links, and nothing that is not his.
  const std::string john = t.file("john_report.json"), config = t.file("replay.yaml");
  std::ifstream live(PROSE_SOURCE_DIR "/configs/sniffer.yaml");
  std::ofstream replay(config);
  for (std::string l; std::getline(live, l);)
    if (l.rfind("device:", 0) != 0) replay << l << '\n';
  replay.close();
  const std::string command = std::string(PROSE_BINARY_DIR "/bin/prose-sniffer --config ") + config + " --iq " +
                              t.file("air.sigmf-meta") + " --plain --verdict --epoch 1.7e9 --report " + john +
                              " --compromised " + t.file("john.key") + " --compromised " + t.file("john.permit") +
                              " --compromised " + t.file("john.keylog") + " 2>" + t.file("john_replay.log");
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status << t.log("john_replay");
  const json again = json::parse(std::ifstream(john));
  EXPECT_EQ(again["counts"]["records"], report["counts"]["records"]) << "the recording holds what was heard live";
  EXPECT_EQ(opened(again, "mary", "john"), hers);
  EXPECT_GE(opened(again, "peter", "john"), 2 * lines_each_way * 9 / 10);
  for (const auto& o : again["opened_links"]) EXPECT_TRUE(o["own"].get<bool>());
  figure("control",
         "the product: opaque with Mary compromised and requests replayed; her keys open %d of %d records, all of her "
         "link; John's open %d and %d",
         hers, report["counts"]["records"].get<int>(), opened(again, "mary", "john"), opened(again, "peter", "john"));
}

TEST_F(on_air, one_key_for_all_peers) {
  run("one_key_for_all_peers");
  expect_exposed("stolen_key_opens", "compromise", "content");  // one key and one IV: the links share keystream as well
  EXPECT_GE(opened(report, "peter", "john"), 2 * lines_each_way * 9 / 10) << "Mary's keys open John-Peter";
}
TEST_F(on_air, null_cipher) {
  run("null_cipher");
  expect_exposed("ascii_run", "content", "identity");  // the lines name their UEs
}
TEST_F(on_air, repeated_nonce) {
  run("repeated_nonce");
  expect_exposed("xor_of_neighbours", "content");
}
TEST_F(on_air, plain_identities) {
  run("plain_identities");
  expect_exposed("code_repeats", "identity");
}
TEST_F(on_air, static_token) {
  run("static_token");
  expect_exposed("request_token_reuse", "identity");
}
TEST_F(on_air, replayable_request) {
  run("replayable_request");
  expect_exposed("replayed_request_answered", "presence");
}

}  // namespace
}  // namespace prose::adversary
