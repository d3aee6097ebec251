#include "report/weight_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "report/format.h"
#include "report/html_sections.h"
#include "report/html_text.h"
#include "report/weight_charts.h"
#include "report/weight_facts.h"

namespace assay {
namespace {

constexpr std::string_view kWeightDefinitions = R"html(<section><h2>How the numbers are defined</h2>
<dl>
<dt>σ</dt><dd>standard deviation of the linear's weights, √mean((w − mean)²). Beyond kσ: |w − mean| &gt; kσ.</dd>
<dt>Kurtosis</dt><dd>mean (w − mean)⁴ / σ⁴: 3 for Gaussian numbers.</dd>
<dt>Range ratio</dt><dd>(max − min) of all weights / (max − min) of those within 4σ: how far outliers stretch the range.</dd>
<dt>Groups of one value</dt><dd>groups whose range would be at most half without one weight, which so costs the others a bit.</dd>
<dt>Worst channels and rows</dt><dd>their share of the energy Σ (w − mean)² of all weights beyond 3σ.</dd>
<dt>Bits</dt><dd>stored bits a weight, scales and zero points counted; of all matrices: with embedding and output layer in 16 bits.</dd>
<dt>RMSE</dt><dd>√mean((w − q)²), q the weight after rounding; relative error: ‖W − Q‖ / ‖W‖.</dd>
<dt>Clip, rounding and total error</dt><dd>Σ (w − c)², Σ (c − q)² and Σ (w − q)², c the clipped and q the rounded weight.</dd>
<dt>Output error</dt><dd>√(Σ m (w − q)² / Σ m w²), m = Σ x² of the weight's input channel: the relative error of the linear's output if its inputs were uncorrelated. Over several linears: the root mean square.</dd>
</dl></section>
)html";

constexpr std::size_t kShownOutliers = 30, kPictured = 12, kShownWarnings = 30;

std::string tiles(const WeightsResult& result) {
    std::int64_t weights = 0, outliers = 0;
    for (const WeightsLinear& linear : result.linears) {
        weights += linear.shape.size() == 2 ? linear.shape[0] * linear.shape[1] : 0;
        outliers += linear.outliers ? linear.outliers->outliers_4s : 0;
    }
    return "<div class=\"tiles\">\n" +
           tile("Linears", format_count(std::ssize(result.linears)), format_count(weights) + " weights") +
           tile("Beyond 4σ", format_count(outliers),
                weights > 0 ? format_percent(static_cast<double>(outliers) / static_cast<double>(weights)) +
                                  " of all; of a Gaussian 0.0063 %"
                            : "") +
           "</div>\n";
}

std::string pictures_section(const std::vector<const WeightsLinear*>& linears, const std::string& which) {
    std::string figures;
    for (const WeightsLinear* linear : linears) {
        const std::string pictures = histogram_svg(*linear) + error_map_svg(*linear);
        if (!pictures.empty())
            figures += "<div><h3>" + html_escape(linear->name) + "</h3>\n" + pictures + "</div>\n";
    }
    if (figures.empty()) return "";
    return "<section><h2>Distributions and errors</h2>\n<p class=\"note\">Of " + which +
           ". Counts on a logarithmic axis, marks at mean ± 3σ. Below, where the treatment errs: output rows "
           "down, groups of input channels across, brighter for larger errors.</p>\n"
           "<div class=\"tiles pictures\">\n" +
           figures + "</div></section>\n";
}

std::string sweep_sections(const WeightsResult& result) {
    return rows_section("Group sizes", "All linears of the blocks rounded to nearest, all else in 16 bits.",
                        group_sweep_rows(result)) +
           rows_section("Clips", "All linears of the blocks; squared errors, summed.",
                        clip_sweep_rows(result));
}

// The first of `linears` that are shown as pictures.
std::vector<const WeightsLinear*> pictured(std::vector<const WeightsLinear*> linears) {
    linears.resize(std::min(kPictured, linears.size()));
    return linears;
}

// By rank of their damage.
std::vector<const WeightsLinear*> by_damage(const DiagnoseResult& result) {
    std::map<std::string, const WeightsLinear*> named;
    for (const WeightsLinear& linear : result.weights.linears) named.emplace(linear.name, &linear);
    std::vector<const WeightsLinear*> out;
    for (const SensitivityLinear& row : result.sensitivity.linears) {
        const auto found = named.find(row.name);
        if (found != named.end()) out.push_back(found->second);
    }
    return out;
}

}  // namespace

std::string_view weight_definitions() {
    return kWeightDefinitions;
}

std::string weight_sections(const WeightsResult& result) {
    std::vector<std::string> sentences = sweep_sentences(result);
    const std::vector<std::string> warnings = result.warnings.value_or(std::vector<std::string>());
    const std::size_t shown = std::min(kShownWarnings, warnings.size());
    sentences.insert(sentences.end(), warnings.begin(),
                     warnings.begin() + static_cast<std::ptrdiff_t>(shown));
    if (warnings.size() > shown)
        sentences.push_back(fmt::format("… and {} more warnings in results.json", warnings.size() - shown));
    const auto worst = by_range_ratio(result, kShownOutliers);
    return tiles(result) + sweep_sections(result) +
           rows_section("Outliers", "The linears whose weights beyond 4σ stretch the range most.",
                        outlier_rows(worst)) +
           pictures_section(pictured(worst), "the linears whose outliers stretch the range most") +
           sentences_section("Worth knowing", sentences);
}

std::string weight_sections(const DiagnoseResult& result) {
    return sweep_sections(result.weights) +
           rows_section("Outliers of the weights",
                        "The linears whose weights beyond 4σ stretch the range most.",
                        outlier_rows(by_range_ratio(result.weights, kShownOutliers))) +
           pictures_section(pictured(by_damage(result)), "the linears that cost most") +
           sentences_section("Sweeps of the weights", sweep_sentences(result.weights));
}

}  // namespace assay
