// What a peer, a file or a user can cause is a result, never an exception.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace prose {

/// One line for a human: what is wrong, where, and what is accepted.
struct error {
  std::string message;
};

template <class T, class E = error>
using result = tl::expected<T, E>;

inline tl::unexpected<error> fail(std::string message) { return tl::unexpected<error>(error{std::move(message)}); }

}  // namespace prose
