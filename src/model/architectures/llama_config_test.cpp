// Llama's numbers from config.json texts and GGUF metadata, one test per rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "container/gguf_writer.h"
#include "model/architectures.h"
#include "model/architectures/llama.h"
#include "model/random_model.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

const Json kLeast{{"hidden_size", 48},
                  {"intermediate_size", 80},
                  {"num_hidden_layers", 2},
                  {"num_attention_heads", 4},
                  {"vocab_size", 97}};

ModelConfig parse(const Json& changes = Json::object()) {
    Json config = kLeast;
    config.update(changes);
    const ModelConfig parsed = parse_llama_hf(config, "config.json");
    validate(parsed, "config.json");
    return parsed;
}

template <class Error = FormatError>
std::string refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& e) {
        return e.what();
    }
    return "no error";
}

std::string hf_refusal(const Json& changes) {
    return refusal([&] { parse(changes); });
}

TEST(LlamaHfConfig, AbsentKeysHaveTransformersDefaults) {
    const ModelConfig c = parse();
    EXPECT_EQ(c.kv_heads, 4);
    EXPECT_EQ(c.head_dim, 12);
    EXPECT_EQ(c.max_positions, 2048);
    EXPECT_EQ(c.rms_eps, 1e-6);
    EXPECT_FALSE(c.tied_head || c.attention_bias || c.mlp_bias);
    EXPECT_EQ(c.rope.theta, 10000);
    EXPECT_EQ(c.rope.scaling, RopeConfig::Scaling::kNone);
}

TEST(LlamaHfConfig, NullMeansAbsent) {
    const ModelConfig c = parse({{"num_key_value_heads", nullptr},
                                 {"head_dim", nullptr},
                                 {"rope_scaling", nullptr},
                                 {"rope_theta", nullptr}});
    EXPECT_EQ(c.kv_heads, 4);
    EXPECT_EQ(c.head_dim, 12);
    EXPECT_EQ(c.rope.theta, 10000);
}

TEST(LlamaHfConfig, EveryKeyIsRead) {
    const ModelConfig c = parse({{"num_key_value_heads", 2},
                                 {"head_dim", 10},
                                 {"max_position_embeddings", 77},
                                 {"rms_norm_eps", 1e-3},
                                 {"tie_word_embeddings", true},
                                 {"attention_bias", true},
                                 {"mlp_bias", true},
                                 {"rope_theta", 5}});
    EXPECT_EQ(c.hidden, 48);
    EXPECT_EQ(c.intermediate, 80);
    EXPECT_EQ(c.layers, 2);
    EXPECT_EQ(c.heads, 4);
    EXPECT_EQ(c.kv_heads, 2);
    EXPECT_EQ(c.head_dim, 10);
    EXPECT_EQ(c.vocabulary, 97);
    EXPECT_EQ(c.max_positions, 77);
    EXPECT_EQ(c.rms_eps, 1e-3);
    EXPECT_TRUE(c.tied_head && c.attention_bias && c.mlp_bias);
    EXPECT_EQ(c.rope.theta, 5);
}

TEST(LlamaHfConfig, RopeScalingWinsOverRopeParameters) {
    const ModelConfig c =
        parse({{"rope_scaling", {{"rope_type", "linear"}, {"factor", 2}}},
               {"rope_parameters", {{"rope_type", "linear"}, {"factor", 3}, {"rope_theta", 7}}}});
    EXPECT_EQ(c.rope.factor, 2);
    EXPECT_EQ(c.rope.theta, 10000);
}

TEST(LlamaHfConfig, TheOldKeyOfTheRopeTypeIsRead) {
    EXPECT_EQ(parse({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}).rope.scaling,
              RopeConfig::Scaling::kLinear);
    EXPECT_EQ(parse({{"rope_scaling", {{"type", "linear"}, {"rope_type", "default"}}}}).rope.scaling,
              RopeConfig::Scaling::kNone);
}

