// The scales of FP8 formats.
#include "number/fp8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "number/float_test.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

float bf16(float x) {
    return bf16_to_f32(f32_to_bf16(x));
}

TEST(Fp8, ScalesAChannelByItsLargestMagnitude) {
    const Matrix<float> w = random_matrix(6, 100, 1);
    const FloatEncoding e4m3 = encode(w, "fp8-e4m3(scale=f32)"), e5m2 = encode(w, "fp8-e5m2(scale=f32)"),
                        usual = encode(w, "fp8-e4m3"), half = encode(w, "fp8-e4m3(scale=f16)");
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        float largest = 0;
        for (const float x : w.row(r)) largest = std::max(largest, std::abs(x));
        EXPECT_EQ(e4m3.scales.view()(r, 0), largest / 448);
        EXPECT_EQ(e5m2.scales.view()(r, 0), largest / 57344);
        EXPECT_EQ(usual.scales.view()(r, 0), bf16(largest / 448));
        EXPECT_EQ(half.scales.view()(r, 0), round_to_f16(largest / 448));
    }
}

TEST(Fp8, HasOneScaleForATensor) {
    const FloatEncoding encoding = encode(random_matrix(6, 100, 2), "fp8-e4m3-tensor");
    EXPECT_EQ(encoding.scales.rows(), 1);
    EXPECT_EQ(encoding.scales.cols(), 1);
}

// A block is encoded as a matrix of its own with one scale; the last blocks are smaller.
TEST(Fp8, EncodesABlockLikeAMatrixOfItsOwn) {
    const Matrix<float> w = random_matrix(10, 50, 3);
    const FloatEncoding whole = encode(w, "fp8-e4m3-b4x32(scale=f32)");
    ASSERT_EQ(whole.scales.rows(), 3);
    ASSERT_EQ(whole.scales.cols(), 2);
    for (std::int64_t i = 0; i < 3; ++i) {
        for (std::int64_t j = 0; j < 2; ++j) {
            Matrix<float> block(std::min<std::int64_t>(4, 10 - 4 * i),
                                std::min<std::int64_t>(32, 50 - 32 * j));
            for (std::int64_t r = 0; r < block.rows(); ++r)
                for (std::int64_t c = 0; c < block.cols(); ++c)
                    block.view()(r, c) = w.view()(4 * i + r, 32 * j + c);
            const FloatEncoding part = encode(block, "fp8-e4m3-tensor(scale=f32)");
            EXPECT_EQ(whole.scales.view()(i, j), part.scales.view()(0, 0));
            for (std::int64_t r = 0; r < block.rows(); ++r)
                for (std::int64_t c = 0; c < block.cols(); ++c)
                    ASSERT_EQ(whole.codes.view()(4 * i + r, 32 * j + c), part.codes.view()(r, c));
        }
    }
}

TEST(Fp8, SaturatesWhereARoundedScaleIsTooSmall) {
    const float largest = 448 * 1.0039f;  // its scale, 1.0039, is 1 in bf16
    const FloatEncoding encoding = encode(row_matrix({largest, -largest, 1}), "fp8-e4m3");
    EXPECT_EQ(encoding.scales.row(0)[0], 1.0f);
    EXPECT_THAT(encoding.codes.row(0), ElementsAre(0x7e, 0xfe, 0x38));
}

TEST(Fp8, SendsTiesToTheEvenCode) {
    // Scale 1: from 16 on the step is 2.
    const FloatEncoding encoding = encode(row_matrix({448, 17, 19, -17, -19}), "fp8-e4m3");
    EXPECT_THAT(encoding.codes.row(0), ElementsAre(0x7e, f32_to_f8e4m3(16), f32_to_f8e4m3(20),
                                                   f32_to_f8e4m3(-16), f32_to_f8e4m3(-20)));
    const Matrix<float> values = round_trip(row_matrix({448, 17, 19, -17, -19}), "fp8-e4m3");
    EXPECT_THAT(values.row(0), ElementsAre(448, 16, 20, -16, -20));
}

TEST(Fp8, HasScaleZeroOnlyForZeros) {
    EXPECT_EQ(encode(row_matrix({0, -0.0f}), "fp8-e4m3").scales.row(0)[0], 0);
    for (const char* text : {"fp8-e4m3", "fp8-e4m3(scale=f16)", "fp8-e5m2(scale=f32)"})
        EXPECT_GT(encode(row_matrix({1e-45f, 0}), text).scales.row(0)[0], 0) << text;
}

TEST(Fp8, RefusesAScaleThatOverflowsF16WithTheRemedy) {
    const Matrix<float> w = row_matrix({1, 3e7f});
    EXPECT_THAT([&] { encode(w, "fp8-e4m3(scale=f16)"); },
                ThrowsMessage<NumericError>(AllOf(HasSubstr("row 0, column 0"), HasSubstr("(scale=f32)"))));
    EXPECT_NO_THROW(encode(w, "fp8-e4m3"));
}

}  // namespace
}  // namespace assay
