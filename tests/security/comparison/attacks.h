// The attacks of docs/attacks.md that need no radio, each run on a profile; the figure as text, the same in every run.
#pragma once

#include <string>

#include "tests/security/comparison/two_profiles.h"

namespace prose::security::comparison {

inline std::string of(std::size_t n, std::size_t all) { return std::to_string(n) + " of " + std::to_string(all); }

std::string mary_reads_records(profile p);                  // row 1
std::string mary_forges_announcements(profile p);           // row 2
std::string kd_opens_the_past();                            // row 3, ts33303
std::string delayed_and_copied_announcements(profile p);    // row 4
std::string copied_messages(profile p);                     // row 4
std::string equal_texts(profile p);                         // row 5
std::string requests_linked(profile p);                     // row 6
std::string strangers_requests_answered(profile p);         // row 7
std::string requests_bid_down(profile p);                   // row 8
std::string request_altered(profile p);                     // row 8
std::string forged_reject(profile p);                       // row 9
std::string set_up_under_a_flood(profile p);                // row 9
std::string clock_set_back(profile p);                      // row 12
std::string weak_keys(profile p);                           // row 13
std::string records_altered(profile p, bool mac_i = true);  // row 14
std::string set_up_reflected(profile p);                    // row 16
std::string stolen_kd_impersonates();                       // row 16, ts33303

}  // namespace prose::security::comparison
