#include "security/epoch_chain.h"

#include "security/crypto/declassify.h"
#include "security/crypto/hash.h"

namespace prose::security {
namespace {

struct half {
  record_protection protection;
  l2_id src;
};

half derive_half(const link_root_key& kd, suite s, const char* label, std::optional<std::uint16_t> kd_sess_id) {
  using block = secret<struct epoch_block_tag, 32 + 12 + 2 + 3>;
  const auto b = block::make([&](auto out) { crypto::hkdf_expand(kd.expose(), crypto::as_bytes(label), out); });
  const auto v = b.expose();
  crypto::declassify(v.subspan<44>());  // identifiers on the air
  auto id = static_cast<std::uint16_t>(v[44] << 8 | v[45]);
  if (id == 0) id = 1;  // 0 marks an unprotected PDU (TS 36.323 5.6.2)
  return {record_protection(s, record_key(v.first<32>()), record_iv(v.subspan<32, 12>()), kd_sess_id.value_or(id)),
          l2_id{v[46]} << 16 | l2_id{v[47]} << 8 | v[48]};
}

}  // namespace

epoch derive_epoch(const link_root_key& kd, role own, suite s, std::uint32_t index,
                   std::optional<std::uint16_t> kd_sess_id) {
  auto from_initiator = derive_half(kd, s, "LTESL/1 record initiator", kd_sess_id);
  auto from_responder = derive_half(kd, s, "LTESL/1 record responder", kd_sess_id);
  auto& tx = own == role::initiator ? from_initiator : from_responder;
  auto& rx = own == role::initiator ? from_responder : from_initiator;
  return {index, record_sealer(std::move(tx.protection)), record_opener(std::move(rx.protection)), tx.src, rx.src};
}

epoch_chain::epoch_chain(link_root_key kd0, role own, suite s, std::optional<std::uint16_t> kd_sess_id,
                         const epoch_config& config, random_port& random, time_ms now)
    : config_(config),
      random_(&random),
      own_(own),
      suite_(s),
      base_(derive_epoch(kd0, own, s, 0, kd_sess_id)),
      next_(derive_epoch(derive<link_root_key>(kd0), own, s, 1, std::nullopt)),
      root_after_next_(derive<link_root_key>(derive<link_root_key>(kd0))) {
  draw_next_move(now);
}

void epoch_chain::draw_next_move(time_ms now) {
  const auto span = static_cast<std::uint32_t>(config_.max_ms - config_.min_ms);
  move_due_ = now + config_.min_ms + (span == 0 ? 0 : random_->below(span));
}

bool epoch_chain::move_is_due(time_ms now) const {
  return base_.tx.most_sealed() >= config_.records || now >= move_due_;
}

void epoch_chain::advance_base(time_ms now) {
  old_.emplace(std::move(base_));
  old_until_ = now + config_.old_kept_ms;
  base_ = std::move(next_);
  next_ = after_next_ ? std::move(*after_next_)
                      : derive_epoch(root_after_next_, own_, suite_, base_.index + 1, std::nullopt);
  after_next_.reset();
  root_after_next_ = derive<link_root_key>(root_after_next_);
  base_verified_ = true;
  tx_next_ = false;
  draw_next_move(now);
}

result<epoch_chain::sealed, drop_reason> epoch_chain::seal(std::uint8_t lcid, sdu_type type, bytes_view data,
                                                           time_ms now, bytes_span out) {
  bool moved = false;
  // Only after a record of the peer has been verified under this epoch: then the peer holds the next one already.
  if (!tx_next_ && base_verified_ && move_is_due(now)) {
    tx_next_ = true;
    moved = true;
    after_next_ = derive_epoch(root_after_next_, own_, suite_, next_.index + 1, std::nullopt);
  }
  epoch& e = tx_next_ ? next_ : base_;
  const auto n = e.tx.seal(lcid, type, data, out);
  if (!n) return tl::unexpected(n.error());
  return sealed{*n, e.own_l2, e.peer_l2, moved};
}

result<epoch_chain::opened, drop_reason> epoch_chain::open(std::uint8_t lcid, const pdcp_header& h, l2_id src,
                                                           l2_id dst, bytes_view pdu, time_ms now, bytes_span out) {
  tick(now);
  drop_reason worst = drop_reason::unknown_link;
  const auto matches = [&](const epoch& e) {
    return e.rx.protection().kd_sess_id == h.kd_sess_id && e.peer_l2 == src && e.own_l2 == dst;
  };
  const auto attempt = [&](epoch& e) -> std::optional<std::size_t> {
    if (!matches(e)) return std::nullopt;
    const auto n = e.rx.open(lcid, h, pdu, out);
    if (n) return *n;
    worst = n.error();
    return std::nullopt;
  };
  if (const auto n = attempt(base_)) {
    base_verified_ = true;
    return opened{*n, false};
  }
  if (const auto n = attempt(next_)) {
    const bool moved = !tx_next_;
    advance_base(now);
    return opened{*n, moved};
  }
  if (after_next_)
    if (const auto n = attempt(*after_next_)) {
      advance_base(now);
      advance_base(now);
      return opened{*n, true};
    }
  if (old_)
    if (const auto n = attempt(*old_)) return opened{*n, false};
  return tl::unexpected(worst);
}

std::vector<epoch> epoch_chain::take_epochs() && {
  std::vector<epoch> out;
  out.push_back(std::move(tx_next_ ? next_ : base_));
  out.push_back(std::move(tx_next_ ? base_ : next_));
  if (after_next_) out.push_back(std::move(*after_next_));
  return out;
}

void epoch_chain::tick(time_ms now) {
  if (old_ && now >= old_until_) old_.reset();
}

}  // namespace prose::security
