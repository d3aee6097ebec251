// GPTQ against the algorithm as its paper has it, in plain double, and what must hold for any statistics.
#include "quantize/gptq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/int_grids.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"
#include "quantize/test_problems.h"

namespace assay {
namespace {

using compute::SymmetricMatrix;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Options {
    FactorOptions factor;
    GptqOptions gptq;
};

GptqResult run(const Matrix<float>& w, const IntFormat& format, const SymmetricMatrix& h,
               const Options& options, int threads = 2) {
    ThreadPool pool(threads);
    return gptq(w.view(), format, factor_input(h, options.factor, pool), options.gptq, pool);
}

Matrix<float> decoded(const EncodedWeight& weight, const Matrix<float>& like) {
    ThreadPool pool(1);
    Matrix<float> out(like.rows(), like.cols());
    decode(weight, out.view(), pool);
    return out;
}

Matrix<float> rounded(const Matrix<float>& w, const IntFormat& format) {
    ThreadPool pool(1);
    Matrix<float> out = w;
    rtn(w.view(), format, out.view(), pool);
    return out;
}

bool same(const Matrix<float>& a, const Matrix<float>& b) {
    return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

// tr((w - q) H (w - q)ᵀ)
double output_error(const Matrix<float>& w, const Matrix<float>& q, const SymmetricMatrix& h) {
    double sum = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        std::vector<double> e;
        for (std::int64_t c = 0; c < w.cols(); ++c)
            e.push_back(static_cast<double>(w.row(r)[c]) - static_cast<double>(q.row(r)[c]));
        for (std::int64_t i = 0; i < w.cols(); ++i) {
            for (std::int64_t j = 0; j < w.cols(); ++j) sum += e[i] * h(i, j) * e[j];
        }
    }
    return sum;
}

// The paper's algorithm 1 with blocks of one column: the inverse of the damped Hessian, its Cholesky factor U
// with H⁻¹ = UᵀU, and errors that are divided by U_kk and spread over the columns behind them.
class PlainGptq {
  public:
    PlainGptq(const Matrix<float>& w, const IntFormat& format, const SymmetricMatrix& h,
              const Options& options)
        : w_(w), n_(w.cols()), format_(format), options_(options), out_(w) {
        order_.resize(static_cast<std::size_t>(n_));
        std::iota(order_.begin(), order_.end(), std::int64_t{0});
        if (options.factor.by_energy)
            std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return h(a, a) > h(b, b); });
        double mean = 0;
        for (std::int64_t i = 0; i < n_; ++i) mean += h(i, i) / static_cast<double>(n_);
        Matrix<double> damped(n_, n_);
        for (std::int64_t i = 0; i < n_; ++i) {
            for (std::int64_t j = 0; j < n_; ++j)
                damped.view()(i, j) = h(order_[i], order_[j]) + (i == j ? options.factor.damp * mean : 0);
        }
        u_ = upper_factor(inverse(damped));
        for (std::int64_t c = 0; c < n_; ++c) energy_.push_back(h(c, c));
    }

    Matrix<float> run() {
        const std::int64_t columns = format_.tile.columns == 0 ? n_ : format_.tile.columns;
        const bool fixed = options_.gptq.static_groups || columns >= n_;
        for (std::int64_t r = 0; r < w_.rows(); ++r) {
            std::vector<double> t;
            for (std::int64_t c : order_) t.push_back(static_cast<double>(w_.row(r)[c]));
            IntGrid grid;
            for (std::int64_t k = 0; k < n_; ++k) {
                if (fixed) {
                    const std::int64_t first = order_[k] / columns * columns;
                    grid = grid_of(r, first, std::min(first + columns, n_));
                } else if (k % columns == 0) {
                    grid = grid_of(t, k, std::min(k + columns, n_));
                }
                const float q = grid.value(grid.code(static_cast<float>(t[k])));
                out_.row(r)[order_[k]] = q;
                const double error = (t[k] - static_cast<double>(q)) / u_.view()(k, k);
                for (std::int64_t j = k; j < n_; ++j) t[j] -= error * u_.view()(k, j);
            }
        }
        return out_;
    }

