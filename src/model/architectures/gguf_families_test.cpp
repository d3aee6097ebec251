// Numbers from GGUF metadata, one test per rule; and every key that changes what a model computes with every
// family.
#include "model/architectures/gguf_families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "container/gguf_writer.h"
#include "model/architectures.h"
#include "model/random_model.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

// A GGUF file in memory: metadata of the small config with 7 layers, an embedding, and what a test adds.
class GgufConfig {
  public:
    explicit GgufConfig(std::string architecture = "llama", const std::vector<std::string>& without = {},
                        const Shape& embedding = {97, 48})
        : arch_(std::move(architecture)) {
        const ModelConfig config = small_llama_config();
        const auto wanted = [&](const std::string& key) {
            return std::find(without.begin(), without.end(), key) == without.end();
        };
        const auto u32 = [&](const std::string& key, std::int64_t value) {
            if (wanted(key)) set(key, static_cast<int>(value));
        };
        header.set_string("general.architecture", arch_);
        u32("embedding_length", config.hidden);
        u32("feed_forward_length", config.intermediate);
        u32("block_count", 7);
        u32("attention.head_count", config.heads);
        u32("attention.head_count_kv", config.kv_heads);
        u32("context_length", config.max_positions);
        if (arch_.ends_with("moe")) {
            u32("expert_count", 8);
            u32("expert_used_count", 4);
        }
        if (wanted("attention.layer_norm_rms_epsilon")) set("attention.layer_norm_rms_epsilon", 1e-5f);
        if (!embedding.empty()) header.add_tensor("token_embd.weight", GgmlType::kF32, embedding);
    }

    void set(const std::string& key, int value) {
        header.set_u32(arch_ + "." + key, static_cast<std::uint32_t>(value));
    }
    void set(const std::string& key, float value) { header.set_f32(arch_ + "." + key, value); }
    void set(const std::string& key, const char* value) { header.set_string(arch_ + "." + key, value); }

    ModelConfig parse() {
        std::string bytes = header.bytes();
        for (const Section& s : header.sections()) bytes.resize(bytes.size() + (s.bytes + 31) / 32 * 32);
        const GgufFile file(std::as_bytes(std::span(bytes)), "m.gguf");
        const ModelConfig config = find_gguf_architecture(file).parse_gguf(file);
        validate(config, "m.gguf");
        return config;
    }

    std::string refusal() {
        try {
            parse();
        } catch (const FormatError& e) {
            return e.what();
        }
        return "no error";
    }

    GgufHeader header;

  private:
    std::string arch_;
};

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const Architecture& row : architectures()) {
        const std::string name(row.gguf_name);
        if (!name.empty() && std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    }
    return all;
}

TEST(GgufConfigs, NumbersAreReadAndTheRestHasDefaults) {
    for (const std::string& name : names()) {
        SCOPED_TRACE(name);
        const ModelConfig c = GgufConfig(name).parse();
        EXPECT_EQ(c.hidden, 48);
        EXPECT_EQ(c.intermediate, 80);
        EXPECT_EQ(c.layers, 7);
        EXPECT_EQ(c.heads, 4);
        EXPECT_EQ(c.kv_heads, 2);
        EXPECT_EQ(c.head_dim, 12);
        EXPECT_EQ(c.vocabulary, 97);
        EXPECT_EQ(c.max_positions, 512);
        EXPECT_FLOAT_EQ(static_cast<float>(c.rms_eps), 1e-5f);
        EXPECT_TRUE(c.tied_head);
        EXPECT_FALSE(c.qkv_bias || c.output_bias || c.mlp_bias);
        EXPECT_EQ(c.rope.theta, 10000);
        EXPECT_EQ(c.rope.dimensions, 12);
        EXPECT_EQ(c.rope.scaling, RopeConfig::Scaling::kNone);
        EXPECT_EQ(GgufConfig(name, {"attention.head_count_kv"}).parse().kv_heads, 4);
    }
}

TEST(GgufConfigs, OptionalTensorsSayWhatTheModelHas) {
    GgufConfig file;
    file.header.add_tensor("output.weight", GgmlType::kF32, {97, 48});
    file.header.add_tensor("blk.0.attn_q.bias", GgmlType::kF32, {48});
    file.header.add_tensor("blk.0.ffn_up.bias", GgmlType::kF32, {80});
    const ModelConfig c = file.parse();
    EXPECT_FALSE(c.tied_head || c.output_bias);
    EXPECT_TRUE(c.qkv_bias && c.mlp_bias);
}

