// Tests of the results document: round trips, stable names, and one test for each rejection.
#include "records/envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

PerplexityResult perplexity(bool compared) {
    PerplexityResult result{
        .ppl = 14.25,
        .ppl_ci95 = Interval{.low = 13, .high = 16},
        .ppl_standard_error = 0.3,
        .nll_mean = std::log(14.25),
        .tokens_scored = 1022,
        .window_tokens = 512,
        .protocol = "sliding",
        .stride = 256,
        .windows = {{.nll_sum = 1355.1, .tokens = 511}, {.nll_sum = 1360.9, .tokens = 511}}};
    if (compared) {
        for (WindowSums& window : result.windows) {
            window.kl_sum = 0.1 + 0.2;
            window.reference_nll_sum = 1300.0;
        }
        result.comparison =
            Comparison{.kl_mean = 1.0 / 3,
                       .kl_ci95 = Interval{.low = 0.25, .high = 0.41},
                       .kl_percentiles = {{.percent = 50, .value = 0.1}, {.percent = 99, .value = 3}},
                       .top1_agreement = 0.875,
                       .top1_agreement_ci95 = Interval{.low = 0.8, .high = 0.9},
                       .delta_nll = 0.05,
                       .delta_nll_ci95 = std::nullopt,
                       .delta_ppl = 0.7,
                       .delta_ppl_ci95 = Interval{.low = -0.1, .high = 1.5},
                       .reference_ppl = 13.55,
                       .reference_nll_mean = 2.6,
                       .ppl_ratio = 1.05,
                       .ppl_ratio_ci95 = Interval{.low = 0.99, .high = 1.11},
                       .nll_correlation = 0.98,
                       .delta_p = ProbabilityChange{.mean = -1.5,
                                                    .mean_ci95 = Interval{.low = -2, .high = -1},
                                                    .rms = 7,
                                                    .rms_ci95 = std::nullopt,
                                                    .percentiles = {{.percent = 50, .value = -0.25}}}};
    }
    return result;
}

WeightsResult weights() {
    WeightsLinear linear{.name = "model.layers.0.mlp.down_proj",
                         .shape = {576, 1536},
                         .treatment = "int4-g64:rtn",
                         .effective_bits = 4.3125,
                         .frobenius_error = 17.25,
                         .relative_error = 0.1,
                         .sqnr_db = 20};
    WeightsLinear exact = linear;
    exact.name = "model.layers.0.mlp.up_proj";
    exact.sqnr_db.reset();
    linear.outliers =
        OutlierDetails{.kurtosis = 3.25,
                       .outliers_3s = 30,
                       .outliers_4s = 4,
                       .outliers_6s = 1,
                       .outlier_magnitude = 2.5,
                       .range = 5,
                       .range_without_outliers = 1.75,
                       .one_value_groups = std::nullopt,
                       .worst_rows = {{.index = 3, .outliers = 2, .max_abs = 2.5, .share = 0.125}},
                       .worst_columns = {}};
    linear.already_quantized = AlreadyQuantized{.stored_type = "Q4_1", .grid_bits = 4, .grid_group = 32};
    linear.histogram = WeightBins{.low = -1, .high = 1, .counts = {0, 7, 0}, .below = 1, .above = 2};
    linear.error_map = WeightErrorMap{.rows = 1, .columns = 2, .rms = {0.5, 0.25}};
    linear.group_sweep = {
        {.format = "int3-g32", .effective_bits = 3.6, .bytes = 12, .rmse = 0.1, .relative_error = 0.5}};
    linear.clip_sweep = {
        {.format = "int4-g64",
         .clip = "percentile",
         .percentile = 0.999,
         .threshold = 1.5,
         .clip_error = 1,
         .rounding_error = 2,
         .total_error = 2.5,
         .clipped = 9},
        {.format = "int4-g64", .clip = "mse", .mean_ratio = 0.9, .best_ratio = 0.95, .best = true},
        {.format = "int4-g64", .clip = "output", .relative_output_error = 0.125, .best_output = true}};
    WeightsResult result{.linears = {linear, exact}, .range_ratio_limit = 2};
    result.warnings = {"one", "two"};
    result.group_sweep = {
        {.linears = (*linear.group_sweep)[0], .average_bits = 6, .model_bytes = 99, .ragged_linears = 1}};
    result.clip_sweep = linear.clip_sweep;
    return result;
}

