// What lines of others become on the page: frames and whose they are, messages and their frames, the verdict's tiles.
#include "apps/page/page_state.h"

#include <gtest/gtest.h>

#include "apps/page/verdict_tiles.h"
#include "common/hex.h"
#include "mac/sl_sch.h"

namespace prose::page {
namespace {

/// A page with the UEs of the demo, and what it published.
struct page_of_three {
  std::vector<page_event> told;
  page_state state{{"mary", "john", "peter"}, [this](const page_event& e) { told.push_back(e); }};
  double now_s = 100;

  std::vector<json> of(const std::string& name) const {
    std::vector<json> all;
    for (const auto& e : told)
      if (e.name == name) all.push_back(json::parse(e.data));
    return all;
  }
  /// Those of events that are lists.
  std::vector<json> items(const std::string& name) const {
    std::vector<json> all;
    for (const auto& list : of(name)) all.insert(all.end(), list.begin(), list.end());
    return all;
  }
  void pass(double seconds) {
    now_s += seconds;
    state.tick(now_s, 1);
  }
};

/// The event of a block with one SDU.
std::string block(std::uint32_t src, std::uint32_t dst, double t, std::uint8_t lcid = 1, std::size_t octets = 60) {
  std::vector<std::uint8_t> tb(octets + 20);
  mac::sl_sch_builder b({mac::sl_sch_version::v2x, src, dst}, tb);
  auto sdu = b.add(lcid, octets);
  for (std::size_t i = 0; i < sdu.size(); ++i) sdu[i] = static_cast<std::uint8_t>(i);
  b.finish();
  return text_of({{"event", "tb"},
                  {"t", t},
                  {"crc_ok", true},
                  {"hex", to_hex(tb)},
                  {"prb_start", 3},
                  {"n_prb", 5},
                  {"absolute_subframe", 77},
                  {"n_x_id", 255},
                  {"repetition", false}});
}

std::string link_event(const char* own, const char* peer_id, const char* peer) {
  return text_of(
      {{"event", "link_established"}, {"t", 1.0}, {"peer", peer}, {"own_l2_id", own}, {"peer_l2_id", peer_id}});
}

TEST(page_state, a_frame_bears_its_link_whichever_end_told_it) {
  page_of_three p;
  p.state.on_ue("john", link_event("0000b1", "0000a1", "mary"));
  p.state.on_sniffer(block(0xa1, 0xb1, 2.5), p.now_s);
  p.state.on_sniffer(block(0xb1, 0xa1, 2.6), p.now_s);
  p.state.on_sniffer(block(0xb1, 0xa2, 2.7), p.now_s);
  p.pass(0.1);
  EXPECT_TRUE(p.items("frames").empty());  // the UE's word may still come
  p.pass(0.2);
  const auto frames = p.items("frames");
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0]["link"], "mary-john");
  EXPECT_EQ(frames[0]["from"], "mary");
  EXPECT_EQ(frames[0]["kind"], "record");
  EXPECT_EQ(frames[0]["channel"], "PSSCH");
  EXPECT_EQ(frames[0]["src"], "0000a1");
  EXPECT_EQ(frames[0]["subframe"], 77);
  EXPECT_EQ(frames[0]["prbs"], 5);
  EXPECT_EQ(frames[1]["link"], "mary-john");
  EXPECT_EQ(frames[1]["to"], "mary");
  EXPECT_TRUE(frames[2]["link"].is_null());
  EXPECT_EQ(frames[2]["id"], 2);
}

TEST(page_state, a_setup_gets_its_link_once_the_ue_tells_it) {
  page_of_three p;
  p.state.on_sniffer(block(0xa1, 0xb1, 2.5, 28), p.now_s);
  p.pass(0.3);
  ASSERT_EQ(p.items("frames").size(), 1U);
  EXPECT_EQ(p.items("frames")[0]["kind"], "set-up");
  EXPECT_TRUE(p.items("frames")[0]["link"].is_null());
  p.state.on_ue("mary", link_event("0000a1", "0000b1", "john"));
  p.pass(0.1);
  ASSERT_EQ(p.items("updates").size(), 1U);
  EXPECT_EQ(p.items("updates")[0]["id"], 0);
  EXPECT_EQ(p.items("updates")[0]["link"], "mary-john");
  p.pass(0.1);
  EXPECT_EQ(p.items("updates").size(), 1U);  // once
  // A browser that comes now gets it as it is now.
  bool found = false;
  for (const auto& e : p.state.beginning())
    found = found || (e.name == "frames" && json::parse(e.data)[0]["link"] == "mary-john");
  EXPECT_TRUE(found);
}

