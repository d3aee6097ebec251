// Rules of config.json that hold for all families, one test per rule; hf_golden_test.cpp has their values.
#include "model/architectures/hf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/architectures.h"
#include "model/architectures/hf_families.h"

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

std::string refusal(const Json& changes) {
    try {
        parse(changes);
    } catch (const FormatError& e) {
        return e.what();
    }
    return "no error";
}

Json rope(Json parameters) {
    return {{"rope_parameters", std::move(parameters)}};
}

TEST(HfConfig, EveryKeyIsRead) {
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
    EXPECT_EQ(c.layer.size(), 2u);
    EXPECT_EQ(c.heads, 4);
    EXPECT_EQ(c.kv_heads, 2);
    EXPECT_EQ(c.head_dim, 10);
    EXPECT_EQ(c.vocabulary, 97);
    EXPECT_EQ(c.max_positions, 77);
    EXPECT_EQ(c.rms_eps, 1e-3);
    EXPECT_TRUE(c.tied_head && c.qkv_bias && c.output_bias && c.mlp_bias);
    EXPECT_EQ(c.rope.theta, 5);
    EXPECT_EQ(c.rope.dimensions, 10);
}

TEST(HfConfig, NullMeansAbsent) {
    for (const char* key : {"num_key_value_heads", "head_dim", "rope_scaling", "rope_theta", "rms_norm_eps",
                            "max_position_embeddings", "tie_word_embeddings", "hidden_act"}) {
        EXPECT_EQ(parse({{key, nullptr}}), parse()) << key;
    }
}

TEST(HfConfig, Llama3ScalingNeedsItsNumbers) {
    const Json whole{{"rope_type", "llama3"},
                     {"factor", 8},
                     {"low_freq_factor", 1},
                     {"high_freq_factor", 4},
                     {"original_max_position_embeddings", 64}};
    EXPECT_EQ(parse(rope(whole)).rope.original_max_positions, 64);
    for (const char* key : {"factor", "low_freq_factor", "high_freq_factor"}) {
        Json part = whole;
        part.erase(key);
        EXPECT_THAT(refusal(rope(part)), HasSubstr(key));
    }
    Json crossed = whole;
    crossed["high_freq_factor"] = 1;
    EXPECT_THAT(refusal(rope(crossed)), HasSubstr("high_freq_factor 1 must be above low_freq_factor 1"));
}

TEST(HfConfig, LinearScalingNeedsAFactorAboveZero) {
    EXPECT_THAT(refusal(rope({{"type", "linear"}})), HasSubstr("factor is missing"));
    EXPECT_THAT(refusal(rope({{"type", "linear"}, {"factor", 0}})), HasSubstr("factor is 0"));
}

