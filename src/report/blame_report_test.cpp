// What the terminal and the page say of blame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/example_records.h"
#include "report/html_report.h"
#include "report/text_report.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

BlameResult example_blame() {
    const DiagnoseResult diagnosis = example_diagnosis(4);
    BlameResult result;
    result.reference = "models/full";
    result.total = diagnosis.all_treated;
    result.sensitivity = diagnosis.sensitivity;
    result.sensitivity.treatment = "q4_0.gguf";
    result.linears_kl = 0.42;
    SensitivityLinear& worst = result.sensitivity.linears.front();
    worst.block = 2;
    worst.kl = 0.1;
    worst.parts = DamageParts{{{17, 0.9}, {3, 0.004}}, {{5, 0.25}}, {{"v", 0, 0.05}, {"v", 1, 0.95}}};
    result.blocks = {{0, 0.02, 0.05}, {2, 0.2, 0.5}};
    for (const SensitivityLinear& linear : result.sensitivity.linears)
        result.differences.push_back({linear.name + ".weight", "Q4_0", 0.1});
    result.other_differences = {{"model.norm.weight", "F32", 0.015}};
    result.config_differences = {"rms_eps is 1e-06, in the reference 1e-05"};
    result.others = diagnosis.all_treated;
    return result;
}

TEST(BlameReport, TextHasTotalsRankingPartsHeadsAndBlocks) {
    const std::string text = text_report(example_envelope(example_blame()));
    EXPECT_THAT(text, AllOf(HasSubstr("q4_0.gguf beside models/full"), HasSubstr("causes 0.589 nats"),
                            HasSubstr("add up to 0.420"), HasSubstr("model.norm.weight (1.5 %)"),
                            HasSubstr("rms_eps is 1e-06"), HasSubstr("20.0"), HasSubstr("17: 90.0 %"),
                            HasSubstr("v 1: 95.0 %, v 0: 5.0 %"), HasSubstr("block 2, v head 1"),
                            HasSubstr("0.0950")));
    EXPECT_THAT(text, Not(HasSubstr("3: 0.4")));
}

TEST(BlameReport, PageHasThemToo) {
    const std::string html = html_report(example_envelope(example_blame()));
    EXPECT_THAT(html, AllOf(HasSubstr("What q4_0.gguf breaks"), HasSubstr("17: 90.0 %"),
                            HasSubstr("block 2, v head 1"), HasSubstr("rms_eps is 1e-06"),
                            HasSubstr("Blocks with the most damage"), HasSubstr("Weight error</button>")));
}

TEST(BlameReport, ModelsThatAreTheSameHaveNoDifference) {
    BlameResult result;
    result.sensitivity.treatment = "same";
    result.total = example_diagnosis(1).perplexity;
    const Envelope envelope = example_envelope(result);
    EXPECT_THAT(text_report(envelope), AllOf(HasSubstr("No difference"), Not(HasSubstr("rank"))));
    EXPECT_THAT(html_report(envelope), HasSubstr("No difference"));
}

TEST(BlameReport, NamesCanNeitherSteerTheTerminalNorThePage) {
    BlameResult result = example_blame();
    const std::string evil = "<b>\x1b[2J";
    result.reference = result.sensitivity.treatment = result.other_differences[0].name = evil;
    result.config_differences = {evil};
    result.sensitivity.linears[0].name = result.sensitivity.linears[0].parts->heads[0].part = evil;
    EXPECT_EQ(text_report(example_envelope(result)).find('\x1b'), std::string::npos);
    EXPECT_THAT(html_report(example_envelope(result)), Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace assay
