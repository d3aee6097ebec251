// Weights stored as 8-bit numbers with scales of every shape, and everything that must be refused.
#include "model/scaled_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

// Tensors in memory.
class Tensors {
  public:
    // Random bytes without NaN codes.
    Tensors& add(const std::string& name, DType dtype, const Shape& shape) {
        const auto count = static_cast<std::size_t>(element_count(shape) * dtype_bits(dtype) / 8);
        auto& bytes = store_.emplace_back(count);
        for (std::byte& b : bytes) b = static_cast<std::byte>(rng_.below(0x70));
        map_[name] = {dtype, shape, bytes};
        return *this;
    }
    template <class Number>
    Tensors& add(const std::string& name, DType dtype, const Shape& shape,
                 const std::vector<Number>& values) {
        const auto bytes = std::as_bytes(std::span(values));
        store_.emplace_back(bytes.begin(), bytes.end());
        map_[name] = {dtype, shape, store_.back()};
        return *this;
    }
    const TensorMap& map() const { return map_; }
    float at(const std::string& name, std::int64_t index) const {
        float value = 0;
        to_f32(map_.at(name), index, std::span(&value, 1));
        return value;
    }

  private:
    Rng rng_{11};
    std::deque<std::vector<std::byte>> store_;
    TensorMap map_;
};

Matrix<float> read(const Tensors& tensors, const QuantizedStorage& storage = {}, std::int64_t first = 0) {
    const ScaledWeight weight = find_weight(tensors.map(), "w", storage, "file: w");
    Matrix<float> out(weight.numbers->shape[0] - first, weight.numbers->shape[1]);
    read_rows(weight, first, out.view());
    return out;
}

// The error of looking for w.
template <class Error = FormatError>
std::string error(const Tensors& tensors, const QuantizedStorage& storage = {}) {
    try {
        find_weight(tensors.map(), "w", storage, "file: w");
    } catch (const Error& e) {
        return e.what();
    }
    return "no error";
}

constexpr std::int64_t kRows = 7, kCols = 10;
const QuantizedStorage kBlocks{.scaled = true, .block_rows = 3, .block_cols = 4};

// Every element against numbers[n, k] · scales[index].
void expect_products(const Tensors& tensors, const std::string& scale,
                     std::int64_t (*index)(std::int64_t row, std::int64_t col)) {
    for (const std::int64_t first : {0, 1, 4, 6}) {
        const Matrix<float> out = read(tensors, kBlocks, first);
        for (std::int64_t r = 0; r < out.rows(); ++r) {
            for (std::int64_t c = 0; c < kCols; ++c) {
                const std::int64_t row = first + r;
                ASSERT_EQ(out.view()(r, c),
                          tensors.at("w", row * kCols + c) * tensors.at(scale, index(row, c)))
                    << row << " " << c;
            }
        }
    }
}

TEST(ScaledWeight, HasOneScaleATensor) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1}}) {
        Tensors tensors;
        tensors.add("w", DType::kF8E4M3, {kRows, kCols})
            .add("w_scale", DType::kF32, shape, std::vector{0.3f});
        expect_products(tensors, "w_scale", [](std::int64_t, std::int64_t) { return std::int64_t{0}; });
    }
}

TEST(ScaledWeight, HasOneScaleARow) {
    for (const Shape& shape : {Shape{kRows}, Shape{kRows, 1}}) {
        Tensors tensors;
        tensors.add("w", DType::kI8, {kRows, kCols}).add("w_scale", DType::kBF16, shape);
        expect_products(tensors, "w_scale", [](std::int64_t row, std::int64_t) { return row; });
    }
}

TEST(ScaledWeight, HasOneScaleABlockAlsoWhereTheLastBlocksAreShort) {
    for (DType type : {DType::kF8E4M3, DType::kF8E5M2}) {
        Tensors tensors;
        tensors.add("w", type, {kRows, kCols})
            .add("w_scale_inv", DType::kF32, {3, 3},
                 std::vector<float>{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f});
        expect_products(tensors, "w_scale_inv",
                        [](std::int64_t row, std::int64_t col) { return row / 3 * 3 + col / 4; });
    }
}

TEST(ScaledWeight, HasScalesThatArePowersOfTwo) {
    Tensors tensors;
    tensors.add("w", DType::kF8E4M3, {kRows, kCols})
        .add("w_scale_inv", DType::kF8E8M0, {1}, std::vector<std::uint8_t>{120});
    EXPECT_EQ(read(tensors, kBlocks).view()(0, 0), tensors.at("w", 0) / 128);
}

