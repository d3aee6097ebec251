#include "workflow/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/resident.h"
#include "base/sha256.h"
#include "measure/noise_floor.h"
#include "text/builtin_text.h"
#include "text/windows.h"
#include "workflow/tokenizer_files.h"

namespace assay {
namespace {

constexpr compute::CpuOptions kBf16{.precision = compute::Precision::kBf16};

// What rounding is measured against: f32 for bf16, other kernels (and so another order of sums) for f32.
std::unique_ptr<compute::Backend> make_other_backend(const compute::Backend& own, ThreadPool& pool) {
    const bool bf16 = own.weight_bytes() == 2;
    return compute::make_cpu_backend(
        pool, {.kernels = bf16 ? compute::CpuKernels::kBest : compute::CpuKernels::kAvx2ShortSums});
}

}  // namespace

std::unique_ptr<compute::Backend> make_backend(const ModelOptions& options, ThreadPool& pool) {
    const std::string &name = options.backend, &precision = options.precision;
    if (precision != "f32" && precision != "bf16" && precision != "auto")
        throw InvalidArgument("--precision " + precision + " is unknown; auto, f32 and bf16 exist");
    if (name == "reference") {
        if (precision == "bf16")
            throw InvalidArgument("--backend reference computes in float64, not in bf16");
        return compute::make_reference_backend();
    }
    if (name != "cpu") throw InvalidArgument("--backend " + name + " is unknown; cpu and reference exist");
    const bool bf16 = precision == "bf16" || (precision == "auto" && compute::cpu_supports(kBf16));
    return compute::make_cpu_backend(pool, bf16 ? kBf16 : compute::CpuOptions{});
}

std::int64_t memory_budget(double gib) {
    if (gib > 0) return static_cast<std::int64_t>(gib * (1 << 30));
    const std::int64_t available = available_bytes();
    return available > 0 ? resident_bytes() + available / 5 * 4 : std::int64_t{8} << 30;
}

std::string file_sha256(const std::filesystem::path& path, Progress& progress, const CancelToken& cancel) {
    constexpr std::size_t kPiece = std::size_t{64} << 20;
    const auto file = MappedFile::open(path);
    auto bytes = file->bytes();
    Sha256 hash;
    progress.begin("hashing " + path.filename().string(), bytes.size());
    while (!bytes.empty()) {
        const std::size_t n = std::min(kPiece, bytes.size());
        hash.update(bytes.first(n));
        file->release(bytes.first(n));
        bytes = bytes.subspan(n);
        progress.advance(n);
        cancel.check();
    }
    progress.end();
    return hash.hex();
}

Session::Session(const ModelOptions& options, Progress& progress, const CancelToken& cancel)
    : options_(options),
      pool_(options.threads),
      backend_(make_backend(options, pool_)),
      progress_(progress),
      cancel_(cancel),
      files_(open_model_files(options.model)),
      inputs_(files_.files) {
    settings_["model"] = options.model.string();
    settings_["threads"] = pool_.threads();
    settings_["backend"] = backend_->description();
}

const Model& Session::model() {
    if (model_ == nullptr) model_ = std::make_unique<Model>(load_model(files_));
    return *model_;
}

Tokenizer Session::tokenizer() {
    Tokenizer tokenizer = load_tokenizer(files_);
    if (tokenizer.vocabulary_size() > model().config().vocabulary) {
        throw FormatError(fmt::format(
            "{}: its tokenizer has {} tokens, its embedding only {} rows; they do not belong together",
            files_.path.string(), tokenizer.vocabulary_size(), model().config().vocabulary));
    }
    return tokenizer;
}

Evaluation Session::evaluation(const EvaluationText& options) {
    check_evaluation_text(options);
    Evaluation evaluation = options.ids ? evaluation_of_ids(options) : evaluation_of_text(options);
    const std::int64_t longest = longest_window(evaluation.windows);
    if (longest > model().config().max_positions) {
        throw InvalidArgument(fmt::format(
            "a window of {} tokens is longer than the model's context of {}; use a shorter --window", longest,
            model().config().max_positions));
    }
    settings_["protocol"] = evaluation.protocol;
    settings_["window"] = longest;
    settings_["windows"] = evaluation.windows.size();
    if (evaluation.stride)
        settings_["stride"] = *evaluation.stride;
    else
        settings_["context"] = evaluation.windows.front().context;
    settings_["windows_sha256"] = windows_sha256(evaluation.windows);
    return evaluation;
}

Evaluation Session::evaluation_of_ids(const EvaluationText& options) {
    Evaluation evaluation{
        parse_ids(read_file(*options.ids), options.ids->string(), model().config().vocabulary)};
    auto& windows = evaluation.windows;
    if (options.max_windows > 0 && windows.size() > static_cast<std::size_t>(options.max_windows))
        windows.resize(static_cast<std::size_t>(options.max_windows));
    for (EvaluationWindow& window : windows) window.context = options.context;
    add_input(*options.ids);
    settings_["text"] = "ids of " + options.ids->string();
    return evaluation;
}

Evaluation Session::evaluation_of_text(const EvaluationText& options) {
    const Tokenizer own_tokenizer = tokenizer();
    std::string own;
    if (options.text) {
        own = read_file(*options.text);
        add_input(*options.text);
    }
    settings_["text"] = options.text ? options.text->string() : std::string(builtin_evaluation_text_name());
    try {
        Evaluation evaluation =
            evaluate_text(own_tokenizer, options.text ? std::string_view(own) : builtin_evaluation_text(),
                          options, model().config().max_positions);
        settings_["bos_per_window"] = evaluation.bos_per_window;
        return evaluation;
    } catch (const FormatError& e) {
        throw FormatError(
            fmt::format("{}: {}", options.text ? options.text->string() : "the built-in text", e.what()));
    }
}

std::vector<EvaluationWindow> Session::calibration(const CalibrationText& options,
                                                   std::span<const EvaluationWindow> evaluation) {
    Calibration built = build_calibration(model(), load_tokenizer(files_), options, evaluation);
    for (const auto& file : built.files) add_input(file);
    const CalibrationRecord& record = built.record;
    settings_["calibration"] = options.set;
    settings_["calibration_field"] = options.field;
    settings_["samples"] = options.samples;
    settings_["length"] = options.length;
    settings_["seed"] = options.seed;
    settings_["calibration_sha256"] = record.windows_sha256;
    if (record.length < record.length_asked) {
        progress_.note(fmt::format("calibration windows have {} tokens, the model's context, not {}",
                                   record.length, record.length_asked));
    }
    for (const auto& warning : record.warnings) progress_.note(fmt::format("calibration: {}", warning.text));
    calibration_ = std::move(built.record);
    return std::move(built.windows);
}

std::vector<std::size_t> Session::select_items(const std::string& expression) {
    std::vector<std::size_t> selected;
    try {
        const std::regex pattern(expression);
        const auto& items = model().items();
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (std::regex_search(items[i].name, pattern)) selected.push_back(i);
        }
    } catch (const std::regex_error& e) {
        throw InvalidArgument(
            fmt::format("--linears '{}' is not a regular expression: {}", expression, e.what()));
    }
    if (selected.empty()) {
        throw InvalidArgument(fmt::format("--linears '{}' matches none of the model's {} linears, such as {}",
                                          expression, model().items().size(), model().items().front().name));
    }
    settings_["linears"] = expression;
    return selected;
}

