#include "apps/lib/function/message.h"

#include <gtest/gtest.h>

namespace prose::function {
namespace {

TEST(function_message, requests_survive_the_way_there) {
  register_request r{.name = "mary", .key = {{1, 2, 3}}, .proof = {9}, .replace = true};
  const auto back = parse_request(to_text(request(r)));
  ASSERT_TRUE(back) << back.error().message;
  const auto& got = std::get<register_request>(*back);
  EXPECT_EQ(got.name, "mary");
  EXPECT_EQ(got.key, r.key);
  EXPECT_EQ(got.proof, r.proof);
  EXPECT_TRUE(got.replace);
  EXPECT_EQ(std::get<grant_request>(parse_request(R"({"op":"grant","peer":"john"})").value()).peer, "john");
  EXPECT_EQ(std::get<changes_request>(parse_request(R"({"op":"changes","since":7,"wait_s":30})").value()).since, 7);
}

TEST(function_message, a_kd_survives_both_ways) {
  EXPECT_EQ(std::get<kd_request>(parse_request(to_text(request(kd_request{"john"}))).value()).peer, "john");
  const kd_answer a{{{1, 2}}, 0xfedcba98, {7, 8, 9}};
  const auto back = parse_answer(to_text(answer(a)));
  ASSERT_TRUE(back) << back.error().message;
  const auto& got = std::get<kd_answer>(*back);
  EXPECT_EQ(got.key, a.key);
  EXPECT_EQ(got.id, a.id);
  EXPECT_EQ(got.kd, a.kd);
  EXPECT_FALSE(parse_request(R"({"op":"kd"})"));
  EXPECT_FALSE(parse_answer(R"({"answer":"kd","key":"AAAA","id":1,"kd":"AAAA"})"));
}

TEST(function_message, what_is_no_request_is_refused_with_one_line) {
  const std::vector<std::string> bad{"",
                                     "null",
                                     "[]",
                                     "{",
                                     R"({"op":"grant"})",
                                     R"({"op":"grant","peer":7})",
                                     R"({"op":"grant","peer":"j","more":1})",
                                     R"({"op":"steal","peer":"j"})",
                                     R"({"op":"changes","since":-1,"wait_s":0})",
                                     R"({"op":"changes","since":0,"wait_s":61})",
                                     R"({"op":"changes","since":0.5,"wait_s":0})",
                                     R"({"op":"changes","since":18446744073709551615,"wait_s":0})",
                                     R"({"op":"register","name":"m","key":"AAAA","proof":"AAAA","replace":false})",
                                     R"({"op":["grant"],"peer":"j"})",
                                     R"({"op":"grant","peer":")" + std::string(65, 'a') + "\"}"};
  for (const auto& text : bad) {
    const auto r = parse_request(text);
    ASSERT_FALSE(r) << text;
    EXPECT_FALSE(r.error().message.empty());
    EXPECT_EQ(r.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(parse_request(std::string(8000, '[')));
}

TEST(function_message, a_refusal_repeats_no_foreign_text) {
  // 31 octets and then one of two: cutting it anywhere near 32 leaves half a character.
  const std::vector<std::string> keys{std::string(31, 'a') + "\u00e9", "\x1b[2J", std::string(1000, 'k'), ""};
  for (const auto& key : keys) {
    const auto r = parse_request("{\"op\":\"list\",\"" + key + "\":1}");
    ASSERT_FALSE(r);
    const auto told = parse_answer(to_text(answer(error_answer{r.error().message})));
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_EQ(std::get<error_answer>(*told).reason, r.error().message);
    if (!key.empty()) {
      EXPECT_EQ(r.error().message.find(key), std::string::npos);
    }
  }
  EXPECT_EQ(parse_request(R"({"op":"list","extra":1})").error().message, "unknown key 'extra'");
  EXPECT_NO_THROW(to_text(answer(error_answer{"half a character: \xc3"})));
}

TEST(function_message, answers_survive_and_have_coarse_lengths) {
  const std::vector<answer> all{hello{.server = "function.example", .challenge = {1}, .ephemeral = {{2}}},
                                done_answer{}, error_answer{"no"}, list_answer{{"a", "b"}, {{"c", {{3}}}}},
                                changes_answer{{{4, "d", true, {{5}}}, {5, "d", false, {}}}}};
  for (const auto& a : all) {
    const std::string text = to_text(a);
    EXPECT_EQ(text.size() % answer_granularity_bytes, 0U) << text;
    const auto back = parse_answer(text);
    ASSERT_TRUE(back) << back.error().message << text;
    EXPECT_EQ(back->index(), a.index());
    EXPECT_EQ(to_text(*back), text);
  }
  const auto one = to_text(answer(changes_answer{{{1, "peer", true, {}}}}));
  EXPECT_EQ(to_text(answer(done_answer{})).size(), one.size());
}

// Whichever of two values a reader takes, another reader may have taken the other.
TEST(function_message, a_key_that_comes_twice_is_refused_wherever_it_stands) {
  const std::string key = std::string(43, 'A') + "=", twice = "a key is there twice";
  const auto request = [](const char* text) {
    const auto r = parse_request(text);
    return r ? "" : r.error().message;
  };
  EXPECT_EQ(request(R"({"op":"grant","peer":"john"})"), "");
  EXPECT_EQ(request(R"({"op":"grant","peer":"john","peer":"peter"})"), twice);
  EXPECT_EQ(request(R"({"op":"grant","peer":"john","peer":"john"})"), twice);
  EXPECT_EQ(request(R"({"op":"grant","peer":"john","op":"withdraw"})"), twice);
  EXPECT_EQ(request(R"({"op":"grant","peer":"john","\u0070eer":"peter"})"), twice);
  EXPECT_EQ(request(R"({"op":"list","pad":"","pad":""})"), twice);
  EXPECT_EQ(request(R"({"op":"list","pad":{"a":1,"a":1}})"), twice);
  EXPECT_EQ(request(R"({"op":"list","pad":[{"a":1},{"a":1,"b":{"a":1}}]})"), "not a JSON object");  // deep, not twice
  const auto changes = [&](const std::string& more) {
    return parse_answer(R"({"answer":"changes","changes":[{"version":1,"peer":"john","permitted":true,"key":")" + key +
                        "\"" + more + "}]}");
  };
  EXPECT_TRUE(changes(""));
  EXPECT_EQ(changes(R"(,"permitted":false)").error().message, twice);
  EXPECT_TRUE(parse_answer(R"({"answer":"list","granted":[],"mutual":[{"name":"a","key":")" + key +
                           R"("},{"name":"b","key":")" + key + R"("}]})"));
}

