#include "analyze/screening.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <optional>
#include <utility>

#include "analyze/paired_gain.h"
#include "base/error.h"
#include "base/rng.h"
#include "measure/activations.h"
#include "measure/treatment_scores.h"
#include "quantize/interventions.h"
#include "stats/false_discovery.h"

namespace assay {
namespace {

constexpr std::int64_t kNullRows = 128;  // of the Gaussian numbers

// One change of all linears, each with its own channels kept.
class ScreenOverlay final : public WeightOverlay {
  public:
    using KeptColumns = std::map<std::string, std::vector<std::int64_t>>;
    // kept: by name; null: none.
    ScreenOverlay(WeightChange change, const KeptColumns* kept) : change_(std::move(change)), kept_(kept) {}

    bool treats(const LinearItem&) const override { return true; }
    void apply(const LinearItem& item, MatrixView<float> w) const override {
        ThreadPool own_thread(1);  // several linears are changed at once, each on its own thread
        try {
            (kept_ ? but_columns(change_, kept_->at(item.name)) : change_)(w, own_thread);
        } catch (const NumericError& e) {
            throw NumericError(item.name + ": " + e.what());
        }
    }

  private:
    WeightChange change_;
    const KeptColumns* kept_;
};

// A cause, and the changes without and with its intervention, indexes into the overlays.
struct Contrast {
    Cause cause = Cause::kSalientChannels;
    std::size_t without = 0, with = 0;
    std::optional<std::size_t>
        null;  // change that the intervention's is compared with; none: Gaussian numbers
};

class Screening {
  public:
    Screening(const Model& model, const NumberFormat& format, std::span<const ScreenedLinear> linears,
              std::uint64_t seed)
        : model_(model), format_(format), linears_(linears), seed_(seed) {
        for (const ScreenedLinear& l : linears) {
            const LinearItem& item = model.items().at(l.item);
            const std::int64_t count = count_of_share(item.in, kSalientShare);
            salient_[item.name] = most_energetic(l.energies, count);
            random_[item.name] = random_columns(item.in, count, Rng(seed, l.item).next());
        }
        const std::size_t base = add(rounding(format), nullptr), quiet = add(rounding(format), &salient_);
        contrasts_.push_back({Cause::kSalientChannels, base, quiet, add(rounding(format), &random_)});
        for (const Cause cause : kCauses) {
            if (cause == Cause::kSalientChannels) continue;
            if (auto change = intervention(cause, format))
                contrasts_.push_back({cause, quiet, add(std::move(*change), &salient_), std::nullopt});
        }
    }

    std::vector<ScreenedCause> run(const Engine& engine, std::span<const EvaluationWindow> windows) {
        ScoreOptions options{.items = {}, .treatments = {}, .seed = seed_, .random_signs = true};
        for (const ScreenedLinear& l : linears_) options.items.push_back(l.item);
        for (const ScreenOverlay& overlay : overlays_) options.treatments.push_back(&overlay);
        const ScoreResult scores = score_treatments(model_, engine, windows, options);
        std::vector<ScreenedCause> all;
        std::vector<double> p_values;
        for (std::size_t i = 0; i < linears_.size(); ++i) {
            const std::size_t first = i * overlays_.size();
            for (const Contrast& contrast : contrasts_) {
                if (contrast.cause != Cause::kSalientChannels && !linears_[i].of_weights) continue;
                const auto own = std::span(scores.scores).subspan(first, overlays_.size());
                const CauseTest test = compare(own, contrast);
                all.push_back({.item = linears_[i].item,
                               .cause = contrast.cause,
                               .left = test.left(),
                               .least_left = test.least_left,
                               .most_left = test.most_left,
                               .kl = half_mean(own[contrast.without].sums, scores.window_tokens)});
                p_values.push_back(test.p_value);
            }
        }
        if (all.empty()) return {};
        const Discoveries found = benjamini_hochberg(p_values, kFalseDiscoveryRate);
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].q_value = found.q_values[i];
            all[i].suspected = found.rejected[i];
        }
        return all;
    }

  private:
    std::size_t add(WeightChange change, const ScreenOverlay::KeptColumns* kept) {
        overlays_.emplace_back(matched_noise(std::move(change), seed_), kept);
        return overlays_.size() - 1;
    }

    // ½ Σ_b / T.
    static double half_mean(const std::vector<double>& sums, const std::vector<std::int64_t>& window_tokens) {
        return std::accumulate(sums.begin(), sums.end(), 0.0) / 2 /
               static_cast<double>(
                   std::accumulate(window_tokens.begin(), window_tokens.end(), std::int64_t{0}));
    }

    // Of one linear's scores, by overlay.
    CauseTest compare(std::span<const TreatmentScore> scores, const Contrast& contrast) {
        const auto ratio = [&](std::size_t with) {
            return log_ratio(scores[contrast.without].sums, scores[with].sums);
        };
        const LogRatio own = ratio(contrast.with);
        const LogRatio null = contrast.null
                                  ? ratio(*contrast.null)
                                  : LogRatio{.value = gaussian_ratio(contrast.cause, scores[0].item),
                                             .influence = std::vector<double>(own.influence.size(), 0.0)};
        return test_cause(std::span(&own, 1), std::span(&null, 1), std::nullopt, kLeastExcess);
    }

    // ln of Σ error² with the intervention / without it, of Gaussian numbers with as many columns.
    double gaussian_ratio(Cause cause, std::size_t item) {
        const std::int64_t in = model_.items()[item].in;
        const auto [place, is_new] = gaussian_.try_emplace({cause, in}, 0.0);
        if (is_new) {
            ThreadPool own_thread(1);
            Matrix<float> ones(kNullRows, in);
            std::fill(ones.values().begin(), ones.values().end(), 0.02f);
            const Matrix<float> numbers = gaussian_twin(ones.view(), seed_);
            place->second =
                std::log(squared_change(numbers.view(), *intervention(cause, format_), own_thread) /
                         squared_change(numbers.view(), rounding(format_), own_thread));
        }
        return place->second;
    }

    const Model& model_;
    const NumberFormat& format_;
    std::span<const ScreenedLinear> linears_;
    std::uint64_t seed_;
    ScreenOverlay::KeptColumns salient_, random_;
    std::deque<ScreenOverlay> overlays_;
    std::vector<Contrast> contrasts_;
    std::map<std::pair<Cause, std::int64_t>, double> gaussian_;
};

}  // namespace

std::vector<ScreenedCause> screen_causes(const Model& model, const Engine& engine,
                                         std::span<const EvaluationWindow> windows,
                                         const NumberFormat& format, std::span<const ScreenedLinear> linears,
                                         std::uint64_t seed) {
    if (linears.empty()) return {};
    return Screening(model, format, linears, seed).run(engine, windows);
}

}  // namespace assay
