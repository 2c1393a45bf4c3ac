// YAML configuration of any content.
#include <cstdlib>
#include <string>

#include "apps/lib/common/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto c = prose::apps::config_section::parse(std::string(reinterpret_cast<const char*>(data), size), "f");
  if (!c) return 0;
  std::string text;
  double number = 0;
  bool flag = false;
  std::vector<std::string> names;
  c->read("device", text);
  c->read("peers", names);
  auto radio = c->section("radio");
  radio.read("gain_db", number, 0.0, 90.0);
  radio.read("on", flag);
  for (auto& l : c->list("links")) l.read("name", text);
  for (const auto& k : c->keys()) (void)c->has(k);
  (void)c->check();
  return 0;
}
