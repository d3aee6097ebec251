// The verb compare calibration: methods calibrated on different texts and amounts, measured on several texts.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "analyze/calibration_contrasts.h"
#include "base/error.h"
#include "base/rng.h"
#include "measure/input_audits.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "measure/task_answers.h"
#include "text/builtin_text.h"
#include "text/windows.h"
#include "workflow/calibrated_model.h"
#include "workflow/calibration.h"
#include "workflow/other_models.h"
#include "workflow/posed_task.h"
#include "workflow/tokenizer_files.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

constexpr std::string_view kRandomTokens = "random";
constexpr std::uint64_t kEvaluationSeed = 1;  // of the windows of held-out documents

// One choice of windows.
struct CalibrationChoice {
    std::string set;
    std::int64_t samples = 0;
    std::int64_t length = 0;  // of a window
    std::uint64_t seed = 0;
    std::vector<EvaluationWindow> windows;

    // What sets are compared with, not one of the first set's other amounts.
    bool is_usual(const CalibrationText& usual) const {
        return samples == usual.samples && length == usual.length;
    }
};

struct EvaluatedText {
    std::string name;
    std::vector<EvaluationWindow> windows;
};

class CalibrationComparison {
  public:
    CalibrationComparison(const CalibrationOptions& options, Progress& progress, const CancelToken& cancel)
        : options_(options), session_(options.model, progress, cancel), tokenizer_(session_.tokenizer()) {
        for (const std::string& text : options.treatments) {
            treatments_.push_back(parse_treatment(text));
            if (!is_calibrated(treatments_.back()) || treatments_.back().activations) {
                throw InvalidArgument(to_string(treatments_.back()) +
                                      ": methods that choose weights by calibration text are compared");
            }
        }
        if (options.seeds < 1) throw InvalidArgument("--seeds is a number of draws, at least 1");
        if (!options.task.task.empty()) {
            EvalOptions task = options.task;
            if (task.task == "continuation") task.text = options.text.text;
            task.seed = options.seed;
            posed_ = pose_task(session_, task, load_task(task));
            session_.set("task_windows_sha256", windows_sha256(posed_->text.windows));
        }
        items_ = block_linears(session_.model(), session_.select_items(""));
    }

    Envelope run() {
        add_texts();
        add_choices();
        note_settings();
        session_.prepare(work());
        CompareCalibrationResult result;
        for (const EvaluatedText& text : texts_) {
            EvaluationOutcome outcome{.text = text.name};
            result.references.push_back(std::move(outcome));
        }
        if (posed_) ask_reference(result);
        for (const Treatment& treatment : treatments_) {
            for (const CalibrationChoice& choice : choices_)
                result.runs.push_back(measure(treatment, choice, result));
        }
        CalibrationContrasts contrasts = contrast_sets(result.runs);
        result.contrasts = std::move(contrasts.damage);
        if (posed_) result.accuracy_contrasts = std::move(contrasts.accuracy);
        result.audits = audits();
        return session_.finish(std::move(result));
    }

  private:
    // The text that is asked for, and documents of the built-in sets that nothing is calibrated on.
    void add_texts() {
        const Evaluation own = session_.evaluation(options_.text);
        texts_.push_back(
            {options_.text.text ? options_.text.text->string() : std::string(builtin_evaluation_text_name()),
             own.windows});
        for (const std::string& set : options_.sets) {
            const auto builtin = builtin_calibration_texts();
            if (std::none_of(builtin.begin(), builtin.end(), [&](const auto& t) { return t.name == set; }))
                continue;
            CalibrationText asked{.set = set,
                                  .samples = std::ssize(own.windows),
                                  .length = longest_window(own.windows),
                                  .seed = kEvaluationSeed};
            auto built =
                build_calibration(session_.model(), tokenizer_, asked, own.windows, Documents::kHeldOut);
            for (EvaluationWindow& w : built.windows) w.context = own.windows.front().context;
            texts_.push_back({set + ", held-out documents", std::move(built.windows)});
        }
    }

