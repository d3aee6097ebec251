// Every family written as llama.cpp's converter writes it gives the folder's logits bit for bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "container/temporary_folder.h"
#include "model/architectures/hf_writer.h"
#include "model/model_files.h"
#include "model/rope.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

ModelFiles tiny_files(const std::string& name) {
    return open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / name);
}

// The model with what a GGUF file can say: sizes and scales in f32, and where llama.cpp has no key, its own
// choice.
ModelConfig representable(ModelConfig c) {
    c.rms_eps = static_cast<double>(static_cast<float>(c.rms_eps));
    if (c.architecture == "MistralForCausalLM") {
        c.architecture = "LlamaForCausalLM";
        for (LayerConfig& layer : c.layer) layer.window = 0;
    }
    if (c.architecture == "Gemma2ForCausalLM")
        c.attention_scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    if (c.architecture == "Qwen3MoeForCausalLM") {
        for (LayerConfig& layer : c.layer) layer.experts = true;
    }
    if (c.architecture == "Qwen2MoeForCausalLM") {  // its second layer is dense
        c.layers = 1;
        c.layer.resize(1);
    }
    return c;
}

class GgufModelsTest : public TemporaryFolder {
  protected:
    // Writes, reads and compares; `config` is what the file says.
    void expect_same(const ModelConfig& config, const std::shared_ptr<const WeightSource>& weights,
                     const std::function<void(GgufHeader&)>& add_keys = {}) {
        std::filesystem::create_directories(folder_);
        write_gguf(path_, config, *weights, add_keys);
        const Model written = load_model(open_model_files(path_));
        ModelConfig wanted = config;
        if (config.rope.scaling == RopeConfig::Scaling::kLlama3) {
            expect_frequencies(config.rope, written.config().rope);
            wanted.rope = written.config().rope;
        }
        EXPECT_TRUE(written.config() == wanted);
        expect_same_logits(written, Model("folder", wanted, make_blocks(wanted), weights));
    }

    static void expect_frequencies(const RopeConfig& llama3, const RopeConfig& divided) {
        const auto a = rope_frequencies(llama3), b = rope_frequencies(divided);
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(b[i], a[i], 1e-6f * a[i]);
    }

    static void expect_same_logits(const Model& a, const Model& b) {
        TestEngine engine;
        const TokenWindow window = random_windows({70}, a.config().vocabulary)[0];
        const Matrix<float> x = window_logits(a, engine, window), y = window_logits(b, engine, window);
        EXPECT_TRUE(std::equal(x.values().begin(), x.values().end(), y.values().begin()));
    }

    std::filesystem::path path_ = folder_ / "m.gguf";
};

TEST_F(GgufModelsTest, TinyModelsGiveTheirFoldersLogits) {
    for (const char* name :
         {"llama-tied", "llama-rope-linear-f16", "llama-rope-llama3-f32", "llama-bias-sharded",
          "mistral-window32", "mixtral", "qwen2", "qwen3", "qwen2-moe", "phi3-partial", "gemma2", "olmo2"}) {
        SCOPED_TRACE(name);
        const ModelFiles files = tiny_files(name);
        const ModelConfig config = representable(load_model(files).config());
        if (name != std::string("qwen2-moe")) {
            expect_same(config, files.weights);
        } else {  // one of three layers
            const Model model("one layer", config, make_blocks(config), files.weights);
            const auto weights = std::make_shared<MemoryWeights>();
            for (const LinearItem& item : model.items())
                weights->matrices[item.name + ".weight"] = read_weight(model.weights(), item.name);
            for (const std::string& vector : model.vector_names())
                weights->vectors[vector] = read_vector(model.weights(), vector);
            expect_same(config, weights);
        }
    }
}

// The tiny model's third layer sees all; llama.cpp's default is every sixth.
TEST_F(GgufModelsTest, Gemma3GivesItsFoldersLogits) {
    const ModelFiles files = tiny_files("gemma3-text");
    const ModelConfig config = representable(load_model(files).config());
    expect_same(config, files.weights, [](GgufHeader& header) {
        header.set_u32("gemma3.attention.sliding_window_pattern", 3);
        header.set_f32("gemma3.rope.freq_base_swa", 10000);
    });
    ModelConfig six = config;
    six.layers = 7;
    six.layer.assign(7, {32, true, false});
    six.layer[5] = {};
    expect_same(six, random_weights(six, 5));
}

