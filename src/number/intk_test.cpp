#include "number/intk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "number/int_grid.h"
#include "number/number_format.h"
#include "tensor/float16.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

IntFormat int_format(std::string_view text) {
    return std::get<IntFormat>(parse_number_format(text));
}

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
    return m;
}

Matrix<float> row_matrix(std::initializer_list<float> values) {
    Matrix<float> m(1, static_cast<std::int64_t>(values.size()));
    std::copy(values.begin(), values.end(), m.values().begin());
    return m;
}

IntEncoding encode(const Matrix<float>& w, const IntFormat& format) {
    ThreadPool pool(1);
    return encode_int(w.view(), format, pool);
}

Matrix<float> round_trip(const Matrix<float>& w, const IntFormat& format) {
    ThreadPool pool(1);
    Matrix<float> out(w.rows(), w.cols());
    decode_int(encode_int(w.view(), format, pool), format, out.view(), pool);
    return out;
}

// Every element of the matrix equals `value`.
void expect_all(const Matrix<float>& m, float value, const char* what) {
    for (const float v : m.values()) EXPECT_EQ(v, value) << what;
}

// The formulas of the header, written down one group at a time, with scale=f32.
struct NaiveGroup {
    std::vector<int> codes;
    std::vector<float> values;
};

NaiveGroup naive_asymmetric(std::span<const float> w, int bits) {
    float lo = 0, hi = 0;
    for (const float x : w) lo = std::min(lo, x), hi = std::max(hi, x);
    const auto top = static_cast<float>((1 << bits) - 1);
    const float s = (hi - lo) / top, z = std::nearbyint(-lo / s);
    NaiveGroup group;
    for (const float x : w) {
        const float q = std::min(std::max(std::nearbyint(x / s) + z, 0.0f), top);
        group.codes.push_back(static_cast<int>(q));
        group.values.push_back((q - z) * s);
    }
    return group;
}

NaiveGroup naive_symmetric(std::span<const float> w, int bits) {
    float largest = 0;
    for (const float x : w) largest = std::max(largest, std::abs(x));
    const auto half = static_cast<float>(1 << (bits - 1));
    const float s = largest / (half - 1);
    NaiveGroup group;
    for (const float x : w) {
        const float q = std::min(std::max(std::nearbyint(x / s), -half), half - 1);
        group.codes.push_back(static_cast<int>(q + half));
        group.values.push_back(q * s);
    }
    return group;
}

void expect_naive(const Matrix<float>& w, const IntFormat& format) {
    const GroupLayout layout = group_layout(format, w.rows(), w.cols());
    const IntEncoding encoding = encode(w, format);
    const Matrix<float> values = round_trip(w, format);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t first = 0; first < w.cols(); first += layout.columns) {
            const auto count = static_cast<std::size_t>(std::min(layout.columns, w.cols() - first));
            if (count == 1) continue;  // a constant group has its own rule
            const auto part = w.row(r).subspan(static_cast<std::size_t>(first), count);
            const NaiveGroup naive =
                format.symmetric ? naive_symmetric(part, format.bits) : naive_asymmetric(part, format.bits);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t column = static_cast<std::size_t>(first) + i;
                ASSERT_EQ(encoding.codes.row(r)[column], naive.codes[i])
                    << to_string(format) << " " << r << " " << column;
                ASSERT_EQ(values.row(r)[column], naive.values[i])
                    << to_string(format) << " " << r << " " << column;
            }
        }
    }
}

TEST(IntCodes, EqualTheFormulaOverAwkwardSizes) {
    for (const std::int64_t cols : {1, 31, 33, 64, 255}) {
        const Matrix<float> w = random_matrix(3, cols, static_cast<std::uint64_t>(cols));
        for (int bits = 2; bits <= 8; ++bits) {
            for (const bool symmetric : {false, true}) {
                IntFormat format{.bits = bits, .symmetric = symmetric, .scale = ScaleType::kF32};
                for (const std::int64_t group : {1, 7, 32, 33, 128}) {
                    format.tile = group_tile(group);
                    expect_naive(w, format);
                }
                format.tile = kChannelTile;
                expect_naive(w, format);
            }
        }
    }
}

