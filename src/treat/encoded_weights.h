// Calibrated treatments as overlays, each linear treated by itself on the model's own inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "treat/calibrated_method.h"

namespace assay {

// Linears whose codes were chosen before; in memory, about a byte a weight. Thread-safe.
class EncodedWeights final : public WeightOverlay {
  public:
    void add(CalibratedWeight weight);  // not while others use it

    bool treats(const LinearItem& item) const override { return weights_.contains(item.name); }
    void apply(const LinearItem& item, MatrixView<float> w) const override;

    // By name.
    std::vector<CalibratedLinear> reports() const;
    const EncodedWeight& weight(const std::string& name) const { return weights_.at(name).weight; }

  private:
    std::map<std::string, CalibratedWeight, std::less<>> weights_;
};

// One overlay a treatment, which treats these items (indexes, linears of blocks), for swaps and scores: each
// linear as if all others stayed as they are, its statistics those of the model's own run on the calibration
// windows. They must not be the windows that measure it. `seed` is of the labels that methods with gradients
// draw. One run of the model up to the last block that is asked for, with the statistics of one block at a
// time in memory.
// Throws InvalidArgument for no windows or items, for items outside the blocks, for methods that look at no
// inputs and for options that only mean something block after block (true-sequential); else as run_pass() and
// treat_linears().
std::vector<EncodedWeights> calibrate(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> calibration,
                                      std::span<const std::size_t> items,
                                      std::span<const Treatment> treatments, std::uint64_t seed = 0);

// One overlay a treatment, calibrated or not, in their order; the calibrated ones and those of activations
// treat the items that are linears of blocks, the others all of them. Without calibrated ones `calibration`
// is not used. `seed` as calibrate() has it.
std::vector<std::unique_ptr<WeightOverlay>> make_overlays(const Model& model, const Engine& engine,
                                                          std::span<const EvaluationWindow> calibration,
                                                          std::span<const std::size_t> items,
                                                          std::span<const Treatment> treatments,
                                                          std::uint64_t seed = 0);

}  // namespace assay
