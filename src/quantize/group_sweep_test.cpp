// The sweep against rounding in each format by itself.
#include "quantize/group_sweep.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/interventions.h"
#include "quantize/one_value_groups.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

Matrix<float> gaussian(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> norms(rows, cols);
    std::fill(norms.values().begin(), norms.values().end(), 0.2f);
    return gaussian_twin(norms.view(), seed);
}

std::vector<double> sweep(const Matrix<float>& w, int threads = 2) {
    ThreadPool pool(threads);
    const GroupSweepSums sums = scan_rows(rows_of(w.view()), pool, GroupSweepSums(w.cols()));
    return {sums.squared_errors().begin(), sums.squared_errors().end()};
}

double squared_error_of_rtn(const Matrix<float>& w, const IntFormat& format) {
    ThreadPool pool(1);
    Matrix<float> q(w.rows(), w.cols());
    rtn(w.view(), format, q.view(), pool);
    double sum = 0;
    for (std::size_t i = 0; i < w.values().size(); ++i)
        sum += std::pow(static_cast<double>(w.values()[i]) - static_cast<double>(q.values()[i]), 2);
    return sum;
}

TEST(GroupSweep, HasThirtyFormats) {
    const auto formats = group_sweep_formats();
    ASSERT_EQ(formats.size(), 30);
    EXPECT_EQ(to_string(formats.front()), "int3-g32");
    EXPECT_EQ(to_string(formats[14]), "int8-channel");
    EXPECT_EQ(to_string(formats.back()), "int8-sym-channel");
}

TEST(GroupSweep, EqualsRoundingInEachFormat) {
    const auto formats = group_sweep_formats();
    // Rows of whole groups; ragged ones of many lengths; shorter than a group; one weight.
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{12, 512},
                                     {40, 576},
                                     {7, 1000},
                                     {5, 33},
                                     {3, 31},
                                     {2, 1},
                                     {70, 257}}) {
        Matrix<float> w = gaussian(rows, cols, static_cast<std::uint64_t>(cols));
        const std::vector<double> squares = sweep(w);
        for (std::size_t f = 0; f < formats.size(); ++f) {
            const double expected = squared_error_of_rtn(w, formats[f]);
            EXPECT_NEAR(squares[f], expected, 2e-6 * expected + 1e-12)
                << to_string(formats[f]) << " " << rows << " x " << cols;
        }
    }
}

TEST(GroupSweep, OneSidedConstantAndZeroGroupsRoundAsAlone) {
    Matrix<float> w = gaussian(6, 300, 3);
    for (float& x : w.row(0)) x = std::abs(x) + 1;  // far above 0
    for (float& x : w.row(1)) x = -std::abs(x);
    for (float& x : w.row(2)) x = 0.37f;
    for (float& x : w.row(3)) x = 0;
    for (float& x : w.row(4)) x *= 1e-7f;  // scales that f16 can hardly tell apart
    const auto formats = group_sweep_formats();
    const std::vector<double> squares = sweep(w);
    for (std::size_t f = 0; f < formats.size(); ++f) {
        const double expected = squared_error_of_rtn(w, formats[f]);
        EXPECT_NEAR(squares[f], expected, 3e-6 * expected) << to_string(formats[f]);
    }
}

TEST(GroupSweep, SmallerGroupsNeverLoseOnAGaussian) {
    const std::vector<double> squares = sweep(gaussian(64, 1536, 9));
    for (std::size_t f = 0; f < squares.size(); ++f) {
        const std::size_t size = f / 3 % kSweepGroups.size();
        EXPECT_TRUE(size == 0 || squares[f - 3] < squares[f]) << f;
        EXPECT_TRUE(f % 3 == 0 || squares[f] < squares[f - 1]) << f;  // and more bits
    }
}

