// Clipping by the search, by thresholds, and the sweep over both, against the formulas written out.
#include "quantize/clipping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/clip_sweep.h"
#include "quantize/interventions.h"
#include "quantize/magnitude_quantiles.h"
#include "quantize/rtn.h"
#include "tensor/float16.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed = 1) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() * 2 - 1);
    return m;
}

// Σ x² of channels of which some have far more than others.
std::vector<double> random_energies(std::int64_t channels) {
    std::vector<double> energies;
    Rng rng(8);
    for (std::int64_t c = 0; c < channels; ++c) energies.push_back(std::pow(10, 4 * rng.uniform()));
    return energies;
}

double squared_distance(const Matrix<float>& a, const Matrix<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.values().size(); ++i) {
        const double d = static_cast<double>(a.values()[i]) - static_cast<double>(b.values()[i]);
        sum += d * d;
    }
    return sum;
}

Matrix<float> rounded(const Matrix<float>& w, const NumberFormat& format) {
    ThreadPool pool(1);
    Matrix<float> out = w;
    rtn(out.view(), format, out.view(), pool);
    return out;
}

TEST(Clipping, ClippingNeverRoundsWorseAndHelpsALongTail) {
    ThreadPool pool(2);
    for (const char* text : {"int4-g32", "int3-sym-channel", "int4-b16x32", "fp8-e4m3", "mxfp4"}) {
        const NumberFormat format = parse_number_format(text);
        Matrix<float> w = random_matrix(32, 64), clipped = w;
        for (std::int64_t r = 0; r < 32; ++r) w.view()(r, 3) = clipped.view()(r, 3) = 2.0f;
        const double plain = squared_distance(w, rounded(w, format));
        round_clipped(clipped.view(), format, pool);
        EXPECT_LE(squared_distance(w, clipped), plain) << text;
    }
    const NumberFormat format = parse_number_format("int3-sym-channel");
    const Matrix<float> tailed = gaussian_twin(random_matrix(16, 512).view(), 1);
    Matrix<float> clipped = tailed;
    round_clipped(clipped.view(), format, pool);
    EXPECT_LT(squared_distance(tailed, clipped), 0.7 * squared_distance(tailed, rounded(tailed, format)));
}

TEST(Clipping, EveryGroupTakesItsOwnBestRatio) {
    ThreadPool pool(1);
    const IntFormat format{.bits = 3, .tile = group_tile(16)};
    const Matrix<float> w = random_matrix(2, 32);
    Matrix<float> clipped = w;
    round_clipped(clipped.view(), format, pool);
    for (std::int64_t r = 0; r < 2; ++r) {
        for (std::int64_t g = 0; g < 2; ++g) {  // each group alone gives the same
            Matrix<float> alone(1, 16);
            std::copy_n(w.row(r).begin() + 16 * g, 16, alone.row(0).begin());
            round_clipped(alone.view(), format, pool);
            for (std::int64_t c = 0; c < 16; ++c)
                EXPECT_EQ(alone.view()(0, c), clipped.view()(r, 16 * g + c));
        }
    }
}

// The clip of one group with the least Σ m (w - rounded)², by trying all.
Matrix<float> tried(const Matrix<float>& group, const NumberFormat& format, const std::vector<double>& m) {
    double least = INFINITY;
    Matrix<float> best;
    const auto [low, high] = std::minmax_element(group.values().begin(), group.values().end());
    for (float ratio : kClipRatios) {
        Matrix<float> clipped = group;
        for (float& x : clipped.values())
            x = std::clamp(x, ratio * std::min(0.0f, *low), ratio * std::max(0.0f, *high));
        clipped = rounded(clipped, format);
        double sum = 0;
        for (std::size_t i = 0; i < group.values().size(); ++i)
            sum += m[i] * std::pow(group.values()[i] - clipped.values()[i], 2);
        if (sum < least) best = clipped;
        least = std::min(least, sum);
    }
    return best;
}