  private:
    IntGrid grid_of(std::int64_t r, std::int64_t first, std::int64_t end) const {
        std::vector<double> importance;
        if (options_.gptq.clip) importance.assign(energy_.begin() + first, energy_.begin() + end);
        return choose_grid(format_, w_.row(r).subspan(first, end - first), importance);
    }
    IntGrid grid_of(const std::vector<double>& t, std::int64_t first, std::int64_t end) const {
        std::vector<float> values;
        std::vector<double> importance;
        for (std::int64_t k = first; k < end; ++k) {
            values.push_back(static_cast<float>(t[k]));
            if (options_.gptq.clip) importance.push_back(energy_[order_[k]]);
        }
        return choose_grid(format_, values, importance);
    }

    static Matrix<double> inverse(Matrix<double> a) {  // Gauss-Jordan; a is positive definite
        const std::int64_t n = a.rows();
        Matrix<double> b(n, n);
        for (std::int64_t i = 0; i < n; ++i) b.view()(i, i) = 1;
        for (std::int64_t p = 0; p < n; ++p) {
            const double pivot = a.view()(p, p);
            for (std::int64_t j = 0; j < n; ++j) {
                a.view()(p, j) /= pivot;
                b.view()(p, j) /= pivot;
            }
            for (std::int64_t i = 0; i < n; ++i) {
                const double factor = a.view()(i, p);
                if (i == p || factor == 0) continue;
                for (std::int64_t j = 0; j < n; ++j) {
                    a.view()(i, j) -= factor * a.view()(p, j);
                    b.view()(i, j) -= factor * b.view()(p, j);
                }
            }
        }
        return b;
    }

    static Matrix<double> upper_factor(const Matrix<double>& a) {
        const std::int64_t n = a.rows();
        Matrix<double> u(n, n);
        for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t j = i; j < n; ++j) {
                double sum = a.view()(i, j);
                for (std::int64_t k = 0; k < i; ++k) sum -= u.view()(k, i) * u.view()(k, j);
                u.view()(i, j) = i == j ? std::sqrt(sum) : sum / u.view()(i, i);
            }
        }
        return u;
    }

    const Matrix<float>& w_;
    std::int64_t n_;
    IntFormat format_;
    Options options_;
    Matrix<float> out_;
    std::vector<std::int64_t> order_;
    std::vector<double> energy_;
    Matrix<double> u_;
};

std::vector<Options> all_options() {
    std::vector<Options> all;
    for (bool order : {false, true}) {
        for (bool fixed : {false, true}) {
            for (bool clip : {false, true})
                all.push_back({{.by_energy = order}, {.static_groups = fixed, .clip = clip}});
        }
    }
    return all;
}

TEST(SlowGptq, EqualsThePapersAlgorithmForAllFormatsAndOptions) {
    for (const char* name : {"int4-g64", "int4-sym-g64", "int3-g7", "int2-sym-g24", "int4-g100(scale=f32)",
                             "int8-channel", "int5-sym-g128", "int3-g1"}) {
        for (const auto& [out, in] : std::vector<std::pair<int, int>>{{5, 200}, {70, 65}, {2, 31}, {1, 1}}) {
            const Matrix<float> w = random_weight(out, in, 1);
            const SymmetricMatrix h = random_statistics(in, 2 * in + 5, 2);
            for (const Options& options : all_options()) {
                const GptqResult result = run(w, int_format(name), h, options);
                ASSERT_EQ(result.fallback, "");
                const Matrix<float> plain = PlainGptq(w, int_format(name), h, options).run();
                ASSERT_TRUE(same(decoded(result.weight, w), plain))
                    << name << " [" << out << ", " << in << "] order " << options.factor.by_energy
                    << " static " << options.gptq.static_groups << " clip " << options.gptq.clip;
            }
        }
    }
}

