// The reference backend: naive loops in double, one row at a time, written to be read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "compute/backend.h"
#include "compute/shape_checks.h"

namespace assay::compute {
namespace {

struct DoubleBuffer final : Buffer {
    explicit DoubleBuffer(std::int64_t n) : values(static_cast<std::size_t>(n)) {}
    std::vector<double> values;
};

MatrixView<double> view(Tensor& t) {
    return {static_cast<DoubleBuffer&>(t.buffer()).values.data(), t.rows(), t.cols()};
}
MatrixView<const double> view(const Tensor& t) {
    return {static_cast<const DoubleBuffer&>(t.buffer()).values.data(), t.rows(), t.cols()};
}

struct ReferenceLinear final : PackedLinear {
    Matrix<double> w;
    std::vector<double> bias;
    std::int64_t out_features() const override { return w.rows(); }
    std::int64_t in_features() const override { return w.cols(); }
};

struct ReferenceHead final : PackedHead {
    Matrix<double> w;
    std::int64_t vocabulary() const override { return w.rows(); }
    std::int64_t in_features() const override { return w.cols(); }
};

Matrix<double> widen(MatrixView<const float> values) {
    Matrix<double> out(values.rows(), values.cols());
    for (std::int64_t r = 0; r < values.rows(); ++r)
        std::copy(values.row(r).begin(), values.row(r).end(), out.row(r).begin());
    return out;
}

double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// Turns the pairs (i, i + rotary/2) of one head by the angle of `position`.
std::vector<double> rotated(std::span<const double> head, const AttentionSpec& spec, std::int64_t position) {
    std::vector<double> out(head.begin(), head.end());
    if (spec.cosines == nullptr) return out;
    const auto cosines = view(*spec.cosines).row(position), sines = view(*spec.sines).row(position);
    const std::size_t half = cosines.size();
    for (std::size_t i = 0; i < half; ++i) {
        out[i] = head[i] * cosines[i] - head[i + half] * sines[i];
        out[i + half] = head[i + half] * cosines[i] + head[i] * sines[i];
    }
    return out;
}

// In place: x -> exp(x - max) / sum.
void softmax(std::vector<double>& x) {
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double& value : x) sum += value = std::exp(value - top);
    for (double& value : x) value /= sum;
}

double log_sum_exp(std::span<const double> x) {
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double value : x) sum += std::exp(value - top);
    return top + std::log(sum);
}

class ReferenceBackend final : public Backend {
  public:
    std::string description() const override { return "reference f64 (naive loops)"; }
    std::int64_t element_bytes() const override { return 8; }

    Tensor allocate(std::int64_t rows, std::int64_t cols) override {
        return {rows, cols, std::make_unique<DoubleBuffer>(rows * cols)};
    }

    void upload(MatrixView<const float> values, Tensor& out) override {
        check_host_shape("upload", out, values.rows(), values.cols());
        for (std::int64_t r = 0; r < out.rows(); ++r)
            std::copy(values.row(r).begin(), values.row(r).end(), view(out).row(r).begin());
    }

    void download(const Tensor& tensor, MatrixView<float> out) const override {
        check_host_shape("download", tensor, out.rows(), out.cols());
        for (std::int64_t r = 0; r < out.rows(); ++r) {
            for (std::int64_t c = 0; c < out.cols(); ++c) out(r, c) = static_cast<float>(view(tensor)(r, c));
        }
    }

