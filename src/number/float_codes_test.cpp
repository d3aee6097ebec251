// What all small-float formats have in common.
#include "number/float_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/sha256.h"
#include "number/e2m1.h"
#include "number/float_test.h"
#include "tensor/float8.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<const char*> kFormats = {"fp8-e4m3",       "fp8-e5m2(scale=f32)", "fp8-e4m3-tensor",
                                           "fp8-e4m3-b3x20", "fp8-e5m2-g7",         "mxfp4",
                                           "mxfp8-e4m3",     "mxfp8-e5m2",          "nvfp4"};

bool same_bits(const Matrix<float>& a, const Matrix<float>& b) {
    return std::memcmp(a.values().data(), b.values().data(), a.values().size_bytes()) == 0;
}

Matrix<float> rounded(const Matrix<float>& w, std::string_view text, int threads = 1) {
    ThreadPool pool(threads);
    Matrix<float> out(w.rows(), w.cols());
    with_float_format(text,
                      [&](const auto& format) { round_to_nearest(w.view(), format, out.view(), pool); });
    return out;
}

// Every finite value of the element type.
std::vector<double> values_of(FloatElement element) {
    std::vector<double> values;
    for (int code = 0; code < (1 << bits_of(element)); ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        const float value = element == FloatElement::kE2m1   ? e2m1_to_f32(byte)
                            : element == FloatElement::kE4m3 ? f8e4m3_to_f32(byte)
                                                             : f8e5m2_to_f32(byte);
        if (std::isfinite(value)) values.push_back(static_cast<double>(value));
    }
    return values;
}

FloatElement element_of(std::string_view text) {
    FloatElement element = FloatElement::kE2m1;
    with_float_format(text, [&](const auto& format) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(format)>, Nvfp4Format>) element = format.element;
    });
    return element;
}

TEST(FloatElement, ReachesTheLargestValueOfItsTable) {
    for (const FloatElement element : {FloatElement::kE2m1, FloatElement::kE4m3, FloatElement::kE5m2}) {
        const auto values = values_of(element);
        EXPECT_EQ(*std::ranges::max_element(values), largest_value(element));
    }
}

// No value of the element type, times the group's scale, lies nearer to the weight.
void expect_nearest(const Matrix<float>& w, std::string_view text) {
    const FloatEncoding encoding = encode(w, text);
    const Matrix<float> result = round_trip(w, text);
    const auto values = values_of(element_of(text));
    GroupLayout layout;
    with_float_format(text, [&](const auto& format) { layout = group_layout(format, w.rows(), w.cols()); });
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const float stored = encoding.scales.view()(r / layout.height, c / layout.columns);
            const double step = stored / encoding.global_scale, x = w.view()(r, c);
            double best = INFINITY;
            for (const double v : values) best = std::min(best, std::abs(v * step - x));
            const double slack = 1e-6 * std::abs(x);  // float32 rounding of quotient and product
            ASSERT_LE(std::abs(result.view()(r, c) - x), best + slack) << text << " " << r << " " << c;
        }
    }
}

TEST(FloatCodes, AreNearestOverAwkwardSizes) {
    for (const std::int64_t cols : {1, 15, 17, 31, 33, 64, 100}) {
        for (const char* text : kFormats) expect_nearest(random_matrix(5, cols, cols), text);
    }
}

TEST(FloatCodes, AreNearestForOneWeight) {
    for (const char* text : kFormats) {
        for (const float x : {1.0f, -0.3f, 448.0f, 1e-6f, -7e4f}) expect_nearest(row_matrix({x}), text);
    }
}

TEST(FloatCodes, DecodeToWhatRoundingGivesBitForBit) {
    for (const std::int64_t cols : {1, 31, 33, 255}) {
        const Matrix<float> w = random_matrix(10, cols, 3);
        for (const char* text : kFormats)
            EXPECT_TRUE(same_bits(rounded(w, text), round_trip(w, text))) << text << " " << cols;
    }
}

TEST(FloatCodes, AreRoundedInPlace) {
    ThreadPool pool(2);
    for (const char* text : kFormats) {
        Matrix<float> w = random_matrix(300, 255, 4);
        const Matrix<float> expected = rounded(w, text);
        with_float_format(text,
                          [&](const auto& format) { round_to_nearest(w.view(), format, w.view(), pool); });
        EXPECT_TRUE(same_bits(w, expected)) << text;
    }
}

