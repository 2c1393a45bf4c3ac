// A YAML configuration, read strictly: every error is one line "FILE:LINE: key: what is wrong; accepted: ...".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/lib/common/config_record.h"
#include "common/result.h"

namespace prose::apps {

/// A map of the file. Reading a key that is absent leaves the variable as it was (so its value is the default). The
/// first mistake is kept for check(), the rest are ignored; a key that no code asked for is a mistake too.
///
///   auto file = config_section::load("mary.yaml");
///   auto radio = file->section("radio");
///   radio.read("tx_gain_db", tx_gain_db, 0.0, 90.0);
///   radio.read("device", device);
///   if (auto ok = file->check(); !ok) return usage_error("prose-ue", ok.error());
class config_section {
public:
  /// Empty files are an empty map. Refused: what others may write (apps/lib/common/safe_file.h).
  static result<config_section> load(const std::string& path);
  /// For one that is read again: a file, no pipe or device, so that nothing is waited for.
  static result<config_section> load_again(const std::string& path);
  static result<config_section> parse(const std::string& text, const std::string& name);

  bool has(std::string_view key) const;
  void read(std::string_view key, std::string& value);
  void read(std::string_view key, bool& value);
  void read(std::string_view key, int& value, int min, int max);
  void read(std::string_view key, std::int64_t& value, std::int64_t min, std::int64_t max);
  void read(std::string_view key, double& value, double min, double max);
  /// A file; a relative path is relative to this file.
  void read_path(std::string_view key, std::string& value);
  void read_paths(std::string_view key, std::vector<std::string>& value);
  /// A file; a relative path is relative to the working directory, and - is standard output where that is accepted.
  void read_path_here(std::string_view key, std::string& value);
  void read_paths_here(std::string_view key, std::vector<std::string>& value);
  /// A list; one text alone is a list of one.
  void read(std::string_view key, std::vector<std::string>& value);
  /// One of a few words.
  void read_choice(std::string_view key, std::string& value, const std::vector<std::string>& accepted);
  /// The mistake "key is missing" when it is absent.
  void require(std::string_view key);
  /// The map under a key; an empty one when the key is absent.
  config_section section(std::string_view key);
  /// The list of maps under a key.
  std::vector<config_section> list(std::string_view key);
  /// The keys of this map, for maps whose keys are names. Counts as asked for only once they are read.
  std::vector<std::string> keys() const;
  /// Adds a mistake of the caller's own, at the key's line ("FILE:LINE: key: message").
  void reject(std::string_view key, const std::string& message);
  /// "FILE:LINE: key", for mistakes that show only once the value is used. Empty when the key is absent.
  std::string where(std::string_view key) const;
  /// The first mistake of the whole file, or a key that nothing asked for.
  result<void> check() const;
  /// Line of this map, counted from 1; 0 when it is absent.
  int line() const;

  /// What was read of this map so far, with the values in force, as YAML. Files have absolute paths.
  std::string effective() const { return record_->yaml(); }
  /// The same map with every key absent. Reading it notes the values that the variables have now, of an option of the
  /// command line for example, in place of what was noted before.
  config_section in_force() const;
  /// Notes the list of maps in force under a key, each in one line of YAML.
  void note_list(std::string_view key, std::vector<std::string> maps) { record_->set_list(key, std::move(maps)); }

private:
  struct document;
  struct node;
  config_section(std::shared_ptr<document> d, std::shared_ptr<node> n, std::shared_ptr<config_record> r)
      : document_(std::move(d)), node_(std::move(n)), record_(std::move(r)) {}
  std::shared_ptr<node> find(std::string_view key, const char* accepted, int kind);
  int line_of(std::string_view key) const;
  std::optional<std::string> scalar(std::string_view key, const char* accepted);
  std::optional<std::vector<std::string>> texts(std::string_view key);
  std::shared_ptr<document> document_;
  std::shared_ptr<node> node_;
  std::shared_ptr<config_record> record_;
};

/// A path of a configuration file is relative to that file. Absolute and empty paths stay as they are.
std::string path_from_config(const std::string& config_path, const std::string& path);

}  // namespace prose::apps
