// What the output layer reads and gives, window by window; its logits never exist at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/backend.h"
#include "model/run_head.h"

namespace assay {

// Tokens of a slice of the vocabulary, whose logits exist at once. No memory limit changes it: sums over all
// logits go from slice to slice, and their bits with them.
inline constexpr std::int64_t kLogitSlice = 2 * compute::Backend::kHeadPartTokens;
// Windows whose sums, one for each token of the vocabulary, exist at once.
inline constexpr std::int64_t kLogitWindows = 16;

// A token and its logit.
struct Logit {
    std::int64_t token = 0;
    float value = 0;
};

// The logits y = x wᵀ [rows, vocabulary], w the model's output layer, before any softcap.
class LogitActivations {
  public:
    // Both must outlive it.
    LogitActivations(const Model& model, compute::Backend& backend);

    // x of all positions of windows, `rows` of the residual stream after the last block, from first_row on:
    // the last norm.
    compute::Tensor input(const compute::Batch& rows, const compute::Tensor& stream, std::int64_t first_row);

    // Backend::activation_sums() of y. Shape x [rows, hidden]; it must outlive the calls of largest().
    std::vector<compute::ActivationSums> sums(const compute::Batch& rows, const compute::Tensor& x);

    // The largest |y| of a row of the last sums(), the first of equals.
    Logit largest(std::int64_t row);

  private:
    std::int64_t slice_tokens(std::int64_t first) const;
    void add_slice(std::int64_t first, std::span<const compute::ActivationSums> slice,
                   std::vector<compute::ActivationSums>& all);

    compute::Backend& backend_;
    HeadReader head_;
    compute::Tensor norm_;
    double eps_;
    std::int64_t vocabulary_;
    const compute::Tensor* x_ = nullptr;
    std::vector<std::int64_t>
        largest_slice_;  // of each row: the first token of the slice that has its largest
};

// Bytes that sums() holds for so many rows.
std::int64_t logit_bytes(const Model& model, const compute::Backend& backend, std::int64_t rows);

// The column of the row's largest |number|, the first of equals, and that number.
Logit largest_of_row(compute::Backend& backend, const compute::Tensor& values, std::int64_t row);

}  // namespace assay