// Every weight on the grid of its group.
Matrix<float> on_grids(const Matrix<float>& w, const IntFormat& format, std::span<const double> importance) {
    ThreadPool pool(1);
    const GroupLayout layout = group_layout(format, w.rows(), w.cols());
    const GridTable grids = grids_of(w.view(), format, importance, pool);
    Matrix<float> out = w;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const std::int64_t row = r / layout.height, g = c / layout.columns;
            const IntGrid grid{grids.scales.view()(row, g), grids.zeros.view()(row, g),
                               static_cast<float>(format.top())};
            out.row(r)[c] = grid.value(grid.code(w.row(r)[c]));
        }
    }
    return out;
}

TEST(Gptq, WithTheIdentityIsRoundToNearestBitForBit) {
    const Matrix<float> w = random_weight(70, 150, 3);
    const std::vector<double> ones(150, 1.0);
    for (const char* sym : {"", "-sym"}) {
        for (int bits = 2; bits <= 8; ++bits) {
            for (const char* unit :
                 {"-g1", "-g7", "-g64", "-g100", "-g128", "-b4x32", "-channel", "-tensor"}) {
                const IntFormat format = int_format("int" + std::to_string(bits) + sym + unit);
                const Matrix<float> nearest = rounded(w, format), clipped = on_grids(w, format, ones);
                for (const Options& options : all_options()) {
                    const GptqResult result = run(w, format, identity(150, 3), options);
                    EXPECT_EQ(result.fallback, "");
                    EXPECT_TRUE(same(decoded(result.weight, w), options.gptq.clip ? clipped : nearest))
                        << to_string(format) << options.gptq.clip << options.gptq.static_groups;
                }
            }
        }
    }
}

TEST(IntGrids, ClippedOnesRoundWithNoLargerErrorThanClampedWeights) {
    const Matrix<float> w = random_weight(40, 150, 3);
    const std::vector<double> ones(150, 1.0);
    const SymmetricMatrix h = identity(150);
    ThreadPool pool(1);
    for (const char* name : {"int4-g64", "int3-sym-g32", "int2-sym-channel", "int4-b4x32", "int8-tensor"}) {
        Matrix<float> clamped = w;
        round_clipped(clamped.view(), int_format(name), pool);
        const double own = output_error(w, on_grids(w, int_format(name), ones), h);
        EXPECT_LE(own, output_error(w, clamped, h)) << name;
        EXPECT_LE(own, output_error(w, rounded(w, int_format(name)), h)) << name;
    }
}

TEST(IntGrids, ImportanceDecidesWhatIsClipped) {
    const IntFormat format = int_format("int2-sym-channel");
    const std::vector<float> values{0.1f, 0.1f, -0.1f, 1.0f};
    // Codes are -2 to 1: scale 1 keeps the large weight; 0.4, the smallest tried, is nearest to the others.
    EXPECT_EQ(choose_grid(format, values, std::vector<double>{1, 1, 1, 1}).scale, 1.0f);
    EXPECT_EQ(choose_grid(format, values, {}).scale, 1.0f);
    EXPECT_EQ(choose_grid(format, {}, {}).scale, 0.0f);
    const std::vector<float> wide{0.3f, 0.3f, -0.3f, 1.0f};
    EXPECT_NEAR(choose_grid(format, wide, std::vector<double>{1, 1, 1, 1e-9}).scale, 0.4f, 1e-3f);
    EXPECT_EQ(choose_grid(format, wide, std::vector<double>{1e-9, 1e-9, 1e-9, 1}).scale, 1.0f);
}

