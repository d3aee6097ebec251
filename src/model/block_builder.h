// Builds block programs: each call adds an operation and returns the slot of its result.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/block_program.h"
#include "model/config.h"

namespace assay {

class BlockBuilder {
  public:
    // Slot 0 is the block's input.
    BlockBuilder(const ModelConfig& config, std::int64_t layer);

    int input() const { return 0; }

    // RMSNorm over all columns of x, or over runs of `cols` of them; + residual where given.
    int norm(int x, const std::string& weight, int residual = -1);
    int head_norm(int x, const std::string& weight, std::int64_t cols);

    int linear(int x, const std::string& weight, std::int64_t out, bool bias = false, int residual = -1);

    // Attention of the model's heads over q, k, v.
    int attention(const SlotPart& q, const SlotPart& k, const SlotPart& v);

    // activation(gate) · up, `cols` wide.
    int gated(const SlotPart& gate, const SlotPart& up, std::int64_t cols);

    // gate_proj, up_proj, the activation and down_proj under `prefix`; + residual where given.
    int mlp(int x, const std::string& prefix, std::int64_t intermediate, bool bias, int residual = -1);

    // Names of an expert's three linears.
    struct ExpertNames {
        const char* gate;
        const char* up;
        const char* down;
    };
    // residual + the experts' outputs: router PREFIX.gate, experts PREFIX.experts.E.NAME, with the weights of
    // ModelConfig::experts; and the shared expert PREFIX.shared_expert with its gate where the model has one.
    int experts(int x, const std::string& prefix, const ExpertNames& names, int residual);

    BlockProgram finish(int output);

  private:
    int add(BlockOp op, std::int64_t cols);
    std::int64_t cols(int slot) const { return program_.slot_cols[static_cast<std::size_t>(slot)]; }

    const ModelConfig& config_;
    BlockProgram program_;
};

}  // namespace assay
