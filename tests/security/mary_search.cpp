#include "tests/security/mary_search.h"

#include "tests/security/search/forge.h"
#include "tests/security/search/recognise.h"

namespace prose::security::test {

findings search(const evidence& e) {
  findings out;
  holdings h(e);
  record_search records(e);
  handshake_search handshakes(e);
  std::vector<pair_root> pair_roots;
  // What is learnt (a KD_0, a rekeying that an opened record carried) may open more.
  while (h.grow()) {
    pair_roots.insert(pair_roots.end(), h.fresh_pair_roots.begin(), h.fresh_pair_roots.end());
    records.try_fresh(h, out);
    try_recognising(h, e, out);
    handshakes.hear_signalling(records.new_signalling, h);
    records.new_signalling.clear();
    handshakes.try_fresh(h, records, out);
  }
  out.keys_tried = h.all.size() + 8 * h.pair_roots;
  out.records_seen = records.seen();
  try_in_the_clear(e, out);
  try_linking(e, out);
  try_data(e, out);
  try_forging(h, pair_roots, handshakes, e, out);
  if (e.reacts_later)
    for (const auto& f : e.frames) out.replays_answered += e.reacts_later(f) ? 1 : 0;
  return out;
}

const std::vector<std::string>& searched_labels() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> out(std::begin(labels), std::end(labels));
    out.emplace_back(pair_root_label);
    return out;
  }();
  return list;
}

}  // namespace prose::security::test