TEST(IntCodes, RoundHalfToEven) {
    // s = 1, z = 0: halves go to the even neighbour.
    const IntEncoding encoding =
        encode(row_matrix({0.5f, 1.5f, 2.5f, 3.5f, 14.5f, 15}), int_format("int4-channel"));
    EXPECT_THAT(encoding.codes.row(0), ::testing::ElementsAre(0, 2, 2, 4, 14, 15));
    EXPECT_EQ(encoding.scales.row(0)[0], 1.0f);
}

TEST(IntCodes, OfOneSidedGroupsHaveTheZeroPointAtAnEnd) {
    for (int bits = 2; bits <= 8; ++bits) {
        for (const ScaleType scale : {ScaleType::kF16, ScaleType::kF32}) {
            const IntFormat format{.bits = bits, .tile = group_tile(64), .scale = scale};
            Matrix<float> w = random_matrix(20, 64, 9);
            for (float& v : w.values()) v = 5 + v;
            const IntEncoding positive = encode(w, format);
            for (float& v : w.values()) v = -v;
            const IntEncoding negative = encode(w, format);
            for (std::int64_t r = 0; r < w.rows(); ++r) {
                EXPECT_EQ(positive.zeros.row(r)[0], 0);
                EXPECT_EQ(negative.zeros.row(r)[0], format.top());
            }
        }
    }
}

TEST(IntCodes, KeepOneSidedGridValuesExactly) {
    // Values on the grid of step 2^-4: far from zero, and still no zero point is clamped.
    for (const float sign : {1.0f, -1.0f}) {
        const Matrix<float> w = row_matrix({sign * 15 / 16, sign * 8 / 16, sign * 14 / 16, sign * 9 / 16});
        const Matrix<float> values = round_trip(w, int_format("int4-g4"));
        for (std::int64_t c = 0; c < w.cols(); ++c) EXPECT_EQ(values.row(0)[c], w.row(0)[c]);
    }
}

TEST(IntCodes, HoldConstantGroupsExactlyWhereTheScaleTypeHoldsTheConstant) {
    for (const char* text : {"int2-g5", "int4-g5", "int8-g5", "int2-sym-g5", "int4-sym-g5",
                             "int8-sym-channel", "int4-tensor", "int4-sym-tensor"}) {
        IntFormat format = int_format(text);
        for (const float c : {0.30078125f, -0.30078125f, 65504.0f, -1.0f, 0x1.0p-24f, 0.0f}) {
            expect_all(round_trip(row_matrix({c, c, c, c, c}), format), c, text);
        }
        format.scale = ScaleType::kF32;
        for (const float c : {0.3f, -1e-44f, 1e38f, 7e4f}) {
            expect_all(round_trip(row_matrix({c, c, c, c, c}), format), c, text);
        }
    }
}

TEST(IntCodes, RoundOtherConstantsToTheScaleType) {
    const Matrix<float> values = round_trip(row_matrix({-0.3f, -0.3f}), int_format("int4-g2"));
    EXPECT_EQ(values.row(0)[0], -round_to_f16(0.3f));
}

TEST(IntCodes, HoldConstantsAboveTheLargestF16ByTheGeneralFormula) {
    for (const char* text : {"int4-g2", "int4-sym-g2"}) {
        const Matrix<float> values = round_trip(row_matrix({2e5f, 2e5f}), int_format(text));
        EXPECT_NEAR(values.row(0)[0], 2e5f, 2e5f * 0x1.0p-11f) << text;
    }
}

TEST(IntCodes, OfZeroGroupsAreTheZeroPoint) {
    const IntEncoding asymmetric = encode(row_matrix({0, 0, -0.0f}), int_format("int4-g8"));
    EXPECT_THAT(asymmetric.codes.row(0), ::testing::Each(0));
    EXPECT_EQ(asymmetric.scales.row(0)[0], 0.0f);
    const IntEncoding symmetric = encode(row_matrix({0, 0, -0.0f}), int_format("int4-sym-g8"));
    EXPECT_THAT(symmetric.codes.row(0), ::testing::Each(8));
    expect_all(round_trip(row_matrix({0, -0.0f, 0}), int_format("int4-sym-g8")), 0, "values");
}

