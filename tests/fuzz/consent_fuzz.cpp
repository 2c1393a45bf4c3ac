// Text as a consent list and as a server's statement: what is taken survives being written and read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/pc3/permission_book.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto l = keys::parse_consents(text, "fuzz")) {
    for (const auto& [name, c] : l->entries)
      if (!keys::valid_name(name)) __builtin_trap();
    const auto again = keys::parse_consents(keys::to_text(*l), "fuzz");
    if (!again || *again != *l) __builtin_trap();
  }
  if (const auto s = apps::parse_statement(text, "fuzz")) {
    const auto again = apps::parse_statement(apps::to_text(*s), "fuzz");
    if (!again || *again != *s) __builtin_trap();
  }
  return 0;
}
