#include "apps/lib/function/psk_folder.h"

#include <filesystem>

#include "apps/lib/function/store.h"

namespace prose::function {
namespace {
namespace fs = std::filesystem;
constexpr const char* no_users_name = "~";  // not valid as a name
}  // namespace

result<psk_folder> psk_folder::open(const std::string& folder, reader read) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return fail(folder + ": not a folder; accepted: one of files NAME.psk");
  return psk_folder(folder, std::move(read));
}

std::optional<security::pre_shared_key> psk_folder::find(const std::string& name) {
  auto key = read_(path_of(valid_name(name) ? name : no_users_name));
  if (!key) {
    read_another();
    return std::nullopt;
  }
  (void)read_(path_of(no_users_name));
  return std::move(*key);
}

void psk_folder::read_another() {
  if (!another_.empty() && read_(another_)) return;
  // The first call, or the file is gone: the next one that can be read. Without any there is no user to be found out.
  std::error_code e;
  for (fs::directory_iterator it(folder_, e), end; !e && it != end; it.increment(e)) {
    another_ = it->path().string();
    if (it->path().extension() == ".psk" && read_(another_)) return;
  }
  another_.clear();
}

}  // namespace prose::function
