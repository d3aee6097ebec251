// What inspect says of whole, damaged, quantized and foreign models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/temporary_folder.h"
#include "model/test_models.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

const fs::path kData = ASSAY_TEST_DATA;

class InspectTest : public TemporaryFolder {
  protected:
    InspectResult inspect(const fs::path& model) {
        return std::get<InspectResult>(
            inspect_model({.model = model, .threads = 1}, silent_progress(), cancel_).result);
    }
    CancelToken cancel_;
};

TEST_F(InspectTest, AWholeModelHasNoWarning) {
    const InspectResult result = inspect(kData / "tiny" / "llama-tied");
    EXPECT_THAT(result.warnings, IsEmpty());
    EXPECT_EQ(result.format, "safetensors");
    EXPECT_EQ(result.architecture, "LlamaForCausalLM");
    ASSERT_TRUE(result.config);
    EXPECT_EQ(result.config->hidden, 96);
    EXPECT_TRUE(result.config->tied_head);
    EXPECT_EQ(result.config->rope_scaling, "none");
    EXPECT_EQ(result.linear_count, 3 * 7 + 1);
    const std::int64_t block = 2 * 96 * 96 + 2 * 96 * 32 + 3 * 96 * 256 + 2 * 96;
    EXPECT_EQ(result.parameters, 3 * block + 512 * 96 + 96);
    EXPECT_EQ(result.bytes, 2 * result.parameters);
    ASSERT_EQ(result.dtype_totals.size(), 1u);
    EXPECT_EQ(result.dtype_totals[0], (DtypeTotal{"bf16", static_cast<std::int64_t>(result.tensors.size()),
                                                  result.parameters, result.bytes}));
}

TEST_F(InspectTest, RopeScalingIsNamed) {
    EXPECT_EQ(inspect(kData / "tiny" / "llama-rope-llama3-f32").config->rope_scaling, "llama3");
    EXPECT_EQ(inspect(kData / "tiny" / "llama-rope-linear-f16").config->rope_scaling, "linear");
}

TEST_F(InspectTest, AQuantizedGgufIsWarnedOf) {
    const InspectResult result = inspect(kData / "gguf" / "llama-a-q4_0.gguf");
    EXPECT_EQ(result.format, "gguf");
    EXPECT_THAT(result.warnings, IsSupersetOf({HasSubstr("14 linears are already quantized (Q4_0)"),
                                               HasSubstr("quantized (Q6_K)")}));
}

TEST_F(InspectTest, DamagedWeightsAreWarnedOfByName) {
    const ModelConfig config = small_llama_config();
    const auto weights = random_weights(config, 3);
    weights->matrices["model.layers.1.mlp.up_proj.weight"].view()(2, 5) = std::nanf("");
    weights->matrices["lm_head.weight"].view()(0, 0) = INFINITY;
    write_llama_gguf(folder_ / "m.gguf", config, *weights);
    const InspectResult result = inspect(folder_ / "m.gguf");
    EXPECT_THAT(result.warnings,
                ElementsAre(HasSubstr("model.layers.1.mlp.up_proj.weight"), HasSubstr("lm_head.weight")));
    EXPECT_EQ(result.linear_count, 16);
}

TEST_F(InspectTest, DamagedNormsAreWarnedOf) {
    const ModelConfig config = small_llama_config();
    const auto weights = random_weights(config, 3);
    weights->vectors["model.layers.1.input_layernorm.weight"][7] = std::nanf("");
    write_llama_gguf(folder_ / "m.gguf", config, *weights);
    EXPECT_THAT(inspect(folder_ / "m.gguf").warnings,
                ElementsAre(HasSubstr("model.layers.1.input_layernorm.weight")));
}

TEST_F(InspectTest, AForeignArchitectureIsListedAndNamed) {
    fs::copy(kData / "tiny" / "llama-tied", folder_ / "m");
    Json config = parse_json(read_file(folder_ / "m" / "config.json"), "config");
    config["architectures"] = {"MambaForCausalLM"};
    std::ofstream(folder_ / "m" / "config.json") << config.dump();
    const InspectResult result = inspect(folder_ / "m");
    EXPECT_EQ(result.architecture, "MambaForCausalLM");
    EXPECT_FALSE(result.config);
    EXPECT_EQ(result.linear_count, 0);
    EXPECT_EQ(result.tensors.size(), inspect(kData / "tiny" / "llama-tied").tensors.size());
    EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("MambaForCausalLM is not supported")));
}

TEST_F(InspectTest, AQuantizedCheckpointIsListedAndNamed) {
    fs::copy(kData / "tiny" / "llama-tied", folder_ / "m");
    Json config = parse_json(read_file(folder_ / "m" / "config.json"), "config");
    config["quantization_config"] = {{"quant_method", "gptq"}};
    std::ofstream(folder_ / "m" / "config.json") << config;
    EXPECT_THAT(inspect(folder_ / "m").warnings, Contains(HasSubstr("quant_method gptq")));
}

TEST_F(InspectTest, TensorsThatTheConfigDoesNotFitAreAnError) {
    fs::copy(kData / "tiny" / "llama-tied", folder_ / "m");
    Json config = parse_json(read_file(folder_ / "m" / "config.json"), "config");
    config["intermediate_size"] = 255;
    std::ofstream(folder_ / "m" / "config.json") << config;
    EXPECT_THROW(inspect(folder_ / "m"), FormatError);
}

TEST_F(InspectTest, StopsWhenAsked) {
    cancel_.request();
    EXPECT_THROW(inspect(kData / "tiny" / "llama-tied"), Interrupted);
}

}  // namespace
}  // namespace assay