void Session::prepare(const std::vector<Workload>& work) {
    return_freed_memory();
    const std::int64_t budget = memory_budget(options_.memory);
    settings_["memory"] = options_.memory;
    std::int64_t most = 0;
    limits_ = {};
    for (const Workload& w : work) {
        const MemoryLimits own = fit_memory(w, *backend_, pool_.threads(), budget);
        limits_.state_bytes = std::min(limits_.state_bytes, own.state_bytes);
        limits_.head_bytes = std::min(limits_.head_bytes, own.head_bytes);
        limits_.chunk_rows = std::min(limits_.chunk_rows, own.chunk_rows);
    }
    if (!options_.cache.empty()) {
        const std::string name = run_name(work);
        parts_ = std::make_unique<PartCache>(options_.cache, name);
        kept_ = options_.cache / ("files-" + sha256_hex(std::as_bytes(std::span(name.data(), name.size()))));
    }
    const Rates rates = measure_rates(*work.front().model, engine(), longest_window(work.front().windows));
    for (const Workload& w : work) {
        most = std::max(most, memory_need(w, *backend_, pool_.threads(), limits_).total());
        predicted_.predicted_seconds += predict_seconds(w, rates, limits_, *backend_);
    }
    predicted_.predicted_bytes = static_cast<double>(most);
    progress_.note(fmt::format("predicted: about {:.0f} s and at most {:.2f} GiB of memory",
                               predicted_.predicted_seconds, predicted_.predicted_bytes / (1 << 30)));
}

