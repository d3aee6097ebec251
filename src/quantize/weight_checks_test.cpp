#include "quantize/weight_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"
#include "tensor/float16.h"

namespace assay {
namespace {

Matrix<float> gaussian(std::int64_t rows, std::int64_t cols, std::uint64_t seed = 1) {
    Matrix<float> ones(rows, cols);
    std::fill(ones.values().begin(), ones.values().end(), 0.05f);
    return gaussian_twin(ones.view(), seed);
}

Matrix<float> rounded(Matrix<float> w, const char* format) {
    ThreadPool pool(1);
    rtn(w.view(), parse_number_format(format), w.view(), pool);
    return w;
}

std::optional<WeightGrid> grid_of(const Matrix<float>& w) {
    ThreadPool pool(2);
    return find_grid(w.view(), pool);
}

TEST(WeightGrids, RoundedWeightsShowBitsAndGroups) {
    const struct {
        const char* format;
        int bits;
        std::int64_t group;
    } cases[] = {{"int3-g64(scale=f32)", 3, 64},
                 {"int4-g64", 4, 64},
                 {"int4-g32", 4, 32},
                 {"int2-g128", 2, 128},
                 {"int8-sym-channel", 8, 0},
                 {"int4-sym-channel", 4, 0},
                 {"int8-g32", 8, 32}};
    for (const auto& c : cases) {
        const auto grid = grid_of(rounded(gaussian(24, 512), c.format));
        ASSERT_TRUE(grid) << c.format;
        EXPECT_EQ(grid->bits, c.bits) << c.format;
        EXPECT_EQ(grid->group, c.group) << c.format;
        EXPECT_TRUE(grid->holds_zero) << c.format;
        EXPECT_GE(grid->share, kGridShare);
    }
}

TEST(WeightGrids, GroupsSmallerThan32AreNotLookedFor) {
    EXPECT_FALSE(grid_of(rounded(gaussian(24, 512), "int4-g16")));
}

TEST(WeightGrids, AGridStoredInBfloat16IsSeen) {
    Matrix<float> w = rounded(gaussian(24, 512), "int4-g64");
    for (float& v : w.values()) v = bf16_to_f32(f32_to_bf16(v));
    const auto grid = grid_of(w);
    ASSERT_TRUE(grid);
    EXPECT_EQ(grid->bits, 4);
    EXPECT_EQ(grid->group, 64);
}

TEST(WeightGrids, AnOffsetGridDoesNotHoldZero) {
    Matrix<float> w(8, 64);
    Rng rng(3);
    for (float& v : w.values()) v = 0.37f + static_cast<float>(rng.below(16));
    const auto grid = grid_of(w);
    ASSERT_TRUE(grid);
    EXPECT_EQ(grid->bits, 4);
    EXPECT_FALSE(grid->holds_zero);
}

TEST(WeightGrids, UnroundedWeightsHaveNoGrid) {
    Matrix<float> w = gaussian(64, 256);
    EXPECT_FALSE(grid_of(w));
    for (float& v : w.values()) v = bf16_to_f32(f32_to_bf16(v));
    EXPECT_FALSE(grid_of(w));
    for (float& v : w.values()) v = round_to_f16(v);
    EXPECT_FALSE(grid_of(w));
    EXPECT_FALSE(grid_of(Matrix<float>(8, 64)));  // zeros lie on no grid of their own
    EXPECT_FALSE(grid_of(Matrix<float>(0, 0)));
}

TEST(WeightGrids, AFewGroupsOffTheGridAreForgiven) {
    Matrix<float> w = rounded(gaussian(64, 512), "int4-g64");
    w.view()(5, 100) += 0.003f;
    EXPECT_TRUE(grid_of(w));
    for (std::int64_t r = 0; r < 64; ++r) w.view()(r, 100) += 0.003f;  // an eighth of the groups
    EXPECT_FALSE(grid_of(w));
}

TEST(WeightNumerics, DeadChannelsAreCounted) {
    ThreadPool pool(2);
    Matrix<float> w = gaussian(16, 64);
    for (float& v : w.row(3)) v = 0;
    for (std::int64_t r = 0; r < 16; ++r) w.view()(r, 5) = w.view()(r, 60) = 0;
    const WeightNumerics n = check_numerics(w.view(), parse_number_format("int4-g32"), pool);
    EXPECT_EQ(n.dead_outputs, 1);
    EXPECT_EQ(n.dead_inputs, 2);
    EXPECT_EQ(n.groups, 32);
    EXPECT_EQ(n.zero_groups, 2);
    EXPECT_EQ(n.subnormal_scales, 0);
    EXPECT_EQ(n.f16_overflows, 0);
}

TEST(WeightNumerics, ScalesBelowNormalF16AreCounted) {
    ThreadPool pool(1);
    Matrix<float> w = gaussian(4, 64);
    for (float& v : w.row(1)) v *= 1e-3f;  // scales near 1e-5
    EXPECT_EQ(check_numerics(w.view(), parse_number_format("int4-g32"), pool).subnormal_scales, 2);
    EXPECT_EQ(check_numerics(w.view(), parse_number_format("int4-g32(scale=bf16)"), pool).groups, 0);
}

TEST(WeightNumerics, WeightsBeyondF16AreCounted) {
    ThreadPool pool(1);
    Matrix<float> w = gaussian(4, 64);
    w.view()(0, 0) = 65519;
    w.view()(1, 1) = -65520;
    EXPECT_EQ(check_numerics(w.view(), parse_number_format("int8-g32"), pool).f16_overflows, 1);
}

TEST(WeightNumerics, NanIsRefused) {
    ThreadPool pool(1);
    Matrix<float> w = gaussian(4, 64);
    w.view()(2, 7) = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW(check_numerics(w.view(), parse_number_format("mxfp4"), pool), NumericError);
}

}  // namespace
}  // namespace assay
