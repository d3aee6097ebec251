// The JSON names of every result's members, each said once for writing and reading. Private to records;
// docs/results-schema.md explains them.
#pragma once

#include "records/activation_fields.h"
#include "records/blame.h"
#include "records/calibrated_linear.h"
#include "records/compare.h"
#include "records/diagnose.h"
#include "records/envelope.h"
#include "records/eval.h"
#include "records/fields.h"
#include "records/findings.h"
#include "records/inspect.h"
#include "records/perplexity.h"
#include "records/sensitivity.h"
#include "records/weights.h"

namespace assay {

template <class Visitor, RecordOf<WindowSums> R>
void fields(Visitor& visit, R& r) {
    visit("nll_sum", r.nll_sum);
    visit("tokens", r.tokens);
    visit.if_present("kl_sum", r.kl_sum);
    visit.if_present("reference_nll_sum", r.reference_nll_sum);
}

template <class Visitor, RecordOf<BlockSums> R>
void fields(Visitor& visit, R& r) {
    visit("window", r.window);
    visit("tokens", r.tokens);
    visit("nll_sum", r.nll_sum);
    visit("kl_sum", r.kl_sum);
    visit("top1", r.top1);
}

template <class Visitor, RecordOf<Percentile> R>
void fields(Visitor& visit, R& r) {
    visit("percent", r.percent);
    visit("value", r.value);
}

template <class Visitor, RecordOf<ProbabilityChange> R>
void fields(Visitor& visit, R& r) {
    visit("delta_p_mean", r.mean);
    visit("delta_p_mean_ci95", r.mean_ci95);
    visit("delta_p_rms", r.rms);
    visit("delta_p_rms_ci95", r.rms_ci95);
    visit("delta_p_percentiles", r.percentiles);
}

template <class Visitor, RecordOf<Comparison> R>
void fields(Visitor& visit, R& r) {
    visit("kl_mean", r.kl_mean);
    visit("kl_ci95", r.kl_ci95);
    visit("kl_percentiles", r.kl_percentiles);
    visit("top1_agreement", r.top1_agreement);
    visit.if_present("top1_agreement_ci95", r.top1_agreement_ci95);
    visit("delta_nll", r.delta_nll);
    visit("delta_nll_ci95", r.delta_nll_ci95);
    visit("delta_ppl", r.delta_ppl);
    visit("delta_ppl_ci95", r.delta_ppl_ci95);
    visit("reference_ppl", r.reference_ppl);
    visit("reference_nll_mean", r.reference_nll_mean);
    visit.if_present("ppl_ratio", r.ppl_ratio);
    visit.if_present("ppl_ratio_ci95", r.ppl_ratio_ci95);
    visit.if_present("nll_correlation", r.nll_correlation);
    visit.flattened("delta_p_mean", r.delta_p);
}

template <class Visitor, RecordOf<RoundedInputRecord> R>
void fields(Visitor& visit, R& r) {
    visit("max_over_mean", r.max_over_mean);
    visit("output_error", r.output_error);
    visit("alpha", r.alpha);
    visit("smoothed_max_over_mean", r.smoothed_max_over_mean);
    visit("smoothed_output_error", r.smoothed_output_error);
    visit("scale", r.scale);
    visit("obstacle", r.obstacle);
}

template <class Visitor, RecordOf<CalibratedLinear> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("treatment", r.treatment);
    visit("positions", r.positions);
    visit("damping", r.damping);
    visit("damping_raised", r.damping_raised);
    visit("dead_columns", r.dead_columns);
    visit("error_ratio", r.error_ratio);
    visit("fallback", r.fallback);
    visit.if_present("input", r.input);
    visit.if_present("alpha", r.alpha);
    visit.if_present("unscaled", r.unscaled);
}

template <class Visitor, RecordOf<GrowthStep> R>
void fields(Visitor& visit, R& r) {
    visit("windows", r.windows);
    visit("kl", r.kl);
    visit("gain", r.gain);
    visit("gain_ci95", r.gain_ci95);
    visit("chosen", r.chosen);
}

template <class Visitor, RecordOf<PerplexityResult> R>
void fields(Visitor& visit, R& r) {
    visit("ppl", r.ppl);
    visit.if_present("ppl_ci95", r.ppl_ci95);
    visit.if_present("ppl_standard_error", r.ppl_standard_error);
    visit("nll_mean", r.nll_mean);
    visit("tokens_scored", r.tokens_scored);
    visit("window_tokens", r.window_tokens);
    visit("protocol", r.protocol);
    visit.if_present("stride", r.stride);
    visit("windows", r.windows);
    visit("blocks", r.blocks);
    visit.if_present("calibrated", r.calibrated);
    visit.if_present("growth", r.growth);
    visit.flattened("kl_mean", r.comparison);
}

