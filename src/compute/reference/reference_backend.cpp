// The reference backend: naive loops in double, one row at a time, written to be read.
#include "compute/reference/reference_backend.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "compute/shape_checks.h"
#include "tensor/float8.h"

namespace assay::compute {

Matrix<double> widen(MatrixView<const float> values) {
    Matrix<double> out(values.rows(), values.cols());
    for (std::int64_t r = 0; r < values.rows(); ++r)
        std::copy(values.row(r).begin(), values.row(r).end(), out.row(r).begin());
    return out;
}

std::vector<double> rotated(std::span<const double> head, const RotaryTable* table, std::int64_t position) {
    std::vector<double> out(head.begin(), head.end());
    if (table == nullptr) return out;
    const auto cosines = view(*table->cosines).row(position), sines = view(*table->sines).row(position);
    const std::size_t half = cosines.size();
    for (std::size_t i = 0; i < half; ++i) {
        out[i] = head[i] * cosines[i] - head[i + half] * sines[i];
        out[i + half] = head[i + half] * cosines[i] + head[i] * sines[i];
    }
    return out;
}

void softmax(std::vector<double>& x) {
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double& value : x) sum += value = std::exp(value - top);
    for (double& value : x) value /= sum;
}

namespace {

struct ReferenceLinear final : PackedLinear {
    Matrix<double> w;  // or its codes
    std::vector<double> bias;
    std::vector<double> scales;             // of codes, by output; empty: none
    std::optional<InputRounding> rounding;  // with codes
    std::int64_t out_features() const override { return w.rows(); }
    std::int64_t in_features() const override { return w.cols(); }
};

double rounded(double x, InputElement element) {
    if (element == InputElement::kE4m3) return f8e4m3_to_f32(f32_to_f8e4m3(static_cast<float>(x)));
    return std::clamp(std::nearbyint(x), -128.0, 127.0);
}

// Makes codes of a row and returns their scale.
double round_row(std::vector<double>& x, const InputRounding& rounding) {
    double largest = 0, sum = 0;
    for (std::size_t c = 0; c < x.size(); ++c) {
        if (!rounding.divisors.empty()) x[c] /= rounding.divisors[c];
        largest = std::max(largest, std::abs(x[c]));
        sum += x[c];
    }
    if (!std::isfinite(sum)) return std::numeric_limits<double>::quiet_NaN();
    const double top = rounding.element == InputElement::kInt8 ? 127 : 448;
    const double scale = rounding.scale > 0 ? rounding.scale : static_cast<float>(largest / top);
    for (double& v : x) v = rounded(scale > 0 ? v / scale : v, rounding.element);
    return scale;
}

double activate(Activation activation, double x) {
    if (activation == Activation::kSilu) return x * sigmoid(x);
    return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

double log_sum_exp(std::span<const double> x) {
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double value : x) sum += std::exp(value - top);
    return top + std::log(sum);
}

// One head of one window.
void attend(const Batch& batch, std::int64_t window, std::int64_t head, const Columns& q, const Columns& k,
            const Columns& v, const AttentionSpec& spec, Tensor& out) {
    const std::int64_t d = spec.head_dim, kv_head = head / (spec.heads / spec.kv_heads);
    const RotaryTable* table = rotary_table(spec, batch.positions(window));
    const auto before = batch.rows_before(window);
    std::vector<std::int64_t> rows(before.begin(), before.end());  // of each position
    for (std::int64_t r = 0; r < batch.window_rows(window); ++r)
        rows.push_back(batch.window_first_row(window) + r);
    const auto row_of = [&](std::int64_t position) { return rows[static_cast<std::size_t>(position)]; };
    std::vector<std::vector<double>> keys;
    for (std::int64_t t = 0; t < batch.positions(window); ++t) {
        keys.push_back(rotated(head_row(k, row_of(t), kv_head, d), table, t));
        if (t < std::ssize(before)) continue;
        const auto query = rotated(head_row(q, row_of(t), head, d), table, t);
        const std::int64_t begin = spec.window > 0 ? std::max<std::int64_t>(0, t - spec.window + 1) : 0;
        std::vector<double> p;
        for (std::int64_t s = begin; s <= t; ++s) {
            const double score = spec.scale * dot(query, keys[static_cast<std::size_t>(s)]);
            p.push_back(spec.softcap > 0 ? capped(score, spec.softcap) : score);
        }
        softmax(p);
        const auto target =
            view(out).row(row_of(t)).subspan(static_cast<std::size_t>(head * d), static_cast<std::size_t>(d));
        std::fill(target.begin(), target.end(), 0.0);
        for (std::int64_t s = begin; s <= t; ++s) {
            const auto value = head_row(v, row_of(s), kv_head, d);
            for (std::size_t c = 0; c < target.size(); ++c)
                target[c] += p[static_cast<std::size_t>(s - begin)] * value[c];
        }
    }
}

}  // namespace

