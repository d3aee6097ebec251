// What may be wrong with calibration windows, counted and said in words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/calibration.h"

namespace assay {

using TokenRows = std::span<const std::vector<std::int32_t>>;

// n-grams are runs of n tokens, compared by 64-bit hashes.
inline constexpr std::int64_t kRepeatedGram = 8;    // within a window
inline constexpr std::int64_t kSharedGram = 16;     // with another text
inline constexpr double kMostRepeated = 0.5;        // a window above it is repetitive
inline constexpr double kMostOfOneToken = 1.0 / 3;  // a window above it is degenerate
inline constexpr double kMostShared = 0.2;          // with windows before it: a near duplicate
inline constexpr double kMostOverlap = 0.01;        // with the evaluation text

struct CalibrationFaults {
    double repeated_share = 0;  // of all 8-grams, those that their window had before
    double overlap_share = 0;   // of all 16-grams, those that the evaluation text has
    std::int64_t repetitive_windows = 0;
    std::int64_t degenerate_windows = 0;  // one token makes up most of it
    std::int64_t duplicate_windows = 0;   // near duplicates of windows before them
    std::int64_t overlapping_windows = 0;
};

// Above some million tokens, of 16-grams only a share chosen by their hashes is looked at.
CalibrationFaults look_for_faults(TokenRows windows, std::span<const std::int32_t> evaluation);

struct CalibrationWarning {
    std::string kind;
    std::string text;
};

struct CalibrationExpectations {
    SamplingOptions asked;
    std::int64_t least_tokens = 0;  // that statistics of the model's widest input need; 0: any number
    std::string evaluation;         // the text's name
    std::string unused_bos;         // the token that begins texts but is not put there; empty: none
};

// Kinds: too_few_samples, too_few_tokens, short_documents, duplicates, repetitive, degenerate, overlap,
// no_bos.
std::vector<CalibrationWarning> calibration_warnings(const SampledWindows& sampled,
                                                     const CalibrationFaults& faults,
                                                     const CalibrationExpectations& expected);

}  // namespace assay
