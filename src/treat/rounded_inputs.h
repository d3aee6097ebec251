// Linears whose inputs are rounded with what calibration windows say of them: static ranges and smoothing.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/pass.h"
#include "records/calibrated_linear.h"
#include "records/treatment.h"

namespace assay {

// How one input is rounded, whoever reads it.
struct InputSetting {
    std::vector<float> divisors;  // s of each channel; empty: 1
    float scale = 0;              // of all positions; 0: each has its own
};

// Thread-safe.
class RoundedInputs final : public WeightOverlay {
  public:
    // The settings by the names of the linears that read the inputs.
    RoundedInputs(Treatment treatment,
                  std::map<std::string, std::shared_ptr<const InputSetting>, std::less<>> settings)
        : treatment_(std::move(treatment)), settings_(std::move(settings)) {}

    bool treats(const LinearItem& item) const override { return settings_.contains(item.name); }
    bool rounds_inputs() const override { return true; }
    // x / s times the weights W diag(s), both rounded: what a model does into which s is folded
    // (model/folding.h), but for f32 rounding of what makes x.
    compute::RoundedLinear rounded(const LinearItem& item, MatrixView<const float> w) const override;

    const InputSetting& setting(const std::string& name) const { return *settings_.at(name); }
    const std::vector<CalibratedLinear>& reports() const { return reports_; }
    void set_reports(std::vector<CalibratedLinear> reports) { reports_ = std::move(reports); }

  private:
    Treatment treatment_;
    std::map<std::string, std::shared_ptr<const InputSetting>, std::less<>> settings_;
    std::vector<CalibratedLinear> reports_;  // by block and program
};

// The α's that a search tries.
inline constexpr double kSearchedAlphas[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};

// One overlay a treatment with activations, calibrated or not, for these items (linears of blocks), and all
// others that read their inputs; ranges max |x_c| are those of the model's own run.
//   smooth: s_c of quantize/smoothing.h for every input that its source can take up (model/folding.h); max
//   |w_c|
//     is that of all linears that read it, but routers. Channels that share a row of the source share s, by
//     the largest of their maxima. Other inputs are rounded as they are, with the reason in the reports.
//   search: ranges of every second window, the first one among them; α of each input is the one with the
//     least Σ ‖ΔY‖²/‖Y‖² of its linears on the other windows; with scored the least sum of its linears'
//     damage on them, as the block estimator scores it (measure/damage_estimate.h, all α with the same
//     labels); with one-alpha the one of all inputs that has the least mean KL on them. Ranges of all windows
//     then make s.
//   static ranges: s_x = max |x_c / s_c| / top. An input that was always 0, or that no position reaches, has
//     a scale for each position instead, with a note on the engine's progress.
// Reports hold errors on every second window with ranges of the others (of all, where there is one window).
// Throws InvalidArgument for no windows or items, for items outside the blocks and for treatments without
// activations; else as measure_activations(), output_errors() and score_treatments().
std::vector<std::unique_ptr<RoundedInputs>> calibrate_inputs(const Model& model, const Engine& engine,
                                                             std::span<const EvaluationWindow> calibration,
                                                             std::span<const std::size_t> items,
                                                             std::span<const Treatment> treatments);

}  // namespace assay
