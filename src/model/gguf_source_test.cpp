// GGUF files as models: row order, names, and what must be refused.
#include "model/gguf_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "container/temporary_folder.h"
#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

constexpr const char* kQuery = "model.layers.0.self_attn.q_proj.weight";

class GgufSourceTest : public TemporaryFolder {
  protected:
    GgufSourceTest() { config_.qkv_bias = config_.output_bias = true; }

    ModelFiles write(const std::function<void(GgufHeader&)>& add_keys = {}) {
        write_llama_gguf(path_, config_, *weights(), add_keys);
        return open_model_files(path_);
    }

    // What opening or loading the file throws.
    std::string error() {
        try {
            load_model(write());
        } catch (const FormatError& e) {
            return e.what();
        }
        return "no error";
    }

    const std::shared_ptr<MemoryWeights>& weights() {
        if (weights_ == nullptr) weights_ = random_weights(config_, 3);
        return weights_;
    }

    ModelConfig config_ = small_llama_config();
    std::shared_ptr<MemoryWeights> weights_;
    std::filesystem::path path_ = folder_ / "m.gguf";
};

TEST_F(GgufSourceTest, EveryTensorReadsUnderItsHuggingFaceNameInItsRowOrder) {
    const ModelFiles files = write();
    for (const auto& [name, m] : weights()->matrices) {
        Matrix<float> read(m.rows(), m.cols());
        ASSERT_EQ(files.weights->shape(name), Shape({m.rows(), m.cols()})) << name;
        files.weights->read(name, 0, read.view());
        EXPECT_TRUE(std::equal(read.values().begin(), read.values().end(), m.values().begin())) << name;
    }
    for (const auto& [name, v] : weights()->vectors) {
        EXPECT_EQ(read_vector(*files.weights, name), v) << name;
    }
    EXPECT_EQ(files.weights->tensors().size(), weights()->matrices.size() + weights()->vectors.size());
}

TEST_F(GgufSourceTest, SomeRowsOfAPermutedTensorAreTheRightOnes) {
    const ModelFiles files = write();
    const Matrix<float>& query = weights()->matrices.find(kQuery)->second;
    for (std::int64_t first : {0, 5, 11, 12, 40}) {
        Matrix<float> read(7, query.cols());
        files.weights->read(kQuery, first, read.view());
        EXPECT_TRUE(std::equal(read.values().begin(), read.values().end(), query.row(first).begin()))
            << first;
    }
}

TEST_F(GgufSourceTest, LogitsAreThoseOfTheModelThatWasWritten) {
    for (const bool tied : {false, true}) {
        config_.tied_head = tied;
        config_.mlp_bias = tied;
        config_.head_dim = tied ? 10 : 12;
        config_.rope.dimensions = config_.head_dim;
        config_.attention_scale = 1 / std::sqrt(static_cast<double>(config_.head_dim));
        weights_ = nullptr;
        const Model written = load_model(write());
        const Model original("memory", config_, make_blocks(config_), weights());
        EXPECT_EQ(written.config().tied_head, tied);
        EXPECT_EQ(written.config().mlp_bias, tied);
        TestEngine engine;
        const TokenWindow window = random_windows({60}, config_.vocabulary)[0];
        const Matrix<float> a = window_logits(written, engine, window),
                            b = window_logits(original, engine, window);
        EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
    }
}

TEST_F(GgufSourceTest, RefusesRowsAndTensorsThatAreNotThere) {
    const ModelFiles files = write();
    Matrix<float> narrow(2, 47), rows(2, 48);
    EXPECT_THROW(files.weights->read(kQuery, 0, narrow.view()), InvalidArgument);
    EXPECT_THROW(files.weights->read(kQuery, 47, rows.view()), InvalidArgument);
    EXPECT_THROW(files.weights->read(kQuery, -1, rows.view()), InvalidArgument);
    EXPECT_THROW(files.weights->read("model.nothing.weight", 0, rows.view()), FormatError);
    EXPECT_THROW(files.weights->shape("model.nothing.weight"), FormatError);
}

