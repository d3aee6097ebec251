// Tests of the page's structure; nothing here compares whole pages.
#include "report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "report/charts.h"
#include "report/example_records.h"
#include "report/heatmap.h"
#include "report/html_text.h"
#include "report/log_axis.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
        ++found;
    return found;
}

// Every number of the record made NaN that a run could fail to give.
DiagnoseResult without_numbers() {
    DiagnoseResult result = example_diagnosis(2);
    result.perplexity.ppl = kNan;
    result.all_treated.ppl = kNan;
    *result.all_treated.comparison = {
        .kl_mean = kNan,
        .top1_agreement = kNan,
        .delta_nll = kNan,
        .delta_ppl = kNan,
        .reference_ppl = kNan,
        .reference_nll_mean = kNan,
        .ppl_ratio = kNan,
        .nll_correlation = kNan,
        .delta_p = ProbabilityChange{.mean = kNan, .rms = kNan, .percentiles = {{kNan, kNan}, {50, kNan}}}};
    for (SensitivityLinear& linear : result.sensitivity.linears) {
        linear.kl = linear.share_of_damage = kNan;
        linear.delta_ppl = kNan;
        linear.kl_ci95 = linear.delta_ppl_ci95 = std::nullopt;
        linear.relative_output_error = std::nullopt;
        linear.propagation = {kNan, 0};
    }
    for (WeightsLinear& linear : result.weights.linears)
        linear.relative_error = linear.sqnr_db = std::nullopt;
    result.shares.worst_5_percent.share_of_damage = kNan;
    return result;
}

TEST(HtmlReport, ShowsEveryLinearInTheTableAndTheMap) {
    const DiagnoseResult result = example_diagnosis(30);
    const std::string html = html_report(example_envelope(result));
    ASSERT_EQ(result.sensitivity.linears.size(), 211);
    for (const SensitivityLinear& linear : result.sensitivity.linears) {
        EXPECT_EQ(count(html, "<td class=\"mono\">" + linear.name + "</td>"), 1) << linear.name;
        EXPECT_GE(count(html, "<title>" + linear.name + ": "), 1) << linear.name;
    }
}

TEST(HtmlReport, SaysWhyWithEvidenceRemedyAndPrice) {
    DiagnoseResult result = example_diagnosis(4);
    result.findings->front().evidence.sentence = "<b>85 % of the damage is gone";
    const std::string html = html_report(example_envelope(result));
    for (const char* part : {"<h2>Why</h2>", "range varies inside groups", "&lt;b&gt;85 %", "int4-g32:rtn",
                             "84.9 % (0.0193 ± 0.0049 nats)", "+4.2 KiB"})
        EXPECT_THAT(html, HasSubstr(part));
    result.findings.reset();
    EXPECT_THAT(html_report(example_envelope(result)), ::testing::Not(HasSubstr("<h2>Why</h2>")));
}

