#include "apps/lib/common/file_roles.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <tuple>

#include "phy/io/json_text.h"
#include "phy/io/sigmf_meta.h"

namespace prose::apps {
namespace {
constexpr const char* standard_output = "/dev/stdout";
}

void file_roles::add(const std::string& option, const std::string& path, bool written) {
  if (path.empty() || (path == "-" && !written)) return;
  roles_.push_back({option, path, path == "-" ? standard_output : path, written});
}

void file_roles::writes_recording(const std::string& option, const std::string& path) {
  if (path.empty()) return;
  const auto names = phy::sigmf_paths_of(path);
  add(option, names.meta, true);
  add(option, names.data, true);
}

void file_roles::reads_recording(const std::string& option, const std::string& path) {
  if (path.empty()) return;
  if (const auto archive = phy::sigmf_archive_of(path)) return add(option, archive->archive, false);
  const auto names = phy::sigmf_paths_of(path);
  add(option, names.meta, false);
  add(option, names.data, false);
  // The data may have a name of its own (core:dataset). A pipe can be read only once, and not for this.
  std::error_code ec;
  if (!std::filesystem::is_regular_file(names.meta, ec)) return;
  if (const auto text = phy::read_text_file(names.meta, phy::max_sigmf_meta_bytes))
    if (const auto meta = phy::parse_sigmf_meta(*text, names.meta); meta && !meta->dataset.empty())
      add(option, (std::filesystem::path(names.meta).parent_path() / meta->dataset).string(), false);
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
        const bool compared = S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
        if (!compared && r.path != standard_output) continue;
        if (compared)
          id = {st.st_dev, st.st_ino, ""};
        else
          id = {0, 0, standard_output};
      } else {
        std::error_code failed;
        const auto absolute = std::filesystem::weakly_canonical(std::filesystem::absolute(r.path, failed), failed);
        id = {0, 0, failed ? r.path : absolute.string()};
      }
      const auto [at, is_new] = seen.try_emplace(id, &r);
      if (is_new || !written) continue;
      const role& other = *at->second;
      return fail(r.option + " " + r.given + ": would overwrite what " + other.option +
                  (other.written ? " writes" : " reads") +
                  (other.path == r.path ? std::string() : " (" + other.path + ")") + "; accepted: a file of its own");
    }
  return {};
}

}  // namespace prose::apps
