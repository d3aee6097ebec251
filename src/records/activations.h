// The result of `assay activations`: what goes into each linear and comes out of it; the output layer and the
// embedding among them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct ActivationOutlier {
    std::int64_t channel = 0;
    double max = 0;                  // max |x|
    double energy_share = 0;         // Σ x² of the channel / Σ x² of all
    std::int64_t windows = 0;        // in which it is an outlier among that window's channels
    std::int64_t token_windows = 0;  // of these, in which one token has more than half of its energy

    bool operator==(const ActivationOutlier&) const = default;
};

// A token whose largest |x| is at least 100 times its window's mean |x|.
struct MassiveActivation {
    std::int64_t window = 0;
    std::int64_t position = 0;  // in the window, from 0
    std::int64_t channel = 0;
    double value = 0;

    bool operator==(const MassiveActivation&) const = default;
};

// One side of a linear, x [rows, channels] over all windows. The output layer's input is what the last norm
// gives, its output the logits before any softcap; the embedding's output is the residual stream before the
// first block (scaled, where the model scales it).
struct ActivationSide {
    std::int64_t rows = 0;
    std::int64_t channels = 0;
    double max = 0;  // max |x|
    double mean_abs = 0;
    double mean = 0;
    double std = 0;                  // divided by n, not n - 1
    std::optional<double> kurtosis;  // mean (x - mean)⁴ / std⁴, 3 for Gaussian numbers; none for constants
    std::optional<double> ratio;     // max / mean_abs; none where all is 0
    double mean_channel_max = 0;     // mean over channels of c_k = max |x| of channel k
    std::int64_t outlier_channels = 0;     // those with c_k > 6 · mean_channel_max
    double outlier_energy_share = 0;       // of Σ x²
    std::int64_t persistent_channels = 0;  // outliers among the channels in more than half of the windows
    std::int64_t windows = 0;              // with rows enough to tell: at least 16
    std::optional<double> f16_headroom;    // 65504 / max: f16 overflows below 1; none where all is 0
    std::int64_t massive_tokens = 0;
    std::int64_t massive_windows = 0;         // that have some
    std::int64_t massive_first_tokens = 0;    // of them at position 0
    std::vector<ActivationOutlier> outliers;  // outliers of all windows or persistent, by max; at most 8
    std::vector<MassiveActivation> massive;   // by |value|, at most 8
    // max_mean_ratio, persistent_channels, massive_tokens, f16_overflow, f16_close
    std::vector<std::string> alerts;
    // max |x| of each of at most 64 runs of ceil(channels / 64) channels; empty for experts and where the
    // input is another linear's as well, which has it.
    std::vector<double> map;

    bool operator==(const ActivationSide&) const = default;
};

struct ActivationsLinear {
    std::string name;
    std::int64_t block = 0;  // -1: the embedding or the output layer
    std::string projection;
    std::optional<std::string> shares_input_with;  // the first linear that reads the same values
    std::optional<ActivationSide> input;           // none of an embedding: it reads token ids
    ActivationSide output;                         // x wᵀ + bias, without a residual
    // Of an embedding that is the output layer, too: what it gives as the embedding; input and output are
    // then those of the output layer.
    std::optional<ActivationSide> embedding;

    bool operator==(const ActivationsLinear&) const = default;
};

struct ActivationsResult {
    std::int64_t windows = 0;
    std::int64_t tokens = 0;
    std::vector<ActivationsLinear> linears;  // in model order

    bool operator==(const ActivationsResult&) const = default;
};

}  // namespace assay