TEST(IntCodes, UseOnlyTheSymmetricCodesOfTwoBits) {
    const IntEncoding encoding = encode(row_matrix({-1, -0.4f, 0.6f, 1}), int_format("int2-sym-g4"));
    EXPECT_THAT(encoding.codes.row(0), ::testing::ElementsAre(1, 2, 3, 3));
    EXPECT_EQ(encoding.zeros.rows(), 0);
}

TEST(IntScales, AreExactlyOfTheirType) {
    const Matrix<float> w = random_matrix(8, 100, 3);
    const IntEncoding half = encode(w, int_format("int4-g16")),
                      brain = encode(w, int_format("int4-g16(scale=bf16)")),
                      full = encode(w, int_format("int4-g16(scale=f32)"));
    for (std::size_t i = 0; i < full.scales.values().size(); ++i) {
        const float s = full.scales.values()[i];
        EXPECT_GT(s, 0);
        EXPECT_EQ(half.scales.values()[i], round_to_f16(s));
        EXPECT_EQ(brain.scales.values()[i], bf16_to_f32(f32_to_bf16(s)));
    }
}

// A block is encoded as a matrix of its own with one scale; the last blocks are smaller.
TEST(IntCodes, OfABlockAreThoseOfAMatrixOfItsOwn) {
    const Matrix<float> w = random_matrix(7, 50, 4);
    const IntEncoding whole = encode(w, int_format("int4-b4x32"));
    ASSERT_EQ(whole.scales.rows(), 2);
    ASSERT_EQ(whole.scales.cols(), 2);
    for (std::int64_t i = 0; i < 2; ++i) {
        for (std::int64_t j = 0; j < 2; ++j) {
            Matrix<float> block(i == 0 ? 4 : 3, j == 0 ? 32 : 18);
            for (std::int64_t r = 0; r < block.rows(); ++r)
                std::copy_n(&w.view()(4 * i + r, 32 * j), block.cols(), block.row(r).begin());
            const IntEncoding part = encode(block, int_format("int4-tensor"));
            EXPECT_EQ(whole.scales.view()(i, j), part.scales.view()(0, 0));
            EXPECT_EQ(whole.zeros.view()(i, j), part.zeros.view()(0, 0));
            for (std::int64_t r = 0; r < block.rows(); ++r) {
                const auto codes = part.codes.row(r);
                EXPECT_TRUE(std::equal(codes.begin(), codes.end(), &whole.codes.view()(4 * i + r, 32 * j)));
            }
        }
    }
}

TEST(IntScales, StayPositiveWhereTheyWouldRoundToZero) {
    for (const char* text : {"int4-g4", "int4-sym-g4", "int8-tensor", "int4-g4(scale=f32)"}) {
        const IntFormat format = int_format(text);
        for (const float tiny : {1e-45f, 1e-40f, 1e-20f, 2e-8f, 1e-6f}) {
            const Matrix<float> w = row_matrix({tiny, -tiny / 2, 0, tiny / 4});
            EXPECT_GT(encode(w, format).scales.row(0)[0], 0) << text;
            const Matrix<float> values = round_trip(w, format);
            for (std::int64_t c = 0; c < w.cols(); ++c) {
                ASSERT_TRUE(std::isfinite(values.row(0)[c]));
                EXPECT_LE(std::abs(values.row(0)[c] - w.row(0)[c]), tiny) << text << " " << tiny;
            }
        }
    }
}

TEST(IntScales, ThatOverflowF16AreRefusedWithTheRemedy) {
    const Matrix<float> w = row_matrix({1, 2, 3e6f, 0});
    EXPECT_THAT([&] { encode(w, int_format("int4-g2")); },
                ThrowsMessage<NumericError>(AllOf(HasSubstr("row 0, column 2"), HasSubstr("(scale=f32)"))));
    EXPECT_THAT([&] { encode(w, int_format("int4-tensor")); },
                ThrowsMessage<NumericError>(HasSubstr("(scale=f32)")));
    EXPECT_NEAR(round_trip(w, int_format("int4-g2(scale=f32)")).row(0)[2], 3e6f, 1);
}

