// Round to nearest: the method that looks at nothing but the weights.
#pragma once

#include "base/parallel.h"
#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

// What a runtime would compute with after w is rounded to nearest in `format`: dequantized =
// decode(encode(w)), bit for bit, without making the codes. The two may be the same matrix. Formulas at the
// encode functions of the families (number/intk.h, fp8.h, mx.h, nvfp4.h).
// Shape: w, dequantized [out, in].
// Throws: NumericError for NaN, Inf or a scale that overflows (row and column named); InvalidArgument where
// the shapes differ.
void rtn(MatrixView<const float> w, const NumberFormat& format, MatrixView<float> dequantized,
         ThreadPool& pool);

}  // namespace assay
