#include "security/export.h"

#include <algorithm>

#include "common/hex.h"
#include "security/link.h"

namespace prose::security {
namespace {

std::string hex_of(std::uint32_t v, int octets) {
  std::vector<std::uint8_t> b;
  for (int i = octets - 1; i >= 0; --i) b.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  return to_hex(b);
}

std::string line_of(const record_protection& p, l2_id src, l2_id dst) {
  return std::string("PROSE_RECORD_KEY ") + name_of(p.suite_used) + ' ' + hex_of(p.kd_sess_id, 2) + ' ' +
         hex_of(src, 3) + ' ' + hex_of(dst, 3) + ' ' + to_hex(p.key.expose()) + ' ' + to_hex(p.iv.expose());
}

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> fixed_hex(std::string_view text) {
  const auto b = from_hex(text);
  if (!b || b->size() != N) return std::nullopt;
  std::array<std::uint8_t, N> out{};
  std::copy(b->begin(), b->end(), out.begin());
  return out;
}

class collector {
public:
  explicit collector(std::vector<stolen_secret>& out) : out_(out) {}
  template <class S>
  void add(const std::string& name, const S& s) {
    out_.push_back({name, {s.expose().begin(), s.expose().end()}});
  }
  void add(const std::string& name, const direction_keys& k) {
    add(name + " announce", k.announce);
    add(name + " mic", k.mic);
    add(name + " request token", k.request_token);
    add(name + " command token", k.command_token);
    add(name + " rendezvous", k.rendezvous);
    add(name + " query", k.query);
    add(name + " response", k.response);
  }
  void add(const std::string& name, const epoch& e) {
    const std::string at = name + " epoch " + std::to_string(e.index);
    add(at + " tx key", e.tx.protection().key);
    add(at + " tx iv", e.tx.protection().iv);
    add(at + " rx key", e.rx.protection().key);
    add(at + " rx iv", e.rx.protection().iv);
  }
  void add(const std::string& name, const epoch_chain& c) {
    c.for_each_epoch([&](const epoch& e) { add(name, e); });
    add(name + " root", c.root_after_next());
  }
  /// A request that waits for its answer: ephemeral, chaining key, key of the last payload, transcript.
  void add(const std::string& name, const noise::handshake& n) {
    if (n.own_ephemeral()) add(name + " ephemeral private key", *n.own_ephemeral());
    const auto& s = n.symmetric();
    const bytes_view h = s.handshake_hash();
    const auto put = [&](const char* what, bytes_view v) { out_.push_back({name + what, {v.begin(), v.end()}}); };
    if (s.chaining()) put(" chaining key", bytes_view(s.chaining()->expose()).first(h.size()));
    if (s.payload_key()) add(name + " payload key", *s.payload_key());
    put(" transcript", h);
  }
  void add(const std::string& name, const link& l) {
    add(name, l.current.chain);
    add(name + " binding", l.current.binding);
    if (l.previous) add(name + " previous", *l.previous);
    if (l.staged) {
      add(name + " staged", l.staged->keys.chain);
      add(name + " staged binding", l.staged->keys.binding);
    }
    if (l.rekeying) add(name + " rekeying", l.rekeying->handshake->state());
    if (l.complete_key_used) add(name + " complete", *l.complete_key_used);
  }

private:
  std::vector<stolen_secret>& out_;
};

}  // namespace

std::vector<std::string> key_log_lines(const link_engine& links, link_id id, export_permit) {
  std::vector<std::string> out;
  for (const auto& [peer, state] : links.state()) {
    if (!state.live || state.live->id != id) continue;
    state.live->current.chain.for_each_epoch([&](const epoch& e) {
      out.push_back(line_of(e.tx.protection(), e.own_l2, e.peer_l2));
      out.push_back(line_of(e.rx.protection(), e.peer_l2, e.own_l2));
    });
  }
  return out;
}

result<logged_key> parse_key_log_line(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const auto at = line.find_first_of(" \t\r\n");
    if (at != 0) words.push_back(line.substr(0, at));
    line.remove_prefix(at == std::string_view::npos ? line.size() : at + 1);
  }
  if (words.size() != 7 || words[0] != "PROSE_RECORD_KEY")
    return fail("a key-log line is: PROSE_RECORD_KEY suite kd_sess_id src dst key iv");
  suite s = suite::aes_256_gcm;
  if (words[1] == name_of(suite::chacha20_poly1305)) {
    s = suite::chacha20_poly1305;
  } else if (words[1] != name_of(suite::aes_256_gcm)) {
    return fail("unknown suite in a key-log line (AES-256-GCM or ChaCha20-Poly1305)");
  }
  const auto id = fixed_hex<2>(words[2]);
  const auto src = fixed_hex<3>(words[3]);
  const auto dst = fixed_hex<3>(words[4]);
  auto key = fixed_hex<32>(words[5]);
  const auto iv = fixed_hex<12>(words[6]);
  if (!id || !src || !dst || !key || !iv)
    return fail("a key-log line has a field that is not hexadecimal of its length");
  const auto u24 = [](const auto& b) { return l2_id{b[0]} << 16 | l2_id{b[1]} << 8 | b[2]; };
  logged_key k{
      s, static_cast<std::uint16_t>((*id)[0] << 8 | (*id)[1]), u24(*src), u24(*dst), record_key(*key), record_iv(*iv)};
  wipe(*key);
  return k;
}

