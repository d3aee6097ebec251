// The shape checks that all backends make on entry.
#pragma once

#include <span>

#include "compute/backend.h"

namespace assay::compute {

// Each throws InvalidArgument naming the operation and both shapes.
void check_linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                  const Tensor& y);
// What pack_rounded() takes.
void check_rounded(const RoundedLinear& w, std::span<const float> bias);
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
void check_rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight, const Tensor& g_y,
                             const Tensor* base, const Tensor& g_x);
// The tensors of attention_backward() beyond those of attention().
struct AttentionGradients {
    const Tensor* g_out;
    Columns g_q, g_k, g_v;
};
void check_attention_backward(const Batch& batch, const AttentionSpec& spec,
                              const AttentionGradients& gradients);
void check_gated_backward(const Batch& batch, const Columns& gate, const Columns& up, const Tensor& g_y,
                          const Columns& g_gate, const Columns& g_up);
void check_scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                        const Tensor& out);
void check_combine_experts_backward(const Batch& batch, const Routing& routing,
                                    std::span<const Tensor* const> outputs, const Tensor& g_y,
                                    std::span<Tensor* const> g_outputs);
void check_route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                          const Routing& routing, const RoutingGradient& g_weights, const Tensor& g_logits);
void check_add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& g_y,
                              const Tensor& g_x, const Tensor& g_gate);
void check_add(const Tensor& a, const Tensor& b, const Tensor& y);
void check_label_gradient(const Batch& batch, const HeadInput& part, const LabelDraws& draws,
                          const Tensor& g_logits);
void check_change_dots(std::span<const RowSegment> segments, const Tensor& g, const Tensor& x,
                       std::span<const PackedChange* const> changes);
void check_weighted_gradient(const Tensor& g, const Tensor& x, std::span<const double> weights);
void check_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                const SymmetricMatrix& sums);
void check_host_shape(const char* operation, const Tensor& tensor, std::int64_t rows, std::int64_t cols);

// The columns that an operation writes, as ones that are read.
inline Columns columns(const TargetColumns& target) {
    return {*target.tensor, target.first, target.cols};
}

// The rotary table that a window of `rows` takes; null where there is none at all. check_attention() has made
// sure that one fits.
const RotaryTable* rotary_table(const AttentionSpec& spec, std::int64_t rows);

}  // namespace assay::compute
