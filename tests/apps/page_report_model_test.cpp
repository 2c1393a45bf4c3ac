// A verdict in words: the sentence, the tiles and the questions never say more than the verdict does.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/lib/verdict/verdict_words.h"

namespace prose::apps {
namespace {
verdict opaque() {
  verdict v;
  v.outcome = verdict_outcome::opaque;
  v.records = 83;
  v.record_octets = 9600;
  v.links = 4;
  v.discovery_frames = 40;
  v.requests = 2;
  v.heard.seconds = 107.7;
  v.figures = {{"blocks_decoded", 1, 0.9, true, 90, 90}, {"discovery_decoded", 1, 0.9, true, 40, 40}};
  v.statistics = {{"content", "code_octets", -3.2, 1, 1e-6, 9600, "note"},
                  {"content", "known_plaintext", 0, 1, 1e-6, 0, "note"},
                  {"content", "octet_chi_square", 240, 1, 1e-6, 900, "note"},
                  {"identity", "l2_id_linker", 0, 1, 1e-6, 0, "note"}};
  return v;
}
verdict_tile tile(const verdict& v, std::string_view id) {
  const auto all = tiles_of(v);
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.id == id; });
  return at == all.end() ? verdict_tile{} : *at;
}
question asked(const verdict& v, std::string_view check) {
  for (const auto& q : questions_of(v))
    if (q.check == check) return q;
  return {};
}
std::string states(const verdict& v) {
  std::string all;
  for (const auto& t : tiles_of(v)) {
    all += std::string(t.id) + '=' + t.label + ' ';
    EXPECT_EQ(t.state == test_state::passed, t.label == "Passed") << t.id;
    EXPECT_EQ(t.state == test_state::failed, t.label == "Failed") << t.id;
  }
  return all;
}

TEST(page_report_model, an_opaque_verdict_is_one_sentence_with_its_evidence) {
  auto v = opaque();
  EXPECT_EQ(sentence_of(v),
            "An eavesdropper could read nothing in 83 messages of 107.7 s; evidence: 9.6 kB, all decoded.");
  EXPECT_EQ(states(v), "content=Passed identity=Passed stolen_keys=Not run radio=Not run ");
  v.figures[0].value = 0.99999;  // is not all
  v.keys_tried = 3;
  EXPECT_EQ(sentence_of(v),
            "An eavesdropper could read nothing in 83 messages of 107.7 s, and stolen keys open no link but their own; "
            "evidence: 9.6 kB, 99.9 % decoded.");
  EXPECT_EQ(states(v), "content=Passed identity=Passed stolen_keys=Passed radio=Not run ");
}

TEST(page_report_model, doubts_let_nothing_pass) {
  auto v = opaque();
  v.outcome = verdict_outcome::nothing_proven;
  v.keys_tried = 3;
  v.doubts = {{"evidence", "too little was captured", {}}, {"blocks_decoded", "few", {}}};
  EXPECT_EQ(sentence_of(v), "Nothing is proven: too little was captured; and 1 more doubt.");
  EXPECT_EQ(states(v), "content=Not proven identity=Not proven stolen_keys=Not proven radio=Not run ");
  v.doubts = {{"keys_untried", "the time is not known", {}}};  // says nothing about the rest
  EXPECT_EQ(states(v), "content=Passed identity=Passed stolen_keys=Not proven radio=Not run ");
  v.keys_tried = 0;  // none was in the file that was given
  EXPECT_EQ(tile(v, "stolen_keys").label, "Not proven");
  EXPECT_EQ(sentence_of(verdict{}), "Nothing is proven.");
  EXPECT_EQ(states(verdict{}), "content=Not run identity=Not run stolen_keys=Not run radio=Not run ");
}

TEST(page_report_model, each_finding_turns_its_tile_red_even_beside_doubts) {
  const std::tuple<const char*, const char*, const char*, const char*> cases[] = {
      {"content", "count_reuse", "content", "An eavesdropper could tell what was sent: it shows; and 1 more finding."},
      {"identity", "l2_id_reuse", "identity", "An eavesdropper could tell who it is: it shows; and 1 more finding."},
      {"presence", "replayed_request_answered", "identity",
       "An eavesdropper could tell who is there: it shows; and 1 more finding."},
      {"presence", "stolen_key_recognises", "stolen_keys",
       "An eavesdropper could tell who is there: it shows; and 1 more finding."},
      {"compromise", "stolen_key_opens", "stolen_keys",
       "Stolen keys open what is not theirs: it shows; and 1 more finding."},
      {"something new", "x", "content", "An eavesdropper could tell what was sent: it shows; and 1 more finding."}};
  for (const auto& [aspect, check, where, sentence] : cases) {
    auto v = opaque();
    v.outcome = verdict_outcome::exposed;
    v.findings = {{aspect, check, "it shows", {1}, 1}, {aspect, check, "again", {1}, 1}};
    v.doubts = {{"evidence", "little", {}}};
    EXPECT_EQ(sentence_of(v), sentence);
    for (const auto& t : tiles_of(v)) EXPECT_EQ(t.state == test_state::failed, std::string(t.id) == where) << check;
    EXPECT_EQ(tile(v, where).sentence, "it shows; and 1 more finding.");
  }
}

