// The rows of an operation whose rows do not depend on each other, cut into tasks.
#pragma once

#include <cstdint>
#include <vector>

#include "compute/batch.h"

namespace assay::compute {

// Tiles of about equal size, at most Batch::kTileRows rows, as many as keep all threads busy unless they get
// smaller than kLeastTileRows. No result may depend on the cut: a row's bits depend on that row alone.
std::vector<Tile> row_tiles(std::int64_t rows, int threads);

inline constexpr std::int64_t kLeastTileRows = 32;  // smaller ones would read the weights too often

}  // namespace assay::compute
