#include "records/calibrated_linear.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

TEST(Calibration, ReadsBackWhatItWrote) {
    const std::vector<CalibratedLinear> linears{
        {"model.layers.0.mlp.down_proj", "int4-g64:gptq", 16384, 0.01, 0, 3, 0.1 + 0.2, std::nullopt},
        {"model.layers.1.mlp.down_proj", "int4-g64:gptq", 0, 1, 2, 576, std::nullopt, "no position"},
        {"model.layers.2.mlp.down_proj", "int4-g64:awq", 99, 0.01, 0, 0, 0.5, std::nullopt, 0.35,
         std::nullopt},
        {"model.layers.3.mlp.down_proj", "int4-g64:awq", 99, 0.01, 0, 0, 0.9, std::nullopt, std::nullopt,
         "the residual stream"}};
    EXPECT_EQ(parse_calibration(calibration_text(linears), "text"), linears);
    EXPECT_EQ(parse_calibration("[]", "text"), std::vector<CalibratedLinear>());
}

TEST(Calibration, RefusesOtherTexts) {
    for (const char* text : {"", "{}", "[1]", "[{}]", "[{\"name\": 3}]"})
        EXPECT_THROW(parse_calibration(text, "text"), FormatError) << text;
}

}  // namespace
}  // namespace assay