TEST(FloatCodes, AreTheSameForAnyNumberOfThreads) {
    const Matrix<float> w = random_matrix(301, 255, 5);
    for (const char* text : kFormats) {
        const FloatEncoding one = encode(w, text, 1), five = encode(w, text, 5);
        EXPECT_TRUE(std::ranges::equal(one.codes.values(), five.codes.values())) << text;
        EXPECT_TRUE(same_bits(one.scales, five.scales)) << text;
        EXPECT_EQ(one.global_scale, five.global_scale) << text;
        EXPECT_TRUE(same_bits(rounded(w, text, 1), rounded(w, text, 5))) << text;
    }
}

TEST(FloatCodes, KeepZerosAndTheirSigns) {
    for (const char* text : kFormats) {
        const Matrix<float> zeros = row_matrix({0.0f, -0.0f, 0.0f}), values = round_trip(zeros, text);
        EXPECT_TRUE(same_bits(values, zeros)) << text;
        const Matrix<float> mixed = round_trip(row_matrix({1.0f, -0.0f, 0.0f, -1e-30f}), text);
        EXPECT_EQ(mixed.row(0)[1], 0) << text;
        EXPECT_TRUE(std::signbit(mixed.row(0)[1])) << text;
        EXPECT_FALSE(std::signbit(mixed.row(0)[2])) << text;
        EXPECT_TRUE(std::signbit(mixed.row(0)[3])) << text;
    }
}

TEST(FloatCodes, AreFiniteAndUsefulForTinyWeights) {
    for (const char* text : kFormats) {
        for (const float tiny : {1e-6f, 1e-20f, 1e-36f, 1e-40f, 1e-45f}) {
            const Matrix<float> w = row_matrix({tiny, -tiny / 2, 0, tiny / 4});
            const Matrix<float> values = round_trip(w, text);
            for (std::size_t i = 0; i < 4; ++i) {
                ASSERT_TRUE(std::isfinite(values.row(0)[i])) << text << " " << tiny;
                EXPECT_LE(std::abs(values.row(0)[i] - w.row(0)[i]), tiny) << text << " " << tiny;
            }
        }
    }
}

TEST(FloatCodes, AreFiniteForTheLargestWeights) {
    const float top = 3e38f;
    for (const char* text :
         {"fp8-e4m3", "fp8-e5m2(scale=f32)", "mxfp4", "mxfp8-e4m3", "mxfp8-e5m2", "nvfp4"}) {
        const Matrix<float> values = round_trip(row_matrix({top, -top / 2, 1}), text);
        for (const float v : values.values()) EXPECT_TRUE(std::isfinite(v)) << text;
        EXPECT_GT(values.row(0)[0], 0.7f * top) << text;
    }
}

TEST(FloatCodes, AreRefusedForNonFiniteWeightsWithTheirPlace) {
    for (const char* text : kFormats) {
        for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
            for (const std::int64_t column : {0, 31, 40, 69}) {
                Matrix<float> w = random_matrix(3, 70, 1);
                w.row(1)[static_cast<std::size_t>(column)] = bad;
                EXPECT_THAT([&] { encode(w, text); },
                            ThrowsMessage<NumericError>(
                                HasSubstr("row 1, column " + std::to_string(column) + " is ")))
                    << text;
                EXPECT_THROW(rounded(w, text), NumericError) << text;
            }
        }
    }
}

TEST(FloatCodes, AcceptMatricesWithoutElements) {
    for (const char* text : kFormats) {
        EXPECT_EQ(round_trip(Matrix<float>(0, 5), text).rows(), 0);
        EXPECT_EQ(round_trip(Matrix<float>(5, 0), text).rows(), 5);
    }
}

TEST(FloatCodes, ReadRowsThroughAStride) {
    const Matrix<float> wide = random_matrix(4, 100, 8);
    Matrix<float> narrow(4, 60);
    for (std::int64_t r = 0; r < 4; ++r) std::copy_n(wide.row(r).begin(), 60, narrow.row(r).begin());
    ThreadPool pool(1);
    const MatrixView<const float> view(wide.values().data(), 4, 60, 100);
    for (const char* text : kFormats) {
        with_float_format(text, [&](const auto& format) {
            EXPECT_TRUE(std::ranges::equal(encode(view, format, pool).codes.values(),
                                           encode(narrow.view(), format, pool).codes.values()))
                << text;
        });
    }
}

TEST(FloatDecoding, RefusesShapesThatDoNotFit) {
    const FloatEncoding encoding = encode(random_matrix(4, 64, 2), "mxfp4");
    ThreadPool pool(1);
    Matrix<float> out(4, 64), other(4, 65);
    EXPECT_THROW(decode_mx(encoding, {}, other.view(), pool), InvalidArgument);
    EXPECT_THROW(decode_nvfp4(encoding, {}, out.view(), pool), InvalidArgument);
    EXPECT_THROW(decode_fp8(encoding, {}, out.view(), pool), InvalidArgument);
}

