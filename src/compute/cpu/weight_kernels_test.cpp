// The weight kernels against the formulas written out, over awkward lengths, and one instruction set against
// the other.
#include "compute/cpu/weight_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "compute/cpu/cpu_features.h"

namespace assay::compute {
namespace {

constexpr std::int64_t kLengths[] = {0, 1, 15, 16, 17, 31, 33, 255, 1024, 1025, 4099};

std::vector<float> random_weights(std::int64_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> w(static_cast<std::size_t>(n));
    for (float& x : w) x = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.4);
    return w;
}

std::vector<const WeightKernels*> tables() {
    std::vector<const WeightKernels*> all{&kAvx2WeightKernels};
    if (has_avx512()) all.push_back(&kAvx512WeightKernels);
    return all;
}

// One grid of a group, as the caller makes it.
struct Grid {
    float scale = 0.09f, least = -8, most = 7;
    float inverse = 1 / scale;

    double error(float w) const {
        const float steps = std::clamp(std::nearbyint(w * inverse), least, most);
        return static_cast<double>(w) - static_cast<double>(steps) * static_cast<double>(scale);
    }
};

// A row's grids in arrays of one entry a group.
struct GridArrays {
    GridArrays(const std::vector<Grid>& all, std::uint16_t clamps) : bits(all.size() / 16 + 1, clamps) {
        for (const Grid& g : all) {
            scale.push_back(g.scale);
            inverse.push_back(g.inverse);
            least.push_back(g.least);
            most.push_back(g.most);
        }
    }
    Grids view() { return {scale.data(), inverse.data(), least.data(), most.data(), bits.data()}; }

    std::vector<float> scale, inverse, least, most;
    std::vector<std::uint16_t> bits;
};

TEST(WeightKernels, PowersAreThoseOfTheFormula) {
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            const std::vector<float> w = random_weights(n, 1);
            PowerRow row, expected;
            row.sums[2] = expected.sums[2] = 7;  // it adds
            for (float x : w) {
                const double d = static_cast<double>(x) - 0.125;
                for (int p = 0; p < 4; ++p) expected.sums[p] += std::pow(d, p + 1);
                expected.low = std::min(expected.low, x);
                expected.high = std::max(expected.high, x);
            }
            kernels->powers(w.data(), n, 0.125, &row);
            for (int p = 0; p < 4; ++p)
                EXPECT_NEAR(row.sums[p], expected.sums[p], 1e-13 * (1 + static_cast<double>(n)));
            EXPECT_EQ(row.low, expected.low);
            EXPECT_EQ(row.high, expected.high);
        }
    }
}

TEST(WeightKernels, RangesAreOfEachGroup) {
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            for (std::int64_t width : {1, 5, 16, 32, 100, 5000}) {
                const std::vector<float> w = random_weights(n, 2);
                std::vector<float> low(w.size() + 1, 9), high(w.size() + 1, 9);
                kernels->ranges(w.data(), n, width, low.data(), high.data());
                for (std::int64_t g = 0; g * width < n; ++g) {
                    const auto first = w.begin() + g * width, end = w.begin() + std::min(n, (g + 1) * width);
                    EXPECT_EQ(low[static_cast<std::size_t>(g)], *std::min_element(first, end));
                    EXPECT_EQ(high[static_cast<std::size_t>(g)], *std::max_element(first, end));
                }
                EXPECT_EQ(low.back(), 9);
            }
        }
    }
}

TEST(WeightKernels, OneBeyondIsExactlyOne) {
    const float kLow = -0.6f, kHigh = 0.7f;
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            for (int planted = 0; planted < 16; ++planted) {  // up to three on each side, in any place
                std::vector<float> w(static_cast<std::size_t>(n), kLow);
                for (std::size_t i = 0; i < w.size(); i += 2) w[i] = kHigh;
                for (int k = 0; k < planted % 4 && n > 0; ++k)
                    w[static_cast<std::size_t>(7 * planted + 31 * k) % w.size()] = -1;
                for (int k = 0; k < planted / 4 && n > 0; ++k)
                    w[static_cast<std::size_t>(3 + 5 * planted + 17 * k) % w.size()] = 1;
                const auto below = std::count(w.begin(), w.end(), -1.0f),
                           above = std::count(w.begin(), w.end(), 1.0f);
                EXPECT_EQ(kernels->one_beyond(w.data(), n, kLow, kHigh, false), below == 1 || above == 1);
                EXPECT_EQ(kernels->one_beyond(w.data(), n, kLow, kHigh, true), below + above == 1);
            }
        }
    }
}

