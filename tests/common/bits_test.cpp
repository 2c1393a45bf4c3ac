#include "common/bits.h"

#include <gtest/gtest.h>

#include <array>

#include "common/hex.h"
#include "common/octet_order.h"
#include "common/printable.h"

namespace prose {
namespace {

TEST(printable, terminal_codes_are_replaced_and_letters_stay) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\n\x7f\t"), "a?[2Jb????");
  EXPECT_EQ(printable("a\tb", ' ', true), "a\tb");
  EXPECT_EQ(printable("\x9b"
                      "2J \xc2\x9b"
                      "2J"),
            "?2J ??2J");
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b\xe2\x81\xa6\xe2\x80\xa8"
                      "c\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f"),
            "a???b??????c????????");
  for (const char* letters : {"\xd8\x9b", "\xd9\x9c", "\xe2\x80\x8d", "\xe2\x80\x90", "\xe2\x80\xa7", "\xe2\x80\xaf",
                              "\xe2\x81\xaa", "\xc3\xa9", "\xc4\x9b", "\xe2\x80\x9b", "\xf0\x9f\x98\x80"})
    EXPECT_EQ(printable(letters), letters);
}

TEST(bits, fields_are_most_significant_bit_first) {
  std::array<std::uint8_t, 12> bits{};
  bit_writer w(bits);
  w.put(0b101, 3);
  w.put(0x1ff, 9);
  EXPECT_EQ(w.position(), 12U);
  std::array<std::uint8_t, 2> packed{};
  pack_bits(bits, packed);
  EXPECT_EQ(to_hex(packed), "bff0");
}

TEST(bits, reading_past_the_end_gives_zeros_and_says_so) {
  const std::array<std::uint8_t, 3> bits{1, 1, 1};
  bit_reader r(bits);
  EXPECT_EQ(r.get(2), 3U);
  EXPECT_FALSE(r.overrun());
  EXPECT_EQ(r.get(3), 4U);
  EXPECT_TRUE(r.overrun());
}

TEST(hex, refuses_odd_lengths_and_other_characters) {
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("zz"));
  const auto bytes = from_hex("00fFa5");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(to_hex(*bytes), "00ffa5");
}

TEST(octet_order, octet_by_octet_and_what_another_begins_with_first) {
  const std::vector<std::vector<std::uint8_t>> sorted{{},       {0},   {0, 0},      {0, 255}, {1},
                                                      {127, 1}, {128}, {255, 0, 0}, {255, 1}};
  for (std::size_t i = 0; i < sorted.size(); ++i)
    for (std::size_t j = 0; j < sorted.size(); ++j)
      EXPECT_EQ(octet_order{}(sorted[i], sorted[j]), i < j) << i << " " << j;
  octet_set all(sorted.rbegin(), sorted.rend());
  EXPECT_FALSE(all.insert({128}).second);
  EXPECT_EQ(std::vector(all.begin(), all.end()), sorted);
}

}  // namespace
}  // namespace prose
