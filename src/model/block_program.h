// A decoder block as data: a short list of operations over named slots. Architectures build it; the pass runs
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compute/backend.h"

namespace assay {

enum class BlockOpKind {
    kRmsNorm,    // x
    kLinear,     // x
    kAttention,  // q, k, v
    kGated,      // gate, up
    kRoute,      // router logits -> a routing
    kGather,     // x, routing: the rows of one expert
    kCombine,    // routing, each expert's output
    kAddGated,   // x, gate [rows, 1]
};

// Columns [first, first + cols) of a slot; cols 0: all of it.
struct SlotPart {
    SlotPart(int whole) : slot(whole) {}
    SlotPart(int which, std::int64_t first_column, std::int64_t columns)
        : slot(which), first(first_column), cols(columns) {}

    int slot;
    std::int64_t first = 0;
    std::int64_t cols = 0;
};

struct BlockOp {
    BlockOpKind kind = BlockOpKind::kLinear;
    std::vector<SlotPart> inputs;  // as the kind's comment lists them
    int output = 0;                // slot
    std::string weight;            // norm, linear: name within the block: "self_attn.q_proj"
    std::int64_t norm_cols = 0;    // norm: columns that are normalised together
    bool bias = false;             // linear
    bool router = false;           // linear: chooses experts; runtimes never quantize it
    int residual = -1;             // norm, linear, combine, add gated: slot that is added, or none
    int routing = -1;              // slot of the routing whose rows the operation works on; none: all rows
    std::size_t expert = 0;        // of that routing
};

// Slots hold [rows, cols], or a routing; each is written by one operation only, so a fork may recompute just
// what its swap changes.
struct BlockProgram {
    std::vector<std::int64_t> slot_cols;
    std::vector<BlockOp> ops;  // in an order in which inputs come before their users
    int input = 0;             // slot of the residual stream before the block
    int output = 0;            // slot of the residual stream after it
    std::int64_t window = 0;   // of its attention, as LayerConfig says, and the next
    bool local_rope = false;
    compute::Activation activation = compute::Activation::kSilu;
    compute::RouteSpec route;

    // Slot of the experts' routing; none in blocks without experts.
    std::optional<int> routing() const {
        for (const BlockOp& op : ops) {
            if (op.kind == BlockOpKind::kRoute) return op.output;
        }
        return std::nullopt;
    }
};

}  // namespace assay
