#include "security/ts33303/negotiation.h"

namespace prose::security::ts33303 {
namespace {

template <class Algorithm>
std::uint8_t bits_of(const std::vector<Algorithm>& list) {
  unsigned bits = 0;
  for (const auto a : list) bits |= 0x80U >> static_cast<unsigned>(a);
  return static_cast<std::uint8_t>(bits);
}

template <class Algorithm>
std::optional<Algorithm> first_offered(const std::vector<Algorithm>& own, const security_capabilities& offered) {
  const auto found = std::ranges::find_if(own, [&](Algorithm a) { return offered.has(a); });
  return found == own.end() ? std::nullopt : std::optional(*found);
}

template <class Algorithm>
bool accepts(const std::vector<Algorithm>& own, const security_capabilities& sent, std::optional<Algorithm> a) {
  return a && sent.has(*a) && std::ranges::find(own, *a) != own.end();
}

}  // namespace

security_capabilities capabilities_of(const algorithm_policy& own) {
  return {bits_of(own.ciphering), bits_of(own.integrity)};
}

std::optional<algorithms> choose(const algorithm_policy& own, const security_capabilities& offered) {
  const auto ciphering = first_offered(own.ciphering, offered);
  const auto integrity = first_offered(own.integrity, offered);
  if (!ciphering || !integrity) return std::nullopt;
  return algorithms{*ciphering, *integrity};
}

result<algorithms, pc5s_cause> check_command(const algorithm_policy& own, const security_capabilities& sent,
                                             const security_mode_command& command) {
  const auto ciphering = algorithm_from<eea>(command.chosen.eea);
  const auto integrity = algorithm_from<eia>(command.chosen.eia);
  if (command.capabilities != sent) return tl::unexpected(pc5s_cause::capabilities_mismatch);
  if (!accepts(own.ciphering, sent, ciphering)) return tl::unexpected(pc5s_cause::capabilities_mismatch);
  if (!accepts(own.integrity, sent, integrity)) return tl::unexpected(pc5s_cause::capabilities_mismatch);
  return algorithms{*ciphering, *integrity};
}

}  // namespace prose::security::ts33303
