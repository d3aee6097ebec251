// Gradients of the reference backend: the textbook sums, in double.
#include <algorithm>

#include "compute/reference/reference_backend.h"
#include "compute/shape_checks.h"
#include "compute/symmetric_matrix.h"

namespace assay::compute {
namespace {

struct ReferenceChange final : PackedChange {
    Matrix<double> values;
    std::int64_t out_features() const override { return values.rows(); }
    std::int64_t in_features() const override { return values.cols(); }
};

// An activation and its derivative.
struct Slope {
    double value = 0, derivative = 0;
};
Slope activate(Activation activation, double x) {
    if (activation == Activation::kSilu) {
        const double s = sigmoid(x);
        return {x * s, s * (1 + x * (1 - s))};
    }
    const double k = std::sqrt(2 / std::numbers::pi), t = std::tanh(k * (x + 0.044715 * x * x * x));
    return {x / 2 * (1 + t), (1 + t) / 2 + x / 2 * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x)};
}

// The derivative of a softcap where it gives `value`; 1 without one.
double cap_slope(double value, double cap) {
    return cap > 0 ? 1 - value / cap * (value / cap) : 1;
}

// The gradient of what rotated() took, from that of what it gave: its transpose.
std::vector<double> rotated_back(std::span<const double> g, const RotaryTable* table, std::int64_t position) {
    std::vector<double> out(g.begin(), g.end());
    if (table == nullptr) return out;
    const auto cosines = view(*table->cosines).row(position), sines = view(*table->sines).row(position);
    const std::size_t half = cosines.size();
    for (std::size_t i = 0; i < half; ++i) {
        out[i] = g[i] * cosines[i] + g[i + half] * sines[i];
        out[i + half] = g[i + half] * cosines[i] - g[i] * sines[i];
    }
    return out;
}

// sum += weight · x.
void add_scaled(std::span<const double> x, double weight, std::span<double> sum) {
    for (std::size_t c = 0; c < x.size(); ++c) sum[c] += weight * x[c];
}

void copy_head(std::span<const double> values, const TargetColumns& target, std::int64_t row,
               std::int64_t head) {
    const auto first = target.first + head * static_cast<std::int64_t>(values.size());
    std::copy(values.begin(), values.end(),
              view(*target.tensor).row(row).begin() + static_cast<std::ptrdiff_t>(first));
}

// All that attention_backward() reads, for one window.
struct AttentionWindow {
    const Columns &q, &k, &v;
    const AttentionSpec& spec;
    const Tensor &out, &g_out;
    std::int64_t first = 0, rows = 0;
    const RotaryTable* table = nullptr;
};

// One query head: writes its g_q, and adds to the gradients of the rotated keys and of the values, both
// [rows, head_dim].
void attend_backward(const AttentionWindow& w, std::int64_t head, Matrix<double>& g_keys,
                     Matrix<double>& g_values, const TargetColumns& g_q) {
    const AttentionSpec& spec = w.spec;
    const std::int64_t d = spec.head_dim, kv_head = head / (spec.heads / spec.kv_heads);
    for (std::int64_t t = 0; t < w.rows; ++t) {
        const auto query = rotated(head_row(w.q, w.first + t, head, d), w.table, t);
        const std::int64_t begin = spec.window > 0 ? std::max<std::int64_t>(0, t - spec.window + 1) : 0;
        std::vector<std::vector<double>> keys;
        std::vector<double> scores;
        for (std::int64_t s = begin; s <= t; ++s) {
            keys.push_back(rotated(head_row(w.k, w.first + s, kv_head, d), w.table, s));
            const double score = spec.scale * dot(query, keys.back());
            scores.push_back(spec.softcap > 0 ? capped(score, spec.softcap) : score);
        }
        std::vector<double> p = scores;
        softmax(p);
        const auto g_out = head_row(w.g_out, w.first + t, head, d);
        const double mean = dot(g_out, head_row(w.out, w.first + t, head, d));
        std::vector<double> g_query(static_cast<std::size_t>(d));
        for (std::int64_t s = begin; s <= t; ++s) {
            const auto i = static_cast<std::size_t>(s - begin);
            const double g_p = dot(g_out, head_row(w.v, w.first + s, kv_head, d));
            const double g_score = p[i] * (g_p - mean) * cap_slope(scores[i], spec.softcap) * spec.scale;
            add_scaled(keys[i], g_score, g_query);
            add_scaled(query, g_score, g_keys.row(s));
            add_scaled(g_out, p[i], g_values.row(s));
        }
        copy_head(rotated_back(g_query, w.table, t), g_q, w.first + t, head);
    }
}

}  // namespace

