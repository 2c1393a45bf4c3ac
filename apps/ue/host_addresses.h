// By which addresses the host's applications know the peers: the links' own, configured ones, and IPv4 addresses drawn
// at random.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/ue/data_port.h"
#include "common/result.h"
#include "security/identity.h"
#include "security/ports.h"

namespace prose::apps {

/// A file of IPv4 addresses, a pair a peer, by name and public key. They are drawn from 10.64.0.0/10 and reveal nothing
/// of the key; only this host sees them. A private file (apps/lib/common/safe_file.h) of lines NAME PUBLIC-KEY OWN
/// PEER.
class ipv4_table {
public:
  /// A file that is absent is empty. Refused: no private file, another version, a line that is none ("FILE:LINE: ...").
  /// What is in `configured` is never drawn, and a row that has it is drawn anew.
  static result<ipv4_table> open(std::string path, security::random_port& random, std::vector<ip_address> configured);
  /// The row of that name and key. Drawn and written to the file where there is none; it takes the place of a row of
  /// the name with another key.
  result<address_pair> of(const std::string& name, const security::public_key& key);

  /// The row that is there already.
  std::optional<address_pair> find(const std::string& name, const security::public_key& key) const;

private:
  struct row {
    std::string name;
    security::public_key key;
    address_pair pair;
  };
  ipv4_table(std::string path, security::random_port& random, std::vector<ip_address> configured)
      : path_(std::move(path)), random_(&random), configured_(std::move(configured)) {}
  result<void> parse(const std::string& text);
  bool is_used(const ip_address& a) const;
  ip_address draw() const;
  result<void> write() const;

  std::string path_;
  security::random_port* random_;
  std::vector<ip_address> configured_;
  std::vector<row> rows_;
};

/// Addresses of the peer's link: derived ones, replaced on the host's side by configured ones. `drawn`: of the table,
/// if there is one.
link_addresses addresses_of(const security::peer& peer, const tun_config& own, const data_peer& configured,
                            const std::optional<address_pair>& drawn);

/// A private file in the form of /etc/hosts, replaced as a whole: each peer's IPv6 and IPv4 address with its name, and
/// our own of the link as a comment. Refused: a file that is there and does not begin like one of ours.
result<void> write_hosts(const std::string& path, const std::vector<std::pair<std::string, link_addresses>>& peers);

}  // namespace prose::apps
