// AWQ against plain double, and what must hold for any statistics.
#include "quantize/awq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "number/int_grid.h"
#include "quantize/clipping.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

using compute::SymmetricMatrix;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

IntFormat int_format(const std::string& text) {
    return std::get<IntFormat>(parse_number_format(text));
}

double normal(Rng& rng) {
    return rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() - 2;
}

Matrix<float> random_weight(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> w(rows, cols);
    Rng rng(seed);
    for (float& v : w.values()) v = static_cast<float>(normal(rng));
    return w;
}

// Σ x xᵀ of inputs with a few large channels, all of them correlated.
SymmetricMatrix random_statistics(std::int64_t n, std::int64_t samples, std::uint64_t seed) {
    Rng rng(seed);
    SymmetricMatrix h(n);
    std::vector<double> sizes, x(static_cast<std::size_t>(n));
    for (std::int64_t c = 0; c < n; ++c) sizes.push_back(rng.below(12) == 0 ? 20 : 0.2 + rng.uniform());
    for (std::int64_t t = 0; t < samples; ++t) {
        const double shared = normal(rng);
        for (std::size_t c = 0; c < x.size(); ++c) x[c] = sizes[c] * (normal(rng) + 0.5 * shared);
        for (std::int64_t r = 0; r < n; ++r) {
            for (std::int64_t c = 0; c <= r; ++c)
                h(r, c) += x[static_cast<std::size_t>(r)] * x[static_cast<std::size_t>(c)];
        }
    }
    return h;
}

std::vector<double> diagonal(const SymmetricMatrix& h) {
    std::vector<double> d;
    for (std::int64_t c = 0; c < h.size(); ++c) d.push_back(h(c, c));
    return d;
}

Matrix<float> decoded(const EncodedWeight& weight, const Matrix<float>& like) {
    ThreadPool pool(1);
    Matrix<float> out(like.rows(), like.cols());
    decode(weight, out.view(), pool);
    return out;
}

bool same(const Matrix<float>& a, const Matrix<float>& b) {
    return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

Matrix<float> columns_times(const Matrix<float>& w, std::span<const float> scales) {
    Matrix<float> out = w;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::size_t c = 0; c < scales.size(); ++c) out.row(r)[c] *= scales[c];
    }
    return out;
}

// tr((w - q) (H + λI) (w - q)ᵀ)
double output_error(const Matrix<float>& w, const Matrix<float>& q, const SymmetricMatrix& h, double damp) {
    const auto d = diagonal(h);
    double mean = 0, sum = 0;
    for (const double v : d) mean += v / static_cast<double>(d.size());
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        std::vector<double> e;
        for (std::int64_t c = 0; c < w.cols(); ++c)
            e.push_back(static_cast<double>(w.view()(r, c)) - static_cast<double>(q.view()(r, c)));
        for (std::int64_t a = 0; a < w.cols(); ++a) {
            for (std::int64_t b = 0; b < w.cols(); ++b) {
                const double weight = h(a, b) + (a == b ? damp * mean : 0);
                sum += e[static_cast<std::size_t>(a)] * weight * e[static_cast<std::size_t>(b)];
            }
        }
    }
    return sum;
}

// The paper's search in plain double: scales, then round to nearest group by group (rows of g columns).
struct NaiveAwq {
    std::vector<double> scales;
    Matrix<float> dequantized;
};
NaiveAwq naive_awq(const Matrix<float>& w, const SymmetricMatrix& h, double alpha, const IntFormat& format,
                   std::int64_t g) {
    NaiveAwq out{{}, w};
    for (const double e : diagonal(h)) out.scales.push_back(std::pow(std::sqrt(e), alpha));
    const double high = *std::max_element(out.scales.begin(), out.scales.end()),
                 low = *std::min_element(out.scales.begin(), out.scales.end());
    for (double& s : out.scales) s /= std::sqrt(high * low);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t first = 0; first < w.cols(); first += g) {
            float least = 0, most = 0;
            std::vector<float> scaled;
            for (std::int64_t c = first; c < first + g; ++c) {
                const float s = static_cast<float>(out.scales[static_cast<std::size_t>(c)]);
                scaled.push_back(w.view()(r, c) * s);
                least = std::min(least, scaled.back());
                most = std::max(most, scaled.back());
            }
            const IntGrid grid = int_grid(format, least, most);
            for (std::int64_t c = first; c < first + g; ++c) {
                const float s = static_cast<float>(out.scales[static_cast<std::size_t>(c)]);
                out.dequantized.view()(r, c) =
                    grid.value(grid.code(scaled[static_cast<std::size_t>(c - first)])) / s;
            }
        }
    }
    return out;
}

