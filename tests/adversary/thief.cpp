#include "tests/adversary/thief.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "apps/lib/keys/key_file.h"

namespace prose::adversary {

namespace {
template <class T>
T or_die(result<T> r) {
  if (r) return std::move(*r);
  std::fprintf(stderr, "thief: %s\n", r.error().message.c_str());
  std::abort();
}
std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream f(path);
  std::vector<std::string> out;
  for (std::string l; std::getline(f, l);) out.push_back(l);
  return out;
}
}  // namespace

thief::thief(const town& t, const std::string& identity, const std::string& process)
    : keylog_(t.file((process.empty() ? identity : process) + ".keylog")) {
  auto key = or_die(keys::read_private_key(t.file(identity + ".key")));
  security_ = std::make_unique<security::ue_security>(
      security::ue_config{}, security::key_pair::from_private(std::move(key), ports()), ports());
  for (auto& p : or_die(keys::read_permissions(t.file(identity + ".permit"), dh_, random_)))
    if (!security_->add_peer(p.name, p.key)) std::abort();
}

const security::peer& thief::with(const std::string& name) const {
  const auto* p = security_->peers().find(std::string_view(name));
  if (p == nullptr) std::abort();
  return *p;
}

std::vector<security::logged_key> thief::log() const {
  std::vector<security::logged_key> out;
  for (const auto& l : lines_of(keylog_))
    if (auto k = security::parse_key_log_line(l)) out.push_back(std::move(*k));
  return out;
}

std::vector<security::stolen_secret> thief::secrets(std::size_t first_line) const {
  auto out = security::stolen_state(security_->peers(), security_->links(), security::export_permit::user_was_warned());
  const auto lines = log();
  for (std::size_t i = first_line; i < lines.size(); ++i) {
    const auto& k = lines[i].key.expose();
    const auto& v = lines[i].iv.expose();
    out.push_back({"record key of the key log", {k.begin(), k.end()}});
    out.push_back({"record IV of the key log", {v.begin(), v.end()}});
  }
  return out;
}

bool is_record(const message& m) {
  return security::channel_index(m.lcid) && m.pdu.size() >= security::record_overhead_octets;
}
bool opens(const security::logged_key& k, const message& m) {
  return is_record(m) && security::open_with(k, m.lcid, m.pdu).has_value();
}

security::bytes_view pc5s(const message& m) {
  return security::bytes_view(m.pdu).subspan(std::min(m.pdu.size(), security::pdcp_header_octets));
}

security::test::frame to_frame(const message& m) {
  const bool plain = m.lcid == security::lcid_pc5s_unprotected || m.lcid == security::lcid_pc5s_security_mode;
  const auto body = plain ? pc5s(m) : security::bytes_view(m.pdu);
  return {0, m.lcid, m.src, m.dst, {body.begin(), body.end()}};
}

message as_message(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, security::bytes_view body) {
  message m{0, src, dst, lcid, octets(security::pdcp_header_octets + body.size())};
  std::copy(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end(), m.pdu.begin());
  std::copy(body.begin(), body.end(), m.pdu.begin() + security::pdcp_header_octets);
  return m;
}

}  // namespace prose::adversary
