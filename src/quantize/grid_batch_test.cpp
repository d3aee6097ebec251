// The grids of many groups against int_grid(), one group after the other.
#include "quantize/grid_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "number/int_grid.h"
#include "number/number_format.h"

namespace assay {
namespace {

// Ranges of all signs and sizes: two-sided, one-sided, constant, of zeros, tiny and huge.
void add_ranges(std::vector<float>& low, std::vector<float>& high) {
    Rng rng(5);
    for (int i = 0; i < 3000; ++i) {
        const double size = std::exp2(40 * rng.uniform() - 30);
        const double a = size * (2 * rng.uniform() - 1), b = i % 7 == 0 ? a : size * (2 * rng.uniform() - 1);
        low.push_back(static_cast<float>(std::min(a, b)));
        high.push_back(static_cast<float>(std::max(a, b)));
    }
    for (float x : {0.0f, 1e-38f, 1e-42f, 3e-8f, 60000.0f}) {
        low.insert(low.end(), {0.0f, -x, -x, x});
        high.insert(high.end(), {x, 0.0f, x, x});
    }
}

float value_of(const compute::Grids& grids, std::size_t i, float w) {
    const float steps = std::nearbyint(w * grids.inverse[i]);
    return std::min(std::max(steps, grids.least[i]), grids.most[i]) * grids.scale[i];
}

TEST(GridBatch, HoldsTheGridsOfSingleGroupsBitForBit) {
    std::vector<float> low, high;
    add_ranges(low, high);
    for (const char* text :
         {"int4-g32", "int4-sym-g32", "int3-g32", "int8-sym-g32", "int8-g32(scale=bf16)", "int2-sym-g32",
          "int3-sym-g32(scale=bf16)", "int8-g32(scale=f32)", "int4-sym-g32(scale=f32)"}) {
        const auto format = std::get<IntFormat>(parse_number_format(text));
        GridBatch batch;
        batch.make(format, low, high);
        ASSERT_EQ(batch.size(), low.size());
        const compute::Grids grids = batch.grids();
        for (std::size_t i = 0; i < low.size(); ++i) {
            const IntGrid grid = int_grid(format, low[i], high[i]);
            ASSERT_EQ(grids.scale[i], grid.scale) << text << " " << low[i] << " " << high[i];
            EXPECT_TRUE(std::isfinite(grids.inverse[i]));
            if (grid.scale == 0) continue;
            const float first = std::nearbyint(low[i] * grids.inverse[i]),
                        last = std::nearbyint(high[i] * grids.inverse[i]);
            EXPECT_EQ(grids.least[i], std::min(0.0f, std::max(first, -grid.zero)));
            EXPECT_EQ(grids.most[i], std::max(0.0f, std::min(last, grid.top - grid.zero)));
            const bool clamps = (grids.clamps[i / 16] >> (i % 16) & 1) != 0;
            EXPECT_EQ(clamps, first < -grid.zero || last > grid.top - grid.zero) << text << " " << i;
        }
    }
}

TEST(GridBatch, RoundsAsNearAsTheExactDivision) {
    std::vector<float> low, high;
    add_ranges(low, high);
    Rng rng(8);
    for (const char* text : {"int4-g32", "int8-sym-g32", "int3-g32(scale=f32)"}) {
        const auto format = std::get<IntFormat>(parse_number_format(text));
        GridBatch batch;
        batch.make(format, low, high);
        for (std::size_t i = 0; i < low.size(); ++i) {
            const IntGrid grid = int_grid(format, low[i], high[i]);
            for (int draw = 0; draw < 20; ++draw) {
                const float w = low[i] + static_cast<float>(rng.uniform()) * (high[i] - low[i]);
                EXPECT_NEAR(std::abs(w - value_of(batch.grids(), i, w)),
                            std::abs(w - grid.value(grid.code(w))), 1e-6f * std::abs(w) + 1e-38f)
                    << text << " " << w << " in " << low[i] << " " << high[i];
            }
        }
    }
}

TEST(GridBatch, RoundsWeightsOutsideOfTheRangeAsIfClipped) {
    const auto format = std::get<IntFormat>(parse_number_format("int4-g32"));
    GridBatch batch;
    batch.make(format, std::vector<float>{-0.75f, 0.5f}, std::vector<float>{1.5f, 2.0f});
    for (std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        const float low = i == 0 ? -0.75f : 0.0f, high = i == 0 ? 1.5f : 2.0f;
        EXPECT_EQ(value_of(batch.grids(), i, 100), value_of(batch.grids(), i, high));
        EXPECT_EQ(value_of(batch.grids(), i, -100), value_of(batch.grids(), i, low));
    }
}

TEST(GridBatch, AConstantWhoseScaleOverflowsTakesTheGeneralFormula) {
    const std::vector<float> value{1e6f};
    const auto format = std::get<IntFormat>(parse_number_format("int8-g32"));
    GridBatch batch;
    batch.make(format, value, value);
    EXPECT_EQ(batch.grids().scale[0], int_grid(format, 1e6f, 1e6f).scale);
}

TEST(GridBatch, AnOverflowThrowsAsOfASingleGroup) {
    GridBatch batch;
    const auto f16 = std::get<IntFormat>(parse_number_format("int4-g32"));
    const auto f32 = std::get<IntFormat>(parse_number_format("int4-g32(scale=f32)"));
    const std::vector<float> low{-1, -1e30f, 0}, high{1, 1e30f, 0};
    EXPECT_THROW(batch.make(f16, low, high), NumericError);
    EXPECT_NO_THROW(batch.make(f32, low, high));
    const float huge = std::numeric_limits<float>::max();
    EXPECT_THROW(batch.make(f32, std::vector<float>{-huge}, std::vector<float>{huge}), NumericError);
    EXPECT_THROW(batch.make(f32, std::vector<float>{-huge}, {}), InvalidArgument);
}

}  // namespace
}  // namespace assay