TEST(GroupSweep, ARangeThatVariesInsideGroupsGainsByGroupsThatDoNot) {
    Matrix<float> varying = gaussian(64, 512, 11);
    const std::vector<double> healthy = sweep(varying);
    for (std::int64_t r = 0; r < 64; ++r) {
        for (std::int64_t c = 0; c < 512; ++c) varying.view()(r, c) *= c / 32 % 2 == 0 ? 1.0f : 0.2f;
    }
    const std::vector<double> squares = sweep(varying);
    const std::size_t g32 = 1, g64 = 4;  // of 4 bits
    EXPECT_GT(healthy[g32] / healthy[g64], 0.7);
    EXPECT_LT(squares[g32] / squares[g64], 0.6);  // the small half errs as much as the large one in 64
}

TEST(GroupSweep, ThreadsChangeNoBit) {
    const Matrix<float> w = gaussian(500, 320, 4);
    EXPECT_EQ(sweep(w, 1), sweep(w, 3));
}

TEST(GroupSweep, AnOverflowOfTheScaleThrows) {
    Matrix<float> w = gaussian(4, 64, 5);
    w.view()(2, 2) = 1e30f;
    EXPECT_THROW(sweep(w), NumericError);
}

OneValueGroups of_one_value(const Matrix<float>& w, const char* format) {
    ThreadPool pool(1);
    return scan_rows(rows_of(w.view()), pool, OneValueSums(parse_number_format(format), w.cols()))
        .groups()
        .value();
}

TEST(OneValueGroups, AGaussianHasHardlyAny) {
    const Matrix<float> w = gaussian(100, 1280, 6);
    for (const char* format : {"int4-g128", "int4-sym-g128", "mxfp4", "fp8-e4m3"}) {
        const OneValueGroups groups = of_one_value(w, format);
        EXPECT_LT(static_cast<double>(groups.of_one_value), 0.01 * static_cast<double>(groups.groups));
    }
    EXPECT_EQ(of_one_value(w, "int4-g128").groups, 1000);
}

TEST(OneValueGroups, CountGroupsThatAreHalfAsWideWithoutOneWeight) {
    Matrix<float> w(1, 64);
    for (std::size_t i = 0; i < 64; ++i) w.values()[i] = i % 2 == 0 ? 0.5f : -0.5f;
    EXPECT_EQ(of_one_value(w, "int4-sym-g64").of_one_value, 0);
    w.values()[9] = 1.0f;  // max |w| would be half of it
    EXPECT_EQ(of_one_value(w, "int4-sym-g64").of_one_value, 1);
    EXPECT_EQ(of_one_value(w, "int4-g64").of_one_value, 0);  // from 1.5 to 1
    w.values()[9] = 1.6f;
    EXPECT_EQ(of_one_value(w, "int4-g64").of_one_value, 1);  // from 2.1 to 1
    w.values()[8] = 1.6f;
    EXPECT_EQ(of_one_value(w, "int4-g64").of_one_value, 0);
    EXPECT_EQ(of_one_value(w, "int4-sym-g64").of_one_value, 0);
}

TEST(OneValueGroups, CountNoZerosAndNoSingleWeights) {
    Matrix<float> w(2, 33);
    w.view()(0, 32) = 5;  // a group of one
    const OneValueGroups groups = of_one_value(w, "int4-g32");
    EXPECT_EQ(groups.groups, 4);
    EXPECT_EQ(groups.of_one_value, 0);
    w.view()(0, 3) = -5;
    EXPECT_EQ(of_one_value(w, "int4-g32").of_one_value, 1);
}

TEST(OneValueGroups, AreNotToldOfScalesOfSeveralRows) {
    const Matrix<float> w(4, 4);
    ThreadPool pool(1);
    for (const char* format : {"int4-tensor", "fp8-e4m3-b128x128"}) {
        EXPECT_FALSE(
            scan_rows(rows_of(w.view()), pool, OneValueSums(parse_number_format(format), 4)).groups());
    }
}

}  // namespace
}  // namespace assay
