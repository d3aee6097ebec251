#include "compute/shape_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "compute/symmetric_matrix.h"
#include "tensor/float8.h"

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

void expect(const char* operation, const char* what, const Columns& part, std::int64_t rows,
            std::int64_t cols) {
    expect(operation, what, part.tensor->rows(), part.cols, rows, cols);
    if (part.first < 0 || part.first + part.cols > part.tensor->cols()) {
        throw InvalidArgument(fmt::format("{}: {} is columns {}+{} of {}", operation, what, part.first,
                                          part.cols, part.tensor->cols()));
    }
}

}  // namespace

void check_linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                  const Tensor& y) {
    expect("linear", "x", x, batch.rows(), w.in_features());
    expect("linear", "y", y, batch.rows(), w.out_features());
    if (residual != nullptr) expect("linear", "residual", *residual, batch.rows(), w.out_features());
}

void check_rounded(const RoundedLinear& w, std::span<const float> bias) {
    const auto reject = [](const char* what) {
        throw InvalidArgument(fmt::format("pack_rounded: {}", what));
    };
    const auto fits = [&](std::span<const float> values, std::int64_t n) {
        return values.empty() || std::ssize(values) == n;
    };
    if (w.codes.rows() == 0 || w.codes.cols() == 0) reject("no codes");
    if (std::ssize(w.scales) != w.codes.rows() || !fits(bias, w.codes.rows()) ||
        !fits(w.input.divisors, w.codes.cols()))
        reject("scales, bias or divisors of another size than the codes");
    if (!std::all_of(w.scales.begin(), w.scales.end(), [](float s) { return std::isfinite(s) && s >= 0; }))
        reject("a scale that is negative or no number");
    if (!std::isfinite(w.input.scale) || w.input.scale < 0) reject("the input's scale is no positive number");
    if (!std::all_of(w.input.divisors.begin(), w.input.divisors.end(),
                     [](float d) { return std::isfinite(d) && d > 0; }))
        reject("a divisor that is no positive number");
    const auto allowed = [&](float v) {
        if (w.input.element == InputElement::kE4m3) return f8e4m3_to_f32(f32_to_f8e4m3(v)) == v;
        return v >= -128 && v <= 127 && v == std::nearbyint(v);
    };
    if (!std::all_of(w.codes.values().begin(), w.codes.values().end(), allowed))
        reject("a code that is none of its kind");
}

void check_rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, const Tensor* residual,
                    const Tensor& y) {
    if (weight.cols() <= 0 || x.cols() % weight.cols() != 0) {
        throw InvalidArgument(
            fmt::format("rms_norm: {} columns are no multiple of the weight's {}", x.cols(), weight.cols()));
    }
    expect("rms_norm", "weight", weight, 1, weight.cols());
    expect("rms_norm", "x", x, batch.rows(), x.cols());
    if (residual != nullptr) expect("rms_norm", "residual", *residual, batch.rows(), x.cols());
    expect("rms_norm", "y", y, batch.rows(), x.cols());
}

const RotaryTable* rotary_table(const AttentionSpec& spec, std::int64_t rows) {
    for (const RotaryTable& table : spec.rotary) {
        if (table.max_rows >= rows) return &table;
    }
    return nullptr;
}

