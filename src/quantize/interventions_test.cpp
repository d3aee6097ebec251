#include "quantize/interventions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed = 1) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() * 2 - 1);
    return m;
}

double row_norm(const Matrix<float>& m, std::int64_t r) {
    double sum = 0;
    for (float v : m.row(r)) sum += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(sum);
}

Matrix<float> rounded(const Matrix<float>& w, const NumberFormat& format) {
    ThreadPool pool(1);
    Matrix<float> out = w;
    rtn(out.view(), format, out.view(), pool);
    return out;
}

TEST(Interventions, AShareCountsUpwards) {
    EXPECT_EQ(count_of_share(200, 0.005), 1);
    EXPECT_EQ(count_of_share(201, 0.005), 2);
    EXPECT_EQ(count_of_share(0, 0.5), 0);
    EXPECT_EQ(count_of_share(7, 1), 7);
    EXPECT_THROW(count_of_share(7, 1.1), InvalidArgument);
    EXPECT_THROW(count_of_share(7, std::nan("")), InvalidArgument);
}

TEST(Interventions, TheLargestWeightsStayAndStretchNoRange) {
    ThreadPool pool(2);
    const NumberFormat format = parse_number_format("int4-g16");
    Matrix<float> w = random_matrix(4, 32), healthy = w;
    w.view()(2, 5) = 100;
    w.view()(0, 31) = -90;
    healthy.view()(2, 5) = healthy.view()(0, 31) = 0;
    Matrix<float> expected = rounded(healthy, format);
    expected.view()(2, 5) = 100;
    expected.view()(0, 31) = -90;
    round_but_largest(w.view(), format, 2.0 / 128, pool);
    EXPECT_THAT(w.values(), ::testing::ElementsAreArray(expected.values()));
}

TEST(Interventions, OfEqualWeightsTheFirstAreKept) {
    ThreadPool pool(1);
    Matrix<float> w(2, 4);
    std::fill(w.values().begin(), w.values().end(), 0.3f);
    w.view()(1, 3) = 1;
    round_but_largest(w.view(), parse_number_format("int2-channel"), 2.0 / 8, pool);
    EXPECT_EQ(w.view()(1, 3), 1);
    EXPECT_EQ(w.view()(0, 0), 0.3f);
}

TEST(Interventions, ShareZeroIsPlainRounding) {
    ThreadPool pool(1);
    const NumberFormat format = parse_number_format("int3-g16");
    Matrix<float> w = random_matrix(3, 33), expected = rounded(w, format);
    round_but_largest(w.view(), format, 0, pool);
    EXPECT_THAT(w.values(), ::testing::ElementsAreArray(expected.values()));
}

TEST(Interventions, KeptColumnsStay) {
    ThreadPool pool(1);
    const NumberFormat format = parse_number_format("int3-g16");
    const Matrix<float> w = random_matrix(5, 48);
    Matrix<float> without = w, treated = w;
    for (std::int64_t r = 0; r < 5; ++r) without.view()(r, 7) = without.view()(r, 40) = 0;
    Matrix<float> expected = rounded(without, format);
    for (std::int64_t r = 0; r < 5; ++r) {
        for (std::int64_t c : {7, 40}) expected.view()(r, c) = w.view()(r, c);
    }
    change_but_columns(treated.view(), std::vector<std::int64_t>{7, 40},
                       [&] { rtn(treated.view(), format, treated.view(), pool); });
    EXPECT_THAT(treated.values(), ::testing::ElementsAreArray(expected.values()));
    for (std::int64_t c : {48, -1}) {
        EXPECT_THROW(change_but_columns(treated.view(), std::vector<std::int64_t>{c}, [] {}),
                     InvalidArgument);
    }
}

TEST(Interventions, SmallerGroupsExistOnlyWhereGroupsAreLarger) {
    const auto text = [](const char* format) {
        const auto small = with_groups(parse_number_format(format), 32);
        return small ? to_string(*small) : std::string("none");
    };
    EXPECT_EQ(text("int4-g64"), "int4-g32");
    EXPECT_EQ(text("int4-sym-channel(scale=f32)"), "int4-sym-g32(scale=f32)");
    EXPECT_EQ(text("fp8-e4m3-b128x128(scale=f32)"), "fp8-e4m3-g32(scale=f32)");
    EXPECT_EQ(text("int4-b16x32"), "int4-g32");
    EXPECT_EQ(text("int4-g32"), "none");
    EXPECT_EQ(text("int4-g16"), "none");
    EXPECT_EQ(text("mxfp4"), "none");
    EXPECT_EQ(text("nvfp4"), "none");
}