Tensor ReferenceBackend::allocate(std::int64_t rows, std::int64_t cols) {
    return {rows, cols, std::make_unique<DoubleBuffer>(rows * cols)};
}

void ReferenceBackend::upload(MatrixView<const float> values, Tensor& out) {
    check_host_shape("upload", out, values.rows(), values.cols());
    for (std::int64_t r = 0; r < out.rows(); ++r)
        std::copy(values.row(r).begin(), values.row(r).end(), view(out).row(r).begin());
}

void ReferenceBackend::download(const Tensor& tensor, MatrixView<float> out) const {
    check_host_shape("download", tensor, out.rows(), out.cols());
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        for (std::int64_t c = 0; c < out.cols(); ++c) out(r, c) = static_cast<float>(view(tensor)(r, c));
    }
}

void ReferenceBackend::copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                                 std::int64_t rows) {
    check_copy_rows(in, in_row, out, out_row, rows);
    for (std::int64_t r = 0; r < rows; ++r) {
        const auto from = view(in).row(in_row + r);
        std::copy(from.begin(), from.end(), view(out).row(out_row + r).begin());
    }
}

std::unique_ptr<PackedLinear> ReferenceBackend::pack_linear(MatrixView<const float> w,
                                                            std::span<const float> bias) {
    auto packed = std::make_unique<ReferenceLinear>();
    packed->w = widen(w);
    packed->bias.assign(bias.begin(), bias.end());
    return packed;
}

std::unique_ptr<PackedLinear> ReferenceBackend::pack_rounded(const RoundedLinear& w,
                                                             std::span<const float> bias) {
    check_rounded(w, bias);
    auto packed = std::make_unique<ReferenceLinear>();
    packed->w = widen(w.codes.view());
    packed->bias.assign(bias.begin(), bias.end());
    packed->scales.assign(w.scales.begin(), w.scales.end());
    packed->rounding = w.input;
    return packed;
}

std::unique_ptr<PackedLinear> ReferenceBackend::pack_transposed(MatrixView<const float> w) {
    auto packed = std::make_unique<ReferenceLinear>();
    packed->w = Matrix<double>(w.cols(), w.rows());
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) packed->w.view()(c, r) = w(r, c);
    }
    return packed;
}

void ReferenceBackend::linear(const Batch& batch, const Tensor& x, const PackedLinear& w,
                              const Tensor* residual, Tensor& y) {
    check_linear(batch, x, w, residual, y);
    const auto& packed = static_cast<const ReferenceLinear&>(w);
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        std::vector<double> input(view(x).row(r).begin(), view(x).row(r).end());
        const double scale = packed.rounding ? round_row(input, *packed.rounding) : 1;
        for (std::int64_t o = 0; o < w.out_features(); ++o) {
            double sum = dot(input, packed.w.row(o));
            if (packed.rounding) sum *= scale * packed.scales[static_cast<std::size_t>(o)];
            if (!packed.bias.empty()) sum += packed.bias[static_cast<std::size_t>(o)];
            if (residual != nullptr) sum += view(*residual)(r, o);
            view(y)(r, o) = sum;
        }
    }
}

void ReferenceBackend::rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                                const Tensor* residual, Tensor& y) {
    check_rms_norm(batch, x, weight, residual, y);
    const std::int64_t n = weight.cols();
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        for (std::int64_t first = 0; first < x.cols(); first += n) {
            const auto run =
                view(x).row(r).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n));
            const double factor = 1 / std::sqrt(dot(run, run) / static_cast<double>(n) + eps);
            for (std::int64_t c = 0; c < n; ++c) {
                const double value = run[static_cast<std::size_t>(c)] * factor * view(weight)(0, c);
                view(y)(r, first + c) = residual != nullptr ? view(*residual)(r, first + c) + value : value;
            }
        }
    }
}

