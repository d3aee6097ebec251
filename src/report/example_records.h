// Synthetic records for the tests of reports: plausible numbers of a small model, seeded, measured on
// nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "records/envelope.h"

namespace assay {

inline SensitivityLinear example_linear(std::string name, std::string projection,
                                        std::optional<std::int64_t> block, std::int64_t blocks, Rng& rng) {
    SensitivityLinear linear{.name = std::move(name), .treatment = "int4-g64:rtn"};
    const double spread = std::exp(2.2 * (rng.uniform() + rng.uniform() - 1));
    const double place = block ? (*block == 0 ? 6.0 : *block >= blocks - 2 ? 3.0 : 1.0) : 20.0;
    linear.kl = 8e-4 * spread * place * (projection == "down_proj" ? 4 : projection == "k_proj" ? 0.15 : 1);
    linear.kl_ci95 = Interval{.low = 0.88 * linear.kl, .high = 1.13 * linear.kl};
    linear.delta_nll = linear.kl * (rng.uniform() - 0.2);
    linear.delta_ppl = 14 * *linear.delta_nll;
    linear.delta_ppl_ci95 = Interval{.low = *linear.delta_ppl - 0.02, .high = *linear.delta_ppl + 0.02};
    linear.relative_output_error = 0.05 + 0.1 * rng.uniform();
    linear.block = block;
    linear.projection = std::move(projection);
    for (std::int64_t b = block.value_or(blocks); b < blocks; ++b)
        linear.propagation.push_back(std::sqrt(linear.kl) *
                                     std::exp(-0.04 * static_cast<double>(b - *block)) *
                                     (0.85 + 0.3 * rng.uniform()));
    linear.windows = {{.nll_sum = 1300, .tokens = 511, .kl_sum = 511 * linear.kl}};
    return linear;
}

inline SensitivityResult example_sensitivity(std::int64_t blocks) {
    Rng rng(7);
    SensitivityResult result{.treatment = "int4-g64(scale=f32):rtn",
                             .control = Control{.kl = 0, .identical = true}};
    result.baseline = {
        .ppl = 14.253, .nll_mean = 2.657, .tokens_scored = 40880, .window_tokens = 512, .protocol = "gptq"};
    result.baseline.windows.assign(80, {.nll_sum = 1357.7, .tokens = 511});
    for (std::int64_t b = 0; b < blocks; ++b)
        for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                 "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
            const std::string path(part);
            result.linears.push_back(example_linear("model.layers." + std::to_string(b) + "." + path,
                                                    path.substr(path.find('.') + 1), b, blocks, rng));
        }
    result.linears.push_back(example_linear("lm_head", "lm_head", std::nullopt, blocks, rng));
    std::sort(result.linears.begin(), result.linears.end(),
              [](const auto& a, const auto& b) { return a.kl > b.kl; });
    double sum = 0;
    for (const SensitivityLinear& linear : result.linears) sum += linear.kl;
    for (std::size_t i = 0; i < result.linears.size(); ++i) {
        SensitivityLinear& linear = result.linears[i];
        linear.rank = static_cast<std::int64_t>(i) + 1;
        linear.share_of_damage = linear.kl / sum;
        const double times_average = linear.share_of_damage * static_cast<double>(result.linears.size());
        linear.category = times_average > 10  ? "critical"
                          : times_average > 3 ? "high"
                          : times_average > 1 ? "moderate"
                                              : "low";
        linear.recommendation = times_average > 3 ? "keep in 16 or 8 bits" : "int4-g64:rtn will do";
    }
    return result;
}

