#include "phy/io/tar_list.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

namespace prose::phy {
namespace {
// IEEE Std 1003.1, pax: ustar interchange format.
constexpr std::uint64_t block = 512;
constexpr std::size_t name_at = 0, name_size = 100, size_at = 124, size_size = 12, sum_at = 148, sum_size = 8,
                      type_at = 156, magic_at = 257, prefix_at = 345, prefix_size = 155;
constexpr std::uint64_t max_extension = 1U << 20U;  // octets of a pax or GNU name record

using header = std::array<std::uint8_t, block>;

std::string text_of(std::span<const std::uint8_t> field) {
  const auto end = std::find(field.begin(), field.end(), std::uint8_t{0});
  return {field.begin(), end};
}

/// Octal digits, or GNU's binary form with the highest bit set.
std::optional<std::uint64_t> number_of(std::span<const std::uint8_t> field) {
  std::uint64_t v = 0;
  if ((field[0] & 0x80U) != 0) {
    if (field[0] != 0x80U) return std::nullopt;
    for (const auto b : field.subspan(1)) {
      if (v >> 55U != 0) return std::nullopt;
      v = v << 8U | b;
    }
    return v;
  }
  std::size_t i = 0;
  while (i < field.size() && field[i] == ' ') ++i;
  for (; i < field.size() && field[i] >= '0' && field[i] <= '7'; ++i) v = v << 3U | (field[i] - '0');
  if (i < field.size() && field[i] != 0 && field[i] != ' ') return std::nullopt;
  return v;
}

std::uint64_t sum_of(std::span<const std::uint8_t, block> h) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < h.size(); ++i) sum += i >= sum_at && i < sum_at + sum_size ? std::uint8_t{' '} : h[i];
  return sum;
}

/// "LENGTH KEY=VALUE\n" one after the other.
void read_pax(std::string_view text, std::optional<std::string>& path, std::optional<std::uint64_t>& size) {
  while (!text.empty()) {
    std::size_t length = 0, i = 0;
    for (; i < text.size() && i < 8 && text[i] >= '0' && text[i] <= '9'; ++i)
      length = length * 10 + static_cast<std::size_t>(text[i] - '0');
    if (i == 0 || i >= text.size() || text[i] != ' ' || length <= i + 1 || length > text.size()) return;
    const std::string_view record = text.substr(i + 1, length - i - 2);
    text.remove_prefix(length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") path = std::string(value);
    if (key == "size" && !value.empty() && value.size() <= 18 &&
        value.find_first_not_of("0123456789") == std::string_view::npos)
      size = std::stoull(std::string(value));
  }
}

}  // namespace

result<std::vector<tar_member>> list_tar(const octet_reader& read, std::uint64_t size, const std::string& archive) {
  std::vector<tar_member> out;
  std::optional<std::string> next_name;
  std::optional<std::uint64_t> next_size;
  std::uint64_t at = 0;
  while (at + block <= size) {
    header h;
    if (!read(at, h)) return fail(archive + ": cannot be read");
    if (std::all_of(h.begin(), h.end(), [](std::uint8_t b) { return b == 0; })) break;
    const auto sum = number_of(std::span(h).subspan(sum_at, sum_size));
    auto length = number_of(std::span(h).subspan(size_at, size_size));
    if (!sum || *sum != sum_of(h) || !length)
      return fail(archive + ": no tar archive, or damaged: no header of a file at octet " + std::to_string(at));
    const char type = static_cast<char>(h[type_at]);
    const bool extends = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    if (!extends && next_size) length = next_size;
    const std::uint64_t begin = at + block;
    if (*length > size - begin) return fail(archive + ": the archive is cut short");
    if (extends) {
      if (*length > max_extension)
        return fail(archive + ": no tar archive, or damaged: a name of " + std::to_string(*length) + " octets");
      std::vector<std::uint8_t> text(*length);
      if (!read(begin, text)) return fail(archive + ": cannot be read");
      if (type == 'x') read_pax({reinterpret_cast<const char*>(text.data()), text.size()}, next_name, next_size);
      if (type == 'L') next_name = text_of(text);
    } else {
      if (type == '0' || type == '\0' || type == '7') {
        std::string name = text_of(std::span(h).subspan(name_at, name_size));
        const bool ustar = std::memcmp(h.data() + magic_at, "ustar", 6) == 0;
        if (const auto folder = text_of(std::span(h).subspan(prefix_at, prefix_size)); ustar && !folder.empty())
          name = folder + "/" + name;
        if (out.size() == max_tar_members)
          return fail(archive + ": more than " + std::to_string(max_tar_members) + " files");
        out.push_back({next_name.value_or(std::move(name)), begin, *length});
      }
      next_name.reset();
      next_size.reset();
    }
    const std::uint64_t blocks = (*length + block - 1) / block;
    at = begin + blocks * block;
  }
  return out;
}

void make_tar_header(std::span<std::uint8_t, 512> out, const std::string& folder, const std::string& name,
                     std::uint64_t size) {
  assert(name.size() < name_size && folder.size() < prefix_size);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  const auto put = [&out](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), out.begin() + at);
  };
  char digits[24];
  put(name_at, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  if (size < (std::uint64_t{1} << 33U)) {
    std::snprintf(digits, sizeof digits, "%011llo", static_cast<unsigned long long>(size));
    put(size_at, digits);
  } else {  // GNU's binary form
    out[size_at] = 0x80;
    for (std::size_t i = 0; i < 8; ++i) out[size_at + size_size - 1 - i] = static_cast<std::uint8_t>(size >> (8 * i));
  }
  put(136, "00000000000");  // no date: the recording's own is in its metadata
  out[type_at] = '0';
  put(magic_at, std::string_view("ustar\00000", 8));
  put(prefix_at, folder);
  std::snprintf(digits, sizeof digits, "%06llo", static_cast<unsigned long long>(sum_of(out)));
  put(sum_at, digits);
  out[sum_at + 7] = ' ';
}

}  // namespace prose::phy
