// GPTQ: rounds column after column, the later ones making up for the errors of the earlier ones.
#pragma once

#include <string>

#include "quantize/encoded_weight.h"
#include "quantize/input_factor.h"

namespace assay {

struct GptqOptions {
    // Grids of the weights as they are, in the format's own groups of columns. Else a group's grid is that of
    // its weights as they have become when its first column comes; with columns in another order than their
    // own, groups are of columns that come together (EncodedWeight::column_groups). Tiles of several rows and
    // whole rows have static grids always.
    bool static_groups = false;
    // Clipped grids: quantize/int_grids.h, with the columns' energy as importance.
    bool clip = false;
};

struct GptqResult {
    EncodedWeight weight;
    double error = 0;      // tr(E (H + λI) Eᵀ) of E = w - dequantized
    double rtn_error = 0;  // the same of round to nearest
    std::string fallback;  // why the codes are those of round to nearest; empty where they are not
};

// For k in the factor's order: q_k = round(w_k + Σ_{j<k} (w_j - q_j) f_jk) on the column's grid, in double
// but for the rounding itself (number/int_grid.h). With H = I that is round to nearest. Falls back to round
// to nearest where the factor failed, where a grid's scale overflows on the way, and where round to nearest
// has the smaller error. The same bits for any number of threads.
// Shape: w [out, in], the factor of the same in.
// Throws: NumericError as rtn(); InvalidArgument where shapes do not fit or the format cannot be.
// Source: Frantar et al. 2022, "GPTQ", algorithm 1; static groups and the order of columns: its authors'
// code.
GptqResult gptq(MatrixView<const float> w, const IntFormat& format, const InputFactor& factor,
                const GptqOptions& options, ThreadPool& pool);

}  // namespace assay
