#include "quantize/rtn.h"

#include "base/error.h"
#include "number/int_grid.h"

namespace assay {

void rtn(MatrixView<const float> w, const NumberFormat& format, MatrixView<float> dequantized,
         ThreadPool& pool) {
    if (w.rows() != dequantized.rows() || w.cols() != dequantized.cols()) {
        throw InvalidArgument("rtn: the output must have the shape of the weights");
    }
    for_each_group(w, format, pool, [&](const IntGroup& group) {
        const IntGrid grid = group.grid;
        const float* in = &w(group.row, group.first_column);
        float* out = &dequantized(group.row, group.first_column);
        for (std::int64_t i = 0; i < group.columns; ++i) out[i] = grid.value(grid.code(in[i]));
    });
}

}  // namespace assay
