// The gradients of the cpu backend, with both kernel sets, against the naive reference over awkward sizes,
// and the promises about labels, changes and bits.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "compute/testing.h"

namespace assay::compute {
namespace {

class CpuGradientTest : public ::testing::TestWithParam<CpuKernels> {
  protected:
    void expect_agreement(const std::function<Matrix<float>(Backend&)>& operation, const char* what,
                          double tolerance = kTolerance) {
        EXPECT_LT(difference(operation(*reference_), operation(*cpu_)), tolerance) << what;
    }

    ThreadPool pool_{2};
    std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_, {GetParam()});
    std::unique_ptr<Backend> reference_ = make_reference_backend();
};

INSTANTIATE_TEST_SUITE_P(Kernels, CpuGradientTest, ::testing::Values(CpuKernels::kBest, CpuKernels::kAvx2),
                         [](const auto& info) { return info.param == CpuKernels::kBest ? "Best" : "Avx2"; });

TEST_P(CpuGradientTest, TransposedLinearAgreesAndMayAddToItsOwnResult) {
    for (std::int64_t in : {1, 33, 255}) {
        for (std::int64_t out : {1, 31, 130}) {
            expect_agreement(
                [&](Backend& backend) {
                    const auto w = backend.pack_transposed(random_matrix(out, in, 2).view());
                    Tensor y = to_device(backend, random_matrix(9, in, 4));
                    backend.linear(Batch({9}), to_device(backend, random_matrix(9, out, 1)), *w, &y, y);
                    return to_host(backend, y);
                },
                "linear");
        }
    }
}

TEST_P(CpuGradientTest, RmsNormAgreesOverAwkwardSizes) {
    for (std::int64_t n : {1, 7, 8, 31, 33, 255, 576}) {
        for (std::int64_t heads : {1, 3}) {
            for (bool add : {false, true}) {
                expect_agreement(
                    [&](Backend& backend) {
                        Tensor g_x = to_device(backend, random_matrix(3, n * heads, 4));
                        backend.rms_norm_backward(
                            Batch({3}), to_device(backend, random_matrix(3, n * heads, 5)),
                            to_device(backend, random_matrix(1, n, 9)), 1e-1,
                            to_device(backend, random_matrix(3, n * heads, 6)), add ? &g_x : nullptr, g_x);
                        return to_host(backend, g_x);
                    },
                    "rms_norm_backward");
            }
        }
    }
}

TEST_P(CpuGradientTest, GatedAgreesOverAwkwardSizesAndWritesPartsOfAFusedTensor) {
    for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
        for (std::int64_t n : {1, 7, 8, 31, 33, 255}) {
            expect_agreement(
                [&](Backend& backend) {
                    const Tensor fused = to_device(backend, random_matrix(3, 2 * n + 5, 7, 6));
                    Tensor g = to_device(backend, random_matrix(3, 2 * n + 5, 8));
                    backend.gated_backward(Batch({3}), {fused, 2, n}, {fused, n + 3, n}, activation,
                                           to_device(backend, random_matrix(3, n, 1)), {g, 2, n},
                                           {g, n + 3, n});
                    return to_host(backend, g);
                },
                "gated_backward");
        }
    }
}

TEST_P(CpuGradientTest, SlopesOfActivationsAreRightFarFromZero) {
    for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
        expect_agreement(
            [&](Backend& backend) {
                Matrix<float> gate(1, 8), ones(1, 8);
                const float values[] = {-2000, -90, -9, -5, 5, 9, 90, 2000};
                std::copy(values, values + 8, gate.values().begin());
                for (float& v : ones.values()) v = 1;
                Tensor g_gate = backend.allocate(1, 8), g_up = backend.allocate(1, 8);
                const Tensor one = to_device(backend, ones);
                backend.gated_backward(Batch({1}), to_device(backend, gate), one, activation, one, g_gate,
                                       g_up);
                return to_host(backend, g_gate);
            },
            "gated_backward");
    }
}

