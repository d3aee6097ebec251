#include "measure/nonfinite.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "measure/runs.h"
#include "model/architectures.h"
#include "model/random_model.h"

namespace assay {
namespace {

TEST(Nonfinite, AnOverflowIsTracedToTheLinearWhereItBegins) {
    const ModelConfig config = small_llama_config();
    const auto weights = random_weights(config, 1);
    // Finite weights whose product with the gated activations is beyond f32.
    for (float& v : weights->matrices["model.layers.1.mlp.up_proj.weight"].values()) v = 3e38f;
    const Model model("overflowing", config, make_blocks(config), weights);
    ThreadPool pool(2);
    const auto backend = compute::make_cpu_backend(pool);
    const CancelToken cancel;
    const Engine engine{*backend, pool, silent_progress(), cancel};
    const std::vector<EvaluationWindow> windows{{{1, 2, 3, 4, 5}}};
    const std::vector<assay::Run> runs{{&model, nullptr}};
    try {
        measure_runs(engine, windows, runs, {});
        FAIL() << "no error";
    } catch (const NumericError& e) {
        EXPECT_NE(std::string(e.what()).find("model.layers.1.mlp.up_proj in overflowing"), std::string::npos)
            << e.what();
    }
}

TEST(Nonfinite, AHealthyModelHasNone) {
    const ModelConfig config = small_llama_config();
    const Model model("healthy", config, make_blocks(config), random_weights(config, 1));
    ThreadPool pool(2);
    const auto backend = compute::make_cpu_backend(pool);
    const CancelToken cancel;
    const Engine engine{*backend, pool, silent_progress(), cancel};
    const std::vector<EvaluationWindow> windows{{{1, 2, 3, 4, 5}}};
    EXPECT_FALSE(first_nonfinite_output(model, engine, make_chunks(windows, 100), nullptr));
}

}  // namespace
}  // namespace assay
