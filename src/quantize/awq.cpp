#include "quantize/awq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "quantize/clipping.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

// w diag(s).
Matrix<float> times_columns(MatrixView<const float> w, std::span<const float> scales, ThreadPool& pool) {
    if (std::ssize(scales) != w.cols())
        throw InvalidArgument(fmt::format("awq: {} scales for {} columns", scales.size(), w.cols()));
    Matrix<float> out(w.rows(), w.cols());
    parallel_for(pool, w.rows(), 64, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c)
                out.view()(r, c) = w(r, c) * scales[static_cast<std::size_t>(c)];
        }
    });
    return out;
}

// What is rounded to nearest in place of w.
Matrix<float> clipped(MatrixView<const float> w, const InputFactor& factor, const AwqRounding& rounding,
                      ThreadPool& pool) {
    Matrix<float> out(w.rows(), w.cols());
    if (rounding.clip && factor.failure.empty()) {
        clip_groups(w, rounding.format, factor.energy, out.view(), pool);
        return out;
    }
    for (std::int64_t r = 0; r < w.rows(); ++r)
        std::copy(w.row(r).begin(), w.row(r).end(), out.row(r).begin());
    return out;
}

GptqResult to_nearest(MatrixView<const float> w, const InputFactor& factor, const AwqRounding& rounding,
                      ThreadPool& pool) {
    GptqResult result{.weight = {}, .fallback = factor.failure};
    Matrix<float> rounded = clipped(w, factor, rounding, pool);
    result.weight = {rounding.format, encode_int(rounded.view(), rounding.format, pool), {}, {}};
    if (!factor.failure.empty()) return result;
    decode(result.weight, rounded.view(), pool);
    result.error = weighted_error(factor, w, rounded.view(), pool);
    return result;
}

GptqResult round_unscaled(MatrixView<const float> w, const InputFactor& factor, const AwqRounding& rounding,
                          ThreadPool& pool) {
    if (!rounding.gptq) return to_nearest(w, factor, rounding, pool);
    return gptq(w, rounding.format, factor, {.static_groups = rounding.static_groups, .clip = rounding.clip},
                pool);
}

double rtn_error(MatrixView<const float> w, const InputFactor& factor, const IntFormat& format,
                 ThreadPool& pool) {
    Matrix<float> rounded(w.rows(), w.cols());
    rtn(w, format, rounded.view(), pool);
    return weighted_error(factor, w, rounded.view(), pool);
}

// Root mean squares up to a factor, those of shared scales together, as shares of the largest; 0 becomes the
// least that is more.
std::vector<double> magnitudes(std::span<const double> energy, std::span<const std::int64_t> rows) {
    std::map<std::int64_t, double> of_row;
    const auto row = [&](std::size_t c) { return rows.empty() ? static_cast<std::int64_t>(c) : rows[c]; };
    for (std::size_t c = 0; c < energy.size(); ++c) {
        if (!(energy[c] >= 0) || !std::isfinite(energy[c]))
            throw NumericError(fmt::format("Σ x² of input channel {} is {}", c, energy[c]));
        of_row[row(c)] += energy[c];
    }
    double least = 0, most = 0;
    for (const auto& [own, sum] : of_row) {
        most = std::max(most, sum);
        if (sum > 0) least = least > 0 ? std::min(least, sum) : sum;
    }
    std::vector<double> x;
    for (std::size_t c = 0; c < energy.size(); ++c)
        x.push_back(most > 0 ? std::sqrt(std::max(of_row[row(c)], least) / most) : 1);
    return x;
}

}  // namespace

std::vector<AwqScales> awq_candidates(std::span<const double> energy, std::span<const std::int64_t> rows) {
    if (!rows.empty() && rows.size() != energy.size())
        throw InvalidArgument("awq: a row is expected for each channel, or none at all");
    const std::vector<double> x = magnitudes(energy, rows);
    const double least = x.empty() ? 1 : *std::min_element(x.begin(), x.end());
    std::vector<AwqScales> candidates;
    for (int step = 0; step < kAwqSteps; ++step) {
        AwqScales& one = candidates.emplace_back();
        one.alpha = static_cast<double>(step) / kAwqSteps;
        for (const double v : x)  // the largest x is 1
            one.scales.push_back(static_cast<float>(std::pow(v, one.alpha) / std::pow(least, one.alpha / 2)));
    }
    return candidates;
}

ScaledLinear scaled_linear(MatrixView<const float> w, const InputFactor& factor,
                           std::span<const float> scales, ThreadPool& pool) {
    return {times_columns(w, scales, pool), rescaled(factor, scales)};
}

std::vector<double> awq_errors(MatrixView<const float> w, const InputFactor& factor,
                               std::span<const AwqScales> candidates, const AwqRounding& rounding,
                               ThreadPool& pool) {
    std::vector<double> errors;
    for (const AwqScales& one : candidates) {
        const ScaledLinear scaled = scaled_linear(w, factor, one.scales, pool);
        try {
            Matrix<float> rounded = clipped(scaled.weight.view(), scaled.factor, rounding, pool);
            rtn(rounded.view(), rounding.format, rounded.view(), pool);
            errors.push_back(weighted_error(scaled.factor, scaled.weight.view(), rounded.view(), pool));
        } catch (const NumericError&) {
            if (one.alpha == 0) throw;
            errors.push_back(std::numeric_limits<double>::infinity());
        }
    }
    return errors;
}

GptqResult awq(MatrixView<const float> w, const InputFactor& factor, std::span<const float> scales,
               const AwqRounding& rounding, ThreadPool& pool) {
    GptqResult result;
    if (scales.empty()) {
        result = round_unscaled(w, factor, rounding, pool);
        if (rounding.gptq) return result;  // it knows the error of round to nearest
    } else {
        const ScaledLinear scaled = scaled_linear(w, factor, scales, pool);
        result = round_unscaled(scaled.weight.view(), scaled.factor, rounding, pool);
        result.weight.column_scales.assign(scales.begin(), scales.end());
    }
    if (factor.failure.empty()) result.rtn_error = rtn_error(w, factor, rounding.format, pool);
    return result;
}

}  // namespace assay
