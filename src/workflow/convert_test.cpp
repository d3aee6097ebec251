// Converted folders hold the weights, the config and the tokenizer of what they were made from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/json.h"
#include "container/temporary_folder.h"
#include "model/model_files.h"
#include "model/rope.h"
#include "model/test_models.h"
#include "tensor/float16.h"
#include "workflow/tokenizer_files.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kTiny = fs::path(ASSAY_TEST_DATA) / "tiny";

class ConvertTest : public TemporaryFolder {
  protected:
    fs::path convert(const fs::path& model, const std::string& dtype) {
        return convert_model({.model = model, .output = output_, .dtype = dtype}, silent_progress(), cancel_);
    }

    // Every tensor of the converted model is that of the source after `round`.
    void expect_weights(const fs::path& source, const fs::path& converted,
                        const std::function<float(float)>& round) {
        const ModelFiles from = open_model_files(source), to = open_model_files(converted);
        ASSERT_EQ(from.weights->tensors().size(), to.weights->tensors().size());
        for (const StoredTensor& tensor : from.weights->tensors()) {
            ASSERT_EQ(to.weights->shape(tensor.name), tensor.shape) << tensor.name;
            const std::int64_t cols = tensor.shape.back(), rows = element_count(tensor.shape) / cols;
            Matrix<float> a(rows, cols), b(rows, cols);
            from.weights->read(tensor.name, 0, a.view());
            to.weights->read(tensor.name, 0, b.view());
            std::transform(a.values().begin(), a.values().end(), a.values().begin(), round);
            EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin())) << tensor.name;
        }
    }

    // Logits of both on the same window, which must be the same bits.
    void expect_same_logits(const fs::path& a, const fs::path& b) {
        TestEngine engine;
        const Model first = load_model(open_model_files(a)), second = load_model(open_model_files(b));
        const TokenWindow window = random_windows({70}, first.config().vocabulary)[0];
        const Matrix<float> x = window_logits(first, engine, window),
                            y = window_logits(second, engine, window);
        EXPECT_TRUE(std::equal(x.values().begin(), x.values().end(), y.values().begin()));
    }

    // A GGUF file of a small random model with a vocabulary.
    fs::path write_gguf(const std::function<void(ModelConfig&, MemoryWeights&)>& change = {}) {
        ModelConfig config = small_llama_config();
        config.qkv_bias = config.output_bias = true;
        const auto weights = random_weights(config, 3);
        if (change) change(config, *weights);
        write_llama_gguf(folder_ / "m.gguf", config, *weights, [this](GgufHeader& header) {
            std::vector<std::string> tokens;
            for (int i = 0; i < 94; ++i) tokens.push_back(std::string(1, static_cast<char>('!' + i)));
            tokens.insert(tokens.end(), {"ab", "<s>", "</s>"});
            std::vector<std::int32_t> types(tokens.size(), 1);
            types[95] = types[96] = 3;
            header.set_string("tokenizer.ggml.model", tokenizer_kind_);
            header.set_string("tokenizer.ggml.pre", "smollm");
            header.set_strings("tokenizer.ggml.tokens", tokens);
            header.set_i32s("tokenizer.ggml.token_type", types);
            header.set_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
            std::vector<float> scores(tokens.size(), -9);
            scores[94] = -1;
            header.set_f32s("tokenizer.ggml.scores", scores);
            header.set_u32("tokenizer.ggml.bos_token_id", 95);
            header.set_u32("tokenizer.ggml.eos_token_id", 96);
            header.set_bool("tokenizer.ggml.add_bos_token", true);
        });
        return folder_ / "m.gguf";
    }

    template <class Error>
    std::string refusal(const fs::path& model, const std::string& dtype) {
        try {
            convert(model, dtype);
        } catch (const Error& e) {
            return e.what();
        }
        return "no error";
    }

    fs::path output_ = folder_ / "out";
    std::string tokenizer_kind_ = "gpt2";
    CancelToken cancel_;
};

