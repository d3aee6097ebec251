// Every operation of the cpu backend, with both kernel sets, against the naive reference over awkward sizes;
// and the promise that bits depend on neither threads nor batching.
#include "compute/backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "compute/testing.h"

namespace assay::compute {
namespace {

class CpuBackendTest : public ::testing::TestWithParam<CpuKernels> {
  protected:
    // Runs `operation` on both backends and compares what it returns.
    void expect_agreement(const std::function<Matrix<float>(Backend&)>& operation, const char* what) {
        const Matrix<float> expected = operation(*reference_), actual = operation(*cpu_);
        EXPECT_LT(difference(expected, actual), kTolerance) << what;
    }

    ThreadPool pool_{2};
    std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_, {GetParam()});
    std::unique_ptr<Backend> reference_ = make_reference_backend();
};

INSTANTIATE_TEST_SUITE_P(Kernels, CpuBackendTest, ::testing::Values(CpuKernels::kBest, CpuKernels::kAvx2),
                         [](const auto& info) { return info.param == CpuKernels::kBest ? "Best" : "Avx2"; });

TEST_P(CpuBackendTest, LinearAgreesOverAwkwardSizes) {
    for (std::int64_t rows : {1, 31, 257}) {
        for (std::int64_t in : {1, 33, 255}) {
            for (std::int64_t out : {1, 31, 130}) {
                expect_agreement(
                    [&](Backend& backend) {
                        const Matrix<float> bias = random_matrix(1, out, 3);
                        const auto w = backend.pack_linear(random_matrix(out, in, 2).view(), bias.row(0));
                        Tensor y = backend.allocate(rows, out);
                        const Tensor residual = to_device(backend, random_matrix(rows, out, 4));
                        backend.linear(Batch({rows}), to_device(backend, random_matrix(rows, in, 1)), *w,
                                       &residual, y);
                        return to_host(backend, y);
                    },
                    "linear");
            }
        }
    }
}

TEST_P(CpuBackendTest, LinearPacksARowRangeOfALargerMatrix) {
    expect_agreement(
        [&](Backend& backend) {
            const Matrix<float> whole = random_matrix(50, 40, 2);
            const MatrixView<const float> part(whole.view().data() + 3, 20, 33,
                                               40);  // stride differs from columns
            const auto w = backend.pack_linear(part, {});
            Tensor y = backend.allocate(5, 20);
            backend.linear(Batch({5}), to_device(backend, random_matrix(5, 33, 1)), *w, nullptr, y);
            return to_host(backend, y);
        },
        "linear on a view");
}

TEST_P(CpuBackendTest, RmsNormAgreesOverAwkwardSizes) {
    for (std::int64_t n : {1, 7, 8, 31, 33, 255, 576}) {
        for (std::int64_t heads : {1, 3}) {
            for (bool add : {false, true}) {
                expect_agreement(
                    [&](Backend& backend) {
                        Tensor y = backend.allocate(3, n * heads);
                        const Tensor residual = to_device(backend, random_matrix(3, n * heads, 4));
                        backend.rms_norm(Batch({3}), to_device(backend, random_matrix(3, n * heads, 5)),
                                         to_device(backend, random_matrix(1, n, 9)), 1e-5,
                                         add ? &residual : nullptr, y);
                        return to_host(backend, y);
                    },
                    "rms_norm");
            }
        }
    }
}

TEST_P(CpuBackendTest, GatedAgreesOverAwkwardSizesAndReadsPartsOfAFusedTensor) {
    for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
        for (std::int64_t n : {1, 7, 8, 31, 33, 255}) {
            expect_agreement(
                [&](Backend& backend) {
                    Tensor y = backend.allocate(3, n);
                    const Tensor fused = to_device(backend, random_matrix(3, 2 * n + 5, 7, 6));
                    backend.gated(Batch({3}), {fused, 2, n}, {fused, n + 3, n}, activation, y);
                    return to_host(backend, y);
                },
                "gated");
        }
    }
}

