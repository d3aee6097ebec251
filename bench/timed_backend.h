// A backend that forwards to another and adds up the time of each kind of operation.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "compute/backend.h"

namespace assay::bench {

class TimedBackend final : public compute::Backend {
  private:
    template <class Operation>
    auto timed(const char* kind, const Operation& operation) {
        struct Timer {
            double& sum;
            std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
            ~Timer() {
                sum += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            }
        };
        const Timer timer{seconds[kind]};
        return operation();
    }

  public:
    using Tensor = compute::Tensor;
    using Batch = compute::Batch;
    using Columns = compute::Columns;
    using Target = compute::TargetColumns;

    explicit TimedBackend(std::unique_ptr<compute::Backend> inner) : inner_(std::move(inner)) {}

    // Seconds by kind: "linear", "attention", "head and softmax", "packing", "other".
    std::map<std::string, double> seconds;

    std::string description() const override { return inner_->description(); }
    std::int64_t element_bytes() const override { return inner_->element_bytes(); }
    std::int64_t weight_bytes() const override { return inner_->weight_bytes(); }
    Tensor allocate(std::int64_t rows, std::int64_t cols) override { return inner_->allocate(rows, cols); }
    void upload(MatrixView<const float> values, Tensor& out) override {
        timed("other", [&] { inner_->upload(values, out); });
    }
    void download(const Tensor& tensor, MatrixView<float> out) const override {
        inner_->download(tensor, out);
    }
    void copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                   std::int64_t rows) override {
        timed("other", [&] { inner_->copy_rows(in, in_row, out, out_row, rows); });
    }
    // Packing runs on several threads at once and is part of what is left over.
    std::unique_ptr<compute::PackedLinear> pack_linear(MatrixView<const float> w,
                                                       std::span<const float> bias) override {
        return inner_->pack_linear(w, bias);
    }
    std::unique_ptr<compute::PackedLinear> pack_rounded(const compute::RoundedLinear& w,
                                                        std::span<const float> bias) override {
        return inner_->pack_rounded(w, bias);
    }
    void linear(const Batch& b, const Tensor& x, const compute::PackedLinear& w, const Tensor* residual,
                Tensor& y) override {
        timed("linear", [&] { inner_->linear(b, x, w, residual, y); });
    }
    void rms_norm(const Batch& b, const Tensor& x, const Tensor& weight, double eps, const Tensor* residual,
                  Tensor& y) override {
        timed("norm and activation", [&] { inner_->rms_norm(b, x, weight, eps, residual, y); });
    }
    void attention(const Batch& b, const Columns& q, const Columns& k, const Columns& v,
                   const compute::AttentionSpec& spec, Tensor& out) override {
        timed("attention", [&] { inner_->attention(b, q, k, v, spec, out); });
    }
    void gated(const Batch& b, const Columns& gate, const Columns& up, compute::Activation activation,
               Tensor& y) override {
        timed("norm and activation", [&] { inner_->gated(b, gate, up, activation, y); });
    }
    compute::Routing route(const Batch& b, const Tensor& logits, const compute::RouteSpec& spec) override {
        return timed("experts", [&] { return inner_->route(b, logits, spec); });
    }
    void gather_rows(const Tensor& in, std::span<const std::int64_t> rows, Tensor& out) override {
        timed("experts", [&] { inner_->gather_rows(in, rows, out); });
    }
    void combine_experts(const Batch& b, const compute::Routing& routing,
                         std::span<const Tensor* const> outputs, const Tensor& residual, Tensor& y) override {
        timed("experts", [&] { inner_->combine_experts(b, routing, outputs, residual, y); });
    }
    void add_gated(const Batch& b, const Tensor& x, const Tensor& gate, const Tensor& residual,
                   Tensor& y) override {
        timed("experts", [&] { inner_->add_gated(b, x, gate, residual, y); });
    }
    std::vector<compute::ActivationSums> activation_sums(const Batch& b, const Tensor& x) override {
        return timed("activation statistics", [&] { return inner_->activation_sums(b, x); });
    }
    std::vector<compute::SquaredError> squared_error(const Batch& b, const Tensor& x,
                                                     const Tensor& y) override {
        return timed("error propagation", [&] { return inner_->squared_error(b, x, y); });
    }
    std::unique_ptr<compute::PackedHead> pack_head(MatrixView<const float> w, double softcap) override {
        return timed("packing the head", [&] { return inner_->pack_head(w, softcap); });
    }
    std::unique_ptr<compute::TokenScorer> make_scorer(const Batch& b, std::size_t inputs,
                                                      std::span<const std::int32_t> targets) override {
        return std::make_unique<TimedScorer>(*this, inner_->make_scorer(b, inputs, targets));
    }
    void logits(const Batch& b, const compute::HeadInput& input, MatrixView<float> out) override {
        inner_->logits(b, input, out);
    }

