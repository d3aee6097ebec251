// A key that changes what a model computes is read or refused, never ignored: every row of both tables with
// every family.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "model/architectures.h"
#include "model/architectures/hf_config.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

// A value of each key that changes nothing (null: there is none) and one that does.
struct Sample {
    std::string_view key;
    Json neutral;
    Json other;
};

const std::vector<Sample>& samples() {
    static const Json linear{{"rope_type", "linear"}, {"factor", 2}};
    static const std::vector<Sample> all{
        {"hidden_act", nullptr, "relu"},
        {"hidden_activation", nullptr, "relu"},
        {"rope_scaling", nullptr, linear},
        {"rope_parameters", nullptr, linear},
        {"partial_rotary_factor", 1.0, 0.5},
        {"rotary_pct", 1, 0.25},
        {"rotary_dim", nullptr, 8},
        {"rope_ratio", 1, 2},
        {"rope_local_base_freq", nullptr, 500.0},
        {"rope_interleave", false, true},
        {"position_embedding_type", "rope", "alibi"},
        {"alibi", false, true},
        {"layer_types", nullptr, {"sliding_attention", "full_attention", "full_attention", "full_attention"}},
        {"sliding_window", nullptr, 8},
        {"use_sliding_window", false, true},
        {"sliding_window_pattern", nullptr, 2},
        {"attention_chunk_size", 0, 64},
        {"no_rope_layers", Json::array(), {1, 0, 1, 0}},
        {"no_rope_layer_interval", 0, 4},
        {"attn_logit_softcapping", 0, 30.0},
        {"final_logit_softcapping", 0, 30.0},
        {"query_pre_attn_scalar", nullptr, 77},
        {"attn_temperature_tuning", false, true},
        {"is_causal", true, false},
        {"use_bidirectional_attention", false, true},
        {"add_cross_attention", false, true},
        {"attention_bias", false, true},
        {"mlp_bias", false, true},
        {"qkv_bias", false, true},
        {"use_qkv_bias", false, true},
        {"use_bias", false, true},
        {"clip_qkv", 0, 8.0},
        {"qk_norm", false, true},
        {"use_qk_norm", false, true},
        {"qk_layernorm", false, true},
        {"parallel_attn", false, true},
        {"use_parallel_residual", false, true},
        {"embedding_multiplier", 1, 12.0},
        {"residual_multiplier", 1.0, 0.22},
        {"attention_multiplier", nullptr, 0.0078},
        {"logits_scaling", 1, 8},
        {"logit_scale", 1, 0.0625},
        {"scale_emb", 1, 12},
        {"scale_depth", nullptr, 1.4},
        {"num_local_experts", 0, 8},
        {"num_experts", 0, 8},
        {"n_routed_experts", 0, 64},
        {"shared_expert_intermediate_size", 0, 64},
        {"n_shared_experts", 0, 2},
        {"mlp_only_layers", Json::array(), {0}},
        {"decoder_sparse_step", 1, 2},
        {"norm_topk_prob", false, true},
        {"routed_scaling_factor", 1.0, 2.5},
        {"scoring_func", "softmax", "sigmoid"},
        {"n_group", 1, 8},
        {"topk_group", 1, 4},
        {"first_k_dense_replace", 0, 1},
        {"moe_layer_freq", 1, 2},
        {"mlp_layer_types", {"dense", "dense"}, {"dense", "sparse"}},
        {"num_kv_shared_layers", 0, 10},
        {"hidden_size_per_layer_input", 0, 256},
    };
    return all;
}

// What a family reads: with `config` beside, each of `keys` must change the result or be refused.
struct Family {
    std::string_view name;
    Json config = Json::object();
    std::vector<std::pair<std::string_view, Json>> keys;
};

const Json kTypes{"full_attention", "sliding_attention", "full_attention", "sliding_attention"};
const Json kTheta{{"rope_type", "default"}, {"rope_theta", 77}};
const Json kQwenWindows{{"use_sliding_window", true}, {"sliding_window", 64}, {"max_window_layers", 1}};

// Of nearly all families.
const std::vector<std::pair<std::string_view, Json>> kCommon{
    {"hidden_act", "gelu_pytorch_tanh"},
    {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2}}},
    {"rope_parameters", kTheta},
    {"partial_rotary_factor", 0.5},
};

std::vector<std::pair<std::string_view, Json>> with_common(
    std::vector<std::pair<std::string_view, Json>> keys) {
    keys.insert(keys.end(), kCommon.begin(), kCommon.end());
    return keys;
}

