// What UEs ask of the server, and what it says to them.
#include <algorithm>
#include <chrono>

#include "apps/lib/function/pair_kd.h"
#include "apps/lib/function/possession.h"
#include "apps/lib/function/server_state.h"

namespace prose::function {
namespace {

constexpr int max_datagrams_per_turn = 64;

// A row that exists takes some 40.7 us to find, one that does not some 40 us. So the answer waits for the next whole
// step.
constexpr auto answer_step = std::chrono::microseconds(200);

template <class Work>
auto in_whole_steps(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  auto outcome = work();
  const auto until = begin + ((std::chrono::steady_clock::now() - begin) / answer_step + 1) * answer_step;
  while (std::chrono::steady_clock::now() < until) continue;
  return outcome;
}

}  // namespace

void server::state::stop_waiting(connection& c) {
  c.waiting.reset();
  --counters.waiting;
  const auto [first, last] = waiting.equal_range(c.name);
  for (auto it = first; it != last; ++it) {
    if (it->second == c.fd.get()) {
      waiting.erase(it);
      return;
    }
  }
}

void server::state::queue(connection& c, const answer& a) {
  c.out += frame(to_text(a));
  c.deadline = after(config.limits.frame_s);
}

void server::state::greet(connection& c) {
  c.ephemeral = security::ephemeral_private_key::make([&](auto out) { random.fill(out); });
  c.greeting.server = server_name;
  random.fill(c.greeting.challenge);
  c.greeting.ephemeral = dh.public_of(*c.ephemeral);
  queue(c, c.greeting);
}

bool server::state::give_up(const error& e) {
  if (!db->recovers())
    failure = e;
  else if (audit)
    audit({"", "", e.message});
  return false;
}

bool server::state::handle(connection& c, const std::string& message) {
  ++counters.requests;
  const auto parsed = parse_request(message);
  const bool is_data = parsed && std::holds_alternative<data_request>(*parsed);
  if (c.waiting && !is_data) {  // one request at a time; a new one ends the wait
    stop_waiting(c);
    queue(c, changes_answer{});
  }
  if (!take(c.account, is_data ? budget::packets : budget::requests, clock_type::now())) {
    ++counters.rate_limited;
    if (is_data) return no_answer(c);
    queue(c, error_answer{"too many requests; wait a little"});
    return true;
  }
  if (!parsed) {
    ++counters.bad_requests;
    queue(c, error_answer{parsed.error().message.substr(0, 200)});
    return true;
  }
  if (!is_data && !db->connected()) {
    queue(c, error_answer{"the server's database cannot be reached; nothing was changed"});
    return true;
  }
  return std::visit([&](const auto& r) { return serve(c, r); }, *parsed);
}

// The same answer whatever the other side has done.
bool server::state::finish(connection& c, const result<refusal>& r, const std::string& what) {
  if (!r) return give_up(r.error());
  log(c, what + ": " + std::string(describe(*r)));
  if (*r == refusal::none)
    queue(c, done_answer{});
  else
    queue(c, error_answer{std::string(describe(*r))});
  return true;
}

bool server::state::serve(connection& c, const register_request& r) {
  if (!verify_possession(dh, *c.ephemeral, c.greeting, r)) {
    log(c, "register " + (valid_name(r.name) ? r.name : "(bad name)") + ": proof of possession failed");
    queue(c, error_answer{"proof of possession failed"});
    return true;
  }
  // An account without a certificate of its own name could register anybody's: the certificate's name is the user's
  // name.
  if (r.name != c.account) {
    queue(c, error_answer{"a certificate registers its own name only"});
    return true;
  }
  const auto outcome = db->register_user(c.account, r.name, r.key, r.replace);
  if (outcome && *outcome == refusal::none) {
    c.name = r.name;
    if (r.replace && !close_others(c)) return false;
  }
  return finish(c, outcome, "register " + r.name);
}

bool server::state::serve(connection& c, const grant_request& r) {
  return finish(c, in_whole_steps([&] { return db->grant(c.name, r.peer); }),
                "grant " + (valid_name(r.peer) ? r.peer : "(bad name)"));
}

bool server::state::serve(connection& c, const withdraw_request& r) {
  return finish(c, in_whole_steps([&] { return db->withdraw(c.name, r.peer); }),
                "withdraw " + (valid_name(r.peer) ? r.peer : "(bad name)"));
}

// Nobody learns here whether a peer exists: to who is not mutual it is the same as not there.
bool server::state::serve(connection& c, const kd_request& r) {
  if (!kd_secret) {
    queue(c, error_answer{"this server hands out no KDs"});
    return true;
  }
  const auto mutual = in_whole_steps([&] { return db->mutual_peers(c.name); });
  if (!mutual) return give_up(mutual.error());
  const auto peer = std::ranges::find(*mutual, r.peer, &mutual_peer::name);
  log(c, "kd " + (valid_name(r.peer) ? r.peer : "(bad name)") + (peer == mutual->end() ? ": refused" : ": done"));
  if (peer == mutual->end()) {
    queue(c, error_answer{"no mutual permission with this name"});
    return true;
  }
  // Its own key is what the peer is told.
  const auto told_to_peer = db->mutual_peers(r.peer);
  if (!told_to_peer) return give_up(told_to_peer.error());
  const auto own = std::ranges::find(*told_to_peer, c.name, &mutual_peer::name);
  if (own == told_to_peer->end()) return finish(c, refusal::not_registered, "kd");  // ended in between
  auto made = derive_pair_kd(*kd_secret, {own->name, own->key}, {peer->name, peer->key});
  queue(c, kd_answer{peer->key, made.id, made.kd});
  security::wipe(made.kd);
  return true;
}

bool server::state::serve(connection& c, const list_request&) {
  auto granted = db->granted_by(c.name);
  if (!granted) return give_up(granted.error());
  auto mutual = db->mutual_peers(c.name);
  if (!mutual) return give_up(mutual.error());
  queue(c, list_answer{std::move(*granted), std::move(*mutual)});
  return true;
}

bool server::state::serve(connection& c, const changes_request& r) {
  if (c.name.empty()) {
    queue(c, error_answer{std::string(describe(refusal::not_registered))});
    return true;
  }
  data_to[c.name] = c.fd.get();
  auto found = db->changes(c.name, r.since, max_changes_per_answer);
  if (!found) return give_up(found.error());
  if (!found->empty() || r.wait_s == 0) {
    queue(c, changes_answer{std::move(*found)});
    return true;
  }
  c.waiting = r;
  c.deadline = after(r.wait_s);
  waiting.emplace(c.name, c.fd.get());
  ++counters.waiting;
  return true;
}

// A packet gets none, and does not end a long poll.
bool server::state::no_answer(connection& c) {
  if (!c.waiting && c.out.empty()) c.deadline = after(config.limits.idle_s);
  return true;
}

bool server::state::serve(connection& c, const data_request& r) {
  if (c.name.empty()) {
    ++counters.data_dropped;
    return no_answer(c);
  }
  ++counters.data_in;
  if (!application.deliver(c.name, r.octets)) ++counters.data_dropped;
  no_answer(c);
  if (config.application.echo) send_data(c, r.octets);
  return true;
}

void server::state::send_data(connection& c, std::vector<std::uint8_t> octets) {
  if (c.out.size() > config.max_queued_bytes) {
    ++counters.data_dropped;
    return;
  }
  ++counters.data_out;
  const auto deadline = c.deadline;
  const bool idle = c.out.empty();
  queue(c, data_answer{std::move(octets)});
  // Data does not keep a long poll or a slow reader alive: their time goes on.
  if (c.waiting || !idle) c.deadline = deadline;
}

void server::state::take_datagrams() {
  for (int i = 0; i < max_datagrams_per_turn; ++i) {
    auto d = application.poll();
    if (!d) return;
    const auto to = data_to.find(d->name);
    if (to == data_to.end()) {
      ++counters.data_dropped;
      continue;
    }
    connection& c = *connections.at(to->second);
    send_data(c, std::move(d->octets));
    if (!write_answers(c)) close(c.fd.get());
  }
}

void server::state::answer_waiting(int fd) {
  const auto it = connections.find(fd);
  if (it == connections.end() || !it->second->waiting) return;
  connection& c = *it->second;
  auto found = db->connected() ? db->changes(c.name, c.waiting->since, max_changes_per_answer) : std::vector<change>();
  if (!found) {
    give_up(found.error());
    close(fd);
    return;
  }
  stop_waiting(c);
  queue(c, changes_answer{std::move(*found)});
  if (!write_answers(c)) close(fd);
}

// The device with the replaced key may be in other hands: it has to connect again, and its key is refused.
bool server::state::close_others(const connection& c) {
  const auto all = accounts.at(c.account).connections;
  for (const int fd : all)
    if (fd != c.fd.get()) close(fd);
  const auto ok = db->end_others(c.account, c.session);
  return ok ? true : give_up(ok.error());
}

// The operator changed the store from another process. Waiting polls are answered, even if nothing changed for them.
void server::state::wake_all() {
  std::vector<int> fds;
  for (const auto& [name, fd] : waiting) fds.push_back(fd);
  for (const int fd : fds) answer_waiting(fd);
}

void server::state::wake_changed() {
  for (const auto& user : db->take_changed_users()) {
    std::vector<int> fds;
    const auto [first, last] = waiting.equal_range(user);
    for (auto it = first; it != last; ++it) fds.push_back(it->second);
    for (const int fd : fds) answer_waiting(fd);
  }
}

}  // namespace prose::function
