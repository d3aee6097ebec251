// Scores and exact swaps together: what is measured, what is estimated, and that nothing depends on how.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "analyze/sensitivity.h"
#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "model/model_files.h"
#include "model/test_models.h"
#include "treat/treatment_overlay.h"

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

TEST_F(HybridTest, PredictsWhatTheBlocksLinearsDoTogether) {
    const SensitivityResult result = measure(SensitivityMethod::kHybrid);
    ASSERT_EQ(result.together->size(), 2u);
    for (const PlanPrediction& p : *result.together) {
        double sum = 0;
        std::int64_t linears = 0;
        for (const SensitivityLinear& l : of(result, p.treatment)) {
            if (!l.block) continue;
            sum += l.kl;
            ++linears;
        }
        EXPECT_NEAR(p.kl_sum, sum, 1e-12 * sum);
        EXPECT_EQ(p.linears, linears);
        EXPECT_LT(p.kl_sum_ci95->low, p.kl_sum);
        EXPECT_GT(p.kl_sum_ci95->high, p.kl_sum);
        // And that is about what treating them together does.
        const TreatmentOverlay all(parse_treatment(p.treatment),
                                   [](const LinearItem& item) { return item.block >= 0; });
        TestEngine engine;
        const std::vector<assay::Run> runs{{&model_, nullptr}, {&model_, &all}};
        const auto scores = measure_runs(engine, windows_, runs, {});
        const double measured = summarize_damage(scores[0].blocks, scores[1].blocks, 0).kl;
        EXPECT_LT(std::abs(std::log(p.kl_sum / measured)), std::log(1.5)) << p.treatment;
        EXPECT_LT(std::abs(std::log(p.kl_interactions / measured)), std::log(2.5)) << p.treatment;
    }
}

TEST_F(HybridTest, GoesOnWhileTheOrderIsOpenAndNoLonger) {
    options_.top = 6;
    options_.first_windows = 2;
    const SensitivityResult result = measure(SensitivityMethod::kHybrid);
    const auto used = static_cast<std::size_t>(result.linears.front().windows.size());
    EXPECT_EQ(used % 2, 0u);
    EXPECT_GT(used, 2u);
    EXPECT_EQ(result.baseline.windows.size(), used);
    const auto undecided = [&](std::size_t windows) {
        for (const char* treatment : {"int3-g16:rtn", "int8-channel:rtn"}) {
            std::vector<std::vector<BlockSums>> swaps;
            std::vector<SensitivityLinear> rows;
            for (const SensitivityLinear& l : of(result, treatment)) {
                if (l.basis != "measured") continue;
                swaps.emplace_back();
                for (const BlockSums& b : l.blocks) {
                    if (b.window < static_cast<std::int64_t>(windows)) swaps.back().push_back(b);
                }
            }
            const auto total = [](const auto& blocks) {
                return std::accumulate(blocks.begin(), blocks.end(), 0.0,
                                       [](double sum, const BlockSums& b) { return sum + b.kl_sum; });
            };
            std::sort(swaps.begin(), swaps.end(),
                      [&](const auto& a, const auto& b) { return total(a) > total(b); });
            for (std::size_t i = 1; i < swaps.size(); ++i) {
                if (swaps_undecided(swaps[i - 1], swaps[i], options_.seed)) return true;
            }
        }
        return false;
    };
    for (std::size_t windows = 2; windows < used; windows += 2) EXPECT_TRUE(undecided(windows)) << windows;
    if (used < windows_.size()) {
        EXPECT_FALSE(undecided(used));
    }
}

TEST(SwapOrder, IsOpenWhereTheDifferenceMayBeZeroAndIsNotKnownWell) {
    const auto blocks = [](std::initializer_list<double> kl) {
        std::vector<BlockSums> out;
        for (double v : kl) out.push_back({.window = 0, .tokens = 10, .kl_sum = v});
        return out;
    };
    const auto a = blocks({1, 2, 3, 4}), b = blocks({0.5, 1.4, 2.6, 3.3}), c = blocks({3, 1, 4, 2});
    EXPECT_FALSE(swaps_undecided(a, b, 1));
    EXPECT_TRUE(swaps_undecided(a, c, 1));
    EXPECT_FALSE(swaps_undecided(a, a, 1));  // known to be equal
    EXPECT_TRUE(swaps_undecided(blocks({1}), blocks({2}), 1));
    EXPECT_THROW(swaps_undecided(a, blocks({1}), 1), InvalidArgument);
}

class ExpertsTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tiny, ExpertsTest, ::testing::Values("mixtral", "qwen2-moe", "qwen3-moe"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(ExpertsTest, KindsWhoseScoresAreOffAreMeasuredAndRoutesAreCounted) {
    const Model model =
        load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    SensitivityOptions options{.treatments = {parse_treatment("int2-g16")},
                               .method = SensitivityMethod::kHybrid,
                               .top = 1,
                               .seed = 1};
    options.items.resize(model.items().size());
    std::iota(options.items.begin(), options.items.end(), std::size_t{0});
    TestEngine engine;
    const auto windows = with_context(random_windows({80, 70, 75, 90}, model.config().vocabulary), 5);
    const SensitivityResult result = measure_sensitivity(model, engine, windows, options);
    std::map<std::string, std::vector<const SensitivityLinear*>> kinds;
    double changed = 0;
    for (const SensitivityLinear& l : result.linears) {
        kinds[l.projection].push_back(&l);
        if (l.basis != "measured") continue;
        if (!l.route_changes) continue;  // no experts come after it
        for (double share : *l.route_changes) {
            EXPECT_GE(share, 0);
            EXPECT_LE(share, 1);
            changed += share;
        }
    }
    EXPECT_GT(changed, 0);
    for (const auto& [kind, linears] : kinds) {
        double logs = 0;
        std::size_t measured = 0;
        for (const SensitivityLinear* l : linears) {
            if (l->basis != "measured") continue;
            ++measured;
            if (l->scored) logs += std::log(l->kl / (l->scored->kl / l->scored->calibration));
        }
        EXPECT_GE(measured, std::min(kProbes, linears.size())) << kind;
        const double ratio = std::exp(logs / static_cast<double>(measured));
        EXPECT_TRUE(measured == linears.size() || (ratio >= kLeastScoreRatio && ratio <= kMostScoreRatio))
            << kind << ' ' << ratio << ' ' << measured << " of " << linears.size();
    }
}

TEST_F(HybridTest, NeedsATreatment) {
    options_.treatments.clear();
    EXPECT_THROW(measure(SensitivityMethod::kScore), InvalidArgument);
}

}  // namespace
}  // namespace assay
