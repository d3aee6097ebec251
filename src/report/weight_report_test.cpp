// Weights as text and as a page; nothing here compares whole pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "report/html_report.h"
#include "report/text_report.h"
#include "report/weight_charts.h"
#include "report/weight_facts.h"

namespace assay {
namespace {

using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

WeightsLinear linear(const std::string& name, double ratio) {
    WeightsLinear w{.name = name, .shape = {64, 128}, .treatment = "int4-g32:rtn", .effective_bits = 4.625};
    w.std = 0.5;
    w.min = -2;
    w.max_abs = w.max = 5;
    w.range_ratio_4s = ratio;
    w.outliers = OutlierDetails{.kurtosis = 3.5,
                                .outliers_3s = 12,
                                .outliers_4s = 7,
                                .outlier_magnitude = 5,
                                .range = 7,
                                .one_value_groups = 0.25,
                                .worst_rows = {{.index = 9, .outliers = 3, .max_abs = 5, .share = 0.75}},
                                .worst_columns = {{.index = 88, .outliers = 2, .max_abs = 5, .share = 0.5}}};
    w.histogram = WeightBins{.low = -3, .high = 3, .counts = {1, 100, 8000, 90, 0}, .below = 0, .above = 1};
    w.error_map = WeightErrorMap{.rows = 2, .columns = 3, .rms = {0.1, 0.1, 0.2, 0.1, 0.3, 0.9}};
    w.group_sweep = {{.format = "int4-g32", .effective_bits = 4.625, .bytes = 4736, .rmse = 0.01}};
    w.clip_sweep = {
        {.format = "int4-g32", .clip = "percentile", .percentile = 1.0, .total_error = 4},
        {.format = "int4-g32", .clip = "mse", .clip_error = 1, .total_error = 3, .clipped = 5, .best = true}};
    return w;
}

WeightsResult example() {
    WeightsResult result{.linears = {linear("model.layers.0.a<b", 1.5), linear("model.layers.1.worst", 9)}};
    result.warnings = {"already quantized: <4-bit>"};
    for (const char* format : {"int8-sym-channel", "int4-g128", "int4-g32", "int4-sym-g32", "int4-channel"}) {
        GroupSweepTotal total;
        total.linears = {.format = format, .effective_bits = 4.5, .bytes = 1000, .rmse = 0.02};
        total.model_bytes = 3 << 20;
        total.ragged_linears = std::string(format) == "int4-g128" ? 2 : 0;
        result.group_sweep.emplace(result.group_sweep.value_or(std::vector<GroupSweepTotal>()))
            .push_back(total);
    }
    result.clip_sweep = result.linears[0].clip_sweep;
    return result;
}

Envelope envelope(Result result) {
    return {
        .settings = {{"treatment", "int4-g32:rtn"}}, .inputs = {}, .seconds = 1, .result = std::move(result)};
}

// A result of a version that knew none of this.
WeightsResult old_result() {
    WeightsLinear w{.name = "lm_head", .shape = {4, 4}, .treatment = "int4-g32:rtn"};
    return {.linears = {w}};
}

TEST(WeightReport, FormatsAreSortedByBitsSymmetryAndGroup) {
    std::vector<std::string> formats;
    for (const auto& row : group_sweep_rows(example()).rows) formats.push_back(row[0]);
    EXPECT_THAT(formats,
                ElementsAre("int4-g32", "int4-g128", "int4-channel", "int4-sym-g32", "int8-sym-channel"));
}

TEST(WeightReport, TheWidestRangesComeFirst) {
    WeightsResult result = example();
    result.linears.push_back(linear("infinite", 1));
    result.linears.back().range_ratio_4s.reset();
    std::vector<std::string> names;
    for (const WeightsLinear* w : by_range_ratio(result, 2)) names.push_back(w->name);
    EXPECT_THAT(names, ElementsAre("infinite", "model.layers.1.worst"));
    EXPECT_THAT(by_range_ratio(old_result(), 9), IsEmpty());
}

TEST(WeightReport, TheTextHasAllTables) {
    const std::string text = text_report(envelope(example()));
    for (const char* part : {"88: 50.0 %", "9: 75.0 %", "5.00 (10σ)", "25.0 %", "int4-sym-g32", "3.0 MiB",
                             "least squared error (best)", "25.0 % of its squared weight error",
                             "2 linears at most", "warning: already quantized: <4-bit>"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(text_report(envelope(old_result())), Not(HasSubstr("Outliers")));
}

TEST(WeightReport, OutputErrorsStandBesideTheWeightsWhereThereAreAny) {
    WeightsResult result = example();
    EXPECT_EQ(clip_sweep_rows(result).header.size(), 8u);
    for (WeightsLinear& linear : result.linears) {
        auto& rows = *linear.clip_sweep;
        rows[0].relative_output_error = 0.2;
        rows[1].relative_output_error = 0.16;
        rows.push_back(
            {.format = "int4-g32", .clip = "output", .total_error = 3.5, .relative_output_error = 0.1});
        rows[0].best_output = rows[1].best_output = false;
        rows[2].best_output = true;
    }
    result.clip_sweep = result.linears[0].clip_sweep;
    const TextRows table = clip_sweep_rows(result);
    ASSERT_EQ(table.rows.size(), 3u);
    EXPECT_EQ(table.header.size(), 10u);
    EXPECT_THAT(table.rows[1], ElementsAre("int4-g32", "least squared error (best)", "1.00", "0", "3.00", _,
                                           "5", "2", "0.160", ""));
    EXPECT_THAT(table.rows[2], ElementsAre("int4-g32", "least output error", "0", "0", "3.50", _, "0", "",
                                           "0.100 (best)", "2"));
    EXPECT_THAT(sweep_sentences(result),
                Contains(HasSubstr("least output error. It takes away 75.0 % of the squared output error")));
    EXPECT_THAT(text_report(envelope(result)), HasSubstr("best by output"));
    EXPECT_THAT(html_report(envelope(result)), HasSubstr("least output error"));
}

TEST(WeightReport, NoClipMayBeTheBest) {
    WeightsResult result = example();
    std::swap((*result.clip_sweep)[0].best, (*result.clip_sweep)[1].best);
    EXPECT_THAT(sweep_sentences(result), Contains(HasSubstr("No clip beats int4-g32")));
}

TEST(WeightReport, ThePageHasTablesAndPicturesAndEscapesNames) {
    const std::string html = html_report(envelope(example()));
    for (const char* part : {"What the weights look like", "<h2>Group sizes</h2>", "<h2>Clips</h2>", "a&lt;b",
                             "Distribution of the weights of model.layers.1.worst",
                             "Errors of model.layers.1.worst", "+3σ", "−3σ", "&lt;4-bit&gt;"})
        EXPECT_THAT(html, HasSubstr(part));
    EXPECT_THAT(html, Not(HasSubstr("a<b")));
    EXPECT_THAT(html_report(envelope(old_result())), Not(HasSubstr("<h2>Clips</h2>")));
}

TEST(WeightCharts, TheHistogramMarksThreeSigmaAndTellsWhatLiesBeyond) {
    const std::string svg = histogram_svg(linear("x", 2));
    EXPECT_THAT(svg, HasSubstr("beyond 6σ: 0 down to -2.00, 1 up to 5.00"));
    // The marks at ±1.5 of [-3, 3] on a width of 324 from 8.
    EXPECT_THAT(svg, HasSubstr("x1=\"89.0\""));
    EXPECT_THAT(svg, HasSubstr("x1=\"251.0\""));
    EXPECT_THAT(histogram_svg(old_result().linears[0]), IsEmpty());
}

TEST(WeightCharts, NeighboursOfOneColourAreOneRectangle) {
    const std::string svg = error_map_svg(linear("x", 2));
    EXPECT_THAT(svg, HasSubstr("M8.0 0.0h216.0v90.00h-216.0z"));  // the two cells of 0.1
    EXPECT_THAT(svg, HasSubstr("#440154"));                       // the least
    EXPECT_THAT(svg, HasSubstr("#fde725"));                       // and the most
}

TEST(WeightCharts, RecordsThatMakeNoSenseAreNotDrawn) {
    WeightsLinear w = linear("x", 2);
    w.error_map->rms.pop_back();
    EXPECT_THAT(error_map_svg(w), IsEmpty());
    w.error_map = WeightErrorMap{.rows = 1'000'000, .columns = 1'000'000, .rms = {}};
    EXPECT_THAT(error_map_svg(w), IsEmpty());
    w.error_map = WeightErrorMap{.rows = 1, .columns = 2, .rms = {kNan, 0}};
    EXPECT_THAT(error_map_svg(w), HasSubstr("<svg"));
    w.histogram = WeightBins{.low = 1, .high = kNan, .counts = {1}};
    EXPECT_THAT(histogram_svg(w), IsEmpty());
    w.histogram = WeightBins{.low = 0, .high = 1, .counts = {-5, 0}};
    EXPECT_THAT(histogram_svg(w), HasSubstr("<svg"));
}

}  // namespace
}  // namespace assay
