// The shape checks that all backends make on entry.
#pragma once

#include <span>

#include "compute/backend.h"

namespace assay::compute {

// Each throws InvalidArgument naming the operation and both shapes.
void check_linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                  const Tensor& y);
void check_rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, const Tensor* residual,
                    const Tensor& y);
void check_attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                     const AttentionSpec& spec, const Tensor& out);
void check_gated(const Batch& batch, const Columns& gate, const Columns& up, const Tensor& y);
void check_route(const Batch& batch, const Tensor& logits, const RouteSpec& spec);
void check_gather_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor& out);
void check_combine_experts(const Batch& batch, const Routing& routing, std::span<const Tensor* const> outputs,
                           const Tensor& residual, const Tensor& y);
void check_add_gated(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& residual,
                     const Tensor& y);
void check_same_shape(const char* operation, const Batch& batch, std::span<const Tensor* const> tensors);
void check_scorer(const Batch& batch, std::size_t inputs, std::span<const std::int32_t> targets);
void check_head_inputs(const Batch& batch, std::span<const HeadInput> inputs, std::size_t expected);
// Whether parts of `tokens` tokens in all held every target.
void check_targets_seen(std::span<const std::int32_t> targets, std::int64_t tokens);
void check_logits(const Batch& batch, const HeadInput& input, MatrixView<const float> out);
void check_copy_rows(const Tensor& in, std::int64_t in_row, const Tensor& out, std::int64_t out_row,
                     std::int64_t rows);
void check_host_shape(const char* operation, const Tensor& tensor, std::int64_t rows, std::int64_t cols);

// The rotary table that a window of `rows` takes; null where there is none at all. check_attention() has made
// sure that one fits.
const RotaryTable* rotary_table(const AttentionSpec& spec, std::int64_t rows);

}  // namespace assay::compute
