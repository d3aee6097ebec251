// The rows of a chunk of tokens: windows one after another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay::compute {

// A run of rows; the unit of parallel work.
struct Tile {
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
};

// A row's result depends on its own window alone (and on what that one continues), on no other row, so it is
// the same bits wherever its window is computed.
class Batch {
  public:
    static constexpr std::int64_t kTileRows = 256;  // of a task, at most

    // A window may have no rows: an expert gets none of some windows. Throws InvalidArgument for negative
    // ones.
    explicit Batch(std::vector<std::int64_t> window_rows);

    // Window w goes on where window continued[w] < w ends (-1: it begins by itself): its rows attend to that
    // one's, and to those that that one follows, as if they were its own. Several windows may continue one.
    // Throws InvalidArgument for another shape or order.
    Batch(std::vector<std::int64_t> window_rows, std::span<const std::int64_t> continued);

    std::int64_t rows() const { return first_rows_.back(); }
    std::int64_t windows() const { return static_cast<std::int64_t>(window_rows_.size()); }
    std::int64_t window_rows(std::int64_t window) const {
        return window_rows_[static_cast<std::size_t>(window)];
    }
    std::int64_t window_first_row(std::int64_t window) const {
        return first_rows_[static_cast<std::size_t>(window)];
    }

    // Does any window continue another?
    bool has_continued() const { return !rows_before_.empty(); }
    // The rows that a window's own ones follow, by their positions; none where it begins by itself.
    std::span<const std::int64_t> rows_before(std::int64_t window) const {
        return has_continued() ? rows_before_[static_cast<std::size_t>(window)]
                               : std::span<const std::int64_t>();
    }
    // Positions up to a window's end, those of the rows before it included.
    std::int64_t positions(std::int64_t window) const {
        return static_cast<std::int64_t>(rows_before(window).size()) + window_rows(window);
    }

  private:
    std::vector<std::int64_t> window_rows_;
    std::vector<std::int64_t> first_rows_;  // one more than windows: the last is the number of rows
    std::vector<std::vector<std::int64_t>> rows_before_;  // by window; empty where none continues another
};

}  // namespace assay::compute
