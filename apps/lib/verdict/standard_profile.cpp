#include "apps/lib/verdict/standard_profile.h"

#include <algorithm>
#include <array>

#include "security/record.h"
#include "security/ts33303/context.h"

namespace prose::apps {
namespace {
namespace ts = security::ts33303;
constexpr std::size_t header_octets = security::pdcp_header_octets;
// Complete: type and sequence number, and a KD ID half where the KD is new.
constexpr std::array<std::size_t, 2> complete_octets{3, 6};

bool is_unprotected(std::span<const std::uint8_t> sdu) {
  const auto& empty = security::unprotected_pdcp_header;
  return sdu.size() > header_octets && std::equal(empty.begin(), empty.end(), sdu.begin());
}

std::optional<standard_message> unprotected_message(std::span<const std::uint8_t> sdu) {
  if (!is_unprotected(sdu)) return std::nullopt;
  const auto octets = sdu.subspan(header_octets);
  const auto m = ts::parse(octets);
  if (!m) return std::nullopt;
  const auto& body = m->message.body;
  if (std::holds_alternative<ts::direct_communication_request>(body))
    return standard_message{m->message, octets, security::message_type::direct_communication_request};
  if (std::holds_alternative<ts::direct_communication_reject>(body) ||
      std::holds_alternative<ts::security_mode_reject>(body))
    return standard_message{m->message, octets, {}};
  return std::nullopt;
}

std::optional<standard_message> security_mode_message(std::span<const std::uint8_t> sdu) {
  const auto h = security::read_pdcp_header(sdu);
  if (!h || h->type != security::sdu_type::pc5s || h->kd_sess_id == 0) return std::nullopt;
  if (sdu.size() <= header_octets + ts::mac_octets) return std::nullopt;
  const auto octets = sdu.subspan(header_octets, sdu.size() - header_octets - ts::mac_octets);
  if (const auto m = ts::parse(octets))
    if (const auto* c = std::get_if<ts::security_mode_command>(&m->message.body);
        c != nullptr && c->kd_sess_id_lsb == (h->kd_sess_id & 0xff))
      return standard_message{m->message, octets, security::message_type::security_mode_command};
  if (std::ranges::find(complete_octets, octets.size()) == complete_octets.end()) return std::nullopt;
  return standard_message{std::nullopt, octets, security::message_type::security_mode_complete};
}
}  // namespace

std::optional<standard_message> standard_message_of(const captured_sdu& s) {
  if (s.lcid == mac::lcid_pc5s_unprotected) return unprotected_message(s.octets);
  if (s.lcid == mac::lcid_pc5s_security_mode) return security_mode_message(s.octets);
  return std::nullopt;
}

const char* standard_doubt_about(const captured_sdu& s) {
  if (s.lcid == mac::lcid_pc5s_unprotected || s.lcid == mac::lcid_pc5s_security_mode)
    return standard_message_of(s) ? nullptr : "messages of no known type and length on LCID 28 or 29";
  const auto r = record_of(s);
  if (!r) return "PDCP PDUs of a reserved SDU type, or without data";
  if (!security::channel_carries(s.lcid, r->header.type)) return "PDCP PDUs on an LCID that is not theirs";
  const bool data = s.lcid != mac::lcid_pc5s_protected;  // may come without a MAC-I
  if (s.octets.size() <= header_octets + (data ? 0 : ts::mac_octets)) return "PDCP PDUs too short for a record";
  return nullptr;
}

bool is_of_standard(std::string_view check) {
  // A rekeying has no new layer-2 IDs, and a Request is not authenticated.
  constexpr std::array<std::string_view, 4> checks{"kd_id_in_clear", "user_info_in_clear", "l2_id_survives_rotation",
                                                   "forged_request_answered"};
  return std::ranges::find(checks, check) != checks.end();
}

void standard_checks::add(const standard_message& m, std::uint64_t frame) {
  if (!m.readable || requests_.size() >= max_kept) return;
  const auto* command = std::get_if<ts::security_mode_command>(&m.readable->body);
  const auto* request = std::get_if<ts::direct_communication_request>(&m.readable->body);
  if (command == nullptr && request == nullptr) return;
  if (!requests_.insert({m.octets.begin(), m.octets.end()}).second) return;  // repeated until it is answered
  const auto& nonce = request != nullptr ? request->nonce_1 : command->nonce_2;
  if (const auto [at, fresh] = nonces_.try_emplace({nonce.begin(), nonce.end()}, frame); !fresh) {
    ++nonces_again_;
    nonce_frames_.add(at->second);
    nonce_frames_.add(frame);
  }
  if (request == nullptr) return;
  if (!request->user.value.value.empty()) ++with_user_info_, user_frames_.add(frame);
  if (!request->kd_id) return;
  named_again_ += kds_[*request->kd_id]++ > 0;
  kd_frames_.add(frame);
}

void standard_checks::judge(check_report& out) const {
  if (nonces_again_ > 0)
    out.found("content", "nonce_reuse", "different messages carry one nonce, so that keys can come again",
              nonce_frames_);
  if (kd_frames_.count() > 0)
    out.found("identity", "kd_id_in_clear",
              std::to_string(kd_frames_.count()) + " Requests name " + std::to_string(kds_.size()) + " KDs in clear, " +
                  std::to_string(named_again_) +
                  " of them one that was named before: the KD ID links the set-ups of a pair",
              kd_frames_);
  if (with_user_info_ > 0)
    out.found("identity", "user_info_in_clear",
              std::to_string(with_user_info_) + " Requests tell in clear who asks (User Info)", user_frames_);
  if (records_.count() > 0)
    out.remark("content", "mac_i_in_clear",
               "MAC-Is are computed over the plain text and sent in clear, where there are any; KD-sess ID, SN and SDU "
               "type are in clear in each record",
               records_);
}

}  // namespace prose::apps
