// JSON text of others: one object of few levels, every key once. Whatever arrives, nothing deeper is built.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace prose::page {

using json = nlohmann::json;

inline constexpr int most_levels = 6;

/// Nothing where the text is no JSON object, nests deeper, is no UTF-8, or has a key twice.
std::optional<json> object_of(std::string_view text);
/// One line; text that is not UTF-8 is replaced.
std::string text_of(const json& value);

/// The value of a key, or what is given where it is absent, of another type, or (texts) longer than `most` octets.
std::string string_at(const json& object, const char* key, std::size_t most = 4096);
double number_at(const json& object, const char* key, double otherwise = 0);
bool true_at(const json& object, const char* key);

}  // namespace prose::page
