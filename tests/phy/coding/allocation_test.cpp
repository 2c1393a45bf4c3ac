// encode() and decode() allocate nothing: the operator new of this program counts.
#include <gtest/gtest.h>

#include <vector>

#include "phy/coding/control_code.h"
#include "phy/coding/transport_code.h"
#include "tests/harness/allocations.h"

namespace prose::phy {
namespace {

TEST(coding, no_allocation_after_construction) {
  transport_encoder encoder;
  transport_decoder decoder;
  soft_buffer buffer;
  control_decoder control;
  std::vector<std::uint8_t> payload(97896, 1), coded(200000), out(97896), sci(48, 1), sci_coded(480);
  std::vector<llr> soft(200000), sci_soft(480);
  const long before = prose::test::allocations;
  for (const int tbs : {24, 232, 6120, 14688, 97896})
    for (int rv = 0; rv < 4; ++rv) {
      const transport_format f{tbs, 2, rv};
      const std::size_t n = tbs;
      encoder.encode(f, std::span<const std::uint8_t>(payload).first(n), std::span(coded).first(2 * n + 200));
      for (std::size_t i = 0; i < soft.size(); ++i) soft[i] = coded[i] != 0 ? -4.0F : 4.0F;
      buffer.reset(tbs);
      decoder.decode(f, std::span<const llr>(soft).first(2 * n + 200), buffer, std::span(out).first(n));
    }
  for (const std::size_t n : {32U, 40U, 48U}) {
    encode_control(std::span<const std::uint8_t>(sci).first(n), sci_coded);
    for (std::size_t i = 0; i < sci_soft.size(); ++i) sci_soft[i] = sci_coded[i] != 0 ? -4.0F : 4.0F;
    control.decode(sci_soft, std::span(out).first(n));
  }
  EXPECT_EQ(prose::test::allocations - before, 0);
  // The counter works.
  ::operator delete(::operator new(1));  // a new expression might be optimised away
  EXPECT_GT(prose::test::allocations - before, 0);
}

}  // namespace
}  // namespace prose::phy
