// The scalar multiplications of set-ups and rekeyings, apart from the state of the link engine. The engine gives an
// item to a work_port and takes its result when the answer is due.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "security/link_handshake.h"

namespace prose::security {

/// Octets of an ephemeral key that were drawn beforehand: work draws nothing itself, so that it may run on any thread
/// and in any order.
class drawn_ephemeral final : public random_port {
public:
  explicit drawn_ephemeral(random_port& from) : key_(ephemeral_private_key::make([&](auto out) { from.fill(out); })) {}
  void fill(bytes_span out) override;  // once, 32 octets
  const ephemeral_private_key& key() const { return key_; }

private:
  ephemeral_private_key key_;
};

enum class set_up_work_kind : std::uint8_t {
  ask,          // compose a request: two multiplications
  respond,      // read a request and compose its answer: four, or one where it is bad
  read_answer,  // two
};

/// One item of work. Its maker does not touch it between submit() and done().
class set_up_work {
public:
  using kind = set_up_work_kind;
  set_up_work(kind k, std::shared_ptr<const key_pair> own, std::shared_ptr<const peer> with)
      : what_(k), own_(std::move(own)), with_(std::move(with)) {}

  void ask(const handshake_context& c, const offer& o, random_port& random);
  void respond(const handshake_context& c, bytes_view request, std::span<const suite> preferred, std::uint8_t lsb,
               random_port& random);
  void read_answer(std::shared_ptr<initiator_handshake> asked, bytes_view answer);

  /// Once, on any thread. Touches nothing but this object, the immutable keys it shares, and `dh`.
  void run(dh_port& dh) noexcept;
  bool done() const { return done_.load(std::memory_order_acquire); }
  kind what() const { return what_; }
  static constexpr std::uint32_t multiplications(kind k) { return k == kind::respond ? 4 : 2; }

  // What went in.
  const handshake_context& context() const { return context_; }
  bytes_view octets() const { return octets_; }
  const std::optional<drawn_ephemeral>& ephemeral() const { return ephemeral_; }
  // What came out, once done.
  std::shared_ptr<initiator_handshake> handshake;  // of ask
  std::optional<responder_result> response;        // of respond; empty: `why`
  std::optional<handshake_secrets> secrets;        // of read_answer; empty: it did not verify
  drop_reason why = drop_reason::bad_handshake;

private:
  void copy(const handshake_context& c);

  kind what_;
  std::shared_ptr<const key_pair> own_;
  std::shared_ptr<const peer> with_;
  handshake_context context_;
  std::optional<rekey_binding> binding_;
  offer offer_;
  std::vector<std::uint8_t> octets_;
  std::vector<suite> preferred_;
  std::uint8_t lsb_ = 0;
  std::optional<drawn_ephemeral> ephemeral_;
  std::atomic<bool> done_ = false;
};

}  // namespace prose::security