SensitivityResult sensitivity() {
    SensitivityLinear linear{
        .name = "model.layers.0.mlp.down_proj", .treatment = "int4-g64:rtn", .kl = 0.0123};
    linear.kl_ci95 = Interval{.low = 0.01, .high = 0.015};
    linear.rank = 1;
    linear.block = 0;
    linear.propagation = {0.1, 0.2};
    linear.blocks = {{.window = 0, .tokens = 3, .nll_sum = 1.5, .kl_sum = 0.125, .top1 = 2}};
    linear.windows = {{.nll_sum = 1.5, .tokens = 3, .kl_sum = 0.125}};
    SensitivityLinear head{.name = "lm_head", .treatment = "int4-g64:rtn", .basis = "scored", .kl = 1e-300};
    head.scored =
        ScoredDamage{.kl = 1e-300, .kl_ci95 = Interval{0, 1}, .block_ratio = 0.9, .calibration = 1.1};
    head.rank = 2;
    return {.baseline = perplexity(false),
            .treatment = "int4-g64:rtn",
            .linears = {linear, head},
            .control = Control{.kl = 0, .identical = true}};
}

InspectResult inspection() {
    return {.path = "models/smol",
            .format = "safetensors",
            .architecture = "LlamaForCausalLM",
            .config = ConfigSummary{.hidden = 576, .layers = 30, .rope_theta = 1e5, .rope_scaling = "none"},
            .tensors = {{.name = "model.norm.weight", .dtype = "bf16", .shape = {576}, .bytes = 1152}},
            .dtype_totals = {{.dtype = "bf16", .tensors = 1, .parameters = 576, .bytes = 1152}},
            .parameters = 576,
            .bytes = 1152,
            .linear_count = 0,
            .warnings = {"already quantized: \"x\""}};
}

Finding finding() {
    const MeasuredRemedy remedy{.name = "int4-g32:rtn",
                                .gain = 0.01,
                                .gain_ci95 = Interval{0.005, 0.015},
                                .gain_share = 0.5,
                                .gain_share_ci95 = std::nullopt,
                                .bytes = 1024,
                                .gain_per_byte = 0.01 / 1024};
    return {.linear = "model.layers.0.mlp.down_proj",
            .treatment = "int4-g64:rtn",
            .cause = "varying_range",
            .evidence = {.sentence = "It helps.", .numbers = {{"p_value", 0.001}, {"twins", 3}}},
            .remedy = remedy.name,
            .gain = remedy.gain,
            .gain_ci95 = remedy.gain_ci95,
            .gain_share = remedy.gain_share,
            .gain_share_ci95 = remedy.gain_share_ci95,
            .bytes = remedy.bytes,
            .remedies = {remedy}};
}

DiagnoseResult diagnosis() {
    return {.perplexity = perplexity(false),
            .all_treated = perplexity(true),
            .weights = weights(),
            .sensitivity = sensitivity(),
            .shares = {.worst_5_percent = {.linears = {"lm_head"}, .share_of_damage = 0.5},
                       .worst_10_percent = {}},
            .rank_correlation_weight_error_damage = -0.25,
            .findings = std::vector<Finding>{finding(), {.linear = "lm_head", .cause = "numerics"}}};
}

EvalResult evaluation(bool compared) {
    EvalQuestion question{.id = "anatomy/0",
                          .chosen = 2,
                          .correct = true,
                          .answer = 2,
                          .log_likelihoods = {-3.5, -2, -1.0 / 3},
                          .characters = {1, 1, 4}};
    EvalResult result{
        .task = "mmlu",
        .metric = "acc",
        .shots = 5,
        .accuracy = 1,
        .accuracy_ci95 = Interval{.low = 0.2, .high = 1},
        .acc = 1,
        .acc_norm = 0,
        .chance = 1.0 / 3,
        .right_probability = 0.8,
        .shortened = 1,
        .subjects = {{.name = "anatomy", .questions = 1, .accuracy = 1, .accuracy_ci95 = std::nullopt}}};
    if (compared) {
        question.reference_chosen = 0;
        question.reference_correct = false;
        question.reference_log_likelihoods = {{-1, -2, -3}};
        result.subjects[0].reference_accuracy = 0;
        result.comparison = EvalComparison{.reference_accuracy = 0,
                                           .reference_accuracy_ci95 = Interval{.low = 0, .high = 0.8},
                                           .accuracy_difference = 1,
                                           .accuracy_difference_ci95 = Interval{.low = -0.2, .high = 1},
                                           .flips_to_wrong = 0,
                                           .flips_to_right = 1,
                                           .answers_changed = 1,
                                           .mcnemar_p = 1,
                                           .right_probability_difference = 0.7,
                                           .right_probability_difference_ci95 = std::nullopt};
    }
    result.questions = {question};
    return result;
}

