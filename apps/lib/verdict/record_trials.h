// Which kept records does a key open? Records are indexed by (SRC, DST, KD-sess ID), as a key log names its keys.
#pragma once

#include <map>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "apps/lib/verdict/kept_capture.h"
#include "apps/lib/verdict/search_watch.h"
#include "apps/lib/verdict/stolen_keys.h"
#include "security/crypto/aead.h"

namespace prose::apps {

/// One direction of a link in one epoch.
using epoch_name = std::tuple<std::uint32_t, std::uint32_t, std::uint16_t>;

/// A key that may be a record key. The name is put together only when it opens something.
struct record_candidate {
  std::string_view secret;
  std::string_view step;  ///< what was derived from it; empty: nothing
  int ratchets = 0;       ///< before that step
  const key32& key;
  std::span<const iv12> ivs;
  std::span<const security::suite> suites = all_suites_tried;

  static constexpr security::suite all_suites_tried[] = {security::suite::aes_256_gcm,
                                                         security::suite::chacha20_poly1305};
  std::string name() const;
};

/// What an opened record of LCID 30 carried.
struct carried_message {
  std::uint64_t frame;
  std::uint32_t src, dst;
  std::vector<std::uint8_t> octets;
  std::string with;  ///< what opened the record
};

class record_trials {
public:
  record_trials(const std::vector<kept_record>& records, search_watch& watch);

  /// Each returns false once the search is to end.
  /// On all records of one direction and epoch.
  bool try_named(const record_candidate& c, const epoch_name& id);
  /// On up to three records of each logical channel of each direction and epoch heard at or after this frame, and,
  /// where one opens, on all.
  bool try_samples(const record_candidate& c, std::uint64_t from_frame = 0);
  /// On every record that nothing has opened yet.
  bool try_all(const record_candidate& c);

  /// First frame of a direction and epoch; empty if it was not heard.
  std::optional<std::uint64_t> heard(const epoch_name& id) const;
  std::size_t samples() const { return n_samples_; }
  std::size_t unopened() const;
  /// Signalling that may hold a key, of records that were opened since the last call.
  std::vector<carried_message> take_carried() { return std::exchange(carried_, {}); }
  /// `own` is left as it is.
  std::vector<opened_link> opened() const;

private:
  struct context {
    std::vector<std::uint32_t> all, samples;  // indices of records_
    std::size_t n_open = 0;
    std::string with;
    std::vector<std::uint64_t> frames;
  };
  bool trial(const security::crypto::aead& box, const iv12& iv, const record_candidate& c, context& at,
             std::uint32_t i);

  const std::vector<kept_record>& records_;
  search_watch& watch_;
  std::map<epoch_name, context> contexts_;
  std::vector<char> open_;
  std::vector<std::uint8_t> plain_;
  std::vector<carried_message> carried_;
  std::size_t n_samples_ = 0, n_opened_contexts_ = 0, n_records_ = 0, n_open_ = 0;
};

}  // namespace prose::apps
