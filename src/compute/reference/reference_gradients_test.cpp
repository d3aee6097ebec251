// Every gradient of the reference backend against central differences of its own forward operations, in
// double.
#include <gtest/gtest.h>

#include <functional>

#include "compute/testing.h"

namespace assay::compute {
namespace {

// Steps of a five-point difference: exact in f32 beside inputs that are multiples of kStep below 16; the
// error is kStep⁴/30 of the fifth derivative.
constexpr double kStep = 0x1p-10;
constexpr double kDifferenceTolerance = 1e-8;

Matrix<float> grid_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed, double scale = 1) {
    Matrix<float> m = random_matrix(rows, cols, seed, scale);
    for (float& v : m.values()) v = static_cast<float>(std::round(static_cast<double>(v) / kStep) * kStep);
    return m;
}

using Tensors = std::vector<Tensor>;

class ReferenceGradientTest : public ::testing::Test {
  protected:
    // Σ a∘b in double, from Σ(b ± a)².
    double product(const Tensor& a, const Tensor& b) {
        Tensor negative = backend_->allocate(a.rows(), a.cols());
        Matrix<float> values = to_host(*backend_, a);
        for (float& v : values.values()) v = -v;
        backend_->upload(values.view(), negative);
        const Batch batch({a.rows()});
        return (backend_->squared_error(batch, negative, b)[0].error -
                backend_->squared_error(batch, a, b)[0].error) /
               4;
    }

    // The gradient of L = Σ c∘forward(inputs) by each input's elements, against backward(inputs, c).
    void expect_gradients(const std::vector<Matrix<float>>& inputs,
                          const std::function<Tensor(const Tensors&)>& forward,
                          const std::function<Tensors(const Tensors&, const Tensor&)>& backward) {
        Tensors tensors;
        for (const Matrix<float>& m : inputs) tensors.push_back(to_device(*backend_, m));
        const Tensor result = forward(tensors);
        const Tensor c = to_device(*backend_, random_matrix(result.rows(), result.cols(), 77));
        const Tensors gradients = backward(tensors, c);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            Matrix<float> changed = inputs[i], unit(changed.rows(), changed.cols());
            double worst = 0, largest = 1e-30;
            for (std::size_t at = 0; at < changed.values().size(); ++at) {
                const auto loss = [&](int steps) {
                    changed.values()[at] = inputs[i].values()[at] + static_cast<float>(steps * kStep);
                    backend_->upload(changed.view(), tensors[i]);
                    return product(c, forward(tensors));
                };
                const double expected = (8 * (loss(1) - loss(-1)) - (loss(2) - loss(-2))) / (12 * kStep);
                loss(0);
                unit.values()[at] = 1;
                const double actual = product(to_device(*backend_, unit), gradients[i]);
                unit.values()[at] = 0;
                worst = std::max(worst, std::abs(expected - actual));
                largest = std::max(largest, std::abs(expected));
            }
            EXPECT_LT(worst / largest, kDifferenceTolerance) << "input " << i;
        }
    }

    Tensor like(const Tensor& t) { return backend_->allocate(t.rows(), t.cols()); }

