#include "security/ts33303/link_contexts.h"

namespace prose::security::ts33303 {

bool link_contexts::begin(security_context next) {
  if (next_ || next.parameters().kd_sess_id == current_.parameters().kd_sess_id) return false;
  next_ = std::move(next);
  return true;
}

bool link_contexts::begin_verified(security_context next) {
  if (!begin(std::move(next))) return false;
  sends_under_next_ = true;
  return true;
}

void link_contexts::abandon() {
  next_.reset();
  sends_under_next_ = false;
}

result<std::size_t, drop_reason> link_contexts::protect(std::uint8_t lcid, sdu_type type, bytes_view sdu,
                                                        bytes_span out) {
  const bool command = lcid == lcid_pc5s_security_mode;  // or the Complete, when the Command was verified
  return next_ && (sends_under_next_ || command) ? next_->protect(lcid, type, sdu, out)
                                                 : current_.protect(lcid, type, sdu, out);
}

result<security_context::opened, drop_reason> link_contexts::open(std::uint8_t lcid, bytes_view pdu, bytes_span out) {
  const auto header = read_pdcp_header(pdu);
  if (!next_ || !header || header->kd_sess_id != next_->parameters().kd_sess_id) return current_.open(lcid, pdu, out);
  const bool has_mac = next_->has_mac(lcid);
  if (!has_mac && !sends_under_next_) return tl::unexpected(drop_reason::not_established);  // anyone's
  const auto opened = next_->open(lcid, pdu, out);
  if (!opened || !has_mac) return opened;
  sends_under_next_ = true;
  const bool command = lcid == lcid_pc5s_security_mode && next_->parameters().own == side::requesting;
  if (!command) {
    current_ = std::move(*next_);
    abandon();
  }
  return opened;
}

}  // namespace prose::security::ts33303