const std::vector<Family>& families() {
    static const std::vector<std::pair<std::string_view, Json>> qwen_windows{
        {"sliding_window", 8}, {"use_sliding_window", false}, {"layer_types", kTypes}};
    static const auto qwen = [](std::vector<std::pair<std::string_view, Json>> keys) {
        keys.insert(keys.end(), qwen_windows.begin(), qwen_windows.end());
        return with_common(std::move(keys));
    };
    static const std::vector<std::pair<std::string_view, Json>> gemma{
        {"hidden_activation", "silu"},
        {"attention_bias", true},
        {"sliding_window", 8},
        {"layer_types", kTypes},
        {"query_pre_attn_scalar", 77},
        {"use_bidirectional_attention", true},
        {"attn_logit_softcapping", 20},
        {"final_logit_softcapping", 20},
        {"rope_parameters", {{"full_attention", kTheta}}},
        {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2}}},
        {"partial_rotary_factor", 0.5},
    };
    static const std::vector<Family> all{
        {"LlamaForCausalLM", Json::object(), with_common({{"attention_bias", true}, {"mlp_bias", true}})},
        {"MistralForCausalLM", Json::object(), with_common({{"sliding_window", 8}, {"layer_types", kTypes}})},
        {"MixtralForCausalLM", Json::object(),
         with_common(
             {{"sliding_window", 8}, {"layer_types", kTypes}, {"num_local_experts", 4}, {"num_experts", 4}})},
        {"Qwen2ForCausalLM", kQwenWindows, qwen({})},
        {"Qwen3ForCausalLM", kQwenWindows, qwen({{"attention_bias", true}})},
        {"Qwen2MoeForCausalLM", kQwenWindows,
         qwen({{"qkv_bias", false},
               {"num_experts", 6},
               {"shared_expert_intermediate_size", 56},
               {"mlp_only_layers", {1}},
               {"decoder_sparse_step", 2},
               {"norm_topk_prob", true}})},
        {"Qwen3MoeForCausalLM", kQwenWindows,
         qwen({{"attention_bias", true},
               {"num_experts", 16},
               {"num_local_experts", 16},
               {"mlp_only_layers", {1}},
               {"decoder_sparse_step", 2},
               {"norm_topk_prob", true}})},
        {"Phi3ForCausalLM", Json::object(), with_common({{"sliding_window", 8}, {"layer_types", kTypes}})},
        {"Gemma2ForCausalLM", Json::object(), gemma},
        {"Gemma3ForCausalLM",
         {{"sliding_window", 64}, {"sliding_window_pattern", 3}},
         [] {
             auto keys = gemma;
             keys.insert(keys.end(), {{"sliding_window_pattern", 2}, {"rope_local_base_freq", 500}});
             return keys;
         }()},
        {"Olmo2ForCausalLM", Json::object(), with_common({{"attention_bias", true}})},
    };
    return all;
}

// Read, but only for the class's sake: Gemma's activation is under hidden_activation.
bool ignored(std::string_view family, std::string_view key) {
    return key == "hidden_act" && family.starts_with("Gemma");
}

ModelConfig parse(const Family& family, const Json& changes) {
    Json config{{"hidden_size", 64}, {"intermediate_size", 96},  {"num_hidden_layers", 4},
                {"vocab_size", 97},  {"num_attention_heads", 4}, {"num_key_value_heads", 2}};
    config.update(family.config);
    config.update(changes);
    ModelConfig parsed = find_hf_architecture(family.name, "m").parse_hf(config, "config.json");
    validate(parsed, "config.json");
    return parsed;
}

bool reads(const Family& family, std::string_view key) {
    return ignored(family.name, key) || std::any_of(family.keys.begin(), family.keys.end(),
                                                    [&](const auto& own) { return own.first == key; });
}

TEST(FunctionKeys, EveryRowHasASampleAndEveryFamilyAList) {
    for (const FunctionKey& row : function_keys()) {
        const auto own = [&](const Sample& sample) { return sample.key == row.key; };
        EXPECT_EQ(std::count_if(samples().begin(), samples().end(), own), 1) << row.key;
    }
    EXPECT_EQ(samples().size(), function_keys().size());
    for (const Architecture& row : architectures()) {
        const auto own = [&](const Family& family) { return family.name == row.hf_name; };
        EXPECT_EQ(std::count_if(families().begin(), families().end(), own), 1) << row.hf_name;
    }
}

TEST(FunctionKeys, AKeyThatAFamilyDoesNotReadIsRefusedByName) {
    int refused = 0;
    for (const Family& family : families()) {
        for (const Sample& sample : samples()) {
            if (reads(family, sample.key)) continue;
            SCOPED_TRACE(std::string(family.name) + " " + std::string(sample.key));
            try {
                parse(family, {{sample.key, sample.other}});
                ADD_FAILURE() << "no error";
            } catch (const Unsupported& e) {
                EXPECT_THAT(e.what(), HasSubstr(std::string(sample.key) + " = " + sample.other.dump()));
                ++refused;
            }
        }
    }
    EXPECT_GT(refused, 500);
}