    std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_F(ReferenceGradientTest, LinearOfTheTransposedWeightIsTheInputsGradient) {
    const Matrix<float> w = random_matrix(7, 5, 2);
    const auto packed = backend_->pack_linear(w.view(), {}), transposed = backend_->pack_transposed(w.view());
    expect_gradients(
        {grid_matrix(3, 5, 1)},
        [&](const Tensors& x) {
            Tensor y = backend_->allocate(3, 7);
            backend_->linear(Batch({3}), x[0], *packed, nullptr, y);
            return y;
        },
        [&](const Tensors&, const Tensor& g_y) {
            Tensors g;
            g.push_back(backend_->allocate(3, 5));
            backend_->linear(Batch({3}), g_y, *transposed, nullptr, g[0]);
            return g;
        });
}

TEST_F(ReferenceGradientTest, RmsNorm) {
    for (std::int64_t n : {1, 4, 12}) {
        const Tensor weight = to_device(*backend_, random_matrix(1, n, 2));
        expect_gradients(
            {grid_matrix(3, 12, 1)},
            [&](const Tensors& x) {
                Tensor y = like(x[0]);
                backend_->rms_norm(Batch({3}), x[0], weight, 0.1, &x[0], y);
                return y;
            },
            [&](const Tensors& x, const Tensor& g_y) {
                Tensors g;
                g.push_back(like(x[0]));
                backend_->rms_norm_backward(Batch({3}), x[0], weight, 0.1, g_y, &g_y, g[0]);
                return g;
            });
    }
}

TEST_F(ReferenceGradientTest, AttentionWithAllItsOptions) {
    const std::vector<AttentionCase> cases{{1, 1, 2, 0, {5}},
                                           {2, 1, 4, 4, {6, 1, 3}},
                                           {4, 2, 6, 4, {7}, 3},
                                           {2, 2, 4, 2, {6}, 0, 1.5},
                                           {3, 1, 4, 4, {1, 8}, 4, 2}};
    for (const AttentionCase& c : cases) {
        const Batch batch(c.windows);
        const auto [cosines, sines] = tables(8, c.rotary, 10);
        const Tensor cos_table = to_device(*backend_, cosines), sin_table = to_device(*backend_, sines);
        AttentionSpec spec = c.spec();
        if (c.rotary > 0) spec.rotary = {{&cos_table, &sin_table, 8}};
        const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
        const auto forward = [&](const Tensors& x) {
            Tensor out = backend_->allocate(batch.rows(), q);
            backend_->attention(batch, {x[0], 1, q}, {x[0], q + 1, kv}, {x[0], q + kv + 1, kv}, spec, out);
            return out;
        };
        expect_gradients({grid_matrix(batch.rows(), q + 2 * kv + 1, 1, 2)}, forward,
                         [&](const Tensors& x, const Tensor& g_out) {
                             Tensors g;
                             g.push_back(to_device(*backend_, Matrix<float>(x[0].rows(), x[0].cols())));
                             backend_->attention_backward(
                                 batch, {x[0], 1, q}, {x[0], q + 1, kv}, {x[0], q + kv + 1, kv}, spec,
                                 forward(x), g_out, {g[0], 1, q}, {g[0], q + 1, kv}, {g[0], q + kv + 1, kv});
                             return g;
                         });
    }
}

TEST_F(ReferenceGradientTest, GatedActivations) {
    for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
        expect_gradients(
            {grid_matrix(3, 12, 1, 4)},
            [&](const Tensors& x) {
                Tensor y = backend_->allocate(3, 6);
                backend_->gated(Batch({3}), {x[0], 6, 6}, {x[0], 0, 6}, activation, y);
                return y;
            },
            [&](const Tensors& x, const Tensor& g_y) {
                Tensors g;
                g.push_back(like(x[0]));
                backend_->gated_backward(Batch({3}), {x[0], 6, 6}, {x[0], 0, 6}, activation, g_y,
                                         {g[0], 6, 6}, {g[0], 0, 6});
                return g;
            });
    }
}

TEST_F(ReferenceGradientTest, AddGated) {
    expect_gradients(
        {grid_matrix(3, 5, 1), grid_matrix(3, 1, 2, 3)},
        [&](const Tensors& x) {
            Tensor y = like(x[0]);
            backend_->add_gated(Batch({3}), x[0], x[1], x[0], y);
            return y;
        },
        [&](const Tensors& x, const Tensor& g_y) {
            Tensor g_x = like(x[0]), g_gate = like(x[1]), sum = like(x[0]);
            backend_->add_gated_backward(Batch({3}), x[0], x[1], g_y, g_x, g_gate);
            backend_->add(g_x, g_y, sum);
            Tensors g;
            g.push_back(std::move(sum));
            g.push_back(std::move(g_gate));
            return g;
        });
}