TEST(function_message, nothing_deep_is_built) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  for (const int depth : {2, 3, 100, 250'000}) {
    EXPECT_FALSE(parse_answer(R"({"answer":"changes","changes":)" + nested(depth) + "}")) << depth;
    EXPECT_FALSE(parse_answer(R"({"answer":"list","mutual":[],"granted":)" + nested(depth) + "}")) << depth;
    EXPECT_FALSE(parse_answer(nested(depth)));
    EXPECT_FALSE(parse_request(R"({"op":"list","more":)" + nested(depth) + "}")) << depth;
    // The padding is not looked at, but not built either.
    EXPECT_EQ(parse_request(R"({"op":"list","pad":)" + nested(depth) + "}").has_value(), depth <= 2) << depth;
  }
  EXPECT_TRUE(parse_answer(R"({"answer":"changes","changes":[]})"));
}

TEST(function_message, no_control_characters_reach_a_terminal) {
  const std::string key = std::string(43, 'A') + "=";
  const auto list = [&](const std::string& granted, const std::string& peer) {
    return parse_answer(R"({"answer":"list","granted":[")" + granted + R"("],"mutual":[{"name":")" + peer +
                        R"(","key":")" + key + R"("}]})")
        .has_value();
  };
  const auto changes = [&](const std::string& peer) {
    return parse_answer(R"({"answer":"changes","changes":[{"version":1,"peer":")" + peer +
                        R"(","permitted":true,"key":")" + key + R"("}]})")
        .has_value();
  };
  const auto error = [](const std::string& reason) {
    return parse_answer(R"({"answer":"error","reason":")" + reason + R"("})").has_value();
  };
  const auto greeting = [&](const std::string& server) {
    return parse_answer(R"({"answer":"hello","server":")" + server + R"(","challenge":")" + key + R"(","ephemeral":")" +
                        key + R"("})")
        .has_value();
  };
  EXPECT_TRUE(list("john", "mary") && changes("john") && error("no, register first") && greeting("function.example"));
  for (const char* bad : {"\\u001b[2J", "two\\nlines", "caf\u00e9", "\\u009b2J"})
    EXPECT_FALSE(list(bad, "mary") || list("john", bad) || changes(bad) || error(bad) || greeting(bad)) << bad;
  for (const char* bad : {"", "a b"})
    EXPECT_FALSE(list(bad, "mary") || list("john", bad) || changes(bad) || greeting(bad)) << bad;
}

TEST(function_message, frames_are_cut_from_any_pieces) {
  const std::string stream = frame("one") + frame("") + frame("three");
  for (std::size_t piece = 1; piece < stream.size(); ++piece) {
    frame_reader in(100);
    std::vector<std::string> got;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_TRUE(in.add(std::string_view(stream).substr(at, piece)));
      while (auto m = in.next()) got.push_back(*m);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"one", "", "three"}));
  }
  frame_reader in(4);
  EXPECT_FALSE(in.add(frame("fives")));
  EXPECT_FALSE(in.next());
}

}  // namespace
}  // namespace prose::function
