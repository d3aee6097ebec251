// Products in double, one table per instruction set.
#pragma once

#include "compute/product_task.h"

namespace assay::compute {

struct DenseKernels {
    void (*add_product)(const ProductTask& task);
    void (*subtract_product)(const ProductTask& task);
};

extern const DenseKernels kAvx2Dense;
extern const DenseKernels kAvx512Dense;

}  // namespace assay::compute
