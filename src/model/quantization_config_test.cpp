// quantization_config: what can be read, one test a reason for refusal.
#include "model/quantization_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

QuantizedStorage read(const Json& settings) {
    return read_quantization_config({{"quantization_config", settings}}, "config.json");
}

// As llm-compressor writes them; `weights` replaces members of the group's weights.
Json compressed(const Json& weights = Json::object(), const std::string& format = "float-quantized") {
    Json args{{"num_bits", 8},         {"type", "float"},       {"symmetric", true},
              {"strategy", "channel"}, {"group_size", nullptr}, {"dynamic", false}};
    args.update(weights);
    return {{"quant_method", "compressed-tensors"},
            {"format", format},
            {"config_groups",
             {{"group_0",
               {{"targets", {"Linear"}}, {"weights", args}, {"input_activations", {{"dynamic", true}}}}}}},
            {"sparsity_config", Json::object()},
            {"transform_config", Json::object()}};
}

TEST(QuantizationConfig, IsPlainWithoutOne) {
    for (const Json& config : {Json::object(), Json{{"quantization_config", nullptr}}}) {
        const auto storage = read_quantization_config(config, "config.json");
        EXPECT_FALSE(storage.scaled);
        EXPECT_EQ(storage.refusal, "");
    }
}

TEST(QuantizationConfig, ReadsFp8WithBlocksAndWithout) {
    const auto blocks = read({{"quant_method", "fp8"}, {"weight_block_size", {64, 32}}});
    EXPECT_TRUE(blocks.scaled);
    EXPECT_EQ(blocks.block_rows, 64);
    EXPECT_EQ(blocks.block_cols, 32);
    const auto tensor = read({{"quant_method", "fp8"}, {"weight_block_size", nullptr}});
    EXPECT_TRUE(tensor.scaled);
    EXPECT_EQ(tensor.block_rows, 128);
    EXPECT_EQ(tensor.refusal, "");
}

TEST(QuantizationConfig, ReadsCompressedTensors) {
    for (const char* format : {"float-quantized", "naive-quantized", "int-quantized"}) {
        for (const char* strategy : {"tensor", "channel"}) {
            const auto storage = read(compressed({{"strategy", strategy}}, format));
            EXPECT_EQ(storage.refusal, "");
            EXPECT_TRUE(storage.scaled);
        }
    }
    const auto block = read(compressed({{"strategy", "block"}, {"block_structure", {16, 8}}}));
    EXPECT_EQ(block.block_rows, 16);
    EXPECT_EQ(block.block_cols, 8);
    const auto group = read(compressed(
        {{"type", "int"}, {"num_bits", 4}, {"strategy", "group"}, {"group_size", 32}}, "int-quantized"));
    EXPECT_EQ(group.block_rows, 1);
    EXPECT_EQ(group.block_cols, 32);
}

TEST(QuantizationConfig, ReadsTheOldName) {
    const auto storage = read_quantization_config({{"compression_config", compressed()}}, "config.json");
    EXPECT_TRUE(storage.scaled);
}

TEST(QuantizationConfig, GroupsHaveTheirOwnFormats) {
    Json settings = compressed(Json::object(), "mixed-precision");
    settings["config_groups"]["group_0"]["format"] = "float-quantized";
    EXPECT_EQ(read(settings).refusal, "");
    settings["config_groups"]["group_1"] = settings["config_groups"]["group_0"];
    settings["config_groups"]["group_1"]["format"] = "pack-quantized";
    EXPECT_THAT(read(settings).refusal, HasSubstr("format pack-quantized"));
}

TEST(QuantizationConfig, GroupsWithoutWeightsChangeNothing) {
    Json settings = compressed();
    settings["config_groups"]["group_0"]["weights"] = nullptr;
    EXPECT_FALSE(read(settings).scaled);
    EXPECT_EQ(read(settings).refusal, "");
}

TEST(QuantizationConfig, RefusesOtherMethods) {
    for (const char* method : {"gptq", "awq", "bitsandbytes", "mxfp4", "modelopt"}) {
        EXPECT_THAT(read({{"quant_method", method}}).refusal,
                    HasSubstr(std::string("quant_method ") + method));
    }
    EXPECT_THAT(read(Json::object()).refusal, HasSubstr("quant_method unknown"));
    EXPECT_THAT(read({{"quant_method", "gptq"}}).refusal, HasSubstr("give the full-precision model"));
}

TEST(QuantizationConfig, RefusesOtherFormats) {
    for (const char* format : {"pack-quantized", "nvfp4-pack-quantized", "marlin-24", "dense"})
        EXPECT_THAT(read(compressed(Json::object(), format)).refusal,
                    HasSubstr(std::string("format ") + format));
}

TEST(QuantizationConfig, RefusesWeightsOfAnotherKind) {
    EXPECT_THAT(read(compressed({{"symmetric", false}})).refusal, HasSubstr("asymmetric"));
    EXPECT_THAT(read(compressed({{"num_bits", 4}})).refusal, HasSubstr("float weights of 4 bits"));
    EXPECT_THAT(read(compressed({{"type", "int"}, {"num_bits", 16}})).refusal,
                HasSubstr("int weights of 16 bits"));
    EXPECT_THAT(read(compressed({{"type", "complex"}})).refusal, HasSubstr("type complex"));
    EXPECT_THAT(read(compressed({{"strategy", "token"}})).refusal, HasSubstr("per token"));
}

TEST(QuantizationConfig, RefusesBlocksOfSeveralSizes) {
    Json settings = compressed({{"strategy", "block"}, {"block_structure", {16, 8}}});
    settings["config_groups"]["group_1"] = settings["config_groups"]["group_0"];
    EXPECT_EQ(read(settings).refusal, "");
    settings["config_groups"]["group_1"]["weights"]["block_structure"] = {8, 8};
    EXPECT_THAT(read(settings).refusal, HasSubstr("several sizes"));
}

TEST(QuantizationConfig, RefusesSparseAndRotatedWeights) {
    Json sparse = compressed(), rotated = compressed();
    sparse["sparsity_config"] = {{"format", "sparse-24-bitmask"}};
    EXPECT_THAT(read(sparse).refusal, HasSubstr("sparse"));
    sparse["sparsity_config"] = {{"format", "dense"}};
    EXPECT_EQ(read(sparse).refusal, "");
    rotated["transform_config"] = {{"config_groups", {{"R1", 1}}}};
    EXPECT_THAT(read(rotated).refusal, HasSubstr("rotated"));
}

TEST(QuantizationConfig, RefusesMembersOfAWrongType) {
    EXPECT_THROW(read("fp8"), FormatError);
    EXPECT_THROW(read({{"quant_method", 8}}), FormatError);
    for (const Json& sizes : {Json(128), Json{128}, Json{128, 0}, Json{128, "x"}, Json{1, 2, 3}})
        EXPECT_THROW(read({{"quant_method", "fp8"}, {"weight_block_size", sizes}}), FormatError) << sizes;
    EXPECT_THROW(read(compressed({{"strategy", "block"}})), FormatError);
    EXPECT_THROW(read(compressed({{"strategy", "group"}})), FormatError);
    EXPECT_THROW(read(compressed({{"num_bits", "8"}})), FormatError);
    Json settings = compressed();
    settings["config_groups"] = Json::array();
    EXPECT_THROW(read(settings), FormatError);
}

}  // namespace
}  // namespace assay
