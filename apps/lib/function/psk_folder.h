// A server's pre-shared keys: FOLDER/NAME.psk for each user.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "apps/lib/keys/key_file.h"
#include "common/result.h"

namespace prose::function {

class psk_folder {
public:
  using reader = std::function<result<security::pre_shared_key>(const std::string& path)>;
  static result<psk_folder> open(const std::string& folder, reader read = keys::read_psk);
  /// The user's key; nothing if the name is not valid or has no readable file. Read at each call, so that removing a
  /// file locks the user out. The work is the same whether there is such a user: one file is read, and one that does
  /// not exist is asked for.
  std::optional<security::pre_shared_key> find(const std::string& name);

private:
  psk_folder(std::string folder, reader read) : folder_(std::move(folder)), read_(std::move(read)) {}
  std::string path_of(const std::string& name) const { return folder_ + "/" + name + ".psk"; }
  void read_another();
  std::string folder_;
  reader read_;
  std::string another_;  // a file that is read for names without one
};

}  // namespace prose::function
