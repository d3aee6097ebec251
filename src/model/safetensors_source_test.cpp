// A safetensors folder as a source of weights.
#include "model/safetensors_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "container/json.h"
#include "container/safetensors_writer.h"
#include "container/temporary_folder.h"
#include "tensor/float16.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// w [3, 2] bf16 of 0 to 5, v [4] f32, codes [2, 2] i32.
class SafetensorsSourceTest : public TemporaryFolder {
  protected:
    SafetensorsSourceTest() {
        SafetensorsWriter writer(
            folder_ / "model.safetensors",
            {{"w", DType::kBF16, {3, 2}}, {"v", DType::kF32, {4}}, {"codes", DType::kI32, {2, 2}}});
        const std::vector<float> v{1, -2, 3.5f, 1e-30f};
        std::vector<std::uint16_t> w;
        for (int i = 0; i < 6; ++i) w.push_back(f32_to_bf16(static_cast<float>(i)));
        const std::vector<std::int32_t> codes(4);
        for (const TensorDeclaration& t : writer.order()) {
            if (t.name == "w") writer.write("w", std::as_bytes(std::span(w)));
            if (t.name == "v") writer.write("v", std::as_bytes(std::span(v)));
            if (t.name == "codes") writer.write("codes", std::as_bytes(std::span(codes)));
        }
        writer.commit();
    }

    SafetensorsSource open() const { return SafetensorsSource(SafetensorsSet::open(folder_)); }

    std::vector<float> read(const std::string& name, std::int64_t first, std::int64_t rows,
                            std::int64_t cols) const {
        Matrix<float> out(rows, cols);
        open().read(name, first, out.view());
        return {out.values().begin(), out.values().end()};
    }
};

TEST_F(SafetensorsSourceTest, ReadsAnyRowsAsF32) {
    EXPECT_THAT(read("w", 0, 3, 2), ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_THAT(read("w", 1, 2, 2), ElementsAre(2, 3, 4, 5));
    EXPECT_THAT(read("w", 3, 0, 2), ElementsAre());
    EXPECT_THAT(read("v", 0, 1, 4), ElementsAre(1, -2, 3.5f, 1e-30f));
}

TEST_F(SafetensorsSourceTest, WritesIntoRowsWithAStride) {
    Matrix<float> wide(3, 5);
    open().read("w", 0, MatrixView<float>(wide.view().data(), 3, 2, 5));
    EXPECT_EQ(wide.view()(2, 1), 5);
    EXPECT_EQ(wide.view()(2, 2), 0);
}

TEST_F(SafetensorsSourceTest, ListsTensorsByName) {
    const auto all = open().tensors();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].name, "codes");
    EXPECT_EQ(all[1].name, "v");
    EXPECT_EQ(all[2].type, "bf16");
    EXPECT_EQ(all[2].shape, Shape({3, 2}));
    EXPECT_EQ(all[2].bytes, 12u);
}

TEST_F(SafetensorsSourceTest, RefusesRowsAndColumnsThatAreNotThere) {
    EXPECT_THROW(read("w", 0, 3, 3), InvalidArgument);
    EXPECT_THROW(read("w", 2, 2, 2), InvalidArgument);
    EXPECT_THROW(read("w", -1, 1, 2), InvalidArgument);
    EXPECT_THROW(read("w", 4, 0, 2), InvalidArgument);
}

TEST_F(SafetensorsSourceTest, NamesTheMissingTensor) {
    EXPECT_FALSE(open().contains("q"));
    try {
        open().shape("q");
        FAIL() << "no error";
    } catch (const FormatError& e) {
        EXPECT_THAT(e.what(), HasSubstr("tensor q is missing"));
        EXPECT_THAT(e.what(), HasSubstr(folder_.string()));
    }
}

TEST_F(SafetensorsSourceTest, RefusesElementsThatAreNoWeights) {
    try {
        read("codes", 0, 2, 2);
        FAIL() << "no error";
    } catch (const Unsupported& e) {
        EXPECT_THAT(e.what(), HasSubstr("codes"));
        EXPECT_THAT(e.what(), HasSubstr("i32"));
    }
}

// fc.weight [2, 3] f8_e4m3 with fc.weight_scale [2, 1] f32, and a norm.
class ScaledSourceTest : public TemporaryFolder {
  protected:
    ScaledSourceTest() {
        SafetensorsWriter writer(folder_ / "model.safetensors", {{"fc.weight", DType::kF8E4M3, {2, 3}},
                                                                 {"fc.weight_scale", DType::kF32, {2, 1}},
                                                                 {"norm.weight", DType::kF32, {2}}});
        const std::vector<std::uint8_t> codes{0x38, 0xb8, 0x40, 0x38, 0x00, 0x7e};  // 1 -1 2 1 0 448
        const std::vector<float> scales{0.5f, 3}, norm{1, 2};
        for (const TensorDeclaration& t : writer.order()) {
            if (t.name == "fc.weight") writer.write(t.name, std::as_bytes(std::span(codes)));
            if (t.name == "fc.weight_scale") writer.write(t.name, std::as_bytes(std::span(scales)));
            if (t.name == "norm.weight") writer.write(t.name, std::as_bytes(std::span(norm)));
        }
        writer.commit();
    }

    SafetensorsSource source_for_folder() const { return SafetensorsSource(SafetensorsSet::open(folder_)); }
};

TEST_F(ScaledSourceTest, MultipliesByTheScales) {
    Matrix<float> out(1, 3);
    source_for_folder().read("fc.weight", 1, out.view());
    EXPECT_THAT(out.values(), ElementsAre(3, 0, 3 * 448));
}

TEST_F(ScaledSourceTest, ListsScalesAsPartOfTheirWeight) {
    const SafetensorsSource source = source_for_folder();
    EXPECT_FALSE(source.contains("fc.weight_scale"));
    EXPECT_TRUE(source.contains("fc.weight"));
    const auto all = source.tensors();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name, "fc.weight");
    EXPECT_EQ(all[0].bytes, 6u + 8u);
    EXPECT_TRUE(all[0].quantized);
    EXPECT_FALSE(all[1].quantized);
}

// tests/data/checkpoints/README.md
TEST(SafetensorsCheckpoints, WeightsAreThoseOfTheLibraryToTheBit) {
    for (const char* name : {"ct-fp8-dynamic", "ct-w8a8-int"}) {
        const auto folder = std::filesystem::path(ASSAY_TEST_DATA) / "checkpoints" / name;
        const Json config = parse_json(read_file(folder / "config.json"), name);
        const QuantizedStorage storage = read_quantization_config(config, name);
        EXPECT_EQ(storage.refusal, "");
        const SafetensorsSource source(SafetensorsSet::open(folder), storage);
        int compared = 0;
        const Json oracle = parse_json(read_file(folder / "dequant.json"), name);
        for (const auto& item : oracle["tensors"].items()) {
            const Shape shape = source.shape(item.key());
            EXPECT_EQ(shape, item.value()["shape"].get<Shape>());
            Matrix<float> weight(shape[0], shape[1]);
            source.read(item.key(), 0, weight.view());
            EXPECT_EQ(sha256_hex(std::as_bytes(weight.values())), item.value()["sha256"])
                << name << item.key();
            ++compared;
        }
        EXPECT_EQ(compared, 14);
    }
}

}  // namespace
}  // namespace assay