template <class Visitor, RecordOf<OutlierChannel> R>
void fields(Visitor& visit, R& r) {
    visit("index", r.index);
    visit("outliers", r.outliers);
    visit("max_abs", r.max_abs);
    visit("share", r.share);
}

template <class Visitor, RecordOf<OutlierDetails> R>
void fields(Visitor& visit, R& r) {
    visit("kurtosis", r.kurtosis);
    visit("outliers_3s", r.outliers_3s);
    visit("outliers_4s", r.outliers_4s);
    visit("outliers_6s", r.outliers_6s);
    visit("outlier_magnitude", r.outlier_magnitude);
    visit("range", r.range);
    visit("range_without_outliers", r.range_without_outliers);
    visit("one_value_groups", r.one_value_groups);
    visit("worst_rows", r.worst_rows);
    visit("worst_columns", r.worst_columns);
}

template <class Visitor, RecordOf<WeightBins> R>
void fields(Visitor& visit, R& r) {
    visit("low", r.low);
    visit("high", r.high);
    visit("counts", r.counts);
    visit("below", r.below);
    visit("above", r.above);
}

template <class Visitor, RecordOf<WeightErrorMap> R>
void fields(Visitor& visit, R& r) {
    visit("rows", r.rows);
    visit("columns", r.columns);
    visit("rms", r.rms);
}

template <class Visitor, RecordOf<AlreadyQuantized> R>
void fields(Visitor& visit, R& r) {
    visit("stored_type", r.stored_type);
    visit("grid_bits", r.grid_bits);
    visit("grid_group", r.grid_group);
}

template <class Visitor, RecordOf<GroupSweepRow> R>
void fields(Visitor& visit, R& r) {
    visit("format", r.format);
    visit("effective_bits", r.effective_bits);
    visit("bytes", r.bytes);
    visit("rmse", r.rmse);
    visit("relative_error", r.relative_error);
}

// The linears' fields stand among the total's own.
template <class Visitor, RecordOf<GroupSweepTotal> R>
void fields(Visitor& visit, R& r) {
    fields(visit, r.linears);
    visit("average_bits", r.average_bits);
    visit("model_bytes", r.model_bytes);
    visit("ragged_linears", r.ragged_linears);
}

template <class Visitor, RecordOf<ClipSweepRow> R>
void fields(Visitor& visit, R& r) {
    visit("format", r.format);
    visit("clip", r.clip);
    visit.if_present("percentile", r.percentile);
    visit.if_present("threshold", r.threshold);
    visit.if_present("mean_ratio", r.mean_ratio);
    visit.if_present("best_ratio", r.best_ratio);
    visit("clip_error", r.clip_error);
    visit("rounding_error", r.rounding_error);
    visit("total_error", r.total_error);
    visit("clipped", r.clipped);
    visit("best", r.best);
    visit("relative_error", r.relative_error);
    visit.if_present("relative_output_error", r.relative_output_error);
    visit.if_present("best_output", r.best_output);
}

template <class Visitor, RecordOf<WeightsLinear> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("shape", r.shape);
    visit("treatment", r.treatment);
    visit("effective_bits", r.effective_bits);
    visit("frobenius_error", r.frobenius_error);
    visit("relative_error", r.relative_error);
    visit("max_abs_error", r.max_abs_error);
    visit("mean_abs_error", r.mean_abs_error);
    visit("sqnr_db", r.sqnr_db);
    visit("mean", r.mean);
    visit("std", r.std);
    visit("min", r.min);
    visit("max", r.max);
    visit("max_abs", r.max_abs);
    visit("outlier_fraction_3s", r.outlier_fraction_3s);
    visit("outlier_fraction_4s", r.outlier_fraction_4s);
    visit("outlier_fraction_6s", r.outlier_fraction_6s);
    visit("range_ratio", r.range_ratio);
    visit("range_ratio_4s", r.range_ratio_4s);
    visit("quantization_waste", r.quantization_waste);
    visit.flattened("outliers_3s", r.outliers);
    visit.if_present("already_quantized", r.already_quantized);
    visit.if_present("histogram", r.histogram);
    visit.if_present("error_map", r.error_map);
    visit.if_present("group_sweep", r.group_sweep);
    visit.if_present("clip_sweep", r.clip_sweep);
}