// Everything that the numbers of a run depend on: the program, the inputs (by size and time of change:
// hashing them takes longer), the settings but those that change no bit, and what is measured.
std::string Session::run_name(const std::vector<Workload>& work) const {
    Json settings = settings_;
    for (const char* name : {"threads", "memory"}) settings.erase(name);
    std::string name = settings.dump();
    std::vector<std::filesystem::path> files = inputs_;
    files.emplace_back("/proc/self/exe");
    for (const auto& file : files) {
        std::error_code missing;
        name +=
            fmt::format(" {} {} {}", file.string(), std::filesystem::file_size(file, missing),
                        std::filesystem::last_write_time(std::filesystem::canonical(file, missing), missing)
                            .time_since_epoch()
                            .count());
    }
    for (const Workload& w : work)
        name += fmt::format(" {} {} {}", w.runs, fmt::join(w.forks, ","), w.scored);
    return name;
}

std::optional<RunCost> Session::cost() const {
    if (meter_.blocks == 0) return std::nullopt;
    const double seconds = meter_.disk_seconds + meter_.load_seconds + meter_.compute_seconds;
    RunCost cost = predicted_;
    cost.peak_bytes = static_cast<double>(peak_resident_bytes());
    cost.blocks = meter_.blocks;
    cost.seconds_per_block = seconds / static_cast<double>(meter_.blocks);
    cost.disk_share = meter_.disk_seconds / seconds;
    cost.load_share = meter_.load_seconds / seconds;
    if (!finished_.empty()) cost.parts = finished_;
    return cost;
}

void Session::begin_part(const std::string& name) {
    end_part();
    finished_.push_back({name, 0});
    part_start_ = std::chrono::steady_clock::now();
}

void Session::end_part() {
    if (finished_.empty()) return;
    finished_.back().seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - part_start_).count();
}

double Session::measure_noise(std::span<const EvaluationWindow> windows) {
    if (options_.backend == "reference") return 0;
    if (noise_) return noise_->kl;
    const auto other = make_other_backend(*backend_, pool_);
    NoiseFloor noise{measure_noise_floor(model(), engine(), *other, windows), backend_->description(),
                     other->description()};
    progress_.note(fmt::format("noise floor: KL {:.2g} nats per token ({} beside {})", noise.kl,
                               noise.backend, noise.against));
    noise_ = noise;
    return noise.kl;
}

Envelope Session::finish(Result result) {
    end_part();
    Envelope envelope;
    envelope.noise_floor = noise_;
    envelope.calibration = calibration_;
    envelope.settings = settings_;
    envelope.cost = cost();
    if (parts_) parts_->remove();
    std::error_code ignored;
    if (!kept_.empty()) std::filesystem::remove_all(kept_, ignored);
    const CancelToken not_any_more;  // the result is there: an interrupt now must not lose it
    for (const auto& path : inputs_)
        envelope.inputs.push_back({path.string(), file_sha256(path, progress_, not_any_more)});
    envelope.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    envelope.result = std::move(result);
    return envelope;
}

}  // namespace assay