TEST(Gptq, HasNoLargerErrorThanRoundToNearestOnAHundredRandomProblems) {
    double gain = 0;
    int fallbacks = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Rng rng(seed, 9);
        const auto in = static_cast<std::int64_t>(8 + rng.below(90)),
                   out = static_cast<std::int64_t>(1 + rng.below(20));
        const Matrix<float> w = random_weight(out, in, seed);
        const SymmetricMatrix h = random_statistics(in, 3 * in, seed);
        const char* formats[] = {"int4-g32", "int3-sym-g16", "int2-g64", "int4-sym-channel"};
        const IntFormat format = int_format(formats[seed % 4]);
        const Options options = all_options()[seed % 8];
        const GptqResult result = run(w, format, h, options);
        fallbacks += result.fallback.empty() ? 0 : 1;
        const double own = output_error(w, decoded(result.weight, w), h),
                     nearest = output_error(w, rounded(w, format), h);
        EXPECT_LE(own, nearest) << seed;
        EXPECT_LE(result.error, result.rtn_error);
        gain += own / nearest / 100;
    }
    EXPECT_LT(gain, 0.5);
    EXPECT_LE(fallbacks, 3);  // two bits leave no room: what must be made up for is clamped
}

TEST(Gptq, ReportsErrorsOfTheDampedStatistics) {
    const Matrix<float> w = random_weight(67, 130, 5);
    SymmetricMatrix h = random_statistics(130, 300, 6);
    const IntFormat format = int_format("int4-g32");
    for (const Options& options : all_options()) {
        const GptqResult result = run(w, format, h, options);
        SymmetricMatrix damped = h;
        double mean = 0;
        for (std::int64_t i = 0; i < 130; ++i) mean += h(i, i) / 130;
        for (std::int64_t i = 0; i < 130; ++i) damped(i, i) += 0.01 * mean;
        const double own = output_error(w, decoded(result.weight, w), damped),
                     nearest = output_error(w, rounded(w, format), damped);
        EXPECT_NEAR(result.error, own, 1e-9 * own);
        EXPECT_NEAR(result.rtn_error, nearest, 1e-9 * nearest);
    }
}

TEST(Gptq, GroupsOfColumnsThatComeTogetherAreKept) {
    const Matrix<float> w = random_weight(3, 100, 5);
    const SymmetricMatrix h = random_statistics(100, 300, 6);
    const GptqResult result = run(w, int_format("int4-g32"), h, {{.by_energy = true}, {}});
    ASSERT_EQ(std::ssize(result.weight.column_groups), 100);
    std::vector<int> counts(4);
    for (std::int32_t g : result.weight.column_groups) ++counts[static_cast<std::size_t>(g)];
    EXPECT_THAT(counts, ::testing::ElementsAre(32, 32, 32, 4));
    for (const Options& options : {Options{{.by_energy = true}, {.static_groups = true}}, Options{}})
        EXPECT_TRUE(run(w, int_format("int4-g32"), h, options).weight.column_groups.empty());
}

TEST(Gptq, SingularStatisticsEndInAResult) {
    const Matrix<float> w = random_weight(9, 96, 7);
    const IntFormat format = int_format("int4-g32");
    const SymmetricMatrix rank_one = random_statistics(96, 1, 1), rank_ten = random_statistics(96, 10, 1);
    for (const SymmetricMatrix* h : {&rank_one, &rank_ten}) {
        for (double damp : {0.0, 0.01}) {
            ThreadPool pool(2);
            const InputFactor factor = factor_input(*h, {.damp = damp}, pool);
            EXPECT_EQ(factor.failure, "");
            EXPECT_EQ(factor.raised > 0, damp == 0);
            EXPECT_GT(factor.damping, 0);
            const GptqResult result = gptq(w.view(), format, factor, {}, pool);
            EXPECT_EQ(result.fallback, "");
            const Matrix<float> q = decoded(result.weight, w);
            EXPECT_LT(output_error(w, q, *h), 0.2 * output_error(w, rounded(w, format), *h));
            EXPECT_TRUE(
                std::all_of(q.values().begin(), q.values().end(), [](float v) { return std::isfinite(v); }));
        }
    }
}