TEST(WeightKernels, GridErrorsAreOfEachGroupsOwnGrid) {
    for (const WeightKernels* kernels : tables()) {
        for (int shift : {0, 2, 40}) {
            constexpr std::int64_t kUnits = 67;
            const std::vector<float> w = random_weights(kUnits * kRowUnit, 3);
            const std::size_t groups = shift > 30 ? 1 : (kUnits >> shift) + 1;
            std::vector<Grid> all[kGridsAtOnce];
            for (std::size_t g = 0; g < groups + 5; ++g) {
                for (int k = 0; k < kGridsAtOnce; ++k) {
                    const float scale = 0.02f * static_cast<float>(1 + (g + static_cast<std::size_t>(k)) % 5);
                    all[k].push_back({.scale = scale, .least = -9, .most = 5, .inverse = 1 / scale});
                }
            }
            GridArrays arrays[] = {{all[0], 0xffff}, {all[1], 0xffff}, {all[2], 0xffff}};
            GridRow row{.clamps = arrays[0].bits.data(), .first = 5, .shift = shift};
            for (int k = 0; k < kGridsAtOnce; ++k) row.grids[k] = arrays[k].view();
            double sums[kGridsAtOnce] = {1, 0, 0};
            kernels->grid_errors(w.data(), kUnits, &row, sums);
            for (int k = 0; k < kGridsAtOnce; ++k) {
                double expected = k == 0 ? 1 : 0;
                for (std::int64_t i = 0; i < kUnits * kRowUnit; ++i) {
                    const auto g = static_cast<std::size_t>(5 + ((i / kRowUnit) >> shift));
                    expected += std::pow(all[k][g].error(w[static_cast<std::size_t>(i)]), 2);
                }
                EXPECT_NEAR(sums[k], expected, 2e-6 * expected);
            }
        }
    }
}

TEST(WeightKernels, GridErrorsLeaveOutTheClampWhereItChangesNothing) {
    const std::vector<float> w = random_weights(64, 4);
    GridArrays arrays({{.scale = 0.1f, .least = -1, .most = 1}, {.scale = 0.1f, .least = -1, .most = 1}}, 0);
    GridRow row{.clamps = arrays.bits.data()};
    for (Grids& g : row.grids) g = arrays.view();
    double free[kGridsAtOnce] = {}, clamped[kGridsAtOnce] = {};
    for (const WeightKernels* kernels : tables()) {
        arrays.bits[0] = 0;
        kernels->grid_errors(w.data(), 2, &row, free);
        arrays.bits[0] = 3;
        kernels->grid_errors(w.data(), 2, &row, clamped);
        EXPECT_LT(10 * free[1], clamped[1]);
    }
}

TEST(WeightKernels, RowErrorsAreOfEachGroupsOwnGrid) {
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            for (std::int64_t width : {1, 7, 16, 50, 128, 5000}) {
                const std::vector<float> w = random_weights(n, 8);
                std::vector<Grid> all;
                for (std::int64_t g = 0; g < n / width + 3; ++g) {
                    const float scale = 0.03f * static_cast<float>(1 + g % 3);
                    all.push_back({.scale = scale, .least = -9, .most = 5, .inverse = 1 / scale});
                }
                GridArrays arrays(all, 0);
                const Grids view = arrays.view();
                ErrorRow row{.squares = 1}, expected{.squares = 1};
                for (std::size_t i = 0; i < w.size(); ++i) {
                    const double e = all[i / static_cast<std::size_t>(width) + 2].error(w[i]);
                    expected.squares += e * e;
                    expected.sizes += std::abs(e);
                    expected.largest = std::max(expected.largest, static_cast<float>(std::abs(e)));
                }
                kernels->row_errors(w.data(), n, width, &view, 2, &row);
                EXPECT_NEAR(row.squares, expected.squares, 3e-6 * expected.squares);
                EXPECT_NEAR(row.sizes, expected.sizes, 3e-6 * expected.sizes);
                EXPECT_NEAR(row.largest, expected.largest, 1e-6f);
            }
        }
    }
}

TEST(WeightKernels, CandidateErrorsAreOfEveryCandidate) {
    std::vector<Grid> all;
    for (int c = 0; c < kLanes; ++c) {
        const float scale = 0.05f + 0.01f * static_cast<float>(c);
        all.push_back({.scale = scale, .least = -6, .most = static_cast<float>(c), .inverse = 1 / scale});
    }
    GridArrays arrays(all, 0);
    const Grids view = arrays.view();
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            const std::vector<float> w = random_weights(n, 5);
            std::vector<float> m = random_weights(n, 55);
            for (float& x : m) x = x * x;
            double errors[kLanes], weighted[kLanes];
            kernels->candidate_errors(w.data(), nullptr, n, &view, errors);
            kernels->candidate_errors(w.data(), m.data(), n, &view, weighted);
            for (std::size_t c = 0; c < kLanes; ++c) {
                double expected = 0, expected_weighted = 0;
                for (std::size_t i = 0; i < w.size(); ++i) {
                    const double e = all[c].error(w[i]);
                    expected += e * e;
                    expected_weighted += e * e * static_cast<double>(m[i]);
                }
                EXPECT_NEAR(errors[c], expected, 3e-6 * expected);
                EXPECT_NEAR(weighted[c], expected_weighted, 3e-6 * expected_weighted);
            }
        }
    }
}