template <class Visitor, RecordOf<WeightsResult> R>
void fields(Visitor& visit, R& r) {
    visit("linears", r.linears);
    visit.if_present("range_ratio_limit", r.range_ratio_limit);
    visit.if_present("warnings", r.warnings);
    visit.if_present("group_sweep", r.group_sweep);
    visit.if_present("clip_sweep", r.clip_sweep);
}

template <class Visitor, RecordOf<ScoredDamage> R>
void fields(Visitor& visit, R& r) {
    visit("kl", r.kl);
    visit("kl_ci95", r.kl_ci95);
    visit("block_ratio", r.block_ratio);
    visit("calibration", r.calibration);
}

template <class Visitor, RecordOf<PartShare> R>
void fields(Visitor& visit, R& r) {
    visit("index", r.index);
    visit("share", r.share);
}

template <class Visitor, RecordOf<HeadShare> R>
void fields(Visitor& visit, R& r) {
    visit("part", r.part);
    visit("head", r.head);
    visit("share", r.share);
}

template <class Visitor, RecordOf<DamageParts> R>
void fields(Visitor& visit, R& r) {
    visit("rows", r.rows);
    visit("columns", r.columns);
    visit("heads", r.heads);
}

template <class Visitor, RecordOf<SensitivityLinear> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("treatment", r.treatment);
    visit("basis", r.basis);
    visit("kl", r.kl);
    visit("kl_ci95", r.kl_ci95);
    visit("scored", r.scored);
    visit.if_present("parts", r.parts);
    visit("share_of_damage", r.share_of_damage);
    visit("delta_nll", r.delta_nll);
    visit("delta_nll_ci95", r.delta_nll_ci95);
    visit("delta_ppl", r.delta_ppl);
    visit("delta_ppl_ci95", r.delta_ppl_ci95);
    visit("relative_delta_ppl", r.relative_delta_ppl);
    visit("relative_delta_ppl_ci95", r.relative_delta_ppl_ci95);
    visit("rank", r.rank);
    visit("category", r.category);
    visit("recommendation", r.recommendation);
    visit("block", r.block);
    visit("projection", r.projection);
    visit("depth", r.depth);
    visit("parameters", r.parameters);
    visit("relative_output_error", r.relative_output_error);
    visit("damage_per_output_error", r.damage_per_output_error);
    visit("propagation", r.propagation);
    visit.if_present("route_changes", r.route_changes);
    visit.if_present("task", r.task);
    visit("windows", r.windows);
    visit("blocks", r.blocks);
}

template <class Visitor, RecordOf<Control> R>
void fields(Visitor& visit, R& r) {
    visit("kl", r.kl);
    visit("identical", r.identical);
}

template <class Visitor, RecordOf<TaskBaseline> R>
void fields(Visitor& visit, R& r) {
    visit("task", r.task);
    visit("metric", r.metric);
    visit("questions", r.questions);
    visit("accuracy", r.accuracy);
    visit("accuracy_ci95", r.accuracy_ci95);
}

template <class Visitor, RecordOf<PlanPrediction> R>
void fields(Visitor& visit, R& r) {
    visit("treatment", r.treatment);
    visit("linears", r.linears);
    visit("kl_sum", r.kl_sum);
    visit("kl_sum_ci95", r.kl_sum_ci95);
    visit("kl_interactions", r.kl_interactions);
    visit("kl_interactions_ci95", r.kl_interactions_ci95);
}

template <class Visitor, RecordOf<SensitivityResult> R>
void fields(Visitor& visit, R& r) {
    visit("baseline", r.baseline);
    visit("treatment", r.treatment);
    visit("linears", r.linears);
    visit("control", r.control);
    visit.if_present("together", r.together);
    visit.if_present("task", r.task);
}

template <class Visitor, RecordOf<TensorDifference> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("type", r.type);
    visit("relative_error", r.relative_error);
}

template <class Visitor, RecordOf<BlockDamage> R>
void fields(Visitor& visit, R& r) {
    visit("block", r.block);
    visit("kl", r.kl);
    visit("share_of_damage", r.share_of_damage);
}

