#include "apps/lib/verdict/key_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "apps/lib/verdict/code_search.h"
#include "apps/lib/verdict/record_trials.h"
#include "apps/lib/verdict/setup_search.h"
#include "security/crypto/hash.h"
#include "security/epoch_chain.h"

namespace prose::apps {
namespace {
using namespace security;
constexpr const char* ratchet_label = derivation<link_root_key, link_root_key>::label;

constexpr std::size_t most_points = 1024;

key32 expand(const key32& k, const char* label) {
  key32 out{};
  crypto::hkdf_expand(k, crypto::as_bytes(label), out);
  return out;
}

/// One direction of the epoch that the product derives from KD.
struct epoch_half {
  const char* step;
  epoch_name name;
  key32 key;
  iv12 iv;
};
std::array<epoch_half, 2> halves_of(const key32& kd, std::optional<std::uint16_t> kd_sess_id = std::nullopt) {
  const auto e = derive_epoch(link_root_key(kd), role::initiator, suite::aes_256_gcm, 0, kd_sess_id);
  const auto half = [](const char* step, const record_protection& p, l2_id src, l2_id dst) {
    epoch_half h{step, {src, dst, p.kd_sess_id}, {}, {}};
    std::copy(p.key.expose().begin(), p.key.expose().end(), h.key.begin());
    std::copy(p.iv.expose().begin(), p.iv.expose().end(), h.iv.begin());
    return h;
  };
  return {half("record key of the initiator", e.tx.protection(), e.own_l2, e.peer_l2),
          half("record key of the responder", e.rx.protection(), e.peer_l2, e.own_l2)};
}

struct logged_values {
  std::string name;
  std::vector<iv12> ivs;
  std::optional<std::uint64_t> heard;  // first frame of the direction and epoch that the log names for it
};

class key_search {
public:
  key_search(const std::vector<stolen_file>& files, const kept_capture& capture, const verdict_options& options,
             check_report& out)
      : files_(files),
        capture_(capture),
        options_(options),
        out_(out),
        watch_(options.on_search, out.into().trials),
        keys_(files),
        records_(capture.records, watch_),
        handshakes_(keys_, capture, watch_) {}

  void run() {
    open_own() && recognise() && open_setups() && follow_opened() && sample() && follow_opened() && exhaust() &&
        follow_opened();
    report();
  }

private:
  bool counted(bool go_on) {
    ++out_.into().keys_tried;
    return go_on;
  }

  /// The state's own links: directions and epochs that its key logs name, and those whose names follow from its roots.
  bool open_own() {
    watch_.begin("links that the key log names", static_cast<double>(capture_.records.size()));
    for (std::size_t i = 0; i < keys_.logged.size(); ++i) {
      const auto& k = *keys_.logged[i];
      const epoch_name id{k.src, k.dst, k.kd_sess_id};
      own_.insert(id);
      key32 key{};
      iv12 iv{};
      std::copy(k.key.expose().begin(), k.key.expose().end(), key.begin());
      std::copy(k.iv.expose().begin(), k.iv.expose().end(), iv.begin());
      auto& l =
          logged_.try_emplace(key, logged_values{keys_.logged_names[i] + ": logged key", {iv12{}}, {}}).first->second;
      if (std::find(l.ivs.begin(), l.ivs.end(), iv) == l.ivs.end()) l.ivs.push_back(iv);
      if (const auto at = records_.heard(id); at && (!l.heard || *at < *l.heard)) l.heard = at;
      if (!records_.try_named({l.name, {}, 0, key, {&iv, 1}, {&k.suite_used, 1}}, id)) return false;
    }
    for (const auto& r : keys_.roots)
      if (!follow(r.name, r.key, std::nullopt)) return false;
    return true;
  }

  /// The chain of a link of the stolen UE: the product's own derivation names each later epoch.
  bool follow(const std::string& name, key32 root, std::optional<std::uint16_t> kd_sess_id) {
    for (int r = 0; r <= ratchet_steps; ++r) {
      for (const auto& h : halves_of(root, r == 0 ? kd_sess_id : std::nullopt)) {
        own_.insert(h.name);
        if (!counted(records_.try_named({name, h.step, r, h.key, {&h.iv, 1}}, h.name))) return false;
      }
      root = expand(root, ratchet_label);
    }
    return true;
  }

