// Which weights of a matrix share one scale, and the sizes that follow from it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace assay {

// The weights of one scale (and zero point): so many rows and columns of a matrix [out, in], the last ones of
// a row or column fewer. 0 means all that the matrix has.
struct Tile {
    std::int64_t rows = 1;
    std::int64_t columns = 0;

    auto operator<=>(const Tile&) const = default;
};

inline constexpr Tile kChannelTile{1, 0};  // one output row
inline constexpr Tile kTensorTile{0, 0};   // the whole matrix
// `columns` consecutive weights of one row: a group along the input dimension.
constexpr Tile group_tile(std::int64_t columns) {
    return {1, columns};
}

// -channel, -tensor, -gN (one row) or -bRxC. Throws InvalidArgument as check_tile.
std::string to_string(const Tile& tile);

// Throws InvalidArgument for negative sizes, and for 0 columns with several rows or 0 rows with some columns.
void check_tile(const Tile& tile);

// How the scales of a matrix lie: as a matrix [rows, per_row], each for `height` rows and `columns` columns
// or what is left of them. All zero for a matrix without elements.
struct GroupLayout {
    std::int64_t rows = 0;
    std::int64_t per_row = 0;
    std::int64_t height = 0;
    std::int64_t columns = 0;
};

// rows = ceil(out / tile.rows), per_row = ceil(in / tile.columns). Throws InvalidArgument for a negative
// dimension, or as check_tile.
GroupLayout layout_of(const Tile& tile, std::int64_t out, std::int64_t in);

// What storing a matrix takes, in bits.
struct FormatSize {
    std::int64_t elements = 0;
    std::int64_t code_bits = 0;
    std::int64_t scale_bits = 0;
    std::int64_t zero_bits = 0;

    std::int64_t total_bits() const { return code_bits + scale_bits + zero_bits; }
    // Rounded up to whole bytes once, for the whole matrix.
    std::int64_t total_bytes() const { return (total_bits() + 7) / 8; }
    // Bits a weight, all counted; 0 for a matrix without elements.
    double effective_bits() const;
};

// Bits of a code, of a scale and of its zero point.
struct UnitBits {
    int code = 0;
    int scale = 0;
    int zero = 0;
};

// total = code·out·in + scales·(scale + zero), scales = layout.rows·layout.per_row. Throws as layout_of.
FormatSize size_of(const Tile& tile, const UnitBits& bits, std::int64_t out, std::int64_t in);

}  // namespace assay
