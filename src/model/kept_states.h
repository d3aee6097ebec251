// Hidden states that wait: in memory, or in a file.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/pass.h"

namespace assay {

// States by index, each [its rows, cols]. They stay in memory, or go to a file that has no name, in the
// system's folder for temporary files, and so vanishes with the process.
class KeptStates {
  public:
    // Spills where all states together are larger than `limit` bytes. Throws Error where the file cannot be
    // made.
    KeptStates(compute::Backend& backend, std::vector<std::int64_t> rows, std::int64_t cols,
               std::int64_t limit);
    ~KeptStates();
    KeptStates(const KeptStates&) = delete;
    KeptStates& operator=(const KeptStates&) = delete;

    // Moves a state in, or writes it; what is left in `state` may be written to, or be empty.
    void keep(std::size_t index, compute::Tensor& state);
    // Moves a state that was kept out, or reads it.
    void take(std::size_t index, compute::Tensor& state);
    // A state as it was taken: a file has it still.
    void give_back(std::size_t index, compute::Tensor& state);

  private:
    std::int64_t bytes_of(std::size_t index) const { return rows_[index] * cols_ * 4; }
    Matrix<float>& buffer_of(std::size_t index);

    compute::Backend& backend_;
    std::vector<std::int64_t> rows_, offsets_;
    std::int64_t cols_;
    std::vector<compute::Tensor> states_;
    int file_ = -1;         // of spilled states
    Matrix<float> buffer_;  // one state on its way to or from the file
};

// A tap of a forward pass over one chunk that keeps the residual stream before each block. State i is the one
// before block i; the last one is before the final norm.
class BlockStates final : public Tap {
  public:
    BlockStates(compute::Backend& backend, std::int64_t layers, std::int64_t rows, std::int64_t cols,
                std::int64_t limit)
        : backend_(backend),
          states_(backend, std::vector<std::int64_t>(static_cast<std::size_t>(layers) + 1, rows), cols,
                  limit) {}

    void linear(const LinearItem&, const compute::Batch&, const compute::Tensor&,
                const compute::Tensor&) override {}
    void block(std::int64_t block, const TokenChunk& chunk, const compute::Tensor& state) override;

    // Once each; state [rows, cols].
    void take(std::int64_t index, compute::Tensor& state) {
        states_.take(static_cast<std::size_t>(index), state);
    }

  private:
    compute::Backend& backend_;
    KeptStates states_;
};

}  // namespace assay
