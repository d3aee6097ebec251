#include "quantize/row_scan.h"

#include <algorithm>

#include "base/checked.h"
#include "compute/cpu/aligned.h"
#include "compute/cpu/weight_kernels.h"

namespace assay {
namespace {

constexpr std::int64_t kPanelWeights =
    1 << 14;  // 64 KiB: in the second-level cache with all that is made of it
constexpr std::int64_t kShareWeights = 1 << 15;  // at least: sums are merged once a share

std::int64_t rows_of_panel(std::int64_t cols) {
    return std::max<std::int64_t>(1, kPanelWeights / cols);
}

}  // namespace

RowSource rows_of(MatrixView<const float> w) {
    return {w.rows(), w.cols(), [w](std::int64_t first, MatrixView<float> out) {
                for (std::int64_t r = 0; r < out.rows(); ++r) {
                    const auto row = w.row(first + r);
                    std::copy(row.begin(), row.end(), out.row(r).begin());
                }
            }};
}

void find_ranges(const RowPanel& panel, std::int64_t width, std::vector<float>& low,
                 std::vector<float>& high) {
    const auto per_row = static_cast<std::size_t>(ceil_div(panel.w.cols(), width));
    const auto rows = static_cast<std::size_t>(panel.w.rows());
    low.resize(rows * per_row);
    high.resize(rows * per_row);
    for (std::size_t r = 0; r < rows; ++r)
        compute::weight_kernels().ranges(panel.w.row(static_cast<std::int64_t>(r)).data(), panel.w.cols(),
                                         width, &low[r * per_row], &high[r * per_row]);
}

std::vector<RowShare> row_shares(std::int64_t rows, std::int64_t cols) {
    std::vector<RowShare> shares;
    if (rows == 0 || cols == 0) return shares;
    const std::int64_t height = rows_of_panel(cols), panels = ceil_div(rows, height);
    const std::int64_t count = std::min({panels, kMostShares, ceil_div(rows * cols, kShareWeights)});
    for (std::int64_t i = 0; i < count; ++i)
        shares.push_back({panels * i / count * height, std::min(rows, panels * (i + 1) / count * height)});
    return shares;
}

void read_panels(const RowSource& source, const RowShare& share,
                 const std::function<void(const RowPanel&)>& look) {
    const std::int64_t stride = ceil_div(source.cols, compute::kRowUnit) * compute::kRowUnit;
    const std::int64_t height = std::min(rows_of_panel(source.cols), share.end - share.first);
    const compute::AlignedFloats floats = compute::aligned_floats(height * stride);
    for (std::int64_t r = 0; r < height; ++r)
        std::fill_n(floats.get() + r * stride + source.cols, stride - source.cols, 0.0f);
    for (std::int64_t first = share.first; first < share.end; first += height) {
        const std::int64_t rows = std::min(height, share.end - first);
        const MatrixView<float> panel(floats.get(), rows, source.cols, stride);
        source.read(first, panel);
        look({panel, first});
    }
}

}  // namespace assay