TEST_F(GgufModelsTest, Qwen3WithExpertsInAllLayersGivesItsLogits) {
    const ModelConfig config = representable(load_model(tiny_files("qwen3-moe")).config());
    expect_same(config, random_weights(config, 6));
}

TEST_F(GgufModelsTest, YarnAndLongropeAreKept) {
    ModelConfig qwen = representable(load_model(tiny_files("qwen2")).config());
    qwen.rope.scaling = RopeConfig::Scaling::kYarn;
    qwen.rope.factor = 4;
    qwen.rope.original_max_positions = 64;
    qwen.rope.beta_fast = 16;
    qwen.rope.attention_factor = 1 + 0.1 * std::log(4.0);
    expect_same(qwen, tiny_files("qwen2").weights);
    ModelConfig phi = representable(load_model(tiny_files("phi3-partial")).config());
    phi.rope.scaling = RopeConfig::Scaling::kLongrope;
    phi.rope.original_max_positions = 32;
    phi.rope.attention_factor = 1.25;
    phi.rope.divisors = {1, 1.5, 2, 4};
    phi.rope.long_divisors = {1, 2, 3, 8};
    for (LayerConfig& layer : phi.layer) layer.window = 24;
    expect_same(phi, tiny_files("phi3-partial").weights);
}

// Files before llama.cpp of April 2024: blk.N.ffn_gate.E.weight [out, in].
TEST_F(GgufModelsTest, OneTensorAnExpertIsReadToo) {
    const ModelFiles files = tiny_files("mixtral");
    const ModelConfig config = representable(load_model(files).config());
    GgufHeader header;
    GgufKeys(header, "llama").set(config);
    std::vector<GgufTestTensor> tensors;
    for (const StoredTensor& stored : files.weights->tensors()) {
        for (const GgufTestTensor& tensor : gguf_tensors(config, *files.weights, stored.name)) {
            const auto all = tensor.name.find("_exps.");
            const std::size_t size = tensor.values.size() / static_cast<std::size_t>(config.experts.count);
            for (std::int64_t e = 0; all != std::string::npos && e < config.experts.count; ++e) {
                const auto own = std::span(tensor.values).subspan(static_cast<std::size_t>(e) * size, size);
                tensors.push_back({tensor.name.substr(0, all) + "." + std::to_string(e) + ".weight",
                                   {tensor.shape[1], tensor.shape[2]},
                                   {own.begin(), own.end()}});
            }
            if (all == std::string::npos) tensors.push_back(tensor);
        }
    }
    for (const GgufTestTensor& tensor : tensors) header.add_tensor(tensor.name, GgmlType::kF32, tensor.shape);
    GgufWriter writer(path_, header);
    for (const GgufTestTensor& tensor : tensors)
        writer.write(tensor.name, std::as_bytes(std::span(tensor.values)));
    writer.commit();
    const Model written = load_model(open_model_files(path_));
    expect_same_logits(written, Model("folder", config, make_blocks(config), files.weights));
}

TEST_F(GgufModelsTest, ATensorThatTheModelDoesNotUseIsRefused) {
    const ModelConfig config = small_llama_config();
    for (const char* name : {"blk.0.attn_q_norm.weight", "blk.1.attn_output.bias", "blk.0.attn_sinks.weight",
                             "blk.0.ffn_up.scale", "output.bias", "rope_factors_long.weight"}) {
        const auto weights = random_weights(config, 3);
        weights->vectors[name] = {1, 2, 3, 4};
        write_gguf(path_, config, *weights);
        try {
            load_model(open_model_files(path_));
            ADD_FAILURE() << name;
        } catch (const FormatError& e) {
            EXPECT_THAT(e.what(), HasSubstr("is no part of LlamaForCausalLM")) << name;
        }
    }
}

// A GGUF model's config.json: the same model again, f32 numbers as their shortest decimals.
TEST_F(GgufModelsTest, TheConfigOfAReadFileCanBeWritten) {
    for (const char* name : {"llama-tied", "mixtral", "qwen2", "qwen3", "phi3-partial", "gemma2", "olmo2"}) {
        const ModelFiles files = tiny_files(name);
        const ModelConfig config = load_model(files).config();
        write_gguf(path_, config, *files.weights);
        const Json written = write_hf_config(load_model(open_model_files(path_)).config());
        EXPECT_EQ(written["rms_norm_eps"].get<double>(), config.rms_eps) << name;
        EXPECT_EQ(written["architectures"][0], config.architecture);
    }
}

}  // namespace
}  // namespace assay