void check_attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                     const AttentionSpec& spec, const Tensor& out) {
    if (spec.kv_heads <= 0 || spec.heads % spec.kv_heads != 0) {
        throw InvalidArgument(
            fmt::format("attention: {} heads cannot share {} key/value heads", spec.heads, spec.kv_heads));
    }
    expect("attention", "q", q, batch.rows(), spec.heads * spec.head_dim);
    expect("attention", "k", k, batch.rows(), spec.kv_heads * spec.head_dim);
    expect("attention", "v", v, batch.rows(), spec.kv_heads * spec.head_dim);
    expect("attention", "out", out, batch.rows(), spec.heads * spec.head_dim);
    if (spec.rotary.empty()) return;
    if (batch.has_continued() && spec.rotary.size() > 1)
        throw InvalidArgument(
            "attention: windows that continue others cannot choose a rotary table by their length");
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        const std::int64_t rows = batch.positions(w);
        const RotaryTable* t = rotary_table(spec, rows);
        if (t != nullptr && t->cosines->rows() >= rows && t->cosines->cols() * 2 <= spec.head_dim &&
            t->sines->rows() == t->cosines->rows() && t->sines->cols() == t->cosines->cols()) {
            continue;
        }
        throw InvalidArgument(fmt::format(
            "attention: rotary tables do not fit {} positions of head dimension {}", rows, spec.head_dim));
    }
}

void check_gated(const Batch& batch, const Columns& gate, const Columns& up, const Tensor& y) {
    expect("gated", "gate", gate, batch.rows(), y.cols());
    expect("gated", "up", up, batch.rows(), y.cols());
    expect("gated", "y", y, batch.rows(), y.cols());
}

void check_route(const Batch& batch, const Tensor& logits, const RouteSpec& spec) {
    expect("route", "logits", logits, batch.rows(), logits.cols());
    if (spec.experts_per_token <= 0 || spec.experts_per_token > logits.cols()) {
        throw InvalidArgument(
            fmt::format("route: {} of {} experts per token", spec.experts_per_token, logits.cols()));
    }
}

void check_gather_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor& out) {
    expect("gather_rows", "out", out, static_cast<std::int64_t>(rows.size()), in.cols());
    for (std::int64_t r : rows) {
        if (r < 0 || r >= in.rows())
            throw InvalidArgument(fmt::format("gather_rows: row {} of {}", r, in.rows()));
    }
}

void check_combine_experts(const Batch& batch, const Routing& routing, std::span<const Tensor* const> outputs,
                           const Tensor& residual, const Tensor& y) {
    expect("combine_experts", "residual", residual, batch.rows(), y.cols());
    expect("combine_experts", "y", y, batch.rows(), y.cols());
    if (outputs.size() != routing.experts.size())
        throw InvalidArgument(
            fmt::format("combine_experts: {} outputs of {} experts", outputs.size(), routing.experts.size()));
    for (std::size_t e = 0; e < outputs.size(); ++e)
        expect("combine_experts", "output", *outputs[e], routing.experts[e].batch.rows(), y.cols());
}

void check_add_gated(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& residual,
                     const Tensor& y) {
    expect("add_gated", "x", x, batch.rows(), y.cols());
    expect("add_gated", "gate", gate, batch.rows(), 1);
    expect("add_gated", "residual", residual, batch.rows(), y.cols());
    expect("add_gated", "y", y, batch.rows(), y.cols());
}

void check_same_shape(const char* operation, const Batch& batch, std::span<const Tensor* const> tensors) {
    for (const Tensor* t : tensors) expect(operation, "operand", *t, batch.rows(), tensors[0]->cols());
}

void check_scorer(const Batch& batch, std::size_t inputs, std::span<const std::int32_t> targets) {
    if (inputs == 0) throw InvalidArgument("scorer: no input");
    if (static_cast<std::int64_t>(targets.size()) != batch.rows())
        throw InvalidArgument(fmt::format("scorer: {} targets for {} rows", targets.size(), batch.rows()));
}

void check_head_inputs(const Batch& batch, std::span<const HeadInput> inputs, std::size_t expected) {
    if (inputs.size() != expected)
        throw InvalidArgument(fmt::format("scorer: {} inputs, expected {}", inputs.size(), expected));
    for (const HeadInput& input : inputs) {
        expect("scorer", "hidden", *input.hidden, batch.rows(), input.head->in_features());
        if (input.head->vocabulary() != inputs[0].head->vocabulary())
            throw InvalidArgument("scorer: vocabularies differ");
    }
}

