// The noise floor: zero for the same kernels, tiny between orders of summation, larger for bf16.
#include "measure/noise_floor.h"

#include <gtest/gtest.h>

#include "model/test_models.h"

namespace assay {
namespace {

TEST(NoiseFloor, IsZeroForTheSameKernelsAndGrowsWithRounding) {
    const Model model = random_model(small_llama_config());
    const auto windows = with_context(random_windows({400}, 97), 0);
    TestEngine engine;
    const auto same = compute::make_cpu_backend(engine.pool), exact = compute::make_reference_backend();
    EXPECT_EQ(measure_noise_floor(model, engine, *same, windows), 0);
    const double f32 = measure_noise_floor(model, engine, *exact, windows);
    EXPECT_LT(f32, 1e-9);
    // Whatever the processor has, there is another order of sums to measure against.
    const auto other =
        compute::make_cpu_backend(engine.pool, {.kernels = compute::CpuKernels::kAvx2ShortSums});
    const double order = measure_noise_floor(model, engine, *other, windows);
    EXPECT_GT(order, 0);
    EXPECT_LT(order, 1e-9);
    compute::CpuOptions bf16{.precision = compute::Precision::kBf16};
    if (!compute::cpu_supports(bf16)) GTEST_SKIP() << "this processor has no bf16 kernels";
    engine.backend = compute::make_cpu_backend(engine.pool, bf16);
    const double rounded = measure_noise_floor(model, engine, *same, windows);
    EXPECT_GT(rounded, 100 * f32);
    EXPECT_LT(rounded, 1e-2);
}

}  // namespace
}  // namespace assay
