// The residual stream before each block of a forward run, kept for the way back.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/pass.h"

namespace assay {

// A tap of a forward pass over one chunk. State i is the one before block i; the last one is before the final
// norm. They stay in memory, or go to a file that has no name, in the system's folder for temporary files,
// and so vanishes with the process.
class BlockStates final : public Tap {
  public:
    // Spills where the states of `layers` blocks are larger than `limit` bytes. Throws Error where the file
    // cannot be made.
    BlockStates(compute::Backend& backend, std::int64_t layers, std::int64_t rows, std::int64_t cols,
                std::int64_t limit);
    ~BlockStates() override;
    BlockStates(const BlockStates&) = delete;
    BlockStates& operator=(const BlockStates&) = delete;

    void linear(const LinearItem&, const compute::Batch&, const compute::Tensor&,
                const compute::Tensor&) override {}
    void block(std::int64_t block, const TokenChunk& chunk, const compute::Tensor& state) override;

    // Once each; state [rows, cols].
    void take(std::int64_t index, compute::Tensor& state);

  private:
    std::int64_t bytes() const { return rows_ * cols_ * 4; }

    compute::Backend& backend_;
    std::int64_t rows_, cols_;
    std::vector<compute::Tensor> states_;
    int file_ = -1;         // of spilled states
    Matrix<float> buffer_;  // one state on its way to or from the file
};

}  // namespace assay
