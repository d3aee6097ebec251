#include "compute/cpu/aligned.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace assay::compute {

void AlignedFree::operator()(float* p) const {
    std::free(p);
}

AlignedFloats aligned_floats(std::int64_t n) {
    constexpr std::size_t kHugePage = std::size_t{2} << 20, kLine = 64;
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(float);
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
    const std::size_t rounded = (bytes + kLine) / kLine * kLine;  // never empty
    void* p = nullptr;
    if (::posix_memalign(&p, alignment, rounded) != 0) throw std::bad_alloc();
    if (alignment == kHugePage) ::madvise(p, rounded, MADV_HUGEPAGE);  // advice: a refusal costs only speed
    return AlignedFloats(static_cast<float*>(p));
}

}  // namespace assay::compute