ActivationsResult activations() {
    const ActivationSide side{.rows = 1024,
                              .channels = 576,
                              .max = 3000,
                              .mean_abs = 0.25,
                              .kurtosis = 1e5,
                              .ratio = 12000,
                              .outlier_channels = 1,
                              .massive_tokens = 2,
                              .outliers = {{.channel = 7, .max = 3000, .windows = 2, .token_windows = 2}},
                              .massive = {{.window = 1, .position = 0, .channel = 7, .value = -3000}},
                              .alerts = {"max_mean_ratio", "massive_tokens"},
                              .map = {0.5, 3000}};
    return {.windows = 2,
            .tokens = 1024,
            .linears = {{.name = "model.layers.0.mlp.up_proj",
                         .block = 0,
                         .projection = "up_proj",
                         .shares_input_with = "model.layers.0.mlp.gate_proj",
                         .input = side,
                         .output = {.rows = 1024}},
                        {.name = "model.embed_tokens",
                         .block = -1,
                         .projection = "embed_tokens",
                         .input = side,
                         .output = {.rows = 1024},
                         .embedding = side},
                        {.name = "model.embed_tokens",
                         .block = -1,
                         .projection = "embed_tokens",
                         .input = std::nullopt,
                         .output = side}}};
}

CompareCalibrationResult calibrations(bool answered) {
    const CalibrationContrast contrast{.treatment = "int4-g64:gptq",
                                       .text = "wiki",
                                       .better = "c4",
                                       .worse = "random",
                                       .difference = 0.25,
                                       .difference_ci95 = Interval{.low = 0.125, .high = 0.5},
                                       .q_value = 0.01,
                                       .shown = true};
    CompareCalibrationResult result{
        .references = {{.text = "wiki", .ppl = 18, .blocks = {{.window = 0, .tokens = 64, .nll_sum = 190}}}},
        .runs = {{.treatment = "int4-g64:gptq",
                  .set = "c4",
                  .samples = 8,
                  .length = 64,
                  .seed = 1,
                  .seconds = 2.5,
                  .evaluations = {{.text = "wiki", .ppl = 20, .kl = 0.2}}}},
        .contrasts = {contrast},
        .audits = {
            {.linear = "q", .set = "c4", .inputs = 64, .effective_rank = 32, .energy_overlap = {0.9}}}};
    if (!answered) return result;
    result.task = TaskBaseline{.task = "choices", .metric = "acc", .questions = 3, .accuracy = 2.0 / 3};
    result.runs[0].task = TaskOutcome{.task = "choices",
                                      .accuracy = 1.0 / 3,
                                      .accuracy_ci95 = Interval{.low = 0.06, .high = 0.79},
                                      .comparison = *evaluation(true).comparison,
                                      .correct = {0, 1, 0}};
    result.accuracy_contrasts = {contrast};
    return result;
}

CalibrationRecord calibration() {
    return {.set = "texts",
            .sources = {{.name = "texts/a.jsonl", .sha256 = "00ff", .bytes = 99, .documents = 3}},
            .seed = 4,
            .samples = 5,
            .samples_asked = 6,
            .length = 512,
            .length_asked = 2048,
            .windows_sha256 = "ff00",
            .bos_per_window = true,
            .overlap_share = 0.125,
            .warnings = {{.kind = "too_few_samples", .text = "the text gives 5 windows"}}};
}

Envelope envelope(Result result) {
    return {.settings = {{"threads", 2}, {"text", "wiki.txt"}},
            .inputs = {{.path = "config.json", .sha256 = "00ff"}},
            .seconds = 12.5,
            .result = std::move(result)};
}

