// The parts of prose-page that meet others: who is let in, which actions pass, files as other programs write them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/page/access.h"
#include "apps/page/action.h"
#include "apps/page/assets.h"
#include "apps/page/file_tail.h"
#include "apps/page/stream_hub.h"

namespace prose::page {
namespace {

struct counted_gate : access {
  counted_gate() : access([n = 0]() mutable { return "secret" + std::to_string(++n); }) {}
};

TEST(page_access, a_token_is_good_once) {
  counted_gate gate;
  EXPECT_EQ(gate.exchange(""), "");  // before there is one
  const auto token = gate.new_token();
  EXPECT_EQ(gate.exchange(token + "x"), "");
  EXPECT_EQ(gate.exchange(token.substr(1)), "");
  const auto cookie = gate.exchange(token);
  EXPECT_NE(cookie, "");
  EXPECT_NE(cookie, token);
  EXPECT_EQ(gate.exchange(token), "");
  EXPECT_EQ(gate.exchange(""), "");
  const auto second = gate.exchange(gate.new_token());
  for (const auto& c : {cookie, second}) EXPECT_TRUE(gate.has_session("a=b; prose_page=" + c + "; c=d"));
  for (const auto& c : {std::string(), token, cookie.substr(1), cookie + "0"})
    EXPECT_FALSE(gate.has_session("prose_page=" + c)) << c;
  EXPECT_FALSE(gate.has_session(cookie));
  EXPECT_FALSE(gate.has_session("xprose_page=" + cookie));
}

TEST(page_access, the_host_is_the_address_that_is_listened_on) {
  counted_gate gate;
  gate.listens_on("127.0.0.1", 8000);
  for (const char* right : {"127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000"})
    EXPECT_TRUE(gate.right_host(right)) << right;
  for (const char* wrong : {"", ":8000", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8001", "127.0.0.2:8000",
                            "evil.example:8000", "localhost.evil.example:8000", "127.0.0.1:8000:8000", "[::1]:8000",
                            "[localhost]:8000", "127.0.0.1:8000 ", "0x7f.1:8000", "[127.0.0.1]:8000"})
    EXPECT_FALSE(gate.right_host(wrong)) << wrong;
  gate.listens_on("::1", 8000);
  EXPECT_TRUE(gate.right_host("[::1]:8000"));
  EXPECT_FALSE(gate.right_host("::1:8000"));
  // All addresses: any of them, but no name that somebody's DNS could lead here.
  gate.listens_on("0.0.0.0", 8000);
  EXPECT_TRUE(gate.right_host("192.0.2.7:8000"));
  EXPECT_TRUE(gate.right_host("localhost:8000"));
  EXPECT_FALSE(gate.right_host("evil.example:8000"));
  gate.listens_on("192.0.2.7", 8000);
  EXPECT_FALSE(gate.right_host("localhost:8000"));
}

TEST(page_access, an_action_comes_from_the_page_itself) {
  EXPECT_TRUE(access::right_origin("http://127.0.0.1:8000", "127.0.0.1:8000"));
  for (const char* wrong : {"", "null", "http://127.0.0.1:80", "https://127.0.0.1:8000", "http://localhost:8000",
                            "127.0.0.1:8000", "http://127.0.0.1:8000/"})
    EXPECT_FALSE(access::right_origin(wrong, "127.0.0.1:8000")) << wrong;
}

const std::vector<std::string> offered{"send", "file", "withdraw", "restart", "jam", "steal"}, names{"mary", "john"};

TEST(page_action, what_is_asked_for_is_passed_on_and_no_more) {
  for (const char* text :
       {R"({"action":"send","from":"mary","to":"john","text":"a"})",
        R"({"action":"file","from":"mary","to":"john","name":"a b.txt","data":"AAA="})",
        R"({"action":"withdraw","from":"john","to":"mary"})", R"({"action":"restart","name":"john"})",
        R"({"action":"jam","seconds":3})", R"({"action":"steal"})"}) {
    auto asked = json::parse(text);
    asked["more"] = "x";
    const auto a = action_of(text_of(asked), offered, names);
    ASSERT_TRUE(a) << text << ' ' << a.error().message;
    EXPECT_EQ(*a, json::parse(text));
  }
}

TEST(page_action, what_is_wrong_is_told_in_a_line) {
  for (const char* text : {"",
                           "[]",
                           "{}",
                           R"({"action":"shell"})",
                           R"({"action":["send"]})",
                           R"({"action":"send","from":"eve","to":"john","text":"a"})",
                           R"({"action":"send","from":"john","to":"john","text":"a"})",
                           R"({"action":"send","from":"mary","to":"john","text":""})",
                           R"({"action":"send","from":"mary","to":"john"})",
                           R"({"action":"jam","seconds":1e9})",
                           R"({"action":"jam","seconds":-1})",
                           R"({"action":"jam"})",
                           R"({"action":"file","from":"mary","to":"john","name":"../x","data":"AAAA"})",
                           R"({"action":"file","from":"mary","to":"john","name":"-x","data":"AAAA"})",
                           R"({"action":"file","from":"mary","to":"john","name":"a\nb","data":"AAAA"})",
                           R"({"action":"file","from":"mary","to":"john","name":"x","data":"A==A"})",
                           R"({"action":"file","from":"mary","to":"john","name":"x","data":"AAA"})",
                           R"({"action":"file","from":"mary","to":"john","name":"x","data":""})",
                           R"({"action":"restart"})",
                           R"({"action":"restart","name":"x"})"}) {
    const auto a = action_of(text, offered, names);
    ASSERT_FALSE(a) << text;
    EXPECT_EQ(a.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(action_of(R"({"action":"steal"})", {"send"}, names));  // known, but not offered
  const auto file = [](std::size_t groups) {
    return text_of(
        {{"action", "file"}, {"from", "mary"}, {"to", "john"}, {"name", "x"}, {"data", std::string(4 * groups, 'A')}});
  };
  EXPECT_TRUE(action_of(file(most_file_octets / 3), offered, names));
  EXPECT_FALSE(action_of(file(most_file_octets / 3 + 1), offered, names));
}

struct folder {
  std::string path;
  folder() {
    char name[] = "/tmp/prose-page-XXXXXX";
    path = mkdtemp(name);
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return path + '/' + name; }
};

void append(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

struct reading {
  file_tail tail;
  std::vector<std::string> take() {
    std::vector<std::string> lines;
    while (tail.read([&](std::string_view l) { lines.emplace_back(l); })) {
    }
    return lines;
  }
};
using lines = std::vector<std::string>;

TEST(page_tail, lines_come_when_they_are_whole) {
  const folder d;
  reading r{file_tail(d / "x")};
  EXPECT_EQ(r.take(), lines{});  // not there yet
  append(d / "x", "one\ntw");
  EXPECT_EQ(r.take(), lines{"one"});
  EXPECT_EQ(r.take(), lines{});
  append(d / "x", "o\n\nthree\n");
  EXPECT_EQ(r.take(), (lines{"two", "three"}));
}

TEST(page_tail, a_file_that_is_cut_or_replaced_is_read_anew) {
  const folder d;
  reading r{file_tail(d / "x")};
  append(d / "x", "one\nhalf a line that never ends");
  EXPECT_EQ(r.take(), lines{"one"});
  std::ofstream(d / "x", std::ios::trunc) << "two\n";
  EXPECT_EQ(r.take(), lines{"two"});
  // What the old file still got comes before the new one.
  append(d / "x", "three\nhalf");
  std::filesystem::rename(d / "x", d / "y");
  append(d / "x", "four\n");
  EXPECT_EQ(r.take(), (lines{"three", "four"}));
  std::filesystem::remove(d / "x");
  EXPECT_EQ(r.take(), lines{});
  append(d / "x", "five\n");
  EXPECT_EQ(r.take(), lines{"five"});
}

TEST(page_tail, a_line_without_end_costs_bounded_memory_and_the_next_is_read) {
  const folder d;
  reading r{file_tail(d / "x")};
  append(d / "x", std::string(file_tail::most_line_octets, 'a') + "\n");
  ASSERT_EQ(r.take().size(), 1U);
  append(d / "x", std::string(3 * file_tail::most_line_octets, 'a') + "\nnext\n");
  EXPECT_EQ(r.take(), lines{"next"});
}

TEST(page_tail, no_pipe_is_waited_for) {
  const folder d;
  ASSERT_EQ(mkfifo((d / "x").c_str(), 0600), 0);
  reading r{file_tail(d / "x")};
  EXPECT_EQ(r.take(), lines{});
}

TEST(page_assets, only_files_of_the_folder_with_a_known_kind) {
  const folder d;
  EXPECT_FALSE(assets::open(d.path));
  append(d / "index.html", "page");
  append(d / "app.js", "code");
  append(d / ".hidden.js", "x");
  append(d / "notes.txt", "x");
  append(d.path + "/big.js", std::string(assets::most_octets + 1, ' '));
  std::filesystem::create_symlink("/etc/hostname", d / "link.js");
  std::filesystem::create_directory(d / "folder.js");
  const auto a = assets::open(d.path);
  ASSERT_TRUE(a);
  ASSERT_TRUE(a->read("app.js"));
  EXPECT_EQ(a->read("app.js")->text, "code");
  EXPECT_STREQ(a->read("app.js")->type, "text/javascript; charset=utf-8");
  for (const char* name : {"", ".", "..", "../index.html", ".hidden.js", "notes.txt", "big.js", "link.js", "folder.js",
                           "/etc/passwd", "folder.js/../app.js", "APP.JS", "app.js%00.js", "none.js"})
    EXPECT_FALSE(a->read(name)) << name;
}

TEST(page_hub, a_browser_that_does_not_take_is_dropped_and_the_other_goes_on) {
  stream_hub hub;
  const auto slow = hub.add({{"hello", "{}"}}), other = hub.add({});
  const page_event big{"frames", std::string(stream_client::most_waiting / 4, 'x')};
  for (int i = 0; i < 6; ++i) {
    hub.publish(big);
    bool over = false;
    ASSERT_TRUE(other->next(over));
    ASSERT_FALSE(over);
  }
  bool over = false;
  EXPECT_FALSE(slow->next(over));
  EXPECT_TRUE(over);
}

TEST(page_hub, eight_and_no_more) {
  stream_hub hub;
  std::vector<std::shared_ptr<stream_client>> all;
  for (std::size_t i = 0; i < stream_hub::most_clients; ++i) {
    all.push_back(hub.add({}));
    ASSERT_TRUE(all.back());
  }
  EXPECT_FALSE(hub.add({}));
  hub.remove(all.front());
  EXPECT_TRUE(hub.add({}));
  hub.close();
  bool over = false;
  EXPECT_FALSE(all.back()->next(over));
  EXPECT_TRUE(over);
  hub.remove(all.back());
  EXPECT_FALSE(hub.add({}));
}

}  // namespace
}  // namespace prose::page
