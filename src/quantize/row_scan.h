// Walks the rows of a matrix that need not fit in memory, each piece of it read once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "tensor/matrix.h"

namespace assay {

// A matrix [rows, cols] that is read piece by piece.
struct RowSource {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    // Fills `out` with the rows from `first` on. Called from several threads at once.
    std::function<void(std::int64_t first, MatrixView<float> out)> read;
};

// The rows of a matrix in memory, which must outlive the source.
RowSource rows_of(MatrixView<const float> w);

// The ranges of one panel's groups of some widths: those who look at it share them.
class PanelRanges {
  public:
    // Row by row; the last group of a row may hold fewer weights.
    struct Ranges {
        std::int64_t width = 0, per_row = 0;
        std::vector<float> low, high;
    };
    // Found once a width, from the ranges of narrower groups where those are known. Until the next clear().
    const Ranges& of(MatrixView<const float> w, std::int64_t width);
    void clear() { count_ = 0; }

  private:
    const Ranges* widest_within(std::int64_t width, std::int64_t cols) const;

    std::deque<Ranges> known_;  // the first count_; the others are memory to be used again
    std::size_t count_ = 0;
};

// Consecutive rows. The stride is a multiple of compute::kRowUnit, the first row is aligned to 64 bytes, and
// behind each row's end up to the stride there are zeros.
struct RowPanel {
    MatrixView<const float> w;
    std::int64_t first_row = 0;
    PanelRanges* ranges = nullptr;  // of this panel
};

// The smallest and the largest of each `width` weights of the panel's rows; as long as the panel is shown.
inline const PanelRanges::Ranges& ranges_of(const RowPanel& panel, std::int64_t width) {
    return panel.ranges->of(panel.w, width);
}

// Rows [first, end) of one share: they depend on the matrix's shape only. At most kMostShares, in order; none
// for a matrix without elements.
struct RowShare {
    std::int64_t first = 0;
    std::int64_t end = 0;
};
std::vector<RowShare> row_shares(std::int64_t rows, std::int64_t cols);
inline constexpr std::int64_t kMostShares = 64;

// Reads a share panel by panel and shows each; the panel's memory is used again for the next one.
void read_panels(const RowSource& source, const RowShare& share,
                 const std::function<void(const RowPanel&)>& look);

// What `empty` becomes when it has seen all rows: a copy of it takes the panels of each share with
// add(panel), and the copies are merged in the shares' order with merge(other). The same bits for any number
// of threads; memory for the copies, and a panel a thread. Throws: as add() and the source's read().
template <class Sums>
Sums scan_rows(const RowSource& source, ThreadPool& pool, const Sums& empty) {
    const std::vector<RowShare> shares = row_shares(source.rows, source.cols);
    std::vector<Sums> parts(shares.size(), empty);
    pool.for_each(static_cast<std::int64_t>(shares.size()), [&](std::int64_t i) {
        Sums& part = parts[static_cast<std::size_t>(i)];
        read_panels(source, shares[static_cast<std::size_t>(i)],
                    [&](const RowPanel& panel) { part.add(panel); });
    });
    Sums all = empty;
    for (Sums& part : parts) all.merge(std::move(part));
    return all;
}

}  // namespace assay
