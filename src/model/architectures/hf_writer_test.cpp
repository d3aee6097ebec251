// What is written reads as the same model.
#include "model/architectures/hf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "model/architectures.h"
#include "model/random_model.h"
#include "model/rope.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

ModelConfig parse(const Json& config) {
    const Architecture& row =
        find_hf_architecture(config["architectures"][0].get<std::string>(), "config.json");
    ModelConfig parsed = row.parse_hf(config, "config.json");
    parsed.architecture = row.hf_name;
    validate(parsed, "config.json");
    return parsed;
}

Json read(const std::filesystem::path& path) {
    return parse_json(read_file(std::filesystem::path(ASSAY_TEST_DATA) / path), path.string());
}

void expect_round_trip(const ModelConfig& c) {
    const Json written = write_hf_config(c);
    EXPECT_TRUE(parse(written) == c) << written.dump();
    EXPECT_EQ(written["model_type"], find_hf_architecture(c.architecture, "m").model_type);
}

TEST(HfWriter, EveryTinyModelComesBack) {
    int models = 0;
    const auto tiny = std::filesystem::path(ASSAY_TEST_DATA) / "tiny";
    for (const auto& entry : std::filesystem::directory_iterator(tiny)) {
        if (!entry.is_directory()) continue;
        SCOPED_TRACE(entry.path().string());
        expect_round_trip(parse(read("tiny" / entry.path().filename() / "config.json")));
        ++models;
    }
    EXPECT_EQ(models, 14);
}

// Windows, layer types, experts, all rope scalings, softcaps, …
TEST(HfWriter, EveryConfigOfTheGoldenComesBack) {
    int configs = 0;
    const Json golden = read("config_golden.json");
    for (const Json& example : golden["cases"]) {
        if (example["expected"].contains("refused")) continue;
        // two ropes of one layer type have no flat form; the writer writes the flat one
        if (example["name"] == "Gemma3ForCausalLM nested_local_yarn") continue;
        SCOPED_TRACE(example["name"].get<std::string>());
        expect_round_trip(parse(example["config"]));
        ++configs;
    }
    EXPECT_GT(configs, 200);
}

ModelConfig from_gguf() {
    ModelConfig c = small_llama_config();
    c.rms_eps = static_cast<double>(1e-5f);
    return c;
}

TEST(HfWriter, F32NumbersAreTheirShortestDecimals) {
    const Json written = write_hf_config(from_gguf());
    EXPECT_EQ(written["rms_norm_eps"].get<double>(), 1e-5);
}

TEST(HfWriter, DivisorsAreTheLlama3ScalingThatGivesThem) {
    ModelConfig c = from_gguf();
    c.head_dim = 64;
    c.attention_scale = 0.125;
    c.rope.theta = 500000;
    c.rope.dimensions = 64;
    RopeConfig llama3 = c.rope;
    llama3.scaling = RopeConfig::Scaling::kLlama3;
    llama3.factor = 32;
    const auto plain = rope_frequencies(c.rope), scaled = rope_frequencies(llama3);
    for (std::size_t i = 0; i < plain.size(); ++i) c.rope.divisors.push_back(plain[i] / scaled[i]);
    const Json written = write_hf_config(c);
    EXPECT_EQ(written["rope_scaling"]["rope_type"], "llama3");
    EXPECT_EQ(written["rope_scaling"]["factor"], 32.0);
    c.rope.divisors[3] *= 1.01f;
    EXPECT_THROW(write_hf_config(c), Unsupported);
}

// Whatever a GGUF file can hold and a config.json cannot say.
TEST(HfWriter, AModelThatNoConfigDescribesIsRefused) {
    const auto refusal = [](const std::function<void(ModelConfig&)>& change) -> std::string {
        ModelConfig c = from_gguf();
        change(c);
        try {
            write_hf_config(c);
        } catch (const Unsupported& e) {
            return e.what();
        }
        return "no error";
    };
    EXPECT_THAT(refusal([](ModelConfig& c) { c.qkv_bias = true; }), HasSubstr("which linears have biases"));
    EXPECT_THAT(refusal([](ModelConfig& c) { c.layer[1].window = 8; }), HasSubstr("windows"));
    EXPECT_THAT(refusal([](ModelConfig& c) { c.rope.attention_factor = 2; }), HasSubstr("its rope"));
    EXPECT_THAT(refusal([](ModelConfig& c) { c.attention_scale = 3; }), HasSubstr("attention scale"));
    EXPECT_THAT(refusal([](ModelConfig& c) { c.embedding_scale = 3; }), HasSubstr("sizes or scales"));
    EXPECT_EQ(refusal([](ModelConfig& c) { c.qkv_bias = c.output_bias = true; }), "no error");
}

}  // namespace
}  // namespace assay