TEST_F(GgufSourceTest, TwoTensorsOfOneNameAreRefused) {
    const auto matrix = weights()->matrices.find("lm_head.weight")->second;
    weights()->matrices["output.weight"] = matrix;  // "lm_head.weight" is written as output.weight, too
    EXPECT_THROW(write(), InvalidArgument);         // the writer's own rule
    weights()->matrices.erase("output.weight");
    write_llama_gguf(path_, config_, *weights());
    const std::vector<std::byte> data(4 * 48);
    GgufHeader header;
    header.set_string("general.architecture", "llama");
    header.add_tensor("output_norm.weight", GgmlType::kF32, {48});
    header.add_tensor("model.norm.weight", GgmlType::kF32, {48});
    GgufWriter writer(path_, header);
    writer.write("output_norm.weight", data);
    writer.write("model.norm.weight", data);
    writer.commit();
    EXPECT_THROW(open_model_files(path_), FormatError);
}

TEST_F(GgufSourceTest, RowsThatDoNotDivideIntoHeadsAreRefused) {
    GgufHeader header;
    header.set_string("general.architecture", "llama");
    header.set_u32("llama.attention.head_count", 5);
    header.add_tensor("blk.0.attn_q.weight", GgmlType::kF32, {48, 4});
    GgufWriter writer(path_, header);
    writer.write("blk.0.attn_q.weight", std::vector<std::byte>(48 * 4 * 4));
    writer.commit();
    EXPECT_THROW(open_model_files(path_), FormatError);
}

TEST_F(GgufSourceTest, AnAbsurdHeadCountIsRefused) {
    for (const std::uint64_t heads : {std::uint64_t{1} << 62, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        GgufHeader header;
        header.set_string("general.architecture", "llama");
        header.set_u64("llama.attention.head_count", heads);
        header.add_tensor("blk.0.attn_q.weight", GgmlType::kF32, {48, 4});
        GgufWriter writer(path_, header);
        writer.write("blk.0.attn_q.weight", std::vector<std::byte>(48 * 4 * 4));
        writer.commit();
        EXPECT_THROW(load_model(open_model_files(path_)), FormatError) << heads;
    }
}

TEST_F(GgufSourceTest, RopeDivisorsAreReadAndTheirNumberIsChecked) {
    weights()->vectors["rope_freqs.weight"] = {1, 1, 2, 2, 4, 4};
    EXPECT_EQ(load_model(write()).config().rope.divisors, (std::vector<float>{1, 1, 2, 2, 4, 4}));
    weights()->vectors["rope_freqs.weight"] = {1, 1, 2};
    EXPECT_THAT(error(), HasSubstr("rope_freqs.weight has shape [3], expected [6]"));
}

TEST_F(GgufSourceTest, RopeDivisorsMustBePositive) {
    for (const float bad : {0.0f, -1.0f}) {
        weights()->vectors["rope_freqs.weight"] = {1, 1, 2, 2, bad, 4};
        EXPECT_THAT(error(), HasSubstr("expected positive divisors")) << bad;
    }
}

TEST_F(GgufSourceTest, RopeDivisorsMustBeAVector) {
    weights()->matrices["rope_freqs.weight"] = Matrix<float>(3, 2);
    EXPECT_THAT(error(), HasSubstr("rope_freqs.weight has shape [3, 2], expected [6]"));
}

TEST_F(GgufSourceTest, NamesAMissingTensor) {
    weights()->matrices.erase("model.layers.1.mlp.gate_proj.weight");
    EXPECT_THAT(error(), HasSubstr("model.layers.1.mlp.gate_proj.weight"));
}

TEST_F(GgufSourceTest, AnUnknownArchitectureOpensButDoesNotLoad) {
    GgufHeader header;
    header.set_string("general.architecture", "mamba");
    header.add_tensor("blk.0.attn_q.weight", GgmlType::kF32, {3, 4});
    GgufWriter writer(path_, header);
    writer.write("blk.0.attn_q.weight", std::vector<std::byte>(48));
    writer.commit();
    const ModelFiles files = open_model_files(path_);
    EXPECT_EQ(files.architecture, "mamba");
    EXPECT_EQ(files.weights->tensors().size(), 1u);
    try {
        load_model(files);
        FAIL() << "no error";
    } catch (const Unsupported& e) {
        EXPECT_THAT(e.what(), HasSubstr("mamba"));
        EXPECT_THAT(e.what(), HasSubstr("supported: llama"));
    }
}

}  // namespace
}  // namespace assay
