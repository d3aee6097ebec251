// The result of `assay blame`: which tensors of another checkpoint of a model cause its damage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "records/perplexity.h"
#include "records/sensitivity.h"

namespace assay {

// A tensor in which the two models differ.
struct TensorDifference {
    std::string name;                      // as in Hugging Face, with its suffix
    std::string type;                      // as the other model stores it
    std::optional<double> relative_error;  // ‖Q - W‖ / ‖W‖; none for W = 0

    bool operator==(const TensorDifference&) const = default;
};

// The linears of one decoder block together.
struct BlockDamage {
    std::int64_t block = 0;
    double kl = 0;               // sum over its linears, each changed alone, nats per token
    double share_of_damage = 0;  // of the sum over all linears

    bool operator==(const BlockDamage&) const = default;
};

struct BlameResult {
    std::string reference;          // path
    PerplexityResult total;         // the other model beside the reference
    SensitivityResult sensitivity;  // each linear of the reference replaced by the other model's, alone
    double linears_kl = 0;          // Σ kl of these linears
    std::vector<BlockDamage> blocks;
    std::vector<TensorDifference> differences;  // of linears, embedding and head
    // Norms and biases that differ, numbers of the config that do, in words, and the reference with these
    // alone; none where there are none.
    std::vector<TensorDifference> other_differences;
    std::vector<std::string> config_differences;
    std::optional<PerplexityResult> others;

    bool operator==(const BlameResult&) const = default;
};

}  // namespace assay