  std::optional<slot_span> slots() const {
    if (options_.slots)
      return slot_span{options_.slots->first, std::max(options_.slots->first, options_.slots->second)};
    constexpr double earliest_utc_s = 1e9, latest_utc_s = 4e9, margin_s = 64;
    double first = latest_utc_s, last = 0;
    const auto at = [&](double time_s) {
      const double t = time_s + options_.utc_at_zero_s;
      first = std::min(first, t), last = std::max(last, t);
    };
    for (const auto& [code, k] : capture_.codes) at(k.time_s);
    for (const auto& s : capture_.setups) at(s.time_s);
    if (first < earliest_utc_s || last >= latest_utc_s || first > last) return std::nullopt;
    return slot_span{static_cast<slot_t>(first - margin_s), static_cast<slot_t>(last + margin_s)};
  }

  bool recognise() {
    if (capture_.codes.empty() && capture_.setups.empty()) return true;
    const auto where = slots();
    if (!where) {
      remark("codes_not_tried",
             "stolen keys were not tried on codes and tokens: the slots of the capture are not known");
      return true;
    }
    codes_.emplace(capture_, *where, watch_);
    watch_.begin("codes and tokens of the permitted pairs",
                 codes_->cost() * 2 * static_cast<double>(keys_.shared.size() * keys_.psks.size()));
    const auto attempt = [&](const auto& d) { return counted(codes_->try_direction(d)); };
    if (!keys_.own_directions(attempt)) return false;
    if (!keys_.shared.empty() && codes_->own_recognised() == 0)
      remark("own_codes_not_recognised", "none of the stolen UE's own codes was heard in slots " +
                                             std::to_string(where->first) + " to " + std::to_string(where->last) +
                                             ": was it another time?");
    if (!codes_->narrow()) {
      remark("pairs_not_tried",
             "the time of the capture is not known well enough to try the stolen keys on the codes of other pairs");
      return true;
    }
    watch_.begin("codes and tokens of other pairs",
                 codes_->cost() * (keys_.n_other_directions() + static_cast<double>(logged_.size())));
    if (!keys_.other_directions(attempt)) return false;
    for (const auto& [key, l] : logged_)
      if (!attempt(stolen_keys::with_one_key(l.name, key))) return false;
    return true;
  }

  bool open_setups() {
    if (!codes_ || keys_.identities.empty()) return true;
    std::function<slot_span(double)> others;
    if (codes_->narrow()) others = [this](double time_s) { return codes_->slots_near(time_s); };
    double tries = 0;
    for (const auto& s : capture_.setups)
      if (s.header.type == message_type::direct_communication_request)
        tries += others ? static_cast<double>(others(s.time_s).size()) : 1;
    watch_.begin("set-ups",
                 tries * static_cast<double>(keys_.identities.size() * keys_.psks.size() * keys_.people.size()));
    return handshakes_.run(codes_->requests(), others) && follow_roots() && multiply_set_ups();
  }

  bool follow_roots() {
    for (; n_followed_ < handshakes_.roots().size(); ++n_followed_) {
      const auto& r = handshakes_.roots()[n_followed_];
      if (!follow(r.name, r.root, r.kd_sess_id)) return false;
    }
    return true;
  }

  /// What an opened record carries goes into the search, until nothing new is learnt: rekeyings, and whatever octets of
  /// it may be a key.
  bool follow_opened() {
    for (auto fresh = records_.take_carried(); !fresh.empty(); fresh = records_.take_carried()) {
      watch_.begin("what opened records carry",
                   static_cast<double>(fresh.size()) * 200 * static_cast<double>(records_.samples()));
      for (const auto& m : fresh) {
        handshakes_.hear(m);
        if (carried_.emplace(m.octets.begin(), m.octets.end()).second && !try_carried(m)) return false;
      }
      if (!handshakes_.run_rekeyings() || !follow_roots()) return false;
    }
    return true;
  }

  /// Each 32 octets in a row as a record key, with the 12 octets beside it as the IV or none, and as KD; and as the
  /// public value that is multiplied.
  bool try_carried(const carried_message& m) {
    for (std::size_t at = 0; at + sizeof(key32) <= m.octets.size(); ++at) {
      const auto octets = [&]<class T>(T out, std::size_t from) {
        std::copy_n(m.octets.begin() + from, out.size(), out.begin());
        return out;
      };
      const auto key = octets(key32{}, at);
      std::vector<iv12> ivs{iv12{}};
      if (at >= sizeof(iv12)) ivs.push_back(octets(iv12{}, at - sizeof(iv12)));
      if (at + sizeof(key32) + sizeof(iv12) <= m.octets.size()) ivs.push_back(octets(iv12{}, at + sizeof(key32)));
      const std::string name = "octets " + std::to_string(at) + " to " + std::to_string(at + sizeof(key32) - 1) +
                               " of the message in frame " + std::to_string(m.frame) + ", opened with " + m.with;
      if (!counted(records_.try_samples({name, {}, 0, key, ivs})) || !halves(name, key, 0, 0)) return false;
    }
    const auto h = read_message_header(m.octets, true);
    if (!h || (h->type != message_type::rekeying_request && h->type != message_type::rekeying_response)) return true;
    return multiply(
        std::span(m.octets).subspan(h->type == message_type::rekeying_request ? 4 : 3).first<sizeof(key32)>(), m.frame);
  }

