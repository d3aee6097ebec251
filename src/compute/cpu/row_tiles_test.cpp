#include "compute/cpu/row_tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay::compute {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

std::vector<std::int64_t> sizes(std::int64_t rows, int threads) {
    std::vector<std::int64_t> out;
    std::int64_t next = 0;
    for (const Tile& tile : row_tiles(rows, threads)) {
        EXPECT_EQ(tile.first_row, next);
        out.push_back(tile.rows);
        next += tile.rows;
    }
    EXPECT_EQ(next, rows);
    return out;
}

TEST(RowTiles, AreAsManyAsKeepAllThreadsBusy) {
    EXPECT_THAT(sizes(191, 2), ElementsAre(96, 95));
    EXPECT_THAT(sizes(764, 2), ElementsAre(192, 192, 192, 188));
    EXPECT_THAT(sizes(2048, 2), SizeIs(8));
    EXPECT_THAT(sizes(2048, 3), SizeIs(9));
    EXPECT_THAT(sizes(2048, 64), SizeIs(64));
}

TEST(RowTiles, AreNeverLargerThanABatchsOrTooSmall) {
    for (const int threads : {1, 2, 7, 64})
        EXPECT_THAT(sizes(3001, threads), Each(Le(Batch::kTileRows))) << threads;
    EXPECT_THAT(sizes(100, 64), ElementsAre(32, 32, 32, 4));
    EXPECT_THAT(sizes(0, 4), IsEmpty());
}

}  // namespace
}  // namespace assay::compute
