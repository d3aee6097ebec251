// Linears on rounded inputs: against integers multiplied one by one, the naive backend, and bit by bit over
// threads and batches.
#include "compute/rounded_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "compute/testing.h"
#include "tensor/float8.h"

namespace assay::compute {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

// Whole numbers from `low` to 127.
Matrix<float> random_codes(std::int64_t rows, std::int64_t cols, std::uint64_t seed, int low = -128) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values())
        v = static_cast<float>(static_cast<int>(rng.below(static_cast<std::uint64_t>(128 - low))) + low);
    return m;
}

Matrix<float> random_e4m3(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> m = random_matrix(rows, cols, seed, 400);
    for (float& v : m.values()) v = f8e4m3_to_f32(f32_to_f8e4m3(v));
    return m;
}

RoundedLinear random_linear(std::int64_t out, std::int64_t in, InputElement element) {
    RoundedLinear w;
    w.codes = element == InputElement::kInt8 ? random_codes(out, in, 2) : random_e4m3(out, in, 2);
    for (std::int64_t o = 0; o < out; ++o) w.scales.push_back(0.001f * static_cast<float>(o % 7 + 1));
    w.input.element = element;
    return w;
}

Matrix<float> apply(Backend& backend, const RoundedLinear& w, const Matrix<float>& x,
                    std::span<const float> bias = {}, const Matrix<float>* residual = nullptr) {
    const auto packed = backend.pack_rounded(w, bias);
    Tensor y = backend.allocate(x.rows(), w.codes.rows());
    Tensor added;
    if (residual != nullptr) added = to_device(backend, *residual);
    backend.linear(Batch({x.rows()}), to_device(backend, x), *packed, residual != nullptr ? &added : nullptr,
                   y);
    return to_host(backend, y);
}

class RoundedLinearTest : public ::testing::TestWithParam<CpuOptions> {
  protected:
    void SetUp() override {
        if (!cpu_supports(GetParam())) GTEST_SKIP() << "this processor has no such kernels";
        cpu_ = make_cpu_backend(pool_, GetParam());
    }

    ThreadPool pool_{2};
    std::unique_ptr<Backend> cpu_;
    std::unique_ptr<Backend> reference_ = make_reference_backend();
};

INSTANTIATE_TEST_SUITE_P(
    Kernels, RoundedLinearTest,
    ::testing::Values(CpuOptions{.kernels = CpuKernels::kBest}, CpuOptions{.kernels = CpuKernels::kAvx2},
                      CpuOptions{.kernels = CpuKernels::kBest, .precision = Precision::kBf16},
                      CpuOptions{.kernels = CpuKernels::kAvx512, .precision = Precision::kBf16}));

// The inputs are whole numbers and the scale is 1, so that they are their own codes.
TEST_P(RoundedLinearTest, SumsAreThoseOfIntegersWhateverTheDepth) {
    for (const std::int64_t in : {1, 31, 576, 1024, 1025, 1536, 3000, 8960}) {
        RoundedLinear w = random_linear(33, in, InputElement::kInt8);
        std::fill(w.scales.begin(), w.scales.end(), 1.0f);
        w.input.scale = 1;
        Matrix<float> x = random_codes(5, in, 1);
        std::fill(x.row(0).begin(), x.row(0).end(), -128.0f);
        std::fill(w.codes.row(0).begin(), w.codes.row(0).end(), -128.0f);
        std::fill(w.codes.row(1).begin(), w.codes.row(1).end(), 127.0f);
        for (Backend* backend : {cpu_.get(), reference_.get()}) {
            const Matrix<float> y = apply(*backend, w, x);
            for (std::int64_t r = 0; r < 5; ++r) {
                for (std::int64_t o = 0; o < 33; ++o) {
                    std::int32_t sum = 0;
                    for (std::int64_t c = 0; c < in; ++c)
                        sum += static_cast<std::int32_t>(x.view()(r, c)) *
                               static_cast<std::int32_t>(w.codes.view()(o, c));
                    ASSERT_EQ(y.view()(r, o), static_cast<float>(sum)) << in << ": " << r << ", " << o;
                }
            }
        }
    }
}

// A rounding of f32 may move a tie: at most a step of a few inputs.
TEST_P(RoundedLinearTest, AgreesWithTheReferenceForEveryWayOfRounding) {
    for (const InputElement element : {InputElement::kInt8, InputElement::kE4m3}) {
        for (const float scale : {0.0f, 0.004f}) {
            for (const bool divided : {false, true}) {
                for (const std::int64_t in : {1, 33, 255, 1100}) {
                    RoundedLinear w = random_linear(1050, in, element);
                    w.input.scale = scale;
                    for (std::int64_t c = 0; divided && c < in; ++c)
                        w.input.divisors.push_back(0.25f * static_cast<float>(c % 5 + 1));
                    const Matrix<float> x = random_matrix(31, in, 1), residual = random_matrix(31, 1050, 4),
                                        bias = random_matrix(1, 1050, 3);
                    EXPECT_LT(difference(apply(*reference_, w, x, bias.row(0), &residual),
                                         apply(*cpu_, w, x, bias.row(0), &residual)),
                              kTolerance)
                        << in << ", scale " << scale << (divided ? ", divided" : "");
                }
            }
        }
    }
}

