// The library's public face: each verb of the command line as a function from options to a record.
#pragma once

#include "base/cancel.h"
#include "base/progress.h"
#include "records/envelope.h"
#include "workflow/options.h"

namespace assay {

// All throw FormatError for bad input (files, texts, ids), InvalidArgument for options that make no sense,
// NumericError for NaN or Inf, Interrupted when asked to stop. None prints.

// Architecture, tensors, types, sizes and what looks wrong; works for architectures that Assay cannot run,
// too.
Envelope inspect_model(const ModelOptions& options, Progress& progress, const CancelToken& cancel);

// Perplexity on the windows; beside a reference (another model, or the model itself untreated) also KL and
// differences.
Envelope measure_perplexity(const PerplexityOptions& options, Progress& progress, const CancelToken& cancel);

// Moments, outliers, reconstruction errors and sweeps over group sizes and clips of the selected linears;
// needs no text.
Envelope measure_weights(const WeightsOptions& options, Progress& progress, const CancelToken& cancel);

// What goes into the selected linears and comes out of them, on calibration windows or a text.
Envelope measure_activations(const ActivationsOptions& options, Progress& progress,
                             const CancelToken& cancel);

// Sensitivity of the selected linears under each treatment.
Envelope measure_sensitivity(const SweepOptions& options, Progress& progress, const CancelToken& cancel);

// The model with all linears of the blocks in each of several number formats: perplexity, KL, output errors,
// sizes.
Envelope compare_formats(const CompareOptions& options, Progress& progress, const CancelToken& cancel);

// The model treated by each of several methods, calibrated on the same windows: perplexity, KL, sizes, time
// and memory, and the kernels that can run it.
Envelope compare_techniques(const TechniquesOptions& options, Progress& progress, const CancelToken& cancel);

// The model calibrated on different texts and amounts of text, measured on several texts: which are better,
// and whether that is shown.
Envelope compare_calibration(const CalibrationOptions& options, Progress& progress,
                             const CancelToken& cancel);

// Which tensors, heads and channels of a checkpoint cause its damage beside the model that it was made from.
Envelope blame(const BlameOptions& options, Progress& progress, const CancelToken& cancel);

// How many questions of a task the model answers right; beside a reference (another model, or the model
// itself untreated) also which answers change.
Envelope measure_task(const EvalOptions& options, Progress& progress, const CancelToken& cancel);

// All of it: baseline, the model with all block linears treated, weight errors, the sensitivity, and what the
// worst cause.
Envelope diagnose(const SweepOptions& options, Progress& progress, const CancelToken& cancel);

// Time and memory that a measurement would take on this machine, from the model's shapes and a few timed
// operations.
Envelope predict(const PredictOptions& options, Progress& progress, const CancelToken& cancel);

// Writes a Hugging Face folder (model.safetensors, config.json, tokenizer.json where it can be made) of any
// model that Assay reads. The folder appears only when whole. Returns the path of the folder.
std::filesystem::path convert_model(const ConvertOptions& options, Progress& progress,
                                    const CancelToken& cancel);

}  // namespace assay
