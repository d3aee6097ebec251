// Which linears get the larger of two formats, under a budget: the simplest rule that is right for
// independent damages.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay {

// One linear in either format.
struct FormatChoice {
    double damage_small = 0, damage_large = 0;  // nats per token
    std::int64_t bytes_small = 0, bytes_large = 0;
};

// Those that get the larger format: by damage taken away per byte, the most first, each that still fits into
// `budget` bytes for all linears together. None where the larger one does not take damage away. Of equal ones
// the earlier first.
std::vector<bool> allocate_larger(std::span<const FormatChoice> linears, std::int64_t budget);

}  // namespace assay
