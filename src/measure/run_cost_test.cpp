#include "measure/run_cost.h"

#include <gtest/gtest.h>

#include "model/random_model.h"
#include "model/test_models.h"

namespace assay {
namespace {

TEST(RunCost, OutputErrorsTakeAPassAndAProductForEachTreatment) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40, 30}, model.config().vocabulary), 5);
    const Rates rates{.linear_flops = 1e9,
                      .attention_flops = 1e30,
                      .head_flops = 1e30,
                      .packed_elements = 1e30,
                      .disk_bytes = 1e30};
    const auto seconds = [&](std::int64_t runs, std::int64_t errors) {
        return predict_seconds({.model = &model, .runs = runs, .windows = windows, .errors = errors}, rates,
                               engine.limits, *engine.backend);
    };
    EXPECT_NEAR(seconds(3, 2) / seconds(1, 0), 3 + 1 + 2, 1e-9);
    EXPECT_NEAR(seconds(3, 0) / seconds(1, 0), 3, 1e-9);
}

}  // namespace
}  // namespace assay