TEST(Gptq, StatisticsThatAreNoneFallBackToRoundToNearestAndSayWhy) {
    const Matrix<float> w = random_weight(9, 96, 7);
    const IntFormat format = int_format("int4-g32");
    const auto expect_fallback = [&](const SymmetricMatrix& h, const char* why) {
        for (const Options& options : all_options()) {
            const GptqResult result = run(w, format, h, options);
            EXPECT_THAT(result.fallback, HasSubstr(why));
            EXPECT_TRUE(same(decoded(result.weight, w), rounded(w, format)));
        }
    };
    for (double bad : {kNaN, std::numeric_limits<double>::infinity()}) {
        SymmetricMatrix off = random_statistics(96, 200, 1), diagonal = off, all = off;
        off(70, 3) = bad;
        diagonal(70, 70) = bad;
        for (std::int64_t i = 0; i < 96; ++i) {
            for (std::int64_t j = 0; j <= i; ++j) all(i, j) = bad;
        }
        expect_fallback(off, "hold NaN or Inf");
        expect_fallback(diagonal, "hold NaN or Inf");
        expect_fallback(all, "hold NaN or Inf");
    }
    SymmetricMatrix negative = identity(96);
    negative(5, 4) = 1000;
    expect_fallback(negative, "no sums of squares");
}

TEST(Gptq, DeadColumnsAreRoundedToNearest) {
    const Matrix<float> w = random_weight(9, 96, 7);
    const IntFormat format = int_format("int4-g32");
    SymmetricMatrix h = random_statistics(96, 200, 1);
    for (std::int64_t c : {0, 40, 95}) {
        for (std::int64_t j = 0; j < 96; ++j) h(c, j) = 0;
    }
    ThreadPool pool(1);
    const InputFactor factor = factor_input(h, {.damp = 0}, pool);
    EXPECT_EQ(factor.dead, 3);
    const Matrix<float> q = decoded(gptq(w.view(), format, factor, {.static_groups = true}, pool).weight, w);
    const Matrix<float> nearest = rounded(w, format);
    for (std::int64_t r = 0; r < 9; ++r) {
        for (std::int64_t c : {0, 40, 95}) EXPECT_EQ(q.row(r)[c], nearest.row(r)[c]);
    }
    const InputFactor none = factor_input(SymmetricMatrix(96), {}, pool);
    EXPECT_EQ(none.dead, 96);
    EXPECT_TRUE(same(decoded(gptq(w.view(), format, none, {}, pool).weight, w), nearest));
}

TEST(Gptq, BitsDoNotDependOnThreads) {
    const Matrix<float> w = random_weight(200, 130, 7);
    const SymmetricMatrix h = random_statistics(130, 200, 1);
    for (const Options& options : all_options()) {
        const GptqResult one = run(w, int_format("int3-g48"), h, options, 1),
                         many = run(w, int_format("int3-g48"), h, options, 3);
        EXPECT_TRUE(same(decoded(one.weight, w), decoded(many.weight, w)));
        EXPECT_EQ(one.error, many.error);
        EXPECT_EQ(one.rtn_error, many.rtn_error);
    }
}

TEST(Gptq, RefusesWhatDoesNotFit) {
    ThreadPool pool(1);
    Matrix<float> w = random_weight(4, 32, 1);
    const InputFactor factor = factor_input(identity(31), {}, pool);
    EXPECT_THROW(gptq(w.view(), int_format("int4-g32"), factor, {}, pool), InvalidArgument);
    EXPECT_THROW(weighted_error(factor, w.view(), w.view(), pool), InvalidArgument);
    w.row(2)[3] = std::numeric_limits<float>::infinity();
    EXPECT_THAT(
        [&] { gptq(w.view(), int_format("int4-g32"), factor_input(identity(32), {}, pool), {}, pool); },
        ::testing::ThrowsMessage<NumericError>(HasSubstr("row 2, column 3")));
    EncodedWeight wrong = run(random_weight(4, 32, 1), int_format("int4-g8"), random_statistics(32, 64, 1),
                              {{.by_energy = true}, {}})
                              .weight;
    Matrix<float> out(4, 32), other(4, 31);
    EXPECT_THROW(decode(wrong, other.view(), pool), InvalidArgument);
    wrong.column_groups[0] = 4;
    EXPECT_THROW(decode(wrong, out.view(), pool), InvalidArgument);
}

}  // namespace
}  // namespace assay