void ReferenceBackend::rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight,
                                         double eps, const Tensor& g_y, const Tensor* base, Tensor& g_x) {
    check_rms_norm_backward(batch, x, weight, g_y, base, g_x);
    const std::int64_t n = weight.cols();
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        for (std::int64_t first = 0; first < x.cols(); first += n) {
            double squares = 0, products = 0;
            for (std::int64_t c = 0; c < n; ++c) {
                const double value = view(x)(r, first + c);
                squares += value * value;
                products += value * view(weight)(0, c) * view(g_y)(r, first + c);
            }
            const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
            const double shrink = factor * factor * factor / static_cast<double>(n) * products;
            for (std::int64_t c = first; c < first + n; ++c) {
                const double g =
                    factor * view(weight)(0, c - first) * view(g_y)(r, c) - view(x)(r, c) * shrink;
                view(g_x)(r, c) = base != nullptr ? view(*base)(r, c) + g : g;
            }
        }
    }
}

void ReferenceBackend::attention_backward(const Batch& batch, const Columns& q, const Columns& k,
                                          const Columns& v, const AttentionSpec& spec, const Tensor& out,
                                          const Tensor& g_out, const TargetColumns& g_q,
                                          const TargetColumns& g_k, const TargetColumns& g_v) {
    check_attention(batch, q, k, v, spec, out);
    check_attention_backward(batch, spec, {&g_out, columns(g_q), columns(g_k), columns(g_v)});
    const std::int64_t group = spec.heads / spec.kv_heads;
    for (std::int64_t i = 0; i < batch.windows(); ++i) {
        const std::int64_t first = batch.window_first_row(i), rows = batch.window_rows(i);
        const AttentionWindow window{q, k, v, spec, out, g_out, first, rows, rotary_table(spec, rows)};
        for (std::int64_t kv_head = 0; kv_head < spec.kv_heads; ++kv_head) {
            Matrix<double> g_keys(rows, spec.head_dim), g_values(rows, spec.head_dim);
            for (std::int64_t h = 0; h < group; ++h)
                attend_backward(window, kv_head * group + h, g_keys, g_values, g_q);
            for (std::int64_t t = 0; t < rows; ++t) {
                copy_head(rotated_back(g_keys.row(t), window.table, t), g_k, first + t, kv_head);
                copy_head(g_values.row(t), g_v, first + t, kv_head);
            }
        }
    }
}

void ReferenceBackend::gated_backward(const Batch& batch, const Columns& gate, const Columns& up,
                                      Activation activation, const Tensor& g_y, const TargetColumns& g_gate,
                                      const TargetColumns& g_up) {
    check_gated_backward(batch, gate, up, g_y, columns(g_gate), columns(g_up));
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        for (std::int64_t c = 0; c < g_y.cols(); ++c) {
            const double g = view(g_y)(r, c);
            const Slope slope = activate(activation, view(*gate.tensor)(r, gate.first + c));
            view (*g_gate.tensor)(r, g_gate.first + c) =
                g * view(*up.tensor)(r, up.first + c) * slope.derivative;
            view (*g_up.tensor)(r, g_up.first + c) = g * slope.value;
        }
    }
}

void ReferenceBackend::scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                                    Tensor& out) {
    check_scatter_rows(in, rows, base, out);
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        for (std::int64_t c = 0; c < out.cols(); ++c)
            view(out)(r, c) = base != nullptr ? view(*base)(r, c) : 0.0;
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
        add_scaled(view(in).row(static_cast<std::int64_t>(i)), 1, view(out).row(rows[i]));
}

RoutingGradient ReferenceBackend::combine_experts_backward(const Batch& batch, const Routing& routing,
                                                           std::span<const Tensor* const> outputs,
                                                           const Tensor& g_y,
                                                           std::span<Tensor* const> g_outputs) {
    check_combine_experts_backward(batch, routing, outputs, g_y, g_outputs);
    RoutingGradient g_weights(outputs.size());
    for (std::size_t e = 0; e < outputs.size(); ++e) {
        const ExpertRows& expert = routing.experts[e];
        for (std::size_t i = 0; i < expert.rows.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            const auto g = view(g_y).row(expert.rows[i]);
            g_weights[e].push_back(dot(view(*outputs[e]).row(row), g));
            for (std::size_t c = 0; c < g.size(); ++c)
                view(*g_outputs[e]).row(row)[c] = expert.weights[i] * g[c];
        }
    }
    return g_weights;
}

