// What one linear's input or output looks like over all windows: sums that grow window by window.
#pragma once

#include <cstdint>
#include <vector>

#include "base/part_cache.h"
#include "compute/backend.h"
#include "stats/power_sums.h"

namespace assay {

// A channel is an outlier where its max |x| exceeds so many times the mean of all channels' max |x|
// (Dettmers et al. 2022, section 3, call emergent features of magnitude 6 outliers; relative here, so that it
// holds for any scale).
inline constexpr double kOutlierChannelFactor = 6;
// A token is massive in a window where its largest |x| is at least so many times the window's mean |x| (Sun
// et al. 2024, section 2, ask for 1000 times the median of the residual stream).
inline constexpr double kMassiveRatio = 100;
// A channel belongs to a token in a window where that token has more than this share of its energy.
inline constexpr double kTokenShare = 0.5;
// Windows of fewer rows (an expert may get few) say nothing of channels that persist.
inline constexpr std::int64_t kLeastRows = 16;
inline constexpr std::size_t kKeptTokens = 8;

struct MassiveToken {
    std::int64_t window = 0;
    std::int64_t position = 0;  // in the window
    std::int64_t channel = 0;
    double value = 0;

    bool operator==(const MassiveToken&) const = default;
};

struct TensorActivations {
    explicit TensorActivations(std::int64_t channels = 0);

    // Adds a window; returns those of its rows that are massive. Windows must come in their order.
    std::vector<std::int64_t> add(const compute::ActivationSums& window);

    // Whether a token of this |x| is among the kKeptTokens largest so far.
    bool is_large(double magnitude) const;
    void keep(const MassiveToken& token);

    std::int64_t rows() const;

    PowerSums sums;  // of all elements
    double magnitudes = 0;
    std::vector<float> channel_max;             // [channels]
    std::vector<double> channel_energy;         // [channels]: Σ x²
    std::int64_t windows = 0;                   // of at least kLeastRows rows; of these, for each channel:
    std::vector<std::int32_t> outlier_windows;  // those in which it is an outlier among the window's channels
    std::vector<std::int32_t> token_windows;    // those of them in which it belongs to a token
    std::int64_t massive_tokens = 0, massive_windows = 0;
    std::int64_t massive_first_tokens = 0;  // those at position 0; the caller counts them
    std::vector<MassiveToken> largest;      // of the massive tokens, by |value|; the first on ties

    bool operator==(const TensorActivations&) const = default;
};

// The sums as plain numbers, for PartCache, and back. Throws FormatError for numbers of another tensor.
void append_numbers(const TensorActivations& tensor, std::vector<double>& numbers);
void read_numbers(NumberReader& numbers, TensorActivations& tensor);

}  // namespace assay