    void add_choices() {
        const std::int64_t own_samples = options_.calibration.samples,
                           own_length = options_.calibration.length;
        for (const std::string& set : options_.sets) add_choice(set, own_samples, own_length);
        for (std::int64_t samples : options_.counts) {
            if (samples != own_samples) add_choice(options_.sets.front(), samples, own_length);
        }
        for (std::int64_t length : options_.lengths) {
            if (length == own_length) continue;
            const std::int64_t as_many = std::max<std::int64_t>(1, own_samples * own_length / length);
            add_choice(options_.sets.front(), as_many, length);
        }
    }

    void add_choice(const std::string& set, std::int64_t samples, std::int64_t length) {
        for (std::int64_t s = 0; s < options_.seeds; ++s) {
            CalibrationText asked = options_.calibration;
            asked.set = set;
            asked.samples = samples;
            asked.length = length;
            asked.seed = options_.seed + static_cast<std::uint64_t>(s);
            choices_.push_back({set, samples, length, asked.seed, windows_of(asked)});
        }
    }

    std::vector<EvaluationWindow> windows_of(const CalibrationText& asked) {
        if (asked.set == kRandomTokens) return random_windows(asked);
        const auto built = build_calibration(session_.model(), tokenizer_, asked, texts_.front().windows,
                                             Documents::kLearned);
        for (const auto& file : built.files) session_.add_input(file);
        for (const auto& warning : built.record.warnings) {
            session_.engine().progress.note(
                fmt::format("calibration on {}, {} windows: {}", asked.set, asked.samples, warning.text));
        }
        return built.windows;
    }

    // Tokens that have nothing to do with each other, all as likely.
    std::vector<EvaluationWindow> random_windows(const CalibrationText& asked) {
        const auto vocabulary = static_cast<std::uint64_t>(session_.model().config().vocabulary);
        const std::int64_t length = std::min(asked.length, session_.model().config().max_positions);
        Rng rng(asked.seed);
        std::vector<EvaluationWindow> out(static_cast<std::size_t>(asked.samples));
        for (EvaluationWindow& w : out) {
            for (std::int64_t t = 0; t < length; ++t)
                w.tokens.push_back(static_cast<std::int32_t>(rng.below(vocabulary)));
        }
        return out;
    }

    void note_settings() {
        Json names = Json::array();
        for (const Treatment& t : treatments_) names.push_back(to_string(t));
        session_.set("treatments", names);
        session_.set("sets", options_.sets);
        session_.set("samples", options_.calibration.samples);
        session_.set("counts", options_.counts);
        session_.set("length", options_.calibration.length);
        session_.set("lengths", options_.lengths);
        session_.set("seeds", options_.seeds);
        session_.set("seed", options_.seed);
    }

    std::vector<Workload> work() {
        std::vector<Workload> out;
        const std::size_t calibrations = treatments_.size() * choices_.size();
        const std::vector<Run> one{{&session_.model(), nullptr}};
        if (posed_) out.assign(calibrations + 1, task_workload(*posed_, one));
        for (const Treatment& treatment : treatments_) {
            for (const CalibrationChoice& choice : choices_) {
                const auto own = calibration_work(session_, treatment, choice.windows);
                out.insert(out.end(), own.begin(), own.end());
                for (const EvaluatedText& text : texts_)
                    out.push_back({&session_.model(), 2, {}, text.windows});
            }
        }
        return out;
    }

