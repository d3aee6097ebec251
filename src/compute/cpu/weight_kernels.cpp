#include "compute/cpu/weight_kernels.h"

#include "compute/cpu/cpu_features.h"

namespace assay::compute {

const WeightKernels& weight_kernels() {
    return has_avx512() ? kAvx512WeightKernels : kAvx2WeightKernels;
}

}  // namespace assay::compute