// The sensitivity's fields stand among the result's own.
template <class Visitor, RecordOf<BlameResult> R>
void fields(Visitor& visit, R& r) {
    visit("reference", r.reference);
    visit("total", r.total);
    visit("linears_kl", r.linears_kl);
    visit("blocks", r.blocks);
    visit("differences", r.differences);
    visit("other_differences", r.other_differences);
    visit("config_differences", r.config_differences);
    visit("others", r.others);
    fields(visit, r.sensitivity);
}

template <class Visitor, RecordOf<DamageShare> R>
void fields(Visitor& visit, R& r) {
    visit("linears", r.linears);
    visit("share_of_damage", r.share_of_damage);
}

template <class Visitor, RecordOf<DamageShares> R>
void fields(Visitor& visit, R& r) {
    visit("worst_5_percent", r.worst_5_percent);
    visit("worst_10_percent", r.worst_10_percent);
}

template <class Visitor, RecordOf<FindingEvidence> R>
void fields(Visitor& visit, R& r) {
    visit("sentence", r.sentence);
    visit("numbers", r.numbers);
}

template <class Visitor, RecordOf<MeasuredRemedy> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("gain", r.gain);
    visit("gain_ci95", r.gain_ci95);
    visit("gain_share", r.gain_share);
    visit("gain_share_ci95", r.gain_share_ci95);
    visit("bytes", r.bytes);
    visit("gain_per_byte", r.gain_per_byte);
}

template <class Visitor, RecordOf<Finding> R>
void fields(Visitor& visit, R& r) {
    visit("linear", r.linear);
    visit("treatment", r.treatment);
    visit("cause", r.cause);
    visit("evidence", r.evidence);
    visit("remedy", r.remedy);
    visit("gain", r.gain);
    visit("gain_ci95", r.gain_ci95);
    visit("gain_share", r.gain_share);
    visit("gain_share_ci95", r.gain_share_ci95);
    visit("bytes", r.bytes);
    visit("remedies", r.remedies);
}

template <class Visitor, RecordOf<LinearOutputError> R>
void fields(Visitor& visit, R& r) {
    visit("linear", r.linear);
    visit("output_error", r.output_error);
}

template <class Visitor, RecordOf<CompareRow> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("ppl", r.ppl);
    visit("delta_percent", r.delta_percent);
    visit("delta_percent_ci95", r.delta_percent_ci95);
    visit("kl", r.kl);
    visit("kl_ci95", r.kl_ci95);
    visit("top1_agreement", r.top1_agreement);
    visit("effective_bits", r.effective_bits);
    visit("average_bits", r.average_bits);
    visit("bytes", r.bytes);
    visit("model_bytes", r.model_bytes);
    visit("ragged_linears", r.ragged_linears);
    visit("output_error", r.output_error);
    visit("seconds", r.seconds);
    visit("peak_bytes", r.peak_bytes);
    visit("kernels", r.kernels);
    visit.if_present("growth", r.growth);
    visit("linears", r.linears);
}

template <class Visitor, RecordOf<CompareResult> R>
void fields(Visitor& visit, R& r) {
    visit("what", r.what);
    visit("reference", r.reference);
    visit("rows", r.rows);
}

template <class Visitor, RecordOf<EvaluationOutcome> R>
void fields(Visitor& visit, R& r) {
    visit("text", r.text);
    visit("ppl", r.ppl);
    visit("kl", r.kl);
    visit("kl_ci95", r.kl_ci95);
    visit("top1_agreement", r.top1_agreement);
    visit("blocks", r.blocks);
}

template <class Visitor, RecordOf<TaskOutcome> R>
void fields(Visitor& visit, R& r) {
    visit("task", r.task);
    visit("accuracy", r.accuracy);
    visit("accuracy_ci95", r.accuracy_ci95);
    fields(visit, r.comparison);
    visit("correct", r.correct);
}

template <class Visitor, RecordOf<CalibrationRun> R>
void fields(Visitor& visit, R& r) {
    visit("treatment", r.treatment);
    visit("set", r.set);
    visit("samples", r.samples);
    visit("length", r.length);
    visit("seed", r.seed);
    visit("seconds", r.seconds);
    visit("evaluations", r.evaluations);
    visit.if_present("task", r.task);
}

template <class Visitor, RecordOf<CalibrationContrast> R>
void fields(Visitor& visit, R& r) {
    visit("treatment", r.treatment);
    visit("text", r.text);
    visit("better", r.better);
    visit("worse", r.worse);
    visit("difference", r.difference);
    visit("difference_ci95", r.difference_ci95);
    visit("q_value", r.q_value);
    visit("shown", r.shown);
}

