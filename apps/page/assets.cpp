#include "apps/page/assets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "apps/lib/common/file_descriptor.h"

namespace prose::page {
namespace {

constexpr std::pair<std::string_view, const char*> kinds[] = {{".html", "text/html; charset=utf-8"},
                                                              {".js", "text/javascript; charset=utf-8"},
                                                              {".css", "text/css; charset=utf-8"},
                                                              {".svg", "image/svg+xml"},
                                                              {".png", "image/png"},
                                                              {".ico", "image/x-icon"}};

/// Nothing that could lead out of the folder, or to a hidden file.
const char* type_of(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '.') return nullptr;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
  for (const auto& [end, type] : kinds)
    if (plain && name.size() > end.size() && name.substr(name.size() - end.size()) == end) return type;
  return nullptr;
}

/// Beside the program: PREFIX/bin and PREFIX/share/prose/page, or SOURCE/build/bin and SOURCE/apps/page/assets.
std::string usual_folder() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const char* place : {"../share/prose/page", "../../apps/page/assets"})
    if (std::filesystem::exists(program / place / "index.html", ignored))
      return (program / place).lexically_normal().string();
  return {};
}

}  // namespace

result<assets> assets::open(const std::string& folder) {
  assets a;
  a.folder_ = folder.empty() ? usual_folder() : folder;
  if (a.folder_.empty()) return fail("the page's files are not beside the program; accepted: --assets FOLDER");
  if (!a.read("index.html")) return fail("--assets " + a.folder_ + ": there is no index.html that can be read");
  return a;
}

std::optional<asset> assets::read(std::string_view name) const {
  const char* type = type_of(name);
  if (type == nullptr) return std::nullopt;
  const auto path = folder_ + '/' + std::string(name);
  const apps::file_descriptor f(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  struct stat is {};
  if (!f || fstat(f.get(), &is) != 0 || !S_ISREG(is.st_mode)) return std::nullopt;
  if (static_cast<std::size_t>(is.st_size) > most_octets) return std::nullopt;
  asset a{std::string(static_cast<std::size_t>(is.st_size), '\0'), type};
  const auto n = pread(f.get(), a.text.data(), a.text.size(), 0);
  a.text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return a;
}

}  // namespace prose::page
