#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <array>

#include "base/checked.h"

namespace assay {
namespace {

TEST(ByteReader, ReadsLittleEndianAndAdvances) {
    const std::array<std::byte, 6> bytes{std::byte{1}, std::byte{2},   std::byte{0},
                                         std::byte{0}, std::byte{'h'}, std::byte{'i'}};
    ByteReader reader(bytes, "f");
    EXPECT_EQ(reader.read<std::uint32_t>(), 0x0201u);
    EXPECT_EQ(reader.take_text(2), "hi");
    EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, RejectsReadPastEndWithItsOffset) {
    const std::array<std::byte, 6> bytes{};
    ByteReader reader(bytes, "f");
    reader.take(4);
    try {
        reader.read<std::uint32_t>();
        FAIL() << "no exception";
    } catch (const FormatError& e) {
        EXPECT_EQ(e.offset(), 4u);
        EXPECT_NE(std::string(e.what()).find("truncated"), std::string::npos);
    }
}

TEST(ByteReader, RejectsAbsurdLengthWithoutOverflow) {
    const std::array<std::byte, 6> bytes{};
    ByteReader reader(bytes, "f");
    reader.take(2);
    EXPECT_THROW(reader.take(~std::uint64_t{0}), FormatError);
}

TEST(Checked, ReportsOverflowAsAbsence) {
    EXPECT_EQ(checked_mul(1u << 20, 1u << 20), std::uint64_t{1} << 40);
    EXPECT_FALSE(checked_mul(std::uint64_t{1} << 33, std::uint64_t{1} << 33));
    EXPECT_FALSE(checked_add(~std::uint64_t{0}, 1));
    const std::array<std::uint64_t, 3> factors{1u << 31, 1u << 31, 8};
    EXPECT_FALSE(checked_product(factors));
    EXPECT_EQ(checked_product({}), 1u);
    EXPECT_EQ(ceil_div(5, 2), 3);
    EXPECT_EQ(ceil_div(4, 2), 2);
    EXPECT_EQ(ceil_div(0, 2), 0);
}

}  // namespace
}  // namespace assay
