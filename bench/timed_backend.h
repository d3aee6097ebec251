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