TEST(page_report_model, a_test_on_nothing_is_not_run) {
  const auto v = opaque();
  EXPECT_EQ(asked(v, "code_octets").asked, "Compressible?");
  EXPECT_EQ(asked(v, "code_octets").answer, "No: 0 bits saved");
  EXPECT_EQ(asked(v, "code_octets").state, test_state::passed);
  EXPECT_EQ(asked(v, "known_plaintext").answer, "Not run: no text was given (--known-plaintext)");
  EXPECT_EQ(asked(v, "octet_chi_square").answer, "Not run: too few octets");
  EXPECT_EQ(asked(v, "l2_id_linker").answer, "Not run: not two links were followed by others");
  EXPECT_EQ(asked(v, "count_reuse").answer, "No: none in 83 messages");
  EXPECT_EQ(asked(v, "replayed_request_answered").answer, "Not run: nobody replayed one");
  EXPECT_EQ(asked(v, "stolen_key_opens").state, test_state::not_run);
  for (const auto& q : questions_of(verdict{})) EXPECT_EQ(q.state, test_state::not_run) << q.check;
}

TEST(page_report_model, below_the_threshold_the_answer_is_yes) {
  auto v = opaque();
  v.statistics[0].value = 213.9;
  v.statistics[0].p_value = 1e-60;
  v.findings = {{"content", "count_reuse", "twice", {1}, 1}};
  EXPECT_EQ(asked(v, "code_octets").answer, "Yes: 213 bits saved");
  EXPECT_EQ(asked(v, "code_octets").state, test_state::failed);
  EXPECT_EQ(asked(v, "count_reuse").answer, "Yes: twice");
}

TEST(page_report_model, every_test_of_the_analysis_has_words_of_its_own) {
  const auto v = judge({}, {});
  ASSERT_GT(v.statistics.size(), 30U);
  std::size_t n = 0;
  for (const auto& q : questions_of(v)) {
    EXPECT_NE(q.asked, q.check);
    EXPECT_EQ(q.asked.back(), '?');
    EXPECT_EQ(q.answer.rfind("Not run: ", 0), 0U) << q.check << ": " << q.answer;
    n += q.has_p ? 1 : 0;
  }
  EXPECT_EQ(n, v.statistics.size());
}

TEST(page_report_model, a_residual_says_whether_it_beats_guessing) {
  const residual told{"cfo", 60, 60, 1, 0.94, 1, 1.0 / 3}, alike{"power", 60, 21, 0.35, 0.24, 0.48, 1.0 / 3};
  EXPECT_EQ(
      sentence_of(told),
      "By carrier frequency offset, 60 of 60 guesses were right: 100 %, and blind guessing is right in 33 %. That "
      "is better than guessing.");
  EXPECT_FALSE(beats_guessing(alike));
  EXPECT_EQ(sentence_of(residual{"<b>", 0, 0, 0, 0, 0, 0}), "By <b>: not run, there was nothing to guess.");
  auto v = opaque();
  v.residuals = {alike};
  EXPECT_EQ(tile(v, "radio").state, test_state::passed);
  v.residuals = {alike, told};
  EXPECT_EQ(tile(v, "radio").state, test_state::failed);
  EXPECT_EQ(sentence_of(v).rfind("An eavesdropper could read nothing", 0), 0U);  // it never decides
}

TEST(page_report_model, the_json_report_has_the_words_and_survives_hostile_ones) {
  auto v = opaque();
  const std::string hostile = "</script><img src=x onerror=alert(1)>\xff\x01\"'";
  v.outcome = verdict_outcome::exposed;
  v.findings = {{"compromise", hostile, hostile, {1}, 1}};
  v.statistics.push_back({hostile, hostile, 1, 0, 1, 1, hostile});
  v.residuals = {{hostile, 4, 4, 1, 1, 1, 0.1}};
  const auto j = nlohmann::json::parse(to_json(v));
  EXPECT_EQ(j["tiles"]["content"]["state"], "passed");
  EXPECT_EQ(j["tiles"]["stolen_keys"]["state"], "failed");
  EXPECT_EQ(j["tiles"]["radio"]["state"], "failed");
  EXPECT_EQ(j["tiles"].size(), 4U);
  EXPECT_NE(j["sentence"].get<std::string>().find("</script>"), std::string::npos);  // text: who shows it, escapes it
  EXPECT_EQ(j["questions"].size(), questions_of(v).size());
  EXPECT_TRUE(j["residual"][0].contains("sentence"));
}

}  // namespace
}  // namespace prose::apps
