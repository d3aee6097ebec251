#include "quantize/rtn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "number/intk.h"
#include "quantize/reconstruction.h"

namespace assay {
namespace {

// Roughly Gaussian, with some zeros, outliers and one-sided rows.
Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (std::int64_t r = 0; r < rows; ++r) {
        for (float& v : m.row(r)) {
            v = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
            if (rng.below(50) == 0) v *= 12;
            if (rng.below(50) == 0) v = 0;
            if (r % 5 == 1) v = std::abs(v);
            if (r % 5 == 2) v = -std::abs(v);
        }
    }
    return m;
}

Matrix<float> rounded(const Matrix<float>& w, const NumberFormat& format, int threads = 1) {
    ThreadPool pool(threads);
    Matrix<float> out(w.rows(), w.cols());
    rtn(w.view(), format, out.view(), pool);
    return out;
}

bool same_bits(const Matrix<float>& a, const Matrix<float>& b) {
    return std::memcmp(a.values().data(), b.values().data(), a.values().size_bytes()) == 0;
}

constexpr const char* kSmallFloats[] = {"fp8-e4m3",       "fp8-e5m2-tensor(scale=f16)",
                                        "fp8-e4m3-b4x32", "fp8-e5m2-g7(scale=f32)",
                                        "mxfp4",          "mxfp8-e4m3",
                                        "mxfp8-e5m2",     "nvfp4"};

std::vector<NumberFormat> all_formats() {
    std::vector<NumberFormat> formats;
    for (int bits = 2; bits <= 8; ++bits) {
        for (const char* sym : {"", "-sym"}) {
            for (const char* unit : {"-g1", "-g7", "-g32", "-g128", "-b4x32", "-channel", "-tensor"}) {
                for (const char* scale : {"", "(scale=bf16)", "(scale=f32)"}) {
                    formats.push_back(parse_number_format("int" + std::to_string(bits) + sym + unit + scale));
                }
            }
        }
    }
    for (const char* text : kSmallFloats) formats.push_back(parse_number_format(text));
    return formats;
}

void encode_and_decode(const Matrix<float>& w, const IntFormat& format, Matrix<float>& out,
                       ThreadPool& pool) {
    decode_int(encode_int(w.view(), format, pool), format, out.view(), pool);
}
void encode_and_decode(const Matrix<float>& w, const Fp8Format& format, Matrix<float>& out,
                       ThreadPool& pool) {
    decode_fp8(encode_fp8(w.view(), format, pool), format, out.view(), pool);
}
void encode_and_decode(const Matrix<float>& w, const MxFormat& format, Matrix<float>& out, ThreadPool& pool) {
    decode_mx(encode_mx(w.view(), format, pool), format, out.view(), pool);
}
void encode_and_decode(const Matrix<float>& w, const Nvfp4Format& format, Matrix<float>& out,
                       ThreadPool& pool) {
    decode_nvfp4(encode_nvfp4(w.view(), format, pool), format, out.view(), pool);
}

TEST(Rtn, IsDecodingOfEncodingBitForBit) {
    ThreadPool pool(1);
    for (const std::int64_t cols : {1, 31, 33, 255}) {
        const Matrix<float> w = random_matrix(10, cols, static_cast<std::uint64_t>(cols));
        for (const NumberFormat& format : all_formats()) {
            Matrix<float> decoded(w.rows(), cols);
            std::visit([&](const auto& family) { encode_and_decode(w, family, decoded, pool); }, format);
            ASSERT_TRUE(same_bits(rounded(w, format), decoded)) << to_string(format) << " " << cols;
        }
    }
}

TEST(Rtn, WorksInPlace) {
    ThreadPool pool(2);
    for (const char* text :
         {"int4-g32", "int4-sym-channel", "int4-tensor", "fp8-e4m3-b4x32", "mxfp4", "nvfp4"}) {
        const NumberFormat format = parse_number_format(text);
        Matrix<float> w = random_matrix(300, 255, 4);
        const Matrix<float> expected = rounded(w, format);
        rtn(w.view(), format, w.view(), pool);
        EXPECT_TRUE(same_bits(w, expected)) << text;
    }
}

TEST(Rtn, IsTheSameForAnyNumberOfThreads) {
    const Matrix<float> w = random_matrix(300, 255, 6);
    for (const char* text :
         {"int4-g32", "int3-sym-channel", "int8-tensor", "fp8-e4m3-b4x32", "mxfp4", "nvfp4"}) {
        const NumberFormat format = parse_number_format(text);
        EXPECT_TRUE(same_bits(rounded(w, format, 1), rounded(w, format, 5))) << text;
    }
}

TEST(Rtn, OfSmallFloatsAlreadyOnTheGridChangesNothing) {
    for (const char* text : {"mxfp4", "mxfp8-e4m3", "mxfp8-e5m2"}) {
        const Matrix<float> once = rounded(random_matrix(50, 255, 9), parse_number_format(text));
        EXPECT_TRUE(same_bits(rounded(once, parse_number_format(text)), once)) << text;
    }
}

// Symmetric grids reach the largest magnitude exactly, and a rounded f16 scale is found again from it.
TEST(Rtn, OfSymmetricValuesAlreadyOnTheGridChangesNothing) {
    for (int bits = 3; bits <= 8; ++bits) {
        const IntFormat format{.bits = bits, .symmetric = true, .tile = group_tile(64)};
        const Matrix<float> once = rounded(random_matrix(50, 256, 7), format);
        EXPECT_TRUE(same_bits(rounded(once, format), once)) << bits;
    }
}

// An asymmetric group is left unchanged if its codes, and that of 0, reach both 0 and the top: then the new
// range is top · s, exact in float32, and gives the same s. Otherwise (both ends near half-way between codes;
// rounding the scale to f16 makes that commoner with many bits) the new grid is one step narrower. Returns
// the share of unchanged groups.
double expect_unchanged_where_both_ends_are_reached(const IntFormat& format) {
    ThreadPool pool(1);
    const Matrix<float> w = random_matrix(50, 256, 8), once = rounded(w, format),
                        twice = rounded(once, format);
    const IntEncoding encoding = encode_int(w.view(), format, pool);
    int reached = 0, groups = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t first = 0; first < w.cols(); first += format.tile.columns, ++groups) {
            const auto size = static_cast<std::size_t>(format.tile.columns);
            const auto codes = encoding.codes.row(r).subspan(static_cast<std::size_t>(first), size);
            const std::uint8_t zero = encoding.zeros.view()(r, first / format.tile.columns);
            const auto [low, high] = std::ranges::minmax(codes);
            if (std::min(low, zero) != 0 || std::max(high, zero) != format.top()) continue;
            ++reached;
            EXPECT_EQ(std::memcmp(&once.view()(r, first), &twice.view()(r, first), size * sizeof(float)), 0)
                << to_string(format) << " row " << r << " column " << first;
        }
    }
    return static_cast<double>(reached) / groups;
}

