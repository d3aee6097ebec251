// The random numbers that labels are drawn with.
#pragma once

#include <cstdint>
#include <vector>

#include "model/token_chunks.h"

namespace assay {

// One number in [0, 1) for each scored position of the chunk, by its window's own stream: window w of the
// chunk is window first_window + w of its measurement.
std::vector<double> label_uniforms(const TokenChunk& chunk, std::uint64_t seed, std::int64_t first_window);

}  // namespace assay
