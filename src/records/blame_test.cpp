// The results document of blame.
#include "records/blame.h"

#include <gtest/gtest.h>

#include "container/json.h"
#include "records/envelope.h"

namespace assay {
namespace {

BlameResult example() {
    BlameResult result;
    result.reference = "models/full";
    result.total.ppl = 15;
    result.sensitivity.treatment = "q4_0.gguf";
    SensitivityLinear linear;
    linear.name = "model.layers.3.self_attn.v_proj";
    linear.kl = 0.01;
    linear.parts = DamageParts{{{17, 0.9}, {3, -0.1}}, {{5, 0.2}}, {{"v", 1, 0.95}}};
    result.sensitivity.linears = {linear};
    result.linears_kl = 0.01;
    result.blocks = {{3, 0.01, 1}};
    result.differences = {{"model.layers.3.self_attn.v_proj.weight", "Q4_0", 0.08}};
    result.other_differences = {{"model.norm.weight", "F32", std::nullopt}};
    result.config_differences = {"rms_eps is 1e-06, in the reference 1e-05"};
    result.others = PerplexityResult{};
    return result;
}

TEST(BlameRecord, ReadsBackIdentical) {
    Envelope written;
    written.result = example();
    const std::string text = results_text(written);
    EXPECT_EQ(command_of(written.result), "blame");
    EXPECT_EQ(parse_results(text, "test"), written);
}

TEST(BlameRecord, HasTheSensitivitysFieldsAmongItsOwn) {
    Envelope written;
    written.result = example();
    const Json result = parse_json(results_text(written), "test")["result"];
    EXPECT_EQ(result["linears"][0]["parts"]["heads"][0]["part"], "v");
    EXPECT_EQ(result["treatment"], "q4_0.gguf");
    EXPECT_TRUE(result.contains("baseline") && result.contains("total"));
}

}  // namespace
}  // namespace assay