// The matrix of tools/make_float_golden.py.
Matrix<float> golden_matrix() {
    Matrix<float> w(9, 70);
    for (int i = 0; i < 9 * 70; ++i)
        w.values()[static_cast<std::size_t>(i)] = static_cast<float>((i * 7919) % 2003 - 1000) / 1024;
    for (float& v : w.row(2)) v = std::abs(v);
    for (float& v : w.row(3)) v = -std::abs(v);
    for (std::size_t i = 0; i < 70; ++i) w.row(4)[i] = i % 2 == 0 ? -0.0f : 0.0f;
    for (float& v : w.row(5)) v = 0.3f;
    for (float& v : w.row(6)) v *= 0x1.0p-14f;
    for (float& v : w.row(7)) v *= 0x1.0p-30f;
    for (float& v : w.row(8)) v *= 0x1.0p-130f;
    return w;
}

struct Golden {
    const char *format, *codes, *scales, *values;
    float global_scale;
};

constexpr Golden kGolden[] = {
    // tools/make_float_golden.py, Python 3.11.7, numpy 2.4.6
    {"fp8-e4m3", "34bfada489e59bab", "2ca78921351022ce", "d3763574725c7b32", 0x1.0000000000000p+0f},
    {"fp8-e4m3(scale=f32)", "652ce6708efc640d", "91ffa34a3b8737b2", "b36346ed093db7e7",
     0x1.0000000000000p+0f},
    {"fp8-e4m3(scale=f16)", "6047312c272365e7", "001eee17ee0b3c5b", "47b9d04f8012c4da",
     0x1.0000000000000p+0f},
    {"fp8-e4m3-tensor(scale=f32)", "4c7654f7b95f297d", "f886b4bd334401af", "dd5e2b9cf4d02995",
     0x1.0000000000000p+0f},
    {"fp8-e4m3-g32", "6ef5d536d7b5969d", "d361cdd1199d8eab", "f14ee6d62328f771", 0x1.0000000000000p+0f},
    {"fp8-e4m3-b4x32(scale=f32)", "744c4ddf8d0a4381", "75731a6565ba1ee5", "cb930ddb09807151",
     0x1.0000000000000p+0f},
    {"fp8-e5m2", "cfaf936ccc051fc0", "8452a2989d3bf164", "ac6845f92697d2bf", 0x1.0000000000000p+0f},
    {"fp8-e5m2(scale=f32)", "ecc89f13e35bacb0", "5e361e8690831291", "c45032cfb6836f15",
     0x1.0000000000000p+0f},
    {"fp8-e5m2(scale=f16)", "a9486b30925934c6", "4194bb530e9619f1", "02c9ad59c7a71600",
     0x1.0000000000000p+0f},
    {"fp8-e5m2-tensor(scale=f32)", "a0fa3cb969742397", "571e1500b557bb0c", "c480cda22d9ebab7",
     0x1.0000000000000p+0f},
    {"fp8-e5m2-g32", "09121620d64551d9", "153d8bc4aca5e6cd", "0fb9074977c41d6f", 0x1.0000000000000p+0f},
    {"fp8-e5m2-b4x32(scale=f32)", "b83559e87590c1d0", "77daeeb1483f9e58", "60ae0e14000a9a91",
     0x1.0000000000000p+0f},
    {"mxfp4", "21322cfb050a49f6", "8d13bd0a5150184f", "9489b5a80ea7df24", 0x1.0000000000000p+0f},
    {"mxfp8-e4m3", "5cbe26bb18d142f7", "21355c35c8c484d9", "85c529f2963aaff5", 0x1.0000000000000p+0f},
    {"mxfp8-e5m2", "6e90f89f939286f9", "faca650e30466be8", "e8e64afef0d6803b", 0x1.0000000000000p+0f},
    {"nvfp4", "b8bf8f609a24d969", "244d0e03a248fe7f", "ddef3687bc45fd0b", 0x1.5810640000000p+11f},
};

template <class T>
std::string hash(const Matrix<T>& m) {
    return sha256_hex(std::as_bytes(m.values())).substr(0, 16);
}

TEST(FloatCodes, EqualNumpyBitForBit) {
    const Matrix<float> w = golden_matrix();
    for (const Golden& golden : kGolden) {
        const FloatEncoding encoding = encode(w, golden.format);
        EXPECT_EQ(hash(encoding.codes), golden.codes) << golden.format;
        EXPECT_EQ(hash(encoding.scales), golden.scales) << golden.format;
        EXPECT_EQ(hash(round_trip(w, golden.format)), golden.values) << golden.format;
        EXPECT_EQ(encoding.global_scale, golden.global_scale) << golden.format;
    }
}

}  // namespace
}  // namespace assay