TEST(Awq, CandidatesErrorsAndWeightsAreThoseOfPlainDouble) {
    ThreadPool pool(2);
    const Matrix<float> w = random_weight(70, 96, 1);
    const SymmetricMatrix h = random_statistics(96, 300, 2);
    const InputFactor factor = factor_input(h, {.damp = 0.05}, pool);
    const auto candidates = awq_candidates(factor.energy, {});
    ASSERT_EQ(candidates.size(), 20u);
    for (const char* text : {"int4-g32", "int3-sym-g16", "int4-g96(scale=f32)"}) {
        const AwqRounding rounding{.format = int_format(text), .clip = false};
        const auto errors = awq_errors(w.view(), factor, candidates, rounding, pool);
        ASSERT_EQ(errors.size(), candidates.size());
        for (std::size_t k = 0; k < candidates.size(); ++k) {
            const double alpha = static_cast<double>(k) / 20;
            EXPECT_DOUBLE_EQ(candidates[k].alpha, alpha);
            const std::int64_t g = rounding.format.tile.columns;
            const NaiveAwq naive = naive_awq(w, h, alpha, rounding.format, g);
            for (std::size_t c = 0; c < 96; ++c)
                ASSERT_NEAR(static_cast<double>(candidates[k].scales[c]), naive.scales[c],
                            1e-6 * naive.scales[c]);
            const double expected = output_error(w, naive.dequantized, h, 0.05);
            // a scale may differ in its last bit, and a code near the middle of two with it
            EXPECT_NEAR(errors[k], expected, 2e-3 * expected) << text << " " << alpha;
            const GptqResult result = awq(w.view(), factor, candidates[k].scales, rounding, pool);
            EXPECT_NEAR(result.error, errors[k], 1e-4 * expected);
            EXPECT_NEAR(output_error(w, decoded(result.weight, w), h, 0.05), result.error, 1e-6 * expected);
        }
    }
}

TEST(Awq, AlphaZeroWithoutClippingIsRoundToNearestBitForBit) {
    ThreadPool pool(2);
    for (const char* text :
         {"int4-g32", "int3-sym-g16", "int8-channel", "int4-g64", "int2-g16(scale=bf16)"}) {
        const IntFormat format = int_format(text);
        const Matrix<float> w = random_weight(33, 100, 3);
        Matrix<float> rounded = w;
        rtn(w.view(), format, rounded.view(), pool);
        const InputFactor factor = factor_input(random_statistics(100, 300, 4), {}, pool);
        const auto candidates = awq_candidates(factor.energy, {});
        for (const float s : candidates[0].scales) EXPECT_EQ(s, 1);
        const AwqRounding plain{.format = format, .clip = false};
        for (const auto& scales : {candidates[0].scales, std::vector<float>()}) {
            const GptqResult result = awq(w.view(), factor, scales, plain, pool);
            EXPECT_TRUE(same(decoded(result.weight, w), rounded)) << text;
            EXPECT_DOUBLE_EQ(result.error, result.rtn_error);
        }
        EXPECT_NEAR(awq_errors(w.view(), factor, std::span(candidates).first(1), plain, pool)[0],
                    weighted_error(factor, w.view(), rounded.view(), pool), 0);
    }
}

TEST(Awq, TheChosenErrorIsNoMoreThanThatOfRoundToNearestAndOftenFarLess) {
    ThreadPool pool(2);
    double ratio = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const Matrix<float> w = random_weight(20, 64, 2 * seed);
        const InputFactor factor = factor_input(random_statistics(64, 200, 2 * seed + 1), {}, pool);
        const auto candidates = awq_candidates(factor.energy, {});
        for (const bool clip : {false, true}) {
            const AwqRounding rounding{.format = int_format("int3-g32"), .clip = clip};
            const auto errors = awq_errors(w.view(), factor, candidates, rounding, pool);
            const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
            const GptqResult result =
                awq(w.view(), factor, candidates[static_cast<std::size_t>(best)].scales, rounding, pool);
            if (!clip) {
                EXPECT_LE(result.error, result.rtn_error * (1 + 1e-6)) << seed;
            }
            ratio += result.error / result.rtn_error / 200;
        }
    }
    EXPECT_LT(ratio, 0.5);
}