TEST(Clipping, EveryGroupOfARowTakesTheRatioThatTryingFinds) {
    ThreadPool pool(2);
    Rng rng(4);
    for (const char* text :
         {"int4-g48", "int3-sym-g32", "int4-channel", "int8-g16(scale=f32)", "int4-sym-g64(scale=bf16)"}) {
        const NumberFormat format = parse_number_format(text);
        Matrix<float> w = gaussian_twin(random_matrix(9, 200).view(), 3);
        for (float& x : w.row(2)) x = std::abs(x) + 0.5f;  // one-sided
        for (float& x : w.row(3)) x = -0.7f;
        for (float& x : w.row(4)) x = 0;
        std::vector<double> m(200);
        for (double& x : m) x = 0.1 + rng.uniform();
        for (bool weighted : {false, true}) {
            Matrix<float> clipped = w;
            round_clipped(clipped.view(), format, weighted ? m : std::vector<double>(), pool);
            const auto& f = std::get<IntFormat>(format);
            const std::int64_t width = f.tile.columns == 0 ? 200 : f.tile.columns;
            for (std::int64_t r = 0; r < 9; ++r) {
                for (std::int64_t c = 0; c < 200; c += width) {
                    const std::int64_t n = std::min(width, 200 - c);
                    Matrix<float> group(1, n);
                    std::copy_n(w.row(r).begin() + c, n, group.values().begin());
                    std::vector<double> ones(static_cast<std::size_t>(n), 1.0);
                    if (weighted) std::copy_n(m.begin() + c, n, ones.begin());
                    const Matrix<float> expected = tried(group, format, ones);
                    for (std::int64_t i = 0; i < n; ++i)
                        ASSERT_EQ(clipped.view()(r, c + i), expected.view()(0, i)) << text << " row " << r;
                }
            }
        }
    }
}

TEST(Clipping, ColumnWeightsMustBeOneForEachColumn) {
    ThreadPool pool(1);
    Matrix<float> w = random_matrix(2, 8);
    EXPECT_THROW(round_clipped(w.view(), parse_number_format("int4-g8"), std::vector<double>(7), pool),
                 InvalidArgument);
}

TEST(Clipping, NanNamesItsPlace) {
    ThreadPool pool(1);
    for (const char* text : {"int4-g8", "mxfp4"}) {
        Matrix<float> w = random_matrix(40, 64);
        w.view()(31, 5) = NAN;
        EXPECT_THAT([&] { round_clipped(w.view(), parse_number_format(text), pool); },
                    ThrowsMessage<NumericError>(HasSubstr("row 31, column 5")));
        EXPECT_THAT([&] { round_clipped_at(w.view(), parse_number_format(text), 0.5f, pool); },
                    ThrowsMessage<NumericError>(HasSubstr("row 31, column 5")));
    }
}

TEST(Clipping, AtAThresholdIsRoundingOfTheClamped) {
    ThreadPool pool(2);
    for (const char* text : {"int4-g16", "fp8-e4m3", "nvfp4", "int3-tensor"}) {
        const NumberFormat format = parse_number_format(text);
        Matrix<float> w = random_matrix(8, 32), clamped = w;
        for (float& x : clamped.values()) x = std::clamp(x, -0.75f, 0.75f);
        round_clipped_at(w.view(), format, 0.75f, pool);
        EXPECT_THAT(w.values(), ::testing::ElementsAreArray(rounded(clamped, format).values())) << text;
    }
    Matrix<float> w = random_matrix(2, 2);
    EXPECT_THROW(round_clipped_at(w.view(), parse_number_format("int4-g16"), -1, pool), InvalidArgument);
    EXPECT_THROW(round_clipped_at(w.view(), parse_number_format("int4-g16"), NAN, pool), InvalidArgument);
}

TEST(Clipping, TheThresholdIsTheWeightBelowWhichTheShareLies) {
    ThreadPool pool(2);
    Matrix<float> f32 = gaussian_twin(random_matrix(50, 77).view(), 3), bf16 = f32, constant(5, 5);
    for (float& x : bf16.values()) x = bf16_to_f32(f32_to_bf16(x));
    std::fill(constant.values().begin(), constant.values().end(), -0.3f);
    for (const Matrix<float>& w : {f32, bf16, constant, Matrix<float>(3, 3)}) {
        std::vector<float> sorted;
        for (float x : w.values()) sorted.push_back(std::abs(x));
        std::sort(sorted.begin(), sorted.end());
        for (double p : {1e-9, 0.3, 0.5, 0.99, 0.999, 1.0}) {
            const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sorted.size())));
            EXPECT_EQ(clip_threshold(w.view(), p, pool), sorted[std::max<std::size_t>(1, rank) - 1]) << p;
        }
    }
    const Matrix<float> thousand = random_matrix(10, 100);  // 0.999 · 1000 is 999, not 1000
    std::vector<float> sorted(thousand.values().begin(), thousand.values().end());
    for (float& x : sorted) x = std::abs(x);
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(clip_threshold(thousand.view(), 0.999, pool), sorted[998]);
    for (double p : {0.0, 1.5, static_cast<double>(NAN)})
        EXPECT_THROW(clip_threshold(f32.view(), p, pool), InvalidArgument);
}

