// The integer number formats: int4-g128, int4-sym-g64, int8-channel, int4-g64(scale=f32).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "number/format_text.h"
#include "number/scale_type.h"
#include "number/tile.h"

namespace assay {

// A uniform integer grid with `bits` bits a weight. Asymmetric formats store a zero point for each scale;
// symmetric ones imply 2^(bits-1).
struct IntFormat {
    int bits = 4;  // 2 to 8
    bool symmetric = false;
    Tile tile = group_tile(128);
    ScaleType scale = ScaleType::kF16;

    // Highest code, 2^bits - 1.
    int top() const { return (1 << bits) - 1; }

    auto operator<=>(const IntFormat&) const = default;
};

// Reads intB[-sym]-(gN|bRxC|channel|tensor)[(scale=f16|bf16|f32)], B from 2 to 8; the scale is f16 where not
// given. None where the text does not begin with 'int'. Throws InvalidArgument for what is wrong behind it.
std::optional<IntFormat> parse_int_format(FormatText& text);

// The one canonical text. Throws InvalidArgument as check_format.
std::string to_string(const IntFormat& format);

// Throws InvalidArgument for bits outside 2 to 8 or an impossible tile.
void check_format(const IntFormat& format);

// Where the scales lie. Throws InvalidArgument as check_format, and for a negative dimension.
GroupLayout group_layout(const IntFormat& format, std::int64_t out, std::int64_t in);

// total = bits·out·in + scales·(scale bits + (symmetric ? 0 : bits)). Example: int4-g128 takes 4.15625 bits a
// weight, int4-g32 4.625. Throws as group_layout.
FormatSize storage_size(const IntFormat& format, std::int64_t out, std::int64_t in);

}  // namespace assay
