#include "apps/lib/common/file_roles.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <tuple>

#include "phy/io/sigmf_meta.h"

namespace prose::apps {

void file_roles::add(const std::string& option, const std::string& path, bool written) {
  if (!path.empty() && path != "-") roles_.push_back({option, path, written});
}

void file_roles::add_recording(const std::string& option, const std::string& path, bool written) {
  if (path.empty()) return;
  const auto names = phy::sigmf_paths_of(path);
  add(option, names.meta, written);
  add(option, names.data, written);
}

result<void> file_roles::check() const {
  using identity = std::tuple<dev_t, ino_t, std::string>;
  std::map<identity, const role*> seen;
  for (const bool written : {false, true})
    for (const auto& r : roles_) {
      if (r.written != written) continue;
      struct stat st {};
      identity id;
      if (::stat(r.path.c_str(), &st) == 0) {
        if (!S_ISREG(st.st_mode)) continue;
        id = {st.st_dev, st.st_ino, ""};
      } else {
        std::error_code failed;
        const auto absolute = std::filesystem::weakly_canonical(std::filesystem::absolute(r.path, failed), failed);
        id = {0, 0, failed ? r.path : absolute.string()};
      }
      const auto [at, is_new] = seen.try_emplace(id, &r);
      if (is_new || !written) continue;
      const role& other = *at->second;
      return fail(r.option + " " + r.path + ": would overwrite what " + other.option +
                  (other.written ? " writes" : " reads") +
                  (other.path == r.path ? std::string() : " (" + other.path + ")") + "; accepted: a file of its own");
    }
  return {};
}

}  // namespace prose::apps
