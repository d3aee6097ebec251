// Weights as the codes that a product of 8-bit numbers takes.
#pragma once

#include <vector>

#include "base/parallel.h"
#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

struct CodedWeight {
    Matrix<float> codes;        // [out, in]: integers, 0 in the middle, or numbers of E4M3
    std::vector<float> scales;  // [out]: code · scale is the weight
};

// Round to nearest, as rtn(): codes times scales are its numbers, bit for bit. For symmetric integers and fp8
// with one scale a row or matrix. Throws NumericError for NaN, Inf or a scale that overflows, InvalidArgument
// for another format.
CodedWeight code_rows(MatrixView<const float> w, const NumberFormat& format, ThreadPool& pool);

}  // namespace assay
