#include "tensor/tensor_view.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// The numbers that `stored` holds as elements of `type`, read from unaligned bytes.
template <class Stored>
std::vector<float> read_back(DType type, const std::vector<Stored>& stored) {
    const auto bytes = std::as_bytes(std::span(stored));
    std::vector<std::byte> store(1 + bytes.size());
    std::copy(bytes.begin(), bytes.end(), store.begin() + 1);
    std::vector<float> out(stored.size());
    to_f32({type, {static_cast<std::int64_t>(stored.size())}, std::span(store).subspan(1)}, 0, out);
    return out;
}

TEST(TensorView, ReadsF64RoundedToTheNearestEven) {
    const std::vector<double> stored{0.1, 1 + 0x1.0p-24, 1 + 0x1.8p-23, -0x1.0p-149, 0x1.0p-151, 1e39, -1e39};
    EXPECT_EQ(read_back(DType::kF64, stored),
              (std::vector<float>{0.1f, 1, 1 + 0x1.0p-22f, -0x1.0p-149f, 0, INFINITY, -INFINITY}));
}

TEST(TensorView, ReadsEightBitFloats) {
    const std::vector<std::uint8_t> stored{0x00, 0x01, 0x38, 0x7b, 0xb8};
    EXPECT_EQ(read_back(DType::kF8E4M3, stored), (std::vector<float>{0, 0x1.0p-9f, 1, 352, -1}));
    EXPECT_EQ(read_back(DType::kF8E5M2, stored), (std::vector<float>{0, 0x1.0p-16f, 0.5f, 57344, -0.5f}));
    EXPECT_EQ(read_back(DType::kF8E8M0, std::vector<std::uint8_t>{0, 127, 254}),
              (std::vector<float>{0x1.0p-127f, 1, 0x1.0p127f}));
}

TEST(TensorView, ReadsSmallIntegersExactly) {
    EXPECT_EQ(read_back(DType::kI8, std::vector<std::int8_t>{-128, -1, 127}),
              (std::vector<float>{-128, -1, 127}));
    EXPECT_EQ(read_back(DType::kU8, std::vector<std::uint8_t>{0, 128, 255}),
              (std::vector<float>{0, 128, 255}));
    EXPECT_EQ(read_back(DType::kI16, std::vector<std::int16_t>{-32768, 32767}),
              (std::vector<float>{-32768, 32767}));
    EXPECT_EQ(read_back(DType::kU16, std::vector<std::uint16_t>{65535}), (std::vector<float>{65535}));
}

TEST(TensorView, KnowsWhatItReads) {
    for (DType type : {DType::kF64, DType::kF8E8M0, DType::kI8, DType::kU16})
        EXPECT_TRUE(readable_as_f32(type));
    for (DType type :
         {DType::kF4, DType::kF6E2M3, DType::kF8E4M3FNUZ, DType::kC64, DType::kI32, DType::kBool})
        EXPECT_FALSE(readable_as_f32(type)) << dtype_name(type);
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
    for (DType type : {DType::kF32, DType::kF16, DType::kBF16}) from_f32({}, type, {});
    for (DType type : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kI8})
        to_f32({type, {0, 3}, {}}, 0, {});
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
