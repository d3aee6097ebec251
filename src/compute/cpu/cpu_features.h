// What the processor, and the operating system with it, can do.
#pragma once

namespace assay::compute {

bool has_avx2();    // with FMA
bool has_avx512();  // F, BW, DQ, VL
bool has_avx512_bf16();
bool has_amx_bf16();  // asks the system for the tile registers

}  // namespace assay::compute