// Gradients of a fused [q, k, v], with columns of others between them that stay as they are.
Matrix<float> attend_backward(Backend& backend, const AttentionCase& c) {
    const Batch batch(c.windows);
    const std::int64_t longest = *std::max_element(c.windows.begin(), c.windows.end());
    const auto [cosines, sines] = tables(longest, c.rotary, 100);
    const Tensor cos_table = to_device(backend, cosines), sin_table = to_device(backend, sines);
    AttentionSpec spec = c.spec();
    if (c.rotary > 0) spec.rotary = {{&cos_table, &sin_table, longest}};
    const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    const Matrix<float> values = random_matrix(batch.rows(), q + 2 * kv + 9, 1, 4);
    const Tensor fused = to_device(backend, values);
    Tensor out = backend.allocate(batch.rows(), q);
    backend.attention(batch, {fused, 3, q}, {fused, q + 4, kv}, {fused, q + kv + 9, kv}, spec, out);
    Tensor g = to_device(backend, values);
    backend.attention_backward(batch, {fused, 3, q}, {fused, q + 4, kv}, {fused, q + kv + 9, kv}, spec, out,
                               to_device(backend, random_matrix(batch.rows(), q, 2)), {g, 3, q},
                               {g, q + 4, kv}, {g, q + kv + 9, kv});
    return to_host(backend, g);
}

// Scores reach about 100 here, which f32 rounds to 4e-6, and gradients are their differences.
constexpr double kAttentionTolerance = 2e-5;

TEST_P(CpuGradientTest, AttentionAgreesForAnyHeadShape) {
    const std::vector<AttentionCase> cases{
        {1, 1, 64, 64, {1}},  {3, 1, 64, 64, {100}},       {4, 2, 24, 24, {33, 1, 49, 0, 48}},
        {2, 2, 80, 40, {31}}, {6, 2, 16, 0, {250, 7}},     {2, 1, 128, 128, {255}},
        {1, 1, 2, 2, {5}},    {3, 3, 33, 32, {12, 13, 97}}};
    for (const AttentionCase& c : cases) {
        expect_agreement([&](Backend& backend) { return attend_backward(backend, c); }, "attention_backward",
                         kAttentionTolerance);
    }
}

TEST_P(CpuGradientTest, AttentionAgreesWithSlidingWindowsAndSoftcaps) {
    for (std::int64_t window : {1, 2, 31, 32, 33, 100, 700}) {
        for (double softcap : {0.0, 3.0}) {
            const AttentionCase c{2, 1, 24, 24, {300, 5, 40}, window, softcap};
            expect_agreement([&](Backend& backend) { return attend_backward(backend, c); },
                             "attention_backward", kAttentionTolerance);
        }
    }
}

TEST_P(CpuGradientTest, ScatteredRowsAddUpOnTheBase) {
    for (std::int64_t n : {1, 33, 700}) {
        for (int base : {0, 1, 2}) {
            expect_agreement(
                [&](Backend& backend) {
                    const std::vector<std::int64_t> rows{3, 0, 3, 4, 3};
                    const Tensor other = to_device(backend, random_matrix(6, n, 3));
                    Tensor out = to_device(backend, random_matrix(6, n, 2));
                    backend.scatter_rows(to_device(backend, random_matrix(5, n, 1)), rows,
                                         base == 0   ? nullptr
                                         : base == 1 ? &other
                                                     : &out,
                                         out);
                    return to_host(backend, out);
                },
                "scatter_rows");
        }
    }
}

TEST_P(CpuGradientTest, ExpertsAgree) {
    const Batch batch({30, 1, 9});
    for (bool renormalise : {false, true}) {
        const auto run = [&](Backend& backend, bool want_outputs) {
            const Tensor logits = to_device(backend, random_matrix(40, 5, 2, 3));
            const Tensor g_y = to_device(backend, random_matrix(40, 33, 3));
            const Routing routing = backend.route(batch, logits, {2, renormalise});
            std::vector<Tensor> outputs, g_outputs;
            std::vector<const Tensor*> pointers;
            std::vector<Tensor*> g_pointers;
            for (const ExpertRows& expert : routing.experts) {
                outputs.push_back(to_device(backend, random_matrix(expert.batch.rows(), 33, 4)));
                g_outputs.push_back(backend.allocate(expert.batch.rows(), 33));
            }
            for (const Tensor& t : outputs) pointers.push_back(&t);
            for (Tensor& t : g_outputs) g_pointers.push_back(&t);
            const RoutingGradient g_weights =
                backend.combine_experts_backward(batch, routing, pointers, g_y, g_pointers);
            Tensor g_logits = backend.allocate(40, 5), sum = backend.allocate(40, 33);
            backend.route_backward(batch, logits, {2, renormalise}, routing, g_weights, g_logits);
            for (std::size_t e = 0; e < g_outputs.size(); ++e)
                backend.scatter_rows(g_outputs[e], routing.experts[e].rows, e == 0 ? nullptr : &sum, sum);
            return to_host(backend, want_outputs ? sum : g_logits);
        };
        expect_agreement([&](Backend& backend) { return run(backend, false); }, "route_backward");
        expect_agreement([&](Backend& backend) { return run(backend, true); }, "combine_experts_backward");
    }
}