TEST_F(ConvertTest, WideningKeepsEveryValue) {
    convert(kTiny / "llama-tied", "f32");
    expect_weights(kTiny / "llama-tied", output_, [](float v) { return v; });
    expect_same_logits(kTiny / "llama-tied", output_);
}

TEST_F(ConvertTest, ShardsAndBiasesComeTogetherInOneFile) {
    convert(kTiny / "llama-bias-sharded", "bf16");
    expect_weights(kTiny / "llama-bias-sharded", output_, [](float v) { return v; });
    expect_same_logits(kTiny / "llama-bias-sharded", output_);
    EXPECT_TRUE(fs::exists(output_ / "model.safetensors"));
}

TEST_F(ConvertTest, NarrowingRoundsToTheNearest) {
    convert(kTiny / "llama-rope-llama3-f32", "f16");
    expect_weights(kTiny / "llama-rope-llama3-f32", output_, round_to_f16);
    fs::remove_all(output_);
    convert(kTiny / "llama-rope-llama3-f32", "bf16");
    expect_weights(kTiny / "llama-rope-llama3-f32", output_,
                   [](float v) { return bf16_to_f32(f32_to_bf16(v)); });
}

TEST_F(ConvertTest, TheConfigStaysAndSaysTheNewType) {
    convert(kTiny / "llama-rope-llama3-f32", "bf16");
    Json before = parse_json(read_file(kTiny / "llama-rope-llama3-f32" / "config.json"), "before");
    const Json after = parse_json(read_file(output_ / "config.json"), "after");
    EXPECT_EQ(after.at("torch_dtype"), "bfloat16");
    before.erase("dtype");
    before["torch_dtype"] = "bfloat16";
    EXPECT_EQ(after, before);
}

TEST_F(ConvertTest, TokenizerFilesAreCopied) {
    fs::copy(kTiny / "llama-tied", folder_ / "in");
    const char* const kFiles[] = {"tokenizer.json",
                                  "tokenizer.model",
                                  "tokenizer_config.json",
                                  "special_tokens_map.json",
                                  "added_tokens.json",
                                  "vocab.json",
                                  "merges.txt",
                                  "chat_template.jinja",
                                  "generation_config.json"};
    for (const char* name : kFiles) std::ofstream(folder_ / "in" / name) << name << '\0' << "\r\n";
    std::ofstream(folder_ / "in" / "notes.txt") << "not part of the model";
    convert(folder_ / "in", "bf16");
    for (const char* name : kFiles)
        EXPECT_EQ(read_file(output_ / name), name + std::string("\0\r\n", 3)) << name;
    EXPECT_FALSE(fs::exists(output_ / "notes.txt"));
    EXPECT_FALSE(fs::exists(output_ / "oracle.safetensors"));
}

TEST_F(ConvertTest, AGgufModelComputesTheSameAsItsFolder) {
    const fs::path gguf = write_gguf();
    convert(gguf, "f32");
    expect_weights(gguf, output_, [](float v) { return v; });
    expect_same_logits(gguf, output_);
}

TEST_F(ConvertTest, AGgufTokenizerEncodesTheSameInItsFolder) {
    for (const char* kind : {"gpt2", "llama"}) {
        tokenizer_kind_ = kind;
        const fs::path gguf = write_gguf();
        fs::remove_all(output_);
        convert(gguf, "bf16");
        const Tokenizer from = load_tokenizer(open_model_files(gguf)),
                        to = load_tokenizer(open_model_files(output_));
        for (const char* text : {"abcab", "", "x", "12ab<s>a", "a b", "é"}) {
            EXPECT_EQ(from.encode(text, true), to.encode(text, true)) << kind << ": " << text;
        }
    }
    const Json config = parse_json(read_file(output_ / "config.json"), "config");
    EXPECT_EQ(config.at("bos_token_id"), 95);
    EXPECT_EQ(config.at("eos_token_id"), 96);
}

