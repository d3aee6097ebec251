#include "treat/other_weights.h"

#include <algorithm>
#include <string>

namespace assay {
namespace {

constexpr std::int64_t kRowsAtOnce = 256;  // beside the whole weight that is there already

// Rows [first, first + w.rows()) of the item's weight.
void copy_rows(const WeightSource& source, const std::string& name, std::int64_t first, MatrixView<float> w) {
    const Matrix<float> rows = read_weight_rows(source, name, first, w.rows());
    for (std::int64_t r = 0; r < w.rows(); ++r)
        std::copy(rows.row(r).begin(), rows.row(r).end(), w.row(r).begin());
}

}  // namespace

void OtherWeights::apply(const LinearItem& item, MatrixView<float> w) const {
    for (std::int64_t first = 0; first < w.rows(); first += kRowsAtOnce) {
        const std::int64_t count = std::min(kRowsAtOnce, w.rows() - first);
        copy_rows(other_.weights(), item.name, first, w.row_range(first, count));
    }
    other_.weights().release(item.name + ".weight");
}

void OtherWeights::apply_rows(const LinearItem& item, std::span<const std::int64_t> rows,
                              MatrixView<float> w) const {
    for (std::size_t first = 0, end = 0; first < rows.size(); first = end) {
        for (end = first + 1; end < rows.size() && rows[end] == rows[end - 1] + 1;) ++end;
        copy_rows(other_.weights(), item.name, rows[first],
                  w.row_range(static_cast<std::int64_t>(first), static_cast<std::int64_t>(end - first)));
    }
}

}  // namespace assay