TEST(page_state, an_opened_frame_is_open_whether_it_came_before_or_after) {
  for (const int way : {0, 1, 2, 3}) {
    const bool before = way % 2 == 0;
    page_of_three p;
    const auto by_place =
        text_of({{"control", "opened"}, {"src", "0000a1"}, {"dst", "0000b1"}, {"t", 2.5}, {"text", "hi <b>"}});
    const auto opened = way < 2 ? by_place : text_of({{"control", "opened"}, {"id", 0}, {"text", "hi <b>"}});
    if (before) p.state.on_sniffer(block(0xa1, 0xb1, 2.5), p.now_s);
    p.pass(0.3);
    p.state.on_control(opened, p.now_s);
    if (!before) p.state.on_sniffer(block(0xa1, 0xb1, 2.5), p.now_s);
    p.state.on_sniffer(block(0xa1, 0xb1, 2.7), p.now_s);
    p.pass(0.3);
    const auto frames = p.items("frames"), updates = p.items("updates");
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(before ? updates.at(0)["open"] : frames[0]["open"], "hi <b>");
    EXPECT_EQ(updates.size(), before ? 1U : 0U);
    EXPECT_EQ(frames[1]["open"], false);
  }
}

TEST(page_state, a_message_stands_beside_its_frame) {
  page_of_three p;
  p.state.on_ue("mary", link_event("0000a1", "0000b1", "john"));
  p.state.on_sniffer(block(0xb1, 0xa1, 2.51), p.now_s);        // the other direction
  p.state.on_sniffer(block(0xa1, 0xb1, 2.40), p.now_s);        // before it
  p.state.on_sniffer(block(0xa1, 0xb1, 2.52, 1, 8), p.now_s);  // too short
  p.state.on_sniffer(block(0xa1, 0xb1, 2.53, 28), p.now_s);    // no data
  p.state.on_sniffer(block(0xa1, 0xb1, 2.54), p.now_s);
  const json m{{"control", "message"}, {"from", "mary"}, {"to", "john"}, {"text", std::string(30, 'x')}, {"t", 2.5}};
  p.state.on_control(text_of(m), p.now_s);
  p.pass(0.1);
  EXPECT_TRUE(p.of("message").empty());
  p.pass(0.2);
  ASSERT_EQ(p.of("message").size(), 1U);
  EXPECT_EQ(p.of("message")[0]["frame"], 4);
  EXPECT_EQ(p.of("message")[0]["ciphertext"], p.items("frames")[4]["octets"]);
  EXPECT_EQ(p.of("message")[0]["src"], "0000a1");
  // No frame is of two messages; one without a frame is told without.
  p.state.on_control(text_of(m), p.now_s);
  p.pass(1);
  EXPECT_EQ(p.of("message").size(), 1U);
  p.pass(page_state::message_wait_s);
  ASSERT_EQ(p.of("message").size(), 2U);
  EXPECT_TRUE(p.of("message")[1]["ciphertext"].is_null());
}

TEST(page_state, ue_events_bear_no_more_than_is_listed) {
  page_of_three p;
  p.state.on_ue("mary", R"({"event":"keylog","t":1,"file":"/home/mary/x","warning":"w","peer":{"a":1},"count":3})");
  p.pass(0.1);
  ASSERT_EQ(p.items("ue").size(), 1U);
  EXPECT_EQ(p.items("ue")[0], (json{{"name", "mary"}, {"event", "keylog"}, {"t", 1}, {"count", 3}}));
}