    void copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                   std::int64_t rows) override {
        check_copy_rows(in, in_row, out, out_row, rows);
        for (std::int64_t r = 0; r < rows; ++r) {
            const auto from = view(in).row(in_row + r);
            std::copy(from.begin(), from.end(), view(out).row(out_row + r).begin());
        }
    }

    std::unique_ptr<PackedLinear> pack_linear(MatrixView<const float> w,
                                              std::span<const float> bias) override {
        auto packed = std::make_unique<ReferenceLinear>();
        packed->w = widen(w);
        packed->bias.assign(bias.begin(), bias.end());
        return packed;
    }

    void linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                Tensor& y) override {
        check_linear(batch, x, w, residual, y);
        const auto& packed = static_cast<const ReferenceLinear&>(w);
        for (std::int64_t r = 0; r < batch.rows(); ++r) {
            for (std::int64_t o = 0; o < w.out_features(); ++o) {
                double sum = dot(view(x).row(r), packed.w.row(o));
                if (!packed.bias.empty()) sum += packed.bias[static_cast<std::size_t>(o)];
                if (residual != nullptr) sum += view(*residual)(r, o);
                view(y)(r, o) = sum;
            }
        }
    }

    void rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps, Tensor& y) override {
        check_rms_norm(batch, x, weight, y);
        for (std::int64_t r = 0; r < batch.rows(); ++r) {
            const auto row = view(x).row(r);
            const double factor = 1 / std::sqrt(dot(row, row) / static_cast<double>(x.cols()) + eps);
            for (std::int64_t c = 0; c < x.cols(); ++c)
                view(y)(r, c) = view(x)(r, c) * factor * view(weight)(0, c);
        }
    }

    void attention(const Batch& batch, const Tensor& q, const Tensor& k, const Tensor& v,
                   const AttentionSpec& spec, Tensor& out) override {
        check_attention(batch, q, k, v, spec, out);
        for (std::int64_t w = 0; w < batch.windows(); ++w) {
            for (std::int64_t head = 0; head < spec.heads; ++head) attend(batch, w, head, q, k, v, spec, out);
        }
    }

    void gated_silu(const Batch& batch, const Tensor& gate, const Tensor& up, Tensor& y) override {
        check_same_shape("gated_silu", batch, std::vector<const Tensor*>{&gate, &up, &y});
        for (std::int64_t r = 0; r < batch.rows(); ++r) {
            for (std::int64_t c = 0; c < gate.cols(); ++c) {
                const double g = view(gate)(r, c);
                view(y)(r, c) = g / (1 + std::exp(-g)) * view(up)(r, c);
            }
        }
    }

    std::vector<SquaredError> squared_error(const Batch& batch, const Tensor& a, const Tensor& b) override {
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

    std::unique_ptr<PackedHead> pack_head(MatrixView<const float> w) override {
        auto packed = std::make_unique<ReferenceHead>();
        packed->w = widen(w);
        return packed;
    }

    std::vector<TokenScores> score_tokens(const Batch& batch, std::span<const HeadInput> inputs,
                                          std::span<const std::int32_t> targets) override {
        check_score_tokens(batch, inputs, targets);
        std::vector<TokenScores> scores(inputs.size());
        for (std::int64_t r = 0; r < batch.rows(); ++r) {
            const std::vector<double> reference = row_logits(inputs[0], r);
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                const std::vector<double> own = i == 0 ? reference : row_logits(inputs[i], r);
                const double lse = log_sum_exp(own);
                scores[i].nll.push_back(lse -
                                        own[static_cast<std::size_t>(targets[static_cast<std::size_t>(r)])]);
                scores[i].kl.push_back(i == 0 ? 0 : divergence(reference, own));
                scores[i].top1.push_back(
                    static_cast<std::int32_t>(std::max_element(own.begin(), own.end()) - own.begin()));
            }
        }
        return scores;
    }

    void logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) override {
        if (out.rows() != batch.rows() || out.cols() != input.head->vocabulary())
            throw InvalidArgument("logits: output shape");
        for (std::int64_t r = 0; r < batch.rows(); ++r) {
            const auto row = row_logits(input, r);
            for (std::int64_t c = 0; c < out.cols(); ++c)
                out(r, c) = static_cast<float>(row[static_cast<std::size_t>(c)]);
        }
    }

  private:
    static std::vector<double> row_logits(const HeadInput& input, std::int64_t row) {
        const auto& w = static_cast<const ReferenceHead&>(*input.head).w;
        std::vector<double> logits(static_cast<std::size_t>(w.rows()));
        for (std::int64_t o = 0; o < w.rows(); ++o)
            logits[static_cast<std::size_t>(o)] = dot(view(*input.hidden).row(row), w.row(o));
        return logits;
    }

    static double divergence(std::span<const double> a, std::span<const double> b) {
        const double lse_a = log_sum_exp(a), lse_b = log_sum_exp(b);
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i)
            sum += std::exp(a[i] - lse_a) * ((a[i] - lse_a) - (b[i] - lse_b));
        return sum;
    }

    // One head of one window.
    static void attend(const Batch& batch, std::int64_t window, std::int64_t head, const Tensor& q,
                       const Tensor& k, const Tensor& v, const AttentionSpec& spec, Tensor& out) {
        const std::int64_t d = spec.head_dim, first = batch.window_first_row(window);
        const std::int64_t kv_head = head / (spec.heads / spec.kv_heads);
        const auto part = [d](auto matrix, std::int64_t row, std::int64_t which) {
            return matrix.row(row).subspan(static_cast<std::size_t>(which * d), static_cast<std::size_t>(d));
        };
        std::vector<std::vector<double>> keys;
        for (std::int64_t t = 0; t < batch.window_rows(window); ++t) {
            keys.push_back(rotated(part(view(k), first + t, kv_head), spec, t));
            const auto query = rotated(part(view(q), first + t, head), spec, t);
            std::vector<double> p;
            for (const auto& key : keys) p.push_back(spec.scale * dot(query, key));
            softmax(p);
            const auto target = part(view(out), first + t, head);
            std::fill(target.begin(), target.end(), 0.0);
            for (std::int64_t s = 0; s <= t; ++s) {
                const auto value = part(view(v), first + s, kv_head);
                for (std::size_t c = 0; c < target.size(); ++c)
                    target[c] += p[static_cast<std::size_t>(s)] * value[c];
            }
        }
    }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
    return std::make_unique<ReferenceBackend>();
}

}  // namespace assay::compute
