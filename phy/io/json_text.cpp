#include "phy/io/json_text.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace prose::phy {
namespace {

/// Keeps nothing but where the text stopped being JSON.
struct mistake_finder : nlohmann::json_sax<nlohmann::json> {
  std::size_t position = 0;
  std::string token;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t at, const std::string& last, const nlohmann::detail::exception&) override {
    position = at;
    token = last;
    return false;
  }
};

/// What of a hostile text may go into a one-line message.
std::string printable(std::string_view text, std::size_t max) {
  std::string out;
  for (const char c : text.substr(0, max)) out += (c >= 0x20 && c < 0x7F) ? c : '?';
  return out;
}

/// Notes the first key that an object has twice: nobody can tell which of them holds.
class twice_finder {
public:
  bool operator()(int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using kind = nlohmann::json::parse_event_t;
    if (event == kind::object_start) keys_.emplace_back();
    if (event == kind::object_end) keys_.pop_back();
    if (event != kind::key) return true;
    const auto& key = parsed.get_ref<const std::string&>();
    if (!keys_.back().insert(key).second && found_.empty()) found_ = key;
    return true;
  }
  const std::string& found() const { return found_; }

private:
  std::vector<std::set<std::string>> keys_;
  std::string found_;
};

}  // namespace

result<nlohmann::json> parse_json(std::string_view text, std::string_view file) {
  twice_finder twice;
  auto value = nlohmann::json::parse(text, std::ref(twice), /*allow_exceptions=*/false);
  if (!twice.found().empty() && !value.is_discarded())
    return fail(std::string(file) + ": '" + printable(twice.found(), 40) + "' is given twice in one object");
  if (!value.is_discarded()) return value;
  mistake_finder finder;
  nlohmann::json::sax_parse(text, &finder);
  const auto end = text.begin() + std::min(finder.position, text.size());
  const auto line = 1 + std::count(text.begin(), end, '\n');
  return fail(std::string(file) + ":" + std::to_string(line) + ": not JSON" +
              (finder.token.empty() ? std::string() : " near '" + printable(finder.token, 40) + "'"));
}

result<std::string> read_text_file(const std::string& path, std::size_t max_bytes) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (ec || !std::filesystem::exists(status)) return fail(path + ": no such file");
  if (std::filesystem::is_directory(status)) return fail(path + ": is a directory, a file is needed");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> f(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!f) return fail(path + ": cannot be opened: " + std::strerror(errno));
  std::string text;
  char block[65536];
  while (const auto n = std::fread(block, 1, sizeof block, f.get())) {
    text.append(block, n);
    if (text.size() > max_bytes) return fail(path + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
  if (std::ferror(f.get()) != 0) return fail(path + ": cannot be read: " + std::strerror(errno));
  return text;
}

}  // namespace prose::phy
