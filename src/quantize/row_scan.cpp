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

void ranges_of_weights(MatrixView<const float> w, std::int64_t width, PanelRanges::Ranges& out) {
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        const auto first = static_cast<std::size_t>(r * out.per_row);
        compute::weight_kernels().ranges(w.row(r).data(), w.cols(), width, &out.low[first], &out.high[first]);
    }
}

// out[i] = pick(in[2i], in[2i + 1]): a loop that becomes vector operations.
template <class Pick>
void fold_pairs(const float* in, std::size_t pairs, float* out, const Pick& pick) {
    for (std::size_t i = 0; i < pairs; ++i) out[i] = pick(in[2 * i], in[2 * i + 1]);
}

// One row's groups, each of `parts` finer ones; the last may have fewer.
void merge_row(const float* low, const float* high, std::size_t finer, std::size_t parts, float* out_low,
               float* out_high) {
    const auto lesser = [](float a, float b) { return a < b ? a : b; };
    const auto greater = [](float a, float b) { return a > b ? a : b; };
    std::size_t first = 0;
    if (parts == 2) {
        fold_pairs(low, finer / 2, out_low, lesser);
        fold_pairs(high, finer / 2, out_high, greater);
        first = finer / 2 * 2;
    }
    for (; first < finer; first += parts) {
        const auto n = static_cast<std::int64_t>(std::min(parts, finer - first));
        float unused = 0;
        compute::weight_kernels().ranges(low + first, n, n, &out_low[first / parts], &unused);
        compute::weight_kernels().ranges(high + first, n, n, &unused, &out_high[first / parts]);
    }
}

void merge_ranges(const PanelRanges::Ranges& finer, std::int64_t rows, PanelRanges::Ranges& out) {
    const auto from = static_cast<std::size_t>(finer.per_row), to = static_cast<std::size_t>(out.per_row);
    const std::size_t parts = to == 1 ? from : static_cast<std::size_t>(out.width / finer.width);
    const bool flat = parts == 2 && from % 2 == 0;  // no row ends within a pair
    const std::size_t count = flat ? 1 : static_cast<std::size_t>(rows);
    const std::size_t groups = flat ? finer.low.size() : from;
    for (std::size_t r = 0; r < count; ++r)
        merge_row(&finer.low[r * from], &finer.high[r * from], groups, parts, &out.low[r * to],
                  &out.high[r * to]);
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

const PanelRanges::Ranges* PanelRanges::widest_within(std::int64_t width, std::int64_t cols) const {
    const Ranges* widest = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
        const Ranges& known = known_[i];
        const bool divides = width == cols || width % known.width == 0;
        if (divides && (widest == nullptr || known.width > widest->width)) widest = &known;
    }
    return widest;
}

const PanelRanges::Ranges& PanelRanges::of(MatrixView<const float> w, std::int64_t width) {
    width = std::min(width, w.cols());
    const Ranges* const finer = widest_within(width, w.cols());
    if (finer != nullptr && finer->width == width) return *finer;
    if (known_.size() == count_) known_.emplace_back();
    Ranges& found = known_[count_++];
    found.width = width;
    found.per_row = ceil_div(w.cols(), width);
    found.low.resize(static_cast<std::size_t>(w.rows() * found.per_row));
    found.high.resize(found.low.size());
    if (finer == nullptr)
        ranges_of_weights(w, width, found);
    else
        merge_ranges(*finer, w.rows(), found);
    return found;
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
    PanelRanges ranges;
    for (std::int64_t first = share.first; first < share.end; first += height) {
        const std::int64_t rows = std::min(height, share.end - first);
        const MatrixView<float> panel(floats.get(), rows, source.cols, stride);
        source.read(first, panel);
        ranges.clear();
        look({panel, first, &ranges});
    }
}

}  // namespace assay
