// A verdict in words for people: one sentence, four tiles, and each test as a question with its answer. The report
// page, the JSON report and the live page show these.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/lib/verdict/verdict.h"

namespace prose::apps {

enum class test_state : std::uint8_t { not_run, passed, failed };
/// passed, failed, not_run
const char* name_of(test_state s);

/// "An eavesdropper could read nothing in 83 messages of 107.7 s; evidence: 9.6 kB, all decoded." It never promises
/// more than the outcome does.
std::string sentence_of(const verdict& v);

struct verdict_tile {
  const char* id = "";  ///< content, identity, stolen_keys, radio
  const char* title = "";
  /// not_run also where tests ran and found nothing, but doubts keep them from proving anything: label "Not proven".
  test_state state = test_state::not_run;
  std::string label;     ///< Passed, Failed, Not run, Not proven
  std::string sentence;  ///< what was found, or why nothing can be said
};

/// content, identity, stolen_keys, radio, in this order. The last one never decides the outcome.
std::vector<verdict_tile> tiles_of(const verdict& v);

struct question {
  const char* tile = "";  ///< verdict_tile::id
  std::string check;      ///< statistic::check or finding::check
  std::string asked;      ///< "Compressible?"
  std::string answer;     ///< "No: 0 bits saved"
  test_state state = test_state::not_run;
  bool has_p = false;  ///< a statistical test: p_value and threshold hold
  double p_value = 1, threshold = 0;
  std::uint64_t n = 0;  ///< what it rests on: octets, pairs or trials
};

/// Every statistic and every check without a probability, a tile after the other.
std::vector<question> questions_of(const verdict& v);

/// "By carrier frequency offset, 60 of 60 guesses were right: 100 %, and guessing alone is right in 33 %."
std::string sentence_of(const residual& r);
/// The interval lies above what guessing reaches.
bool beats_guessing(const residual& r);

}  // namespace prose::apps