void check_targets_seen(std::span<const std::int32_t> targets, std::int64_t tokens) {
    for (std::int32_t target : targets) {
        if (target < 0 || target >= tokens)
            throw InvalidArgument(
                fmt::format("scorer: target {} outside the vocabulary of {}", target, tokens));
    }
}

void check_logits(const Batch& batch, const HeadInput& input, MatrixView<const float> out) {
    expect("logits", "hidden", *input.hidden, batch.rows(), input.head->in_features());
    expect("logits", "out", out.rows(), out.cols(), batch.rows(), input.head->vocabulary());
}

void check_copy_rows(const Tensor& in, std::int64_t in_row, const Tensor& out, std::int64_t out_row,
                     std::int64_t rows) {
    if (in.cols() != out.cols() || rows < 0 || in_row < 0 || out_row < 0 || in_row + rows > in.rows() ||
        out_row + rows > out.rows()) {
        throw InvalidArgument(fmt::format("copy_rows: rows {}+{} of [{}, {}] to {} of [{}, {}]", in_row, rows,
                                          in.rows(), in.cols(), out_row, out.rows(), out.cols()));
    }
}

void check_rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight, const Tensor& g_y,
                             const Tensor* base, const Tensor& g_x) {
    check_rms_norm(batch, x, weight, base, g_x);
    expect("rms_norm_backward", "g_y", g_y, batch.rows(), x.cols());
}

void check_attention_backward(const Batch& batch, const AttentionSpec& spec,
                              const AttentionGradients& gradients) {
    if (batch.has_continued())
        throw InvalidArgument(
            "attention_backward: gradients do not pass from a window to one that it continues");
    const std::int64_t q = spec.heads * spec.head_dim, kv = spec.kv_heads * spec.head_dim;
    expect("attention_backward", "g_out", *gradients.g_out, batch.rows(), q);
    expect("attention_backward", "g_q", gradients.g_q, batch.rows(), q);
    expect("attention_backward", "g_k", gradients.g_k, batch.rows(), kv);
    expect("attention_backward", "g_v", gradients.g_v, batch.rows(), kv);
}

void check_gated_backward(const Batch& batch, const Columns& gate, const Columns& up, const Tensor& g_y,
                          const Columns& g_gate, const Columns& g_up) {
    check_gated(batch, gate, up, g_y);
    expect("gated_backward", "g_gate", g_gate, batch.rows(), g_y.cols());
    expect("gated_backward", "g_up", g_up, batch.rows(), g_y.cols());
}

void check_scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                        const Tensor& out) {
    expect("scatter_rows", "in", in, static_cast<std::int64_t>(rows.size()), out.cols());
    if (base != nullptr) expect("scatter_rows", "base", *base, out.rows(), out.cols());
    for (std::int64_t r : rows) {
        if (r < 0 || r >= out.rows())
            throw InvalidArgument(fmt::format("scatter_rows: row {} of {}", r, out.rows()));
    }
}

void check_combine_experts_backward(const Batch& batch, const Routing& routing,
                                    std::span<const Tensor* const> outputs, const Tensor& g_y,
                                    std::span<Tensor* const> g_outputs) {
    check_combine_experts(batch, routing, outputs, g_y, g_y);
    if (g_outputs.size() != outputs.size()) {
        throw InvalidArgument(fmt::format("combine_experts_backward: {} gradients of {} outputs",
                                          g_outputs.size(), outputs.size()));
    }
    for (std::size_t e = 0; e < outputs.size(); ++e)
        expect("combine_experts_backward", "g_output", *g_outputs[e], outputs[e]->rows(), g_y.cols());
}