TEST_P(RoundedLinearTest, RoundsHalfToEvenAndCutsAtTheEnds) {
    RoundedLinear w{.codes = Matrix<float>(1, 1), .scales = {1}, .input = {.scale = 0.5f}};
    w.codes.view()(0, 0) = 1;
    Matrix<float> x(8, 1);
    const std::vector<float> in{0.25f, 0.75f, 1.25f, -0.25f, -0.75f, 1000, -1000, 0},
        out{0, 1, 1, 0, -1, 63.5f, -64, 0};
    std::copy(in.begin(), in.end(), x.values().begin());
    const Matrix<float> y = apply(*cpu_, w, x);
    EXPECT_EQ(std::vector<float>(y.values().begin(), y.values().end()), out);
}

TEST_P(RoundedLinearTest, EveryE4m3NumberAndEveryMiddleGoesWhereTheFormatSays) {
    RoundedLinear w{
        .codes = Matrix<float>(1, 1), .scales = {1}, .input = {.element = InputElement::kE4m3, .scale = 1}};
    w.codes.view()(0, 0) = 1;
    std::vector<float> in;
    for (int code = 0; code < 0x7f; ++code) {
        const float here = f8e4m3_to_f32(static_cast<std::uint8_t>(code)),
                    next = f8e4m3_to_f32(static_cast<std::uint8_t>(std::min(code + 1, 0x7e)));
        for (const float v : {here, (here + next) / 2, here + (next - here) * 0.499f}) {
            in.push_back(v);
            in.push_back(-v);
        }
    }
    in.push_back(1e9f);
    Matrix<float> x(std::ssize(in), 1);
    std::copy(in.begin(), in.end(), x.values().begin());
    const Matrix<float> y = apply(*cpu_, w, x);
    for (std::size_t i = 0; i < in.size(); ++i)
        EXPECT_EQ(y.values()[i], f8e4m3_to_f32(f32_to_f8e4m3(in[i]))) << in[i];
}

TEST_P(RoundedLinearTest, ARowOfZerosGivesTheBiasAndARowWithNanOrInfGivesNan) {
    for (const float scale : {0.0f, 0.1f}) {
        RoundedLinear w = random_linear(3, 20, InputElement::kInt8);
        w.input.scale = scale;
        Matrix<float> x = random_matrix(4, 20, 1);
        std::fill(x.row(0).begin(), x.row(0).end(), 0.0f);
        x.view()(1, 3) = kNan;
        x.view()(2, 19) = -kInf;
        const std::vector<float> bias{1, -2, 0.5f};
        for (Backend* backend : {cpu_.get(), reference_.get()}) {
            const Matrix<float> y = apply(*backend, w, x, bias);
            for (std::int64_t o = 0; o < 3; ++o) {
                EXPECT_EQ(y.view()(0, o), bias[static_cast<std::size_t>(o)]);
                EXPECT_TRUE(std::isnan(y.view()(1, o)));
                EXPECT_TRUE(std::isnan(y.view()(2, o)));
                EXPECT_TRUE(std::isfinite(y.view()(3, o)));
            }
        }
    }
}

TEST_P(RoundedLinearTest, BitsDependOnNeitherThreadsNorNeighbours) {
    for (const InputElement element : {InputElement::kInt8, InputElement::kE4m3}) {
        const RoundedLinear w = random_linear(70, 1200, element);
        const Matrix<float> x = random_matrix(600, 1200, 1);
        const Matrix<float> all = apply(*cpu_, w, x);
        ThreadPool one(1);
        const auto alone = make_cpu_backend(one, GetParam());
        EXPECT_TRUE(same_bits(all, apply(*alone, w, x)));
        Matrix<float> some(7, 1200);
        for (std::int64_t r = 0; r < 7; ++r)
            std::copy(x.row(300 + r).begin(), x.row(300 + r).end(), some.row(r).begin());
        const Matrix<float> few = apply(*alone, w, some);
        for (std::int64_t r = 0; r < 7; ++r)
            EXPECT_TRUE(std::equal(few.row(r).begin(), few.row(r).end(), all.row(300 + r).begin()));
    }
}

TEST(RoundedLinear, RefusesWhatIsNoCodeScaleOrSize) {
    ThreadPool pool(1);
    const auto cpu = make_cpu_backend(pool), reference = make_reference_backend();
    const RoundedLinear good = random_linear(2, 3, InputElement::kInt8);
    std::vector<RoundedLinear> bad(8, good);
    bad[0].codes.view()(1, 2) = 0.5f;
    bad[1].codes.view()(0, 0) = 128;
    bad[2].codes.view()(0, 0) = kNan;
    bad[3].scales[1] = -1;
    bad[4].scales.pop_back();
    bad[5].input.scale = kInf;
    bad[6].input.divisors = {1, 0, 1};
    bad[7].input.divisors = {1, 1};
    bad.push_back(random_linear(2, 3, InputElement::kE4m3));
    bad.back().codes.view()(0, 0) = 17;  // 16 and 18 are
    for (Backend* backend : {cpu.get(), reference.get()}) {
        EXPECT_NO_THROW(backend->pack_rounded(good, {}));
        for (const RoundedLinear& w : bad) EXPECT_THROW(backend->pack_rounded(w, {}), InvalidArgument);
        const std::vector<float> bias{1};
        EXPECT_THROW(backend->pack_rounded(good, bias), InvalidArgument);
    }
}

}  // namespace
}  // namespace assay::compute
