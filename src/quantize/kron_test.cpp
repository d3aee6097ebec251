// Two-sided rounding against plain double, against GPTQ on the whole Fisher matrix, and what must hold for
// any factors.
#include "quantize/kron.h"

#include <fmt/format.h>
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
#include "quantize/awq.h"
#include "quantize/gptq.h"
#include "quantize/int_grids.h"
#include "quantize/rtn.h"
#include "quantize/test_problems.h"

namespace assay {
namespace {

using compute::SymmetricMatrix;
using ::testing::HasSubstr;

SymmetricMatrix statistics(std::int64_t n, std::int64_t samples, std::uint64_t seed) {
    return random_statistics(n, samples, seed, {.causes = 3, .noise = 1, .sizes = 5});
}

struct Options {
    FactorOptions output, input;
    bool clip = false;
    std::vector<float> scales{};
};

std::vector<Options> all_options() {
    std::vector<Options> all;
    for (bool rows : {false, true}) {
        for (bool columns : {false, true}) {
            for (bool clip : {false, true})
                all.push_back({{.by_energy = rows}, {.by_energy = columns}, clip, {}});
        }
    }
    return all;
}

KronResult run(const Matrix<float>& w, const std::string& format, const SymmetricMatrix& ho,
               const SymmetricMatrix& hi, const Options& options, int threads = 2) {
    ThreadPool pool(threads);
    const InputFactor output = factor_input(ho, options.output, pool),
                      input = factor_input(hi, options.input, pool);
    return kron_round(w.view(), int_format(format), {output, input}, {options.clip, options.scales}, pool);
}

// Powers of two from 1/8 to 8, or numbers around 1.
std::vector<float> random_scales(std::int64_t n, std::uint64_t seed, bool powers_of_two) {
    Rng rng(seed, 8);
    std::vector<float> scales;
    for (std::int64_t c = 0; c < n; ++c) {
        scales.push_back(powers_of_two ? std::ldexp(1.0f, static_cast<int>(rng.below(7)) - 3)
                                       : static_cast<float>(0.3 + 3 * rng.uniform()));
    }
    return scales;
}

Matrix<float> columns_times(Matrix<float> w, const std::vector<float>& scales) {
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::size_t c = 0; c < scales.size(); ++c) w.row(r)[c] *= scales[c];
    }
    return w;
}

// Of inputs that are divided by the scales.
SymmetricMatrix divided(const SymmetricMatrix& h, const std::vector<float>& scales) {
    SymmetricMatrix out(h.size());
    for (std::int64_t r = 0; r < h.size(); ++r) {
        for (std::int64_t c = 0; c <= r; ++c)
            out(r, c) = h(r, c) / static_cast<double>(scales[static_cast<std::size_t>(r)]) /
                        static_cast<double>(scales[static_cast<std::size_t>(c)]);
    }
    return out;
}

// The values of W diag(s) that a runtime's divided inputs meet.
EncodedWeight without_scales(EncodedWeight weight) {
    weight.column_scales.clear();
    return weight;
}

