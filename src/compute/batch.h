// The rows of a chunk of tokens: whole windows one after another, cut into the fixed tiles in which
// operations run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay::compute {

// A run of rows of one window; the unit of parallel work.
struct Tile {
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
};

// Tiles depend on each window's own length only, never on its neighbours, the chunk or the thread count: so a
// row's result is the same bits wherever its window is computed.
class Batch {
  public:
    static constexpr std::int64_t kTileRows = 256;

    // A window may have no rows: an expert gets none of some windows. Throws InvalidArgument for negative
    // ones.
    explicit Batch(std::vector<std::int64_t> window_rows);

    std::int64_t rows() const { return first_rows_.back(); }
    std::int64_t windows() const { return static_cast<std::int64_t>(window_rows_.size()); }
    std::int64_t window_rows(std::int64_t window) const {
        return window_rows_[static_cast<std::size_t>(window)];
    }
    std::int64_t window_first_row(std::int64_t window) const {
        return first_rows_[static_cast<std::size_t>(window)];
    }
    std::span<const Tile> tiles() const { return tiles_; }

  private:
    std::vector<std::int64_t> window_rows_;
    std::vector<std::int64_t> first_rows_;  // one more than windows: the last is the number of rows
    std::vector<Tile> tiles_;
};

}  // namespace assay::compute