TEST_P(CpuBackendTest, ActivationsAreRightFarFromZero) {
    for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
        expect_agreement(
            [&](Backend& backend) {
                Matrix<float> gate(1, 6), up(1, 6);
                const float values[] = {-200, -90, -5, 5, 90, 200};
                std::copy(values, values + 6, gate.values().begin());
                for (float& v : up.values()) v = 1;
                Tensor y = backend.allocate(1, 6);
                backend.gated(Batch({1}), to_device(backend, gate), to_device(backend, up), activation, y);
                return to_host(backend, y);
            },
            "gated");
    }
}

// q, k and v are parts of one tensor, with columns of others between them.
Matrix<float> attend(Backend& backend, const AttentionCase& c) {
    const Batch batch(c.windows);
    std::int64_t longest = 0;
    for (std::int64_t rows : c.windows) longest = std::max(longest, rows);
    const auto [cosines, sines] = tables(longest, c.rotary, 100);
    const Tensor cos_table = to_device(backend, cosines), sin_table = to_device(backend, sines);
    AttentionSpec spec = c.spec();
    if (c.rotary > 0) spec.rotary = {{&cos_table, &sin_table, longest}};
    const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    const Tensor fused = to_device(backend, random_matrix(batch.rows(), q + 2 * kv + 9, 1, 4));
    Tensor out = backend.allocate(batch.rows(), q);
    backend.attention(batch, {fused, 3, q}, {fused, q + 4, kv}, {fused, q + kv + 9, kv}, spec, out);
    return to_host(backend, out);
}

TEST_P(CpuBackendTest, AttentionAgreesForAnyHeadShape) {
    const std::vector<AttentionCase> cases{
        {1, 1, 64, 64, {1}},  {3, 1, 64, 64, {100}},   {4, 2, 24, 24, {33, 1, 49}},
        {2, 2, 80, 40, {31}}, {6, 2, 16, 0, {250, 7}}, {2, 1, 128, 128, {255}},
        {1, 1, 2, 2, {5}}};
    for (const AttentionCase& c : cases)
        expect_agreement([&](Backend& backend) { return attend(backend, c); }, "attention");
}

TEST_P(CpuBackendTest, AttentionAgreesWithSlidingWindowsAndSoftcaps) {
    for (std::int64_t window : {1, 2, 31, 32, 33, 100, 700}) {
        for (double softcap : {0.0, 3.0}) {
            const AttentionCase c{2, 1, 24, 24, {600, 5, 40}, window, softcap};
            expect_agreement([&](Backend& backend) { return attend(backend, c); }, "attention");
        }
    }
}

TEST_P(CpuBackendTest, AWindowAsLongAsTheTextChangesNoBit) {
    const Matrix<float> all = attend(*cpu_, {2, 1, 24, 24, {300}}),
                        window = attend(*cpu_, {2, 1, 24, 24, {300}, 300});
    EXPECT_TRUE(std::equal(all.values().begin(), all.values().end(), window.values().begin()));
}

TEST_P(CpuBackendTest, AWindowTakesTheRotaryTableOfItsLength) {
    const auto [short_cosines, short_sines] = tables(20, 8, 100);
    const auto [long_cosines, long_sines] = tables(50, 8, 3);
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        const Tensor cos1 = to_device(*backend, short_cosines), sin1 = to_device(*backend, short_sines),
                     cos2 = to_device(*backend, long_cosines), sin2 = to_device(*backend, long_sines);
        const Matrix<float> values = random_matrix(70, 8, 1, 4);
        const auto run = [&](std::vector<RotaryTable> rotary, std::vector<std::int64_t> windows) {
            const Tensor x = to_device(*backend, values);
            Tensor out = backend->allocate(70, 8);
            backend->attention(Batch(std::move(windows)), x, x, x, {1, 1, 8, 0.3, 0, 0, std::move(rotary)},
                               out);
            return to_host(*backend, out);
        };
        const Matrix<float> both = run({{&cos1, &sin1, 20}, {&cos2, &sin2, 50}}, {20, 50}),
                            longer = run({{&cos2, &sin2, 50}}, {20, 50});
        const auto first_of = [](const Matrix<float>& m) { return m.values().subspan(0, 20 * 8); };
        const auto second_of = [](const Matrix<float>& m) { return m.values().subspan(20 * 8); };
        EXPECT_TRUE(std::equal(second_of(both).begin(), second_of(both).end(), second_of(longer).begin()));
        EXPECT_FALSE(std::equal(first_of(both).begin(), first_of(both).end(), first_of(longer).begin()));
    }
}

