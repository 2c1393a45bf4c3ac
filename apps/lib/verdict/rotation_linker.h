// Does a layer-2 ID, a KD-sess ID or a field of the SCIs tell which link another one continues?
#pragma once

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/link_history.h"

namespace prose::apps {

inline constexpr int n_rotation_tests = 5;

/// Linkers: all values heard so far lie in a circle in order of their size; a new one is guessed to continue the link
/// of its neighbour below. Equal ones lie in random order. If values are drawn alike and independently, from whatever
/// distribution, each neighbour is equally likely whatever came before, so that trials are independent and their
/// chances exact. Values that count up, down, share leading or trailing octets, or recur are next to each other in one
/// of four orders. Steps: an adaptive code for the difference between an identifier and the one that it replaces, as
/// `code_saving` says. It sees regular steps where only one link is heard, and after few rotations.
void judge_rotations(const link_history& links, check_report& out);

}  // namespace prose::apps
