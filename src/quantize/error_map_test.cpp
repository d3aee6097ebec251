// The map against sums over cells, written out.
#include "quantize/error_map.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay {
namespace {

// w is the place of an error: 1 there, 0 elsewhere; rounded is all 0.
ErrorMap map_of_one_error(const char* format, std::int64_t out, std::int64_t in, std::int64_t row,
                          std::int64_t column) {
    Matrix<float> w(out, in), rounded(out, in);
    w.view()(row, column) = 1;
    ErrorMapSums all(parse_number_format(format), out, in), second = all;
    const std::int64_t half = out / 2;
    all.add(w.view().row_range(0, half), rounded.view().row_range(0, half), 0);
    second.add(w.view().row_range(half, out - half), rounded.view().row_range(half, out - half), half);
    all.merge(second);
    return all.map();
}

TEST(ErrorMap, HasACellForEachGroupOfASmallMatrix) {
    const ErrorMap map = map_of_one_error("int4-g16", 10, 40, 7, 33);  // groups of 16, 16 and 8
    EXPECT_EQ(map.rows, 10);
    EXPECT_EQ(map.columns, 3);
    for (std::size_t i = 0; i < map.rms.size(); ++i)
        EXPECT_DOUBLE_EQ(map.rms[i], i == 7 * 3 + 2 ? std::sqrt(1 / 8.0) : 0) << i;
}

TEST(ErrorMap, IsNeverLargerThanItsBound) {
    const ErrorMap map = map_of_one_error("int4-g32", 1000, 32 * 200, 999, 0);
    EXPECT_EQ(map.rows, 64);
    EXPECT_EQ(map.columns, 64);
    ASSERT_EQ(map.rms.size(), 64 * 64);
    // The last cell down holds the rows from 985 on, the first across the groups 0 to 3.
    EXPECT_DOUBLE_EQ(map.rms[63 * 64], std::sqrt(1 / (15.0 * 4 * 32)));
}

TEST(ErrorMap, OfAScaleForEachRowHasRunsOfColumns) {
    const ErrorMap map = map_of_one_error("int8-channel", 3, 100, 2, 96);
    EXPECT_EQ(map.rows, 3);
    EXPECT_EQ(map.columns, 4);
    EXPECT_DOUBLE_EQ(map.rms.back(), std::sqrt(1 / 4.0));
    EXPECT_EQ(map_of_one_error("int8-tensor", 3, 8, 0, 0).columns, 1);
    EXPECT_EQ(map_of_one_error("nvfp4", 3, 48, 0, 0).columns, 3);
}

TEST(ErrorMap, OfNothingIsEmpty) {
    EXPECT_TRUE(ErrorMapSums(parse_number_format("int4-g32"), 0, 32).map().rms.empty());
}

}  // namespace
}  // namespace assay
