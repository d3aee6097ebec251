// Tests of the terminal text of each verb.
#include "report/text_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "report/conclusions.h"
#include "report/example_records.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(TextReport, DiagnosisHasItsNumbersAndTheRestLine) {
    const std::string text = text_report(example_envelope(example_diagnosis(30)), {.top = 30});
    EXPECT_THAT(text, AllOf(HasSubstr("14.253"), HasSubstr("25.510"), HasSubstr("[0.551, 0.631]"),
                            HasSubstr("… and 181 more in results.json"), HasSubstr("weight error"),
                            HasSubstr("The worst 11 of 211 linears (5 %)"), HasSubstr("Spearman): 0.13"),
                            HasSubstr("Next: "), HasSubstr("Took 12 min 31 s.")));
}

TEST(TextReport, FindingsSayWhyAndWhatMendsIt) {
    DiagnoseResult result = example_diagnosis(4);
    EXPECT_THAT(text_report(example_envelope(result)),
                AllOf(HasSubstr("range varies inside groups"), HasSubstr("84.9 % (0.0193 ± 0.0049 nats)"),
                      HasSubstr("+4.2 KiB"), HasSubstr("−5.1 KiB"), HasSubstr(": With int4-g32:rtn, 85 %")));
    result.findings->clear();
    EXPECT_THAT(text_report(example_envelope(result)), HasSubstr("Why: no cause was found."));
    result.findings.reset();
    EXPECT_THAT(text_report(example_envelope(result)), Not(HasSubstr("Why")));
}

TEST(TextReport, AShortTableHasNoRestLine) {
    EXPECT_THAT(text_report(example_envelope(example_sensitivity(1))),
                Not(HasSubstr("more in results.json")));
}

TEST(TextReport, PerplexityAloneHasNoComparison) {
    const PerplexityResult result = example_sensitivity(1).baseline;
    const std::string text = text_report(example_envelope(result));
    EXPECT_THAT(text,
                AllOf(HasSubstr("14.253"), HasSubstr("40,880 tokens in 80 windows of 512 (protocol gptq)"),
                      Not(HasSubstr("KL"))));
}

TEST(TextReport, PerplexityHasItsIntervalAndLlamaCppsError) {
    PerplexityResult result = example_sensitivity(1).baseline;
    result.ppl_ci95 = Interval{.low = 13.9, .high = 14.6};
    result.ppl_standard_error = 0.09876;
    EXPECT_THAT(text_report(example_envelope(result)),
                AllOf(HasSubstr("[13.900, 14.600]"), HasSubstr("14.2530 ± 0.09876")));
}

TEST(TextReport, SlidingWindowsSayTheirStride) {
    PerplexityResult result = example_sensitivity(1).baseline;
    result.protocol = "sliding";
    result.stride = 256;
    EXPECT_THAT(text_report(example_envelope(result)), HasSubstr("(protocol sliding, a window every 256)"));
}

TEST(TextReport, PerplexityAgainstAReferenceHasItsStatisticsAndPercentiles) {
    const std::string text = text_report(example_envelope(example_diagnosis(1).all_treated));
    EXPECT_THAT(text, AllOf(HasSubstr("+11.26"), HasSubstr("63.1 %"), HasSubstr("[61.0 %, 65.0 %]"),
                            HasSubstr("perplexity, reference"), HasSubstr("87.34 %"), HasSubstr("1.7898"),
                            HasSubstr("-8.42"), HasSubstr("[21.1, 22.4]")));
    EXPECT_THAT(text, ContainsRegex("\nlargest +– +\\+71.0\n99 % +4.80 +–\nmedian +0.210 +-1.31\nsmallest"));
}

TEST(TextReport, ResultsOfOlderVersionsLeaveOutWhatTheyDoNotHave) {
    PerplexityResult result = example_diagnosis(1).all_treated;
    result.ppl_ci95.reset();
    result.ppl_standard_error.reset();
    Comparison& comparison = *result.comparison;
    comparison.ppl_ratio.reset();
    comparison.nll_correlation.reset();
    comparison.top1_agreement_ci95.reset();
    comparison.delta_p.reset();
    const std::string text = text_report(example_envelope(result));
    EXPECT_THAT(text, AllOf(HasSubstr("same top token"), HasSubstr("99 %"), Not(HasSubstr("correlation")),
                            Not(HasSubstr("llama.cpp")), Not(HasSubstr("mean Δp"))));
    comparison.kl_percentiles.clear();
    EXPECT_THAT(text_report(example_envelope(result)), Not(HasSubstr("of single tokens")));
}