// A tree of windows: 300 rows, continued by 40 and by 7 rows, the 40 continued by 70; and 5 rows by
// themselves.
TEST_P(CpuBackendTest, WindowsThatContinueOthersGetTheBitsOfWholeOnes) {
    const std::vector<std::int64_t> continued{-1, 0, 1, 0, -1};
    const Batch tree({300, 40, 70, 7, 5}, continued);
    const Matrix<float> values = random_matrix(tree.rows(), 4 * 24, 1, 4);
    const auto angles = tables(410, 24, 100);
    struct Masked {
        std::int64_t window;
        double softcap;
    };
    for (const Masked masked : {Masked{0, 0.0}, {33, 0.0}, {100, 3.0}, {305, 0.0}}) {
        const auto run = [&](Backend& backend, const Matrix<float>& rows, const Batch& batch) {
            const Tensor cos_table = to_device(backend, angles.first),
                         sin_table = to_device(backend, angles.second), fused = to_device(backend, rows);
            AttentionSpec spec{2, 1, 24, 0.2, masked.window, masked.softcap, {{&cos_table, &sin_table, 410}}};
            Tensor out = backend.allocate(batch.rows(), 48);
            backend.attention(batch, {fused, 0, 48}, {fused, 48, 24}, {fused, 72, 24}, spec, out);
            return to_host(backend, out);
        };
        const Matrix<float> naive = run(*reference_, values, tree), own = run(*cpu_, values, tree);
        EXPECT_LT(difference(naive, own), kTolerance);
        for (std::int64_t w = 0; w < tree.windows(); ++w) {
            Matrix<float> whole(tree.positions(w), values.cols());
            const auto before = tree.rows_before(w);
            for (std::int64_t p = 0; p < whole.rows(); ++p) {
                const auto known = std::ssize(before);
                const std::int64_t row =
                    p < known ? before[static_cast<std::size_t>(p)] : tree.window_first_row(w) + p - known;
                std::copy(values.row(row).begin(), values.row(row).end(), whole.row(p).begin());
            }
            for (Backend* backend : {cpu_.get(), reference_.get()}) {
                const Matrix<float> expected = run(*backend, whole, Batch({whole.rows()}));
                const Matrix<float>& shared = backend == cpu_.get() ? own : naive;
                for (std::int64_t r = 0; r < tree.window_rows(w); ++r) {
                    const auto a = expected.row(std::ssize(before) + r),
                               b = shared.row(tree.window_first_row(w) + r);
                    ASSERT_TRUE(std::equal(a.begin(), a.end(), b.begin()))
                        << masked.window << " window " << w << " row " << r;
                }
            }
        }
    }
}

TEST_P(CpuBackendTest, WindowsThatContinueOthersNeedOneRotaryTableAndHaveNoGradient) {
    const std::vector<std::int64_t> continued{-1, 0};
    const Batch batch({3, 2}, continued);
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        const auto [cosines, sines] = tables(8, 8, 100);
        const Tensor c = to_device(*backend, cosines), s = to_device(*backend, sines);
        const Tensor x = to_device(*backend, random_matrix(5, 8, 1));
        Tensor y = backend->allocate(5, 8);
        EXPECT_THROW(backend->attention(batch, x, x, x, {1, 1, 8, 1.0, 0, 0, {{&c, &s, 3}, {&c, &s, 8}}}, y),
                     InvalidArgument);
        EXPECT_THROW(backend->attention(batch, x, x, x, {1, 1, 8, 1.0, 0, 0, {{&c, &s, 4}}}, y),
                     InvalidArgument);
        const AttentionSpec spec{1, 1, 8, 1.0, 0, 0, {{&c, &s, 8}}};
        backend->attention(batch, x, x, x, spec, y);
        Tensor g = backend->allocate(5, 8);
        EXPECT_THROW(backend->attention_backward(batch, x, x, x, spec, y, x, g, g, g), InvalidArgument);
    }
}