TEST_P(CpuGradientTest, AddGatedAndAddAgree) {
    for (std::int64_t n : {1, 33, 255}) {
        for (bool gate : {false, true}) {
            expect_agreement(
                [&](Backend& backend) {
                    Tensor g_x = backend.allocate(7, n), g_gate = backend.allocate(7, 1);
                    const Tensor x = to_device(backend, random_matrix(7, n, 1));
                    backend.add_gated_backward(Batch({7}), x, to_device(backend, random_matrix(7, 1, 2, 5)),
                                               to_device(backend, random_matrix(7, n, 3)), g_x, g_gate);
                    backend.add(g_x, x, g_x);
                    return to_host(backend, gate ? g_gate : g_x);
                },
                "add_gated_backward");
        }
    }
}

// Gradients and labels of all parts of a head, for rows of hidden states.
struct Labelled {
    Matrix<float> g_logits;
    LabelDraws draws;
};
Labelled label(Backend& backend, const Matrix<float>& hidden, const Matrix<float>& w, double softcap,
               const std::vector<double>& uniform) {
    const Batch batch({hidden.rows()});
    const Tensor x = to_device(backend, hidden);
    const std::vector<std::int32_t> targets(uniform.size());
    const auto scorer = backend.make_scorer(batch, 1, targets);
    std::vector<std::unique_ptr<PackedHead>> parts;
    for (std::int64_t first = 0; first < w.rows(); first += Backend::kHeadPartTokens) {
        const std::int64_t n = std::min(Backend::kHeadPartTokens, w.rows() - first);
        parts.push_back(backend.pack_head(w.view().row_range(first, n), softcap));
        scorer->add(std::vector<HeadInput>{{&x, parts.back().get()}});
    }
    Labelled all{Matrix<float>(hidden.rows(), w.rows()), {}};
    all.draws.log_sum = scorer->finish()[0].log_sum;
    all.draws.uniform = uniform;
    all.draws.passed.resize(uniform.size());
    all.draws.labels.resize(uniform.size(), -1);
    std::int64_t first = 0;
    for (const auto& part : parts) {
        Tensor g = backend.allocate(hidden.rows(), part->vocabulary());
        backend.label_gradient(batch, {&x, part.get()}, all.draws, g);
        const Matrix<float> values = to_host(backend, g);
        for (std::int64_t r = 0; r < g.rows(); ++r)
            std::copy(values.row(r).begin(), values.row(r).end(), all.g_logits.row(r).begin() + first);
        first += part->vocabulary();
    }
    return all;
}

std::vector<double> uniforms(std::int64_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<double> u(static_cast<std::size_t>(n));
    for (double& v : u) v = rng.uniform();
    return u;
}

TEST_P(CpuGradientTest, LabelsAndTheirGradientsAgreeAcrossParts) {
    for (std::int64_t vocabulary : {1, 7, 33, 1024, 1025, 2500}) {
        for (double softcap : {0.0, 2.0}) {
            const Matrix<float> hidden = random_matrix(60, 48, 1), w = random_matrix(vocabulary, 48, 2);
            std::vector<double> u = uniforms(60, 3);
            u[0] = 0;
            u[1] = 1 - 0x1p-53;
            const Labelled expected = label(*reference_, hidden, w, softcap, u),
                           actual = label(*cpu_, hidden, w, softcap, u);
            EXPECT_EQ(expected.draws.labels, actual.draws.labels) << vocabulary;
            EXPECT_EQ(actual.draws.next_token, vocabulary);
            EXPECT_LT(difference(expected.g_logits, actual.g_logits), 2e-5);
            for (std::size_t r = 0; r < u.size(); ++r) {
                EXPECT_NEAR(expected.draws.log_sum[r], actual.draws.log_sum[r], 1e-5);
                EXPECT_NEAR(actual.draws.passed[r], 1, 1e-6);
                EXPECT_GE(actual.draws.labels[r], 0);
            }
        }
    }
}