TEST(TextReport, WeightsAreSortedByRelativeError) {
    const WeightsResult result{.linears = {{.name = "small", .relative_error = 0.1},
                                           {.name = "exact", .relative_error = 0.0},
                                           {.name = "large", .relative_error = 0.2, .sqnr_db = 13.98}}};
    const std::string text = text_report(example_envelope(result));
    EXPECT_LT(text.find("large"), text.find("small"));
    EXPECT_LT(text.find("small"), text.find("exact"));
}

TEST(TextReport, InspectionHasTotalsAndWarnings) {
    InspectResult result{.path = "models/smol", .format = "gguf", .architecture = "LlamaForCausalLM"};
    result.config =
        ConfigSummary{.layers = 30, .tied_head = true, .rope_theta = 100000, .rope_scaling = "none"};
    result.tensors = {{.name = "model.norm.weight", .dtype = "F32", .shape = {576}, .bytes = 2304}};
    result.dtype_totals = {{.dtype = "F32", .tensors = 1, .parameters = 576, .bytes = 2304}};
    result.warnings = {"already quantized"};
    const std::string text = text_report(example_envelope(result));
    EXPECT_THAT(text, AllOf(HasSubstr("Blocks 30"), HasSubstr("rope base 100000"), HasSubstr("tied head"),
                            HasSubstr("2.2 KiB"), HasSubstr("warning: already quantized")));
}

TEST(TextReport, AnEvaluationHasAccuracySubjectsAndFlips) {
    const std::string text = text_report(example_envelope(example_evaluation()));
    EXPECT_THAT(text,
                AllOf(HasSubstr("mmlu, 5-shot, acc: 3 questions in 2 subjects"), HasSubstr("[6.1 %, 79.2 %]"),
                      HasSubstr("-33.3 points"), HasSubstr("1, 0"), ContainsRegex("botany +1 +0.0 %"),
                      ContainsRegex("anatomy/1 +A +A +B"), Not(HasSubstr("botany/0"))));
    EvalResult alone = example_evaluation();
    alone.comparison.reset();
    for (EvalQuestion& question : alone.questions) question.reference_chosen.reset();
    EXPECT_THAT(text_report(example_envelope(alone)),
                AllOf(Not(HasSubstr("McNemar")), Not(HasSubstr("Flips"))));
}

TEST(TextReport, NamesCannotSteerTheTerminal) {
    SensitivityResult result = example_sensitivity(1);
    result.treatment = result.linears[0].name = "\x1b[2Jevil";
    EXPECT_EQ(text_report(example_envelope(result)).find('\x1b'), std::string::npos);
    DiagnoseResult diagnosis = example_diagnosis(1);
    diagnosis.shares.worst_5_percent = {.linears = {"\x1b[2Jevil"}, .share_of_damage = 0.9};
    EXPECT_EQ(text_report(example_envelope(diagnosis)).find('\x1b'), std::string::npos);
}

TEST(Conclusions, ConcentratedDamageNamesTheLinearsToProtect) {
    DiagnoseResult result = example_diagnosis(4);
    result.shares.worst_5_percent = {.linears = {"a", "b", "c", "d"}, .share_of_damage = 0.62};
    EXPECT_THAT(conclusions_of(result).back(), HasSubstr("(a, b, c and 1 more) in 16 or 8 bits first"));
}

TEST(Conclusions, SpreadDamageAsksForABetterFormat) {
    DiagnoseResult result = example_diagnosis(4);
    result.shares.worst_5_percent.share_of_damage = 0.2;
    EXPECT_THAT(conclusions_of(result).back(), HasSubstr("spread over many linears"));
}

TEST(Conclusions, AChangedControlIsLoud) {
    SensitivityResult result = example_sensitivity(1);
    EXPECT_TRUE(warnings_of(result).empty());
    result.control->kl = 1e-12;
    EXPECT_EQ(warnings_of(result).size(), 1);
}

}  // namespace
}  // namespace assay
