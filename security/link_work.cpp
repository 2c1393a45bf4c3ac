#include "security/link_work.h"

#include <algorithm>
#include <cstdlib>

namespace prose::security {

void drawn_ephemeral::fill(bytes_span out) {
  if (out.size() != ephemeral_private_key::octets) std::abort();
  std::copy(key_.expose().begin(), key_.expose().end(), out.begin());
}

void set_up_work::copy(const handshake_context& c) {
  context_ = c;
  if (c.binding == nullptr) return;
  binding_.emplace(c.binding->expose());  // the generation it belongs to may go meanwhile
  context_.binding = &*binding_;
}

void set_up_work::ask(const handshake_context& c, const offer& o, random_port& random) {
  copy(c);
  offer_ = o;
  ephemeral_.emplace(random);
}

void set_up_work::respond(const handshake_context& c, bytes_view request, std::span<const suite> preferred,
                          std::uint8_t lsb, random_port& random) {
  copy(c);
  octets_.assign(request.begin(), request.end());
  preferred_.assign(preferred.begin(), preferred.end());
  lsb_ = lsb;
  ephemeral_.emplace(random);
}

void set_up_work::read_answer(std::shared_ptr<initiator_handshake> asked, bytes_view answer) {
  handshake = std::move(asked);
  octets_.assign(answer.begin(), answer.end());
}

void set_up_work::run(dh_port& dh) noexcept {
  switch (what_) {
    case kind::ask:
      handshake =
          std::make_shared<initiator_handshake>(handshake_side(*own_, dh, *ephemeral_), *with_, context_, offer_);
      break;
    case kind::respond:
      response = security::respond(
          {*own_, dh, *ephemeral_}, *with_, context_, octets_, preferred_, [&](std::uint8_t) { return lsb_; }, why);
      break;
    case kind::read_answer:
      secrets = handshake->read_answer(octets_, dh);
      break;
  }
  done_.store(true, std::memory_order_release);
}

}  // namespace prose::security