void ReferenceBackend::attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                                 const AttentionSpec& spec, Tensor& out) {
    check_attention(batch, q, k, v, spec, out);
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        for (std::int64_t head = 0; head < spec.heads; ++head) attend(batch, w, head, q, k, v, spec, out);
    }
}

void ReferenceBackend::gated(const Batch& batch, const Columns& gate, const Columns& up,
                             Activation activation, Tensor& y) {
    check_gated(batch, gate, up, y);
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        for (std::int64_t c = 0; c < y.cols(); ++c) {
            const double g = view(*gate.tensor)(r, gate.first + c);
            view(y)(r, c) = activate(activation, g) * view(*up.tensor)(r, up.first + c);
        }
    }
}

Routing ReferenceBackend::route(const Batch& batch, const Tensor& logits, const RouteSpec& spec) {
    check_route(batch, logits, spec);
    return route_rows(batch, logits.cols(), spec, [&](std::int64_t r, std::span<double> out) {
        const auto row = view(logits).row(r);
        std::copy(row.begin(), row.end(), out.begin());
    });
}

void ReferenceBackend::gather_rows(const Tensor& in, std::span<const std::int64_t> rows, Tensor& out) {
    check_gather_rows(in, rows, out);
    for (std::size_t i = 0; i < rows.size(); ++i)
        copy_rows(in, rows[i], out, static_cast<std::int64_t>(i), 1);
}

void ReferenceBackend::combine_experts(const Batch& batch, const Routing& routing,
                                       std::span<const Tensor* const> outputs, const Tensor& residual,
                                       Tensor& y) {
    check_combine_experts(batch, routing, outputs, residual, y);
    copy_rows(residual, 0, y, 0, batch.rows());
    for (std::size_t e = 0; e < outputs.size(); ++e) {
        const ExpertRows& expert = routing.experts[e];
        for (std::size_t i = 0; i < expert.rows.size(); ++i) {
            for (std::int64_t c = 0; c < y.cols(); ++c)
                view(y)(expert.rows[i], c) +=
                    expert.weights[i] * view(*outputs[e])(static_cast<std::int64_t>(i), c);
        }
    }
}

void ReferenceBackend::add_gated(const Batch& batch, const Tensor& x, const Tensor& gate,
                                 const Tensor& residual, Tensor& y) {
    check_add_gated(batch, x, gate, residual, y);
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        const double weight = sigmoid(view(gate)(r, 0));
        for (std::int64_t c = 0; c < y.cols(); ++c)
            view(y)(r, c) = view(residual)(r, c) + weight * view(x)(r, c);
    }
}

std::vector<SquaredError> ReferenceBackend::squared_error(const Batch& batch, const Tensor& a,
                                                          const Tensor& b) {
    check_same_shape("squared_error", batch, std::vector<const Tensor*>{&a, &b});
    std::vector<SquaredError> sums(static_cast<std::size_t>(batch.windows()));
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        for (std::int64_t r = 0; r < batch.window_rows(w); ++r) {
            const auto x = view(a).row(batch.window_first_row(w) + r),
                       y = view(b).row(batch.window_first_row(w) + r);
            for (std::size_t c = 0; c < x.size(); ++c) {
                sums[static_cast<std::size_t>(w)].error += (y[c] - x[c]) * (y[c] - x[c]);
                sums[static_cast<std::size_t>(w)].reference += x[c] * x[c];
            }
        }
    }
    return sums;
}

