#include "apps/lib/listen/scene.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/lib/listen/pool_keys.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
using nlohmann::json;
using phy::cyclic_prefix;
using phy::transmission_mode;

constexpr std::size_t max_scene_bytes = 16U << 20U;
constexpr int frames_period = 10240;
constexpr std::size_t max_pools = 8;

void read_carrier(const json& c, key_reader& r, scene& s) {
  std::optional<std::int64_t> v;
  if (r.whole(c, "n_prb", 1, 110, v)) s.n_prb = static_cast<int>(*v);
  if (r.whole(c, "transmission_mode", 1, 4, v)) s.tm = static_cast<transmission_mode>(*v);
  if (r.whole(c, "fft_size", 1, 1 << 20, v)) s.fft_size = static_cast<int>(*v);
  std::string cp;
  if (r.choice(c, "cp", {"normal", "extended"}, cp))
    s.cp = cp == "normal" ? cyclic_prefix::normal : cyclic_prefix::extended;
  double rate = 0;
  if (r.number(c, "sample_rate_hz", 1.0, 1e12, rate)) s.sample_rate_hz = rate;
}

/// "a=1,b=text" as a JSON object; numbers, true and false become such.
result<json> object_from_text(std::string_view text, const std::string& what) {
  json out = json::object();
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const auto equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail(what + ": '" + std::string(item) + "' is not KEY=VALUE; accepted: a list like prb=50,tm=4");
    const std::string key(item.substr(0, equals)), value(item.substr(equals + 1));
    if (out.contains(key)) return fail(what + ": " + key + " is given twice");
    double number = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool bitmap = value.size() >= 4 && value.find_first_not_of("01") == std::string::npos;
    if (value == "true" || value == "false") {
      out[key] = value == "true";
    } else if (!bitmap && ec == std::errc() && end == value.data() + value.size() && std::isfinite(number)) {
      out[key] = number;
    } else {
      out[key] = value;
    }
  }
  return out;
}

result<void> only_these(const json& object, const std::string& what, std::initializer_list<const char*> accepted) {
  for (const auto& [key, value] : object.items()) {
    bool known = false;
    std::string list;
    for (const char* a : accepted) {
      known = known || key == a;
      list += (list.empty() ? "" : ", ") + std::string(a);
    }
    if (!known) return fail(what + ": '" + key + "' is not known; accepted: " + list);
  }
  return {};
}

std::string rate_text(double v) {
  char t[40];
  std::snprintf(t, sizeof t, "%.10g", v);
  return t;
}

}  // namespace

result<scene> parse_scene(std::string_view text, const std::string& file) {
  const auto parsed = phy::parse_json(text, file);
  if (!parsed) return tl::unexpected(parsed.error());
  const json& root = *parsed;
  if (!root.is_object()) return fail(file + ": must be a JSON object with carrier, pool and timing");
  scene s;
  s.file = file;
  const auto given = [&root](const char* key) { return root.contains(key) && !root.at(key).is_null(); };

  key_reader r(file + ": carrier.");
  if (given("carrier")) {
    if (!root["carrier"].is_object()) return fail(file + ": carrier must be an object");
    read_carrier(root["carrier"], r, s);
    if (!r.error().empty()) return fail(r.error());
  }
  key_reader top(file + ": ");
  std::optional<std::int64_t> v;
  if (top.whole(root, "first_subframe_sample", 0, std::int64_t{1} << 53, v)) s.first_subframe_sample = v;
  if (top.whole(root, "samples_per_subframe", 1, 1 << 24, v)) s.samples_per_subframe = v;
  if (!top.error().empty()) return fail(top.error());
  if (given("absolute_subframes")) {
    const json& list = root["absolute_subframes"];
    if (!list.is_array()) return fail(file + ": absolute_subframes must be a list of whole numbers or null");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto number = whole_number(list[i]);
      if (!number || *number < 0 || *number >= frames_period)
        return fail(file + ": absolute_subframes[" + std::to_string(i) + "] must be a whole number of 0 to 10239");
      s.absolute_subframes.push_back(static_cast<int>(*number));
    }
  }
  if (given("pool")) {
    const json& given_pool = root["pool"];
    const bool several = given_pool.is_array();
    if (several && given_pool.size() > max_pools)
      return fail(file + ": pool: at most " + std::to_string(max_pools) + " are accepted");
    for (std::size_t i = 0; i < (several ? given_pool.size() : 1); ++i) {
      std::string which = file + ": pool";
      if (several) which.append("[").append(std::to_string(i)).append("]");
      auto pool = parse_pool(several ? given_pool[i] : given_pool, which);
      if (!pool) return tl::unexpected(pool.error());
      s.pools.push_back(std::move(*pool));
    }
  }
  return s;
}

