#include "tensor/tensor_view.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

TEST(TensorView, RoundTripsEachFloatTypeFromUnalignedBytes) {
    const std::vector<float> values{0.0f, -0.0f, 1.5f, -2.25f, 0.0078125f, 448.0f};
    for (DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
        std::vector<std::byte> store(1 + values.size() * static_cast<std::size_t>(dtype_bits(type)) / 8);
        const auto bytes = std::span(store).subspan(1);
        from_f32(values, type, bytes);
        std::vector<float> back(values.size() - 1);
        to_f32({type, {2, 3}, bytes}, 1, back);
        EXPECT_EQ(back, std::vector<float>(values.begin() + 1, values.end())) << dtype_name(type);
    }
}

TEST(TensorView, RefusesRangesOutsideAndOtherTypes) {
    std::array<std::byte, 8> store{};
    std::vector<float> out(3);
    EXPECT_THROW(to_f32({DType::kF32, {2}, store}, 0, out), InvalidArgument);
    EXPECT_THROW(to_f32({DType::kI32, {2}, store}, 0, std::span(out).first(1)), InvalidArgument);
    EXPECT_THROW(from_f32(out, DType::kI8, std::span(store).first(3)), InvalidArgument);
    EXPECT_THROW(from_f32(out, DType::kF32, store), InvalidArgument);
}

TEST(TensorView, EmptyTensorsConvertToNothing) {
    for (DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
        to_f32({type, {0, 3}, {}}, 0, {});
        from_f32({}, type, {});
    }
}

TEST(TensorView, OverflowIsAnErrorButInfinityPasses) {
    std::array<std::byte, 2> store{};
    EXPECT_THROW(from_f32(std::array{70000.0f}, DType::kF16, store), NumericError);
    from_f32(std::array{INFINITY}, DType::kF16, store);
    std::array<float, 1> back{};
    to_f32({DType::kF16, {1}, store}, 0, back);
    EXPECT_TRUE(std::isinf(back[0]));
}

}  // namespace
}  // namespace assay
