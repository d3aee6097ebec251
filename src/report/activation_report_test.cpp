// Text and page of activation statistics.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "report/activation_facts.h"
#include "report/activation_maps.h"
#include "report/example_records.h"
#include "report/html_report.h"
#include "report/text_report.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ActivationSide quiet_side(std::int64_t channels) {
    return {.rows = 2048,
            .channels = channels,
            .max = 4,
            .mean_abs = 0.8,
            .std = 1,
            .kurtosis = 3,
            .ratio = 5,
            .mean_channel_max = 3,
            .windows = 4,
            .f16_headroom = 16376,
            .map = std::vector<double>(static_cast<std::size_t>(std::min<std::int64_t>(channels, 64)), 3.5)};
}

ActivationsResult quiet_result(std::int64_t blocks) {
    ActivationsResult result{.windows = 4, .tokens = 2048};
    for (std::int64_t b = 0; b < blocks; ++b) {
        for (const char* projection : {"q_proj", "k_proj", "down_proj"}) {
            ActivationsLinear linear{.name = fmt::format("model.layers.{}.{}", b, projection),
                                     .block = b,
                                     .projection = projection,
                                     .input = quiet_side(576),
                                     .output = quiet_side(192)};
            if (linear.projection == "k_proj") {
                linear.shares_input_with = fmt::format("model.layers.{}.q_proj", b);
                linear.input->map.clear();
            }
            result.linears.push_back(linear);
        }
    }
    return result;
}

// A massive token in the input of block 1's down_proj, an outlier channel in its output.
ActivationsResult loud_result() {
    ActivationsResult result = quiet_result(3);
    ActivationSide& input = *result.linears[5].input;
    input.max = 3075;
    input.ratio = 3843;
    input.massive_tokens = 12;
    input.massive_windows = 4;
    input.massive_first_tokens = 9;
    input.massive = {{.window = 2, .position = 0, .channel = 507, .value = -3075}};
    input.alerts = {"max_mean_ratio", "massive_tokens"};
    input.map[20] = 3075;
    ActivationSide& output = result.linears[5].output;
    output.max = 70000;
    output.ratio = 87.5;
    output.f16_headroom = 0.936;
    output.persistent_channels = output.outlier_channels = 1;
    output.outliers = {{.channel = 13, .max = 70000, .energy_share = 0.5, .windows = 4, .token_windows = 0}};
    output.alerts = {"persistent_channels", "f16_overflow"};
    return result;
}

CalibrationRecord calibration() {
    return {
        .set = "mixed",
        .sources = {{.name = "built-in: c4", .documents = 76}, {.name = "built-in: wiki", .documents = 60}},
        .seed = 3,
        .samples = 4,
        .samples_asked = 4,
        .length = 512,
        .length_asked = 512,
        .bos_per_window = true,
        .warnings = {{.kind = "overlap", .text = "1 of 4 windows share <much>"}}};
}

