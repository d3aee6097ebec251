// Sums over a block of scored positions: what every mean, difference and interval is computed from.
#pragma once

#include <cstdint>

namespace assay {

// Up to 64 consecutive scored positions of one window; nll and kl in nats. Blocks are what the bootstrap
// resamples: long enough that neighbouring tokens' dependence stays mostly inside, many enough for an
// interval from a few windows.
struct BlockSums {
    std::int64_t window = 0;
    std::int64_t tokens = 0;
    double nll_sum = 0;     // sum of -ln p(token)
    double kl_sum = 0;      // sum of KL(reference || this run); 0 for the reference itself
    std::int64_t top1 = 0;  // positions where both runs rank the same token first

    bool operator==(const BlockSums&) const = default;
};

inline constexpr std::int64_t kBlockPositions = 64;

}  // namespace assay
