// Configuration, events and exit codes that every program shares.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/lib/common/cli.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/events.h"

namespace prose::apps {
namespace {
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct settings {
  std::string device = "none", mode = "a";
  double gain = 1;
  int count = 2;
  bool on = false;
  std::vector<std::string> peers;
  std::vector<int> list_ids;
};

/// Reads all kinds of keys; the error text, empty for none.
std::string load(const std::string& yaml, settings& s) {
  auto c = config_section::parse(yaml, "f.yaml");
  if (!c) return c.error().message;
  c->read("device", s.device);
  c->read("peers", s.peers);
  auto radio = c->section("radio");
  radio.read("gain_db", s.gain, 0.0, 90.0);
  radio.read("count", s.count, 1, 10);
  radio.read("on", s.on);
  radio.read_choice("mode", s.mode, {"a", "b"});
  for (auto& e : c->list("links")) {
    int id = 0;
    e.require("id");
    e.read("id", id, 0, 100);
    s.list_ids.push_back(id);
  }
  const auto ok = c->check();
  return ok ? "" : ok.error().message;
}
std::string error_of(const std::string& yaml) {
  settings s;
  return load(yaml, s);
}

TEST(config, reads_every_kind_and_keeps_defaults) {
  settings s;
  EXPECT_EQ(load("device: x310\npeers: [mary, john]\nradio:\n  gain_db: 12.5\n  on: true\n  mode: b\nlinks:\n  - id: "
                 "4\n  - {id: 5}\n",
                 s),
            "");
  EXPECT_EQ(s.device, "x310");
  EXPECT_EQ(s.gain, 12.5);
  EXPECT_EQ(s.count, 2);
  EXPECT_TRUE(s.on);
  EXPECT_EQ(s.mode, "b");
  EXPECT_EQ(s.peers, (std::vector<std::string>{"mary", "john"}));
  EXPECT_EQ(s.list_ids, (std::vector<int>{4, 5}));
  settings untouched;
  EXPECT_EQ(load("", untouched), "");
  EXPECT_EQ(untouched.count, 2);
}

TEST(config, a_mistake_is_one_line_with_file_line_key_and_what_is_accepted) {
  EXPECT_THAT(error_of("device: a\nradio:\n  gain_db: loud\n"),
              AllOf(StartsWith("f.yaml:3: radio.gain_db:"), HasSubstr("0 to 90")));
  EXPECT_THAT(error_of("radio: {gain_db: 91}"), HasSubstr("radio.gain_db"));
  EXPECT_THAT(error_of("radio: {gain_db: .nan}"), HasSubstr("radio.gain_db"));
  EXPECT_THAT(error_of("radio: {count: 1.5}"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("radio: {count: 99999999999999999999}"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("radio: {on: yes}"), HasSubstr("true nor false"));
  EXPECT_THAT(error_of("radio: {mode: c}"), HasSubstr("accepted: a, b"));
  EXPECT_THAT(error_of("radio: 7"), AllOf(HasSubstr("f.yaml:1: radio"), HasSubstr("map")));
  EXPECT_THAT(error_of("device: [1]"), HasSubstr("f.yaml:1: device"));
  EXPECT_THAT(error_of("links:\n  - id: 1\n  - idd: 2\n"),
              AllOf(HasSubstr("f.yaml:3"), HasSubstr("links[1].id is missing")));
  EXPECT_THAT(error_of("links:\n  - 7\n"), HasSubstr("list of maps"));
  EXPECT_THAT(error_of("device: a\n\nradio:\n  gian_db: 3\n"),
              AllOf(StartsWith("f.yaml:4: radio.'gian_db'"), HasSubstr("gain_db")));
  EXPECT_THAT(error_of("device: a\ndevice: b\n"), HasSubstr("given twice"));
  EXPECT_THAT(error_of("- a\n- b\n"), HasSubstr("map"));
  EXPECT_THAT(error_of("device: [unclosed\nx"), HasSubstr("not YAML"));
  EXPECT_THAT(config_section::load("/no/such.yaml").error().message, HasSubstr("no such file"));
}

TEST(config, a_self_referring_document_ends) {
  settings s;
  load("radio: &r\n  x: *r\n", s);
  load("links: &l [*l]\n", s);
}

TEST(config, tells_what_is_in_force) {
  auto file =
      config_section::parse("gain: 2.50\nradio: {rate: 5.9e9, source: b}\npeers: [{name: x}]\nkeys: k\n", "/f/c.yaml");
  ASSERT_TRUE(file);
  double gain = 1, rate = 1, offset = -3;
  int channel = 7;
  std::string source = "a", mode, name = "null", keys, log = "-";
  std::vector<std::string> files{"a", "b c"};
  file->read("gain", gain, 0.0, 10.0);
  auto radio = file->section("radio");
  radio.read("rate", rate, 0.0, 1e10);
  radio.read_choice("source", source, {"a", "b"});
  radio.read_choice("mode", mode, {"c"});
  radio.read("offset", offset, 0.0, 1.0);  // no number that is accepted: nothing was said
  file->read("channel", channel, 0, 9);
  file->read("name", name);
  file->read_path("keys", keys);
  file->read_path_here("log", log);
  file->read("files", files);
  for (auto& p : file->list("peers")) p.read("name", name);
  (void)file->list("none");
  (void)file->section("empty");
  EXPECT_EQ(file->effective(),
            "gain: 2.5\nradio:\n  rate: 5.9e9\n  source: b\n  mode: null\n  offset: null\nchannel: 7\nname: \"null\"\n"
            "keys: /f/k\nlog: \"-\"\nfiles: [\"a\", \"b c\"]\npeers:\n  - name: x\nnone: []\nempty: {}\n");
  // An option of the command line.
  rate = 1e-7;
  auto now = file->in_force();
  now.section("radio").read("rate", rate, 0.0, 1e10);
  EXPECT_THAT(now.effective(), HasSubstr("\nradio:\n  rate: 1e-7\n  source: b\n"));
}

TEST(events, each_is_one_json_line_with_event_and_t) {
  char path[] = "/tmp/prose_events_XXXXXX";
  close(mkstemp(path));
  {
    auto w = event_writer::open(path);
    ASSERT_TRUE(w);
    event e("tb", 1.5);
    const std::vector<std::uint8_t> bytes{0xDE, 0xAD};
    const std::vector<int> prb{1, 2};
    e.add("text", "a\"b\n\xff").add("n", 7).add("x", 0.25).add("ok", true).add_hex("hex", bytes).add("prb", prb);
    e.add("nan", std::numeric_limits<double>::quiet_NaN()).add_null("none").add("sub", json_object().add("k", 1));
    EXPECT_TRUE(w->write(e));
    EXPECT_TRUE(w->write(event("end", 1e9 + 0.125)));
  }
  std::ifstream f(path);
  std::string line;
  std::getline(f, line);
  const auto j = nlohmann::json::parse(line);
  EXPECT_EQ(j["event"], "tb");
  EXPECT_EQ(j["t"], 1.5);
  EXPECT_EQ(j["hex"], "dead");
  EXPECT_EQ(j["prb"], (std::vector<int>{1, 2}));
  EXPECT_TRUE(j["nan"].is_null());
  EXPECT_TRUE(j["none"].is_null());
  EXPECT_EQ(j["sub"]["k"], 1);
  EXPECT_EQ(j["text"].get<std::string>().substr(0, 4), "a\"b\n");
  std::getline(f, line);
  EXPECT_EQ(nlohmann::json::parse(line)["t"].get<double>(), 1e9 + 0.125);
  unlink(path);
}

TEST(events, a_full_device_is_noticed) {
  auto w = event_writer::open("/dev/full");
  if (!w) GTEST_SKIP() << "no /dev/full";
  EXPECT_FALSE(w->write(event("x", 0)));
  EXPECT_FALSE(w->ok());
  EXPECT_FALSE(event_writer::open("/no/such/folder/e"));
}

TEST(command_line, finds_the_configuration_before_parsing) {
  const char* a[] = {"p", "--x", "--config", "a.yaml"};
  const char* b[] = {"p", "--config=b.yaml"};
  const char* c[] = {"p", "--", "--config", "c.yaml"};
  EXPECT_EQ(find_config_path(4, const_cast<char**>(a)), "a.yaml");
  EXPECT_EQ(find_config_path(2, const_cast<char**>(b)), "b.yaml");
  EXPECT_EQ(find_config_path(4, const_cast<char**>(c)), "");
  EXPECT_EQ(find_config_path(3, const_cast<char**>(a)), "");
}

TEST(command_line, help_is_success_and_mistakes_are_usage_errors) {
  const auto run = [](std::vector<const char*> args) {
    common_options o;
    command_line app("prose-test", "test", o);
    args.insert(args.begin(), "prose-test");
    return app.parse(static_cast<int>(args.size()), const_cast<char**>(args.data()));
  };
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"--version"}), exit_ok);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "prose-test " + std::string(version()) + " (commit unknown)\n");
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"--help"}), exit_ok);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("--config"));
  for (const auto& wrong :
       std::vector<std::vector<const char*>>{{"--no-such-option"}, {"--log-level", "loud"}, {"stray"}, {"--config"}}) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(wrong), exit_usage);
    const auto text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    EXPECT_THAT(text, StartsWith("prose-test: "));
  }
}

}  // namespace
}  // namespace prose::apps
