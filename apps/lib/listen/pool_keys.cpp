#include "apps/lib/listen/pool_keys.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace prose::apps {
namespace {
using nlohmann::json;
constexpr int max_prb = 110;
constexpr int frames_period = 10240;
constexpr std::size_t max_bitmap_bits = 320;

void read_prb_range(const json& p, key_reader& r, phy::prb_range& out) {
  for (const char* key : {"prb_num", "prb_start", "prb_end"}) r.required(p, key);
  r.whole(p, "prb_num", 1, max_prb, out.prb_num);
  r.whole(p, "prb_start", 0, max_prb - 1, out.prb_start);
  r.whole(p, "prb_end", 0, max_prb - 1, out.prb_end);
  if (out.prb_end < out.prb_start) r.wrong("prb_end", "must not be below prb_start");
}

phy::monitor_pool read_v2x(const json& p, key_reader& r) {
  phy::v2x_pool_config v;
  r.required(p, "size");
  r.required(p, "count");
  r.whole(p, "size", 1, max_prb, v.size_subchannel);
  r.whole(p, "count", 1, max_prb, v.n_subchannels);
  r.whole(p, "start_prb", 0, max_prb - 1, v.start_prb);
  r.boolean(p, "adjacent_pscch_pssch", v.adjacent);
  r.whole(p, "start_prb_pscch_pool", 0, max_prb - 1, v.start_prb_pscch);
  r.bitmap(p, "sl_Subframe_r14", v.subframe_bitmap);
  r.whole(p, "sl_OffsetIndicator_r14", 0, frames_period - 1, v.offset_indicator);
  r.whole(p, "slss_period", 0, frames_period, v.slss_period);
  r.whole(p, "slss_offset", 0, frames_period - 1, v.slss_offset);
  return v;
}

phy::monitor_pool read_sl_comm(const json& p, key_reader& r) {
  phy::comm_pool_config c;
  std::string mode = "unknown";
  r.choice(p, "mode", {"tm1", "tm2", "unknown"}, mode);
  c.known = mode != "unknown";
  if (!c.known) return c;
  r.required(p, "sc_period");
  r.required(p, "subframe_bitmap");
  r.period(p, "sc_period", c.sc_period_subframes);
  read_prb_range(p, r, c.pscch);
  r.whole(p, "offset_indicator", 0, frames_period - 1, c.offset_indicator);
  r.bitmap(p, "subframe_bitmap", c.subframe_bitmap);
  r.whole(p, "hopping_parameter", 0, 504, c.hopping.hopping_parameter);
  r.whole(p, "num_subbands", 1, 4, c.hopping.n_subbands);
  r.whole(p, "rb_offset", 0, max_prb, c.hopping.rb_offset);
  if (const auto d = p.find("data"); d != p.end() && !d->is_null()) {
    if (!d->is_object()) {
      r.wrong("data", "must be an object");
      return c;
    }
    phy::comm_pool_config::data_resources data;
    read_prb_range(*d, r, data.prb);
    r.whole(*d, "offset_indicator", 0, frames_period - 1, data.offset_indicator);
    r.required(*d, "subframe_bitmap");
    r.bitmap(*d, "subframe_bitmap", data.subframe_bitmap);
    c.data = std::move(data);
  }
  return c;
}

phy::monitor_pool read_psdch(const json& p, key_reader& r) {
  phy::discovery_pool_config d;
  r.required(p, "disc_period");
  r.required(p, "subframe_bitmap");
  r.period(p, "disc_period", d.disc_period_subframes);
  r.whole(p, "num_retx", 0, 3, d.num_retx);
  r.whole(p, "num_repetition", 1, 50, d.num_repetition);
  read_prb_range(p, r, d.prb);
  r.whole(p, "offset_indicator", 0, frames_period - 1, d.offset_indicator);
  r.bitmap(p, "subframe_bitmap", d.subframe_bitmap);
  return d;
}

result<void> check_range(const phy::prb_range& p, int n_prb, const std::string& where) {
  if (p.prb_end >= n_prb || p.prb_start + p.prb_num > n_prb || p.prb_end + 1 < p.prb_num)
    return fail(where +
                (p.prb_end >= n_prb ? "prb_end " + std::to_string(p.prb_end) : "prb_num " + std::to_string(p.prb_num)) +
                " leaves the carrier of " + std::to_string(n_prb) + " PRB");
  return {};
}

}  // namespace

