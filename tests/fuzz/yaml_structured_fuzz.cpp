// A configuration that is made from values in the ways in which YAML can write them: what comes out of the reader is
// what went in. Then the same with mistakes: a complaint of one line that names the file.
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "apps/lib/common/config.h"
#include "tests/fuzz/chooser.h"

namespace {
using prose::apps::config_section;
using prose::fuzz::chooser;

constexpr std::size_t most_keys = 8, most_names = 5;
constexpr std::string_view keys[] = {"name", "device", "port", "gain_db", "on", "denied", "radio", "a", "b.c", "key_1"};
constexpr std::string_view texts[] = {"x",
                                      "john and mary",
                                      "type=b200,serial=1",
                                      "0",
                                      "007",
                                      "1e3",
                                      "yes",
                                      "true",
                                      "null",
                                      "~",
                                      "",
                                      "- x",
                                      "a: b",
                                      "# no comment",
                                      "'",
                                      "\"",
                                      "{}",
                                      "[]",
                                      "&a",
                                      "*a",
                                      "!t",
                                      "%d",
                                      "|",
                                      ">",
                                      "?",
                                      "@",
                                      "`",
                                      "a\\nb",
                                      "=",
                                      "<<",
                                      ".inf",
                                      "0x10",
                                      "1_000"};
const char hexadecimal[] = "0123456789abcdef";

/// In double quotes every octet can be written.
std::string quoted(const std::string& s, bool doubly) {
  std::string out;
  for (const char ch : s) {
    const auto o = static_cast<unsigned char>(ch);
    if (!doubly) {
      out += ch == '\'' ? "''" : std::string(1, ch);
    } else if (o < 0x20 || ch == '"' || ch == '\\') {
      out += std::string("\\x") + hexadecimal[o >> 4] + hexadecimal[o & 15];
    } else {
      out += ch;
    }
  }
  return doubly ? '"' + out + '"' : '\'' + out + '\'';
}

struct document {
  std::map<std::string, std::string> scalars;
  std::map<std::string, std::vector<std::string>> lists;
  std::map<std::string, int> numbers;
  std::string text;
};

std::string list_text(chooser& c, const std::vector<std::string>& values, const std::string& indent) {
  const bool flow = c.flag() || values.empty();
  std::string out = flow ? " [" : "\n";
  for (const auto& v : values) {
    const auto q = quoted(v, c.flag());
    out += flow ? (out.size() > 2 ? ", " : "") + q : indent + "- " + q + "\n";
  }
  return flow ? out + "]\n" : out;
}

document make(chooser& c) {
  document d;
  if (c.flag()) d.text += "# a comment\n---\n";
  for (std::size_t i = c.below(most_keys); i > 0; --i) {
    const std::string key(c.one_of(keys));
    if (d.scalars.contains(key) || d.lists.contains(key) || d.numbers.contains(key)) continue;
    if (c.flag()) d.text += "\n   # another\n";
    d.text += key + ":";
    const auto kind = c.below(3);
    if (kind == 0) {
      d.numbers[key] = static_cast<int>(c.below(65536)) - 32768;
      d.text += " " + std::to_string(d.numbers[key]) + (c.flag() ? "   # a number\n" : "\n");
    } else if (kind == 1) {
      d.scalars[key] = std::string(c.one_of(texts));
      d.text += " " + quoted(d.scalars[key], c.flag()) + "\n";
    } else {
      auto& list = d.lists[key];
      for (std::size_t n = c.below(most_names); n > 0; --n) list.emplace_back(c.one_of(texts));
      d.text += list_text(c, list, c.flag() ? "  " : "");
    }
  }
  return d;
}

void reads_as_written(const document& d) {
  auto file = config_section::parse(d.text, "f.yaml");
  if (!file) std::abort();
  for (const auto& [key, value] : d.scalars) {
    std::string read = "?";
    file->read(key, read);
    if (file->check() && read != value) std::abort();
  }
  for (const auto& [key, value] : d.lists) {
    std::vector<std::string> read{"?"};
    file->read(key, read);
    if (read != value) std::abort();
  }
  for (const auto& [key, value] : d.numbers) {
    int read = 1 << 20;
    file->read(key, read, -32768, 32767);
    if (read != value) std::abort();
  }
  if (!file->check()) std::abort();
}

/// All keys as everything, and only complaints of one line.
void complains_in_words(const std::string& text) {
  auto file = config_section::parse(text, "f.yaml");
  if (file) {
    std::string word;
    int number = 0;
    std::vector<std::string> names;
    for (const auto key : keys) {
      file->read(key, word);
      file->read(key, number, 0, 10);
      file->read(key, names);
      auto section = file->section(key);
      section.read("x", word);
    }
    const auto ok = file->check();
    if (ok) return;
    if (ok.error().message.rfind("f.yaml", 0) != 0 || ok.error().message.find('\n') != std::string::npos) std::abort();
  } else if (file.error().message.rfind("f.yaml", 0) != 0 || file.error().message.find('\n') != std::string::npos) {
    std::abort();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser c({data, size});
  auto d = make(c);
  reads_as_written(d);
  constexpr std::string_view mistakes[] = {":",  "\t",      "&a *a",        "- ",        "\"",     "{",
                                           "]",  "\n---\n", "\n...\n",      "!!binary ", "<<: *a", "? ",
                                           "\r", "\xff",    "\xef\xbb\xbf", "|2\n"};
  for (std::size_t i = 1 + c.below(3); i > 0; --i) {
    const auto at = c.below(d.text.size() + 1);
    d.text.insert(at, c.one_of(mistakes));
  }
  complains_in_words(d.text);
  return 0;
}
