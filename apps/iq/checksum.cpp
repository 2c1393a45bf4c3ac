#include "apps/iq/checksum.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "apps/lib/common/sha512.h"
#include "apps/lib/common/stop.h"

namespace prose::apps {
namespace {
result<std::string> digest_of(const phy::sigmf_reader& r) {
  const std::string& path = r.data_path();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> f(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!f || fseeko(f.get(), r.data_begin(), SEEK_SET) != 0) return fail(path + ": cannot be opened");
  sha512 d;
  std::vector<std::uint8_t> block(1U << 20U);
  const auto size = static_cast<std::uint64_t>(r.data_bytes());
  std::uint64_t done = 0;
  while (const auto n = std::fread(block.data(), 1, std::min<std::uint64_t>(block.size(), size - done), f.get())) {
    d.add({block.data(), n});
    done += n;
    if (stop_requested())
      return fail("stopped after " + std::to_string(done) + " of " + std::to_string(size) + " bytes of the digest");
  }
  if (std::ferror(f.get()) != 0) return fail(path + ": cannot be read");
  return d.finish();
}

/// Hexadecimal digits as people and programs write them: capitals, blanks around.
std::string plain_digest(const std::string& text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  const auto begin = std::find_if_not(text.begin(), text.end(), is_blank);
  const auto end = std::find_if_not(text.rbegin(), std::make_reverse_iterator(begin), is_blank).base();
  std::string out(begin, end);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

result<checksum> compare_checksum(const phy::sigmf_reader& r) {
  const std::string& given = r.meta().sha512;
  if (given.empty()) return checksum::absent;
  const auto d = digest_of(r);
  if (!d) return tl::unexpected(d.error());
  return *d == plain_digest(given) ? checksum::matches : checksum::differs;
}

}  // namespace prose::apps
