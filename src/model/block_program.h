// A decoder block as data: a short list of operations over named slots. Architectures build it; the pass runs
// it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

enum class BlockOpKind { kRmsNorm, kLinear, kAttention, kGatedSilu };

struct BlockOp {
    BlockOpKind kind = BlockOpKind::kLinear;
    std::vector<int> inputs;  // slots: norm, linear: x; attention: q, k, v; gated: gate, up
    int output = 0;           // slot
    std::string weight;       // norm, linear: name within the block: "self_attn.q_proj"
    bool bias = false;        // linear
    int residual = -1;        // linear: slot that is added, or none
};

// Slots hold [rows, cols]; each is written by one operation only, so a fork may recompute just what its swap
// changes.
struct BlockProgram {
    std::vector<std::int64_t> slot_cols;
    std::vector<BlockOp> ops;  // in an order in which inputs come before their users
    int input = 0;             // slot of the residual stream before the block
    int output = 0;            // slot of the residual stream after it
};

}  // namespace assay
