// The reference backend's class and the pieces that its two files share: forward operations and gradients.
#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "compute/backend.h"

namespace assay::compute {

struct DoubleBuffer final : Buffer {
    explicit DoubleBuffer(std::int64_t n) : values(static_cast<std::size_t>(n)) {}
    std::vector<double> values;
};

inline MatrixView<double> view(Tensor& t) {
    return {static_cast<DoubleBuffer&>(t.buffer()).values.data(), t.rows(), t.cols()};
}
inline MatrixView<const double> view(const Tensor& t) {
    return {static_cast<const DoubleBuffer&>(t.buffer()).values.data(), t.rows(), t.cols()};
}

inline double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

inline double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

inline double capped(double x, double cap) {
    return cap * std::tanh(x / cap);
}

struct ReferenceHead final : PackedHead {
    Matrix<double> w;
    double softcap = 0;
    std::int64_t vocabulary() const override { return w.rows(); }
    std::int64_t in_features() const override { return w.cols(); }
};

Matrix<double> widen(MatrixView<const float> values);

// Turns the pairs (i, i + rotary/2) of one head by the angle of `position`.
std::vector<double> rotated(std::span<const double> head, const RotaryTable* table, std::int64_t position);

// In place: x -> exp(x - max) / sum.
void softmax(std::vector<double>& x);

// Row `row` of one head's part of some columns.
inline std::span<const double> head_row(const Columns& part, std::int64_t row, std::int64_t head,
                                        std::int64_t head_dim) {
    return view(*part.tensor)
        .row(row)
        .subspan(static_cast<std::size_t>(part.first + head * head_dim), static_cast<std::size_t>(head_dim));
}

class ReferenceBackend final : public Backend {
  public:
    std::string description() const override { return "reference f64 (naive loops)"; }
    std::int64_t element_bytes() const override { return 8; }
    std::int64_t weight_bytes() const override { return 8; }
    Tensor allocate(std::int64_t rows, std::int64_t cols) override;
    void upload(MatrixView<const float> values, Tensor& out) override;
    void download(const Tensor& tensor, MatrixView<float> out) const override;
    void copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                   std::int64_t rows) override;
    std::unique_ptr<PackedLinear> pack_linear(MatrixView<const float> w,
                                              std::span<const float> bias) override;
    std::unique_ptr<PackedLinear> pack_rounded(const RoundedLinear& w, std::span<const float> bias) override;
    std::unique_ptr<PackedLinear> pack_transposed(MatrixView<const float> w) override;
    void linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                Tensor& y) override;
    void rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                  const Tensor* residual, Tensor& y) override;
    void attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                   const AttentionSpec& spec, Tensor& out) override;
    void gated(const Batch& batch, const Columns& gate, const Columns& up, Activation activation,
               Tensor& y) override;
    Routing route(const Batch& batch, const Tensor& logits, const RouteSpec& spec) override;
    void gather_rows(const Tensor& in, std::span<const std::int64_t> rows, Tensor& out) override;
    void combine_experts(const Batch& batch, const Routing& routing, std::span<const Tensor* const> outputs,
                         const Tensor& residual, Tensor& y) override;
    void add_gated(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& residual,
                   Tensor& y) override;
    std::vector<SquaredError> squared_error(const Batch& batch, const Tensor& a, const Tensor& b) override;
    std::vector<ActivationSums> activation_sums(const Batch& batch, const Tensor& x) override;
    std::unique_ptr<PackedHead> pack_head(MatrixView<const float> w, double softcap) override;
    std::unique_ptr<TokenScorer> make_scorer(const Batch& batch, std::size_t inputs,
                                             std::span<const std::int32_t> targets) override;
    void logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) override;

    // reference_gradients.cpp
    void rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                           const Tensor& g_y, const Tensor* base, Tensor& g_x) override;
    void attention_backward(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                            const AttentionSpec& spec, const Tensor& out, const Tensor& g_out,
                            const TargetColumns& g_q, const TargetColumns& g_k,
                            const TargetColumns& g_v) override;
    void gated_backward(const Batch& batch, const Columns& gate, const Columns& up, Activation activation,
                        const Tensor& g_y, const TargetColumns& g_gate, const TargetColumns& g_up) override;
    void scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                      Tensor& out) override;
    RoutingGradient combine_experts_backward(const Batch& batch, const Routing& routing,
                                             std::span<const Tensor* const> outputs, const Tensor& g_y,
                                             std::span<Tensor* const> g_outputs) override;
    void route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                        const Routing& routing, const RoutingGradient& g_weights, Tensor& g_logits) override;
    void add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& g_y,
                            Tensor& g_x, Tensor& g_gate) override;
    void add(const Tensor& a, const Tensor& b, Tensor& y) override;
    void label_gradient(const Batch& batch, const HeadInput& part, LabelDraws& draws,
                        Tensor& g_logits) override;
    std::unique_ptr<PackedChange> pack_change(MatrixView<const float> change) override;
    Matrix<double> change_dots(std::span<const RowSegment> segments, const Tensor& g, const Tensor& x,
                               std::span<const PackedChange* const> changes) override;
    Matrix<double> weighted_gradient(const Tensor& g, const Tensor& x,
                                     std::span<const double> weights) override;
    void add_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                  SymmetricMatrix& sums) override;

    // Logits of one row and a head, after its softcap.
    static std::vector<double> row_logits(const HeadInput& input, std::int64_t row);
};

}  // namespace assay::compute
