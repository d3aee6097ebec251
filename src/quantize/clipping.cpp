#include "quantize/clipping.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include "base/error.h"
#include "quantize/grid_batch.h"
#include "quantize/magnitude_quantiles.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

GroupLayout layout_of_format(const NumberFormat& format, std::int64_t out, std::int64_t in) {
    return std::visit([&](const auto& family) { return group_layout(family, out, in); }, format);
}

// out = w with each group clamped to its ratio times its range; ratios [rows, per_row] of the layout.
void clamp_groups(MatrixView<const float> w, const GroupLayout& layout, const Matrix<float>& ratios,
                  MatrixView<float> out, ThreadPool& pool) {
    for_each_group(w, layout, pool, [&](const Group& group) {
        const float ratio = ratios.view()(group.scale_row, group.scale_column);
        const float low = ratio * std::min(0.0f, group.range.low),
                    high = ratio * std::max(0.0f, group.range.high);
        const float* from = &w(group.row, group.first_column);
        float* to = &out(group.row, group.first_column);
        for (std::int64_t i = 0; i < group.columns; ++i) to[i] = std::clamp(from[i], low, high);
    });
}

// Σ m (w - rounded)² of each scale's weights; rows in order.
Matrix<double> squared_errors(MatrixView<const float> w, MatrixView<const float> rounded,
                              const GroupLayout& layout, std::span<const double> column_weights) {
    Matrix<double> sums(layout.rows, layout.per_row);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const double e = static_cast<double>(w(r, c)) - static_cast<double>(rounded(r, c));
            const double m = column_weights.empty() ? 1 : column_weights[static_cast<std::size_t>(c)];
            sums.view()(r / layout.height, c / layout.columns) += m * e * e;
        }
    }
    return sums;
}

// The best ratio of each scale of any format: all are tried on the whole matrix.
Matrix<float> try_ratios(MatrixView<const float> w, const NumberFormat& format, const GroupLayout& layout,
                         std::span<const double> column_weights, ThreadPool& pool) {
    Matrix<float> best(layout.rows, layout.per_row), clamped(w.rows(), w.cols());
    Matrix<double> least(layout.rows, layout.per_row);
    std::fill(least.values().begin(), least.values().end(), std::numeric_limits<double>::infinity());
    for (const float ratio : kClipRatios) {
        Matrix<float> ratios(layout.rows, layout.per_row);
        std::fill(ratios.values().begin(), ratios.values().end(), ratio);
        clamp_groups(w, layout, ratios, clamped.view(), pool);
        rtn(clamped.view(), format, clamped.view(), pool);
        const Matrix<double> errors = squared_errors(w, clamped.view(), layout, column_weights);
        for (std::size_t i = 0; i < errors.values().size(); ++i) {
            if (!(errors.values()[i] < least.values()[i])) continue;
            least.values()[i] = errors.values()[i];
            best.values()[i] = ratio;
        }
    }
    return best;
}

// The same, group by group.
Matrix<float> search_ratios(MatrixView<const float> w, const IntFormat& format, const GroupLayout& layout,
                            std::span<const double> column_weights, ThreadPool& pool) {
    Matrix<float> best(layout.rows, layout.per_row);
    const std::vector<float> m(column_weights.begin(), column_weights.end());
    for_each_group(w, layout, pool, [&](const Group& group) {
        const auto first = static_cast<std::size_t>(group.first_column);
        const auto weights = w.row(group.row).subspan(first, static_cast<std::size_t>(group.columns));
        const BestClip found = best_clip(format, weights, group.range, m.empty() ? nullptr : &m[first]);
        best.view()(group.scale_row, group.scale_column) = kClipRatios[found.ratio];
    });
    return best;
}

}  // namespace

bool clips_by_row(const NumberFormat& format) {
    const auto* integers = std::get_if<IntFormat>(&format);
    return integers != nullptr && integers->tile.rows == 1;
}