void ReferenceBackend::route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                                      const Routing& routing, const RoutingGradient& g_weights,
                                      Tensor& g_logits) {
    check_route_backward(batch, logits, spec, routing, g_weights, g_logits);
    route_rows_backward(
        batch.rows(), spec, routing, g_weights,
        [&](std::int64_t r, std::span<double> row) {
            std::copy(view(logits).row(r).begin(), view(logits).row(r).end(), row.begin());
        },
        [&](std::int64_t r, std::span<const double> row) {
            std::copy(row.begin(), row.end(), view(g_logits).row(r).begin());
        });
}

void ReferenceBackend::add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate,
                                          const Tensor& g_y, Tensor& g_x, Tensor& g_gate) {
    check_add_gated_backward(batch, x, gate, g_y, g_x, g_gate);
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        const double weight = sigmoid(view(gate)(r, 0));
        view(g_gate)(r, 0) = weight * (1 - weight) * dot(view(g_y).row(r), view(x).row(r));
        for (std::int64_t c = 0; c < x.cols(); ++c) view(g_x)(r, c) = weight * view(g_y)(r, c);
    }
}

void ReferenceBackend::add(const Tensor& a, const Tensor& b, Tensor& y) {
    check_add(a, b, y);
    for (std::int64_t r = 0; r < y.rows(); ++r) {
        for (std::int64_t c = 0; c < y.cols(); ++c) view(y)(r, c) = view(a)(r, c) + view(b)(r, c);
    }
}

void ReferenceBackend::label_gradient(const Batch& batch, const HeadInput& part, LabelDraws& draws,
                                      Tensor& g_logits) {
    check_label_gradient(batch, part, draws, g_logits);
    const double cap = static_cast<const ReferenceHead&>(*part.head).softcap;
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        const auto row = static_cast<std::size_t>(r);
        const double uniform = std::min(draws.uniform[row], LabelDraws::kLargestUniform);
        const std::vector<double> logits = row_logits(part, r);
        for (std::size_t i = 0; i < logits.size(); ++i) {
            const double p = std::exp(logits[i] - draws.log_sum[row]);
            draws.passed[row] += p;
            const bool is_label = draws.labels[row] < 0 && draws.passed[row] > uniform;
            if (is_label) draws.labels[row] = draws.next_token + static_cast<std::int32_t>(i);
            view(g_logits).row(r)[i] = ((is_label ? 1 : 0) - p) * cap_slope(logits[i], cap);
        }
    }
    draws.next_token += static_cast<std::int32_t>(part.head->vocabulary());
}

std::unique_ptr<PackedChange> ReferenceBackend::pack_change(MatrixView<const float> change) {
    auto packed = std::make_unique<ReferenceChange>();
    packed->values = widen(change);
    return packed;
}

Matrix<double> ReferenceBackend::change_dots(std::span<const RowSegment> segments, const Tensor& g,
                                             const Tensor& x, std::span<const PackedChange* const> changes) {
    check_change_dots(segments, g, x, changes);
    Matrix<double> sums(static_cast<std::int64_t>(segments.size()),
                        static_cast<std::int64_t>(changes.size()));
    for (std::int64_t s = 0; s < sums.rows(); ++s) {
        const RowSegment& segment = segments[static_cast<std::size_t>(s)];
        for (std::int64_t f = 0; f < sums.cols(); ++f) {
            const auto& change =
                static_cast<const ReferenceChange&>(*changes[static_cast<std::size_t>(f)]).values;
            for (std::int64_t t = segment.first; t < segment.first + segment.count; ++t) {
                for (std::int64_t o = 0; o < change.rows(); ++o)
                    sums.view()(s, f) += view(g)(t, o) * dot(change.row(o), view(x).row(t));
            }
        }
    }
    return sums;
}

Matrix<double> ReferenceBackend::weighted_gradient(const Tensor& g, const Tensor& x,
                                                   std::span<const double> weights) {
    check_weighted_gradient(g, x, weights);
    Matrix<double> sums(g.cols(), x.cols());
    for (std::int64_t t = 0; t < g.rows(); ++t) {
        for (std::int64_t o = 0; o < g.cols(); ++o)
            add_scaled(view(x).row(t), weights[static_cast<std::size_t>(t)] * view(g)(t, o), sums.row(o));
    }
    return sums;
}

void ReferenceBackend::add_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                                SymmetricMatrix& sums) {
    check_gram(batch, x, weights, sums);
    for (std::int64_t t = 0; t < x.rows(); ++t) {
        const double weight = weights.empty() ? 1 : weights[static_cast<std::size_t>(t)];
        for (std::int64_t r = 0; r < x.cols(); ++r) {
            for (std::int64_t c = 0; c <= r; ++c) sums(r, c) += weight * view(x)(t, r) * view(x)(t, c);
        }
    }
}

}  // namespace assay::compute
