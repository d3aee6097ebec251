#include "compute/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace assay::compute {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::int64_t> before(const Batch& batch, std::int64_t window) {
    const auto rows = batch.rows_before(window);
    return {rows.begin(), rows.end()};
}

TEST(Batch, WindowsFollowEachOther) {
    const Batch batch({200, 0, 100, 300});
    EXPECT_EQ(batch.rows(), 600);
    EXPECT_EQ(batch.window_first_row(3), 300);
    EXPECT_EQ(Batch({0, 0}).rows(), 0);
}

TEST(Batch, AWindowFollowsTheRowsOfThoseThatItContinues) {
    const std::vector<std::int64_t> continued{-1, 0, 1, 0, -1, 4};
    const Batch batch({3, 2, 1, 2, 1, 0}, continued);
    EXPECT_TRUE(batch.has_continued());
    EXPECT_THAT(before(batch, 0), IsEmpty());
    EXPECT_THAT(before(batch, 1), ElementsAre(0, 1, 2));
    EXPECT_THAT(before(batch, 2), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(before(batch, 3), ElementsAre(0, 1, 2));
    EXPECT_THAT(before(batch, 4), IsEmpty());
    EXPECT_THAT(before(batch, 5), ElementsAre(8));
    EXPECT_EQ(batch.positions(2), 6);
    EXPECT_EQ(batch.positions(5), 1);
}

TEST(Batch, WithoutAWindowThatContinuesAnotherIsAPlainOne) {
    const Batch batch({3, 2}, std::vector<std::int64_t>{-1, -1});
    EXPECT_FALSE(batch.has_continued());
    EXPECT_THAT(before(batch, 1), IsEmpty());
    EXPECT_EQ(batch.positions(1), 2);
}

TEST(Batch, RejectsWindowsThatCannotBe) {
    EXPECT_THROW(Batch({-1}), InvalidArgument);
    EXPECT_THROW(Batch({1, 1}, std::vector<std::int64_t>{-1}), InvalidArgument);
    EXPECT_THROW(Batch({1, 1}, std::vector<std::int64_t>{-1, 1}), InvalidArgument);
    EXPECT_THROW(Batch({1, 1}, std::vector<std::int64_t>{1, -1}), InvalidArgument);
}

}  // namespace
}  // namespace assay::compute
