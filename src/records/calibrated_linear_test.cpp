#include "records/calibrated_linear.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

TEST(Calibration, ReadsBackWhatItWrote) {
    const std::vector<CalibratedLinear> linears{
        {"model.layers.0.mlp.down_proj", "int4-g64:gptq", 16384, 0.01, 0, 3, 0.1 + 0.2, std::nullopt},
        {"model.layers.1.mlp.down_proj", "int4-g64:gptq", 0, 1, 2, 576, std::nullopt, "no position"},
        {.name = "model.layers.2.mlp.down_proj",
         .treatment = "int4-g64:awq",
         .positions = 99,
         .damping = 0.01,
         .error_ratio = 0.5,
         .fallback = std::nullopt,
         .alpha = 0.35},
        {.name = "model.layers.3.mlp.down_proj",
         .treatment = "int4-g64:awq",
         .positions = 99,
         .damping = 0.01,
         .error_ratio = 0.9,
         .fallback = std::nullopt,
         .unscaled = "the residual stream"}};
    EXPECT_EQ(parse_calibration(calibration_text(linears), "text"), linears);
    EXPECT_EQ(parse_calibration("[]", "text"), std::vector<CalibratedLinear>());
}

TEST(Calibration, RefusesOtherTexts) {
    for (const char* text : {"", "{}", "[1]", "[{}]", "[{\"name\": 3}]"})
        EXPECT_THROW(parse_calibration(text, "text"), FormatError) << text;
}

}  // namespace
}  // namespace assay