TEST_P(CpuGradientTest, LabelGradientsOfARowSumToZero) {
    const Labelled all =
        label(*cpu_, random_matrix(30, 48, 1, 2), random_matrix(2500, 48, 2), 0, uniforms(30, 4));
    for (std::int64_t r = 0; r < 30; ++r) {
        double sum = 0;
        for (float v : all.g_logits.row(r)) sum += static_cast<double>(v);
        EXPECT_NEAR(sum, 0, 2e-6);
    }
}

TEST(CpuBf16, EveryRowFindsItsLabel) {
    const CpuOptions options{CpuKernels::kBest, Precision::kBf16};
    if (!cpu_supports(options)) GTEST_SKIP() << "not on this processor";
    ThreadPool pool(2);
    const auto backend = make_cpu_backend(pool, options);
    std::vector<double> u(200, 1 - 0x1p-53);
    const Labelled all = label(*backend, random_matrix(200, 48, 1, 2), random_matrix(2500, 48, 2), 0, u);
    for (std::size_t r = 0; r < u.size(); ++r) {
        EXPECT_GE(all.draws.labels[r], 0);
        EXPECT_NEAR(all.draws.passed[r], 1, 1e-6);
    }
}

TEST_P(CpuGradientTest, LabelsComeAsOftenAsTheSoftmaxSays) {
    constexpr std::int64_t kDraws = 20000, kTokens = 37;
    Matrix<float> hidden(kDraws, 5);
    const Matrix<float> one = random_matrix(1, 5, 1);
    for (std::int64_t r = 0; r < kDraws; ++r)
        std::copy(one.row(0).begin(), one.row(0).end(), hidden.row(r).begin());
    const Matrix<float> w = random_matrix(kTokens, 5, 2, 2);
    const Labelled all = label(*cpu_, hidden, w, 0, uniforms(kDraws, 5));
    std::vector<double> counts(kTokens);
    for (std::int32_t id : all.draws.labels) ++counts[static_cast<std::size_t>(id)];
    double chi_squared = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        double logit = 0;
        for (std::int64_t c = 0; c < 5; ++c)
            logit += static_cast<double>(one.view()(0, c)) *
                     static_cast<double>(w.view()(static_cast<std::int64_t>(i), c));
        const double expected = kDraws * std::exp(logit - all.draws.log_sum[0]);
        ASSERT_GT(expected, 5);
        chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    EXPECT_LT(chi_squared, 73);  // 36 degrees of freedom: exceeded once in 4,000 seeds
    EXPECT_GT(chi_squared, 12);
}

TEST_P(CpuGradientTest, ChangeDotsAgreeOverAwkwardSizes) {
    for (std::int64_t out : {1, 11, 13, 130}) {
        for (std::int64_t in : {1, 31, 33, 300}) {
            for (std::int64_t count : {1, 3, 9}) {
                const auto run = [&](Backend& backend) {
                    const std::vector<RowSegment> segments{{0, 1},   {1, 32},  {33, 0},
                                                           {20, 31}, {40, 64}, {0, 200}};
                    std::vector<std::unique_ptr<PackedChange>> changes;
                    std::vector<const PackedChange*> pointers;
                    for (std::int64_t f = 0; f < count; ++f) {
                        changes.push_back(backend.pack_change(
                            random_matrix(out, in, static_cast<std::uint64_t>(f)).view()));
                        pointers.push_back(changes.back().get());
                    }
                    return backend.change_dots(segments, to_device(backend, random_matrix(200, out, 21)),
                                               to_device(backend, random_matrix(200, in, 22)), pointers);
                };
                const Matrix<double> expected = run(*reference_), actual = run(*cpu_);
                EXPECT_LT(difference(expected, actual), 1e-6) << out << "x" << in << ", " << count;
                for (double v : actual.row(2)) EXPECT_EQ(v, 0);
            }
        }
    }
}

