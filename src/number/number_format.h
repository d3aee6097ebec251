// Integer number formats: their names, and the exact size of a matrix stored in one.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

// Which weights share one scale (and zero point). Groups run along the input dimension of [out, in].
enum class Granularity : std::uint8_t {
    kGroup,    // group_size consecutive columns of one row; the last group of a row may be shorter
    kChannel,  // one output row
    kTensor,   // the whole matrix
};

enum class ScaleType : std::uint8_t { kF16, kF32 };

// A uniform integer grid with `bits` bits a weight: int4-g128, int4-sym-g64, int8-channel,
// int4-g64(scale=f32). Asymmetric formats store a zero point for each scale; symmetric ones imply 2^(bits-1).
struct NumberFormat {
    int bits = 4;  // 2 to 8
    bool symmetric = false;
    Granularity granularity = Granularity::kGroup;
    std::int64_t group_size = 128;  // with kGroup any positive number, else 0
    ScaleType scale = ScaleType::kF16;

    // Highest code, 2^bits - 1.
    int top() const { return (1 << bits) - 1; }

    auto operator<=>(const NumberFormat&) const = default;
};

// Reads intB[-sym]-(gN|channel|tensor)[(scale=f16|f32)], B from 2 to 8, N positive; the scale is f16 where
// not given. Throws InvalidArgument for any other text; the error gives valid examples.
NumberFormat parse_number_format(std::string_view text);

// The one canonical text; parse_number_format(to_string(f)) == f. Throws InvalidArgument as
// check_number_format.
std::string to_string(const NumberFormat& format);

// Throws InvalidArgument for bits outside 2 to 8 or a group size that does not fit the granularity.
void check_number_format(const NumberFormat& format);

// How the scales of a matrix [out, in] lie: as a matrix [rows, per_row], each for `columns` columns or what
// is left of the row. All zero for a matrix without elements.
struct GroupLayout {
    std::int64_t rows = 0;  // out, or 1 with kTensor
    std::int64_t per_row = 0;
    std::int64_t columns = 0;
};

// Throws InvalidArgument for a negative dimension or an impossible format.
GroupLayout group_layout(const NumberFormat& format, std::int64_t out, std::int64_t in);

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

// Counts `bits` for each weight, 16 or 32 for each scale, and `bits` for each zero point of an asymmetric
// format:
//   total = bits·out·in + scales·(scale bits + (symmetric ? 0 : bits)),  scales = out·ceil(in / group_size)
// with group_size = in for channels and one scale for a whole tensor. A ragged last group has its own scale
// and zero point, and codes for the columns it has. Padding of a file's words and tables of column order
// belong to the file format and are not counted here.
// Example: int4-g128 takes 4.15625 bits a weight, int4-g32 4.625.
// Throws: InvalidArgument as group_layout.
FormatSize storage_size(const NumberFormat& format, std::int64_t out, std::int64_t in);

}  // namespace assay