result<scene> load_scene(const std::string& path) {
  const auto text = phy::read_text_file(path, max_scene_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_scene(*text, path);
}

result<void> apply_carrier_text(std::string_view text, const std::string& what, scene& s) {
  auto object = object_from_text(text, what);
  if (!object) return tl::unexpected(object.error());
  if (auto ok = only_these(*object, what, {"prb", "tm", "cp"}); !ok) return ok;
  if (object->contains("prb")) (*object)["n_prb"] = (*object)["prb"];
  if (object->contains("tm")) (*object)["transmission_mode"] = (*object)["tm"];
  key_reader r(what + ": ");
  read_carrier(*object, r, s);
  if (!r.error().empty()) return fail(r.error());
  return {};
}

result<void> apply_pool_text(std::string_view text, const std::string& what, scene& s) {
  auto object = object_from_text(text, what);
  if (!object) return tl::unexpected(object.error());
  json data = json::object();
  for (auto it = object->begin(); it != object->end();) {
    if (it.key().rfind("data.", 0) != 0) {
      ++it;
      continue;
    }
    data[it.key().substr(5)] = it.value();
    it = object->erase(it);
  }
  if (!data.empty()) (*object)["data"] = std::move(data);
  if (s.pools.size() == max_pools) return fail(what + ": at most " + std::to_string(max_pools) + " pools are accepted");
  auto pool = parse_pool(*object, what);
  if (!pool) return tl::unexpected(pool.error());
  s.pools.push_back(std::move(*pool));
  return {};
}

result<phy::carrier_config> carrier_of(const scene& s, const sample_facts& f, std::string& assumed) {
  const std::string where = s.file.empty() ? "--carrier" : s.file;
  // Against the samples first: a scene for another file is the likeliest mistake.
  if (s.sample_rate_hz && std::abs(*s.sample_rate_hz - f.sample_rate_hz) > 1.0)
    return fail(where + ": carrier.sample_rate_hz " + rate_text(*s.sample_rate_hz) + " contradicts " + f.name + ": " +
                f.rate_key + " " + rate_text(f.sample_rate_hz));
  int n_prb = s.n_prb.value_or(0);
  if (!s.n_prb) {
    for (const int n : phy::bandwidths_prb)
      for (const double share : {0.75, 1.0})
        if (std::abs(f.sample_rate_hz - phy::standard_fft_size(n) * share * phy::subcarrier_spacing_hz) <= 1.0)
          n_prb = n;
    if (n_prb == 0)
      return fail(f.name + ": " + f.rate_key + " " + rate_text(f.sample_rate_hz) +
                  " fits no carrier; accepted: 1.92e6, 3.84e6, 7.68e6, 15.36e6, 23.04e6, 30.72e6 and 3/4 of them");
    assumed += std::to_string(n_prb) + " PRB ";
  }
  if (!s.tm) assumed += "transmission mode 4 ";
  if (!s.cp) assumed += "normal prefix ";
  const auto tm = s.tm.value_or(transmission_mode::tm4);
  const auto c = phy::carrier_config::make(n_prb, s.cp.value_or(cyclic_prefix::normal), tm, f.sample_rate_hz);
  if (!c) {
    // A bad rate is the sample file's, anything else the scene's.
    if (c.error().message.rfind("sample_rate_hz", 0) == 0)
      return fail(f.name + ": " + f.rate_key + ": " + c.error().message + " (carrier of " + where + ")");
    return fail(where + ": carrier." + c.error().message);
  }
  if (s.fft_size && *s.fft_size != c->fft_size)
    return fail(where + ": carrier.fft_size " + std::to_string(*s.fft_size) +
                " contradicts the sample rate, which gives " + std::to_string(c->fft_size));
  if (s.samples_per_subframe && *s.samples_per_subframe != c->samples_per_subframe())
    return fail(where + ": samples_per_subframe " + std::to_string(*s.samples_per_subframe) +
                " contradicts the sample rate, which gives " + std::to_string(c->samples_per_subframe()));
  if (f.n_samples) {
    const std::int64_t first = s.first_subframe_sample.value_or(0);
    if (first >= *f.n_samples)
      return fail(where + ": first_subframe_sample " + std::to_string(first) + " lies beyond " + f.name +
                  ", which has " + std::to_string(*f.n_samples) + " samples");
    const std::int64_t sps = c->samples_per_subframe();
    const std::int64_t stored = (*f.n_samples - first + sps - 1) / sps;
    if (static_cast<std::int64_t>(s.absolute_subframes.size()) > stored)
      return fail(where + ": absolute_subframes has " + std::to_string(s.absolute_subframes.size()) + " entries, but " +
                  f.name + " holds " + std::to_string(stored) + " subframes");
  }
  for (std::size_t i = 0; i < s.pools.size(); ++i) {
    std::string which = where + ": pool";
    if (s.pools.size() > 1) which.append("[").append(std::to_string(i)).append("]");
    if (auto ok = check_pool(s.pools[i], *c, which.append(".")); !ok) return tl::unexpected(ok.error());
  }
  return *c;
}

}  // namespace prose::apps
