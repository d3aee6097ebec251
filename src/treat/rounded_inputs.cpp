#include "treat/rounded_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "measure/damage_estimate.h"
#include "measure/output_errors.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "measure/treatment_scores.h"
#include "quantize/smoothing.h"
#include "treat/input_ranges.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using Windows = std::vector<EvaluationWindow>;
using Alphas = std::vector<std::optional<double>>;  // by input; none: not smoothed
using Overlay = std::unique_ptr<RoundedInputs>;

constexpr double kTopInt8 = 127, kTopE4m3 = 448;
constexpr std::size_t kAlphaCount = std::size(kSearchedAlphas);

// Every second window, from `first` on; the only one where there is no other.
Windows every_second(std::span<const EvaluationWindow> windows, std::size_t first) {
    Windows some;
    for (std::size_t w = windows.size() > 1 ? first : 0; w < windows.size(); w += 2)
        some.push_back(windows[w]);
    return some;
}

std::vector<float> divided(std::vector<float> ranges, std::span<const float> divisors) {
    for (std::size_t c = 0; c < divisors.size(); ++c) ranges[c] /= divisors[c];
    return ranges;
}

class InputCalibration {
  public:
    InputCalibration(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                     std::span<const std::size_t> items)
        : model_(model),
          engine_(engine),
          items_(items.begin(), items.end()),
          held_out_(every_second(windows, 1)),
          inputs_(folded_inputs(model, items)),
          seen_(input_ranges(model, engine, every_second(windows, 0), inputs_)),
          all_(input_ranges(model, engine, held_out_, inputs_)) {
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            for (std::size_t c = 0; c < all_[i].channel_max.size(); ++c)
                all_[i].channel_max[c] = std::max(all_[i].channel_max[c], seen_[i].channel_max[c]);
            if (windows.size() > 1) all_[i].positions += seen_[i].positions;
            linears_.insert(linears_.end(), inputs_[i].linears.begin(), inputs_[i].linears.end());
        }
    }

    Overlay treat(const Treatment& treatment) {
        if (!treatment.activations)
            throw InvalidArgument(to_string(treatment) + " leaves inputs as they are");
        if (treatment.method == "smooth" && weights_.empty()) {
            for (const FoldedInput& input : inputs_) weights_.push_back(weight_ranges(model_, input));
        }
        const Alphas alphas = alphas_of(treatment);
        Overlay treated = overlay(treatment, alphas, all_);
        treated->set_reports(reports(treatment, alphas, *treated));
        return treated;
    }

  private:
    bool folds(std::size_t input) const { return inputs_[input].fold.obstacle.empty(); }

    // The same α for every input that its source can take up.
    Alphas everywhere(double alpha) const {
        Alphas alphas(inputs_.size());
        for (std::size_t i = 0; i < alphas.size(); ++i) {
            if (folds(i)) alphas[i] = alpha;
        }
        return alphas;
    }

    InputSetting setting(const Treatment& treatment, std::size_t input, std::optional<double> alpha,
                         const InputRange& range) const {
        InputSetting out;
        if (alpha) {
            std::vector<float> x = range.channel_max, w = weights_[input];
            share_rows(inputs_[input].fold, x);
            share_rows(inputs_[input].fold, w);
            out.divisors = smoothing_scales(x, w, *alpha);
        }
        if (treatment.activations->per_token) return out;
        const std::vector<float> ranges = divided(range.channel_max, out.divisors);
        const bool int8 = treatment.activations->element == ActivationFormat::Element::kInt8;
        out.scale = static_cast<float>(static_cast<double>(*std::max_element(ranges.begin(), ranges.end())) /
                                       (int8 ? kTopInt8 : kTopE4m3));
        return out;
    }

    // Treats all linears of the inputs.
    Overlay overlay(const Treatment& treatment, const Alphas& alphas,
                    std::span<const InputRange> ranges) const {
        std::map<std::string, std::shared_ptr<const InputSetting>, std::less<>> settings;
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            const auto shared =
                std::make_shared<const InputSetting>(setting(treatment, i, alphas[i], ranges[i]));
            for (std::size_t item : inputs_[i].linears) settings[model_.items()[item].name] = shared;
        }
        return std::make_unique<RoundedInputs>(treatment, std::move(settings));
    }

    Alphas alphas_of(const Treatment& treatment) const {
        if (treatment.method != "smooth") return Alphas(inputs_.size());
        if (option(treatment, "search") == 0) return everywhere(option(treatment, "alpha"));
        std::array<Overlay, kAlphaCount> tried;
        for (std::size_t a = 0; a < kAlphaCount; ++a)
            tried[a] = overlay(treatment, everywhere(kSearchedAlphas[a]), seen_);
        if (is_set(treatment, "one-alpha")) return least_damage(tried);
        return is_set(treatment, "scored") ? least_scores(tried) : least_errors(tried);
    }

    // The α of the least mean KL.
    Alphas least_damage(std::span<const Overlay> tried) const {
        std::vector<Run> runs{{&model_, nullptr}};
        for (const Overlay& overlay : tried) runs.push_back({&model_, overlay.get()});
        const std::vector<RunScores> scores = measure_runs(engine_, held_out_, runs, {});
        std::size_t best = 0;
        for (std::size_t a = 1; a < tried.size(); ++a) {
            if (mean_kl(scores[a + 1].blocks) < mean_kl(scores[best + 1].blocks)) best = a;
        }
        return everywhere(kSearchedAlphas[best]);
    }

    // Of each input the α of the least sum of squared relative errors.
    Alphas least_errors(std::span<const Overlay> tried) const {
        std::vector<const WeightOverlay*> overlays;
        for (const Overlay& overlay : tried) overlays.push_back(overlay.get());
        const auto errors = output_errors(model_, engine_, held_out_, linears_, overlays);
        return least_sums([&](std::size_t l, std::size_t a) { return errors[l][a] * errors[l][a]; });
    }

    // Of each input the α of the least sum of its linears' scored damages.
    Alphas least_scores(std::span<const Overlay> tried) const {
        ScoreOptions options{.items = linears_, .treatments = {}};
        for (const Overlay& overlay : tried) options.treatments.push_back(overlay.get());
        const ScoreResult scored = score_treatments(model_, engine_, held_out_, options);
        return least_sums([&](std::size_t l, std::size_t a) {
            return estimate_damage(scored, scored.scores[l * kAlphaCount + a].sums).kl;
        });
    }

    // Of each input the α whose loss, summed over the linears that read it, is least; loss(l, a) is that of
    // linears_[l] under kSearchedAlphas[a].
    template <class Loss>
    Alphas least_sums(const Loss& loss) const {
        Alphas alphas(inputs_.size());
        std::size_t linear = 0;
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            std::array<double, kAlphaCount> sums{};
            for (std::size_t l = 0; l < inputs_[i].linears.size(); ++l, ++linear) {
                for (std::size_t a = 0; a < kAlphaCount; ++a) sums[a] += loss(linear, a);
            }
            const auto least = std::min_element(sums.begin(), sums.end()) - sums.begin();
            if (folds(i)) alphas[i] = kSearchedAlphas[least];
        }
        return alphas;
    }

    std::vector<CalibratedLinear> reports(const Treatment& treatment, const Alphas& alphas,
                                          const RoundedInputs& treated) const {
        const Overlay plain = overlay(treatment, Alphas(inputs_.size()), seen_),
                      smoothed = overlay(treatment, alphas, seen_);
        std::vector<const WeightOverlay*> overlays{plain.get()};
        if (treatment.method == "smooth") overlays.push_back(smoothed.get());
        const auto errors = output_errors(model_, engine_, held_out_, linears_, overlays);
        std::vector<CalibratedLinear> reports;
        std::size_t row = 0;
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            for (std::size_t item : inputs_[i].linears) {
                const std::vector<double>& own = errors[row++];
                if (std::find(items_.begin(), items_.end(), item) == items_.end()) continue;
                CalibratedLinear report =
                    report_of(treatment, i, model_.items()[item].name, alphas[i], treated);
                report.input->output_error = own.front();
                if (alphas[i]) report.input->smoothed_output_error = own.back();
                if (report.fallback)
                    engine_.progress.note(fmt::format("{}: {}", report.name, *report.fallback));
                reports.push_back(std::move(report));
            }
        }
        return reports;
    }

    CalibratedLinear report_of(const Treatment& treatment, std::size_t i, const std::string& name,
                               std::optional<double> alpha, const RoundedInputs& treated) const {
        const std::vector<float>& ranges = all_[i].channel_max;
        const InputSetting& setting = treated.setting(name);
        CalibratedLinear report{.name = name,
                                .treatment = to_string(treatment),
                                .positions = all_[i].positions,
                                .dead_columns = std::count(ranges.begin(), ranges.end(), 0.0f),
                                .error_ratio = std::nullopt,
                                .fallback = std::nullopt,
                                .input = RoundedInputRecord{.max_over_mean = max_over_mean(ranges),
                                                            .alpha = alpha,
                                                            .smoothed_max_over_mean = std::nullopt,
                                                            .smoothed_output_error = std::nullopt,
                                                            .scale = std::nullopt,
                                                            .obstacle = std::nullopt}};
        if (alpha) report.input->smoothed_max_over_mean = max_over_mean(divided(ranges, setting.divisors));
        if (setting.scale > 0) report.input->scale = setting.scale;
        if (treatment.method == "smooth" && !folds(i)) report.input->obstacle = inputs_[i].fold.obstacle;
        if (!treatment.activations->per_token && !(setting.scale > 0))
            report.fallback = "its input is 0 at all calibration positions: each position has its own scale";
        return report;
    }

    const Model& model_;
    const Engine& engine_;
    std::vector<std::size_t> items_;
    Windows held_out_;
    std::vector<FoldedInput> inputs_;
    std::vector<InputRange> seen_, all_;       // ranges on the windows that are not held out, on all
    std::vector<std::vector<float>> weights_;  // their ranges; of smoothing
    std::vector<std::size_t> linears_;         // of all inputs, in their order
};

}  // namespace