TEST(Clipping, QuantilesAreTheSameWhateverTheFloor) {
    ThreadPool pool(2);
    Matrix<float> f32 = gaussian_twin(random_matrix(50, 77).view(), 3), bf16 = f32;
    for (float& x : bf16.values()) x = bf16_to_f32(f32_to_bf16(x));
    const std::vector<double> probabilities{0.999, 0.9, 0.99, 1.0, 0.9};
    for (const Matrix<float>& w : {f32, bf16}) {
        const float ninth = clip_threshold(w.view(), 0.9, pool);
        const float below = std::nextafter(ninth, 0.0f);
        for (float floor : {0.0f, 1e-6f, below, ninth, 1e9f}) {  // the last two hide quantiles
            MagnitudeQuantiles quantiles(probabilities, floor);
            scan_rows(rows_of(w.view()), pool, QuantileLook{&quantiles});
            if (quantiles.needs_second_look(rows_of(w.view()), pool))
                scan_rows(rows_of(w.view()), pool, QuantileLook{&quantiles, true});
            const std::vector<float> found = quantiles.quantiles();
            for (std::size_t i = 0; i < found.size(); ++i)
                EXPECT_EQ(found[i], clip_threshold(w.view(), probabilities[i], pool)) << floor << " " << i;
        }
    }
}

// All outcomes of a sweep, in the settings' order; m: energy_shares(), or empty.
std::vector<ClipOutcome> sweep(const Matrix<float>& w, const std::vector<ClipSetting>& settings, int threads,
                               const std::vector<float>& m = {}) {
    ThreadPool pool(threads);
    const RowSource source = rows_of(w.view());
    std::vector<float> thresholds;
    for (const ClipSetting& s : settings) {
        if (s.rule == ClipRule::kPercentile)
            thresholds.push_back(clip_threshold(w.view(), s.percentile, pool));
    }
    const WeightMoments moments = scan_rows(source, pool, MomentSums(first_row_mean(source))).moments();
    const auto searched = scan_rows(source, pool, ClipSearchSums(settings, w.cols(), m)).outcomes();
    const auto at =
        scan_rows(source, pool, ClipAtSums(settings, thresholds, moments, w.cols(), m)).outcomes();
    std::vector<ClipOutcome> all;
    std::size_t next_search = 0, next_at = 0;
    for (const ClipSetting& s : settings)
        all.push_back(s.rule == ClipRule::kPercentile ? at[next_at++] : searched[next_search++]);
    return all;
}

Matrix<float> with_tail() {
    Matrix<float> w = gaussian_twin(random_matrix(60, 300).view(), 7);
    for (std::size_t i = 0; i < w.values().size(); i += 997) w.values()[i] *= 8;
    return w;
}

TEST(ClipSweep, OfPercentilesEqualsClampingAndRounding) {
    ThreadPool pool(1);
    const Matrix<float> w = with_tail();
    for (const char* text : {"int4-g128", "int3-sym-g32", "int8-channel"}) {
        const auto settings = clip_sweep_settings(parse_number_format(text), false);
        const auto outcomes = sweep(w, settings, 2);
        for (std::size_t i = 0; i < settings.size(); ++i) {
            if (settings[i].rule != ClipRule::kPercentile) continue;
            Matrix<float> clipped = w;
            const float t = clip_threshold(w.view(), settings[i].percentile, pool);
            for (float& x : clipped.values()) x = std::clamp(x, -t, t);
            const Matrix<float> q = rounded(clipped, settings[i].format);
            const double clip = squared_distance(w, clipped), rounding = squared_distance(clipped, q),
                         total = squared_distance(w, q);
            EXPECT_EQ(outcomes[i].threshold, t);
            EXPECT_NEAR(outcomes[i].clip_error, clip, 2e-6 * clip) << text << " " << i;
            EXPECT_NEAR(outcomes[i].rounding_error, rounding, 2e-5 * rounding) << text << " " << i;
            EXPECT_NEAR(outcomes[i].total_error, total, 2e-5 * total) << text << " " << i;
            EXPECT_EQ(outcomes[i].clipped, std::count_if(w.values().begin(), w.values().end(),
                                                         [t](float x) { return std::abs(x) > t; }));
        }
    }
}

