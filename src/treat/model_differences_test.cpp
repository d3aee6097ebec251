// Differences of models that share their shapes, and the refusal of those that do not.
#include "treat/model_differences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

Model changed(const std::function<void(MemoryWeights&)>& edit,
              const ModelConfig& config = small_llama_config()) {
    const auto weights = random_weights(config, 3);
    edit(*weights);
    return {"changed", config, make_blocks(config), weights};
}

void expect_refusal(const std::function<void(ModelConfig&)>& edit, const std::string& says) {
    ModelConfig config = small_llama_config();
    edit(config);
    const Model reference = random_model(small_llama_config()), other = random_model(config);
    EXPECT_THAT([&] { expect_same_shapes(reference, other); },
                ThrowsMessage<FormatError>(AllOf(HasSubstr("tensor by tensor"), HasSubstr(says))));
}

TEST(SameShapes, RefusesAnotherVocabulary) {
    expect_refusal([](ModelConfig& c) { c.vocabulary = 96; }, "vocabulary is 96, in the reference 97");
}

TEST(SameShapes, RefusesAnotherSize) {
    expect_refusal([](ModelConfig& c) { c.intermediate = 96; }, "intermediate is 96, in the reference 80");
}

TEST(SameShapes, RefusesAHeadThatIsTied) {
    expect_refusal([](ModelConfig& c) { c.tied_head = true; }, "its output layer is tied to the embedding");
}

TEST(SameShapes, RefusesAnotherArchitectureAndNamesBoth) {
    expect_refusal([](ModelConfig& c) { c.architecture = "Phi3ForCausalLM"; },
                   "(Phi3ForCausalLM) cannot be compared with the reference random (LlamaForCausalLM)");
}

TEST(SameShapes, RefusesATensorThatTheReferenceDoesNotHave) {
    expect_refusal([](ModelConfig& c) { c.qkv_bias = true; }, "self_attn.q_proj.bias");
}

TEST(SameShapes, TakesAnotherNameForTheSameArchitecture) {
    ModelConfig config = small_llama_config();
    config.architecture = "MistralForCausalLM";
    EXPECT_NO_THROW(expect_same_shapes(random_model(small_llama_config()), random_model(config)));
}

TEST(LinearDifferences, AreRelativeNormsOfTheLinearsThatDiffer) {
    const Model reference = random_model(small_llama_config());
    const Model other = changed([](MemoryWeights& w) {
        for (float& v : w.matrices.at("model.layers.1.mlp.up_proj.weight").values()) v *= 1.5f;
        w.matrices.at("lm_head.weight").view()(96, 47) += 1;
    });
    TestEngine engine;
    const auto found = linear_differences(reference, other, engine);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].name, "model.layers.1.mlp.up_proj.weight");
    EXPECT_NEAR(*found[0].relative_error, 0.5, 1e-7);
    EXPECT_EQ(found[0].type, "f32");
    EXPECT_EQ(found[1].name, "lm_head.weight");
    EXPECT_THAT(vector_differences(reference, other), IsEmpty());
}

TEST(VectorDifferences, CountTheOffsetThatNormsAreAppliedWith) {
    ModelConfig config = small_llama_config();
    config.norm_offset = 1;
    const auto set_norm = [](MemoryWeights& w, float value) {
        auto& norm = w.vectors.at("model.layers.0.input_layernorm.weight");
        std::fill(norm.begin(), norm.end(), value);
    };
    const Model reference = changed([&](MemoryWeights& w) { set_norm(w, 0); }, config);
    const Model other = changed([&](MemoryWeights& w) { set_norm(w, 0.25f); }, config);
    const auto found = vector_differences(reference, other);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NEAR(*found[0].relative_error, 0.25, 1e-7);
}

TEST(ConfigDifferences, NameNumbersThatChangeTheFunction) {
    ModelConfig config = small_llama_config();
    config.rms_eps = 1e-3;
    config.rope.theta = 5e5;
    config.max_positions = 1024;
    EXPECT_THAT(config_differences(random_model(small_llama_config()), random_model(config)),
                ElementsAre(HasSubstr("rms_eps is 0.001"), HasSubstr("rotated by other angles")));
}

TEST(ConfigDifferences, DoNotCountWhatF32Rounds) {
    ModelConfig config = small_llama_config();
    config.rms_eps = static_cast<double>(1e-5f);
    EXPECT_THAT(config_differences(random_model(small_llama_config()), random_model(config)), IsEmpty());
}

TEST(OtherRest, HasTheReferencesLinearsAndTheOthersNorms) {
    const Model reference = random_model(small_llama_config(), 3),
                other = random_model(small_llama_config(), 4);
    const Model mixed = with_other_rest(reference, other);
    for (const LinearItem& item : reference.items()) {
        const Matrix<float> a = read_weight(mixed.weights(), item.name),
                            b = read_weight(reference.weights(), item.name);
        EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin())) << item.name;
    }
    for (const std::string& name : reference.vector_names())
        EXPECT_EQ(read_vector(mixed.weights(), name), read_vector(other.weights(), name)) << name;
    EXPECT_EQ(mixed.weights().tensors().size(), reference.weights().tensors().size());
}

}  // namespace
}  // namespace assay
