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

double ErrorSums::add_row(std::span<const float> w, std::span<const float> dequantized) {
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
    double row_error2 = 0;
    const auto add = [&](double error2, double weight2, double abs_error, double max_abs) {
        row_error2 += error2;
        weight2_ += weight2;
        abs_error_ += abs_error;
        max_abs_ = std::max(max_abs_, max_abs);
    };
    for (std::size_t lane = 0; lane < kLanes; ++lane)
        add(lanes.error2[lane], lanes.weight2[lane], lanes.abs_error[lane], lanes.max_abs[lane]);
    for (; i < w.size(); ++i) {
        const double error = w[i] - dequantized[i], x = w[i];
        add(error * error, x * x, std::abs(error), std::abs(error));
    }
    error2_ += row_error2;
    count_ += std::ssize(w);
    return row_error2;
}

void ErrorSums::merge(const ErrorSums& other) {
    error2_ += other.error2_;
    weight2_ += other.weight2_;
    abs_error_ += other.abs_error_;
    max_abs_ = std::max(max_abs_, other.max_abs_);
    count_ += other.count_;
}

ReconstructionError ErrorSums::error() const {
    if (!std::isfinite(error2_) || !std::isfinite(weight2_)) {
        throw NumericError("reconstruction_error: a weight is NaN or infinite; finite matrices are expected");
    }
    if (count_ == 0) return {};
    ReconstructionError result;
    result.frobenius = std::sqrt(error2_);
    result.max_abs = max_abs_;
    result.mean_abs = abs_error_ / static_cast<double>(count_);
    if (error2_ > 0) {
        result.relative = std::sqrt(error2_ / weight2_);
        result.sqnr_db = 10 * std::log10(weight2_ / error2_);
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
    std::vector<ErrorSums> chunks(static_cast<std::size_t>(ceil_div(w.rows(), grain)));
    parallel_for(pool, w.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
        ErrorSums& sums = chunks[static_cast<std::size_t>(begin / grain)];
        for (std::int64_t r = begin; r < end; ++r) sums.add_row(w.row(r), dequantized.row(r));
    });
    ErrorSums all;
    for (const ErrorSums& chunk : chunks) all.merge(chunk);
    return all.error();
}

}  // namespace assay