// The text of a perplexity document after `edit` changed it.
std::string edited(const std::function<void(Json&)>& edit) {
    Json document = parse_json(results_text(envelope(perplexity(true))), "test");
    edit(document);
    return document.dump();
}

void rejects(const std::string& text, const std::string& message) {
    EXPECT_THAT([&] { parse_results(text, "results.json"); }, ThrowsMessage<FormatError>(HasSubstr(message)));
}

TEST(Results, EveryVerbReadsBackIdentical) {
    const std::vector<Result> all = {inspection(),  weights(),           perplexity(false), perplexity(true),
                                     sensitivity(), diagnosis(),         evaluation(false), evaluation(true),
                                     activations(), calibrations(false), calibrations(true)};
    for (const Result& result : all) {
        const Envelope written = envelope(result);
        EXPECT_EQ(parse_results(results_text(written), "test"), written) << command_of(result);
    }
}

TEST(Results, ACalibrationSetIsToldBesideTheResult) {
    Envelope written = envelope(activations());
    written.calibration = calibration();
    EXPECT_EQ(parse_results(results_text(written), "test"), written);
    const Json document = parse_json(results_text(written), "test");
    EXPECT_EQ(document["calibration"]["warnings"][0]["kind"], "too_few_samples");
    EXPECT_EQ(document["result"]["linears"][0]["input"]["ratio"], 12000);
}

TEST(Results, AnEmbeddingsInputIsNullAndOnlyATiedOneHasBothUses) {
    const Json document = parse_json(results_text(envelope(activations())), "test");
    const Json& linears = document["result"]["linears"];
    EXPECT_FALSE(linears[0].contains("embedding"));
    EXPECT_EQ(linears[1]["embedding"]["ratio"], 12000);
    EXPECT_TRUE(linears[2].contains("input") && linears[2]["input"].is_null());
}

TEST(Results, TheEnvelopeHasItsStableNames) {
    const Json document = parse_json(results_text(envelope(perplexity(false))), "test");
    EXPECT_EQ(document["assay"], ASSAY_VERSION);
    EXPECT_EQ(document["schema"], 1);
    EXPECT_EQ(document["command"], "perplexity");
    EXPECT_EQ(document["settings"]["threads"], 2);
    EXPECT_EQ(document["inputs"][0]["sha256"], "00ff");
    EXPECT_EQ(document["seconds"], 12.5);
    EXPECT_EQ(document["result"]["windows"][0]["tokens"], 511);
}

TEST(Results, AComparisonStandsFlatBesideThePerplexity) {
    const Json document = parse_json(results_text(envelope(perplexity(true))), "test");
    const Json& result = document["result"];
    EXPECT_EQ(result["kl_ci95"], Json::array({0.25, 0.41}));
    EXPECT_TRUE(result["delta_nll_ci95"].is_null());
    EXPECT_TRUE(result.contains("ppl"));
    EXPECT_EQ(result["delta_p_rms"], 7);
    EXPECT_EQ(result["delta_p_percentiles"][0]["value"], -0.25);
    EXPECT_EQ(result["windows"][0]["kl_sum"].get<double>(), 0.1 + 0.2);
}

TEST(Results, AnEvaluationHasItsStableNames) {
    const Json result = parse_json(results_text(envelope(evaluation(true))), "test")["result"];
    EXPECT_EQ(result["task"], "mmlu");
    EXPECT_EQ(result["accuracy"], 1);
    EXPECT_EQ(result["accuracy_ci95"], Json::array({0.2, 1}));
    EXPECT_EQ(result["questions"][0]["id"], "anatomy/0");
    EXPECT_EQ(result["questions"][0]["chosen"], 2);
    EXPECT_EQ(result["questions"][0]["correct"], true);
    EXPECT_EQ(result["flips_to_right"], 1);
    EXPECT_FALSE(
        parse_json(results_text(envelope(evaluation(false))), "test")["result"].contains("mcnemar_p"));
}

