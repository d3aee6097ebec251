#include "quantize/reconstruction.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

constexpr std::int64_t kChunkElements = 1 << 15;

struct Sums {
    double error2 = 0, weight2 = 0, abs_error = 0, max_abs = 0;

    void add(const Sums& other) {
        error2 += other.error2;
        weight2 += other.weight2;
        abs_error += other.abs_error;
        max_abs = std::max(max_abs, other.max_abs);
    }
};

// Lanes make the sums independent, so that they run at the speed of vector additions; the order is fixed.
Sums row_sums(std::span<const float> w, std::span<const float> dequantized) {
    constexpr std::size_t kLanes = 32;  // so many that compilers keep the inner loop and vectorise it
    std::array<double, kLanes> error2{}, weight2{}, abs_error{}, max_abs{};
    std::size_t i = 0;
    for (; i + kLanes <= w.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const double error = w[i + lane] - dequantized[i + lane], x = w[i + lane];
            error2[lane] += error * error;
            weight2[lane] += x * x;
            abs_error[lane] += std::abs(error);
            max_abs[lane] = std::max(max_abs[lane], std::abs(error));
        }
    }
    Sums sums;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        sums.add({error2[lane], weight2[lane], abs_error[lane], max_abs[lane]});
    }
    for (; i < w.size(); ++i) {
        const double error = w[i] - dequantized[i], x = w[i];
        sums.add({error * error, x * x, std::abs(error), std::abs(error)});
    }
    return sums;
}

ReconstructionError summarise(const Sums& sums, double elements) {
    ReconstructionError result;
    result.frobenius = std::sqrt(sums.error2);
    result.max_abs = sums.max_abs;
    result.mean_abs = sums.abs_error / elements;
    if (sums.error2 > 0) {
        result.relative = std::sqrt(sums.error2 / sums.weight2);
        result.sqnr_db = 10 * std::log10(sums.weight2 / sums.error2);
    }
    return result;
}

}  // namespace

ReconstructionError reconstruction_error(MatrixView<const float> w, MatrixView<const float> dequantized,
                                         ThreadPool& pool) {
    if (w.rows() != dequantized.rows() || w.cols() != dequantized.cols()) {
        throw InvalidArgument("reconstruction_error: the matrices must have one shape");
    }
    if (w.rows() == 0 || w.cols() == 0) return {};
    const std::int64_t grain = std::max<std::int64_t>(1, kChunkElements / w.cols());
    std::vector<Sums> chunks(static_cast<std::size_t>(ceil_div(w.rows(), grain)));
    parallel_for(pool, w.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
        Sums sums;
        for (std::int64_t r = begin; r < end; ++r) sums.add(row_sums(w.row(r), dequantized.row(r)));
        chunks[static_cast<std::size_t>(begin / grain)] = sums;
    });
    Sums all;
    for (const Sums& chunk : chunks) all.add(chunk);
    if (!std::isfinite(all.error2) || !std::isfinite(all.weight2)) {
        throw NumericError("reconstruction_error: a weight is NaN or infinite; finite matrices are expected");
    }
    return summarise(all, static_cast<double>(w.rows()) * static_cast<double>(w.cols()));
}

}  // namespace assay