bool same_codes(const EncodedWeight& a, const EncodedWeight& b) {
    const auto x = a.encoding.codes.values(), y = b.encoding.codes.values();
    return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

Matrix<float> decoded(const EncodedWeight& weight) {
    ThreadPool pool(1);
    Matrix<float> out(weight.encoding.codes.rows(), weight.encoding.codes.cols());
    decode(weight, out.view(), pool);
    return out;
}

Matrix<float> nearest(const Matrix<float>& w, const std::string& format) {
    ThreadPool pool(1);
    Matrix<float> out = w;
    rtn(w.view(), int_format(format), out.view(), pool);
    return out;
}

bool same(const Matrix<float>& a, const Matrix<float>& b) {
    return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

Matrix<double> damped(const SymmetricMatrix& h, double share) {
    Matrix<double> a(h.size(), h.size());
    double mean = 0;
    for (std::int64_t i = 0; i < h.size(); ++i) mean += h(i, i) / static_cast<double>(h.size());
    for (std::int64_t i = 0; i < h.size(); ++i) {
        for (std::int64_t j = 0; j < h.size(); ++j) a.view()(i, j) = h(i, j) + (i == j ? share * mean : 0);
    }
    return a;
}

// tr(H_O E H_I Eᵀ)
double fisher_error(const Matrix<float>& w, const Matrix<float>& q, const Matrix<double>& ho,
                    const Matrix<double>& hi) {
    const std::int64_t out = w.rows(), in = w.cols();
    Matrix<double> e(out, in), he(out, in);
    for (std::int64_t i = 0; i < out * in; ++i)
        e.values()[i] = static_cast<double>(w.values()[i]) - static_cast<double>(q.values()[i]);
    for (std::int64_t i = 0; i < out; ++i) {
        for (std::int64_t r = 0; r < out; ++r) {
            for (std::int64_t c = 0; c < in; ++c) he.view()(i, c) += ho.view()(i, r) * e.view()(r, c);
        }
    }
    double sum = 0;
    for (std::int64_t i = 0; i < out; ++i) {
        for (std::int64_t j = 0; j < in; ++j) {
            for (std::int64_t k = 0; k < in; ++k) sum += he.view()(i, j) * hi.view()(j, k) * e.view()(i, k);
        }
    }
    return sum;
}

// The unit factor g of H = gD gᵀ turned upside down, by the textbook's elimination from the last row:
// what is left of an error after those that come later have made up for it is Σ_{r<=i} e_r g_ri.
Matrix<double> plain_factor(Matrix<double> h) {
    const std::int64_t n = h.rows();
    Matrix<double> g(n, n);
    for (std::int64_t i = n; i-- > 0;) {
        for (std::int64_t r = 0; r <= i; ++r) g.view()(r, i) = h.view()(r, i) / h.view()(i, i);
        const double pivot = h.view()(i, i);
        for (std::int64_t r = 0; r < i; ++r) {
            for (std::int64_t c = 0; c < i; ++c) h.view()(r, c) -= g.view()(r, i) * g.view()(c, i) * pivot;
        }
    }
    return g;
}

// Entry by entry: each is rounded where all errors so far say that it should lie. The energy clips, or is
// empty.
Matrix<float> plain_kron(const Matrix<float>& w, const std::string& format, const Matrix<double>& ho,
                         const Matrix<double>& hi, const std::vector<double>& energy) {
    ThreadPool pool(1);
    const IntFormat ints = int_format(format);
    const GroupLayout layout = group_layout(ints, w.rows(), w.cols());
    const GridTable grids = grids_of(w.view(), ints, energy, pool);
    const Matrix<double> g = plain_factor(ho), f = plain_factor(hi);
    Matrix<double> e(w.rows(), w.cols());
    Matrix<float> out = w;
    for (std::int64_t i = 0; i < w.rows(); ++i) {
        for (std::int64_t k = 0; k < w.cols(); ++k) {
            auto wanted = static_cast<double>(w.row(i)[k]);
            for (std::int64_t r = 0; r <= i; ++r) {
                for (std::int64_t j = 0; j <= k; ++j)
                    wanted += g.view()(r, i) * e.view()(r, j) * f.view()(j, k);
            }
            const IntGrid grid{grids.scales.view()(i / layout.height, k / layout.columns),
                               grids.zeros.view()(i / layout.height, k / layout.columns),
                               static_cast<float>(ints.top())};
            out.row(i)[k] = grid.value(grid.code(static_cast<float>(wanted)));
            e.view()(i, k) = static_cast<double>(w.row(i)[k]) - static_cast<double>(out.row(i)[k]);
        }
    }
    return out;
}

// The same with the factors' usual damping, for inputs that are damped and then divided by the scales: what
// W diag(s) becomes.
Matrix<float> plain_kron(const Matrix<float>& w, const std::string& format, const SymmetricMatrix& ho,
                         const SymmetricMatrix& hi, bool clip, const std::vector<float>& scales = {}) {
    Matrix<double> a = damped(hi, 0.01);
    std::vector<double> energy;
    for (std::int64_t c = 0; c < hi.size(); ++c) energy.push_back(hi(c, c));
    for (std::size_t c = 0; c < scales.size(); ++c) {
        const auto s = static_cast<double>(scales[c]);
        energy[c] /= s * s;
        const auto k = static_cast<std::int64_t>(c);
        for (std::int64_t j = 0; j < hi.size(); ++j) {
            a.view()(k, j) /= s;
            a.view()(j, k) /= s;
        }
    }
    return plain_kron(columns_times(w, scales), format, damped(ho, 0.01), a,
                      clip ? energy : std::vector<double>());
}

TEST(Kron, EqualsEntryByEntryRoundingForAllFormats) {
    for (const char* format : {"int4-g64", "int4-sym-g16", "int3-g7", "int2-sym-b3x24", "int8-channel",
                               "int4-tensor", "int4-g100(scale=f32)"}) {
        for (const auto& [out, in] : std::vector<std::pair<int, int>>{{5, 90}, {70, 65}, {66, 7}, {1, 1}}) {
            const Matrix<float> w = random_weight(out, in, 1);
            const SymmetricMatrix ho = statistics(out, 2 * out, 2), hi = statistics(in, 2 * in + 3, 3);
            for (bool clip : {false, true}) {
                for (const auto& scales : {std::vector<float>(), random_scales(in, 4, false)}) {
                    const KronResult result = run(w, format, ho, hi, {{}, {}, clip, scales});
                    const std::string what =
                        fmt::format("{} [{}, {}] clip {}, {} scales", format, out, in, clip, scales.size());
                    ASSERT_EQ(result.fallback, "") << what;
                    EXPECT_EQ(result.weight.column_scales, scales) << what;
                    EXPECT_TRUE(same(decoded(without_scales(result.weight)),
                                     plain_kron(w, format, ho, hi, clip, scales)))
                        << what;
                }
            }
        }
    }
}

// A weight as one row, its Fisher matrix written out.
TEST(Kron, EqualsGptqOnTheWholeFisherMatrix) {
    const std::int64_t out = 9, in = 24;
    const Matrix<float> w = random_weight(out, in, 4);
    Matrix<float> row(1, out * in);
    std::copy(w.values().begin(), w.values().end(), row.values().begin());
    const SymmetricMatrix ho = statistics(out, 30, 5), hi = statistics(in, 80, 6);
    SymmetricMatrix fisher(out * in);
    for (std::int64_t a = 0; a < fisher.size(); ++a) {
        for (std::int64_t b = 0; b <= a; ++b) fisher(a, b) = ho(a / in, b / in) * hi(a % in, b % in);
    }
    ThreadPool pool(1);
    const InputFactor whole = factor_input(fisher, {.damp = 0}, pool);
    for (const char* format : {"int4-g8", "int3-sym-g24", "int2-g12"}) {
        const KronResult two = run(w, format, ho, hi, {{.damp = 0}, {.damp = 0}});
        const GptqResult one = gptq(row.view(), int_format(format), whole, {.static_groups = true}, pool);
        EXPECT_EQ(two.fallback, "");
        EXPECT_TRUE(same_codes(two.weight, one.weight)) << format;
        EXPECT_NEAR(two.error, one.error, 1e-9 * one.error);
        EXPECT_NEAR(two.rtn_error, one.rtn_error, 1e-9 * one.rtn_error);
    }
}

TEST(Kron, WithoutAnOutputFactorIsGptqWithStaticGroupsBitForBit) {
    const Matrix<float> w = random_weight(130, 150, 3);
    const SymmetricMatrix hi = statistics(150, 400, 2);
    ThreadPool pool(2);
    for (const char* format : {"int4-g64", "int3-sym-g7", "int2-channel", "int5-sym-b4x32", "int8-tensor"}) {
        for (const Options& options : all_options()) {
            const KronResult two = run(w, format, identity(130, 7), hi, options);
            const GptqResult one = gptq(w.view(), int_format(format), factor_input(hi, options.input, pool),
                                        {.static_groups = true, .clip = options.clip}, pool);
            EXPECT_EQ(two.fallback, one.fallback);
            EXPECT_TRUE(same(decoded(two.weight), decoded(one.weight))) << format;
        }
    }
}

TEST(Kron, WithScalesButWithoutAnOutputFactorIsGptqOfTheScaledWeightsBitForBit) {
    const Matrix<float> w = random_weight(130, 150, 3);
    const SymmetricMatrix hi = statistics(150, 400, 2);
    ThreadPool pool(2);
    for (const char* format : {"int4-g64", "int3-sym-g7", "int2-channel", "int5-sym-b4x32", "int8-tensor"}) {
        for (Options options : all_options()) {
            options.scales = random_scales(150, 5, false);
            const KronResult two = run(w, format, identity(130, 7), hi, options);
            const GptqResult one =
                awq(w.view(), factor_input(hi, options.input, pool), options.scales,
                    {.format = int_format(format), .clip = options.clip, .gptq = true, .static_groups = true},
                    pool);
            EXPECT_EQ(two.fallback, one.fallback);
            EXPECT_EQ(two.weight.column_scales, one.weight.column_scales);
            EXPECT_TRUE(same(decoded(two.weight), decoded(one.weight))) << format;
        }
    }
}

TEST(Kron, WithAllScales1IsTheSameBitForBit) {
    const Matrix<float> w = random_weight(70, 130, 3);
    const SymmetricMatrix ho = statistics(70, 200, 2), hi = statistics(130, 300, 1);
    for (const Options& plain : all_options()) {
        Options ones = plain;
        ones.scales.assign(130, 1.0f);
        const KronResult a = run(w, "int3-g48", ho, hi, plain), b = run(w, "int3-g48", ho, hi, ones);
        EXPECT_TRUE(same(decoded(a.weight), decoded(b.weight)));
        EXPECT_EQ(a.error, b.error);
        EXPECT_EQ(a.rtn_error, b.rtn_error);
    }
}

TEST(Kron, WithPowersOfTwoHasTheCodesOfTheScaledProblemBitForBit) {
    const Matrix<float> w = random_weight(70, 130, 3);
    const SymmetricMatrix ho = statistics(70, 200, 2), hi = statistics(130, 400, 1);
    const std::vector<float> scales = random_scales(130, 6, true);
    for (bool clip : {false, true}) {
        const KronResult scaled = run(w, "int4-g32", ho, hi, {{}, {.damp = 0}, clip, scales}),
                         other = run(columns_times(w, scales), "int4-g32", ho, divided(hi, scales),
                                     {{}, {.damp = 0}, clip});
        EXPECT_EQ(scaled.fallback, "");
        EXPECT_TRUE(same_codes(scaled.weight, other.weight)) << clip;
        EXPECT_EQ(scaled.error, other.error);
        // one power of two for all channels: the same values
        const KronResult common = run(w, "int4-g32", ho, hi, {{}, {}, clip, std::vector<float>(130, 4.0f)}),
                         plain = run(w, "int4-g32", ho, hi, {{}, {}, clip});
        EXPECT_TRUE(same(decoded(common.weight), decoded(plain.weight))) << clip;
        EXPECT_EQ(common.error, plain.error);
    }
}

TEST(Kron, WithTwoIdentitiesIsRoundToNearestBitForBit) {
    const Matrix<float> w = random_weight(70, 150, 3);
    for (const char* sym : {"", "-sym"}) {
        for (int bits = 2; bits <= 8; ++bits) {
            for (const char* unit : {"-g1", "-g7", "-g64", "-g128", "-b4x32", "-channel", "-tensor"}) {
                const std::string format = "int" + std::to_string(bits) + sym + unit;
                const KronResult result = run(w, format, identity(70, 2), identity(150, 3), {});
                EXPECT_EQ(result.fallback, "");
                EXPECT_TRUE(same(decoded(result.weight), nearest(w, format))) << format;
            }
        }
    }
}

TEST(Kron, CostsLessThanGptqAndRoundToNearestWhereOutputsAreCorrelated) {
    double to_gptq = 0, to_nearest = 0;
    int fallbacks = 0;
    ThreadPool pool(1);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        Rng rng(seed, 9);
        const auto in = static_cast<std::int64_t>(8 + rng.below(90)),
                   out = static_cast<std::int64_t>(8 + rng.below(90));
        const Matrix<float> w = random_weight(out, in, seed);
        const SymmetricMatrix ho = statistics(out, 3 * out, seed), hi = statistics(in, 3 * in, seed);
        const char* formats[] = {"int4-g32", "int3-sym-g16", "int4-sym-channel"};
        const std::string format = formats[seed % 3];
        Options options = all_options()[seed % 8];
        const KronResult result = run(w, format, ho, hi, options);
        fallbacks += result.fallback.empty() ? 0 : 1;
        EXPECT_LE(result.error, result.rtn_error);
        const InputFactor input = factor_input(hi, options.input, pool),
                          output = factor_input(ho, options.output, pool);
        const GptqResult one =
            gptq(w.view(), int_format(format), input, {.static_groups = true, .clip = options.clip}, pool);
        to_gptq +=
            result.error / kron_error({output, input}, w.view(), decoded(one.weight).view(), pool) / 40;
        to_nearest += result.error / result.rtn_error / 40;
    }
    EXPECT_LT(to_gptq, 0.6);
    EXPECT_LT(to_nearest, 0.3);
    EXPECT_LE(fallbacks, 1);
}

TEST(Kron, ReportsErrorsOfTheDampedFactors) {
    const Matrix<float> w = random_weight(67, 130, 5);
    const SymmetricMatrix ho = statistics(67, 300, 6), hi = statistics(130, 300, 7);
    std::vector<Options> all = all_options();
    for (Options options : all_options()) {
        options.scales = random_scales(130, 7, true);  // float32 divides by them without rounding
        all.push_back(options);
    }
    for (const Options& options : all) {
        const KronResult result = run(w, "int4-g32", ho, hi, options);
        const double own = fisher_error(w, decoded(result.weight), damped(ho, 0.01), damped(hi, 0.01)),
                     rtn = fisher_error(w, nearest(w, "int4-g32"), damped(ho, 0.01), damped(hi, 0.01));
        EXPECT_NEAR(result.error, own, 1e-9 * own);
        EXPECT_NEAR(result.rtn_error, rtn, 1e-9 * rtn);
    }
}

TEST(Kron, SingularFactorsEndInAResult) {
    const Matrix<float> w = random_weight(70, 96, 7);
    const SymmetricMatrix full_out = statistics(70, 200, 1), full_in = statistics(96, 300, 1);
    const SymmetricMatrix out[] = {statistics(70, 1, 1), statistics(70, 9, 1), SymmetricMatrix(70)},
                          in[] = {statistics(96, 1, 2), statistics(96, 9, 2), SymmetricMatrix(96)};
    for (int i = 0; i < 3; ++i) {
        for (double damp : {0.0, 0.01}) {
            const std::vector<float> scales = random_scales(96, 9, false);
            for (const KronResult& result :
                 {run(w, "int4-g32", out[i], full_in, {{.damp = damp}, {}}),
                  run(w, "int4-g32", full_out, in[i], {{}, {.damp = damp}}),
                  run(w, "int4-g32", out[i], in[i], {{.damp = damp}, {.damp = damp}}),
                  run(w, "int4-g32", out[i], in[i], {{.damp = damp}, {.damp = damp}, true, scales})}) {
                EXPECT_EQ(result.fallback, "");
                if (result.weight.column_scales.empty()) {
                    EXPECT_LE(result.error, result.rtn_error);
                }
                const Matrix<float> q = decoded(result.weight);
                EXPECT_TRUE(std::all_of(q.values().begin(), q.values().end(),
                                        [](float v) { return std::isfinite(v); }));
            }
        }
    }
}

TEST(Kron, FactorsThatAreNoneFallBackToRoundToNearestAndSayWhy) {
    const Matrix<float> w = random_weight(20, 96, 7);
    SymmetricMatrix ho = statistics(20, 200, 1), hi = statistics(96, 200, 1);
    SymmetricMatrix bad_out = ho, bad_in = hi, negative = ho;
    bad_out(7, 3) = std::numeric_limits<double>::quiet_NaN();
    bad_in(70, 70) = std::numeric_limits<double>::infinity();
    negative(5, 4) = 1e9;
    for (const auto& scales : {std::vector<float>(), random_scales(96, 10, false)}) {
        const auto expect_fallback = [&](const SymmetricMatrix& of_rows, const SymmetricMatrix& of_columns,
                                         const char* why) {
            const KronResult result = run(w, "int4-g32", of_rows, of_columns, {{}, {}, true, scales});
            EXPECT_THAT(result.fallback, HasSubstr(why));
            EXPECT_EQ(result.weight.column_scales, scales);
            EXPECT_TRUE(
                same(decoded(without_scales(result.weight)), nearest(columns_times(w, scales), "int4-g32")));
        };
        expect_fallback(bad_out, hi, "hold NaN or Inf");
        expect_fallback(ho, bad_in, "hold NaN or Inf");
        expect_fallback(negative, hi, "no sums of squares");
    }
}

TEST(Kron, DeadChannelsAreScaledAndRoundedToNearest) {
    const Matrix<float> w = random_weight(20, 96, 7);
    const SymmetricMatrix ho = statistics(20, 200, 1);
    SymmetricMatrix hi = statistics(96, 300, 1);
    for (std::int64_t c = 0; c < 96; ++c)
        hi(std::max<std::int64_t>(c, 40), std::min<std::int64_t>(c, 40)) = 0;
    std::vector<double> energy;
    for (std::int64_t c = 0; c < 96; ++c) energy.push_back(hi(c, c));
    const std::vector<float> scales = awq_candidates(energy, {})[10].scales;
    // H_O = I: no row makes up for another one's error, and nothing is fed back to a dead column
    const KronResult result = run(w, "int4-g32", identity(20), hi, {{}, {}, false, scales});
    EXPECT_EQ(result.fallback, "");
    const Matrix<float> q = decoded(without_scales(result.weight)),
                        plain = nearest(columns_times(w, scales), "int4-g32");
    for (std::int64_t r = 0; r < 20; ++r) EXPECT_EQ(q.row(r)[40], plain.row(r)[40]) << r;
    const KronResult two = run(w, "int4-g32", ho, hi, {{}, {}, true, scales});
    EXPECT_EQ(two.fallback, "");
    EXPECT_LE(two.error, two.rtn_error);
}

TEST(Kron, BitsDoNotDependOnThreads) {
    const Matrix<float> w = random_weight(200, 130, 7);
    const SymmetricMatrix ho = statistics(200, 300, 2), hi = statistics(130, 200, 1);
    for (Options options : all_options()) {
        if (options.clip) options.scales = random_scales(130, 11, false);
        const KronResult one = run(w, "int3-g48", ho, hi, options, 1),
                         many = run(w, "int3-g48", ho, hi, options, 3);
        EXPECT_TRUE(same(decoded(one.weight), decoded(many.weight)));
        EXPECT_EQ(one.error, many.error);
        EXPECT_EQ(one.rtn_error, many.rtn_error);
    }
}

TEST(Kron, RefusesWhatDoesNotFit) {
    ThreadPool pool(1);
    Matrix<float> w = random_weight(4, 32, 1);
    EXPECT_THROW(run(w, "int4-g32", identity(5), identity(32), {}), InvalidArgument);
    EXPECT_THROW(run(w, "int4-g32", identity(4), identity(31), {}), InvalidArgument);
    EXPECT_THROW(run(w, "int4-g32", identity(4), identity(32), {{}, {}, false, std::vector<float>(31, 1)}),
                 InvalidArgument);
    w.row(2)[3] = std::numeric_limits<float>::infinity();
    EXPECT_THAT([&] { run(w, "int4-g32", identity(4), identity(32), {}); },
                ::testing::ThrowsMessage<NumericError>(HasSubstr("row 2, column 3")));
}

}  // namespace
}  // namespace assay
