#include "apps/page/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <span>

#include "security/secret.h"

namespace prose::page {
namespace {

constexpr std::string_view cookie_name = "prose_page=";

std::span<const std::uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
/// Takes as long wherever they differ.
bool same(std::string_view a, std::string_view b) { return security::equal_constant_time(octets(a), octets(b)); }

bool is_v4(const std::string& host) {
  in_addr a{};
  return inet_pton(AF_INET, host.c_str(), &a) == 1;
}
bool is_v6(const std::string& host) {
  in6_addr a{};
  return inet_pton(AF_INET6, host.c_str(), &a) == 1;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

bool is_loopback(const std::string& host) {
  in_addr four{};
  in6_addr six{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24U) == 127;
  return inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

void access::listens_on(const std::string& host, int port) {
  host_ = host;
  port_ = port;
}

std::string access::new_token() {
  const std::lock_guard lock(mutex_);
  token_ = draw_();
  return token_;
}

std::string access::exchange(std::string_view token) {
  const std::lock_guard lock(mutex_);
  if (token_.empty() || !same(token, token_)) return {};
  token_.clear();
  sessions_.push_back(draw_());
  if (sessions_.size() > most_sessions) sessions_.pop_front();
  return sessions_.back();
}

bool access::has_session(std::string_view cookies) const {
  const std::lock_guard lock(mutex_);
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    auto one = cookies.substr(0, end);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    if (one.substr(0, cookie_name.size()) == cookie_name) {
      bool found = false;
      for (const auto& s : sessions_) found = same(one.substr(cookie_name.size()), s) || found;
      if (found) return true;
    }
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return false;
}

/// A name that leads here by a DNS answer is refused, so that no page of another site reads this one.
bool access::right_host(std::string_view header) const {
  const std::string port = ":" + std::to_string(port_);
  const auto host = lower(header);
  if (host.size() <= port.size() || host.compare(host.size() - port.size(), port.size(), port) != 0) return false;
  auto name = host.substr(0, host.size() - port.size());
  const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
  if (bracketed) name = name.substr(1, name.size() - 2);
  const bool any = host_ == "0.0.0.0" || host_ == "::";
  if (name == "localhost" && !bracketed) return any || is_loopback(host_);
  if (bracketed ? !is_v6(name) : !is_v4(name)) return false;
  return any || name == lower(host_);
}

bool access::right_origin(std::string_view origin, std::string_view host) {
  constexpr std::string_view scheme = "http://";
  return origin.substr(0, scheme.size()) == scheme && lower(origin.substr(scheme.size())) == lower(host);
}

}  // namespace prose::page
