// Reads, treats and packs one block's operands, and those of the forks that start in it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/block_gradient.h"
#include "model/block_runner.h"
#include "model/pass.h"

namespace assay {

struct LoadedBlock {
    BlockWeights weights;
    std::vector<std::size_t> starting;  // indexes of the forks whose swap sits in this block
    std::vector<std::unique_ptr<compute::PackedLinear>> swapped;  // their operands
};

// What a block's way back needs.
struct ReversibleBlock {
    BlockWeights weights;
    TransposedLinears transposed;
};

class BlockLoader {
  public:
    BlockLoader(const Model& model, const Engine& engine, const PassOptions& options)
        : model_(model), engine_(engine), options_(options) {}

    // The model's own weights, without overlays, packed for both directions; else as load().
    ReversibleBlock load_reversible(std::int64_t block) const;

    // The operands of some operations only (indexes); without forks.
    BlockWeights load_some(std::int64_t block, std::span<const std::size_t> ops) const;

    // In parallel over the operands. Throws as read_weight() and the overlays do.
    LoadedBlock load(std::int64_t block) const;

  private:
    std::vector<float> bias_of(const LinearItem& item) const;  // empty where it has none
    std::unique_ptr<compute::PackedLinear> load_linear(const LinearItem& item,
                                                       const WeightOverlay* overlay) const;
    void load_operand(std::int64_t block, std::size_t op, BlockWeights& weights) const;

    const Model& model_;
    const Engine& engine_;
    const PassOptions& options_;
};

// A norm's weight [1, cols], with the model's offset.
compute::Tensor load_norm(const Model& model, compute::Backend& backend, const std::string& name);

}  // namespace assay