std::optional<std::int64_t> whole_number(const json& v) {
  if (!v.is_number()) return std::nullopt;
  const double d = v.get<double>();
  if (!std::isfinite(d) || d != std::floor(d) || std::abs(d) > 9007199254740992.0) return std::nullopt;
  return static_cast<std::int64_t>(d);
}

const json* key_reader::find(const json& object, const char* key) const {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

void key_reader::wrong(const char* key, const std::string& what) {
  if (error_.empty()) error_ = prefix_ + key + " " + what;
}

void key_reader::required(const json& object, const char* key) {
  if (find(object, key) == nullptr) wrong(key, "is missing");
}

bool key_reader::whole(const json& object, const char* key, std::int64_t min, std::int64_t max,
                       std::optional<std::int64_t>& out) {
  const json* v = find(object, key);
  if (v == nullptr) return false;
  const auto n = whole_number(*v);
  if (!n || *n < min || *n > max) {
    wrong(key, "must be a whole number of " + std::to_string(min) + " to " + std::to_string(max));
    return false;
  }
  out = n;
  return true;
}

bool key_reader::whole(const json& object, const char* key, std::int64_t min, std::int64_t max, int& out) {
  std::optional<std::int64_t> v;
  if (!whole(object, key, min, max, v)) return false;
  out = static_cast<int>(*v);
  return true;
}

bool key_reader::number(const json& object, const char* key, double min, double max, double& out) {
  const json* v = find(object, key);
  if (v == nullptr) return false;
  if (!v->is_number() || !(v->get<double>() >= min && v->get<double>() <= max)) {
    wrong(key, "must be a number of " + json(min).dump() + " to " + json(max).dump());
    return false;
  }
  out = v->get<double>();
  return true;
}

bool key_reader::boolean(const json& object, const char* key, bool& out) {
  const json* v = find(object, key);
  if (v == nullptr) return false;
  if (!v->is_boolean()) {
    wrong(key, "must be true or false");
    return false;
  }
  out = v->get<bool>();
  return true;
}

bool key_reader::choice(const json& object, const char* key, std::initializer_list<const char*> accepted,
                        std::string& out) {
  const json* v = find(object, key);
  if (v == nullptr) return false;
  std::string list;
  for (const char* a : accepted) {
    if (v->is_string() && v->get_ref<const std::string&>() == a) {
      out = a;
      return true;
    }
    list += (list.empty() ? "" : ", ") + std::string(a);
  }
  wrong(key, "must be one of " + list);
  return false;
}

bool key_reader::bitmap(const json& object, const char* key, std::string& out) {
  const json* v = find(object, key);
  if (v == nullptr) return false;
  if (!v->is_string() || v->get_ref<const std::string&>().empty() ||
      v->get_ref<const std::string&>().size() > max_bitmap_bits ||
      v->get_ref<const std::string&>().find_first_not_of("01") != std::string::npos) {
    wrong(key, "must be text of 1 to " + std::to_string(max_bitmap_bits) + " digits 0 and 1");
    return false;
  }
  out = v->get<std::string>();
  return true;
}

bool key_reader::period(const json& object, const char* key, int& subframes) {
  const json* v = find(object, key);
  if (v == nullptr) return false;
  std::int64_t n = 0;
  if (const auto w = whole_number(*v)) {
    n = *w;
  } else if (v->is_string()) {
    const auto& t = v->get_ref<const std::string&>();
    const bool digits = t.size() > 2 && t.size() < 8 && t.find_first_not_of("0123456789", 2) == std::string::npos;
    if (digits && (t.rfind("sf", 0) == 0 || t.rfind("rf", 0) == 0))
      n = std::stoll(t.substr(2)) * (t[0] == 'r' ? 10 : 1);
  }
  if (n < 1 || n > frames_period) {
    wrong(key, "must be like sf40 (subframes) or rf32 (frames)");
    return false;
  }
  subframes = static_cast<int>(n);
  return true;
}

result<phy::monitor_pool> parse_pool(const json& pool, const std::string& where) {
  if (!pool.is_object()) return fail(where + " must be an object or null");
  key_reader r(where + ".");
  std::string kind;
  phy::monitor_pool out;
  r.required(pool, "kind");
  r.choice(pool, "kind", {"v2x", "sl_comm", "psdch"}, kind);
  if (kind == "v2x") out = read_v2x(pool, r);
  if (kind == "sl_comm") out = read_sl_comm(pool, r);
  if (kind == "psdch") out = read_psdch(pool, r);
  if (!r.error().empty()) return fail(r.error());
  return out;
}

std::string to_yaml(const phy::monitor_pool& pool) {
  nlohmann::ordered_json out;
  const auto add_range = [](auto& p, const phy::prb_range& r) {
    p["prb_num"] = r.prb_num;
    p["prb_start"] = r.prb_start;
    p["prb_end"] = r.prb_end;
  };
  const auto add_subframes = [](auto& p, const auto& c) {
    p["offset_indicator"] = c.offset_indicator;
    p["subframe_bitmap"] = c.subframe_bitmap;
  };
  if (const auto* v = std::get_if<phy::v2x_pool_config>(&pool)) {
    out["kind"] = "v2x";
    out["size"] = v->size_subchannel;
    out["count"] = v->n_subchannels;
    out["start_prb"] = v->start_prb;
    out["adjacent_pscch_pssch"] = v->adjacent;
    if (!v->adjacent) out["start_prb_pscch_pool"] = v->start_prb_pscch;
    if (!v->subframe_bitmap.empty()) out["sl_Subframe_r14"] = v->subframe_bitmap;
    out["sl_OffsetIndicator_r14"] = v->offset_indicator;
    out["slss_period"] = v->slss_period;
    out["slss_offset"] = v->slss_offset;
  } else if (const auto* c = std::get_if<phy::comm_pool_config>(&pool)) {
    out["kind"] = "sl_comm";
    out["mode"] = !c->known ? "unknown" : c->data ? "tm2" : "tm1";
    if (!c->known) return out.dump();
    out["sc_period"] = c->sc_period_subframes;
    add_range(out, c->pscch);
    add_subframes(out, *c);
    out["hopping_parameter"] = c->hopping.hopping_parameter;
    out["num_subbands"] = c->hopping.n_subbands;
    out["rb_offset"] = c->hopping.rb_offset;
    if (c->data) {
      nlohmann::ordered_json data;
      add_range(data, c->data->prb);
      add_subframes(data, *c->data);
      out["data"] = data;
    }
  } else if (const auto* d = std::get_if<phy::discovery_pool_config>(&pool)) {
    out["kind"] = "psdch";
    out["disc_period"] = d->disc_period_subframes;
    out["num_retx"] = d->num_retx;
    out["num_repetition"] = d->num_repetition;
    add_range(out, d->prb);
    add_subframes(out, *d);
  }
  return out.dump();
}

result<void> check_pool(const phy::monitor_pool& pool, const phy::carrier_config& c, const std::string& where) {
  if (const auto* v = std::get_if<phy::v2x_pool_config>(&pool)) {
    if (!phy::is_v2x(c.tm)) return fail(where + "kind v2x contradicts carrier.transmission_mode; accepted there: 3, 4");
    if (v->start_prb + v->size_subchannel * v->n_subchannels > c.n_prb)
      return fail(where + "count " + std::to_string(v->n_subchannels) +
                  " with size and start_prb leaves the carrier of " + std::to_string(c.n_prb) + " PRB");
    if (!v->adjacent && v->start_prb_pscch + 2 * v->n_subchannels > c.n_prb)
      return fail(where + "start_prb_pscch_pool with count leaves the carrier of " + std::to_string(c.n_prb) + " PRB");
  }
  if (const auto* s = std::get_if<phy::comm_pool_config>(&pool)) {
    if (phy::is_v2x(c.tm))
      return fail(where + "kind sl_comm contradicts carrier.transmission_mode; accepted there: 1, 2");
    if (s->known) {
      if (auto ok = check_range(s->pscch, c.n_prb, where); !ok) return ok;
      if (s->data)
        if (auto ok = check_range(s->data->prb, c.n_prb, where + "data."); !ok) return ok;
    }
  }
  if (const auto* d = std::get_if<phy::discovery_pool_config>(&pool)) {
    if (auto ok = check_range(d->prb, c.n_prb, where); !ok) return ok;
  }
  return {};
}

}  // namespace prose::apps