TEST(LlamaHfConfig, Llama3ScalingNeedsAllItsNumbers) {
    const Json whole{{"rope_type", "llama3"},
                     {"factor", 8},
                     {"low_freq_factor", 1},
                     {"high_freq_factor", 4},
                     {"original_max_position_embeddings", 64}};
    const RopeConfig rope = parse({{"rope_parameters", whole}}).rope;
    EXPECT_EQ(rope.scaling, RopeConfig::Scaling::kLlama3);
    EXPECT_EQ(rope.factor, 8);
    EXPECT_EQ(rope.low_freq_factor, 1);
    EXPECT_EQ(rope.high_freq_factor, 4);
    EXPECT_EQ(rope.original_max_positions, 64);
    for (const char* key :
         {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
        Json part = whole;
        part.erase(key);
        EXPECT_THAT(hf_refusal({{"rope_parameters", part}}), HasSubstr(key));
    }
    Json crossed = whole;
    crossed["high_freq_factor"] = 1;
    EXPECT_THAT(hf_refusal({{"rope_parameters", crossed}}),
                HasSubstr("high_freq_factor 1 must be above low_freq_factor 1"));
}

TEST(LlamaHfConfig, RefusesAnUnknownRopeType) {
    EXPECT_THAT(hf_refusal({{"rope_scaling", {{"type", "yarn"}, {"factor", 2}}}}),
                HasSubstr("'yarn' is not supported"));
}
TEST(LlamaHfConfig, RefusesPartialRotary) {
    EXPECT_THAT(hf_refusal({{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}),
                HasSubstr("partial_rotary_factor"));
}
TEST(LlamaHfConfig, RefusesAnotherActivation) {
    EXPECT_THAT(hf_refusal({{"hidden_act", "gelu"}}), HasSubstr("hidden_act 'gelu'"));
}
TEST(LlamaHfConfig, RefusesAMissingSize) {
    for (const auto& [key, value] : kLeast.items())
        EXPECT_THAT(hf_refusal({{key, nullptr}}), HasSubstr(key + " is missing"));
}
TEST(LlamaHfConfig, RefusesASizeOutOfBounds) {
    for (const auto& [key, value] : kLeast.items()) {
        EXPECT_THAT(hf_refusal({{key, 0}}), HasSubstr(key));
        EXPECT_THAT(hf_refusal({{key, (std::int64_t{1} << 31) + 1}}), HasSubstr(key));
        EXPECT_THAT(hf_refusal({{key, 1.5}}), HasSubstr(key));
    }
}
TEST(LlamaHfConfig, RefusesHeadsThatCannotShare) {
    EXPECT_THAT(hf_refusal({{"num_key_value_heads", 3}}), HasSubstr("cannot share 3 key/value heads"));
}
TEST(LlamaHfConfig, RefusesAnOddHeadDimension) {
    EXPECT_THAT(hf_refusal({{"head_dim", 11}}), HasSubstr("11 is odd"));
}
TEST(LlamaHfConfig, RefusesMoreHeadsThanHidden) {
    EXPECT_THAT(hf_refusal({{"num_attention_heads", 64}}), HasSubstr("head dimension is 0"));
}
TEST(LlamaHfConfig, RefusesAbsurdlyManyLayers) {
    EXPECT_THAT(hf_refusal({{"num_hidden_layers", 100001}}), HasSubstr("100001 layers"));
}
TEST(LlamaHfConfig, RefusesAQueryWiderThanAnyMatrix) {
    EXPECT_THAT(hf_refusal({{"head_dim", 1 << 30}}), HasSubstr("heads times head dimension"));
}
TEST(LlamaHfConfig, RefusesAnEpsilonOfZero) {
    EXPECT_THAT(hf_refusal({{"rms_norm_eps", 0}}), HasSubstr("epsilon is 0"));
}
TEST(LlamaHfConfig, RefusesANegativeTheta) {
    EXPECT_THAT(hf_refusal({{"rope_theta", -1}}), HasSubstr("rope theta is -1"));
}
TEST(LlamaHfConfig, RefusesAFactorOfZero) {
    EXPECT_THAT(hf_refusal({{"rope_scaling", {{"type", "linear"}, {"factor", 0}}}}),
                HasSubstr("factor is 0"));
}
TEST(LlamaHfConfig, RefusesARopeScalingThatIsNoObject) {
    EXPECT_THAT(hf_refusal({{"rope_scaling", 2}}), HasSubstr("rope_scaling is 2, expected an object"));
}

// A GGUF file in memory: metadata of the small config, an embedding, and what a test adds.
class GgufConfig {
  public:
    explicit GgufConfig(const std::vector<std::string>& without = {}, Shape embedding = {97, 48}) {
        const ModelConfig config = small_llama_config();
        const auto u32 = [&](const std::string& key, std::int64_t value) {
            if (std::find(without.begin(), without.end(), key) == without.end())
                header.set_u32("llama." + key, static_cast<std::uint32_t>(value));
        };
        u32("embedding_length", config.hidden);
        u32("feed_forward_length", config.intermediate);
        u32("block_count", config.layers);
        u32("attention.head_count", config.heads);
        u32("attention.head_count_kv", config.kv_heads);
        u32("context_length", config.max_positions);
        if (std::find(without.begin(), without.end(), "attention.layer_norm_rms_epsilon") == without.end()) {
            header.set_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        }
        if (!embedding.empty()) header.add_tensor("token_embd.weight", GgmlType::kF32, embedding);
    }

    ModelConfig parse() {
        std::string bytes = header.bytes();
        for (const Section& s : header.sections()) bytes.resize(bytes.size() + (s.bytes + 31) / 32 * 32);
        const ModelConfig config = parse_llama_gguf(GgufFile(std::as_bytes(std::span(bytes)), "m.gguf"));
        validate(config, "m.gguf");
        return config;
    }

    std::string refusal() {
        return assay::refusal([this] { parse(); });
    }

    GgufHeader header;
};

TEST(LlamaGgufConfig, NumbersAreReadAndTheRestHasDefaults) {
    const ModelConfig c = GgufConfig().parse();
    EXPECT_EQ(c.hidden, 48);
    EXPECT_EQ(c.intermediate, 80);
    EXPECT_EQ(c.layers, 2);
    EXPECT_EQ(c.heads, 4);
    EXPECT_EQ(c.kv_heads, 2);
    EXPECT_EQ(c.head_dim, 12);
    EXPECT_EQ(c.vocabulary, 97);
    EXPECT_EQ(c.max_positions, 512);
    EXPECT_FLOAT_EQ(static_cast<float>(c.rms_eps), 1e-5f);
    EXPECT_TRUE(c.tied_head);
    EXPECT_FALSE(c.attention_bias || c.mlp_bias);
    EXPECT_EQ(c.rope.theta, 10000);
    EXPECT_EQ(GgufConfig({"attention.head_count_kv"}).parse().kv_heads, 4);
}

TEST(LlamaGgufConfig, OptionalTensorsSayWhatTheModelHas) {
    GgufConfig file;
    file.header.add_tensor("output.weight", GgmlType::kF32, {97, 48});
    file.header.add_tensor("blk.0.attn_q.bias", GgmlType::kF32, {48});
    file.header.add_tensor("blk.0.ffn_up.bias", GgmlType::kF32, {80});
    const ModelConfig c = file.parse();
    EXPECT_FALSE(c.tied_head);
    EXPECT_TRUE(c.attention_bias && c.mlp_bias);
}

TEST(LlamaGgufConfig, OptionalKeysAreRead) {
    GgufConfig file;
    file.header.set_u32("llama.attention.key_length", 16);
    file.header.set_u32("llama.rope.dimension_count", 16);
    file.header.set_f32("llama.rope.freq_base", 500000);
    file.header.set_string("llama.rope.scaling.type", "linear");
    file.header.set_f32("llama.rope.scaling.factor", 4);
    const ModelConfig c = file.parse();
    EXPECT_EQ(c.head_dim, 16);
    EXPECT_EQ(c.rope.theta, 500000);
    EXPECT_EQ(c.rope.scaling, RopeConfig::Scaling::kLinear);
    EXPECT_EQ(c.rope.factor, 4);
}

TEST(LlamaGgufConfig, RefusesAMissingNumber) {
    for (const char* key : {"embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                            "context_length", "attention.layer_norm_rms_epsilon"}) {
        EXPECT_THAT(GgufConfig({key}).refusal(), HasSubstr(key));
    }
}

TEST(LlamaGgufConfig, RefusesASizeOutOfBounds) {
    for (const char* key : {"embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                            "context_length"}) {
        for (const std::uint64_t value :
             {std::uint64_t{0}, (std::uint64_t{1} << 31) + 1, ~std::uint64_t{0}}) {
            GgufConfig file({key});
            file.header.set_u64(std::string("llama.") + key, value);
            EXPECT_THAT(file.refusal(), HasSubstr(key)) << value;
        }
    }
    for (const char* key : {"attention.head_count_kv", "attention.key_length"}) {
        GgufConfig file({key});
        file.header.set_u64(std::string("llama.") + key, ~std::uint64_t{0});
        EXPECT_NE(file.refusal(), "no error") << key;
    }
}

TEST(LlamaGgufConfig, RefusesAFileWithoutEmbedding) {
    EXPECT_THAT(GgufConfig({}, {}).refusal(), HasSubstr("token_embd.weight"));
    EXPECT_THAT(GgufConfig({}, {97}).refusal(), HasSubstr("token_embd.weight"));
}

TEST(LlamaGgufConfig, RefusesExperts) {
    GgufConfig file;
    file.header.set_u32("llama.expert_count", 8);
    EXPECT_THAT(file.refusal(), HasSubstr("mixture-of-experts"));
}

TEST(LlamaGgufConfig, NoExpertsAreNoMixture) {
    GgufConfig file;
    file.header.set_u32("llama.expert_count", 0);
    EXPECT_EQ(file.refusal(), "no error");
}

TEST(LlamaGgufConfig, RefusesAnotherRopeScaling) {
    GgufConfig file;
    file.header.set_string("llama.rope.scaling.type", "yarn");
    EXPECT_THAT(file.refusal(), HasSubstr("'yarn' is not supported"));
}

TEST(LlamaGgufConfig, RefusesLinearScalingWithoutItsFactor) {
    GgufConfig file;
    file.header.set_string("llama.rope.scaling.type", "linear");
    EXPECT_THAT(file.refusal(), HasSubstr("rope.scaling.factor"));
}

TEST(LlamaGgufConfig, RefusesASlidingWindow) {
    GgufConfig file;
    file.header.set_u32("llama.attention.sliding_window", 1024);
    EXPECT_THAT(file.refusal(), HasSubstr("sliding-window"));
}

TEST(LlamaGgufConfig, RefusesPartialRotary) {
    GgufConfig file;
    file.header.set_u32("llama.rope.dimension_count", 6);
    EXPECT_THAT(file.refusal(), HasSubstr("rotary dimension 6 differs"));
}

TEST(Architectures, AreFoundByBothNames) {
    EXPECT_EQ(find_hf_architecture("LlamaForCausalLM", "m").gguf_name, "llama");
    EXPECT_EQ(find_gguf_architecture("llama", "m").hf_name, "LlamaForCausalLM");
}

TEST(Architectures, AnUnknownNameIsRefusedWithTheSupportedOnes) {
    EXPECT_THAT(
        refusal<Unsupported>([] { find_hf_architecture("MambaForCausalLM", "config.json"); }),
        HasSubstr(
            "config.json: architecture MambaForCausalLM is not supported; supported: LlamaForCausalLM"));
    EXPECT_THAT(refusal<Unsupported>([] { find_gguf_architecture("mamba", "m.gguf"); }),
                HasSubstr("supported: llama"));
}

TEST(LlamaBlock, EverySlotIsWrittenOnceAndBeforeItIsRead) {
    ModelConfig config = small_llama_config();
    config.head_dim = 10;
    const BlockProgram program = llama_block(config);
    std::vector<bool> written(program.slot_cols.size(), false);
    written[static_cast<std::size_t>(program.input)] = true;
    for (const BlockOp& op : program.ops) {
        for (int in : op.inputs) EXPECT_TRUE(written[static_cast<std::size_t>(in)]) << op.weight;
        if (op.residual >= 0) {
            EXPECT_TRUE(written[static_cast<std::size_t>(op.residual)]) << op.weight;
            EXPECT_EQ(program.slot_cols[static_cast<std::size_t>(op.residual)],
                      program.slot_cols[static_cast<std::size_t>(op.output)]);
        }
        EXPECT_FALSE(written[static_cast<std::size_t>(op.output)]) << op.weight;
        written[static_cast<std::size_t>(op.output)] = true;
    }
    EXPECT_TRUE(written[static_cast<std::size_t>(program.output)]);
    EXPECT_EQ(program.slot_cols[2], 40);
    EXPECT_EQ(program.slot_cols[3], 20);
}

}  // namespace
}  // namespace assay
