#include "apps/lib/function/message.h"

#include <mbedtls/base64.h>

#include <algorithm>
#include <cassert>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

namespace prose::function {
namespace {

using nlohmann::json;

std::string base64(std::span<const std::uint8_t> octets) {
  std::string text(4 * ((octets.size() + 2) / 3) + 1, '\0');
  std::size_t size = 0;
  [[maybe_unused]] const int code = mbedtls_base64_encode(reinterpret_cast<unsigned char*>(text.data()), text.size(),
                                                          &size, octets.data(), octets.size());
  assert(code == 0);
  text.resize(size);
  return text;
}

// A message is an object of lists of objects of values; nothing deeper is built, whatever arrives.
constexpr int max_nesting = 3;

constexpr const char* no_object = "not a JSON object";

// A key that comes twice is refused: RFC 8259 4 leaves open which one counts, so two readers could see two messages.
result<json> parse_strictly(std::string_view text) {
  const char* problem = nullptr;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, json::parse_event_t e, json& v) {
    if (problem != nullptr) return false;
    const bool opens = e == json::parse_event_t::object_start || e == json::parse_event_t::array_start;
    if (opens && depth >= max_nesting) problem = no_object;
    if (e == json::parse_event_t::object_start) keys.emplace_back();
    if (e == json::parse_event_t::object_end) keys.pop_back();
    if (e == json::parse_event_t::key && !keys.back().insert(v.get_ref<const std::string&>()).second)
      problem = "a key is there twice";
    return problem == nullptr;
  };
  json j = json::parse(text, watch, false);
  if (problem == nullptr && !j.is_object()) problem = no_object;
  if (problem != nullptr) return fail(problem);
  return j;
}

// Reads one JSON object strictly: every key must be asked for exactly once, by the right type.
class object_reader {
public:
  explicit object_reader(std::string_view text) {
    auto j = parse_strictly(text);
    if (!j) {
      error_ = j.error().message;
    } else {
      object_ = std::move(*j);
      object_.erase("pad");
    }
  }
  explicit object_reader(json object) : object_(std::move(object)) {
    if (!object_.is_object()) error_ = no_object;
  }