TEST(Results, CalibrationsHaveATasksFieldsOnlyWhereOneWasAskedFor) {
    const Json plain = parse_json(results_text(envelope(calibrations(false))), "test")["result"],
               with = parse_json(results_text(envelope(calibrations(true))), "test")["result"];
    EXPECT_FALSE(plain.contains("task") || plain.contains("accuracy_contrasts"));
    EXPECT_FALSE(plain["runs"][0].contains("task"));
    EXPECT_EQ(with["task"]["questions"], 3);
    EXPECT_EQ(with["runs"][0]["task"]["correct"], Json::array({0, 1, 0}));
    EXPECT_EQ(with["runs"][0]["task"]["flips_to_right"], 1);
    EXPECT_EQ(with["runs"][0]["task"]["mcnemar_p"], 1);
    EXPECT_EQ(with["accuracy_contrasts"][0]["better"], "c4");
    EXPECT_EQ(plain["contrasts"], with["contrasts"]);
}

TEST(Results, APlainPerplexityHasNoFieldsOfAComparison) {
    const Json document = parse_json(results_text(envelope(perplexity(false))), "test");
    EXPECT_FALSE(document["result"].contains("kl_mean"));
    EXPECT_FALSE(document["result"]["windows"][0].contains("kl_sum"));
}

TEST(Results, NumbersThatAreNotFiniteBecomeNull) {
    PerplexityResult broken = perplexity(false);
    broken.ppl = std::numeric_limits<double>::infinity();
    const std::string text = results_text(envelope(broken));
    EXPECT_TRUE(parse_json(text, "test")["result"]["ppl"].is_null());
    const Envelope read = parse_results(text, "test");
    EXPECT_TRUE(std::isnan(std::get<PerplexityResult>(read.result).ppl));
}

TEST(Results, AnInfiniteRatioReadsBackAsNone) {
    WeightsResult result = weights();
    result.linears[0].sqnr_db = std::numeric_limits<double>::infinity();
    const Envelope read = parse_results(results_text(envelope(result)), "test");
    EXPECT_EQ(std::get<WeightsResult>(read.result).linears[0].sqnr_db, std::nullopt);
}

TEST(Results, BytesThatAreNotUtf8AreReplaced) {
    InspectResult result = inspection();
    result.tensors[0].name = "bad\xff";
    const Envelope read = parse_results(results_text(envelope(result)), "test");
    EXPECT_EQ(std::get<InspectResult>(read.result).tensors[0].name, "bad\xef\xbf\xbd");
}

TEST(Results, UnknownFieldsAreIgnored) {
    const std::string text = edited([](Json& document) {
        document["later"] = 1;
        document["result"]["later"] = {{"x", 1}};
        document["result"]["windows"][0]["later"] = "x";
    });
    EXPECT_EQ(parse_results(text, "test"), envelope(perplexity(true)));
}

TEST(Results, OptionalFieldsMayBeMissing) {
    const std::string text = edited([](Json& document) { document["result"].erase("kl_ci95"); });
    const Envelope read = parse_results(text, "test");
    EXPECT_EQ(std::get<PerplexityResult>(read.result).comparison->kl_ci95, std::nullopt);
}

TEST(Results, OfVersionsWithoutTokenStatisticsAreRead) {
    const std::string text = edited([](Json& document) {
        for (const char* name :
             {"ppl_ci95", "ppl_standard_error", "stride", "ppl_ratio", "ppl_ratio_ci95", "nll_correlation",
              "top1_agreement_ci95", "delta_p_mean", "delta_p_mean_ci95", "delta_p_rms", "delta_p_rms_ci95",
              "delta_p_percentiles"})
            EXPECT_EQ(document["result"].erase(name), 1u) << name;
    });
    const auto result = std::get<PerplexityResult>(parse_results(text, "test").result);
    EXPECT_FALSE(result.ppl_ci95 || result.ppl_standard_error || result.stride);
    const Comparison& c = *result.comparison;
    EXPECT_FALSE(c.ppl_ratio || c.nll_correlation || c.top1_agreement_ci95 || c.delta_p);
    EXPECT_EQ(c.kl_mean, 1.0 / 3);
}

