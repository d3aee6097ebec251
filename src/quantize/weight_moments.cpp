#include "quantize/weight_moments.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay {

void MomentSums::add(const RowPanel& panel) {
    const compute::WeightKernels& kernels = compute::weight_kernels();
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        kernels.powers(panel.w.row(r).data(), panel.w.cols(), shift_, &powers_);
    count_ += panel.w.rows() * panel.w.cols();
    if (!std::isfinite(powers_.sums[1]))  // of finite weights it cannot overflow
        throw NumericError("a weight is NaN or infinite; finite numbers are expected");
}

void MomentSums::merge(const MomentSums& other) {
    for (int p = 0; p < 4; ++p) powers_.sums[p] += other.powers_.sums[p];
    powers_.low = std::min(powers_.low, other.powers_.low);
    powers_.high = std::max(powers_.high, other.powers_.high);
    count_ += other.count_;
}

WeightMoments MomentSums::moments() const {
    if (count_ == 0) return {};
    const auto n = static_cast<double>(count_);
    const double a = powers_.sums[0] / n, b = powers_.sums[1] / n, c = powers_.sums[2] / n,
                 d = powers_.sums[3] / n;
    const double variance = std::max(0.0, b - a * a);
    WeightMoments out{.count = count_,
                      .mean = shift_ + a,
                      .std = powers_.low == powers_.high ? 0 : std::sqrt(variance),
                      .kurtosis = {},
                      .min = powers_.low,
                      .max = powers_.high,
                      .max_abs = std::max(-powers_.low, powers_.high),
                      .squares = n * (b + 2 * shift_ * a + shift_ * shift_)};
    const double fourth = d - 4 * a * c + 6 * a * a * b - 3 * a * a * a * a;
    if (out.std > 0) out.kurtosis = fourth / (variance * variance);
    return out;
}

double first_row_mean(const RowSource& w) {
    if (w.rows == 0 || w.cols == 0) return 0;
    Matrix<float> row(1, w.cols);
    w.read(0, row.view());
    double sum = 0;
    for (float x : row.values()) sum += static_cast<double>(x);
    return sum / static_cast<double>(w.cols);
}

}  // namespace assay