TEST(HfConfig, YarnNeedsPositiveNumbers) {
    const Json whole{{"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 64}};
    for (const char* key : {"factor", "original_max_position_embeddings", "attention_factor", "beta_fast"}) {
        Json bad = whole;
        bad[key] = -1;
        EXPECT_THAT(refusal(rope(bad)), HasSubstr("expected a positive number")) << key;
    }
    EXPECT_THAT(refusal({{"rope_scaling", whole}, {"rope_theta", 1}}), HasSubstr("theta above 1"));
}

TEST(HfConfig, LongropeNeedsOneFactorAPair) {
    const Json six = Json::array({1, 1, 1, 2, 2, 2});
    const auto longrope = [](const Json& short_factor, const Json& long_factor) {
        return rope(
            {{"rope_type", "longrope"}, {"short_factor", short_factor}, {"long_factor", long_factor}});
    };
    EXPECT_EQ(parse(longrope(six, six)).rope.long_divisors, (std::vector<float>{1, 1, 1, 2, 2, 2}));
    EXPECT_THAT(refusal(longrope(six, Json::array({1, 2}))), HasSubstr("long_factor has 2 numbers"));
    EXPECT_THAT(refusal(longrope(Json::array({1, 1, 1, 0, 1, 1}), six)), HasSubstr("short_factor has 6"));
    EXPECT_THAT(refusal(longrope(Json::array({1, "x"}), six)), HasSubstr("short_factor"));
    EXPECT_THAT(refusal(rope({{"rope_type", "longrope"}})), HasSubstr("short_factor is missing"));
}

TEST(HfConfig, RefusesAnUnknownRopeType) {
    EXPECT_THAT(refusal(rope({{"type", "mrope"}, {"factor", 2}})), HasSubstr("'mrope' is not supported"));
    EXPECT_THAT(refusal(rope({{"rope_type", 3}})), HasSubstr("rope_type is 3, expected"));
}
TEST(HfConfig, RefusesRopeParametersByLayerType) {
    EXPECT_THAT(refusal(rope({{"full_attention", {{"rope_theta", 5}}}})),
                HasSubstr("rope parameters of full_attention alone are not supported"));
}
TEST(HfConfig, RefusesPartialRotary) {
    EXPECT_THAT(refusal(rope({{"partial_rotary_factor", 0.5}})), HasSubstr("partial_rotary_factor = 0.5"));
    EXPECT_THAT(refusal({{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor = 0.5"));
}
TEST(HfConfig, RefusesARopeScalingThatIsNoObject) {
    EXPECT_THAT(refusal({{"rope_scaling", 2}}), HasSubstr("rope_scaling is 2, expected an object"));
}
TEST(HfConfig, RefusesAnotherActivation) {
    EXPECT_THAT(refusal({{"hidden_act", "gelu"}}), HasSubstr("hidden_act 'gelu'"));
}
TEST(HfConfig, RefusesAMissingSize) {
    for (const auto& item : kLeast.items())
        EXPECT_THAT(refusal({{item.key(), nullptr}}), HasSubstr(item.key() + " is missing"));
}
TEST(HfConfig, RefusesASizeOutOfBounds) {
    for (const auto& item : kLeast.items()) {
        for (const Json& bad : {Json(0), Json((std::int64_t{1} << 31) + 1), Json(1.5), Json("48")})
            EXPECT_THAT(refusal({{item.key(), bad}}), HasSubstr(item.key()));
    }
}
TEST(HfConfig, RefusesHeadsThatCannotShare) {
    EXPECT_THAT(refusal({{"num_key_value_heads", 3}}), HasSubstr("cannot share 3 key/value heads"));
}
TEST(HfConfig, RefusesAnOddHeadDimension) {
    EXPECT_THAT(refusal({{"head_dim", 11}}), HasSubstr("11 of a head's 11 dimensions are rotated"));
}
TEST(HfConfig, RefusesMoreHeadsThanHidden) {
    EXPECT_THAT(refusal({{"num_attention_heads", 64}}), HasSubstr("1 of a head's 1 dimensions are rotated"));
}
TEST(HfConfig, RefusesAbsurdlyManyLayers) {
    EXPECT_THAT(refusal({{"num_hidden_layers", 100001}}), HasSubstr("num_hidden_layers is 100001"));
}
TEST(HfConfig, RefusesAQueryWiderThanAnyMatrix) {
    EXPECT_THAT(refusal({{"head_dim", 1 << 30}}), HasSubstr("heads times head dimension"));
}
TEST(HfConfig, RefusesAnEpsilonOfZero) {
    EXPECT_THAT(refusal({{"rms_norm_eps", 0}}), HasSubstr("epsilon is 0"));
}
TEST(HfConfig, RefusesANegativeTheta) {
    EXPECT_THAT(refusal({{"rope_theta", -1}}), HasSubstr("rope theta is -1"));
}
TEST(HfConfig, RefusesAConfigThatIsNoObject) {
    EXPECT_THROW(parse_llama_hf(Json::array(), "config.json"), FormatError);
}

TEST(Architectures, AreFoundByName) {
    EXPECT_EQ(find_hf_architecture("LlamaForCausalLM", "m").gguf_name, "llama");
    EXPECT_EQ(find_hf_architecture("MistralForCausalLM", "m").model_type, "mistral");
}

TEST(Architectures, AnUnknownNameIsRefusedWithTheSupportedOnes) {
    try {
        find_hf_architecture("MambaForCausalLM", "config.json");
        FAIL() << "no error";
    } catch (const Unsupported& e) {
        EXPECT_THAT(e.what(), HasSubstr("config.json: architecture MambaForCausalLM is not supported; "
                                        "supported: LlamaForCausalLM, MistralForCausalLM"));
    }
}

TEST(TextConfig, AMultimodalClassHasItsLanguageModelsConfig) {
    const Json whole{{"architectures", {"Gemma3ForConditionalGeneration"}},
                     {"text_config", {{"hidden_size", 8}, {"model_type", "gemma3_text"}}},
                     {"quantization_config", {{"quant_method", "gptq"}}},
                     {"vision_config", Json::object()}};
    const Json text = text_config(whole, "config.json");
    EXPECT_EQ(text["architectures"][0], "Gemma3ForCausalLM");
    EXPECT_EQ(text["hidden_size"], 8);
    EXPECT_EQ(text["quantization_config"]["quant_method"], "gptq");
    EXPECT_EQ(text["tie_word_embeddings"], true);
    EXPECT_FALSE(text.contains("vision_config"));
}

TEST(TextConfig, AnyOtherConfigStaysAsItIs) {
    for (const Json& config : {kLeast, Json{{"architectures", {"Gemma3ForCausalLM"}}},
                               Json{{"architectures", Json::array()}}, Json{{"architectures", {1}}}}) {
        EXPECT_EQ(text_config(config, "config.json"), config);
    }
}

TEST(TextConfig, AMultimodalClassWithoutItIsRefused) {
    EXPECT_THROW(text_config({{"architectures", {"Gemma3ForConditionalGeneration"}}}, "m"), FormatError);
}

// Of a released model (google/gemma-3-4b-it): most keys are left to the defaults.
TEST(TextConfig, KeysThatGemma3LeavesOutHaveItsDefaults) {
    const ModelConfig c = parse_gemma3_hf({{"hidden_size", 2560},
                                           {"intermediate_size", 10240},
                                           {"num_hidden_layers", 34},
                                           {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}},
                                           {"sliding_window", 1024}},
                                          "config.json");
    EXPECT_EQ(c.vocabulary, 262208);
    EXPECT_EQ(c.heads, 8);
    EXPECT_EQ(c.kv_heads, 4);
    EXPECT_EQ(c.head_dim, 256);
    EXPECT_EQ(c.rope.factor, 8);
    EXPECT_EQ(c.local_rope.theta, 10000);
    EXPECT_EQ(c.layer[5].window, 0);
    EXPECT_EQ(c.layer[6].window, 1024);
}

}  // namespace
}  // namespace assay