template <class Visitor, RecordOf<InputAudit> R>
void fields(Visitor& visit, R& r) {
    visit("linear", r.linear);
    visit("set", r.set);
    visit("inputs", r.inputs);
    visit("positions", r.positions);
    visit("effective_rank", r.effective_rank);
    visit("energy_overlap", r.energy_overlap);
}

template <class Visitor, RecordOf<CompareCalibrationResult> R>
void fields(Visitor& visit, R& r) {
    visit("references", r.references);
    visit("runs", r.runs);
    visit("contrasts", r.contrasts);
    visit("audits", r.audits);
    visit.if_present("task", r.task);
    visit.if_present("accuracy_contrasts", r.accuracy_contrasts);
}

template <class Visitor, RecordOf<DamagePattern> R>
void fields(Visitor& visit, R& r) {
    visit("kind", r.kind);
    visit("linears", r.linears);
    visit("ratio", r.ratio);
    visit("ratio_ci95", r.ratio_ci95);
    visit("p_value", r.p_value);
}

template <class Visitor, RecordOf<KeptBlocks> R>
void fields(Visitor& visit, R& r) {
    visit("blocks", r.blocks);
    visit("kl", r.kl);
    visit("gain", r.gain);
    visit("gain_ci95", r.gain_ci95);
    visit("gain_share", r.gain_share);
}

template <class Visitor, RecordOf<EdgeAdvice> R>
void fields(Visitor& visit, R& r) {
    visit("edges", r.edges);
    visit("random", r.random);
    visit("advantage", r.advantage);
    visit("advantage_ci95", r.advantage_ci95);
    visit("holds", r.holds);
}

template <class Visitor, RecordOf<Indicator> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("linears", r.linears);
    visit("spearman", r.spearman);
    visit("spearman_ci95", r.spearman_ci95);
}

template <class Visitor, RecordOf<DamageFactors> R>
void fields(Visitor& visit, R& r) {
    visit("linear", r.linear);
    visit("output_error", r.output_error);
    visit("care", r.care);
}

template <class Visitor, RecordOf<PatternsResult> R>
void fields(Visitor& visit, R& r) {
    visit("depth", r.depth);
    visit("projections", r.projections);
    visit("advice", r.advice);
    visit("indicators", r.indicators);
    visit("factors", r.factors);
}

template <class Visitor, RecordOf<DiagnoseResult> R>
void fields(Visitor& visit, R& r) {
    visit("perplexity", r.perplexity);
    visit("all_treated", r.all_treated);
    visit("weights", r.weights);
    visit("sensitivity", r.sensitivity);
    visit("shares", r.shares);
    visit("rank_correlation_weight_error_damage", r.rank_correlation_weight_error_damage);
    visit.if_present("findings", r.findings);
    visit.if_present("activations", r.activations);
    visit.if_present("patterns", r.patterns);
}

template <class Visitor, RecordOf<InspectTensor> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("dtype", r.dtype);
    visit("shape", r.shape);
    visit("bytes", r.bytes);
}

template <class Visitor, RecordOf<DtypeTotal> R>
void fields(Visitor& visit, R& r) {
    visit("dtype", r.dtype);
    visit("tensors", r.tensors);
    visit("parameters", r.parameters);
    visit("bytes", r.bytes);
}

template <class Visitor, RecordOf<ConfigSummary> R>
void fields(Visitor& visit, R& r) {
    visit("hidden", r.hidden);
    visit("intermediate", r.intermediate);
    visit("layers", r.layers);
    visit("heads", r.heads);
    visit("kv_heads", r.kv_heads);
    visit("head_dim", r.head_dim);
    visit("vocabulary", r.vocabulary);
    visit("max_positions", r.max_positions);
    visit("tied_head", r.tied_head);
    visit("rope_theta", r.rope_theta);
    visit("rope_scaling", r.rope_scaling);
}

template <class Visitor, RecordOf<InspectResult> R>
void fields(Visitor& visit, R& r) {
    visit("path", r.path);
    visit("format", r.format);
    visit("architecture", r.architecture);
    visit("config", r.config);
    visit("tensors", r.tensors);
    visit("dtype_totals", r.dtype_totals);
    visit("parameters", r.parameters);
    visit("bytes", r.bytes);
    visit("linear_count", r.linear_count);
    visit("warnings", r.warnings);
}