std::optional<std::vector<std::uint8_t>> open_with(const logged_key& key, std::uint8_t lcid, bytes_view pdu) {
  const auto h = read_pdcp_header(pdu);
  if (!h || h->kd_sess_id != key.kd_sess_id || pdu.size() < record_overhead_octets) return std::nullopt;
  record_opener opener(
      record_protection(key.suite_used, record_key(key.key.expose()), record_iv(key.iv.expose()), key.kd_sess_id));
  std::vector<std::uint8_t> out(pdu.size() - record_overhead_octets);
  if (!opener.open(lcid, *h, pdu, out)) return std::nullopt;
  return out;
}

std::vector<stolen_secret> stolen_state(const peer_table& peers, const link_engine& links, export_permit) {
  std::vector<stolen_secret> out;
  collector c(out);
  c.add("static private key", peers.own_private());
  for (const auto& p : peers.all()) {
    c.add(p->name + " psk", p->psk);
    c.add(p->name + " shared secret", p->shared);
    c.add(p->name + " ours", p->ours);
    c.add(p->name + " theirs", p->theirs);
  }
  const auto& dummies = links.discovery().dummies();
  for (std::size_t i = 0; i < dummies.size(); ++i) c.add("dummy " + std::to_string(i), dummies[i]);
  for (const auto& [peer, state] : links.state()) {
    const std::string name = "peer " + std::to_string(peer);
    if (state.attempt) c.add(name + " attempt", state.attempt->handshake->state());
    if (state.pending) c.add(name + " pending link", *state.pending);
    if (state.live) c.add(name + " link", *state.live);
  }
  for (const auto& j : links.jobs()) {
    const std::string name = "peer " + std::to_string(j.peer) + " job";
    if (j.work->ephemeral()) c.add(name + " ephemeral private key", j.work->ephemeral()->key());
    if (!j.work->done()) continue;  // another thread has it
    if (j.work->handshake) c.add(name, j.work->handshake->state());
    if (j.work->response) c.add(name + " root", j.work->response->secrets.kd0);
    if (j.work->secrets) c.add(name + " root", j.work->secrets->kd0);
  }
  for (const auto& closing : links.closing_state())
    for (const auto& e : closing.epochs) c.add("peer " + std::to_string(closing.peer) + " closing link", e);
  return out;
}

}  // namespace prose::security
