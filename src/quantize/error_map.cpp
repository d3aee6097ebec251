#include "quantize/error_map.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/checked.h"

namespace assay {
namespace {

constexpr std::int64_t kRunColumns = 32;

double squared_error(const float* w, const float* rounded, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        const float e = w[i] - rounded[i];
        sum += static_cast<double>(e) * static_cast<double>(e);
    }
    return sum;
}

}  // namespace

ErrorMapSums::ErrorMapSums(const NumberFormat& format, std::int64_t out, std::int64_t in)
    : out_(out), rows_(std::min(out, kMostMapCells)) {
    const GroupLayout layout =
        std::visit([&](const auto& family) { return group_layout(family, out, in); }, format);
    if (layout.per_row == 0) return;
    width_ = layout.per_row == 1 ? std::min(in, kRunColumns) : layout.columns;
    groups_ = ceil_div(in, width_);
    columns_ = std::min(groups_, kMostMapCells);
}

void ErrorMapSums::add(MatrixView<const float> w, MatrixView<const float> rounded, std::int64_t first_row) {
    cells_.resize(static_cast<std::size_t>(rows_ * columns_));
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        const std::int64_t down = (first_row + r) * rows_ / out_;
        for (std::int64_t g = 0; g < groups_; ++g) {
            const std::int64_t first = g * width_, n = std::min(width_, w.cols() - first);
            Cell& cell = cells_[static_cast<std::size_t>(down * columns_ + g * columns_ / groups_)];
            cell.squares += squared_error(&w(r, first), &rounded(r, first), n);
            cell.count += n;
        }
    }
}

void ErrorMapSums::merge(const ErrorMapSums& other) {
    cells_.resize(std::max(cells_.size(), other.cells_.size()));
    for (std::size_t i = 0; i < other.cells_.size(); ++i) {
        cells_[i].squares += other.cells_[i].squares;
        cells_[i].count += other.cells_[i].count;
    }
}

ErrorMap ErrorMapSums::map() const {
    ErrorMap map{.rows = rows_, .columns = columns_, .rms = {}};
    for (const Cell& cell : cells_)
        map.rms.push_back(cell.count == 0 ? 0 : std::sqrt(cell.squares / static_cast<double>(cell.count)));
    return map;
}

}  // namespace assay