TEST(WeightKernels, ClipErrorsTellClippingFromRounding) {
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            for (std::int64_t width : {1, 7, 16, 50, 128, 5000}) {
                const std::vector<float> w = random_weights(n, 6);
                std::vector<Grid> all;
                std::vector<float> low, high;
                for (std::int64_t g = 0; g < n / width + 3; ++g) {
                    all.push_back({.scale = 0.1f, .least = -5, .most = 6, .inverse = 10});
                    low.push_back(g % 3 == 0 ? -0.5f : -5.0f);
                    high.push_back(g % 3 == 0 ? 0.6f : 5.0f);  // of other groups nothing is clipped
                }
                GridArrays arrays(all, 0xffff);
                const std::size_t groups = all.size();
                std::vector<float> lowest(groups), highest(groups);
                kernels->ranges(w.data(), n, width, &lowest[1], &highest[1]);
                // The middle one clips nothing, nor does the last, but its grid is another.
                const std::vector<float> least(groups, -9.0f), most(groups, 9.0f);
                for (Grid& g : all) g = {.scale = 0.2f, .least = -9, .most = 9, .inverse = 5};
                GridArrays coarse(all, 0);
                ClipSet set{.clips = {{arrays.view(), low.data(), high.data()},
                                      {arrays.view(), least.data(), most.data()},
                                      {coarse.view(), least.data(), most.data()}},
                            .count = 3,
                            .low = lowest.data(),
                            .high = highest.data()};
                ClipRow rows[3] = {{.clip = 2}, {}, {}}, expected{.clip = 2};
                double plain = 0, coarser = 0;
                for (std::size_t i = 0; i < w.size(); ++i) {
                    const std::size_t g = i / static_cast<std::size_t>(width) + 1;
                    const float c = std::clamp(w[i], low[g], high[g]);
                    const double cut = static_cast<double>(w[i]) - static_cast<double>(c);
                    const double steps = std::clamp(std::nearbyint(w[i] * 10.0f), -5.0f, 6.0f);
                    const double q = steps * static_cast<double>(0.1f);
                    expected.clip += cut * cut;
                    expected.rounding += std::pow(static_cast<double>(c) - q, 2);
                    expected.total += std::pow(static_cast<double>(w[i]) - q, 2);
                    expected.clipped += c != w[i] ? 1 : 0;
                    plain += std::pow(static_cast<double>(w[i]) - q, 2);
                    const double far = std::clamp(std::nearbyint(w[i] * 5.0f), -9.0f, 9.0f);
                    coarser += std::pow(static_cast<double>(w[i]) - far * static_cast<double>(0.2f), 2);
                }
                kernels->clip_errors(w.data(), n, width, &set, 1, rows);
                for (int k : {1, 2}) {
                    const double total = k == 1 ? plain : coarser;
                    EXPECT_NEAR(rows[k].total, total, 3e-6 * total);
                    EXPECT_EQ(rows[k].rounding, rows[k].total);
                    EXPECT_EQ(rows[k].clip, 0);
                    EXPECT_EQ(rows[k].clipped, 0);
                }
                const ClipRow& row = rows[0];
                EXPECT_NEAR(row.clip, expected.clip, 3e-6 * expected.clip);
                EXPECT_NEAR(row.rounding, expected.rounding, 3e-6 * expected.rounding);
                EXPECT_NEAR(row.total, expected.total, 3e-6 * expected.total);
                EXPECT_EQ(row.clipped, expected.clipped);
            }
        }
    }
}

