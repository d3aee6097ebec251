// What the backends' tests share: random operands, copies to and from a backend, and differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/rng.h"
#include "compute/backend.h"

namespace assay::compute {

inline Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed,
                                   double scale = 1) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(scale * (rng.uniform() * 2 - 1));
    return m;
}

inline Tensor to_device(Backend& backend, const Matrix<float>& m) {
    Tensor t = backend.allocate(m.rows(), m.cols());
    backend.upload(m.view(), t);
    return t;
}

inline Matrix<float> to_host(const Backend& backend, const Tensor& t) {
    Matrix<float> m(t.rows(), t.cols());
    backend.download(t, m.view());
    return m;
}

inline bool same_bits(const Matrix<float>& a, const Matrix<float>& b) {
    return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

// Largest difference, relative to the largest magnitude of the expected values.
template <class T>
double difference(const Matrix<T>& expected, const Matrix<T>& actual) {
    double worst = 0, largest = 1e-30;
    for (std::size_t i = 0; i < expected.values().size(); ++i) {
        const auto e = static_cast<double>(expected.values()[i]), a = static_cast<double>(actual.values()[i]);
        worst = std::isnan(a) ? 1 / 0.0 : std::max(worst, std::abs(e - a));
        largest = std::max(largest, std::abs(e));
    }
    return worst / largest;
}

// Each of the tests' results is a sum of at most 600 products of numbers below 1, or a smooth function of
// such sums: f32 rounding gives at most a few sqrt(600) · 2^-24 of the largest value.
constexpr double kTolerance = 5e-6;

// Cosines and sines [rows, rotary / 2].
inline std::pair<Matrix<float>, Matrix<float>> tables(std::int64_t rows, std::int64_t rotary, double base) {
    Matrix<float> cosines(rows, rotary / 2), sines(rows, rotary / 2);
    for (std::int64_t t = 0; t < rows; ++t) {
        for (std::int64_t i = 0; i < rotary / 2; ++i) {
            const double angle = static_cast<double>(t) *
                                 std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(rotary));
            cosines.view()(t, i) = static_cast<float>(std::cos(angle));
            sines.view()(t, i) = static_cast<float>(std::sin(angle));
        }
    }
    return {std::move(cosines), std::move(sines)};
}

struct AttentionCase {
    std::int64_t heads, kv_heads, head_dim, rotary;
    std::vector<std::int64_t> windows;
    std::int64_t window = 0;
    double softcap = 0;

    AttentionSpec spec() const {
        return {heads, kv_heads, head_dim, 1 / std::sqrt(static_cast<double>(head_dim)), window, softcap, {}};
    }
};

}  // namespace assay::compute
