// Rows of comparisons are what the treatments measured by themselves say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "container/json.h"
#include "container/temporary_folder.h"
#include "model/test_models.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

const std::filesystem::path kModel = std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / "llama-tied";

class TechniquesTest : public TemporaryFolder {
  protected:
    TechniquesTest() {
        std::ofstream(folder_ / "ids.json") << Json(random_windows({60, 96}, 512));
        std::ofstream(folder_ / "calibration.json") << Json(random_windows({90, 90, 80}, 512, 9));
    }

    CompareResult compare(TechniquesOptions options) {
        options.model.model = kModel;
        options.text = {.ids = folder_ / "ids.json"};
        options.calibration_ids = folder_ / "calibration.json";
        return std::get<CompareResult>(compare_techniques(options, silent_progress(), cancel_).result);
    }

    PerplexityResult alone(const std::string& treatment, bool calibrated) {
        PerplexityOptions options{.model = {.model = kModel}, .text = {.ids = folder_ / "ids.json"}};
        options.treatment = treatment;
        if (calibrated) options.calibration_ids = folder_ / "calibration.json";
        return std::get<PerplexityResult>(measure_perplexity(options, silent_progress(), cancel_).result);
    }

    CancelToken cancel_;
};

TEST_F(TechniquesTest, EachRowIsTheTreatmentMeasuredByItself) {
    const CompareResult result =
        compare({.treatments = {"int4-g32", "int4-g32:gptq(act-order)", "int8-sym-channel+a8-token"}});
    EXPECT_EQ(result.what, "techniques");
    ASSERT_EQ(result.rows.size(), 3u);
    EXPECT_EQ(result.rows[0].kl, alone("int4-g32", false).comparison->kl_mean);
    EXPECT_EQ(result.rows[1].kl, alone("int4-g32:gptq(act-order)", true).comparison->kl_mean);
    EXPECT_EQ(result.rows[2].ppl, alone("int8-sym-channel+a8-token", false).ppl);
    EXPECT_DOUBLE_EQ(result.rows[0].effective_bits, 4.625);
    for (const CompareRow& row : result.rows) {
        EXPECT_GE(*row.seconds, 0) << row.name;
        EXPECT_GT(*row.peak_bytes, 0) << row.name;
        ASSERT_TRUE(row.kernels) << row.name;
    }
    EXPECT_THAT(*result.rows[2].kernels, ElementsAre("CUTLASS int8"));
}

TEST_F(TechniquesTest, TheUsualMethodsShareABaseFormat) {
    const CompareResult result = compare({.base = "int4-g64"});
    EXPECT_EQ(result.rows[0].name, "int4-g64:rtn");
    EXPECT_EQ(result.rows[1].name, "int4-g32:rtn");
    const CompareRow& mixed = result.rows.back();
    EXPECT_THAT(mixed.name, StartsWith("int4-g64 and int8-g64"));
    EXPECT_GT(mixed.effective_bits, result.rows[0].effective_bits);
    EXPECT_LE(mixed.effective_bits, result.rows[0].effective_bits + 0.5);
    EXPECT_LT(mixed.kl, result.rows[0].kl);
}

TEST_F(TechniquesTest, BasesAreIntegerFormatsWithoutAMethod) {
    for (const char* base : {"fp8-e4m3", "int4-g64:gptq", "int8-sym-channel+a8-token", "nonsense"})
        EXPECT_THROW(compare({.base = base}), InvalidArgument) << base;
}

}  // namespace
}  // namespace assay