  /// The ephemerals of set-ups.
  bool multiply_set_ups() {
    const auto n =
        static_cast<std::size_t>(std::count_if(capture_.setups.begin(), capture_.setups.end(), [](const auto& s) {
          return s.header.type != message_type::security_mode_complete;
        }));
    if (n > most_points) {
      remark("ephemerals_not_multiplied",
             "more than " + std::to_string(most_points) +
                 " set-up messages: the stolen private keys were not multiplied with their ephemerals");
      return true;
    }
    watch_.begin(
        "products with the ephemerals of set-ups",
        static_cast<double>(n * (keys_.identities.size() + keys_.ephemerals.size()) * 30 * records_.samples()));
    for (const auto& s : capture_.setups) {
      const std::size_t at = s.header.type == message_type::direct_communication_request ? 4 : 3;
      if (s.header.type != message_type::security_mode_complete && s.octets.size() >= at + sizeof(key32) &&
          !multiply(std::span(s.octets).subspan(at).first<sizeof(key32)>(), s.frame))
        return false;
    }
    return true;
  }

  /// X25519 of each stolen private key and an ephemeral that was heard: as a record key, also after one label, and as
  /// KD.
  bool multiply(std::span<const std::uint8_t, sizeof(key32)> ephemeral, std::uint64_t frame) {
    public_key point;
    std::copy(ephemeral.begin(), ephemeral.end(), point.octets.begin());
    const auto one = [&](const std::string& name, const key32& own) {
      const auto out = keys_.dh().agree(static_private_key(own), point);
      if (!out) return true;
      key32 key{};
      std::copy(out->expose().begin(), out->expose().end(), key.begin());
      const std::string product = name + " x the ephemeral in frame " + std::to_string(frame);
      const auto zero_iv = std::span(keys_.ivs).first(1);
      return counted(records_.try_samples({product, {}, 0, key, zero_iv})) && halves(product, key, 0, 0) &&
             derivations(product, key, zero_iv, 0);
    };
    return std::all_of(keys_.identities.begin(), keys_.identities.end(),
                       [&](const auto& i) { return one(i.name, i.private_key); }) &&
           std::all_of(keys_.ephemerals.begin(), keys_.ephemerals.end(),
                       [&](const auto& e) { return one(e.name, e.key); });
  }

  /// Every key, two derivations of each and the ratchet, on some records of each direction and epoch.
  bool sample() {
    const auto per_key = static_cast<double>(2 * records_.samples());
    watch_.begin("logged keys on links that the log does not name", per_key * 2 * static_cast<double>(logged_.size()));
    for (const auto& [key, l] : logged_)
      if (!counted(records_.try_samples({l.name, {}, 0, key, l.ivs}))) return false;
    // The next epochs of a logged key's link have other names, so: all that was heard later.
    watch_.begin("what follows from logged keys on later records",
                 per_key * 3 * (ratchet_steps + 10) * static_cast<double>(logged_.size()));
    for (const auto& [key, l] : logged_)
      if (l.heard && !(derivations(l.name, key, l.ivs, *l.heard) && ratchets(l.name, key, l.ivs, *l.heard)))
        return false;
    watch_.begin("secrets and what follows from them",
                 per_key * static_cast<double>(keys_.secrets.size() * (std::size(derivation_labels) + 1) *
                                               (std::size(derivation_labels) + 2)));
    for (const auto& s : keys_.secrets) {
      if (!counted(records_.try_samples({s.name, {}, 0, s.key, keys_.ivs}))) return false;
      if (!derivations(s.name, s.key, keys_.ivs, 0) || !ratchets(s.name, s.key, keys_.ivs, 0)) return false;
      for (const char* l : derivation_labels)
        if (!derivations(s.name + " -> " + l, expand(s.key, l), std::span(keys_.ivs).first(1), 0)) return false;
    }
    // Pair keys in the place of record keys and of KD.
    return keys_.own_directions([&](const auto& d) {
      const auto one = [&](const char* what, const auto& k) {
        key32 key{};
        std::copy(k.expose().begin(), k.expose().end(), key.begin());
        return counted(records_.try_samples({d.name, what, 0, key, std::span(keys_.ivs).first(1)})) &&
               halves(d.name + ", " + what, key, 0, 0);
      };
      return one("announce key", d.keys.announce) && one("request token key", d.keys.request_token) &&
             one("command token key", d.keys.command_token) && one("rendezvous key", d.keys.rendezvous) &&
             one("query key", d.keys.query) && one("response key", d.keys.response);
    });
  }