// Rows gathered to their experts, which pass them on, and combined by their routing weights.
TEST_F(ReferenceGradientTest, RoutedExperts) {
    const Batch batch({4, 0, 3});
    for (bool renormalise : {false, true}) {
        const RouteSpec spec{2, renormalise};
        struct Run {
            Routing routing;
            Tensors outputs;
            std::vector<const Tensor*> pointers;
        };
        const auto run = [&](const Tensors& x) {
            Run r{backend_->route(batch, x[1], spec), {}, {}};
            for (const ExpertRows& expert : r.routing.experts) {
                r.outputs.push_back(backend_->allocate(expert.batch.rows(), 3));
                backend_->gather_rows(x[0], expert.rows, r.outputs.back());
            }
            for (const Tensor& t : r.outputs) r.pointers.push_back(&t);
            return r;
        };
        expect_gradients(
            {grid_matrix(7, 3, 1), grid_matrix(7, 5, 2, 3)},
            [&](const Tensors& x) {
                const Run r = run(x);
                Tensor y = like(x[0]);
                backend_->combine_experts(batch, r.routing, r.pointers, x[0], y);
                return y;
            },
            [&](const Tensors& x, const Tensor& g_y) {
                const Run r = run(x);
                Tensors g_outputs, g;
                std::vector<Tensor*> pointers;
                for (const Tensor& t : r.outputs) g_outputs.push_back(like(t));
                for (Tensor& t : g_outputs) pointers.push_back(&t);
                const RoutingGradient g_weights =
                    backend_->combine_experts_backward(batch, r.routing, r.pointers, g_y, pointers);
                g.push_back(like(x[0]));
                g.push_back(like(x[1]));
                backend_->copy_rows(g_y, 0, g[0], 0, 7);
                for (std::size_t e = 0; e < g_outputs.size(); ++e)
                    backend_->scatter_rows(g_outputs[e], r.routing.experts[e].rows, &g[0], g[0]);
                backend_->route_backward(batch, x[1], spec, r.routing, g_weights, g[1]);
                return g;
            });
    }
}

// ln p(label) of each row, by the logits that hidden states give.
TEST_F(ReferenceGradientTest, LabelGradientIsThatOfTheLabelsLogProbability) {
    for (double softcap : {0.0, 2.0}) {
        const Matrix<float> w = random_matrix(6, 4, 2, 2);
        const auto head = backend_->pack_head(w.view(), softcap);
        const auto transposed = backend_->pack_transposed(w.view());
        const Batch batch({5});
        const auto score = [&](const Tensor& hidden, const std::vector<std::int32_t>& labels) {
            const auto scorer = backend_->make_scorer(batch, 1, labels);
            scorer->add(std::vector<HeadInput>{{&hidden, head.get()}});
            return scorer->finish()[0];
        };
        const Matrix<float> values = grid_matrix(5, 4, 1, 2);
        Tensor hidden = to_device(*backend_, values), g_logits = backend_->allocate(5, 6),
               g_hidden = like(hidden);
        LabelDraws draws{score(hidden, {0, 0, 0, 0, 0}).log_sum, {0, 0.2, 0.5, 0.9, 0.999}, {}, {}};
        draws.passed.resize(5);
        draws.labels.resize(5, -1);
        backend_->label_gradient(batch, {&hidden, head.get()}, draws, g_logits);
        backend_->linear(batch, g_logits, *transposed, nullptr, g_hidden);
        Matrix<float> changed = values, unit(5, 4);
        for (std::size_t at = 0; at < 20; ++at) {
            const auto log_p = [&](int steps) {
                changed.values()[at] = values.values()[at] + static_cast<float>(steps * kStep);
                const Tensor moved = to_device(*backend_, changed);
                changed.values()[at] = values.values()[at];
                return -score(moved, draws.labels).nll[at / 4];
            };
            const double expected = (8 * (log_p(1) - log_p(-1)) - (log_p(2) - log_p(-2))) / (12 * kStep);
            unit.values()[at] = 1;
            EXPECT_NEAR(expected, product(to_device(*backend_, unit), g_hidden), 1e-9);
            unit.values()[at] = 0;
        }
    }
}

}  // namespace
}  // namespace assay::compute