TEST(IntScales, ThatOverflowF32AreRefused) {
    const float huge = std::numeric_limits<float>::max();
    EXPECT_THROW(encode(row_matrix({huge, -huge}), int_format("int4-g2(scale=f32)")), NumericError);
    for (const char* text : {"int3-g2(scale=f32)", "int4-g2(scale=f32)", "int8-sym-g2(scale=f32)"}) {
        const IntFormat format = int_format(text);
        EXPECT_EQ(round_trip(row_matrix({huge, huge}), format).row(0)[0], huge) << text;
    }
}

void expect_refused_at(float bad, std::int64_t cols, std::int64_t column, const char* format) {
    Matrix<float> w = random_matrix(3, cols, 1);
    w.row(1)[static_cast<std::size_t>(column)] = bad;
    EXPECT_THAT([&] { encode(w, int_format(format)); },
                ThrowsMessage<NumericError>(HasSubstr("row 1, column " + std::to_string(column) + " is ")));
}

TEST(IntCodes, AreRefusedForNonFiniteWeightsWithTheirPlace) {
    for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
        for (const char* format : {"int4-g32", "int4-sym-channel", "int4-tensor"}) {
            for (const std::int64_t column : {0, 31, 40, 69}) expect_refused_at(bad, 70, column, format);
        }
    }
}

TEST(IntCodes, AcceptMatricesWithoutElements) {
    for (const char* text : {"int4-g128", "int4-channel", "int4-tensor"}) {
        EXPECT_EQ(round_trip(Matrix<float>(0, 5), int_format(text)).rows(), 0);
        EXPECT_EQ(round_trip(Matrix<float>(5, 0), int_format(text)).rows(), 5);
    }
}

TEST(IntCodes, AreTheSameForAnyNumberOfThreads) {
    const Matrix<float> w = random_matrix(301, 255, 5);
    for (const char* text : {"int4-g64", "int3-sym-channel", "int8-tensor"}) {
        const IntFormat format = int_format(text);
        ThreadPool one(1), five(5);
        const IntEncoding a = encode_int(w.view(), format, one), b = encode_int(w.view(), format, five);
        EXPECT_TRUE(std::ranges::equal(a.codes.values(), b.codes.values()));
        EXPECT_TRUE(std::ranges::equal(a.scales.values(), b.scales.values()));
        EXPECT_TRUE(std::ranges::equal(a.zeros.values(), b.zeros.values()));
    }
}

TEST(IntCodes, ReadRowsThroughAStride) {
    Matrix<float> wide = random_matrix(4, 100, 8), narrow(4, 60);
    for (std::int64_t r = 0; r < 4; ++r) std::copy_n(wide.row(r).begin(), 60, narrow.row(r).begin());
    ThreadPool pool(1);
    const IntFormat format = int_format("int4-g32");
    const MatrixView<const float> view(wide.values().data(), 4, 60, 100);
    EXPECT_TRUE(std::ranges::equal(encode_int(view, format, pool).codes.values(),
                                   encode(narrow, format).codes.values()));
}

// For every format each value is within half a step of its weight, plus what rounding the scale to f16 moves
// the ends.
TEST(IntCodes, AreNearestOnTheGrid) {
    const Matrix<float> w = random_matrix(16, 96, 11);
    for (int bits = 2; bits <= 8; ++bits) {
        for (const bool symmetric : {false, true}) {
            const IntFormat format{.bits = bits, .symmetric = symmetric, .tile = group_tile(32)};
            const IntEncoding encoding = encode(w, format);
            const Matrix<float> values = round_trip(w, format);
            for (std::int64_t r = 0; r < w.rows(); ++r) {
                for (std::int64_t c = 0; c < w.cols(); ++c) {
                    const double s = encoding.scales.view()(r, c / 32);
                    const double end =
                        symmetric ? 0 : 0.5 * s;  // an asymmetric grid may begin half a step late
                    const double bound = 0.5 * s + end + s * format.top() * 0x1.0p-11 + 1e-6;
                    ASSERT_LE(std::abs(values.view()(r, c) - w.view()(r, c)), bound) << to_string(format);
                }
            }
        }
    }
}

TEST(IntDecoding, RefusesShapesThatDoNotFit) {
    const IntFormat format = int_format("int4-g32");
    const IntEncoding encoding = encode(random_matrix(4, 64, 2), format);
    ThreadPool pool(1);
    Matrix<float> out(4, 64), other(4, 65);
    EXPECT_THROW(decode_int(encoding, format, other.view(), pool), InvalidArgument);
    EXPECT_THROW(decode_int(encoding, int_format("int4-g64"), out.view(), pool), InvalidArgument);
    EXPECT_THROW(decode_int(encoding, int_format("int4-sym-g32"), out.view(), pool), InvalidArgument);
}