TEST(ActivationReport, TellsTheAlertsTheTokensAndTheChannels) {
    const std::string text = text_report(example_envelope(loud_result()));
    for (const char* part :
         {"9 linears on 2,048 tokens in 4 windows", "Beyond 65504, the largest f16 number: 1 output.",
          "of their window: 1 input; 75.0 % of these tokens are a window's first.", "12, 9 first", "-3075",
          "model.layers.1.down_proj  output  13       70000    50.0 %           4 of 4   0"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_LT(text.find("model.layers.1.down_proj  input "), text.find("model.layers.1.down_proj  output"));
}

TEST(ActivationReport, OfQuietLinearsSaysSoAndLeavesTheListsOut) {
    const std::string text = text_report(example_envelope(quiet_result(2)));
    EXPECT_THAT(text, HasSubstr("No input and no output raises an alert."));
    EXPECT_THAT(text, Not(HasSubstr("Outlier channels with")));
    EXPECT_THAT(text, Not(HasSubstr("massive tokens (")));
}

TEST(ActivationReport, InputsThatLinearsShareStandOnce) {
    const ActivationsResult result = quiet_result(3);
    const auto sides = sides_by_ratio(result);
    EXPECT_EQ(sides.size(), 3u * (2 + 3));
}

TEST(ActivationReport, TellsWhereTheCalibrationComesFromAndItsWarnings) {
    Envelope envelope = example_envelope(quiet_result(1));
    envelope.calibration = calibration();
    const std::string text = text_report(envelope), html = html_report(envelope);
    for (const std::string& report : {text, html}) {
        EXPECT_THAT(report,
                    HasSubstr("Calibrated on 4 windows of 512 tokens, each with BOS, from mixed (2 texts), "
                              "136 documents (seed 3)."));
    }
    EXPECT_THAT(text, HasSubstr("Warning: 1 of 4 windows share <much>."));
    EXPECT_THAT(html, HasSubstr("Warning: 1 of 4 windows share &lt;much&gt;."));
}

TEST(ActivationPage, MapsEachProjectionsInputsAndOutputs) {
    const std::string html = html_report(example_envelope(loud_result()));
    for (const char* part : {">q_proj input<", ">q_proj output<", ">k_proj output<", ">down_proj input<",
                             "<title>model.layers.1.down_proj: max |x| 3075, 3843 times the mean</title>",
                             "What goes through the linears", "Massive token</dt>"})
        EXPECT_THAT(html, HasSubstr(part));
    EXPECT_THAT(html, Not(HasSubstr(">k_proj input<")));
    // The massive token's cell: the last colour, from channel run 20 on, in block 1.
    EXPECT_THAT(html, HasSubstr("<path style=\"fill:#fde725;stroke:none\" d=\"M20 1h1v1h-1z\"/>"));
}

TEST(ActivationPage, IsBoundedWhateverTheFileHolds) {
    ActivationsResult result = quiet_result(3000);
    for (ActivationsLinear& linear : result.linears) {
        linear.input->map.resize(2000, 1e300);
        for (std::size_t c = 0; c < linear.input->map.size(); c += 2) linear.input->map[c] = 0;
        linear.input->outliers.resize(8);
        linear.input->massive.resize(8);
    }
    EXPECT_LT(html_report(example_envelope(result)).size(), 1u << 20);
    for (std::size_t i = 0; i < result.linears.size(); ++i) result.linears[i].projection = std::to_string(i);
    EXPECT_LT(html_report(example_envelope(result)).size(), 1u << 20);
}

TEST(ActivationPage, EscapesNamesAndPrintsNoNumberThatIsNone) {
    ActivationsResult result = loud_result();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    for (ActivationsLinear& linear : result.linears) {
        linear.name = linear.projection = "<script>alert('x')</script>";
        linear.input->max = linear.input->std = linear.output.mean_abs = kNan;
        linear.input->ratio = kNan;
        for (auto& m : linear.input->massive) m.value = kNan;
        for (auto& c : linear.output.outliers) c.energy_share = kNan;
        linear.input->map.resize(2, kNan);
    }
    const std::string html = html_report(example_envelope(result));
    EXPECT_THAT(html, Not(HasSubstr("alert('x')")));
    for (const char* part : {"nan", "NaN", ">inf", "\"inf"}) EXPECT_THAT(html, Not(HasSubstr(part)));
}

TEST(ActivationReport, NamesTheUsesOfATiedEmbeddingAndAnEmbeddingWithoutInput) {
    ActivationsResult result = quiet_result(1);
    ActivationsLinear embedding{.name = "model.embed_tokens",
                                .block = -1,
                                .projection = "embed_tokens",
                                .shares_input_with = std::nullopt,
                                .input = std::nullopt,
                                .output = quiet_side(576),
                                .embedding = std::nullopt};
    result.linears.push_back(embedding);
    EXPECT_EQ(sides_by_ratio(result).size(), 5u + 1);
    EXPECT_THAT(html_report(example_envelope(result)), HasSubstr(">embed_tokens output<"));
    result.linears.back().input = quiet_side(576);
    result.linears.back().embedding = quiet_side(576);
    result.linears.back().embedding->alerts = {"f16_close"};
    EXPECT_EQ(sides_by_ratio(result).size(), 5u + 3);
    const std::string text = text_report(example_envelope(result)),
                      html = html_report(example_envelope(result));
    for (const char* part : {"head's input", "logits", "embedding's output"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(text, HasSubstr("largest f16 number: 1 output."));
    EXPECT_THAT(html, HasSubstr(">embed_tokens logits<"));
}

TEST(ActivationPage, OfNoLinearsIsAPage) {
    EXPECT_THAT(html_report(example_envelope(ActivationsResult{})), HasSubstr("</html>"));
    EXPECT_EQ(activation_maps_svg(ActivationsResult{}), "");
}

}  // namespace
}  // namespace assay
