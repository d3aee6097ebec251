#include "number/tile.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace assay {

std::string to_string(const Tile& tile) {
    check_tile(tile);
    if (tile == kChannelTile) return "-channel";
    if (tile == kTensorTile) return "-tensor";
    if (tile.rows == 1) return "-g" + std::to_string(tile.columns);
    return "-b" + std::to_string(tile.rows) + "x" + std::to_string(tile.columns);
}

void check_tile(const Tile& tile) {
    if (tile == kChannelTile || tile == kTensorTile || (tile.rows > 0 && tile.columns > 0)) return;
    throw InvalidArgument("a scale for " + std::to_string(tile.rows) + " rows by " +
                          std::to_string(tile.columns) +
                          " columns: both must be positive, or the columns 0 (a whole row), or both 0 (the "
                          "whole matrix)");
}

GroupLayout layout_of(const Tile& tile, std::int64_t out, std::int64_t in) {
    check_tile(tile);
    if (out < 0 || in < 0) {
        throw InvalidArgument("matrix dimensions [" + std::to_string(out) + ", " + std::to_string(in) +
                              "] are negative");
    }
    if (out == 0 || in == 0) return {};
    const std::int64_t height = tile.rows == 0 ? out : std::min(out, tile.rows),
                       columns = tile.columns == 0 ? in : std::min(in, tile.columns);
    return {.rows = ceil_div(out, height),
            .per_row = ceil_div(in, columns),
            .height = height,
            .columns = columns};
}

double FormatSize::effective_bits() const {
    return elements == 0 ? 0.0 : static_cast<double>(total_bits()) / static_cast<double>(elements);
}

FormatSize size_of(const Tile& tile, const UnitBits& bits, std::int64_t out, std::int64_t in) {
    const GroupLayout layout = layout_of(tile, out, in);
    const std::int64_t scales = layout.rows * layout.per_row;
    const std::int64_t elements = layout.columns == 0 ? 0 : out * in;
    return {.elements = elements,
            .code_bits = elements * bits.code,
            .scale_bits = scales * bits.scale,
            .zero_bits = scales * bits.zero};
}

}  // namespace assay