TEST(page_state, what_is_not_understood_is_passed_over) {
  page_of_three p;
  const std::string deep = R"({"event":"tb","t":1,"x":)" + std::string(50'000, '[') + std::string(50'000, ']') + "}";
  for (const std::string& line :
       {std::string("{"), std::string("[]"), std::string("null"), deep,
        std::string(R"({"event":"tb","event":"tb","hex":"00"})"),
        std::string("{\"event\":\"tb\",\"hex\":\"\xff\xfe\"}"), std::string(R"({"event":7,"t":"x"})"),
        std::string(R"({"look":"waterfall","rows":"<script>"})"), std::string(R"({"control":"message","from":1})")}) {
    p.state.on_look(line);
    p.state.on_sniffer(line, p.now_s);
    p.state.on_ue("mary", line);
    p.state.on_control(line, p.now_s);
    p.state.on_verdict(line);
  }
  p.pass(5);
  for (const auto& e : p.told) EXPECT_EQ(e.name, "status") << e.name << ' ' << e.data.substr(0, 200);
  EXPECT_EQ(p.of("status").size(), 1U);
}

TEST(page_state, no_event_has_more_than_a_hundred_frames_and_every_frame_comes_once) {
  page_of_three p;
  for (int i = 0; i < 1234; ++i) p.state.on_sniffer(block(0xa1, 0xb1, i * 0.001), p.now_s);
  p.pass(0.05);
  p.pass(1);
  std::uint64_t next = 0;
  for (const auto& list : p.of("frames")) {
    EXPECT_LE(list.size(), page_state::frames_an_event);
    for (const auto& f : list) EXPECT_EQ(f["id"], next++);
  }
  EXPECT_EQ(next, 1234U);
  std::size_t kept = 0;
  for (const auto& e : p.state.beginning())
    if (e.name == "frames") kept += json::parse(e.data).size();
  EXPECT_EQ(kept, page_state::most_frames);
}

TEST(page_state, hostile_text_stays_text) {
  page_of_three p;
  const std::string name = "</script><img src=x onerror=alert(1)>\n\ndata: {}\n\xe2\x80\xa8";
  p.state.on_control(
      text_of({{"control", "message"}, {"from", name}, {"to", "john"}, {"text", name}, {"ciphertext", "00"}}), p.now_s);
  p.pass(0.1);
  ASSERT_EQ(p.of("message").size(), 1U);
  EXPECT_EQ(p.of("message")[0]["text"], name);
  for (const auto& e : p.told) EXPECT_EQ(e.data.find('\n'), std::string::npos);
}

TEST(page_state, actions_end_with_the_program_that_offers_them) {
  page_of_three p;
  p.state.on_control(
      R"({"control":"hello","actions":["send","steal",7,""],"names":["mary","john"],"weak":"one-key-for-all"})",
      p.now_s);
  EXPECT_EQ(p.state.actions(), (std::vector<std::string>{"send", "steal"}));
  EXPECT_EQ(p.of("hello")[0]["names"], (json{"mary", "john"}));
  p.state.on_control(R"({"control":"stolen"})", p.now_s);
  p.pass(0.1);
  EXPECT_EQ(p.of("status").back()["stolen"], true);
  EXPECT_EQ(p.of("status").back()["weak"], "one-key-for-all");
  p.state.on_control_ended();
  EXPECT_TRUE(p.state.actions().empty());
  EXPECT_EQ(p.of("hello").back()["actions"], json::array());
}

json report() {
  return {
      {"outcome", "opaque"},
      {"reason", "r"},
      {"findings", json::array()},
      {"counts",
       {{"records", 83}, {"record_octets", 9600}, {"discovery", 40}, {"links", 4}, {"keys_tried", 0}, {"trials", 0}}},
      {"residual", json::array()},
      {"residual_across_rotations", json::array()},
      {"opened_links", json::array()}};
}

TEST(verdict_tiles, passed_failed_and_not_run) {
  auto tiles = tiles_of(report())["tiles"];
  EXPECT_EQ(tiles["content"]["state"], "passed");
  EXPECT_EQ(tiles["identity"]["state"], "passed");
  EXPECT_EQ(tiles["stolen_keys"]["state"], "not_run");
  EXPECT_EQ(tiles["radio"]["state"], "not_run");
  auto r = report();
  r["findings"] = {{{"aspect", "content"}, {"reason", "text"}, {"frames", {3, 4}}},
                   {{"aspect", "presence"}, {"reason", "answered"}},
                   {{"aspect", "compromise"}, {"reason", "opens"}}};
  tiles = tiles_of(r)["tiles"];
  EXPECT_EQ(tiles["content"], (json{{"state", "failed"}, {"sentence", "text"}, {"frames", {3, 4}}}));
  EXPECT_EQ(tiles["identity"]["sentence"], "answered");
  EXPECT_EQ(tiles["stolen_keys"]["state"], "failed");
}

TEST(verdict_tiles, nothing_heard_is_not_run) {
  for (const json& r : {json::object(), json{{"counts", 7}, {"findings", "x"}, {"residual", {1, 2}}},
                        json{{"counts", {{"records", -5}}}}}) {
    const json told = tiles_of(r);
    for (const auto& [name, tile] : told["tiles"].items()) EXPECT_EQ(tile["state"], "not_run") << name;
  }
}

TEST(verdict_tiles, radios_are_judged_against_guessing) {
  auto r = report();
  const auto by = [](double low) {
    return json{{"feature", "cfo"}, {"trials", 40}, {"success", 0.9}, {"low", low}, {"chance", 0.5}};
  };
  r["residual"] = {by(0.4)};
  EXPECT_EQ(tiles_of(r)["tiles"]["radio"]["state"], "passed");
  r["residual_across_rotations"] = {by(0.8)};
  EXPECT_EQ(tiles_of(r)["tiles"]["radio"]["state"], "failed");
  r["counts"]["keys_tried"] = 3;
  r["opened_links"] = {{{"records_opened", 20}, {"own", true}}};
  EXPECT_EQ(tiles_of(r)["tiles"]["stolen_keys"]["state"], "passed");
}

TEST(page_verdict, findings_and_the_headline_pass_but_no_more_than_a_page_lists) {
  json report{{"outcome", "exposed"}, {"reason", "r"}, {"headline", "one sentence"}, {"findings", json::array()}};
  for (unsigned i = 0; i < 30; ++i)
    report["findings"].push_back(
        {{"aspect", "content"}, {"check", "ascii_run"}, {"reason", "text"}, {"frames", json::array()}, {"secret", 1}});
  for (unsigned i = 0; i < 30; ++i) report["findings"][0]["frames"].push_back(i);
  report["findings"][1] = "no object";
  const auto v = tiles_of(report);
  EXPECT_EQ(v["headline"], "one sentence");
  ASSERT_EQ(v["findings"].size(), 20U);
  EXPECT_EQ(v["findings"][0]["frames"].size(), 20U);
  EXPECT_EQ(v["findings"][0]["check"], "ascii_run");
  EXPECT_FALSE(v["findings"][0].contains("secret"));
  EXPECT_FALSE(tiles_of(json::object()).contains("headline"));
}

}  // namespace
}  // namespace prose::page
