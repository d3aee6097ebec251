// One run of a verb: the model, the engine, the windows, and the envelope that its result goes into.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measure/run_cost.h"
#include "model/model_files.h"
#include "model/pass.h"
#include "records/envelope.h"
#include "text/tokenizer.h"
#include "workflow/calibration.h"
#include "workflow/evaluation.h"
#include "workflow/options.h"

namespace assay {

class Session {
  public:
    Session(const ModelOptions& options, Progress& progress, const CancelToken& cancel);

    const ModelFiles& files() const { return files_; }
    const Model& model();  // loaded at the first call
    // Throws FormatError where there is none, or one that does not belong to the model.
    Tokenizer tokenizer();
    Engine engine() { return {*backend_, pool_, progress_, cancel_, limits_, &meter_, parts_.get()}; }

    // Before long work, when all settings are known: limits that keep all of it within the memory asked for,
    // a line with the predicted time and memory, and what an interrupted run of the same command had
    // finished. Throws InvalidArgument where the memory is too little.
    void prepare(const std::vector<Workload>& work);

    // Measures how far rounding alone moves the predictions, and remembers it for the envelope; 0 for the
    // reference backend, whose rounding is far below any damage.
    double measure_noise(std::span<const EvaluationWindow> windows);

    // The windows that `options` ask for, checked against the model; remembers them for the envelope.
    // Throws InvalidArgument for options that do not go together.
    Evaluation evaluation(const EvaluationText& options);

    // Calibration windows as `options` ask for them, beside the windows that will be measured on (none: the
    // built-in text), which they should not overlap. Notes what is wrong with them, and remembers where they
    // come from for the envelope.
    std::vector<EvaluationWindow> calibration(const CalibrationText& options,
                                              std::span<const EvaluationWindow> evaluation = {});

    // Indexes of the items whose names contain a match of the regular expression (empty: all).
    // Throws InvalidArgument for a bad expression or no match.
    std::vector<std::size_t> select_items(const std::string& expression);

    // From here on time is this part's, until the next one begins; the envelope's cost lists them.
    void begin_part(const std::string& name);

    // After prepare(): a folder for what only the same command can use when it runs again, removed when it
    // has its result; empty where nothing is kept.
    std::filesystem::path kept_folder(const std::string& kind) const {
        return kept_.empty() ? kept_ : kept_ / kind;
    }

    void add_input(const std::filesystem::path& file) { inputs_.push_back(file); }
    void set(const std::string& name, Json value) { settings_[name] = std::move(value); }

    // Wraps a result with settings, input hashes and the time since the session began.
    Envelope finish(Result result);

  private:
    std::optional<RunCost> cost() const;
    void end_part();
    std::string run_name(const std::vector<Workload>& work) const;
    Evaluation evaluation_of_ids(const EvaluationText& options);
    Evaluation evaluation_of_text(const EvaluationText& options);

    ModelOptions options_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    ThreadPool pool_;
    std::unique_ptr<compute::Backend> backend_;
    Progress& progress_;
    const CancelToken& cancel_;
    ModelFiles files_;
    std::unique_ptr<Model> model_;
    std::vector<std::filesystem::path> inputs_;
    Json settings_ = Json::object();
    MemoryLimits limits_;
    PassMeter meter_;
    RunCost predicted_;
    std::vector<PartCost> finished_;  // the last one still runs
    std::chrono::steady_clock::time_point part_start_;
    std::optional<NoiseFloor> noise_;
    std::optional<CalibrationRecord> calibration_;
    std::unique_ptr<PartCache> parts_;  // null: nothing is kept
    std::filesystem::path kept_;
};

// The backend that the options choose. Throws InvalidArgument for an unknown one, Error where the processor
// lacks what it needs.
std::unique_ptr<compute::Backend> make_backend(const ModelOptions& options, ThreadPool& pool);

// Bytes for `gib` GiB; 0: what the process has and four fifths of what the machine has left.
std::int64_t memory_budget(double gib);

// Hex SHA-256 of a file, with progress.
std::string file_sha256(const std::filesystem::path& path, Progress& progress, const CancelToken& cancel);

}  // namespace assay