TEST(Awq, ClippedRangesAreThoseOfTheScaledWeightsForTheScaledInputs) {
    ThreadPool pool(2);
    const Matrix<float> w = random_weight(40, 96, 5);
    const InputFactor factor = factor_input(random_statistics(96, 300, 6), {}, pool);
    const AwqScales scales = awq_candidates(factor.energy, {})[8];
    const GptqResult result = awq(w.view(), factor, scales.scales, {.format = int_format("int3-g32")}, pool);
    std::vector<double> importance = factor.energy;
    for (std::size_t c = 0; c < importance.size(); ++c)
        importance[c] /= static_cast<double>(scales.scales[c]) * static_cast<double>(scales.scales[c]);
    Matrix<float> expected = columns_times(w, scales.scales);
    round_clipped(expected.view(), int_format("int3-g32"), importance, pool);
    EncodedWeight unscaled = result.weight;
    unscaled.column_scales.clear();
    EXPECT_TRUE(same(decoded(unscaled, w), expected));
    Matrix<float> divided = expected;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::size_t c = 0; c < 96; ++c) divided.row(r)[c] /= scales.scales[c];
    }
    EXPECT_TRUE(same(decoded(result.weight, w), divided));
}

TEST(Awq, WithGptqItIsGptqOfTheScaledWeightsOnTheScaledInputs) {
    ThreadPool pool(2);
    const Matrix<float> w = random_weight(40, 128, 7);
    const SymmetricMatrix h = random_statistics(128, 1000, 8);
    const std::vector<float> scales = awq_candidates(diagonal(h), {})[9].scales;
    SymmetricMatrix divided(128);
    for (std::int64_t r = 0; r < 128; ++r) {
        for (std::int64_t c = 0; c <= r; ++c)
            divided(r, c) = h(r, c) / static_cast<double>(scales[static_cast<std::size_t>(r)]) /
                            static_cast<double>(scales[static_cast<std::size_t>(c)]);
    }
    const IntFormat format = int_format("int4-g32");
    for (const bool clip : {false, true}) {
        const GptqResult result =
            awq(w.view(), factor_input(h, {.damp = 0}, pool), scales,
                {.format = format, .clip = clip, .gptq = true, .static_groups = true}, pool);
        const GptqResult expected =
            gptq(columns_times(w, scales).view(), format, factor_input(divided, {.damp = 0}, pool),
                 {.static_groups = true, .clip = clip}, pool);
        const auto codes = result.weight.encoding.codes.values(),
                   other = expected.weight.encoding.codes.values();
        EXPECT_TRUE(std::equal(codes.begin(), codes.end(), other.begin(), other.end()));
        EXPECT_NEAR(result.error, expected.error, 1e-6 * expected.error);
        EXPECT_LT(result.error, result.rtn_error);
    }
}

TEST(Awq, AFactorOfDividedInputsWeighsErrorsAsBefore) {
    ThreadPool pool(2);
    const Matrix<float> w = random_weight(10, 100, 9), q = random_weight(10, 100, 10);
    const InputFactor factor = factor_input(random_statistics(100, 400, 11), {.by_energy = true}, pool);
    Rng rng(12);
    std::vector<float> scales;
    for (int c = 0; c < 100; ++c) scales.push_back(std::ldexp(1.0f, static_cast<int>(rng.below(9)) - 4));
    const InputFactor divided = rescaled(factor, scales);
    EXPECT_EQ(weighted_error(divided, columns_times(w, scales).view(), columns_times(q, scales).view(), pool),
              weighted_error(factor, w.view(), q.view(), pool));
    EXPECT_EQ(divided.energy[7], factor.energy[7] / std::pow(static_cast<double>(scales[7]), 2));
    EXPECT_THROW(rescaled(factor, std::vector<float>(99, 1.0f)), InvalidArgument);
}

