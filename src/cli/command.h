// A verb of the command line: its options, and what runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/progress.h"
#include "records/envelope.h"
#include "workflow/options.h"

namespace assay::cli {

// What a running verb gets.
struct Context {
    Progress& progress;
    const CancelToken& cancel;
};

// The verb that parsing chose; called inside main's one catch.
using Action = std::function<void(const Context&)>;

// Each adds its verb to `app` and, when parsing chooses it, stores itself in `chosen`.
void add_inspect(CLI::App& app, Action& chosen);
void add_perplexity(CLI::App& app, Action& chosen);
void add_weights(CLI::App& app, Action& chosen);
void add_activations(CLI::App& app, Action& chosen);
void add_sensitivity(CLI::App& app, Action& chosen);
void add_blame(CLI::App& app, Action& chosen);
void add_compare(CLI::App& app, Action& chosen);
void add_eval(CLI::App& app, Action& chosen);
void add_diagnose(CLI::App& app, Action& chosen);
void add_predict(CLI::App& app, Action& chosen);
void add_convert(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);

// Options that several verbs share; each call binds them to the verb's own values.
void add_model_options(CLI::App& verb, ModelOptions& options);
void add_text_options(CLI::App& verb, EvaluationText& options);
void add_calibration_options(CLI::App& verb, CalibrationText& options);
void add_treatment_option(CLI::App& verb, std::string& treatment);
void add_treatments_option(CLI::App& verb, std::vector<std::string>& treatments);
void add_method_options(CLI::App& verb, std::string& method, std::int64_t& top, std::uint64_t& seed);
void add_sensitivity_options(CLI::App& verb, SweepOptions& options);
// What says which questions: --task and what goes with it; returns --task.
CLI::Option* add_task_options(CLI::App& verb, EvalOptions& options);
void add_linears_option(CLI::App& verb, std::string& linears);
void add_json_option(CLI::App& verb, std::string& json);
void add_output_folder_option(CLI::App& verb, std::filesystem::path& folder);

// Prints the report as text on stdout, or the JSON document where `json` is "-"; writes it to the file that
// it names else.
void show(const Envelope& envelope, const std::string& json);

}  // namespace assay::cli