void check_route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                          const Routing& routing, const RoutingGradient& g_weights, const Tensor& g_logits) {
    check_route(batch, logits, spec);
    expect("route_backward", "g_logits", g_logits, batch.rows(), logits.cols());
    const auto experts = static_cast<std::size_t>(logits.cols());
    if (routing.experts.size() != experts || g_weights.size() != experts) {
        throw InvalidArgument(
            fmt::format("route_backward: a routing of {} experts, gradients of {}, logits of {}",
                        routing.experts.size(), g_weights.size(), experts));
    }
    for (std::size_t e = 0; e < experts; ++e) {
        const std::vector<std::int64_t>& rows = routing.experts[e].rows;
        if (rows.size() != g_weights[e].size()) {
            throw InvalidArgument(fmt::format("route_backward: {} gradients for {} rows of expert {}",
                                              g_weights[e].size(), rows.size(), e));
        }
        for (std::int64_t r : rows) {
            if (r < 0 || r >= batch.rows())
                throw InvalidArgument(fmt::format("route_backward: row {} of {}", r, batch.rows()));
        }
    }
}

void check_add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& g_y,
                              const Tensor& g_x, const Tensor& g_gate) {
    check_add_gated(batch, x, gate, g_y, g_x);
    expect("add_gated_backward", "g_gate", g_gate, batch.rows(), 1);
}

void check_add(const Tensor& a, const Tensor& b, const Tensor& y) {
    expect("add", "b", b, a.rows(), a.cols());
    expect("add", "y", y, a.rows(), a.cols());
}

void check_label_gradient(const Batch& batch, const HeadInput& part, const LabelDraws& draws,
                          const Tensor& g_logits) {
    const std::int64_t tokens = part.head->vocabulary();
    if (tokens > Backend::kHeadPartTokens) {
        throw InvalidArgument(
            fmt::format("label_gradient: a part of {} tokens, at most {}", tokens, Backend::kHeadPartTokens));
    }
    expect("label_gradient", "hidden", *part.hidden, batch.rows(), part.head->in_features());
    expect("label_gradient", "g_logits", g_logits, batch.rows(), tokens);
    const auto rows = static_cast<std::size_t>(batch.rows());
    if (draws.log_sum.size() != rows || draws.uniform.size() != rows || draws.passed.size() != rows ||
        draws.labels.size() != rows) {
        throw InvalidArgument(fmt::format("label_gradient: draws of {}, {}, {} and {} rows, expected {}",
                                          draws.log_sum.size(), draws.uniform.size(), draws.passed.size(),
                                          draws.labels.size(), rows));
    }
}

void check_change_dots(std::span<const RowSegment> segments, const Tensor& g, const Tensor& x,
                       std::span<const PackedChange* const> changes) {
    expect("change_dots", "x", x, g.rows(), x.cols());
    for (const PackedChange* change : changes) {
        expect("change_dots", "change", change->out_features(), change->in_features(), g.cols(), x.cols());
    }
    for (const RowSegment& s : segments) {
        if (s.first < 0 || s.count < 0 || s.first + s.count > g.rows())
            throw InvalidArgument(fmt::format("change_dots: rows {}+{} of {}", s.first, s.count, g.rows()));
    }
}

void check_weighted_gradient(const Tensor& g, const Tensor& x, std::span<const double> weights) {
    expect("weighted_gradient", "x", x, g.rows(), x.cols());
    if (static_cast<std::int64_t>(weights.size()) != g.rows()) {
        throw InvalidArgument(
            fmt::format("weighted_gradient: {} weights for {} rows", weights.size(), g.rows()));
    }
}

void check_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                const SymmetricMatrix& sums) {
    expect("gram", "x", x, batch.rows(), sums.size());
    if (!weights.empty() && static_cast<std::int64_t>(weights.size()) != x.rows())
        throw InvalidArgument(fmt::format("gram: {} weights for {} rows", weights.size(), x.rows()));
}

void check_host_shape(const char* operation, const Tensor& tensor, std::int64_t rows, std::int64_t cols) {
    expect(operation, "host matrix", rows, cols, tensor.rows(), tensor.cols());
}

}  // namespace assay::compute