TEST(Results, OfVersionsWithoutSweepsAreRead) {
    Json document = parse_json(results_text(envelope(weights())), "test");
    Json& result = document["result"];
    for (const char* name : {"range_ratio_limit", "warnings", "group_sweep", "clip_sweep"})
        EXPECT_EQ(result.erase(name), 1u) << name;
    for (const char* name :
         {"kurtosis", "outliers_3s", "outliers_4s", "outliers_6s", "outlier_magnitude", "range",
          "range_without_outliers", "one_value_groups", "worst_rows", "worst_columns", "already_quantized",
          "histogram", "error_map", "group_sweep", "clip_sweep"})
        EXPECT_EQ(result["linears"][0].erase(name), 1u) << name;
    const auto read = std::get<WeightsResult>(parse_results(document.dump(), "test").result);
    EXPECT_FALSE(read.warnings || read.group_sweep || read.linears[0].outliers || read.linears[0].histogram);
    EXPECT_EQ(read.linears[0].relative_error, 0.1);
}

TEST(Results, OfVersionsWhoseClipSweepsKnewNoOutputsAreRead) {
    Json document = parse_json(results_text(envelope(weights())), "test");
    Json& rows = document["result"]["linears"][0]["clip_sweep"];
    EXPECT_FALSE(rows[0].contains("relative_output_error"));
    for (const char* name : {"relative_output_error", "best_output"})
        EXPECT_EQ(rows[2].erase(name), 1u) << name;
    const auto read = std::get<WeightsResult>(parse_results(document.dump(), "test").result);
    const ClipSweepRow& row = read.linears[0].clip_sweep->at(2);
    EXPECT_FALSE(row.relative_output_error || row.best_output);
}

TEST(Results, RejectsTextThatIsNotJson) {
    EXPECT_THROW(parse_results("{\"assay\":", "results.json"), FormatError);
}

TEST(Results, RejectsADocumentThatIsNoObject) {
    rejects("[]", "results.json is not an object");
}

TEST(Results, RejectsAnotherSchema) {
    rejects(edited([](Json& document) { document["schema"] = 2; }),
            "schema 2, but this assay reads schema 1");
}

TEST(Results, RejectsAMissingSchema) {
    rejects(edited([](Json& document) { document.erase("schema"); }), "not a result of assay");
}

TEST(Results, RejectsAnUnknownCommand) {
    rejects(edited([](Json& document) { document["command"] = "fly"; }), "unknown command \"fly\"");
}

TEST(Results, RejectsAMissingCommand) {
    rejects(edited([](Json& document) { document.erase("command"); }), "results.json: command is missing");
}

TEST(Results, RejectsAMissingResult) {
    rejects(edited([](Json& document) { document.erase("result"); }), "results.json: result is missing");
}

TEST(Results, RejectsAMissingFieldAndNamesItsPlace) {
    rejects(edited([](Json& document) { document["result"]["windows"][1].erase("nll_sum"); }),
            "results.json: result: windows[1]: nll_sum is missing");
}

TEST(Results, RejectsTextInPlaceOfANumber) {
    rejects(edited([](Json& document) { document["result"]["ppl"] = "14"; }),
            "result: ppl is \"14\", expected a number");
}

TEST(Results, RejectsAFractionInPlaceOfAnInteger) {
    rejects(edited([](Json& document) { document["result"]["tokens_scored"] = 1.5; }), "expected an integer");
}

TEST(Results, RejectsAnIntegerBeyond64Bits) {
    rejects(edited([](Json& document) { document["result"]["tokens_scored"] = ~std::uint64_t{0}; }),
            "expected an integer between");
}

TEST(Results, RejectsANumberInPlaceOfAString) {
    rejects(edited([](Json& document) { document["result"]["protocol"] = 1; }),
            "result: protocol is 1, expected a string");
}

TEST(Results, RejectsAnObjectInPlaceOfAnArray) {
    rejects(edited([](Json& document) { document["inputs"] = Json::object(); }),
            "results.json: inputs is not an array");
}

TEST(Results, RejectsAnIntervalOfOneNumber) {
    rejects(edited([](Json& document) { document["result"]["kl_ci95"] = Json::array({1.0}); }),
            "result: kl_ci95 is not an interval");
}

TEST(Results, RejectsSettingsThatAreNoObject) {
    rejects(edited([](Json& document) { document["settings"] = "none"; }),
            "results.json: settings is not an object");
}

TEST(Results, RejectsANumberInPlaceOfABoolean) {
    Json document = parse_json(results_text(envelope(sensitivity())), "test");
    document["result"]["control"]["identical"] = 1;
    rejects(document.dump(), "result: control: identical is 1, expected true or false");
}

}  // namespace
}  // namespace assay
