#include "compute/shape_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace assay::compute {
namespace {

void expect(const char* operation, const char* what, std::int64_t rows, std::int64_t cols,
            std::int64_t want_rows, std::int64_t want_cols) {
    if (rows == want_rows && cols == want_cols) return;
    throw InvalidArgument(fmt::format("{}: {} is [{}, {}], expected [{}, {}]", operation, what, rows, cols,
                                      want_rows, want_cols));
}

void expect(const char* operation, const char* what, const Tensor& t, std::int64_t rows, std::int64_t cols) {
    expect(operation, what, t.rows(), t.cols(), rows, cols);
}

}  // namespace

void check_linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                  const Tensor& y) {
    expect("linear", "x", x, batch.rows(), w.in_features());
    expect("linear", "y", y, batch.rows(), w.out_features());
    if (residual != nullptr) expect("linear", "residual", *residual, batch.rows(), w.out_features());
}

void check_rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, const Tensor& y) {
    expect("rms_norm", "weight", weight, 1, x.cols());
    expect("rms_norm", "x", x, batch.rows(), x.cols());
    expect("rms_norm", "y", y, batch.rows(), x.cols());
}

void check_attention(const Batch& batch, const Tensor& q, const Tensor& k, const Tensor& v,
                     const AttentionSpec& spec, const Tensor& out) {
    if (spec.kv_heads <= 0 || spec.heads % spec.kv_heads != 0) {
        throw InvalidArgument(
            fmt::format("attention: {} heads cannot share {} key/value heads", spec.heads, spec.kv_heads));
    }
    expect("attention", "q", q, batch.rows(), spec.heads * spec.head_dim);
    expect("attention", "k", k, batch.rows(), spec.kv_heads * spec.head_dim);
    expect("attention", "v", v, batch.rows(), spec.kv_heads * spec.head_dim);
    expect("attention", "out", out, batch.rows(), spec.heads * spec.head_dim);
    if (spec.cosines == nullptr) return;
    std::int64_t longest = 0;
    for (std::int64_t w = 0; w < batch.windows(); ++w) longest = std::max(longest, batch.window_rows(w));
    if (spec.sines == nullptr || spec.cosines->rows() < longest || spec.cosines->cols() * 2 > spec.head_dim ||
        spec.sines->rows() != spec.cosines->rows() || spec.sines->cols() != spec.cosines->cols()) {
        throw InvalidArgument(fmt::format(
            "attention: rotary tables do not fit {} positions of head dimension {}", longest, spec.head_dim));
    }
}

void check_same_shape(const char* operation, const Batch& batch, std::span<const Tensor* const> tensors) {
    for (const Tensor* t : tensors) expect(operation, "operand", *t, batch.rows(), tensors[0]->cols());
}

void check_score_tokens(const Batch& batch, std::span<const HeadInput> inputs,
                        std::span<const std::int32_t> targets) {
    if (inputs.empty()) throw InvalidArgument("score_tokens: no input");
    const std::int64_t vocabulary = inputs[0].head->vocabulary();
    for (const HeadInput& input : inputs) {
        expect("score_tokens", "hidden", *input.hidden, batch.rows(), input.head->in_features());
        if (input.head->vocabulary() != vocabulary)
            throw InvalidArgument("score_tokens: vocabularies differ");
    }
    if (static_cast<std::int64_t>(targets.size()) != batch.rows()) {
        throw InvalidArgument(
            fmt::format("score_tokens: {} targets for {} rows", targets.size(), batch.rows()));
    }
    for (std::int32_t target : targets) {
        if (target < 0 || target >= vocabulary) {
            throw InvalidArgument(
                fmt::format("score_tokens: target {} outside the vocabulary of {}", target, vocabulary));
        }
    }
}

void check_copy_rows(const Tensor& in, std::int64_t in_row, const Tensor& out, std::int64_t out_row,
                     std::int64_t rows) {
    if (in.cols() != out.cols() || rows < 0 || in_row < 0 || out_row < 0 || in_row + rows > in.rows() ||
        out_row + rows > out.rows()) {
        throw InvalidArgument(fmt::format("copy_rows: rows {}+{} of [{}, {}] to {} of [{}, {}]", in_row, rows,
                                          in.rows(), in.cols(), out_row, out.rows(), out.cols()));
    }
}

void check_host_shape(const char* operation, const Tensor& tensor, std::int64_t rows, std::int64_t cols) {
    expect(operation, "host matrix", rows, cols, tensor.rows(), tensor.cols());
}

}  // namespace assay::compute