TEST_P(CpuBackendTest, ExpertsAgreeAndEveryRowGoesToItsOwn) {
    const Batch batch({30, 1, 9});
    for (bool renormalise : {false, true}) {
        expect_agreement(
            [&](Backend& backend) {
                const Tensor x = to_device(backend, random_matrix(40, 33, 1));
                const Tensor gate = to_device(backend, random_matrix(40, 1, 8, 3));
                const Routing routing =
                    backend.route(batch, to_device(backend, random_matrix(40, 5, 2, 3)), {2, renormalise});
                std::vector<Tensor> outputs;
                std::vector<const Tensor*> pointers;
                for (const ExpertRows& expert : routing.experts) {
                    outputs.push_back(backend.allocate(expert.batch.rows(), 33));
                    backend.gather_rows(x, expert.rows, outputs.back());
                }
                for (const Tensor& t : outputs) pointers.push_back(&t);
                Tensor middle = backend.allocate(40, 33), y = backend.allocate(40, 33);
                backend.add_gated(batch, x, gate, x, middle);
                backend.combine_experts(batch, routing, pointers, middle, y);
                return to_host(backend, y);
            },
            "experts");
    }
}

TEST(Routing, TakesTheLargestAndTheLowestIdOnTies) {
    const std::vector<std::vector<double>> logits{{1, 3, 3, 0}, {2, 2, 2, 2}};
    const Routing routing =
        route_rows(Batch({1, 1}), 4, {2, true}, [&](std::int64_t r, std::span<double> out) {
            std::copy(logits[static_cast<std::size_t>(r)].begin(), logits[static_cast<std::size_t>(r)].end(),
                      out.begin());
        });
    EXPECT_EQ(routing.experts[0].rows, (std::vector<std::int64_t>{1}));
    EXPECT_EQ(routing.experts[1].rows, (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(routing.experts[2].rows, (std::vector<std::int64_t>{0}));
    EXPECT_TRUE(routing.experts[3].rows.empty());
    EXPECT_EQ(routing.experts[1].weights, (std::vector<double>{0.5, 0.5}));
    EXPECT_EQ(routing.experts[2].batch.window_rows(1), 0);
}

TEST(Routing, CountsTheRowsThatChangeTheirSetOfExperts) {
    const std::vector<std::vector<double>> before{{3, 2, 1}, {3, 2, 1}, {3, 2, 1}, {1, 2, 3}},
        after{{2, 3, 1}, {3, 1, 2}, {3, 2, 1}, {3, 2, 1}};
    const auto route = [](const auto& logits) {
        return route_rows(Batch({2, 2}), 3, {2, false}, [&](std::int64_t r, std::span<double> out) {
            std::copy(logits[static_cast<std::size_t>(r)].begin(), logits[static_cast<std::size_t>(r)].end(),
                      out.begin());
        });
    };
    // Row 0 keeps its set in another order; rows 1 and 3 change theirs.
    EXPECT_EQ(changed_routes(Batch({2, 2}), route(before), route(after)), (std::vector<std::int64_t>{1, 1}));
    EXPECT_EQ(changed_routes(Batch({2, 2}), route(after), route(after)), (std::vector<std::int64_t>{0, 0}));
}

TEST_P(CpuBackendTest, ScoresAgreeWithReferenceAndControlIsExactlyZero) {
    for (std::int64_t vocabulary : {2, 33, 509, 2500}) {
        const double softcap = vocabulary == 509 ? 5 : 0;
        const Batch batch({40, 3});
        std::vector<std::int32_t> targets;
        for (std::int64_t r = 0; r < batch.rows(); ++r)
            targets.push_back(static_cast<std::int32_t>(r * 7 % vocabulary));
        const auto score = [&](Backend& backend) {
            const Matrix<float> hidden = random_matrix(batch.rows(), 48, 1, 3);
            Matrix<float> changed = hidden;
            for (float& v : changed.values()) v *= 1.01f;
            const Tensor a = to_device(backend, hidden), b = to_device(backend, changed);
            const auto head = backend.pack_head(random_matrix(vocabulary, 48, 2).view(), softcap);
            const std::vector<HeadInput> inputs{{&a, head.get()}, {&b, head.get()}, {&a, head.get()}};
            const auto scorer = backend.make_scorer(batch, 3, targets);
            scorer->add(inputs);
            return scorer->finish();
        };
        const auto expected = score(*reference_), actual = score(*cpu_);
        for (std::size_t r = 0; r < targets.size(); ++r) {
            // Logits reach about 20, so f32 rounds them to about 1e-6 each; KL is of second order in that.
            ASSERT_NEAR(expected[0].nll[r], actual[0].nll[r], 2e-5);
            ASSERT_NEAR(expected[1].nll[r], actual[1].nll[r], 2e-5);
            ASSERT_NEAR(expected[1].kl[r], actual[1].kl[r], 2e-6 + 1e-3 * expected[1].kl[r]);
            ASSERT_EQ(expected[0].top1[r], actual[0].top1[r]);
            ASSERT_EQ(actual[2].kl[r], 0.0);
            ASSERT_EQ(actual[2].nll[r], actual[0].nll[r]);
        }
    }
}

TEST_P(CpuBackendTest, AHeadInPartsGivesTheBitsOfTheWhole) {
    const Matrix<float> w = random_matrix(3000, 48, 2), hidden = random_matrix(20, 48, 1, 3);
    Matrix<float> changed = hidden;
    for (float& v : changed.values()) v *= 1.01f;
    const Tensor a = to_device(*cpu_, hidden), b = to_device(*cpu_, changed);
    const Batch batch({20});
    std::vector<std::int32_t> targets;
    for (std::int32_t r = 0; r < 20; ++r) targets.push_back(r * 149);
    const auto score = [&](std::int64_t part) {
        const auto scorer = cpu_->make_scorer(batch, 2, targets);
        for (std::int64_t first = 0; first < 3000; first += part) {
            const auto head = cpu_->pack_head(w.view().row_range(first, std::min(part, 3000 - first)), 0);
            scorer->add(std::vector<HeadInput>{{&a, head.get()}, {&b, head.get()}});
        }
        return scorer->finish();
    };
    const auto whole = score(3000), parts = score(Backend::kHeadPartTokens);
    EXPECT_EQ(whole[1].nll, parts[1].nll);
    EXPECT_EQ(whole[1].kl, parts[1].kl);
    EXPECT_EQ(whole[0].top1, parts[0].top1);
}

TEST_P(CpuBackendTest, LogitsAgreeAcrossSlices) {
    expect_agreement(
        [&](Backend& backend) {
            const auto head = backend.pack_head(random_matrix(2500, 48, 2).view(), 2);
            const Tensor hidden = to_device(backend, random_matrix(9, 48, 1));
            Matrix<float> out(9, 2500);
            backend.logits(Batch({9}), {&hidden, head.get()}, out.view());
            return out;
        },
        "logits");
}

TEST_P(CpuBackendTest, SquaredErrorSumsEachWindow) {
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        Matrix<float> a(3, 33), b(3, 33);
        for (float& v : a.values()) v = 2;
        b = a;
        b.view()(2, 32) = 5;
        const auto sums =
            backend->squared_error(Batch({2, 1}), to_device(*backend, a), to_device(*backend, b));
        EXPECT_EQ(sums[0].error, 0);
        EXPECT_EQ(sums[0].reference, 2 * 33 * 4);
        EXPECT_EQ(sums[1].error, 9);
    }
}

// Four windows: two tiles and a bit, one row, none, and a few rows.
const Batch& ragged_batch() {
    static const Batch batch({513, 1, 0, 7});
    return batch;
}

void expect_same_bits(const ActivationSums& a, const ActivationSums& b) {
    EXPECT_EQ(a.channel_max, b.channel_max);
    EXPECT_EQ(a.channel_energy, b.channel_energy);
    EXPECT_EQ(a.row_max, b.row_max);
    EXPECT_EQ(a.sum, b.sum);
    EXPECT_EQ(a.magnitudes, b.magnitudes);
    EXPECT_EQ(a.cubes, b.cubes);
    EXPECT_EQ(a.fourths, b.fourths);
}

TEST_P(CpuBackendTest, ActivationSumsAreThoseOfTheReference) {
    const Batch& batch = ragged_batch();
    for (std::int64_t cols : {1, 7, 8, 16, 33, 255, 1500}) {
        const Matrix<float> x = random_matrix(batch.rows(), cols, 7, 30);
        const auto expected = reference_->activation_sums(batch, to_device(*reference_, x));
        const auto actual = cpu_->activation_sums(batch, to_device(*cpu_, x));
        ASSERT_EQ(actual.size(), 4u);
        for (std::size_t w = 0; w < 4; ++w) {
            EXPECT_EQ(actual[w].channel_max, expected[w].channel_max);
            EXPECT_EQ(actual[w].row_max, expected[w].row_max);
            // Chains of at most 64 numbers in f32 round by 64 · 2^-24 at most.
            const double size = expected[w].magnitudes + 1e-300;
            EXPECT_NEAR(actual[w].sum, expected[w].sum, 4e-6 * size);
            EXPECT_NEAR(actual[w].magnitudes, expected[w].magnitudes, 4e-6 * size);
            EXPECT_NEAR(actual[w].cubes, expected[w].cubes, 1e-12 * size * 900);
            EXPECT_NEAR(actual[w].fourths, expected[w].fourths, 1e-12 * size * 27000);
            for (std::size_t c = 0; c < expected[w].channel_energy.size(); ++c)
                EXPECT_NEAR(actual[w].channel_energy[c], expected[w].channel_energy[c],
                            4e-6 * expected[w].channel_energy[c]);
        }
    }
}

TEST_P(CpuBackendTest, ActivationSumsOfKnownRows) {
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        Matrix<float> x(3, 9);
        x.view()(0, 8) = -2;
        x.view()(1, 3) = 3;
        x.view()(2, 3) = -1;
        const auto sums = backend->activation_sums(Batch({2, 1}), to_device(*backend, x));
        EXPECT_EQ(sums[0].row_max, (std::vector<float>{2, 3}));
        EXPECT_EQ(sums[0].channel_max, (std::vector<float>{0, 0, 0, 3, 0, 0, 0, 0, 2}));
        EXPECT_EQ(sums[0].channel_energy, (std::vector<double>{0, 0, 0, 9, 0, 0, 0, 0, 4}));
        EXPECT_EQ(sums[0].sum, 1);
        EXPECT_EQ(sums[0].magnitudes, 5);
        EXPECT_EQ(sums[0].cubes, 19);
        EXPECT_EQ(sums[0].fourths, 97);
        EXPECT_EQ(sums[1].channel_energy[3], 1);
    }
}

