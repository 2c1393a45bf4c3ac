// What was read of a configuration: each key in the order of reading, with the value in force. --print-config.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prose::apps {

/// One map.
class config_record {
public:
  /// `yaml`: the value in one line.
  void set(std::string_view key, std::string yaml);
  /// A list of maps, each in one line.
  void set_list(std::string_view key, std::vector<std::string> yaml);
  /// The map under a key, made where it is not there.
  std::shared_ptr<config_record> map(std::string_view key);
  /// One more map of the list under a key.
  std::shared_ptr<config_record> add(std::string_view key);
  /// The list under a key, empty where it is not there.
  void list(std::string_view key) { entry_of(key, kind::list); }
  /// The whole map, a key a line.
  std::string yaml(const std::string& indent = {}) const;

private:
  enum class kind : std::uint8_t { value, map, list };
  struct entry {
    std::string key;
    kind what;
    std::string value;
    std::vector<std::string> lines;                    ///< of a list
    std::vector<std::shared_ptr<config_record>> maps;  ///< one, or those of a list
  };
  entry& entry_of(std::string_view key, kind what);
  std::vector<entry> entries_;
};

/// Values as a configuration takes them. A number keeps every digit that it needs.
std::string yaml_of(const std::string& text);
std::string yaml_of(const std::vector<std::string>& texts);
std::string yaml_of(double number);
/// What counts as a key that is not there.
inline constexpr const char* yaml_nothing = "null";

}  // namespace prose::apps