TEST_P(CpuGradientTest, ChangeDotsAreProductsOfGradientsWithChangesOfTheOutput) {
    const Matrix<float> change = random_matrix(40, 50, 1), g = random_matrix(70, 40, 2),
                        x = random_matrix(70, 50, 3);
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        const auto packed = backend->pack_change(change.view());
        const Matrix<double> dots =
            backend->change_dots(std::vector<RowSegment>{{6, 64}}, to_device(*backend, g),
                                 to_device(*backend, x), std::vector<const PackedChange*>{packed.get()});
        double expected = 0;
        for (std::int64_t t = 6; t < 70; ++t) {
            for (std::int64_t o = 0; o < 40; ++o) {
                double y = 0;
                for (std::int64_t i = 0; i < 50; ++i)
                    y += static_cast<double>(change.view()(o, i)) * static_cast<double>(x.view()(t, i));
                expected += static_cast<double>(g.view()(t, o)) * y;
            }
        }
        EXPECT_NEAR(expected, dots.view()(0, 0), 1e-5);
    }
}

TEST_P(CpuGradientTest, ASegmentsDotsHaveTheSameBitsInAnyCompany) {
    const Matrix<float> g = random_matrix(2500, 30, 1), x = random_matrix(2500, 70, 2);
    const auto packed = cpu_->pack_change(random_matrix(30, 70, 3).view());
    const std::vector<const PackedChange*> one{packed.get()}, five(5, packed.get());
    const Tensor g_tensor = to_device(*cpu_, g), x_tensor = to_device(*cpu_, x);
    std::vector<RowSegment> segments;
    for (std::int64_t first = 0; first + 90 <= 2500; first += 90) segments.push_back({first, 90});
    const Matrix<double> all = cpu_->change_dots(segments, g_tensor, x_tensor, five);
    for (std::size_t s : {std::size_t{0}, std::size_t{11}, std::size_t{26}}) {
        const Matrix<double> alone =
            cpu_->change_dots(std::vector<RowSegment>{segments[s]}, g_tensor, x_tensor, one);
        for (double v : all.row(static_cast<std::int64_t>(s))) EXPECT_EQ(v, alone.view()(0, 0));
    }
}

TEST_P(CpuGradientTest, WeightedGradientAgreesOverAwkwardSizes) {
    for (std::int64_t rows : {0, 1, 65, 1100}) {
        for (std::int64_t out : {1, 13, 130}) {
            for (std::int64_t in : {1, 33, 300}) {
                const auto run = [&](Backend& backend) {
                    return backend.weighted_gradient(to_device(backend, random_matrix(rows, out, 1)),
                                                     to_device(backend, random_matrix(rows, in, 2)),
                                                     uniforms(rows, 3));
                };
                EXPECT_LT(difference(run(*reference_), run(*cpu_)), 1e-6);
            }
        }
    }
}

TEST_P(CpuGradientTest, BitsDependOnNeitherThreadsNorBatching) {
    const AttentionCase both{4, 2, 32, 32, {300, 50}, 0, 5};
    const Matrix<float> hidden = random_matrix(300, 48, 1), w = random_matrix(1500, 48, 2);
    const auto dots = [&](Backend& backend) {
        const auto packed = backend.pack_change(random_matrix(120, 300, 3).view());
        return backend.change_dots(
            std::vector<RowSegment>{{0, 32}, {32, 200}}, to_device(backend, random_matrix(300, 120, 1)),
            to_device(backend, random_matrix(300, 300, 2)), std::vector<const PackedChange*>{packed.get()});
    };
    const auto gradient = [&](Backend& backend) {
        return backend.weighted_gradient(to_device(backend, random_matrix(300, 120, 1)),
                                         to_device(backend, random_matrix(300, 300, 2)), uniforms(300, 3));
    };
    for (int threads : {1, 3}) {
        ThreadPool pool(threads);
        const auto other = make_cpu_backend(pool, {GetParam()});
        EXPECT_TRUE(same_bits(attend_backward(*cpu_, both), attend_backward(*other, both)));
        const Labelled first = label(*cpu_, hidden, w, 0, uniforms(300, 4)),
                       second = label(*other, hidden, w, 0, uniforms(300, 4));
        EXPECT_TRUE(same_bits(first.g_logits, second.g_logits));
        EXPECT_EQ(first.draws.labels, second.draws.labels);
        EXPECT_EQ(dots(*cpu_).view()(1, 0), dots(*other).view()(1, 0));
        const Matrix<double> one = gradient(*cpu_), same = gradient(*other);
        EXPECT_TRUE(std::equal(one.values().begin(), one.values().end(), same.values().begin()));
    }
    AttentionCase alone = both;
    alone.windows = {300};
    const Matrix<float> together = attend_backward(*cpu_, both), single = attend_backward(*cpu_, alone);
    EXPECT_TRUE(std::equal(single.values().begin(), single.values().end(), together.values().begin()));
}

