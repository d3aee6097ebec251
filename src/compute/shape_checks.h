// The shape checks that all backends make on entry.
#pragma once

#include <span>

#include "compute/backend.h"

namespace assay::compute {

// Each throws InvalidArgument naming the operation and both shapes.
void check_linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                  const Tensor& y);
void check_rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, const Tensor& y);
void check_attention(const Batch& batch, const Tensor& q, const Tensor& k, const Tensor& v,
                     const AttentionSpec& spec, const Tensor& out);
void check_same_shape(const char* operation, const Batch& batch, std::span<const Tensor* const> tensors);
void check_score_tokens(const Batch& batch, std::span<const HeadInput> inputs,
                        std::span<const std::int32_t> targets);
void check_copy_rows(const Tensor& in, std::int64_t in_row, const Tensor& out, std::int64_t out_row,
                     std::int64_t rows);
void check_host_shape(const char* operation, const Tensor& tensor, std::int64_t rows, std::int64_t cols);

}  // namespace assay::compute