compute::RoundedLinear RoundedInputs::rounded(const LinearItem& item, MatrixView<const float> w) const {
    const InputSetting& own = *settings_.find(item.name)->second;
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    Matrix<float> scaled(w.rows(), w.cols());
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c)
            scaled.view()(r, c) =
                own.divisors.empty() ? w(r, c) : w(r, c) * own.divisors[static_cast<std::size_t>(c)];
    }
    compute::RoundedLinear out = round_linear(treatment_, item, scaled.view(), own_thread);
    out.input.divisors = own.divisors;
    out.input.scale = own.scale;
    return out;
}

std::vector<std::unique_ptr<RoundedInputs>> calibrate_inputs(const Model& model, const Engine& engine,
                                                             std::span<const EvaluationWindow> calibration,
                                                             std::span<const std::size_t> items,
                                                             std::span<const Treatment> treatments) {
    if (calibration.empty()) throw InvalidArgument("a calibrated treatment needs calibration windows");
    if (items.empty()) throw InvalidArgument("a calibrated treatment needs linears to treat");
    InputCalibration inputs(model, engine, calibration, items);
    std::vector<std::unique_ptr<RoundedInputs>> treated;
    for (const Treatment& treatment : treatments) treated.push_back(inputs.treat(treatment));
    return treated;
}

}  // namespace assay
