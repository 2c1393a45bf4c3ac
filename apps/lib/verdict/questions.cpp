// Each test of a verdict as a question with its answer.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/lib/verdict/content_checks.h"
#include "apps/lib/verdict/verdict_words.h"

namespace prose::apps {
namespace {
/// How a statistic's value reads.
enum class reading : std::uint8_t {
  saved_bits,  ///< of an adaptive code
  share,       ///< of bits
  chi_square,
  count,
  run,      ///< octets in a row
  guesses,  ///< share of right ones
};

struct wording {
  const char* tile;
  const char* check;
  const char* asked;
  reading reads;
  const char* unit;  ///< what is counted, or what a share is of
  const char* why_not = "nothing of this kind was heard";
};

constexpr const char* few_links = "not two links were followed by others";
constexpr wording wordings[] = {
    {"content", "known_plaintext", "Is a text that was sent on the air in the clear?", reading::count, "places",
     "no text was given (--known-plaintext)"},
    {"content", "protocol_strings", "Are strings of well-known protocols on the air?", reading::count, "places"},
    {"content", "ipv4_headers", "Does a message begin with an IPv4 header?", reading::count, "messages"},
    {"content", "ipv6_headers", "Does a message begin with an IPv6 header?", reading::count, "messages"},
    {"content", "ascii_run", "Readable characters in a row?", reading::run, "in a row"},
    {"content", "equal_octets", "The same octet again and again?", reading::run, "in a row"},
    {"content", "counting_octets", "Octets that count up?", reading::run, "in a row"},
    {"content", "monobit", "Are ones and zeros of unequal number?", reading::share, "of the bits are ones"},
    {"content", "runs", "Does a bit tell the next one?", reading::share, "of the bits differ from the one before"},
    {"content", "octet_chi_square", "Do some octets come more often than others?", reading::chi_square, ""},
    {"content", "code_octets", "Compressible?", reading::saved_bits, ""},
    {"content", "code_octet_pairs", "Compressible, if the octet before is known?", reading::saved_bits, ""},
    {"content", "code_positions", "Anything regular at fixed places of messages?", reading::saved_bits, ""},
    {"content", "code_octets_of_a_link", "Compressible on one link alone?", reading::saved_bits, ""},
    {"content", "code_positions_of_a_link", "Anything regular at fixed places, on one link alone?", reading::saved_bits,
     ""},
    {"content", "xor_of_neighbours", "One keystream for messages that follow each other?", reading::saved_bits, ""},
    {"content", "xor_of_neighbours_of_a_link", "One keystream for neighbours on one link?", reading::saved_bits, ""},
    {"content", "xor_across_links", "One keystream on two links?", reading::saved_bits, ""},
    {"content", "repeated_ciphertext", "Does a piece of ciphertext come again?", reading::count, "pieces"},
    {"content", "unexplained_text", "Readable text outside of messages?", reading::run, "in a row",
     "every octet belongs to a message"},
    {"content", "unexplained_octets", "Compressible octets outside of messages?", reading::saved_bits, "",
     "every octet belongs to a message"},
    {"identity", "names_and_keys", "Are names or public keys on the air?", reading::count, "places",
     "no name was given (--name, --compromised)"},
    {"identity", "code_positions", "Do parts of discovery codes come again?", reading::saved_bits, ""},
    {"identity", "code_octets", "Are discovery codes compressible?", reading::saved_bits, ""},
    {"identity", "code_monobit", "Are bits of discovery codes biased?", reading::share, "of the bits are ones"},
    {"identity", "code_repeats", "Do different discovery codes share a piece?", reading::count, "pieces"},
    {"identity", "code_linker", "Does a discovery code tell who sent the one before?", reading::guesses, "",
     "one radio, or less than two slots"},
    {"identity", "l2_id_reuse", "Does a layer-2 ID come again on another link?", reading::count, "do"},
    {"identity", "kd_sess_id_reuse", "Does a session ID come again on another link?", reading::count, "do"},
    {"identity", "request_token_reuse", "Does a token of a request come again?", reading::count, "do"},
    {"identity", "command_token_reuse", "Does a token of an answer come again?", reading::count, "do"},
    {"identity", "l2_id_octets", "Anything regular in layer-2 IDs?", reading::saved_bits, ""},
    {"identity", "l2_id_linker", "Does a layer-2 ID tell which one it replaces?", reading::guesses, "", few_links},
    {"identity", "l2_id_steps", "Do layer-2 IDs follow from those before?", reading::saved_bits, "",
     "no layer-2 ID was replaced"},
    {"identity", "kd_sess_id_linker", "Does a session ID tell which one it replaces?", reading::guesses, "", few_links},
    {"identity", "kd_sess_id_steps", "Do session IDs follow from those before?", reading::saved_bits, "",
     "no session ID was replaced"},
    {"identity", "sci_linker", "Do settings in SCIs tell which link goes on?", reading::guesses, "", few_links},
    {"identity", "message_text", "Readable text in set-up messages?", reading::run, "in a row"},
    {"identity", "message_octets", "Are set-up messages compressible?", reading::saved_bits, ""},
    {"identity", "field_text", "Do identifiers in a row spell a text?", reading::run, "in a row"},
};

const wording* wording_of(const statistic& s) {
  const auto* at = std::find_if(std::begin(wordings), std::end(wordings),
                                [&](const wording& w) { return s.aspect == w.tile && s.check == w.check; });
  return at == std::end(wordings) ? nullptr : at;
}

std::string text(const char* format, double v) {
  char out[64];
  std::snprintf(out, sizeof out, format, v);
  return out;
}

std::string measured(const wording& w, const statistic& s) {
  switch (w.reads) {
    case reading::saved_bits: {
      const auto bits = std::llround(std::max(std::floor(s.value), 0.0));
      return std::to_string(bits) + (bits == 1 ? " bit saved" : " bits saved");
    }
    case reading::share:
      return text("%.2f %% ", 100 * s.value) + w.unit;
    case reading::chi_square:
      return text("chi-square %.0f, where 255 is expected", s.value);
    case reading::count:
      return text("%.0f ", s.value) + w.unit;
    case reading::run:
      return text("at most %.0f ", s.value) + w.unit;
    case reading::guesses:
      return text("%.0f %% of ", 100 * s.value) + std::to_string(s.n) + (s.n == 1 ? " guess" : " guesses") + " right";
  }
  return {};
}

question question_of(const statistic& s) {
  question q;
  const auto* w = wording_of(s);
  q.tile = w != nullptr ? w->tile : s.aspect == "identity" ? "identity" : "content";
  q.check = s.check;
  q.asked = w != nullptr ? w->asked : s.check;
  q.has_p = true;
  q.p_value = s.p_value;
  q.threshold = s.threshold;
  q.n = s.n;
  const bool too_few = s.check == "octet_chi_square" && s.n < content_checks::min_octets_for_chi_square;
  if (s.n == 0 || too_few) {
    q.answer = std::string("Not run: ") + (too_few && s.n > 0 ? "too few octets"
                                           : w != nullptr     ? w->why_not
                                                              : "no data");
    return q;
  }
  q.state = s.p_value < s.threshold ? test_state::failed : test_state::passed;
  q.answer = (q.state == test_state::failed ? "Yes: " : "No: ") + (w != nullptr ? measured(*w, s) : s.note);
  return q;
}

/// A check without a probability: what it finds cannot be chance.
struct certain_check {
  const char* tile;
  const char* check;
  const char* asked;
  std::uint64_t n;
  std::string of;  ///< "in 83 messages"
  const char* why_not = "nothing of this kind was heard";
};

question question_of(const certain_check& c, const verdict& v) {
  question q;
  q.tile = c.tile;
  q.check = c.check;
  q.asked = c.asked;
  q.n = c.n;
  const auto found =
      std::find_if(v.findings.begin(), v.findings.end(), [&](const auto& f) { return f.check == c.check; });
  if (found != v.findings.end()) {
    q.state = test_state::failed;
    q.answer = "Yes: " + found->reason;
  } else if (c.n == 0) {
    q.answer = std::string("Not run: ") + c.why_not;
  } else {
    q.state = test_state::passed;
    q.answer = "No: none " + c.of;
  }
  return q;
}

std::uint64_t remarked(const verdict& v, std::string_view check) {
  const auto at = std::find_if(v.remarks.begin(), v.remarks.end(), [&](const auto& r) { return r.check == check; });
  return at == v.remarks.end() ? 0 : std::max<std::uint64_t>(at->n_frames, 1);
}

std::vector<certain_check> certain_checks(const verdict& v) {
  const auto records = " " + std::to_string(v.records) + (v.records == 1 ? " message" : " messages");
  const auto codes = " " + std::to_string(v.discovery_frames) + " discovery messages";
  const auto replayed = remarked(v, "replayed_request"), altered = remarked(v, "altered_request");
  const auto set_ups = v.requests + v.commands + v.completes;
  const bool recognises = v.keys_tried > 0;
  constexpr const char* no_keys = "no stolen key was given (--compromised)";
  std::vector<certain_check> all{
      {"content", "count_reuse", "A key and counter used twice?", v.records, "in" + records},
      {"identity", "code_in_two_slots", "A discovery code in two slots?", v.discovery_frames, "of" + codes},
      {"identity", "code_does_not_rotate", "Discovery codes that stay the same?", v.discovery_frames, "of" + codes},
      {"identity", "l2_id_survives_rotation", "A layer-2 ID that outlives its session ID?", v.links,
       "of " + std::to_string(v.links) + " pairs of layer-2 IDs"},
      {"identity", "replayed_request_answered", "Does anybody answer a replayed request?", replayed,
       "of " + std::to_string(replayed) + " was answered", "nobody replayed one"},
      {"identity", "forged_request_answered", "Does anybody answer an altered request?", altered,
       "of " + std::to_string(altered) + " was answered", "nobody sent one"},
      {"stolen_keys", "stolen_key_opens", "Do stolen keys open links of others?", recognises ? v.trials : 0,
       "in " + std::to_string(v.trials) + " trials of " + std::to_string(v.keys_tried) + " keys", no_keys},
      {"stolen_keys", "stolen_key_recognises", "Do stolen keys recognise codes and set-ups of others?",
       recognises ? v.discovery_frames + set_ups : 0,
       "of " + std::to_string(v.discovery_frames) + " discovery and " + std::to_string(set_ups) + " set-up messages",
       recognises ? "nothing of this kind was heard" : no_keys},
  };
  const auto in_set_ups = "in " + std::to_string(set_ups) + " set-up messages";
  if (v.profile == judged_profile::ltesl) {
    all.insert(all.begin() + 4, {"identity", "ephemeral_reuse", "An ephemeral key used twice?", set_ups, in_set_ups});
    return all;
  }
  const auto in_requests = "in " + std::to_string(v.requests) + " Requests";
  all.push_back({"content", "nonce_reuse", "A nonce used twice?", set_ups, in_set_ups});
  all.push_back({"identity", "kd_id_in_clear", "Does a Request name its KD?", v.requests, in_requests});
  all.push_back({"identity", "user_info_in_clear", "Does a Request tell who asks?", v.requests, in_requests});
  return all;
}
}  // namespace

std::vector<question> questions_of(const verdict& v) {
  std::vector<question> all;
  for (const auto& s : v.statistics) all.push_back(question_of(s));
  for (const auto& c : certain_checks(v)) all.push_back(question_of(c, v));
  const auto place = [](const question& q) {
    const std::string_view tile = q.tile;
    return tile == "content" ? 0 : tile == "identity" ? 1 : 2;
  };
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return all;
}

}  // namespace prose::apps