TEST_P(CpuBackendTest, ActivationSumsDependOnNeitherThreadsNorBatching) {
    const Batch& batch = ragged_batch();
    const Matrix<float> x = random_matrix(batch.rows(), 70, 8);
    const auto together = cpu_->activation_sums(batch, to_device(*cpu_, x));
    for (int threads : {1, 3}) {
        ThreadPool pool(threads);
        const auto backend = make_cpu_backend(pool, {GetParam()});
        for (std::int64_t w = 0; w < batch.windows(); ++w) {
            Tensor part = backend->allocate(batch.window_rows(w), 70);
            backend->upload(x.view().row_range(batch.window_first_row(w), batch.window_rows(w)), part);
            expect_same_bits(backend->activation_sums(Batch({batch.window_rows(w)}), part)[0],
                             together[static_cast<std::size_t>(w)]);
        }
    }
}

TEST_P(CpuBackendTest, ActivationSumsShowWhatIsNotANumber) {
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        for (const std::int64_t column : {2, 32}) {
            for (const float bad : {std::nanf(""), INFINITY}) {
                Matrix<float> x = random_matrix(2, 33, 9);
                x.view()(1, column) = bad;
                const auto sums = backend->activation_sums(Batch({1, 1}), to_device(*backend, x));
                EXPECT_TRUE(std::isfinite(sums[0].fourths));
                EXPECT_FALSE(std::isfinite(sums[1].fourths));
            }
        }
    }
}