    std::unique_ptr<compute::PackedLinear> pack_transposed(MatrixView<const float> w) override {
        return inner_->pack_transposed(w);
    }
    void rms_norm_backward(const Batch& b, const Tensor& x, const Tensor& weight, double eps,
                           const Tensor& g_y, const Tensor* base, Tensor& g_x) override {
        timed("norm and activation", [&] { inner_->rms_norm_backward(b, x, weight, eps, g_y, base, g_x); });
    }
    void attention_backward(const Batch& b, const Columns& q, const Columns& k, const Columns& v,
                            const compute::AttentionSpec& spec, const Tensor& out, const Tensor& g_out,
                            const Target& g_q, const Target& g_k, const Target& g_v) override {
        timed("attention backward",
              [&] { inner_->attention_backward(b, q, k, v, spec, out, g_out, g_q, g_k, g_v); });
    }
    void gated_backward(const Batch& b, const Columns& gate, const Columns& up,
                        compute::Activation activation, const Tensor& g_y, const Target& g_gate,
                        const Target& g_up) override {
        timed("norm and activation",
              [&] { inner_->gated_backward(b, gate, up, activation, g_y, g_gate, g_up); });
    }
    void scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                      Tensor& out) override {
        timed("other", [&] { inner_->scatter_rows(in, rows, base, out); });
    }
    compute::RoutingGradient combine_experts_backward(const Batch& b, const compute::Routing& routing,
                                                      std::span<const Tensor* const> outputs,
                                                      const Tensor& g_y,
                                                      std::span<Tensor* const> g_outputs) override {
        return timed("experts",
                     [&] { return inner_->combine_experts_backward(b, routing, outputs, g_y, g_outputs); });
    }
    void route_backward(const Batch& b, const Tensor& logits, const compute::RouteSpec& spec,
                        const compute::Routing& routing, const compute::RoutingGradient& g_weights,
                        Tensor& g_logits) override {
        timed("experts", [&] { inner_->route_backward(b, logits, spec, routing, g_weights, g_logits); });
    }
    void add_gated_backward(const Batch& b, const Tensor& x, const Tensor& gate, const Tensor& g_y,
                            Tensor& g_x, Tensor& g_gate) override {
        timed("experts", [&] { inner_->add_gated_backward(b, x, gate, g_y, g_x, g_gate); });
    }
    void add(const Tensor& a, const Tensor& b, Tensor& y) override {
        timed("other", [&] { inner_->add(a, b, y); });
    }
    void label_gradient(const Batch& b, const compute::HeadInput& part, compute::LabelDraws& draws,
                        Tensor& g_logits) override {
        timed("head and softmax", [&] { inner_->label_gradient(b, part, draws, g_logits); });
    }
    // Made on several threads at once, as packed linears are.
    std::unique_ptr<compute::PackedChange> pack_change(MatrixView<const float> change) override {
        return inner_->pack_change(change);
    }
    Matrix<double> change_dots(std::span<const compute::RowSegment> segments, const Tensor& g,
                               const Tensor& x,
                               std::span<const compute::PackedChange* const> changes) override {
        return timed("scores", [&] { return inner_->change_dots(segments, g, x, changes); });
    }
    Matrix<double> weighted_gradient(const Tensor& g, const Tensor& x,
                                     std::span<const double> weights) override {
        return timed("scores", [&] { return inner_->weighted_gradient(g, x, weights); });
    }
    void add_gram(const Batch& b, const Tensor& x, std::span<const double> weights,
                  compute::SymmetricMatrix& sums) override {
        timed("statistics", [&] { inner_->add_gram(b, x, weights, sums); });
    }

  private:
    class TimedScorer final : public compute::TokenScorer {
      public:
        TimedScorer(TimedBackend& backend, std::unique_ptr<compute::TokenScorer> inner)
            : backend_(backend), inner_(std::move(inner)) {}
        void add(std::span<const compute::HeadInput> inputs) override {
            backend_.timed("head and softmax", [&] { inner_->add(inputs); });
        }
        std::vector<compute::TokenScores> finish() override {
            return backend_.timed("head and softmax", [&] { return inner_->finish(); });
        }

      private:
        TimedBackend& backend_;
        std::unique_ptr<compute::TokenScorer> inner_;
    };

    std::unique_ptr<compute::Backend> inner_;
};

}  // namespace assay::bench
