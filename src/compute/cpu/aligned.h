// Aligned float buffers; large ones ask for huge pages.
#pragma once

#include <cstdint>
#include <memory>

namespace assay::compute {

struct AlignedFree {
    void operator()(float* p) const;
};
using AlignedFloats = std::unique_ptr<float[], AlignedFree>;

// Room for n floats, uninitialised, aligned to 64 bytes. From 2 MiB on aligned to and advised for huge pages:
// products walk several such buffers at once, and 4 KiB pages overflow the processor's table of translations.
AlignedFloats aligned_floats(std::int64_t n);

}  // namespace assay::compute