TEST(FunctionKeys, NeutralValuesChangeNothing) {
    for (const Family& family : families()) {
        const ModelConfig plain = parse(family, Json::object());
        for (const Sample& sample : samples()) {
            if (reads(family, sample.key)) continue;
            EXPECT_EQ(parse(family, {{sample.key, sample.neutral}}), plain)
                << family.name << " " << sample.key << " = " << sample.neutral;
            EXPECT_EQ(parse(family, {{sample.key, nullptr}}), plain) << family.name << " " << sample.key;
        }
    }
}

TEST(FunctionKeys, AKeyThatAFamilyReadsChangesTheModelOrIsRefused) {
    for (const Family& family : families()) {
        const ModelConfig plain = parse(family, Json::object());
        for (const auto& [key, value] : family.keys) {
            try {
                EXPECT_FALSE(parse(family, {{key, value}}) == plain)
                    << family.name << " " << key << " = " << value;
            } catch (const FormatError& e) {
                EXPECT_THAT(e.what(), HasSubstr(std::string(key))) << family.name << " " << value;
            }
        }
    }
}

TEST(FunctionKeys, BadValuesOfReadKeysAreRefusedByName) {
    const std::vector<std::pair<std::string_view, std::vector<Json>>> bad{
        {"hidden_act", {1, "relu"}},
        {"attention_bias", {"yes", 2}},
        {"sliding_window", {0, -1, "8", 1.5}},
        {"layer_types",
         {5, {"full_attention"}, {"full_attention", "chunked_attention", "full_attention", 1}}},
        {"query_pre_attn_scalar", {0, -3, "x"}},
        {"attn_logit_softcapping", {-1, "x"}},
        {"final_logit_softcapping", {-1, "x"}},
        {"sliding_window_pattern", {0, "x"}},
        {"rope_local_base_freq", {"x"}},
        {"num_experts", {0, 65537, "8"}},
        {"num_local_experts", {0, "8"}},
        {"decoder_sparse_step", {0, "x"}},
        {"mlp_only_layers", {{4}, {-1}, {"x"}, 3}},
        {"norm_topk_prob", {"x", 1}},
        {"shared_expert_intermediate_size", {0, "x"}},
        {"qkv_bias", {"x"}},
        {"mlp_bias", {"x"}},
        {"use_sliding_window", {"x"}},
    };
    for (const Family& family : families()) {
        for (const auto& [key, values] : bad) {
            if (!reads(family, key) || ignored(family.name, key)) continue;
            for (const Json& value : values) {
                try {
                    parse(family, {{key, value}});
                    ADD_FAILURE() << family.name << " takes " << key << " = " << value;
                } catch (const FormatError& e) {
                    const bool named = std::string(e.what()).find(key) != std::string::npos ||
                                       std::string(e.what()).find("experts") != std::string::npos;
                    EXPECT_TRUE(named) << e.what();
                }
            }
        }
    }
}

TEST(FunctionKeys, MoreExpertsPerTokenThanExpertsAreRefused) {
    for (const char* name : {"MixtralForCausalLM", "Qwen2MoeForCausalLM", "Qwen3MoeForCausalLM"}) {
        const char* count = name[1] == 'i' ? "num_local_experts" : "num_experts";
        try {
            parse({name, Json::object(), {}}, {{count, 4}, {"num_experts_per_tok", 5}});
            ADD_FAILURE() << name;
        } catch (const FormatError& e) {
            EXPECT_THAT(e.what(), HasSubstr("5 experts per token, but only 4"));
        }
    }
}

TEST(FunctionKeys, TwoCountsOfExpertsThatDifferAreRefused) {
    const Family family{"Qwen3MoeForCausalLM", Json::object(), {}};
    EXPECT_EQ(parse(family, {{"num_experts", 16}, {"num_local_experts", 16}}).experts.count, 16);
    EXPECT_THROW(parse(family, {{"num_experts", 16}, {"num_local_experts", 8}}), FormatError);
}

// Layers of these families all have the window of sliding_window, whatever layer_types says.
TEST(FunctionKeys, LayerTypesThatAgreeWithTheWindowAreTaken) {
    const Json all(4, "sliding_attention"), none(4, "full_attention");
    for (const char* name : {"MistralForCausalLM", "MixtralForCausalLM", "Phi3ForCausalLM"}) {
        const Family family{name, Json::object(), {}};
        EXPECT_EQ(parse(family, {{"sliding_window", 8}, {"layer_types", all}}),
                  parse(family, {{"sliding_window", 8}}));
        EXPECT_EQ(parse(family, {{"sliding_window", nullptr}, {"layer_types", none}}),
                  parse(family, {{"sliding_window", nullptr}}));
        EXPECT_THROW(parse(family, {{"sliding_window", 8}, {"layer_types", none}}), Unsupported);
        EXPECT_THROW(parse(family, {{"sliding_window", nullptr}, {"layer_types", all}}), Unsupported);
    }
}

}  // namespace
}  // namespace assay
