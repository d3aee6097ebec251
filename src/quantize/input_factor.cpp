#include "quantize/input_factor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "compute/dense.h"
#include "quantize/row_panel.h"

namespace assay {
namespace {

using compute::SymmetricMatrix;

constexpr std::int64_t kTile = SymmetricMatrix::kTile;
constexpr double kMostDamping = 100, kFirstDamping = 1e-8;

bool is_finite(const SymmetricMatrix& h) {
    for (std::int64_t r = 0; r < h.size(); ++r) {
        for (std::int64_t c = 0; c <= r; ++c) {
            if (!std::isfinite(h(r, c))) return false;
        }
    }
    return true;
}

std::vector<std::int64_t> column_order(const std::vector<double>& energy, bool by_energy) {
    std::vector<std::int64_t> order(energy.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    if (by_energy) {
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
            return energy[static_cast<std::size_t>(a)] > energy[static_cast<std::size_t>(b)];
        });
    }
    return order;
}

// All of row r: what the tiles up to its diagonal have of it, and what those below have as a column.
void copy_row(const SymmetricMatrix& h, std::int64_t r, double* row) {
    const std::int64_t own = r / kTile, place = r % kTile;
    for (std::int64_t j = 0; j <= own; ++j)
        std::copy_n(h.tile(own, j) + place * kTile, j < own ? kTile : place + 1, row + j * kTile);
    for (std::int64_t j = own; j < h.tile_count(); ++j) {
        const double* column = h.tile(j, own) + place;
        for (std::int64_t k = j > own ? 0 : place + 1; k < h.tile_rows(j); ++k)
            row[j * kTile + k] = column[k * kTile];
    }
}

SymmetricMatrix reordered(const SymmetricMatrix& h, const std::vector<std::int64_t>& order, double damping,
                          ThreadPool& pool) {
    SymmetricMatrix a(h.size());
    parallel_for(pool, h.size(), kTile, [&](std::int64_t begin, std::int64_t end) {
        std::vector<double> row(order.size());
        for (std::int64_t r = begin; r < end; ++r) {
            copy_row(h, order[static_cast<std::size_t>(r)], row.data());
            const std::int64_t* from = order.data();
            for (std::int64_t j = 0; j <= r / kTile; ++j) {
                double* to = a.tile(r / kTile, j) + r % kTile * kTile;
                const std::int64_t count = std::min(kTile, r + 1 - j * kTile);
                for (std::int64_t k = 0; k < count; ++k) to[k] = row[static_cast<std::size_t>(*from++)];
            }
            a(r, r) += damping;
        }
    });
    return a;
}

// M in place becomes the feedback, each tile turned so that the rows of f lie one after the other.
void turn_to_feedback(SymmetricMatrix& m, std::vector<double>& pivots) {
    for (std::int64_t k = 0; k < m.size(); ++k) pivots.push_back(m(k, k) * m(k, k));
    for (std::int64_t i = 0; i < m.tile_count(); ++i) {
        double roots[kTile];
        for (std::int64_t k = 0; k < m.tile_rows(i); ++k) roots[k] = m.tile(i, i)[k * kTile + k];
        for (std::int64_t j = 0; j <= i; ++j) {
            double* tile = m.tile(i, j);
            for (std::int64_t k = 0; k < kTile; ++k) {
                for (std::int64_t c = 0; c < kTile; ++c) {
                    const bool outside = k >= m.tile_rows(i) || (i == j && c > k);
                    tile[k * kTile + c] = outside ? 0 : tile[k * kTile + c] / roots[k];
                }
            }
            for (std::int64_t k = 0; k < kTile; ++k) {
                for (std::int64_t c = 0; c < k; ++c) std::swap(tile[k * kTile + c], tile[c * kTile + k]);
            }
        }
    }
}

}  // namespace

InputFactor factor_input(const SymmetricMatrix& h, const FactorOptions& options, ThreadPool& pool) {
    InputFactor factor;
    for (std::int64_t c = 0; c < h.size(); ++c) factor.energy.push_back(h(c, c));
    const double sum = std::accumulate(factor.energy.begin(), factor.energy.end(), 0.0);
    const double mean = sum / static_cast<double>(std::max<std::int64_t>(1, h.size()));
    factor.dead = std::count(factor.energy.begin(), factor.energy.end(), 0.0);
    factor.damping = options.damp;
    if (std::isfinite(sum)) factor.order = column_order(factor.energy, options.by_energy);
    for (; std::isfinite(sum) && factor.damping <= kMostDamping; ++factor.raised) {
        factor.feedback = reordered(h, factor.order, mean > 0 ? factor.damping * mean : 1, pool);
        if (!compute::factorize(factor.feedback, pool)) {
            turn_to_feedback(factor.feedback, factor.pivots);
            return factor;
        }
        if (!is_finite(h)) break;
        factor.damping = std::max(10 * factor.damping, kFirstDamping);
    }
    factor.failure = is_finite(h) ? fmt::format(
                                        "the statistics of its input are no sums of squares: with {:g} times "
                                        "their mean on the diagonal they "
                                        "still have no Cholesky factorization",
                                        kMostDamping)
                                  : "the statistics of its input hold NaN or Inf";
    return factor;
}

InputFactor rescaled(const InputFactor& factor, std::span<const float> scales) {
    if (scales.size() != factor.energy.size())
        throw InvalidArgument(
            fmt::format("rescaled: {} scales for {} columns", scales.size(), factor.energy.size()));
    InputFactor out = factor;
    for (std::size_t c = 0; c < scales.size(); ++c)
        out.energy[c] /= static_cast<double>(scales[c]) * static_cast<double>(scales[c]);
    if (!factor.failure.empty()) return out;
    std::vector<double> s;
    for (std::int64_t c : factor.order) s.push_back(static_cast<double>(scales[static_cast<std::size_t>(c)]));
    for (std::size_t k = 0; k < s.size(); ++k) out.pivots[k] /= s[k] * s[k];
    const SymmetricMatrix& from = factor.feedback;
    for (std::int64_t i = 0; i < from.tile_count(); ++i) {
        for (std::int64_t j = 0; j <= i; ++j) {
            double* tile = out.feedback.tile(i, j);
            for (std::int64_t r = 0; r < from.tile_rows(j); ++r) {
                for (std::int64_t k = 0; k < from.tile_rows(i); ++k)
                    tile[r * kTile + k] *= s[static_cast<std::size_t>(i * kTile + k)] /
                                           s[static_cast<std::size_t>(j * kTile + r)];
            }
        }
    }
    return out;
}

double weighted_error(const InputFactor& factor, MatrixView<const float> w,
                      MatrixView<const float> dequantized, ThreadPool& pool) {
    if (!factor.failure.empty()) throw InvalidArgument("weighted_error: " + factor.failure);
    const std::int64_t n = factor.feedback.size();
    if (w.cols() != n || dequantized.cols() != n || w.rows() != dequantized.rows())
        throw InvalidArgument("weighted_error: the shapes do not fit");
    return sum_over_panels(w.rows(), pool, [&](std::int64_t first, std::int64_t rows) {
        RowPanel errors(factor);
        for (std::int64_t k = 0; k < n; ++k) {
            const std::int64_t c = factor.order[static_cast<std::size_t>(k)];
            for (std::int64_t r = 0; r < rows; ++r)
                errors.column(k)[r] =
                    static_cast<double>(w(first + r, c)) - static_cast<double>(dequantized(first + r, c));
        }
        return errors.weighted_square();
    });
}

}  // namespace assay
