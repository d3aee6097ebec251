// A symmetric matrix in double, of which only the lower triangle is kept, in tiles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/checked.h"

namespace assay::compute {

// Zero at first. Tiles are contiguous, row-major, and zero past the matrix's end.
class SymmetricMatrix {
  public:
    static constexpr std::int64_t kTile = 64;

    explicit SymmetricMatrix(std::int64_t size = 0)
        : size_(size), tiles_(static_cast<std::size_t>(index(ceil_div(size, kTile), 0))) {}

    std::int64_t size() const { return size_; }

    // Rows (and columns) of tiles, and how many of the last one's rows are the matrix's.
    std::int64_t tile_count() const { return ceil_div(size_, kTile); }
    std::int64_t tile_rows(std::int64_t i) const { return std::min(kTile, size_ - i * kTile); }

    // Rows [kTile·i, …), columns [kTile·j, …); j <= i. Of a tile on the diagonal only the lower half counts.
    double* tile(std::int64_t i, std::int64_t j) {
        return tiles_[static_cast<std::size_t>(index(i, j))].values;
    }
    const double* tile(std::int64_t i, std::int64_t j) const {
        return tiles_[static_cast<std::size_t>(index(i, j))].values;
    }

    double& operator()(std::int64_t r, std::int64_t c) {
        return r < c ? (*this)(c, r) : tile(r / kTile, c / kTile)[r % kTile * kTile + c % kTile];
    }
    double operator()(std::int64_t r, std::int64_t c) const {
        return r < c ? (*this)(c, r) : tile(r / kTile, c / kTile)[r % kTile * kTile + c % kTile];
    }

    // Bytes of one of this size.
    static std::int64_t bytes(std::int64_t size) {
        return index(ceil_div(size, kTile), 0) * static_cast<std::int64_t>(sizeof(Tile));
    }

  private:
    struct alignas(64) Tile {
        double values[kTile * kTile] = {};
    };

    static std::int64_t index(std::int64_t i, std::int64_t j) { return i * (i + 1) / 2 + j; }

    std::int64_t size_;
    std::vector<Tile> tiles_;
};

}  // namespace assay::compute
