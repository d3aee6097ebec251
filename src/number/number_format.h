// Number formats: how the weights of a matrix are stored. One type a family; here all of them as one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "number/fp8.h"
#include "number/int_format.h"
#include "number/mx.h"
#include "number/nvfp4.h"

namespace assay {

// Every family has the same functions: parse_X_format, to_string, group_layout, storage_size, encode_X,
// decode_X and round_to_nearest (integers: number/intk.h).
using NumberFormat = std::variant<IntFormat, Fp8Format, MxFormat, Nvfp4Format>;

// Reads the text of any family: int4-g128, int8-sym-channel(scale=bf16), fp8-e4m3, mxfp4, nvfp4, …
// Throws InvalidArgument for any other text; the error gives valid examples.
NumberFormat parse_number_format(std::string_view text);

// The one canonical text; parse_number_format(to_string(f)) == f. Throws InvalidArgument for a format that
// cannot be, such as one of 9 bits.
std::string to_string(const NumberFormat& format);

// Counts codes, scales and zero points exactly. A ragged last group has its own scale and zero point, and
// codes for the columns it has. Padding of a file's words and tables of column order belong to the file
// format and are not counted here. Throws InvalidArgument for a negative dimension or an impossible format.
FormatSize storage_size(const NumberFormat& format, std::int64_t out, std::int64_t in);

// Whether each row is rounded by itself: no scale serves several rows. Then rounding some rows of a matrix
// gives these rows of the rounded matrix.
bool rows_are_independent(const NumberFormat& format);

}  // namespace assay
