// The factors that calibrated methods ask for, some blocks' at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "measure/fisher_factors.h"
#include "records/treatment.h"

namespace assay {

// Factors of the untreated model on the calibration windows, measured when they are asked for: those of the
// block and of as many blocks behind it as fit the engine's head_bytes; of weights alone, all blocks'. Model,
// engine and windows must outlive it. The same seed draws the same labels.
class FisherSource {
  public:
    FisherSource(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                 std::span<const std::size_t> items, std::uint64_t seed = 0,
                 FisherParts parts = FisherParts::kAll);

    // Of one of the items. A reference is good until an item of another block is asked for. Throws as
    // measure_fisher_factors().
    const FisherFactor& of(std::size_t item);

  private:
    const FisherFactor* find(std::size_t item) const;
    std::vector<std::size_t> items_from(std::int64_t block) const;

    const Model& model_;
    Engine engine_;
    std::span<const EvaluationWindow> windows_;
    std::vector<std::size_t> items_;  // by block
    std::uint64_t seed_;
    FisherParts parts_;
    std::vector<FisherFactor> factors_;
};

// What these treatments need of the factors.
FisherParts fisher_parts(std::span<const Treatment> treatments);

}  // namespace assay
