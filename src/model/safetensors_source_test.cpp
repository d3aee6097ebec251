// A safetensors folder as a source of weights.
#include "model/safetensors_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
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

}  // namespace
}  // namespace assay