TEST(Awq, ChannelsOfOneRowShareTheScaleOfTheirTogetherMagnitude) {
    const std::vector<double> energy{1, 4, 3, 0, 12, 0};
    const std::vector<std::int64_t> rows{5, 6, 5, 6, 7, 8};
    const auto tied = awq_candidates(energy, rows),
               same_sums = awq_candidates(std::vector<double>{4, 4, 4, 4, 12, 0}, {});
    for (std::size_t k = 0; k < tied.size(); ++k) EXPECT_EQ(tied[k].scales, same_sums[k].scales);
    EXPECT_EQ(tied[10].scales[0], tied[10].scales[2]);
    EXPECT_LT(tied[10].scales[0], tied[10].scales[4]);
    EXPECT_EQ(tied[10].scales[5], tied[10].scales[0]);  // dead: as the smallest of the others
    EXPECT_THROW(awq_candidates(energy, std::vector<std::int64_t>(5)), InvalidArgument);
}

TEST(Awq, DeadChannelsAndDeadInputsKeepScalesFinite) {
    const auto dead = awq_candidates(std::vector<double>(8, 0.0), {});
    for (const AwqScales& one : dead) {
        for (const float s : one.scales) EXPECT_EQ(s, 1);
    }
    for (const AwqScales& one : awq_candidates(std::vector<double>{1e-60, 1, 1e60, 0}, {})) {
        for (const float s : one.scales) EXPECT_TRUE(std::isfinite(s) && s > 0) << one.alpha;
    }
    EXPECT_THROW(awq_candidates(std::vector<double>{1, kNaN}, {}), NumericError);
    EXPECT_THROW(awq_candidates(std::vector<double>{1, -1}, {}), NumericError);
}

TEST(Awq, ScalesThatOverflowTheFormatAreNeverChosen) {
    ThreadPool pool(2);
    const Matrix<float> w = random_weight(4, 16, 13);
    SymmetricMatrix h(16);
    for (std::int64_t c = 0; c < 16; ++c) h(c, c) = c == 3 ? 1e40 : 1;
    const InputFactor factor = factor_input(h, {}, pool);
    const auto candidates = awq_candidates(factor.energy, {});
    const auto errors = awq_errors(w.view(), factor, candidates, {.format = int_format("int4-g16")}, pool);
    EXPECT_TRUE(std::isfinite(errors.front()));
    EXPECT_TRUE(std::isinf(errors.back()));
}

TEST(Awq, StatisticsThatFailRoundScaledWeightsToNearest) {
    ThreadPool pool(2);
    const Matrix<float> w = random_weight(20, 64, 14);
    SymmetricMatrix h = random_statistics(64, 200, 15);
    const std::vector<float> scales = awq_candidates(diagonal(h), {})[6].scales;
    h(9, 4) = kNaN;
    const InputFactor factor = factor_input(h, {}, pool);
    const GptqResult result = awq(w.view(), factor, scales, {.format = int_format("int4-g32")}, pool);
    EXPECT_THAT(result.fallback, HasSubstr("NaN"));
    Matrix<float> expected = columns_times(w, scales);
    rtn(expected.view(), int_format("int4-g32"), expected.view(), pool);
    EncodedWeight unscaled = result.weight;
    unscaled.column_scales.clear();
    EXPECT_TRUE(same(decoded(unscaled, w), expected));
    EXPECT_THROW(awq_errors(w.view(), factor, awq_candidates(std::vector<double>(64, 1), {}),
                            {.format = int_format("int4-g32"), .clip = false}, pool),
                 InvalidArgument);
    EXPECT_THROW(
        awq(w.view(), factor, std::vector<float>(63, 1.0f), {.format = int_format("int4-g32")}, pool),
        InvalidArgument);
}

TEST(Awq, ThreadsChangeNoBit) {
    const Matrix<float> w = random_weight(200, 96, 16);
    const SymmetricMatrix h = random_statistics(96, 300, 17);
    std::vector<std::vector<double>> errors;
    for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        const InputFactor factor = factor_input(h, {}, pool);
        errors.push_back(awq_errors(w.view(), factor, awq_candidates(factor.energy, {}),
                                    {.format = int_format("int4-g32")}, pool));
    }
    EXPECT_EQ(errors[0], errors[1]);
}

TEST(Awq, AWeightWithScalesOfAnotherNumberCannotBeDecoded) {
    ThreadPool pool(1);
    const Matrix<float> w = random_weight(4, 32, 18);
    EncodedWeight weight{int_format("int4-g32"), encode_int(w.view(), int_format("int4-g32"), pool), {}, {}};
    weight.column_scales.assign(31, 1.0f);
    Matrix<float> out(4, 32);
    EXPECT_THROW(decode(weight, out.view(), pool), InvalidArgument);
}

}  // namespace
}  // namespace assay