template <class Visitor, RecordOf<PredictResult> R>
void fields(Visitor& visit, R& r) {
    visit("measurement", r.measurement);
    visit("parameters", r.parameters);
    visit("windows", r.windows);
    visit("window_tokens", r.window_tokens);
    visit("flops_per_token", r.flops_per_token);
    visit("seconds", r.seconds);
    visit("memory_bytes", r.memory_bytes);
    visit("base_bytes", r.base_bytes);
    visit("block_bytes", r.block_bytes);
    visit("chunk_bytes", r.chunk_bytes);
    visit("state_bytes", r.state_bytes);
    visit("head_bytes", r.head_bytes);
    visit("least_bytes", r.least_bytes);
    visit("linear_gflops", r.linear_gflops);
    visit("attention_gflops", r.attention_gflops);
    visit("head_gflops", r.head_gflops);
    visit("load_gweights", r.load_gweights);
    visit("disk_gib", r.disk_gib);
}

template <class Visitor, RecordOf<EvalQuestion> R>
void fields(Visitor& visit, R& r) {
    visit("id", r.id);
    visit("chosen", r.chosen);
    visit("correct", r.correct);
    visit("answer", r.answer);
    visit("log_likelihoods", r.log_likelihoods);
    visit("characters", r.characters);
    visit.if_present("reference_chosen", r.reference_chosen);
    visit.if_present("reference_correct", r.reference_correct);
    visit.if_present("reference_log_likelihoods", r.reference_log_likelihoods);
}

template <class Visitor, RecordOf<EvalSubject> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("questions", r.questions);
    visit("accuracy", r.accuracy);
    visit("accuracy_ci95", r.accuracy_ci95);
    visit.if_present("reference_accuracy", r.reference_accuracy);
}

template <class Visitor, RecordOf<EvalComparison> R>
void fields(Visitor& visit, R& r) {
    visit("reference_accuracy", r.reference_accuracy);
    visit("reference_accuracy_ci95", r.reference_accuracy_ci95);
    visit("accuracy_difference", r.accuracy_difference);
    visit("accuracy_difference_ci95", r.accuracy_difference_ci95);
    visit("flips_to_wrong", r.flips_to_wrong);
    visit("flips_to_right", r.flips_to_right);
    visit("answers_changed", r.answers_changed);
    visit("mcnemar_p", r.mcnemar_p);
    visit("right_probability_difference", r.right_probability_difference);
    visit("right_probability_difference_ci95", r.right_probability_difference_ci95);
}

template <class Visitor, RecordOf<EvalResult> R>
void fields(Visitor& visit, R& r) {
    visit("task", r.task);
    visit("metric", r.metric);
    visit("shots", r.shots);
    visit("accuracy", r.accuracy);
    visit("accuracy_ci95", r.accuracy_ci95);
    visit("acc", r.acc);
    visit("acc_norm", r.acc_norm);
    visit("chance", r.chance);
    visit("right_probability", r.right_probability);
    visit("shortened", r.shortened);
    visit("subjects", r.subjects);
    visit("questions", r.questions);
    visit.flattened("reference_accuracy", r.comparison);
}

template <class Visitor, RecordOf<InputFile> R>
void fields(Visitor& visit, R& r) {
    visit("path", r.path);
    visit("sha256", r.sha256);
}

template <class Visitor, RecordOf<NoiseFloor> R>
void fields(Visitor& visit, R& r) {
    visit("kl", r.kl);
    visit("backend", r.backend);
    visit("against", r.against);
}

template <class Visitor, RecordOf<PartCost> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("seconds", r.seconds);
}

template <class Visitor, RecordOf<RunCost> R>
void fields(Visitor& visit, R& r) {
    visit("predicted_seconds", r.predicted_seconds);
    visit("predicted_bytes", r.predicted_bytes);
    visit("peak_bytes", r.peak_bytes);
    visit("blocks", r.blocks);
    visit("seconds_per_block", r.seconds_per_block);
    visit("disk_share", r.disk_share);
    visit("load_share", r.load_share);
    visit.if_present("parts", r.parts);
}

// The envelope but for its schema number, command and result, whose type the command tells.
template <class Visitor, RecordOf<Envelope> R>
void fields(Visitor& visit, R& r) {
    visit("assay", r.version);
    visit("settings", r.settings);
    visit("inputs", r.inputs);
    visit("seconds", r.seconds);
    visit.if_present("cost", r.cost);
    visit.if_present("noise_floor", r.noise_floor);
    visit.if_present("calibration", r.calibration);
}

}  // namespace assay
