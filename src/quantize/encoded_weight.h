// A weight as a method chose its codes: what is kept, and exported.
#pragma once

#include <cstdint>
#include <vector>

#include "number/intk.h"

namespace assay {

struct EncodedWeight {
    IntFormat format;
    IntEncoding encoding;
    // The group of each column, where columns were grouped in another order than the matrix has; empty:
    // column c is of group c / (columns of a group). GPTQ checkpoints call it g_idx.
    std::vector<std::int32_t> column_groups;
    // The codes are of W diag(column_scales), whose input is divided by them; empty: of W itself.
    std::vector<float> column_scales;
};

// out = (code - zero) · scale / column scale. Throws InvalidArgument where shapes, groups or column scales do
// not fit the format and out.
void decode(const EncodedWeight& weight, MatrixView<float> out, ThreadPool& pool);

}  // namespace assay
