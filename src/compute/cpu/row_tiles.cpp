#include "compute/cpu/row_tiles.h"

#include <algorithm>

#include "base/checked.h"

namespace assay::compute {
namespace {

constexpr std::int64_t kRowStep = 8;  // products take rows by so many

}  // namespace

std::vector<Tile> row_tiles(std::int64_t rows, int threads) {
    const std::int64_t rounds = ceil_div(ceil_div(rows, Batch::kTileRows), std::int64_t{threads});
    const std::int64_t even = ceil_div(rows, std::max<std::int64_t>(1, rounds * threads));
    const std::int64_t step = std::max(kLeastTileRows, ceil_div(even, kRowStep) * kRowStep);
    std::vector<Tile> tiles;
    for (std::int64_t row = 0; row < rows; row += step) tiles.push_back({row, std::min(step, rows - row)});
    return tiles;
}

}  // namespace assay::compute