void clip_groups(MatrixView<const float> w, const NumberFormat& format,
                 std::span<const double> column_weights, MatrixView<float> out, ThreadPool& pool) {
    if (!column_weights.empty() && std::ssize(column_weights) != w.cols())
        throw InvalidArgument("round_clipped: a weight is expected for each column, or none at all");
    const GroupLayout layout = layout_of_format(format, w.rows(), w.cols());
    if (layout.columns == 0) return;
    const Matrix<float> best =
        clips_by_row(format) ? search_ratios(w, std::get<IntFormat>(format), layout, column_weights, pool)
                             : try_ratios(w, format, layout, column_weights, pool);
    clamp_groups(w, layout, best, out, pool);
}

void round_clipped(MatrixView<float> w, const NumberFormat& format, std::span<const double> column_weights,
                   ThreadPool& pool) {
    Matrix<float> clamped(w.rows(), w.cols());
    clip_groups(w, format, column_weights, clamped.view(), pool);
    rtn(clamped.view(), format, w, pool);
}

void round_clipped(MatrixView<float> w, const NumberFormat& format, ThreadPool& pool) {
    round_clipped(w, format, {}, pool);
}

void round_clipped_at(MatrixView<float> w, const NumberFormat& format, float threshold, ThreadPool& pool) {
    if (!(threshold >= 0)) throw InvalidArgument("a clip's threshold is at least 0");
    value_range(w, pool);  // throws at NaN, which a clamp would leave and Inf, which it would hide
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (float& x : w.row(r)) x = std::clamp(x, -threshold, threshold);
    }
    rtn(w, format, w, pool);
}

float clip_threshold(MatrixView<const float> w, double p, ThreadPool& pool) {
    MagnitudeQuantiles quantiles({p});
    scan_rows(rows_of(w), pool, QuantileLook{&quantiles});
    if (quantiles.needs_second_look(rows_of(w), pool))
        scan_rows(rows_of(w), pool, QuantileLook{&quantiles, true});
    return quantiles.quantiles().front();
}

std::vector<float> energy_shares(std::span<const double> energies) {
    double most = 0;
    for (std::size_t c = 0; c < energies.size(); ++c) {
        if (!(energies[c] >= 0) || !std::isfinite(energies[c]))
            throw NumericError(fmt::format("Σ x² of input channel {} is {}", c, energies[c]));
        most = std::max(most, energies[c]);
    }
    std::vector<float> shares;
    for (const double e : energies) shares.push_back(most > 0 ? static_cast<float>(e / most) : 0);
    return shares;
}

void candidate_errors(const IntFormat& format, std::span<const float> group, const float* low,
                      const float* high, const float* column_weights, double* errors) {
    constexpr std::size_t kLanes = compute::kLanes;
    float scale[kLanes], inverse[kLanes], least[kLanes], most[kLanes];
    std::uint16_t clamps = 0;
    const compute::Grids grids{scale, inverse, least, most, &clamps};
    make_grids(format, low, high, kLanes, grids);
    compute::weight_kernels().candidate_errors(group.data(), column_weights, std::ssize(group), &grids,
                                               errors);
}

BestClip best_clip(const IntFormat& format, std::span<const float> group, const ValueRange& range,
                   const float* column_weights) {
    constexpr std::size_t kLanes = compute::kLanes;
    static_assert(kClipRatioCount < kLanes);  // the next lane rounds all weights to 0
    float low[kLanes], high[kLanes], clip_low[kLanes], clip_high[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
        const float ratio = i < kClipRatioCount ? kClipRatios[i] : 0.0f;
        clip_low[i] = ratio * std::min(0.0f, range.low);
        clip_high[i] = ratio * std::max(0.0f, range.high);
        low[i] = std::clamp(range.low, clip_low[i], clip_high[i]);
        high[i] = std::clamp(range.high, clip_low[i], clip_high[i]);
    }
    BestClip out;
    candidate_errors(format, group, low, high, column_weights, out.errors);
    out.squares = out.errors[kClipRatioCount];
    out.ratio = static_cast<std::size_t>(std::min_element(out.errors, out.errors + kClipRatioCount) -
                                         out.errors);  // the first of equals
    out.low = low[out.ratio];
    out.high = high[out.ratio];
    out.clip_low = clip_low[out.ratio];
    out.clip_high = clip_high[out.ratio];
    return out;
}

}  // namespace assay
