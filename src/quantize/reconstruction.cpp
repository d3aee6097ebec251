#include "quantize/reconstruction.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

constexpr std::int64_t kChunkElements = 1 << 15;

// Lanes make the sums independent, so that they run at the speed of vector additions; the order is fixed.
struct LaneSums {
    static constexpr std::size_t kLanes = 32;  // so many that compilers keep the inner loop and vectorise it
    std::array<double, kLanes> error2{}, weight2{}, abs_error{}, max_abs{};
};

}  // namespace

void ErrorTotals::add_row(std::span<const float> w, std::span<const float> dequantized) {
    constexpr std::size_t kLanes = LaneSums::kLanes;
    LaneSums lanes;
    std::size_t i = 0;
    for (; i + kLanes <= w.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const double error = w[i + lane] - dequantized[i + lane], x = w[i + lane];
            lanes.error2[lane] += error * error;
            lanes.weight2[lane] += x * x;
            lanes.abs_error[lane] += std::abs(error);
            lanes.max_abs[lane] = std::max(lanes.max_abs[lane], std::abs(error));
        }
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane)
        merge({lanes.error2[lane], lanes.weight2[lane], lanes.abs_error[lane], lanes.max_abs[lane], 0});
    for (; i < w.size(); ++i) {
        const double error = w[i] - dequantized[i], x = w[i];
        merge({error * error, x * x, std::abs(error), std::abs(error), 0});
    }
    count += std::ssize(w);
}

void ErrorTotals::merge(const ErrorTotals& other) {
    error2 += other.error2;
    weight2 += other.weight2;
    abs_error += other.abs_error;
    max_abs = std::max(max_abs, other.max_abs);
    count += other.count;
}

ReconstructionError error_of(const ErrorTotals& totals) {
    if (!std::isfinite(totals.error2) || !std::isfinite(totals.weight2)) {
        throw NumericError("reconstruction_error: a weight is NaN or infinite; finite matrices are expected");
    }
    if (totals.count == 0) return {};
    ReconstructionError result;
    result.frobenius = std::sqrt(totals.error2);
    result.max_abs = totals.max_abs;
    result.mean_abs = totals.abs_error / static_cast<double>(totals.count);
    if (totals.error2 > 0) {
        result.relative = std::sqrt(totals.error2 / totals.weight2);
        result.sqnr_db = 10 * std::log10(totals.weight2 / totals.error2);
    }
    return result;
}

ReconstructionError reconstruction_error(MatrixView<const float> w, MatrixView<const float> dequantized,
                                         ThreadPool& pool) {
    if (w.rows() != dequantized.rows() || w.cols() != dequantized.cols()) {
        throw InvalidArgument("reconstruction_error: the matrices must have one shape");
    }
    if (w.rows() == 0 || w.cols() == 0) return {};
    const std::int64_t grain = std::max<std::int64_t>(1, kChunkElements / w.cols());
    std::vector<ErrorTotals> chunks(static_cast<std::size_t>(ceil_div(w.rows(), grain)));
    parallel_for(pool, w.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
        ErrorTotals& sums = chunks[static_cast<std::size_t>(begin / grain)];
        for (std::int64_t r = begin; r < end; ++r) sums.add_row(w.row(r), dequantized.row(r));
    });
    ErrorTotals all;
    for (const ErrorTotals& chunk : chunks) all.merge(chunk);
    return error_of(all);
}

}  // namespace assay
