// The section sidelink of a UE's configuration: what cannot work together is refused.
#include <gtest/gtest.h>

#include <string>

#include "apps/lib/common/config.h"
#include "apps/ue/program_config.h"

namespace prose::apps {
namespace {

result<program_config> read(const std::string& sidelink) {
  auto file = config_section::parse(
      "identity:\n  private_key: keys/john.key\ncarrier:\n  tm: 4\nsidelink:\n" + sidelink, "/etc/prose/john.yaml");
  if (!file) return tl::unexpected(file.error());
  return read_program_config(*file, "/etc/prose/john.yaml");
}

// In the pool of 25 PRB every size leaves bits open at MCS 20 (phy/types/open_bits.h).
TEST(sidelink_config, formats_that_one_transmission_cannot_carry) {
  EXPECT_TRUE(read("  mcs: 20\n"));
  EXPECT_TRUE(read("  mcs: 11\n  retransmit: false\n"));
  const auto c = read("  mcs: 20\n  retransmit: false\n");
  ASSERT_FALSE(c);
  EXPECT_NE(c.error().message.find("john.yaml:7: sidelink.retransmit"), std::string::npos) << c.error().message;
}

}  // namespace
}  // namespace prose::apps
