#include "apps/page/page_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "apps/page/verdict_tiles.h"

namespace prose::page {
namespace {

constexpr double status_interval_s = 1.0;
constexpr std::size_t most_text = 4096, most_rows_text = std::size_t{32} << 10U, most_unopened = 1000;

/// Of a UE's event a page gets these, where they are one value. No key, no file name, no address of the host.
constexpr const char* told_of_ues[] = {
    "event",           "t",       "peer",   "own_l2_id", "peer_l2_id", "epoch",      "role",          "reason",
    "kd_sess_id",      "suite",   "frames", "octets",    "bytes",      "airtime_ms", "octets_on_air", "slot",
    "model",           "n_sl_id", "count",  "misfits",   "direction",  "replaced",   "within_s",      "duration_ms",
    "key_fingerprint", "state",   "server", "seconds",   "packets",    "until"};

bool is_base64(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

json without_secrets(const std::string& name, const json& event) {
  json shown{{"name", name}};
  for (const char* key : told_of_ues)
    if (const auto at = event.find(key); at != event.end() && at->is_primitive()) shown[key] = *at;
  return shown;
}

/// Short texts of a list; what is none is left out.
std::vector<std::string> words(const json& object, const char* key) {
  std::vector<std::string> out;
  const auto at = object.find(key);
  if (at == object.end() || !at->is_array()) return out;
  for (const auto& w : *at)
    if (w.is_string() && !w.get_ref<const std::string&>().empty() && w.get_ref<const std::string&>().size() <= 64 &&
        out.size() < 64)
      out.push_back(w.get<std::string>());
  return out;
}

template <class T>
void keep(std::deque<T>& all, T one, std::size_t most) {
  all.push_back(std::move(one));
  if (all.size() > most) all.pop_front();
}

}  // namespace

page_state::page_state(std::vector<std::string> names, publish out)
    : out_(std::move(out)), names_(std::move(names)), book_(names_) {}

json page_state::hello() const {
  json h{{"actions", actions_}, {"names", names_}};
  for (const char* key : {"carrier", "rate", "frequency", "bins", "row_s"})
    h[key] = look_.contains(key) ? look_[key] : json(nullptr);
  return h;
}

json page_state::status() const {
  return {{"t", t_s_},           {"clients", clients_},
          {"dropped", dropped_}, {"sniffer", running_ ? "running" : "ended"},
          {"stolen", stolen_},   {"weak", weak_}};
}

void page_state::on_look(std::string_view line) {
  auto o = object_of(line);
  if (!o) return;
  const auto kind = string_at(*o, "look", 32);
  dropped_ += static_cast<std::uint64_t>(std::clamp(number_at(*o, "dropped"), 0.0, 1e9));
  if (kind == "hello") {
    look_ = std::move(*o);
    running_ = true;
    const auto carrier = look_.find("carrier");
    n_prb_ = carrier != look_.end() && carrier->is_object()
                 ? static_cast<int>(std::clamp(number_at(*carrier, "prb"), 0.0, 110.0))
                 : 0;
    out_({"hello", text_of(hello())});
    return;
  }
  if (kind != "waterfall" && kind != "points") return;
  const auto octets = string_at(*o, kind == "points" ? "iq" : "rows", most_rows_text);
  if (octets.empty() || !is_base64(octets)) return;
  o->erase("look");
  t_s_ = std::max(t_s_, number_at(*o, "t"));
  out_({kind, text_of(*o)});
}

void page_state::on_sniffer(std::string_view line, double now_s) {
  const auto e = object_of(line);
  if (!e) return;
  auto f = frame_of(*e, next_id_, n_prb_);
  if (!f) return;
  ++next_id_;
  t_s_ = std::max(t_s_, f->t_s);
  coming_.push_back({std::move(*f), now_s});
}

void page_state::on_ue(const std::string& name, std::string_view line) {
  const auto e = object_of(line);
  if (!e || string_at(*e, "event", 256).empty()) return;
  new_ids_ = book_.add(name, *e) || new_ids_;
  auto shown = without_secrets(name, *e);
  keep(ue_events_, shown, most_ue_events);
  new_ue_events_.push_back(std::move(shown));
}

void page_state::on_control_ended() {
  if (actions_.empty()) return;
  actions_.clear();
  out_({"hello", text_of(hello())});
}

void page_state::on_control(std::string_view line, double now_s) {
  const auto o = object_of(line);
  if (!o) return;
  const auto what = string_at(*o, "control", 32);
  if (what == "hello") {
    actions_ = words(*o, "actions");
    if (auto names = words(*o, "names"); !names.empty()) names_ = std::move(names);
    const auto weak = string_at(*o, "weak", 64);
    weak_ = weak.empty() ? json(nullptr) : json(weak);
    out_({"hello", text_of(hello())});
  } else if (what == "message") {
    on_message(*o, now_s);
  } else if (what == "stolen") {
    stolen_ = true;
    status_s_ = -1e9;
  } else if (what == "opened") {
    open({string_at(*o, "src", 6), string_at(*o, "dst", 6), string_at(*o, "text", most_text), number_at(*o, "t"),
          number_at(*o, "id", -1)});
  } else if (what == "verdict") {
    const auto report = o->find("report");
    on_verdict(text_of(report != o->end() && report->is_object() ? *report : *o));
  }
}

void page_state::on_verdict(std::string_view text) {
  const auto report = object_of(text);
  if (!report || string_at(*report, "outcome", 64).empty()) return;
  // The demo may have made the tiles.
  const auto tiles = report->find("tiles");
  verdict_ = tiles_of(*report);
  if (tiles != report->end() && tiles->is_object()) verdict_["tiles"] = *tiles;
  out_({"verdict", text_of(verdict_)});
}

/// Says whose the frame is, once it is known; likewise in `update`, if there is one.
void page_state::join(air_frame& f, json* update) const {
  if (f.src.empty() || !f.shown["link"].is_null()) return;
  const auto w = book_.way_of(f.src, f.dst);
  if (!w) return;
  f.shown["link"] = book_.link_of(*w);
  f.shown["from"] = w->from;
  f.shown["to"] = w->to;
  if (update != nullptr) update->push_back({{"id", f.id}, {"link", f.shown["link"]}, {"from", w->from}, {"to", w->to}});
}

void page_state::join_old_frames() {
  for (auto& f : frames_) join(f, &updates_);
  new_ids_ = false;
}

/// By its number, or by its addresses and its subframe.
bool page_state::opened_frame::is(const air_frame& f) const {
  if (id >= 0) return static_cast<double>(f.id) == id;
  return f.kind != "failed" && f.src == src && f.dst == dst && std::abs(f.t_s - t_s) < 0.0005;
}

/// A frame that stolen keys opened. One that has not come yet waits.
void page_state::open(const opened_frame& o) {
  if (o.id < 0 && (o.src.size() != 6 || o.dst.size() != 6)) return;
  for (auto& f : frames_)
    if (o.is(f)) {
      f.shown["open"] = o.text;
      updates_.push_back({{"id", f.id}, {"open", o.text}});
      return;
    }
  for (auto& w : coming_)
    if (o.is(w.frame)) {
      w.frame.shown["open"] = o.text;
      return;
    }
  keep(unopened_, o, most_unopened);
}

void page_state::on_message(const json& m, double now_s) {
  json shown;
  for (const char* key : {"from", "to", "text", "t", "src", "dst", "ciphertext", "name", "kind", "open", "octets"})
    if (const auto at = m.find(key); at != m.end() && at->is_primitive()) shown[key] = *at;
  if (string_at(shown, "from", 64).empty() || string_at(shown, "to", 64).empty()) return;
  if (!shown.contains("t")) shown["t"] = t_s_;
  waiting_.push_back({std::move(shown), now_s});
  if (waiting_.size() > most_messages) waiting_.pop_front();
}

/// The first frame of this direction since the message was sent that holds it and that no other message has.
bool page_state::find_frame(json& message, bool last_try) {
  if (!string_at(message, "ciphertext").empty()) return true;
  const auto from = string_at(message, "from"), to = string_at(message, "to");
  const double t = number_at(message, "t");
  const auto least = std::min<std::size_t>(string_at(message, "text").size(), 40);
  for (const auto& f : frames_) {
    if (f.kind != "record" || f.t_s < t - 0.005 || f.t_s > t + message_wait_s || f.octets < least) continue;
    const auto w = book_.way_of(f.src, f.dst);
    if (!w || w->from != from || w->to != to || true_at(f.shown["fields"], "repetition")) continue;
    if (std::find(used_.begin(), used_.end(), f.id) != used_.end()) continue;
    keep(used_, f.id, most_frames);
    message["ciphertext"] = f.shown["octets"];
    message["src"] = f.src;
    message["dst"] = f.dst;
    message["frame"] = f.id;
    return true;
  }
  if (last_try) message["ciphertext"] = nullptr;
  return last_try;
}

void page_state::flush_frames(double now_s) {
  json batch = json::array();
  const auto send = [&] {
    if (!batch.empty()) out_({"frames", text_of(batch)});
    batch = json::array();
  };
  while (!coming_.empty() &&
         (now_s - coming_.front().since_s >= frame_wait_s || coming_.size() > 10 * frames_an_event)) {
    auto& f = coming_.front().frame;
    join(f, nullptr);
    for (auto o = unopened_.begin(); o != unopened_.end(); ++o)
      if (o->is(f)) {
        f.shown["open"] = o->text;
        unopened_.erase(o);
        break;
      }
    batch.push_back(f.shown);
    keep(frames_, std::move(f), most_frames);
    coming_.pop_front();
    if (batch.size() >= frames_an_event) send();
  }
  send();
}

void page_state::flush_messages(double now_s) {
  for (auto m = waiting_.begin(); m != waiting_.end();) {
    if (!find_frame(m->shown, now_s - m->since_s >= message_wait_s)) {
      ++m;
      continue;
    }
    out_({"message", text_of(m->shown)});
    keep(messages_, std::move(m->shown), most_messages);
    m = waiting_.erase(m);
  }
}

/// What came at once may be a whole file.
void page_state::tell_ue_events() {
  json part = json::array();
  for (auto& e : new_ue_events_) {
    part.push_back(std::move(e));
    if (part.size() < frames_an_event) continue;
    out_({"ue", text_of(part)});
    part = json::array();
  }
  if (!part.empty()) out_({"ue", text_of(part)});
  new_ue_events_ = json::array();
}

void page_state::tick(double now_s, std::size_t clients) {
  clients_ = clients;
  flush_frames(now_s);
  if (new_ids_) join_old_frames();
  if (!updates_.empty()) out_({"updates", text_of(std::exchange(updates_, json::array()))});
  tell_ue_events();
  flush_messages(now_s);
  if (now_s - status_s_ < status_interval_s) return;
  status_s_ = now_s;
  out_({"status", text_of(status())});
}

std::vector<page_event> page_state::beginning() const {
  std::vector<page_event> all{{"hello", text_of(hello())}};
  const auto lists = [&all](const char* name, const json& list) {
    if (!list.empty()) all.push_back({name, text_of(list)});
  };
  json list = json::array();
  for (const auto& f : frames_) {
    list.push_back(f.shown);
    if (list.size() < frames_an_event) continue;
    lists("frames", list);
    list = json::array();
  }
  lists("frames", list);
  lists("ue", json(ue_events_));
  for (const auto& m : messages_) all.push_back({"message", text_of(m)});
  if (!verdict_.is_null()) all.push_back({"verdict", text_of(verdict_)});
  all.push_back({"status", text_of(status())});
  return all;
}

}  // namespace prose::page