  bool halves(const std::string& name, const key32& kd, int r, std::uint64_t from) {
    for (const auto& h : halves_of(kd))
      if (!counted(records_.try_samples({name, h.step, r, h.key, {&h.iv, 1}}, from))) return false;
    return true;
  }
  bool derivations(const std::string& name, const key32& key, std::span<const iv12> ivs, std::uint64_t from) {
    for (const char* l : derivation_labels)
      if (!counted(records_.try_samples({name, l, 0, expand(key, l), ivs}, from))) return false;
    return true;
  }
  bool ratchets(const std::string& name, key32 key, std::span<const iv12> ivs, std::uint64_t from) {
    for (int r = 0; r <= ratchet_steps; ++r) {
      if (!halves(name, key, r, from)) return false;
      key = expand(key, ratchet_label);
      if (!counted(records_.try_samples({name, {}, r + 1, key, ivs}, from))) return false;
    }
    return true;
  }

  /// Every key, and one derivation of each secret, on every record that is still closed.
  bool exhaust() {
    const auto per_key = static_cast<double>(2 * records_.unopened());
    watch_.begin("every key on every record", per_key * (static_cast<double>(2 * logged_.size()) +
                                                         static_cast<double>(keys_.secrets.size() * keys_.ivs.size() *
                                                                             (std::size(derivation_labels) + 3))));
    for (const auto& [key, l] : logged_)
      if (!records_.try_all({l.name, {}, 0, key, l.ivs})) return false;
    for (const auto& s : keys_.secrets) {
      if (!records_.try_all({s.name, {}, 0, s.key, keys_.ivs})) return false;
      for (const char* l : derivation_labels)
        if (!records_.try_all({s.name, l, 0, expand(s.key, l), keys_.ivs})) return false;
      for (const auto& h : halves_of(s.key))
        if (!records_.try_all({s.name, h.step, 0, h.key, {&h.iv, 1}})) return false;
    }
    return true;
  }

  /// Keys that were given and not tried on codes: whatever was not found proves nothing. What a key log holds is meant
  /// for records, where all is tried.
  void remark(const char* check, const std::string& what) {
    out_.remark("compromise", check, what, {});
    if (std::any_of(files_.begin(), files_.end(), [](const auto& f) { return !f.secrets.empty(); }))
      out_.into().doubts.push_back({"keys_untried", what, {}});
  }

  void report() {
    auto& v = out_.into();
    v.keys_tried += logged_.size();
    v.search_ended_early = watch_.stopped();
    frame_list frames;
    std::size_t foreign = 0;
    for (auto& o : records_.opened()) {
      o.own = own_.contains({o.src, o.dst, o.kd_sess_id});
      if (!o.own) {
        ++foreign;
        for (const auto f : o.frames) frames.add(f);
      }
      v.opened_links.push_back(std::move(o));
    }
    v.frames_not_examined += handshakes_.left_out();
    v.opened_links.insert(v.opened_links.end(), handshakes_.opened().begin(), handshakes_.opened().end());
    if (foreign > 0)
      out_.found("compromise", "stolen_key_opens",
                 "stolen keys open " + std::to_string(foreign) + " links that are not the stolen UE's own", frames);
    if (!codes_) return;
    v.recognised = codes_->found();
    frame_list heard;
    std::uint64_t n = 0;
    for (const auto& m : v.recognised) {
      if (m.own) continue;
      n += m.n;
      for (const auto f : m.frames) heard.add(f);
    }
    if (n > 0)
      out_.found("presence", "stolen_key_recognises",
                 "stolen keys recognise " + std::to_string(n) +
                     " discovery messages and set-ups that are not the stolen UE's own",
                 heard);
  }

  const std::vector<stolen_file>& files_;
  const kept_capture& capture_;
  const verdict_options& options_;
  check_report& out_;
  search_watch watch_;
  stolen_keys keys_;
  record_trials records_;
  std::optional<code_search> codes_;
  setup_search handshakes_;
  std::size_t n_followed_ = 0;  // of the roots that handshakes_ learnt
  std::set<std::string> carried_;
  std::set<epoch_name> own_;
  std::map<key32, logged_values> logged_;
};
}  // namespace

void search_keys(const std::vector<stolen_file>& stolen, const kept_capture& capture, const verdict_options& options,
                 check_report& out) {
  key_search(stolen, capture, options, out).run();
}

}  // namespace prose::apps