// The matrix of tools/make_int_golden.py.
Matrix<float> golden_matrix() {
    Matrix<float> w(7, 70);
    for (int i = 0; i < 7 * 70; ++i) {
        w.values()[static_cast<std::size_t>(i)] = static_cast<float>((i * 7919) % 2003 - 1000) / 1024;
    }
    for (float& v : w.row(2)) v = std::abs(v);
    for (float& v : w.row(3)) v = -std::abs(v);
    for (float& v : w.row(4)) v = 0;
    for (float& v : w.row(5)) v = 0.3f;
    for (float& v : w.row(6)) v *= 0x1.0p-14f;
    return w;
}

struct Golden {
    const char* format;
    const char* codes;
    const char* values;
};

constexpr Golden kGolden[] = {
    // tools/make_int_golden.py, Python 3.11.7, numpy 2.4.6
    {"int2-g32", "795d2170acba001c", "0c0ae4a880ad94d0"},
    {"int2-g32(scale=f32)", "795d2170acba001c", "4ba2c8322278a585"},
    {"int2-g7", "1d0ed26668925fba", "2f640163d0793096"},
    {"int2-g7(scale=f32)", "1d0ed26668925fba", "c42d74816315b0d8"},
    {"int2-channel", "486536b6cb1466b6", "c726c5ea375c0419"},
    {"int2-channel(scale=f32)", "486536b6cb1466b6", "7b3be7962684ac39"},
    {"int2-tensor", "42eb844e8ccccb41", "684f513d45f9f123"},
    {"int2-tensor(scale=f32)", "42eb844e8ccccb41", "1816e9daafd706c4"},
    {"int2-sym-g32", "857ccb54efab6390", "a292b7d7e9270966"},
    {"int2-sym-g32(scale=f32)", "857ccb54efab6390", "93d15d5150bd57e4"},
    {"int2-sym-g7", "49bebf68ed6b2c07", "ce3892245cfc2c77"},
    {"int2-sym-g7(scale=f32)", "49bebf68ed6b2c07", "23b7b0034444f146"},
    {"int2-sym-channel", "d971b47baecab5c3", "15466bca479169a5"},
    {"int2-sym-channel(scale=f32)", "d971b47baecab5c3", "5fd7dcdf2503d983"},
    {"int2-sym-tensor", "e85dea63ccb39023", "d8cd1f250ab47092"},
    {"int2-sym-tensor(scale=f32)", "e85dea63ccb39023", "d8cd1f250ab47092"},
    {"int3-g32", "9196f130c915d198", "93aef6d694ef5f74"},
    {"int3-g32(scale=f32)", "9196f130c915d198", "b3d44a8f1c86083b"},
    {"int3-g7", "bb44de2f4523aec3", "975d421a02e5b47e"},
    {"int3-g7(scale=f32)", "aa4c9473613ae9e8", "35f45d346c63a902"},
    {"int3-channel", "ad0bc746aa3d3f98", "d86f2f6f15cc9e98"},
    {"int3-channel(scale=f32)", "ad0bc746aa3d3f98", "8e7d54a062c1995a"},
    {"int3-tensor", "c5a082552fc704f2", "c77d8edef95dc56c"},
    {"int3-tensor(scale=f32)", "c5a082552fc704f2", "c77d8edef95dc56c"},
    {"int3-sym-g32", "1976b62d30254c78", "65ccf9c78097a339"},
    {"int3-sym-g32(scale=f32)", "1976b62d30254c78", "35c05412cec25c6e"},
    {"int3-sym-g7", "96c1770633a23d68", "aa0c07bae852262c"},
    {"int3-sym-g7(scale=f32)", "96c1770633a23d68", "b4b15bb965e65f64"},
    {"int3-sym-channel", "06042d28a29f726f", "12da4c9ad5b398bb"},
    {"int3-sym-channel(scale=f32)", "06042d28a29f726f", "e855ccaa448db9b8"},
    {"int3-sym-tensor", "eae25aac86c4f32e", "77ebb8292c10910a"},
    {"int3-sym-tensor(scale=f32)", "eae25aac86c4f32e", "fd7e2da8c484cb02"},
    {"int4-g32", "d7e572bf251c2dcf", "aab983e3be9ac507"},
    {"int4-g32(scale=f32)", "516fbb7d4912ea2e", "2070ab53efc36781"},
    {"int4-g7", "5513838ca0170d0f", "8cd72f980cf4209a"},
    {"int4-g7(scale=f32)", "cf56e9daf8c84c2a", "22c9e4dae0f09647"},
    {"int4-channel", "7968b54e22316d44", "c47085d9877f0225"},
    {"int4-channel(scale=f32)", "42ababf3304f3b0d", "593e04cdc253108a"},
    {"int4-tensor", "c03b9d574537dc21", "70ad6c7b0bbc9ec0"},
    {"int4-tensor(scale=f32)", "c03b9d574537dc21", "5019f62ae48189b7"},
    {"int4-sym-g32", "ac4885daa5f80065", "3314debd0a0dcb6e"},
    {"int4-sym-g32(scale=f32)", "ac4885daa5f80065", "ec07b5049804d588"},
    {"int4-sym-g7", "535bffdfb47f7003", "e1092f07578fe40a"},
    {"int4-sym-g7(scale=f32)", "fd6ad24732e44964", "dba4a307e464f07f"},
    {"int4-sym-channel", "2db49e56e0fe21c6", "fc0338003a1c116d"},
    {"int4-sym-channel(scale=f32)", "2db49e56e0fe21c6", "4eabbde1323e86ac"},
    {"int4-sym-tensor", "20985cafda3c90f4", "2a938abfc80123d6"},
    {"int4-sym-tensor(scale=f32)", "009e6b87a9002c4c", "ec8074cc7c68574a"},
    {"int8-g32", "5539854821d69b31", "344d0b4bf168199e"},
    {"int8-g32(scale=f32)", "2b9f56b507d60a46", "1e4c46d9115f42f4"},
    {"int8-g7", "ed2aaa2eb86d036d", "48451dcb2cd8636e"},
    {"int8-g7(scale=f32)", "80e8ff0f5f975d22", "0ae68ea3617a6b94"},
    {"int8-channel", "3176f3895a5e9cd0", "87b1ee337403a037"},
    {"int8-channel(scale=f32)", "b482190f2e74a873", "99a6cc114ea7544d"},
    {"int8-tensor", "bc91f2812861db27", "2db7c3bb60b1447a"},
    {"int8-tensor(scale=f32)", "54e59e137ea6ab40", "e3273fa78ae1a448"},
    {"int8-sym-g32", "608e90f3ab617c7b", "e51774a8c3bc9b68"},
    {"int8-sym-g32(scale=f32)", "e5c15923f0d36711", "b0d279ae01d8a438"},
    {"int8-sym-g7", "142f03622d6bc547", "8526b44734617d03"},
    {"int8-sym-g7(scale=f32)", "5f7f0e63d8f6e860", "fd363e68f093a7ff"},
    {"int8-sym-channel", "dd25de844e98eb9d", "3fcb0efa0b88443e"},
    {"int8-sym-channel(scale=f32)", "76ac237ce4f18f04", "51d409b2a2109077"},
    {"int8-sym-tensor", "d99a5745e57e1b0e", "d768cba11fd47565"},
    {"int8-sym-tensor(scale=f32)", "e7f0cbcab6dcf723", "62a729621f13de1b"},
};

TEST(IntCodes, EqualNumpyBitForBit) {
    const Matrix<float> w = golden_matrix();
    for (const Golden& golden : kGolden) {
        const IntFormat format = int_format(golden.format);
        const IntEncoding encoding = encode(w, format);
        Matrix<float> values = round_trip(w, format);
        for (float& v : values.values()) v += 0.0f;  // -0 becomes +0
        EXPECT_EQ(sha256_hex(std::as_bytes(encoding.codes.values())).substr(0, 16), golden.codes)
            << golden.format;
        EXPECT_EQ(sha256_hex(std::as_bytes(values.values())).substr(0, 16), golden.values) << golden.format;
    }
}

}  // namespace
}  // namespace assay
