// Runs the attacks on both profiles and prints a line for each: row of docs/attacks.md, figure of profile ltesl, figure
// of profile ts33303, with tabs between. scripts/compare_profiles makes the table of docs/comparison.md from it.
#include <cstdio>

#include "tests/security/comparison/attacks.h"

using namespace prose::security::comparison;

int main() {
  const auto both = [](const char* row, auto attack) {
    std::printf("%s\t%s\t%s\n", row, attack(profile::ltesl).c_str(), attack(profile::ts33303).c_str());
    std::fflush(stdout);
  };
  const auto alone = [](const char* row, const std::string& figure) {
    std::printf("%s\t\t%s\n", row, figure.c_str());
    std::fflush(stdout);
  };
  both("1", mary_reads_records);
  both("2", mary_forges_announcements);
  alone("3", kd_opens_the_past());
  both("4a", delayed_and_copied_announcements);
  both("4b", copied_messages);
  both("5", equal_texts);
  both("6", requests_linked);
  both("7", strangers_requests_answered);
  both("8a", requests_bid_down);
  both("8b", request_altered);
  both("9a", set_up_under_a_flood);
  both("9b", forged_reject);
  both("12", clock_set_back);
  both("13", weak_keys);
  both("14a", [](profile p) { return records_altered(p); });
  alone("14b", records_altered(profile::ts33303, false));
  both("16a", set_up_reflected);
  alone("16b", stolen_kd_impersonates());
}