TEST(ScaledWeight, BlocksAre128By128WhereTheConfigSaysNothing) {
    Tensors tensors;
    tensors.add("w", DType::kF8E4M3, {130, 257})
        .add("w_scale_inv", DType::kF32, {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
    const Matrix<float> out = read(tensors);
    EXPECT_EQ(out.view()(127, 128), 2 * tensors.at("w", 127 * 257 + 128));
    EXPECT_EQ(out.view()(129, 256), 6 * tensors.at("w", 129 * 257 + 256));
}

TEST(ScaledWeight, IsThePlainNumberWithoutScales) {
    const std::vector<double> stored{0.1, -2};
    Tensors tensors;
    tensors.add("w", DType::kF64, {1, 2}, stored);
    EXPECT_EQ(read(tensors).view()(0, 0), 0.1f);
    Tensors small;
    small.add("w", DType::kF8E5M2, {1, 2}, std::vector<std::uint8_t>{0x3c, 0xc0});
    EXPECT_EQ(read(small).view()(0, 1), -2);
}

TEST(ScaledWeight, OfNoRowsOrColumnsReadsAsNothing) {
    for (const Shape& shape : {Shape{0, 5}, Shape{5, 0}, Shape{0, std::int64_t{1} << 62}}) {
        Tensors tensors;
        tensors.add("w", DType::kF8E4M3, shape).add("w_scale", DType::kF32, {1});
        EXPECT_TRUE(read(tensors).values().empty());
    }
}

TEST(ScaledWeight, KnowsScalesByTheirWeight) {
    Tensors tensors;
    tensors.add("w", DType::kI8, {1, 1}).add("w_scale", DType::kF32, {1}).add("v_scale", DType::kF32, {1});
    EXPECT_TRUE(is_scale(tensors.map(), "w_scale"));
    EXPECT_FALSE(is_scale(tensors.map(), "v_scale"));
    EXPECT_FALSE(is_scale(tensors.map(), "w"));
}

TEST(ScaledWeight, RefusesAMissingTensor) {
    EXPECT_THAT(error(Tensors()), HasSubstr("file: w is missing"));
}

TEST(ScaledWeight, RefusesScalesThatDoNotFit) {
    for (const Shape& grid :
         {Shape{6}, Shape{6, 1}, Shape{2, 3}, Shape{3, 4}, Shape{kRows, 2}, Shape{0}, Shape{3, 3, 1}}) {
        Tensors tensors;
        tensors.add("w", DType::kF8E4M3, {kRows, kCols}).add("w_scale", DType::kF32, grid);
        EXPECT_THAT(error(tensors, kBlocks), HasSubstr("has scales of shape " + to_string(grid)));
        EXPECT_THAT(error(tensors, kBlocks), HasSubstr("[3, 3] for blocks of 3 x 4"));
    }
}

TEST(ScaledWeight, RefusesEightBitNumbersWhoseScaleIsMissing) {
    Tensors codes, floats;
    codes.add("w", DType::kI8, {1, 2});
    floats.add("w", DType::kF8E4M3, {1, 2});
    EXPECT_THAT(error(codes), HasSubstr("without a scale"));
    EXPECT_THAT(error(floats, kBlocks), HasSubstr("without a scale"));
    EXPECT_THAT(error(floats), "no error");
}

TEST(ScaledWeight, RefusesTwoKindsOfScales) {
    Tensors tensors;
    tensors.add("w", DType::kF8E4M3, {1, 2})
        .add("w_scale", DType::kF32, {1})
        .add("w_scale_inv", DType::kF32, {1});
    EXPECT_THAT(error(tensors), HasSubstr("both w_scale and w_scale_inv"));
}

TEST(ScaledWeight, RefusesScalesOfAnotherType) {
    for (DType type : {DType::kU8, DType::kI8, DType::kF8E4M3}) {
        Tensors tensors;
        tensors.add("w", DType::kF8E4M3, {1, 2}).add("w_scale", type, {1});
        EXPECT_THAT(error<Unsupported>(tensors), HasSubstr("scales of type"));
    }
}

// bf16 beside scales: not yet compressed, what its runtime computes is something else. i8 with _scale_inv:
// two 4-bit floats in a byte.
TEST(ScaledWeight, RefusesOtherNumbersWithScales) {
    for (DType type : {DType::kBF16, DType::kU8, DType::kF8E4M3FNUZ, DType::kF4}) {
        Tensors tensors;
        tensors.add("w", type, {1, 2}).add("w_scale", DType::kF32, {1});
        EXPECT_THAT(error<Unsupported>(tensors), HasSubstr("with scales"));
    }
    Tensors tensors;
    tensors.add("w", DType::kI8, {1, 2}).add("w_scale_inv", DType::kF32, {1});
    EXPECT_THAT(error<Unsupported>(tensors), HasSubstr("with scales"));
}

TEST(ScaledWeight, RefusesScalesOfSomethingThatIsNoMatrix) {
    for (const Shape& shape : {Shape{4}, Shape{2, 2, 2}}) {
        Tensors tensors;
        tensors.add("w", DType::kF8E4M3, shape).add("w_scale", DType::kF32, {1});
        EXPECT_THAT(error<Unsupported>(tensors), HasSubstr("only matrices"));
    }
}

TEST(ScaledWeight, RefusesNumbersThatAreNoWeights) {
    for (DType type : {DType::kI32, DType::kU8, DType::kBool, DType::kF8E8M0, DType::kF4}) {
        Tensors tensors;
        tensors.add("w", type, {1, 2});
        EXPECT_THAT(error<Unsupported>(tensors), HasSubstr("cannot be read as weights"));
    }
}

TEST(ScaledWeight, RefusesOtherWaysOfStorage) {
    for (const char* suffix : {"_packed", "_zero_point", "_g_idx", "_global_scale", "_scale_2", ".absmax"}) {
        Tensors with, instead;
        with.add("w", DType::kI8, {1, 2}).add(std::string("w") + suffix, DType::kF32, {1});
        instead.add(std::string("w") + suffix, DType::kF32, {1});
        EXPECT_THAT(error<Unsupported>(with), HasSubstr(std::string("stored with w") + suffix));
        EXPECT_THAT(error<Unsupported>(instead), HasSubstr(std::string("stored with w") + suffix));
    }
    for (const char* name : {"fc.qweight", "fc.SCB"}) {
        Tensors tensors;
        tensors.add(name, DType::kI32, {1});
        EXPECT_THROW(find_weight(tensors.map(), "fc.weight", {}, "file"), Unsupported) << name;
    }
}

}  // namespace
}  // namespace assay