TEST(Rtn, OfAsymmetricValuesThatReachBothEndsOfTheGridChangesNothing) {
    for (int bits = 3; bits <= 8; ++bits) {
        EXPECT_GT(expect_unchanged_where_both_ends_are_reached({.bits = bits, .tile = group_tile(64)}), 0.85)
            << bits;
    }
}

TEST(Rtn, IsEquivariantUnderPowersOfTwo) {
    const NumberFormat format = parse_number_format("int4-g32");
    Matrix<float> w = random_matrix(5, 96, 3);
    Matrix<float> expected = rounded(w, format);
    for (float& v : w.values()) v *= 8;
    for (float& v : expected.values()) v *= 8;
    EXPECT_TRUE(same_bits(rounded(w, format), expected));
}

double relative_error(const Matrix<float>& w, const NumberFormat& format) {
    ThreadPool pool(1);
    return reconstruction_error(w.view(), rounded(w, format).view(), pool).relative;
}

TEST(Rtn, LosesLessWithMoreBits) {
    const Matrix<float> w = random_matrix(40, 256, 10);
    for (const bool symmetric : {false, true}) {
        double previous = 10;
        for (int bits = 2; bits <= 8; ++bits) {
            const IntFormat format{.bits = bits, .symmetric = symmetric, .tile = group_tile(64)};
            const double error = relative_error(w, format);
            EXPECT_LT(error, previous) << bits;
            previous = error;
        }
    }
}

TEST(Rtn, LosesLessWithSmallerGroups) {
    const Matrix<float> w = random_matrix(40, 256, 12);
    double previous = 0;
    for (const char* text :
         {"int4-g16", "int4-g32", "int4-g64", "int4-g128", "int4-channel", "int4-tensor"}) {
        const double error = relative_error(w, parse_number_format(text));
        EXPECT_GT(error, previous) << text;
        previous = error;
    }
}

// The order that the formats' bits and groups promise for weights without outliers.
TEST(Rtn, LosesLessWithWiderFloatsAndFinerScales) {
    Matrix<float> w(40, 256);
    Rng rng(3);
    for (float& v : w.values()) v = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
    double previous = 0;
    for (const char* text : {"int8-channel", "fp8-e4m3", "mxfp8-e4m3", "fp8-e5m2", "nvfp4", "mxfp4"}) {
        const double error = relative_error(w, parse_number_format(text));
        EXPECT_GT(error, previous) << text;
        previous = error;
    }
}

TEST(Rtn, RefusesAnOutputOfAnotherShape) {
    ThreadPool pool(1);
    Matrix<float> w(3, 4), out(4, 3);
    EXPECT_THROW(rtn(w.view(), IntFormat{}, out.view(), pool), InvalidArgument);
}

TEST(Rtn, RefusesNonFiniteWeightsOfTheFirstBadRowForAnyNumberOfThreads) {
    Matrix<float> w = random_matrix(400, 255, 2);
    w.row(390)[7] = NAN;
    w.row(321)[200] = INFINITY;
    for (const int threads : {1, 4}) {
        EXPECT_THAT([&] { rounded(w, parse_number_format("int4-g128"), threads); },
                    ::testing::ThrowsMessage<NumericError>(::testing::HasSubstr("row 321, column 200")));
    }
}

}  // namespace
}  // namespace assay