    CalibrationRun measure(const Treatment& treatment, const CalibrationChoice& choice,
                           CompareCalibrationResult& result) {
        const auto start = std::chrono::steady_clock::now();
        session_.engine().progress.note(fmt::format("{} on {}, {} windows of {}, seed {}",
                                                    to_string(treatment), choice.set, choice.samples,
                                                    choice.length, choice.seed));
        const TreatedModel treated = treat_model(session_, treatment, choice.windows, choice.seed,
                                                 fmt::format("weights-{}", treated_++));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        CalibrationRun run{.treatment = to_string(treatment),
                           .set = choice.set,
                           .samples = std::ssize(choice.windows),
                           .length = longest_window(choice.windows),
                           .seed = static_cast<std::int64_t>(choice.seed),
                           .seconds = took.count(),
                           .evaluations = {},
                           .task = {}};
        const std::vector<Run> runs{{&session_.model(), nullptr}, {&session_.model(), treated.weights.get()}};
        for (std::size_t e = 0; e < texts_.size(); ++e) {
            const auto scores = measure_runs(session_.engine(), texts_[e].windows, runs, {});
            run.evaluations.push_back(outcome_of(texts_[e].name, scores[0].blocks, scores[1].blocks));
            if (result.references[e].blocks.empty())
                result.references[e] = outcome_of(texts_[e].name, scores[0].blocks, scores[0].blocks);
        }
        if (posed_) run.task = task_outcome(posed_->loaded.task, reference_answers_, answers_of(runs[1]));
        return run;
    }

    std::vector<Answer> answers_of(const Run& run) {
        const auto scores = ask(session_.engine(), *posed_, std::span(&run, 1));
        return answers(posed_->loaded.task, posed_->loaded.metric, scores.front().blocks);
    }

    void ask_reference(CompareCalibrationResult& result) {
        reference_answers_ = answers_of({&session_.model(), nullptr});
        result.task = task_baseline(posed_->loaded.task, posed_->loaded.metric, reference_answers_);
    }

    EvaluationOutcome outcome_of(const std::string& text, const std::vector<BlockSums>& reference,
                                 const std::vector<BlockSums>& own) const {
        const DamageSummary damage = summarize_damage(reference, own, options_.seed);
        return {.text = text,
                .ppl = std::exp(mean_nll(own)),
                .kl = damage.kl,
                .kl_ci95 = damage.kl_ci95,
                .top1_agreement = damage.top1_agreement,
                .blocks = own};
    }

    // Of the first seed of each set, beside the evaluation texts.
    std::vector<InputAudit> audits() {
        const Engine engine = session_.engine();
        std::vector<std::vector<InputSpan>> evaluated;
        for (const EvaluatedText& text : texts_)
            evaluated.push_back(measure_input_spans(session_.model(), engine, text.windows, items_));
        std::vector<InputAudit> out;
        for (const CalibrationChoice& choice : choices_) {
            if (choice.seed != options_.seed || !choice.is_usual(options_.calibration)) continue;
            const auto spans = measure_input_spans(session_.model(), engine, choice.windows, items_);
            for (std::size_t i = 0; i < spans.size(); ++i) {
                out.push_back({.linear = session_.model().items()[spans[i].input.items.front()].name,
                               .set = choice.set,
                               .inputs = std::ssize(spans[i].energy),
                               .positions = spans[i].positions,
                               .effective_rank = spans[i].effective_rank,
                               .energy_overlap = {}});
                for (const auto& text : evaluated)
                    out.back().energy_overlap.push_back(overlap(spans[i].energy, text[i].energy));
            }
        }
        return out;
    }

    static double overlap(const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0;
        for (std::size_t c = 0; c < a.size(); ++c) sum += std::min(a[c], b[c]);
        return sum;
    }

    const CalibrationOptions& options_;
    Session session_;
    Tokenizer tokenizer_;
    std::vector<Treatment> treatments_;
    std::vector<std::size_t> items_;
    std::vector<EvaluatedText> texts_;
    std::vector<CalibrationChoice> choices_;
    std::optional<PosedTask> posed_;         // where a task is asked for
    std::vector<Answer> reference_answers_;  // of the model as it is
    std::size_t treated_ = 0;
};

}  // namespace

Envelope compare_calibration(const CalibrationOptions& options, Progress& progress,
                             const CancelToken& cancel) {
    return CalibrationComparison(options, progress, cancel).run();
}

}  // namespace assay