  std::string text(const char* key, std::size_t max_bytes = max_name_bytes) {
    const json v = take(key);
    if (!v.is_string() || v.get_ref<const std::string&>().size() > max_bytes) {
      complain(key, "a text of at most " + std::to_string(max_bytes) + " octets");
      return {};
    }
    return v.get<std::string>();
  }
  /// What a user or a server may be called; it reaches terminals and file names.
  std::string name(const char* key) {
    std::string v = text(key);
    if (error_.empty() && !valid_name(v)) complain(key, "1 to 64 of a-z A-Z 0-9 . _ -");
    return v;
  }
  /// One line that is safe on a terminal.
  std::string line(const char* key, std::size_t max_bytes) {
    std::string v = text(key, max_bytes);
    if (!std::all_of(v.begin(), v.end(), [](char c) { return c >= ' ' && c <= '~'; })) complain(key, "printable ASCII");
    return v;
  }
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) {
    const json v = take(key);
    // A value above the signed range is stored unsigned and would wrap.
    const bool fits = v.is_number_integer() && (!v.is_number_unsigned() || v.get<std::uint64_t>() <= INT64_MAX) &&
                      v.get<std::int64_t>() >= min && v.get<std::int64_t>() <= max;
    if (!fits) {
      complain(key, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
      return min;
    }
    return v.get<std::int64_t>();
  }
  bool boolean(const char* key) {
    const json v = take(key);
    if (!v.is_boolean()) {
      complain(key, "true or false");
      return false;
    }
    return v.get<bool>();
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> octets(const char* key) {
    std::array<std::uint8_t, N> out{};
    const std::string encoded = text(key, 4 * ((N + 2) / 3));
    std::array<std::uint8_t, N + 2> decoded{};
    std::size_t size = 0;
    const auto* in = reinterpret_cast<const unsigned char*>(encoded.data());
    if (error_.empty() &&
        (mbedtls_base64_decode(decoded.data(), decoded.size(), &size, in, encoded.size()) != 0 || size != N)) {
      complain(key, std::to_string(N) + " octets in base64");
      return out;
    }
    std::copy_n(decoded.begin(), N, out.begin());
    return out;
  }
  std::vector<std::uint8_t> packet(const char* key) {
    const std::string encoded = text(key, 4 * ((max_data_octets + 2) / 3));
    std::vector<std::uint8_t> out(3 * (encoded.size() / 4) + 3);
    std::size_t size = 0;
    const auto* in = reinterpret_cast<const unsigned char*>(encoded.data());
    if (error_.empty() && (mbedtls_base64_decode(out.data(), out.size(), &size, in, encoded.size()) != 0 || size == 0 ||
                           size > max_data_octets))
      complain(key, "1 to " + std::to_string(max_data_octets) + " octets in base64");
    out.resize(std::min(size, out.size()));
    return out;
  }
  std::vector<json> list(const char* key) {
    json v = take(key);
    if (!v.is_array()) {
      complain(key, "a list");
      return {};
    }
    return std::move(v.get_ref<json::array_t&>());
  }
  /// The first complaint, or a key that nothing asked for.
  result<void> finish() {
    // The peer's own text is repeated only where it is a plain word: this line goes to the other side and to a
    // terminal.
    if (error_.empty() && !object_.empty()) {
      const std::string& key = object_.begin().key();
      error_ = valid_name(key) ? "unknown key '" + key + "'" : "unknown key";
    }
    if (!error_.empty()) return fail(error_);
    return {};
  }
  void complain(const char* key, const std::string& accepted) {
    if (error_.empty()) error_ = std::string(key) + ": accepted is " + accepted;
  }

private:
  json take(const char* key) {
    const auto it = object_.is_object() ? object_.find(key) : object_.end();
    if (!object_.is_object() || it == object_.end()) return nullptr;
    json v = std::move(*it);
    object_.erase(it);
    return v;
  }
  json object_ = json::object();
  std::string error_;
};

template <class T, class Variant>
result<Variant> finished(object_reader& in, T value) {
  if (auto ok = in.finish(); !ok) return tl::unexpected<error>(ok.error());
  return Variant(std::move(value));
}

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

std::string padded(const json& j, std::size_t granularity_bytes) {
  // A text that is not UTF-8 must not throw: replaced, the message still goes out.
  std::string text = j.dump(-1, ' ', false, json::error_handler_t::replace);
  constexpr std::string_view opening = ",\"pad\":\"";
  const std::size_t least = text.size() + opening.size() + 1;
  const std::size_t target = (least + granularity_bytes - 1) / granularity_bytes * granularity_bytes;
  text.pop_back();
  text.append(opening).append(target - least, '.').append("\"}");
  return text;
}

}  // namespace

result<request> parse_request(std::string_view text) {
  object_reader in(text);
  const std::string op = in.text("op");
  if (op == "register") {
    register_request r;
    r.name = in.text("name");
    r.key.octets = in.octets<32>("key");
    r.proof = in.octets<32>("proof");
    r.replace = in.boolean("replace");
    return finished<register_request, request>(in, std::move(r));
  }
  if (op == "grant") return finished<grant_request, request>(in, {in.text("peer")});
  if (op == "withdraw") return finished<withdraw_request, request>(in, {in.text("peer")});
  if (op == "list") return finished<list_request, request>(in, {});
  if (op == "changes") {
    changes_request r;
    r.since = in.integer("since", 0, INT64_MAX);
    r.wait_s = static_cast<int>(in.integer("wait_s", 0, max_wait_s));
    return finished<changes_request, request>(in, r);
  }
  if (op == "data") return finished<data_request, request>(in, {in.packet("octets")});
  if (op == "kd") return finished<kd_request, request>(in, {in.text("peer")});
  in.complain("op", "register, grant, withdraw, list, changes, data or kd");
  return finished<list_request, request>(in, {});
}

std::string to_text(const request& r) {
  return padded(std::visit(overloaded{[](const register_request& v) {
                                        return json{{"op", "register"},
                                                    {"name", v.name},
                                                    {"key", base64(v.key.octets)},
                                                    {"proof", base64(v.proof)},
                                                    {"replace", v.replace}};
                                      },
                                      [](const grant_request& v) {
                                        return json{{"op", "grant"}, {"peer", v.peer}};
                                      },
                                      [](const withdraw_request& v) {
                                        return json{{"op", "withdraw"}, {"peer", v.peer}};
                                      },
                                      [](const list_request&) {
                                        return json{{"op", "list"}};
                                      },
                                      [](const changes_request& v) {
                                        return json{{"op", "changes"}, {"since", v.since}, {"wait_s", v.wait_s}};
                                      },
                                      [](const data_request& v) {
                                        return json{{"op", "data"}, {"octets", base64(v.octets)}};
                                      },
                                      [](const kd_request& v) {
                                        return json{{"op", "kd"}, {"peer", v.peer}};
                                      }},
                           r),
                request_granularity_bytes);
}

result<answer> parse_answer(std::string_view text) {
  object_reader in(text);
  const std::string kind = in.text("answer");
  if (kind == "hello") {
    hello h;
    h.server = in.name("server");
    h.challenge = in.octets<32>("challenge");
    h.ephemeral.octets = in.octets<32>("ephemeral");
    return finished<hello, answer>(in, std::move(h));
  }
  if (kind == "done") return finished<done_answer, answer>(in, {});
  if (kind == "error") return finished<error_answer, answer>(in, {in.line("reason", 256)});
  if (kind == "list") {
    list_answer a;
    for (auto& j : in.list("granted")) {
      if (!j.is_string() || !valid_name(j.get_ref<const std::string&>()))
        in.complain("granted", "a list of names");
      else
        a.granted.push_back(std::move(j.get_ref<std::string&>()));
    }
    for (auto& j : in.list("mutual")) {
      object_reader one(std::move(j));
      mutual_peer p{one.name("name"), {one.octets<32>("key")}};
      if (!one.finish()) in.complain("mutual", "a list of {name, key}");
      a.mutual.push_back(std::move(p));
    }
    return finished<list_answer, answer>(in, std::move(a));
  }
  if (kind == "changes") {
    changes_answer a;
    for (auto& j : in.list("changes")) {
      object_reader one(std::move(j));
      change c;
      c.version = one.integer("version", 1, INT64_MAX);
      c.peer = one.name("peer");
      c.permitted = one.boolean("permitted");
      c.key.octets = one.octets<32>("key");
      if (!one.finish()) in.complain("changes", "a list of {version, peer, permitted, key}");
      a.changes.push_back(std::move(c));
    }
    return finished<changes_answer, answer>(in, std::move(a));
  }
  if (kind == "data") return finished<data_answer, answer>(in, {in.packet("octets")});
  if (kind == "kd") {
    kd_answer a;
    a.key.octets = in.octets<32>("key");
    a.id = static_cast<std::uint32_t>(in.integer("id", 0, UINT32_MAX));
    a.kd = in.octets<32>("kd");
    return finished<kd_answer, answer>(in, a);
  }
  in.complain("answer", "hello, done, error, list, changes, data or kd");
  return finished<done_answer, answer>(in, {});
}

std::string to_text(const answer& a) {
  return padded(
      std::visit(
          overloaded{[](const hello& h) {
                       return json{{"answer", "hello"},
                                   {"server", h.server},
                                   {"challenge", base64(h.challenge)},
                                   {"ephemeral", base64(h.ephemeral.octets)}};
                     },
                     [](const done_answer&) {
                       return json{{"answer", "done"}};
                     },
                     [](const error_answer& e) {
                       return json{{"answer", "error"}, {"reason", e.reason}};
                     },
                     [](const list_answer& l) {
                       json mutual = json::array();
                       for (const auto& p : l.mutual)
                         mutual.push_back({{"name", p.name}, {"key", base64(p.key.octets)}});
                       return json{{"answer", "list"}, {"granted", l.granted}, {"mutual", std::move(mutual)}};
                     },
                     [](const changes_answer& c) {
                       json list = json::array();
                       for (const auto& v : c.changes)
                         list.push_back({{"version", v.version},
                                         {"peer", v.peer},
                                         {"permitted", v.permitted},
                                         {"key", base64(v.key.octets)}});
                       return json{{"answer", "changes"}, {"changes", std::move(list)}};
                     },
                     [](const data_answer& d) {
                       return json{{"answer", "data"}, {"octets", base64(d.octets)}};
                     },
                     [](const kd_answer& k) {
                       return json{{"answer", "kd"}, {"key", base64(k.key.octets)}, {"id", k.id}, {"kd", base64(k.kd)}};
                     }},
          a),
      answer_granularity_bytes);
}

std::string_view describe(refusal r) {
  switch (r) {
    case refusal::none:
      return "done";
    case refusal::bad_name:
      return "a name has 1 to 64 of a-z A-Z 0-9 . _ - and is not one's own";
    case refusal::name_taken:
      return "the name is taken, or the account has another";
    case refusal::key_taken:
      return "the key is taken, or the account has another";
    case refusal::key_replaced:
      return "the key was replaced by another and does not come back; accepted: a new one";
    case refusal::not_registered:
      return "register first";
    case refusal::too_many:
      return "too many grants";
    case refusal::disk_full:
      return "the server's disk is full; nothing was changed";
  }
  return "refused";
}

std::optional<std::size_t> frame_reader::front_length() const {
  if (buffer_.size() < 4) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::uint8_t>(buffer_[i]);
  return length;
}

bool frame_reader::add(std::string_view bytes) {
  buffer_.append(bytes);
  return front_length().value_or(0) <= max_frame_bytes_;
}

std::optional<std::string> frame_reader::next() {
  const auto length = front_length();
  if (!length || *length > max_frame_bytes_ || buffer_.size() < 4 + *length) return std::nullopt;
  std::string message = buffer_.substr(4, *length);
  buffer_.erase(0, 4 + *length);
  return message;
}

std::string frame(std::string_view message) {
  std::string out(4, '\0');
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(message.size() >> (24 - 8 * i) & 0xff);
  return out.append(message);
}

}  // namespace prose::function