TEST(HtmlReport, ShowsTheHeadlineNumbersSettingsAndHashes) {
    const std::string html = html_report(example_envelope(example_diagnosis(4)));
    for (const char* part :
         {"14.25", "25.51", "0.589", "[0.551, 0.631]", "63.1 %", "wiki.test.raw", "int4-g64(scale=f32):rtn",
          "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "12 min 31 s"})
        EXPECT_THAT(html, HasSubstr(part));
}

TEST(HtmlReport, ShowsHowFarThePredictionsMove) {
    DiagnoseResult result = example_diagnosis(4);
    const std::string html = html_report(example_envelope(result));
    for (const char* part : {"RMS Δp", "[21.1, 22.4]", "87.34 %", ">median<", ">-1.31<", ">0.210<"})
        EXPECT_THAT(html, HasSubstr(part));
    result.all_treated.comparison->delta_p.reset();  // results of older versions
    result.all_treated.comparison->kl_percentiles.clear();
    EXPECT_THAT(html_report(example_envelope(result)), Not(HasSubstr("of single tokens")));
}

TEST(HtmlReport, EscapesNamesFromFiles) {
    DiagnoseResult result = example_diagnosis(2);
    const std::string evil = "<script>alert('x')</script>\"&";
    SensitivityLinear& linear = result.sensitivity.linears[0];
    linear.name = linear.projection = linear.category = linear.recommendation = evil;
    result.sensitivity.treatment = evil;
    result.shares.worst_5_percent.linears = {evil};
    result.shares.worst_5_percent.share_of_damage = 0.9;
    Envelope envelope = example_envelope(result);
    envelope.version = evil;
    envelope.inputs[0] = {.path = evil, .sha256 = evil};
    envelope.settings[evil] = Json{{evil, evil}};
    const std::string html = html_report(envelope);
    EXPECT_EQ(count(html, "<script>"), 1);  // the page's own
    EXPECT_THAT(html, Not(HasSubstr("alert('x')")));
    EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
}

TEST(HtmlReport, LoadsNothingFromOutside) {
    const std::string html = html_report(example_envelope(example_diagnosis(4)));
    for (const char* part : {"http://", "https://", "src=", "href=", "@import", "@font-face"})
        EXPECT_THAT(html, Not(HasSubstr(part)));
    EXPECT_THAT(html, HasSubstr("default-src 'none'"));
}

TEST(HtmlReport, NeverPrintsNumbersThatAreNone) {
    const std::string html = html_report(example_envelope(without_numbers()));
    for (const char* part : {"nan", "NaN", "\"inf", ">inf", "Infinity)"})
        EXPECT_THAT(html, Not(HasSubstr(part)));
}

TEST(HtmlReport, SensitivityAloneHasAPage) {
    const std::string html = html_report(example_envelope(example_sensitivity(4)));
    EXPECT_THAT(html, HasSubstr("model.layers.3.mlp.down_proj"));
    EXPECT_THAT(html, Not(HasSubstr("Weight error</button>")));
}

TEST(HtmlReport, AnEmptySweepHasAPage) {
    DiagnoseResult result = example_diagnosis(1);
    result.sensitivity.linears.clear();
    result.all_treated.comparison.reset();
    result.rank_correlation_weight_error_damage.reset();
    EXPECT_THAT(html_report(example_envelope(result)), HasSubstr("</html>"));
}

TEST(HtmlReport, WarnsWhenTheControlChangedSomething) {
    SensitivityResult result = example_sensitivity(1);
    EXPECT_THAT(html_report(example_envelope(result)), Not(HasSubstr("The control swap")));
    result.control = Control{.kl = 1e-9, .identical = false};
    EXPECT_THAT(html_report(example_envelope(result)), HasSubstr("The control swap"));
}

TEST(HtmlReport, AnEvaluationHasAPage) {
    EvalResult result = example_evaluation();
    result.questions[1].id = "<b>";
    const std::string html = html_report(example_envelope(result));
    EXPECT_THAT(html, AllOf(HasSubstr("<h1>Accuracy on mmlu</h1>"), HasSubstr("McNemar"), HasSubstr("botany"),
                            HasSubstr("&lt;b&gt;"), Not(HasSubstr("<b>"))));
}

TEST(HtmlReport, RefusesResultsWithoutAPage) {
    EXPECT_THROW(html_report(example_envelope(InspectResult{})), InvalidArgument);
}

TEST(Heatmap, TheWorstExpertColoursASharedCell) {
    std::vector<SensitivityLinear> linears(2);
    linears[0] = {.name = "experts.0.down_proj", .kl = 0.1, .block = 0, .projection = "down_proj"};
    linears[1] = {.name = "experts.1.down_proj", .kl = 0.5, .block = 0, .projection = "down_proj"};
    const std::string svg = heatmap_svg(linears);
    EXPECT_EQ(count(svg, "<title>"), 1);
    EXPECT_THAT(svg, HasSubstr("experts.1.down_proj"));
}

TEST(Heatmap, BlockNumbersFromAFileCostNoSpace) {
    SensitivityLinear first{.name = "a", .kl = 0.1, .block = 0, .projection = "q_proj"};
    SensitivityLinear far = first;
    far.block = std::numeric_limits<std::int64_t>::max();
    EXPECT_LT(heatmap_svg({first, far}).size(), 5000);
}

TEST(Charts, DrawNothingWithoutData) {
    EXPECT_EQ(propagation_svg({SensitivityLinear{}}), "");
    EXPECT_EQ(weight_error_svg(DiagnoseResult{}), "");
}

TEST(Charts, DrawTheFirstFiveLinears) {
    EXPECT_EQ(count(propagation_svg(example_sensitivity(6).linears), "<path class=\"line"), 5);
}

TEST(LogAxis, PlacesValuesByTheirLogarithm) {
    const LogAxis axis({0.01, 1}, {.low = 0, .high = 100}, 0);
    EXPECT_NEAR(*axis.at(0.1), 50, 1e-9);
    EXPECT_NEAR(*axis.at(1e-9), 0, 1e-9);
    EXPECT_EQ(axis.at(0), std::nullopt);
    EXPECT_EQ(axis.at(kNan), std::nullopt);
}

TEST(LogAxis, TicksAreRound) {
    EXPECT_THAT(LogAxis({0.01, 1}, {}, 0.01).ticks(), ElementsAre(0.01, 0.1, 1));
    EXPECT_THAT(LogAxis({0.1, 1}, {}, 0.01).ticks(), ElementsAre(0.1, 0.2, 0.5, 1));
    EXPECT_LE(LogAxis({1e-12, 1e12}, {}).ticks().size(), 12);
}

TEST(LogAxis, EqualValuesStillSpanAnAxis) {
    const LogAxis axis({0.5, 0.5}, {.low = 0, .high = 100});
    EXPECT_NEAR(*axis.at(0.5), 50, 1e-6);
}

TEST(HtmlText, EscapesTheFiveCharacters) {
    EXPECT_EQ(html_escape("<a b='c'>&\""), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
}

}  // namespace
}  // namespace assay