TEST_P(CpuBackendTest, BitsDependOnNeitherThreadsNorBatching) {
    const Matrix<float> x = random_matrix(700, 70, 5), w = random_matrix(90, 70, 6);
    const auto run = [&](int threads, bool together) {
        ThreadPool pool(threads);
        const auto backend = make_cpu_backend(pool, {GetParam()});
        const auto packed = backend->pack_linear(w.view(), {});
        Matrix<float> all(700, 90);
        const std::vector<std::int64_t> windows{300, 400};
        std::int64_t first = 0;
        for (const auto& part : together ? std::vector<std::vector<std::int64_t>>{windows}
                                         : std::vector<std::vector<std::int64_t>>{{300}, {400}}) {
            const Batch batch(part);
            Tensor in = backend->allocate(batch.rows(), 70), out = backend->allocate(batch.rows(), 90);
            backend->upload(x.view().row_range(first, batch.rows()), in);
            backend->linear(batch, in, *packed, nullptr, out);
            backend->download(out, all.view().row_range(first, batch.rows()));
            first += batch.rows();
        }
        return all;
    };
    const Matrix<float> one = run(1, true);
    for (int threads : {2, 3}) {
        for (bool together : {true, false}) {
            const Matrix<float> other = run(threads, together);
            EXPECT_TRUE(std::equal(one.values().begin(), one.values().end(), other.values().begin()));
        }
    }
    const AttentionCase c{4, 2, 32, 32, {300, 50}};
    ThreadPool three(3);
    const auto other = make_cpu_backend(three, {GetParam()});
    const Matrix<float> first = attend(*cpu_, c), second = attend(*other, c);
    EXPECT_TRUE(std::equal(first.values().begin(), first.values().end(), second.values().begin()));
}

