// The result of `assay predict`: what a measurement would take on this machine.
#pragma once

#include <cstdint>
#include <string>

namespace assay {

struct PredictResult {
    std::string measurement;  // "perplexity", "comparison", "sweep"
    std::int64_t parameters = 0;
    std::int64_t windows = 0;
    std::int64_t window_tokens = 0;
    double flops_per_token = 0;  // of one run: linears, attention and output layer
    double seconds = 0;
    double memory_bytes = 0;   // most that is held at once; its parts:
    double base_bytes = 0;     // the program itself
    double block_bytes = 0;    // one block's weights
    double chunk_bytes = 0;    // activations of one chunk of positions
    double state_bytes = 0;    // hidden states of one group of windows
    double head_bytes = 0;     // parts of the output layer
    double least_bytes = 0;    // with the smallest pieces: what --memory must allow at least
    double linear_gflops = 0;  // measured speeds, 1e9 operations per second
    double attention_gflops = 0;
    double head_gflops = 0;
    double load_gweights = 0;  // 1e9 weights converted and packed per second
    double disk_gib = 0;       // GiB per second; 0 where there are no weights to read

    bool operator==(const PredictResult&) const = default;
};

}  // namespace assay