// What the converter of llama.cpp writes for llama3 scaling: how much longer each wavelength becomes.
std::vector<float> llama3_divisors(const ModelConfig& config, double factor) {
    const auto plain = rope_frequencies({.theta = config.rope.theta, .dimensions = config.head_dim});
    const auto scaled = rope_frequencies({.theta = config.rope.theta,
                                          .dimensions = config.head_dim,
                                          .scaling = RopeConfig::Scaling::kLlama3,
                                          .factor = factor});
    std::vector<float> divisors;
    for (std::size_t i = 0; i < plain.size(); ++i) divisors.push_back(plain[i] / scaled[i]);
    return divisors;
}

TEST_F(ConvertTest, RopeDivisorsBecomeTheScalingThatMadeThem) {
    for (const double factor : {8.0, 32.0}) {
        const fs::path gguf = write_gguf([&](ModelConfig& config, MemoryWeights& weights) {
            config.rope.theta = 500000;
            weights.vectors["rope_freqs.weight"] = llama3_divisors(config, factor);
        });
        fs::remove_all(output_);
        convert(gguf, "f32");
        const Json config = parse_json(read_file(output_ / "config.json"), "config");
        EXPECT_EQ(config.at("rope_scaling").at("rope_type"), "llama3");
        EXPECT_EQ(config.at("rope_scaling").at("factor"), factor);
        const ModelConfig a = load_model(open_model_files(gguf)).config(),
                          b = load_model(open_model_files(output_)).config();
        const auto x = rope_frequencies(a.rope), y = rope_frequencies(b.rope);
        for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-6 * x[i]) << i;
    }
}

TEST_F(ConvertTest, UnknownRopeDivisorsAreRefused) {
    const fs::path gguf = write_gguf([](ModelConfig&, MemoryWeights& weights) {
        weights.vectors["rope_freqs.weight"] = {1, 1, 1, 3, 3, 3};
    });
    EXPECT_THAT(refusal<Unsupported>(gguf, "f32"), HasSubstr("rope_freqs.weight"));
    EXPECT_FALSE(fs::exists(output_));
}

TEST_F(ConvertTest, AnExistingOutputIsRefusedAndKept) {
    fs::create_directories(output_);
    std::ofstream(output_ / "mine") << "x";
    EXPECT_THAT(refusal<InvalidArgument>(kTiny / "llama-tied", "bf16"), HasSubstr("already exists"));
    EXPECT_TRUE(fs::exists(output_ / "mine"));
}

TEST_F(ConvertTest, AnUnknownTypeIsRefused) {
    EXPECT_THAT(refusal<InvalidArgument>(kTiny / "llama-tied", "int4"), HasSubstr("int4"));
}

TEST_F(ConvertTest, AnInterruptLeavesNothing) {
    cancel_.request();
    EXPECT_THROW(convert(kTiny / "llama-tied", "bf16"), Interrupted);
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ConvertTest, NanLeavesNothingAndNamesTheTensor) {
    const fs::path gguf = write_gguf([](ModelConfig&, MemoryWeights& weights) {
        weights.matrices["lm_head.weight"].view()(3, 3) = std::nanf("");
    });
    EXPECT_THAT(refusal<NumericError>(gguf, "f32"), HasSubstr("lm_head.weight"));
    fs::remove(gguf);
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ConvertTest, AValueThatOverflowsF16NamesItsTensor) {
    const fs::path gguf = write_gguf(
        [](ModelConfig&, MemoryWeights& weights) { weights.matrices["lm_head.weight"].view()(3, 3) = 1e6f; });
    EXPECT_THAT(refusal<NumericError>(gguf, "f16"), HasSubstr("lm_head.weight"));
    EXPECT_FALSE(fs::exists(output_));
}

}  // namespace
}  // namespace assay