std::vector<ActivationSums> ReferenceBackend::activation_sums(const Batch& batch, const Tensor& x) {
    check_same_shape("activation_sums", batch, std::vector<const Tensor*>{&x});
    std::vector<ActivationSums> windows(static_cast<std::size_t>(batch.windows()));
    const auto cols = static_cast<std::size_t>(x.cols());
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        ActivationSums& out = windows[static_cast<std::size_t>(w)];
        out.channel_max.assign(cols, 0.0f);
        out.channel_energy.assign(cols, 0.0);
        for (std::int64_t r = 0; r < batch.window_rows(w); ++r) {
            const auto row = view(x).row(batch.window_first_row(w) + r);
            float top = 0;
            for (std::size_t c = 0; c < cols; ++c) {
                const double v = row[c], size = std::abs(v);
                out.sum += v;
                out.magnitudes += size;
                out.cubes += v * v * v;
                out.fourths += v * v * v * v;
                out.channel_energy[c] += v * v;
                out.channel_max[c] = std::max(out.channel_max[c], static_cast<float>(size));
                top = std::max(top, static_cast<float>(size));
            }
            out.row_max.push_back(top);
        }
    }
    return windows;
}

std::unique_ptr<PackedHead> ReferenceBackend::pack_head(MatrixView<const float> w, double softcap) {
    auto packed = std::make_unique<ReferenceHead>();
    packed->w = widen(w);
    packed->softcap = softcap;
    return packed;
}

void ReferenceBackend::logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) {
    check_logits(batch, input, out);
    for (std::int64_t r = 0; r < batch.rows(); ++r) {
        const auto row = row_logits(input, r);
        std::copy(row.begin(), row.end(), out.row(r).begin());
    }
}

std::vector<double> ReferenceBackend::row_logits(const HeadInput& input, std::int64_t row) {
    const auto& head = static_cast<const ReferenceHead&>(*input.head);
    std::vector<double> logits;
    for (std::int64_t o = 0; o < head.w.rows(); ++o) {
        const double logit = dot(view(*input.hidden).row(row), head.w.row(o));
        logits.push_back(head.softcap > 0 ? capped(logit, head.softcap) : logit);
    }
    return logits;
}

namespace {

// Keeps all logits, and scores at the end.
class ReferenceScorer final : public TokenScorer {
  public:
    ReferenceScorer(const Batch& batch, std::size_t inputs, std::span<const std::int32_t> targets)
        : batch_(batch), targets_(targets.begin(), targets.end()), logits_(inputs) {
        for (auto& rows : logits_) rows.resize(targets.size());
    }

    void add(std::span<const HeadInput> inputs) override {
        check_head_inputs(batch_, inputs, logits_.size());
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            for (std::size_t r = 0; r < targets_.size(); ++r) {
                const auto part = ReferenceBackend::row_logits(inputs[i], static_cast<std::int64_t>(r));
                logits_[i][r].insert(logits_[i][r].end(), part.begin(), part.end());
            }
        }
        tokens_ += inputs[0].head->vocabulary();
    }

    std::vector<TokenScores> finish() override {
        check_targets_seen(targets_, tokens_);
        std::vector<TokenScores> scores(logits_.size());
        for (std::size_t i = 0; i < logits_.size(); ++i) {
            for (std::size_t r = 0; r < targets_.size(); ++r) {
                const std::vector<double>& own = logits_[i][r];
                scores[i].log_sum.push_back(log_sum_exp(own));
                scores[i].nll.push_back(scores[i].log_sum[r] - own[static_cast<std::size_t>(targets_[r])]);
                scores[i].kl.push_back(i == 0 ? 0 : divergence(logits_[0][r], own));
                scores[i].top1.push_back(
                    static_cast<std::int32_t>(std::max_element(own.begin(), own.end()) - own.begin()));
            }
        }
        return scores;
    }

  private:
    static double divergence(std::span<const double> a, std::span<const double> b) {
        const double lse_a = log_sum_exp(a), lse_b = log_sum_exp(b);
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i)
            sum += std::exp(a[i] - lse_a) * ((a[i] - lse_a) - (b[i] - lse_b));
        return sum;
    }

    const Batch& batch_;
    std::vector<std::int32_t> targets_;
    std::vector<std::vector<std::vector<double>>> logits_;  // [input][row][token]
    std::int64_t tokens_ = 0;
};

}  // namespace

std::unique_ptr<TokenScorer> ReferenceBackend::make_scorer(const Batch& batch, std::size_t inputs,
                                                           std::span<const std::int32_t> targets) {
    check_scorer(batch, inputs, targets);
    return std::make_unique<ReferenceScorer>(batch, inputs, targets);
}

std::unique_ptr<Backend> make_reference_backend() {
    return std::make_unique<ReferenceBackend>();
}

}  // namespace assay::compute