inline DiagnoseResult example_diagnosis(std::int64_t blocks) {
    Rng rng(8);
    DiagnoseResult result{.sensitivity = example_sensitivity(blocks),
                          .rank_correlation_weight_error_damage = 0.131};
    result.perplexity = result.sensitivity.baseline;
    result.all_treated = result.perplexity;
    result.all_treated.ppl = 25.51;
    result.all_treated.ppl_ci95 = Interval{.low = 24.2, .high = 26.9};
    result.all_treated.ppl_standard_error = 0.2514;
    result.all_treated.comparison =
        Comparison{.kl_mean = 0.589,
                   .kl_ci95 = Interval{.low = 0.551, .high = 0.631},
                   .kl_percentiles = {{.percent = 50, .value = 0.21}, {.percent = 99, .value = 4.8}},
                   .top1_agreement = 0.6312,
                   .top1_agreement_ci95 = Interval{.low = 0.61, .high = 0.65},
                   .delta_nll = 0.582,
                   .delta_nll_ci95 = Interval{.low = 0.54, .high = 0.62},
                   .delta_ppl = 11.257,
                   .delta_ppl_ci95 = Interval{.low = 10.2, .high = 12.4},
                   .reference_ppl = 14.253,
                   .reference_nll_mean = 2.657,
                   .ppl_ratio = 1.7898,
                   .ppl_ratio_ci95 = Interval{.low = 1.716, .high = 1.859},
                   .nll_correlation = 0.8734,
                   .delta_p = ProbabilityChange{.mean = -8.42,
                                                .mean_ci95 = Interval{.low = -8.9, .high = -7.9},
                                                .rms = 21.7,
                                                .rms_ci95 = Interval{.low = 21.1, .high = 22.4},
                                                .percentiles = {{.percent = 100, .value = 71},
                                                                {.percent = 50, .value = -1.31},
                                                                {.percent = 0, .value = -98.7}}}};
    for (const SensitivityLinear& linear : result.sensitivity.linears) {
        const double error = 0.09 + 0.05 * rng.uniform();
        result.weights.linears.push_back({.name = linear.name,
                                          .shape = {576, 576},
                                          .treatment = "int4-g64:rtn",
                                          .effective_bits = 4.5625,
                                          .relative_error = error,
                                          .sqnr_db = -20 * std::log10(error),
                                          .range_ratio = 1.7});
    }
    result.findings =
        std::vector<Finding>{{.linear = result.sensitivity.linears[0].name,
                              .treatment = "int4-g64:rtn",
                              .cause = "varying_range",
                              .evidence = {.sentence = "With int4-g32:rtn, 85 % of the damage is gone.",
                                           .numbers = {{"twins", 3}}},
                              .remedy = "int4-g32:rtn",
                              .gain = 0.0193,
                              .gain_ci95 = Interval{.low = 0.0144, .high = 0.0242},
                              .gain_share = 0.849,
                              .gain_share_ci95 = Interval{.low = 0.8, .high = 0.9},
                              .bytes = 4300},
                             {.linear = result.sensitivity.linears[1].name,
                              .treatment = "int4-g64:rtn",
                              .cause = "numerics",
                              .evidence = {.sentence = "16 of 1536 output channels are all zeros."},
                              .remedy = "remove the dead channels",
                              .bytes = -5184}};
    const std::size_t all = result.sensitivity.linears.size();
    for (std::size_t i = 0; i < (all + 9) / 10; ++i) {
        const SensitivityLinear& linear = result.sensitivity.linears[i];
        result.shares.worst_10_percent.linears.push_back(linear.name);
        result.shares.worst_10_percent.share_of_damage += linear.share_of_damage;
        if (i >= (all + 19) / 20) continue;
        result.shares.worst_5_percent.linears.push_back(linear.name);
        result.shares.worst_5_percent.share_of_damage += linear.share_of_damage;
    }
    return result;
}

// Two subjects, three questions, one answer lost.
inline EvalResult example_evaluation() {
    EvalResult result{
        .task = "mmlu",
        .metric = "acc",
        .shots = 5,
        .accuracy = 1.0 / 3,
        .accuracy_ci95 = Interval{.low = 0.061, .high = 0.792},
        .acc = 1.0 / 3,
        .acc_norm = 1.0 / 3,
        .chance = 0.25,
        .right_probability = 0.412,
        .subjects = {{.name = "anatomy", .questions = 2, .accuracy = 0.5, .reference_accuracy = 1},
                     {.name = "botany", .questions = 1, .accuracy = 0, .reference_accuracy = 0}}};
    for (std::int64_t q = 0; q < 3; ++q) {
        result.questions.push_back({.id = q < 2 ? "anatomy/" + std::to_string(q) : "botany/0",
                                    .chosen = q,
                                    .correct = q == 0,
                                    .answer = 0,
                                    .log_likelihoods = {-1, -2, -3, -4},
                                    .characters = {1, 1, 1, 1},
                                    .reference_chosen = q == 2 ? 2 : 0,
                                    .reference_correct = q < 2});
    }
    result.comparison = EvalComparison{.reference_accuracy = 2.0 / 3,
                                       .reference_accuracy_ci95 = Interval{.low = 0.208, .high = 0.939},
                                       .accuracy_difference = -1.0 / 3,
                                       .accuracy_difference_ci95 = Interval{.low = -0.82, .high = 0.42},
                                       .flips_to_wrong = 1,
                                       .flips_to_right = 0,
                                       .answers_changed = 1,
                                       .mcnemar_p = 1,
                                       .right_probability_difference = -0.0123};
    return result;
}

inline Envelope example_envelope(Result result) {
    return {.settings = {{"text", "wiki.test.raw"},
                         {"treatment", "int4-g64(scale=f32):rtn"},
                         {"threads", 2},
                         {"seed", 1}},
            .inputs = {{.path = "models/SmolLM2-135M/model.safetensors",
                        .sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}},
            .seconds = 751,
            .result = std::move(result)};
}

}  // namespace assay
