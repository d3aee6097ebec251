// Random weights and statistics of inputs for the tests of methods. Used by tests only.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "base/rng.h"
#include "compute/symmetric_matrix.h"
#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

inline double normal(Rng& rng) {
    return rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() - 2;
}

// With an outlier in every fortieth place or so.
inline Matrix<float> random_weight(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> w(rows, cols);
    Rng rng(seed);
    for (float& v : w.values()) v = static_cast<float>(normal(rng) * (rng.below(40) == 0 ? 8 : 1));
    return w;
}

// Of inputs whose channels share a few causes beside their own noise, and differ in size.
struct SharedCauses {
    std::int64_t causes = 5;
    double noise = 0.5;
    std::int64_t sizes = 7;
};

// Σ x xᵀ of so many of them.
inline compute::SymmetricMatrix random_statistics(std::int64_t n, std::int64_t samples, std::uint64_t seed,
                                                  const SharedCauses& of = {}) {
    Rng rng(seed);
    Matrix<double> mix(n, of.causes);
    for (double& v : mix.values()) v = normal(rng);
    compute::SymmetricMatrix h(n);
    std::vector<double> x(static_cast<std::size_t>(n)), causes(static_cast<std::size_t>(of.causes));
    for (std::int64_t t = 0; t < samples; ++t) {
        for (double& cause : causes) cause = normal(rng);
        for (std::int64_t c = 0; c < n; ++c) {
            const double shared = std::inner_product(causes.begin(), causes.end(), mix.row(c).begin(), 0.0);
            x[static_cast<std::size_t>(c)] =
                (of.noise * normal(rng) + shared) * (1 + static_cast<double>(c % of.sizes));
        }
        for (std::int64_t r = 0; r < n; ++r) {
            for (std::int64_t c = 0; c <= r; ++c)
                h(r, c) += x[static_cast<std::size_t>(r)] * x[static_cast<std::size_t>(c)];
        }
    }
    return h;
}

inline compute::SymmetricMatrix identity(std::int64_t n, double scale = 1) {
    compute::SymmetricMatrix h(n);
    for (std::int64_t i = 0; i < n; ++i) h(i, i) = scale;
    return h;
}

inline IntFormat int_format(const std::string& text) {
    return std::get<IntFormat>(parse_number_format(text));
}

}  // namespace assay