TEST_P(CpuBackendTest, RefusesShapesThatDoNotFit) {
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        const auto w = backend->pack_linear(random_matrix(4, 3, 1).view(), {});
        const Tensor x = backend->allocate(2, 5);
        Tensor y = backend->allocate(2, 4);
        EXPECT_THROW(backend->linear(Batch({2}), x, *w, nullptr, y), InvalidArgument);
        EXPECT_THROW(backend->gated(Batch({2}), x, y, Activation::kSilu, y), InvalidArgument);
        EXPECT_THROW(backend->gated(Batch({2}), {x, 2, 4}, {x, 0, 4}, Activation::kSilu, y), InvalidArgument);
        EXPECT_THROW(backend->copy_rows(x, 1, y, 0, 2), InvalidArgument);
        EXPECT_THROW(backend->activation_sums(Batch({3}), x), InvalidArgument);
        EXPECT_THROW(backend->gather_rows(x, std::vector<std::int64_t>{0, 2}, y), InvalidArgument);
        EXPECT_THROW(backend->route(Batch({2}), x, {6, false}), InvalidArgument);
        EXPECT_THROW(backend->attention(Batch({2}), x, x, x, {3, 2, 1, 1.0, 0, 0, {}}, y), InvalidArgument);
        EXPECT_THROW(backend->make_scorer(Batch({2}), 1, std::vector<std::int32_t>{0}), InvalidArgument);
        const auto head = backend->pack_head(random_matrix(4, 5, 1).view(), 0);
        const Batch batch({2});
        const auto scorer = backend->make_scorer(batch, 1, std::vector<std::int32_t>{0, 4});
        EXPECT_THROW(scorer->add(std::vector<HeadInput>{}), InvalidArgument);
        scorer->add(std::vector<HeadInput>{{&x, head.get()}});
        EXPECT_THROW(scorer->finish(), InvalidArgument);
    }
    EXPECT_THROW(Batch({3, -1}), InvalidArgument);
}

}  // namespace
}  // namespace assay::compute