TEST(Interventions, AGaussianTwinHasTheRowsNormsAndIsGaussian) {
    Matrix<float> w = random_matrix(40, 255);
    for (float& v : w.row(3)) v = 0;
    for (float& v : w.row(5)) v *= 1000;
    const Matrix<float> twin = gaussian_twin(w.view(), 9);
    double fourth = 0, second = 0;
    for (std::int64_t r = 0; r < 40; ++r) {
        EXPECT_NEAR(row_norm(twin, r), row_norm(w, r), 1e-5 * row_norm(w, r));
        const double sigma = row_norm(w, r) / std::sqrt(255.0);
        if (sigma == 0) continue;
        for (float v : twin.row(r)) {
            const double z = static_cast<double>(v) / sigma;
            second += z * z;
            fourth += z * z * z * z;
        }
    }
    EXPECT_NEAR(fourth / second, 3, 0.2);  // 1.8 for uniform weights
    EXPECT_THAT(gaussian_twin(w.view(), 9).values(), ::testing::ElementsAreArray(twin.values()));
    EXPECT_NE(gaussian_twin(w.view(), 10).view()(0, 0), twin.view()(0, 0));
}

TEST(Interventions, NoiseHasTheSizeOfTheChangeInEachRow) {
    const Matrix<float> w = random_matrix(8, 33);
    const Matrix<float> treated = rounded(w, parse_number_format("int3-g16"));
    Matrix<float> noisy = w;
    add_equal_noise(noisy.view(), treated.view(), 3);
    for (std::int64_t r = 0; r < 8; ++r) {
        Matrix<float> change(1, 33), noise(1, 33);
        for (std::int64_t c = 0; c < 33; ++c) {
            change.view()(0, c) = treated.view()(r, c) - w.view()(r, c);
            noise.view()(0, c) = noisy.view()(r, c) - w.view()(r, c);
        }
        EXPECT_NEAR(row_norm(noise, 0), row_norm(change, 0), 1e-4 * row_norm(change, 0));
    }
    Matrix<float> other(8, 32);
    EXPECT_THROW(add_equal_noise(noisy.view(), other.view(), 3), InvalidArgument);
}

TEST(Interventions, MatchedNoiseHasTheChangesSizesRunByRunAndOneSetOfSigns) {
    const Matrix<float> w = random_matrix(3, 80);
    Matrix<float> changed = w, more = w;
    for (std::int64_t c = 0; c < 32; ++c) changed.view()(1, c) += c % 2 == 0 ? 0.5f : 0.0f;
    for (std::int64_t c = 64; c < 80; ++c) changed.view()(1, c) -= 0.25f;
    for (std::int64_t c = 0; c < 80; ++c) more.view()(1, c) += 2.0f;
    Matrix<float> noisy = w, noisier = w;
    add_matched_noise(noisy.view(), changed.view(), 7);
    add_matched_noise(noisier.view(), more.view(), 7);
    for (std::int64_t c = 0; c < 80; ++c) {
        EXPECT_EQ(noisy.view()(0, c), w.view()(0, c));
        const double size = c < 32 ? (c % 2 == 0 ? 0.5 : 0) : c < 64 ? 0 : 0.25;
        const double noise = static_cast<double>(noisy.view()(1, c)) - static_cast<double>(w.view()(1, c));
        EXPECT_NEAR(std::abs(noise), size, 1e-6) << c;
        if (size > 0) {
            EXPECT_EQ(noise > 0, noisier.view()(1, c) > w.view()(1, c)) << c;
        }
    }
    Matrix<float> other = w;
    add_matched_noise(other.view(), changed.view(), 8);
    EXPECT_THAT(noisy.values(), ::testing::Not(::testing::ElementsAreArray(other.values())));
    Matrix<float> narrow(3, 79);
    EXPECT_THROW(add_matched_noise(other.view(), narrow.view(), 8), InvalidArgument);
}

}  // namespace
}  // namespace assay
