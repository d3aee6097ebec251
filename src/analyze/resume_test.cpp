// A run that was interrupted and started again gives the same results, and does not repeat what it had
// finished.
#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "analyze/sensitivity.h"
#include "base/error.h"
#include "base/part_cache.h"
#include "measure/runs.h"
#include "model/test_models.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class ResumeTest : public ::testing::Test {
  protected:
    ResumeTest() {
        options_.items.resize(model_.items().size());
        std::iota(options_.items.begin(), options_.items.end(), std::size_t{0});
    }
    ~ResumeTest() override { fs::remove_all(folder_); }

    SensitivityResult measure(PartCache* parts, bool cancelled = false) {
        TestEngine test(2);
        Engine engine = test;
        engine.parts = parts;
        if (cancelled) test.cancel.request();
        return measure_sensitivity(model_, engine, windows_, options_);
    }

    fs::path folder_ = fs::temp_directory_path() / ("assay-resume-" + std::to_string(::getpid()));
    Model model_ = random_model(small_llama_config());
    SensitivityOptions options_{.treatments = {parse_treatment("int3-g16")}, .seed = 1};
    std::vector<EvaluationWindow> windows_ = with_context(random_windows(std::vector<int>(9, 600), 97), 5);
};

TEST_F(ResumeTest, WhatIsKeptIsNotComputedAgainAndGivesTheSameBits) {
    for (SensitivityMethod method : {SensitivityMethod::kExact, SensitivityMethod::kHybrid}) {
        options_.method = method;
        const SensitivityResult plain = measure(nullptr);
        PartCache first(folder_, "run");
        EXPECT_EQ(measure(&first), plain);
        PartCache second(folder_, "run");
        EXPECT_EQ(measure(&second, true), plain);  // would throw Interrupted if it computed anything
        first.remove();
    }
}

TEST_F(ResumeTest, WhatIsMissingIsComputed) {
    const SensitivityResult plain = measure(nullptr);
    PartCache first(folder_, "run");
    measure(&first);
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    ASSERT_GT(files.size(), 3u);
    fs::remove(files[1]);
    PartCache second(folder_, "run");
    EXPECT_THROW(measure(&second, true), Interrupted);
    PartCache third(folder_, "run");
    EXPECT_EQ(measure(&third), plain);
}

TEST_F(ResumeTest, HoldsForWholeRuns) {
    TestEngine test(2);
    Engine engine = test;
    const std::vector<assay::Run> runs{{&model_, nullptr}};
    const auto plain = measure_runs(engine, windows_, runs, {.keep_tokens = true});
    for (bool cancelled : {false, true}) {
        PartCache parts(folder_, "run");
        engine.parts = &parts;
        if (cancelled) test.cancel.request();
        const auto again = measure_runs(engine, windows_, runs, {.keep_tokens = true});
        EXPECT_EQ(again[0].blocks, plain[0].blocks);
        EXPECT_EQ(again[0].token_nll, plain[0].token_nll);
    }
}

}  // namespace
}  // namespace assay
