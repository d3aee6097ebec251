#include "quantize/rtn.h"

#include <variant>

#include "base/error.h"
#include "number/intk.h"

namespace assay {

void rtn(MatrixView<const float> w, const NumberFormat& format, MatrixView<float> dequantized,
         ThreadPool& pool) {
    if (w.rows() != dequantized.rows() || w.cols() != dequantized.cols()) {
        throw InvalidArgument("rtn: the output must have the shape of the weights");
    }
    std::visit([&](const auto& family) { round_to_nearest(w, family, dequantized, pool); }, format);
}

}  // namespace assay