TEST_P(CpuGradientTest, RefusesShapesThatDoNotFit) {
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        const Batch batch({2});
        const Tensor x = to_device(*backend, random_matrix(2, 5, 1)), four = backend->allocate(2, 4),
                     weight = to_device(*backend, random_matrix(1, 5, 1)), gate = backend->allocate(2, 1);
        Tensor y = backend->allocate(2, 4), g = backend->allocate(2, 5), one = backend->allocate(2, 1);
        EXPECT_THROW(backend->rms_norm_backward(batch, x, weight, 1, four, nullptr, g), InvalidArgument);
        EXPECT_THROW(backend->rms_norm_backward(batch, x, weight, 1, x, &four, g), InvalidArgument);
        const AttentionSpec spec{1, 1, 5, 1.0, 0, 0, {}};
        EXPECT_THROW(backend->attention_backward(batch, x, x, x, spec, x, four, g, g, g), InvalidArgument);
        EXPECT_THROW(backend->attention_backward(batch, x, x, x, spec, x, x, g, y, g), InvalidArgument);
        EXPECT_THROW(backend->gated_backward(batch, x, x, Activation::kSilu, four, g, g), InvalidArgument);
        EXPECT_THROW(backend->gated_backward(batch, x, x, Activation::kSilu, x, {g, 1, 5}, g),
                     InvalidArgument);
        EXPECT_THROW(backend->scatter_rows(x, std::vector<std::int64_t>{0, 2}, nullptr, g), InvalidArgument);
        EXPECT_THROW(backend->scatter_rows(x, std::vector<std::int64_t>{0}, nullptr, g), InvalidArgument);
        EXPECT_THROW(backend->scatter_rows(x, std::vector<std::int64_t>{0, 1}, &four, g), InvalidArgument);
        EXPECT_THROW(backend->add(x, four, g), InvalidArgument);
        EXPECT_THROW(backend->add(x, x, y), InvalidArgument);
        EXPECT_THROW(backend->add_gated_backward(batch, x, gate, x, g, g), InvalidArgument);
        const Routing routing = backend->route(batch, x, {2, false});
        EXPECT_THROW(backend->route_backward(batch, x, {2, false}, routing, RoutingGradient(5), g),
                     InvalidArgument);
        EXPECT_THROW(backend->combine_experts_backward(batch, routing, {}, x, {}), InvalidArgument);
        const auto head = backend->pack_head(random_matrix(4, 5, 1).view(), 0),
                   large = backend->pack_head(random_matrix(1025, 5, 1).view(), 0);
        LabelDraws draws{{0, 0}, {0, 0}, {0, 0}, {-1, -1}};
        Tensor all = backend->allocate(2, 1025);
        EXPECT_THROW(backend->label_gradient(batch, {&x, large.get()}, draws, all), InvalidArgument);
        EXPECT_THROW(backend->label_gradient(batch, {&x, head.get()}, draws, g), InvalidArgument);
        draws.labels.pop_back();
        EXPECT_THROW(backend->label_gradient(batch, {&x, head.get()}, draws, y), InvalidArgument);
        const auto change = backend->pack_change(random_matrix(4, 5, 1).view());
        const std::vector<const PackedChange*> changes{change.get()};
        const std::vector<RowSegment> inside{{0, 2}}, outside{{1, 2}};
        EXPECT_NO_THROW(
            backend->change_dots(inside, to_device(*backend, random_matrix(2, 4, 1)), x, changes));
        EXPECT_THROW(backend->change_dots(inside, x, four, changes), InvalidArgument);
        EXPECT_THROW(backend->change_dots(outside, four, x, changes), InvalidArgument);
        EXPECT_THROW(backend->weighted_gradient(x, x, std::vector<double>{1}), InvalidArgument);
    }
}

}  // namespace
}  // namespace assay::compute