TEST(WeightKernels, TheLimitsOfABandLieInside) {
    for (const WeightKernels* kernels : tables()) {
        for (std::int64_t n : kLengths) {
            std::vector<float> w = random_weights(n, 7);
            for (std::size_t i = 0; i < w.size(); i += 7) w[i] = i % 2 == 0 ? -1.0f : 1.0f;
            std::vector<std::int32_t> columns(w.size() + kLanes), expected;
            OutsideRow row;
            kernels->outside(w.data(), n, -1, 1, columns.data(), &row);
            float low = OutsideRow{}.low, high = OutsideRow{}.high;
            for (std::size_t i = 0; i < w.size(); ++i) {
                if (std::abs(w[i]) > 1) {
                    expected.push_back(static_cast<std::int32_t>(i));
                } else {
                    low = std::min(low, w[i]);
                    high = std::max(high, w[i]);
                }
            }
            columns.resize(static_cast<std::size_t>(row.count));
            EXPECT_EQ(columns, expected);
            EXPECT_EQ(row.low, low);
            EXPECT_EQ(row.high, high);
        }
    }
}

// All that a table computes of one row.
struct Everything {
    PowerRow powers;
    float low[200] = {}, high[200] = {};
    float grids[4][208] = {};
    std::uint16_t clamps[13] = {};
    double sums[kGridsAtOnce] = {}, errors[kLanes] = {};
    ClipRow clip[2];
    ErrorRow errors_of_row;
    float wide_low[200] = {}, wide_high[200] = {};
};

Everything everything(const WeightKernels& kernels, const std::vector<float>& w, const GridRule& rule) {
    Everything out;
    const auto n = static_cast<std::int64_t>(w.size());
    kernels.powers(w.data(), n, 0.01, &out.powers);
    kernels.ranges(w.data(), n, kRowUnit, out.low, out.high);
    const Grids grids{out.grids[0], out.grids[1], out.grids[2], out.grids[3], out.clamps};
    kernels.ranges(w.data(), n, 4 * kRowUnit, out.wide_low, out.wide_high);
    kernels.make_grids(&rule, out.low, out.high, n / kRowUnit / kLanes * kLanes, &grids);
    const GridRow row{.grids = {grids, grids, grids}, .clamps = out.clamps};
    kernels.grid_errors(w.data(), n / kRowUnit / kLanes * kLanes, &row, out.sums);
    kernels.candidate_errors(w.data(), nullptr, n, &grids, out.errors);
    const std::vector<float> low(200, -0.5f), high(200, 0.5f), least(200, -1.5f), most(200, 1.5f);
    const ClipSet set{.clips = {{grids, low.data(), high.data()}, {grids, least.data(), most.data()}},
                      .count = 2,
                      .low = out.low,
                      .high = out.high};
    kernels.clip_errors(w.data(), n, kRowUnit, &set, 0, out.clip);
    kernels.row_errors(w.data(), n, 47, &grids, 0, &out.errors_of_row);
    return out;
}

TEST(WeightKernels, BothInstructionSetsGiveTheSameBits) {
    if (!has_avx512()) GTEST_SKIP() << "this processor has no AVX-512";
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const std::vector<float> w = random_weights(6200 + static_cast<std::int64_t>(seed), 100 + seed);
        for (ScaleRounding rounding : {ScaleRounding::kF16, ScaleRounding::kBf16, ScaleRounding::kNone}) {
            const GridRule rule{.top = 15,
                                .steps = seed % 2 == 0 ? 15.0f : 7.0f,
                                .symmetric = seed % 2 != 0,
                                .rounding = rounding,
                                .smallest = 1e-7f};
            const Everything a = everything(kAvx2WeightKernels, w, rule),
                             b = everything(kAvx512WeightKernels, w, rule);
            EXPECT_EQ(std::memcmp(&a.powers, &b.powers, sizeof(a.powers)), 0);
            EXPECT_EQ(std::memcmp(a.low, b.low, sizeof(a.low)), 0);
            EXPECT_EQ(std::memcmp(a.high, b.high, sizeof(a.high)), 0);
            EXPECT_EQ(std::memcmp(a.wide_low, b.wide_low, sizeof(a.wide_low)), 0);
            EXPECT_EQ(std::memcmp(a.wide_high, b.wide_high, sizeof(a.wide_high)), 0);
            EXPECT_EQ(std::memcmp(a.grids, b.grids, sizeof(a.grids)), 0);
            EXPECT_EQ(std::memcmp(a.clamps, b.clamps, sizeof(a.clamps)), 0);
            EXPECT_EQ(std::memcmp(a.sums, b.sums, sizeof(a.sums)), 0);
            EXPECT_EQ(std::memcmp(a.errors, b.errors, sizeof(a.errors)), 0);
            EXPECT_EQ(a.errors_of_row.squares, b.errors_of_row.squares);
            EXPECT_EQ(a.errors_of_row.sizes, b.errors_of_row.sizes);
            EXPECT_EQ(a.errors_of_row.largest, b.errors_of_row.largest);
            EXPECT_EQ(std::memcmp(a.clip, b.clip, sizeof(a.clip)), 0);
        }
    }
}

}  // namespace
}  // namespace assay::compute
