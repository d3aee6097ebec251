#include "report/calibration_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CalibratedLinear linear(const std::string& name, double ratio) {
    return {name, "int4-g64:gptq", 16384, 0.01, 0, 0, ratio, std::nullopt};
}

TEST(CalibrationFacts, SayHowTheLinearsWereTreated) {
    EXPECT_THAT(calibration_facts({}), IsEmpty());
    EXPECT_THAT(
        calibration_facts({linear("a", 0.25), linear("b", 0.5), linear("c", 0.75)}),
        ElementsAre(
            "3 linears treated with int4-g64:gptq on up to 16,384 positions each; output errors there "
            "are 0.500 of round to nearest's (median; from 0.250 to 0.750)."));
}

TEST(CalibrationFacts, NameEveryFallbackUpToTen) {
    std::vector<CalibratedLinear> linears(12, linear("model.layers.0.mlp.up_proj", 1));
    for (CalibratedLinear& l : linears) l.fallback = "NaN";
    linears[0].damping_raised = 2;
    linears[0].damping = 0.5;
    linears[1].dead_columns = 4;
    const auto facts = calibration_facts(linears);
    ASSERT_EQ(facts.size(), 14u);
    EXPECT_THAT(facts[0], ::testing::Not(HasSubstr("output errors")));
    EXPECT_EQ(facts[1], "Rounded to nearest instead: model.layers.0.mlp.up_proj: NaN.");
    EXPECT_THAT(facts[11], HasSubstr("2 more were rounded"));
    EXPECT_THAT(facts[12], HasSubstr("raised for 1 linears, to 0.500"));
    EXPECT_THAT(facts[13], HasSubstr("1 linears have input channels"));
}

TEST(CalibrationFacts, SayHowInputsWereScaledAndNameThoseThatWereNot) {
    std::vector<CalibratedLinear> linears(4, linear("model.layers.0.self_attn.q_proj", 0.5));
    linears[0].alpha = 0.25;
    linears[1].alpha = 0.35;
    linears[2].alpha = 0;
    linears[3].unscaled = "it is the residual stream";
    const auto facts = calibration_facts(linears);
    ASSERT_EQ(facts.size(), 3u);
    EXPECT_EQ(facts[1], "Input not scaled: model.layers.0.self_attn.q_proj: it is the residual stream.");
    EXPECT_EQ(facts[2],
              "Inputs of 2 linears are scaled; the exponents found are 0.250 (median; from 0 to 0.350).");
}

}  // namespace
}  // namespace assay