TEST(ClipSweep, OfSearchesEqualsRoundClipped) {
    ThreadPool pool(2);
    const Matrix<float> w = with_tail();
    const auto settings = clip_sweep_settings(IntFormat{.bits = 3, .tile = group_tile(64)}, false);
    const auto outcomes = sweep(w, settings, 2);
    ASSERT_EQ(settings.size(), 12);
    for (std::size_t i : {std::size_t{10}, std::size_t{11}}) {
        Matrix<float> q = w;
        round_clipped(q.view(), settings[i].format, pool);
        const double total = squared_distance(w, q);
        EXPECT_NEAR(outcomes[i].total_error, total, 2e-6 * total);
        EXPECT_LT(total, squared_distance(w, rounded(w, settings[i].format)));
        EXPECT_GT(outcomes[i].clipped, 0);
        EXPECT_GT(outcomes[i].clip_error, 0);
        EXPECT_TRUE(0.4 < outcomes[i].mean_ratio.value() && outcomes[i].mean_ratio.value() < 1);
        EXPECT_TRUE(0.4 <= outcomes[i].one_ratio.value() && outcomes[i].one_ratio.value() < 1);
        EXPECT_FALSE(outcomes[i].threshold);
    }
    EXPECT_EQ(to_string(settings[10].format), "int3-channel");
    // The percentile 1 clips nothing: plain rounding.
    EXPECT_EQ(outcomes[9].clipped, 0);
    EXPECT_EQ(outcomes[9].clip_error, 0);
    EXPECT_EQ(outcomes[9].rounding_error, outcomes[9].total_error);
    EXPECT_LE(outcomes[11].total_error, outcomes[9].total_error);
}

// What the setting makes of w, written out.
Matrix<float> rounded_by(const ClipSetting& setting, const Matrix<float>& w, const std::vector<double>& m) {
    ThreadPool pool(1);
    Matrix<float> q = w;
    if (setting.rule == ClipRule::kPercentile) {
        const float t = clip_threshold(w.view(), setting.percentile, pool);
        for (float& x : q.values()) x = std::clamp(x, -t, t);
        return rounded(q, setting.format);
    }
    const std::int64_t cols = w.cols(),
                       width = setting.format.tile.columns == 0 ? cols : setting.format.tile.columns;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < cols; c += width) {
            const std::int64_t n = std::min(width, cols - c);
            Matrix<float> group(1, n);
            std::copy_n(w.row(r).begin() + c, n, group.values().begin());
            std::vector<double> own(static_cast<std::size_t>(n), 1.0);
            if (setting.rule == ClipRule::kOutput) std::copy_n(m.begin() + c, n, own.begin());
            const Matrix<float> best = tried(group, setting.format, own);
            std::copy_n(best.values().begin(), n, q.row(r).begin() + c);
        }
    }
    return q;
}

// √(Σ_c m_c Σ_o (w - q)² / Σ_c m_c Σ_o w²).
double output_error(const Matrix<float>& w, const Matrix<float>& q, const std::vector<double>& m) {
    double error = 0, squares = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const double x = w.view()(r, c), e = x - static_cast<double>(q.view()(r, c));
            error += m[static_cast<std::size_t>(c)] * e * e;
            squares += m[static_cast<std::size_t>(c)] * x * x;
        }
    }
    return std::sqrt(error / squares);
}

TEST(ClipSweep, OutputErrorsOfAllRowsEqualTheFormulas) {
    Matrix<float> w = with_tail();
    for (float& x : w.row(2)) x = 0.7f;  // constant groups
    for (float& x : w.row(3)) x = 0;
    std::vector<double> energies = random_energies(w.cols());
    energies[5] = 0;  // a dead channel, which has the largest weights of its groups
    for (std::int64_t r = 0; r < w.rows(); ++r) w.view()(r, 5) *= 20;
    for (const char* text : {"int4-g128", "int3-sym-g32", "int3-channel"}) {
        const auto settings = clip_sweep_settings(parse_number_format(text), true);
        const auto outcomes = sweep(w, settings, 2, energy_shares(energies));
        for (std::size_t i = 0; i < settings.size(); ++i) {
            const Matrix<float> q = rounded_by(settings[i], w, energies);
            const double expected = output_error(w, q, energies), total = squared_distance(w, q);
            EXPECT_NEAR(outcomes[i].relative_output_error.value(), expected, 2e-5 * expected) << text << i;
            EXPECT_NEAR(outcomes[i].total_error, total, 2e-5 * total) << text << i;
            if (settings[i].rule != ClipRule::kOutput) continue;
            const ClipOutcome& mse = outcomes[i - 1];
            EXPECT_LT(*outcomes[i].relative_output_error, *mse.relative_output_error);
            EXPECT_GT(outcomes[i].total_error, mse.total_error);
            EXPECT_LT(*outcomes[i].mean_ratio, *mse.mean_ratio);
        }
    }
}