TEST(GgufConfigs, OptionalKeysAreRead) {
    GgufConfig file;
    file.set("attention.key_length", 16);
    file.set("attention.value_length", 16);
    file.set("rope.dimension_count", 16);
    file.set("rope.freq_base", 500000.0f);
    const ModelConfig c = file.parse();
    EXPECT_EQ(c.head_dim, 16);
    EXPECT_EQ(c.attention_scale, 0.25);
    EXPECT_EQ(c.rope.theta, 500000);
}

TEST(GgufConfigs, RefusesAMissingNumber) {
    for (const char* key : {"embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                            "context_length", "attention.layer_norm_rms_epsilon"}) {
        EXPECT_THAT(GgufConfig("llama", {key}).refusal(), HasSubstr(key));
    }
    EXPECT_THAT(GgufConfig("qwen2moe", {"expert_used_count"}).refusal(), HasSubstr("expert_used_count"));
}

TEST(GgufConfigs, RefusesASizeOutOfBounds) {
    for (const char* key : {"embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                            "context_length", "attention.head_count_kv", "attention.key_length"}) {
        for (const std::uint64_t value :
             {std::uint64_t{0}, (std::uint64_t{1} << 31) + 1, ~std::uint64_t{0}}) {
            GgufConfig file("llama", {key});
            file.header.set_u64(std::string("llama.") + key, value);
            EXPECT_THAT(file.refusal(), HasSubstr(key)) << value;
        }
    }
}

TEST(GgufConfigs, RefusesNumbersThatDifferFromLayerToLayer) {
    for (const char* key : {"feed_forward_length", "attention.head_count", "attention.head_count_kv"}) {
        GgufConfig file("llama", {key});
        file.header.set_i32s(std::string("llama.") + key, std::vector<std::int32_t>(7, 4));
        EXPECT_THAT(file.refusal(), HasSubstr(key));
    }
}

TEST(GgufConfigs, RefusesAFileWithoutEmbedding) {
    EXPECT_THAT(GgufConfig("llama", {}, {}).refusal(), HasSubstr("token_embd.weight"));
    EXPECT_THAT(GgufConfig("llama", {}, {97}).refusal(), HasSubstr("token_embd.weight"));
}

TEST(GgufConfigs, RefusesValuesOfAnotherLengthThanKeys) {
    GgufConfig file;
    file.set("attention.value_length", 16);
    EXPECT_THAT(file.refusal(), HasSubstr("different length"));
}

TEST(GgufConfigs, RefusesPartialRotaryButInPhi3) {
    for (const std::string& name : names()) {
        GgufConfig file(name);
        file.set("rope.dimension_count", 6);
        if (name == "phi3") {
            EXPECT_EQ(file.parse().rope.dimensions, 6);
        } else {
            EXPECT_THAT(file.refusal(), HasSubstr(name + ".rope.dimension_count 6 differs"));
        }
    }
}

TEST(GgufConfigs, AnUnknownArchitectureIsRefusedWithTheSupportedOnes) {
    EXPECT_THAT(GgufConfig("mamba").refusal(), HasSubstr("mamba is not supported; supported: llama, qwen2"));
}

// It is Mistral's in the table: llama.cpp has none of its own for it.
TEST(GgufConfigs, AnEmptyArchitectureIsRefused) {
    EXPECT_THAT(GgufConfig("").refusal(), HasSubstr("is not supported; supported: llama"));
}

// As llama.cpp reads them: linear is the type where none is given.
TEST(GgufRope, AFactorIsALinearOneWhereverItStands) {
    for (const char* key : {"rope.scaling.factor", "rope.scale_linear"}) {
        for (const bool typed : {false, true}) {
            GgufConfig file;
            if (typed) file.set("rope.scaling.type", "linear");
            file.set(key, 4.0f);
            const RopeConfig rope = file.parse().rope;
            EXPECT_EQ(rope.scaling, RopeConfig::Scaling::kLinear) << key;
            EXPECT_EQ(rope.factor, 4) << key;
        }
    }
}

TEST(GgufRope, NoFactorIsNoScaling) {
    for (const char* type : {"linear", "none"}) {
        for (const float factor : {0.0f, 1.0f}) {
            GgufConfig file;
            file.set("rope.scaling.type", type);
            file.set("rope.scaling.factor", factor);
            EXPECT_EQ(file.parse().rope.scaling, RopeConfig::Scaling::kNone);
        }
    }
    GgufConfig none;
    none.set("rope.scaling.type", "none");
    none.set("rope.scaling.factor", 4.0f);
    EXPECT_EQ(none.parse().rope.scaling, RopeConfig::Scaling::kNone);
}

TEST(GgufRope, YarnHasItsFourNumbers) {
    GgufConfig file;
    file.set("rope.scaling.type", "yarn");
    file.set("rope.scaling.factor", 4.0f);
    file.set("rope.scaling.original_context_length", 128);
    file.set("rope.scaling.yarn_beta_fast", 16.0f);
    file.set("rope.scaling.yarn_beta_slow", 2.0f);
    file.set("rope.scaling.attn_factor", 0.5f);
    const RopeConfig rope = file.parse().rope;
    EXPECT_EQ(rope.scaling, RopeConfig::Scaling::kYarn);
    EXPECT_EQ(rope.factor, 4);
    EXPECT_EQ(rope.original_max_positions, 128);
    EXPECT_EQ(rope.beta_fast, 16);
    EXPECT_EQ(rope.beta_slow, 2);
    EXPECT_DOUBLE_EQ(rope.attention_factor, 0.5 * (1 + 0.1 * std::log(4.0)));
    GgufConfig defaults;
    defaults.set("rope.scaling.type", "yarn");
    defaults.set("rope.scaling.factor", 4.0f);
    EXPECT_EQ(defaults.parse().rope.original_max_positions, 512);
    EXPECT_EQ(defaults.parse().rope.beta_fast, 32);
}

TEST(GgufRope, RefusesAnotherType) {
    GgufConfig file;
    file.set("rope.scaling.type", "dynamic");
    EXPECT_THAT(file.refusal(), HasSubstr("'dynamic'"));
}

TEST(GgufRope, RefusesLongropeWithAFactorToo) {
    GgufConfig file("phi3");
    file.set("rope.scaling.type", "longrope");
    file.set("rope.scaling.factor", 4.0f);
    EXPECT_THAT(file.refusal(), HasSubstr("'longrope' with factor 4"));
    GgufConfig untyped("phi3");
    untyped.set("rope.scaling.factor", 4.0f);
    untyped.header.add_tensor("rope_factors_long.weight", GgmlType::kF32, {6});
    EXPECT_THAT(untyped.refusal(), HasSubstr("longrope's divisors with another rope scaling"));
}

TEST(GgufRope, Gemma3TakesLinearScalingOnly) {
    GgufConfig file("gemma3");
    file.set("rope.scaling.type", "yarn");
    file.set("rope.scaling.factor", 4.0f);
    EXPECT_THAT(file.refusal(), HasSubstr("gemma3.rope.scaling other than linear"));
}

TEST(GgufPhi3, TensorsOfDivisorsMakeItLongrope) {
    GgufConfig file("phi3");
    file.set("rope.scaling.attn_factor", 1.19f);
    file.set("rope.scaling.original_context_length", 64);
    file.set("attention.sliding_window", 32);
    file.header.add_tensor("rope_factors_long.weight", GgmlType::kF32, {6});
    const ModelConfig c = file.parse();
    EXPECT_EQ(c.rope.scaling, RopeConfig::Scaling::kLongrope);
    EXPECT_EQ(c.rope.original_max_positions, 64);
    EXPECT_FLOAT_EQ(static_cast<float>(c.rope.attention_factor), 1.19f);
    for (const LayerConfig& layer : c.layer) EXPECT_EQ(layer.window, 32);
}

TEST(GgufMixtral, IsALlamaWithExperts) {
    GgufConfig file;
    file.set("expert_count", 8);
    file.set("expert_used_count", 2);
    const ModelConfig c = file.parse();
    EXPECT_EQ(c.experts, (ExpertsConfig{8, 2, 80, 0, true}));
    for (const LayerConfig& layer : c.layer) EXPECT_TRUE(layer.experts);
    GgufConfig none;
    none.set("expert_count", 0);
    EXPECT_EQ(none.parse().experts.count, 0);
}

TEST(GgufQwenMoe, ExpertsHaveLlamaCppsDefaults) {
    const ModelConfig second = GgufConfig("qwen2moe").parse(), third = GgufConfig("qwen3moe").parse();
    EXPECT_EQ(second.experts, (ExpertsConfig{8, 4, 20, 80, false}));
    EXPECT_EQ(third.experts, (ExpertsConfig{8, 4, 20, 0, true}));
    GgufConfig file("qwen2moe");
    file.set("expert_feed_forward_length", 24);
    file.set("expert_shared_feed_forward_length", 56);
    file.header.set_bool("qwen2moe.expert_weights_norm", true);
    EXPECT_EQ(file.parse().experts, (ExpertsConfig{8, 4, 24, 56, true}));
}

TEST(GgufQwenMoe, RefusesMoreExpertsPerTokenThanExperts) {
    GgufConfig file("qwen3moe", {"expert_used_count"});
    file.set("expert_used_count", 9);
    EXPECT_THAT(file.refusal(), HasSubstr("9 experts per token, but only 8"));
    GgufConfig many("qwen3moe", {"expert_count"});
    many.set("expert_count", 65537);
    EXPECT_THAT(many.refusal(), HasSubstr("65537 experts"));
    GgufConfig none("qwen3moe", {"expert_count"});
    EXPECT_THAT(none.refusal(), HasSubstr("qwen3moe.expert_count"));
}

TEST(GgufGemma, WindowsHaveThePatternOfTheFamilyOrTheFile) {
    const auto windows = [](GgufConfig file) {
        std::vector<std::int64_t> all;
        for (const LayerConfig& layer : file.parse().layer) all.push_back(layer.window);
        return all;
    };
    using Windows = std::vector<std::int64_t>;
    EXPECT_EQ(windows(GgufConfig("gemma2")), (Windows{4096, 0, 4096, 0, 4096, 0, 4096}));
    EXPECT_EQ(windows(GgufConfig("gemma3")), Windows(7, 0));
    GgufConfig third("gemma3");
    third.set("attention.sliding_window", 32);
    EXPECT_EQ(windows(third), (Windows{32, 32, 32, 32, 32, 0, 32}));
    third.set("attention.sliding_window_pattern", 3);
    EXPECT_EQ(windows(third), (Windows{32, 32, 0, 32, 32, 0, 32}));
    EXPECT_EQ(third.parse().layer[2].local_rope, false);
    EXPECT_EQ(third.parse().layer[3].local_rope, true);
    GgufConfig second("gemma2");
    second.set("attention.sliding_window", 32);
    second.set("attention.sliding_window_pattern", 1);
    EXPECT_EQ(windows(second), Windows(7, 0));
}

TEST(GgufGemma, ScalesAreThoseOfTheFamily) {
    const ModelConfig second = GgufConfig("gemma2").parse(), third = GgufConfig("gemma3").parse();
    EXPECT_EQ(second.attention_softcap, 50);
    EXPECT_EQ(second.final_softcap, 30);
    EXPECT_EQ(third.attention_softcap, 0);
    EXPECT_EQ(third.final_softcap, 0);
    EXPECT_EQ(third.local_rope.theta, 10000);
    for (const ModelConfig* c : {&second, &third}) {
        EXPECT_EQ(c->embedding_scale, std::sqrt(48.0));
        EXPECT_EQ(c->norm_offset, 1);
        EXPECT_EQ(c->activation, compute::Activation::kGeluTanh);
        EXPECT_EQ(c->attention_scale, 1 / std::sqrt(12.0));
    }
}

// llama.cpp tells the models of 27B by their layers: queries are scaled by hidden / heads there.
TEST(GgufGemma, TheLargestModelsScaleQueriesByHiddenPerHead) {
    for (const auto& [name, layers] : {std::pair{"gemma2", 46}, std::pair{"gemma3", 62}}) {
        GgufConfig file(name, {"block_count"});
        file.set("block_count", layers);
        file.set("attention.key_length", 16);
        file.set("attention.value_length", 16);
        EXPECT_EQ(file.parse().attention_scale, 1 / std::sqrt(12.0)) << name;
    }
}

TEST(GgufGemma, RefusesANegativeSoftcap) {
    GgufConfig file("gemma2");
    file.set("final_logit_softcapping", -1.0f);
    EXPECT_THAT(file.refusal(), HasSubstr("final_logit_softcapping is -1"));
}

// The keys that each architecture reads.
const std::map<std::string, std::vector<std::string_view>>& read_keys() {
    static const std::map<std::string, std::vector<std::string_view>> all{
        {"llama", {"expert_count"}},
        {"qwen2", {}},
        {"qwen3", {}},
        {"qwen2moe", {"expert_count", "expert_shared_feed_forward_length", "expert_weights_norm"}},
        {"qwen3moe", {"expert_count", "expert_weights_norm"}},
        {"phi3", {"attention.sliding_window"}},
        {"gemma2",
         {"attention.sliding_window", "attention.sliding_window_pattern", "attn_logit_softcapping",
          "final_logit_softcapping"}},
        {"gemma3",
         {"attention.sliding_window", "attention.sliding_window_pattern", "final_logit_softcapping",
          "rope.freq_base_swa"}},
        {"olmo2", {}},
    };
    return all;
}

bool reads(const std::string& name, std::string_view key) {
    const auto& keys = read_keys().at(name);
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

TEST(GgufFunctionKeys, AKeyThatAnArchitectureDoesNotReadIsRefusedByName) {
    int refused = 0;
    for (const std::string& name : names()) {
        for (const GgufFunctionKey& row : gguf_function_keys()) {
            if (reads(name, row.key)) continue;
            const std::string key(row.key);
            const std::vector<std::function<void(GgufConfig&)>> values{
                [&](GgufConfig& file) { file.set(key, 7); },
                [&](GgufConfig& file) { file.set(key, 0.37f); },
                [&](GgufConfig& file) { file.set(key, "text"); },
                [&](GgufConfig& file) { file.header.set_bool(name + "." + key, row.neutral == 0); },
                [&](GgufConfig& file) {
                    file.header.set_i32s(name + "." + key, std::vector{1, 0});
                },
            };
            for (std::size_t i = 0; i < values.size(); ++i) {
                if (i == 3 && row.also_neutral != row.neutral) continue;  // both truth values are neutral
                GgufConfig file(name);
                values[i](file);
                // expert_count already chooses the architecture, where it must be an integer
                EXPECT_THAT(
                    file.refusal(),
                    HasSubstr(name + "." + key + (key == "expert_count" && i > 0 ? "" : " changes what")))
                    << i;
                ++refused;
            }
        }
    }
    EXPECT_GT(refused, 1500);
}

TEST(GgufFunctionKeys, NeutralValuesChangeNothing) {
    for (const std::string& name : names()) {
        const ModelConfig plain = GgufConfig(name).parse();
        for (const GgufFunctionKey& row : gguf_function_keys()) {
            if (reads(name, row.key) || std::isnan(row.neutral)) continue;
            for (const double neutral : {row.neutral, row.also_neutral}) {
                GgufConfig f32(name), i32(name);
                f32.set(std::string(row.key), static_cast<float>(neutral));
                i32.header.set_i32(name + "." + std::string(row.key), static_cast<std::int32_t>(neutral));
                EXPECT_EQ(i32.parse(), plain) << name << " " << row.key;
                if (row.key == "expert_count") continue;  // an integer only
                EXPECT_EQ(f32.parse(), plain) << name << " " << row.key;
            }
        }
    }
}

TEST(GgufFunctionKeys, AKeyThatAnArchitectureReadsChangesTheModel) {
    for (const auto& [name, keys] : read_keys()) {
        for (const std::string_view key : keys) {
            if (key == "expert_count") continue;  // GgufMixtral, GgufQwenMoe
            GgufConfig plain(name), changed(name);
            if (name == "gemma3" && key != "attention.sliding_window") {
                plain.set("attention.sliding_window", 8);
                changed.set("attention.sliding_window", 8);
            }
            if (key == "expert_weights_norm") {
                changed.header.set_bool(name + ".expert_weights_norm", name == "qwen2moe");
            } else if (key.find("softcapping") != key.npos || key == "rope.freq_base_swa") {
                changed.set(std::string(key), 5.0f);
            } else {
                changed.set(std::string(key), 3);
            }
            EXPECT_FALSE(plain.parse() == changed.parse()) << name << " " << key;
        }
    }
}

}  // namespace
}  // namespace assay
