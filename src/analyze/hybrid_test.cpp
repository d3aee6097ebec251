// Scores and exact swaps together: what is measured, what is estimated, and that nothing depends on how.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyze/sensitivity.h"
#include "base/error.h"
#include "model/test_models.h"

namespace assay {
namespace {

class HybridTest : public ::testing::Test {
  protected:
    HybridTest() {
        options_.items.resize(model_.items().size());
        std::iota(options_.items.begin(), options_.items.end(), std::size_t{0});
    }

    SensitivityResult measure(SensitivityMethod method, int threads = 2) {
        options_.method = method;
        TestEngine engine(threads);
        engine.limits = limits_;
        return measure_sensitivity(model_, engine, windows_, options_);
    }

    static std::vector<SensitivityLinear> of(const SensitivityResult& result, const std::string& treatment) {
        std::vector<SensitivityLinear> rows;
        std::copy_if(result.linears.begin(), result.linears.end(), std::back_inserter(rows),
                     [&](const SensitivityLinear& l) { return l.treatment == treatment; });
        return rows;
    }

    Model model_ = random_model(small_llama_config());
    MemoryLimits limits_;
    SensitivityOptions options_{
        .treatments = {parse_treatment("int3-g16"), parse_treatment("int8-channel")}, .top = 3, .seed = 1};
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({80, 70, 75, 90, 64, 80, 66, 71}, 97), 5);
};

TEST_F(HybridTest, MeasuresTheWorstByScoreAndEachMeasuredSwapIsTheExactSweeps) {
    const SensitivityResult exact = measure(SensitivityMethod::kExact),
                            hybrid = measure(SensitivityMethod::kHybrid);
    ASSERT_EQ(hybrid.linears.size(), exact.linears.size());
    for (const char* treatment : {"int3-g16:rtn", "int8-channel:rtn"}) {
        std::int64_t measured = 0;
        for (const SensitivityLinear& l : of(hybrid, treatment)) {
            ASSERT_TRUE(l.scored);
            if (l.basis != "measured") continue;
            ++measured;
            const auto rows = of(exact, treatment);
            const auto own =
                std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.name == l.name; });
            EXPECT_EQ(l.blocks, own->blocks);
            EXPECT_EQ(l.kl_ci95, own->kl_ci95);
        }
        EXPECT_GE(measured, 3);
        EXPECT_LE(measured, 6);
    }
}

TEST_F(HybridTest, ScoresAgreeWithSwapsAndRankAsTheyDo) {
    const SensitivityResult exact = measure(SensitivityMethod::kExact),
                            scored = measure(SensitivityMethod::kScore);
    for (const char* treatment : {"int3-g16:rtn", "int8-channel:rtn"}) {
        double logs = 0;
        const auto rows = of(exact, treatment);
        for (const SensitivityLinear& l : of(scored, treatment)) {
            EXPECT_EQ(l.basis, "scored");
            EXPECT_FALSE(l.delta_nll);
            const auto own =
                std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.name == l.name; });
            logs += std::log(l.kl / own->kl) / static_cast<double>(rows.size());
            EXPECT_LT(std::abs(std::log(l.kl / own->kl)), std::log(3.0)) << l.name << ' ' << treatment;
        }
        EXPECT_LT(std::abs(logs), std::log(1.25)) << treatment;
    }
}

TEST_F(HybridTest, RanksAndSharesAreWithinATreatment) {
    const SensitivityResult result = measure(SensitivityMethod::kHybrid);
    EXPECT_EQ(result.treatment, "int3-g16:rtn, int8-channel:rtn");
    for (const char* treatment : {"int3-g16:rtn", "int8-channel:rtn"}) {
        double share = 0;
        std::int64_t rank = 0;
        for (const SensitivityLinear& l : of(result, treatment)) {
            EXPECT_EQ(l.rank, ++rank);
            share += l.share_of_damage;
        }
        EXPECT_NEAR(share, 1, 1e-12);
    }
}

TEST_F(HybridTest, ThreadsAndMemoryChangeNoBit) {
    const SensitivityResult one = measure(SensitivityMethod::kHybrid, 1);
    EXPECT_EQ(one, measure(SensitivityMethod::kHybrid, 4));
    limits_.state_bytes = 1;
    limits_.head_bytes = 1;
    EXPECT_EQ(one, measure(SensitivityMethod::kHybrid, 2));
}

TEST_F(HybridTest, CalibratesScoresByTheSwapsOfTheirTreatment) {
    const SensitivityResult result = measure(SensitivityMethod::kHybrid);
    for (const char* treatment : {"int3-g16:rtn", "int8-channel:rtn"}) {
        double logs = 0, count = 0, factor = 0;
        for (const SensitivityLinear& l : of(result, treatment)) {
            factor = l.scored->calibration;
            if (l.basis != "measured") continue;
            logs += std::log(l.kl / (l.scored->kl / l.scored->calibration));
            ++count;
        }
        EXPECT_NEAR(factor, std::exp(logs / count), 1e-12) << treatment;
    }
}

TEST_F(HybridTest, MeasuresWhatCannotBeScored) {
    options_.treatments = {parse_treatment("nvfp4")};
    for (const SensitivityLinear& l : measure(SensitivityMethod::kScore).linears)
        EXPECT_EQ(l.basis, l.block ? "scored" : "measured") << l.name;
}

TEST_F(HybridTest, NeedsATreatment) {
    options_.treatments.clear();
    EXPECT_THROW(measure(SensitivityMethod::kScore), InvalidArgument);
}

}  // namespace
}  // namespace assay