TEST(ClipSweep, InputsOfEqualEnergyGiveTheMseRowsBitForBit) {
    const Matrix<float> w = with_tail();
    const auto settings = clip_sweep_settings(parse_number_format("int3-g64"), true);
    const auto outcomes = sweep(w, settings, 2, energy_shares(std::vector<double>(300, 3.7)));
    std::size_t compared = 0;
    for (std::size_t i = 0; i < settings.size(); ++i) {
        EXPECT_NEAR(
            *outcomes[i].relative_output_error,
            std::sqrt(outcomes[i].total_error / squared_distance(w, Matrix<float>(w.rows(), w.cols()))),
            1e-5);
        if (settings[i].rule != ClipRule::kOutput) continue;
        EXPECT_EQ(settings[i].format, settings[i - 1].format);
        EXPECT_TRUE(outcomes[i] == outcomes[i - 1]) << i;
        ++compared;
    }
    EXPECT_EQ(compared, 2u);
}

TEST(ClipSweep, OfInputsThatWereNeverThereClipsNothingByTheirOutput) {
    const Matrix<float> w = with_tail();
    const auto settings = clip_sweep_settings(parse_number_format("int4-g64"), true);
    const auto outcomes = sweep(w, settings, 1, energy_shares(std::vector<double>(300, 0.0)));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        EXPECT_EQ(outcomes[i].relative_output_error, std::nullopt);
        if (settings[i].rule == ClipRule::kOutput) {
            EXPECT_EQ(outcomes[i].mean_ratio, 1);
        }
    }
}

TEST(ClipSweep, StatisticsOfInputsAreSumsOfSquaresOfEachChannel) {
    EXPECT_THAT(
        [] {
            energy_shares(std::vector<double>{1, -1});
        },
        ThrowsMessage<NumericError>(HasSubstr("input channel 1")));
    EXPECT_THROW(energy_shares(std::vector<double>{NAN}), NumericError);
    EXPECT_THAT(energy_shares(std::vector<double>{1e300, 0, 5e299}), ::testing::ElementsAre(1, 0, 0.5f));
    const auto settings = clip_sweep_settings(parse_number_format("int4-g64"), true);
    EXPECT_THROW(ClipSearchSums(settings, 300, std::vector<float>(299)), InvalidArgument);
    EXPECT_THROW(ClipSearchSums(settings, 300, {}), InvalidArgument);
}

TEST(ClipSweep, ThreadsChangeNoBit) {
    const Matrix<float> w = gaussian_twin(random_matrix(500, 100).view(), 2);
    const std::vector<float> m = energy_shares(random_energies(100));
    const auto settings = clip_sweep_settings(IntFormat{.bits = 4, .tile = group_tile(32)}, true);
    const auto one = sweep(w, settings, 1, m), three = sweep(w, settings, 3, m);
    for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_TRUE(one[i] == three[i]) << i;
        EXPECT_TRUE(one[i].relative_output_error) << i;
    }
}

TEST(ClipSweep, IsOfScalesOfOneRow) {
    EXPECT_THAT([] { clip_sweep_settings(IntFormat{.tile = kTensorTile}, false); },
                ThrowsMessage<InvalidArgument>(HasSubstr("int4-tensor")));
    EXPECT_EQ(clip_sweep_settings(IntFormat{.tile = kChannelTile}, false).size(), 11);
    EXPECT_EQ(clip_sweep_settings(IntFormat{.tile = kChannelTile}, true).size(), 12);
    EXPECT_EQ(clip_sweep_settings(IntFormat{.tile = group_tile(64)}, true).size(), 14);
}

}  // namespace
}  // namespace assay
