// Rotary tables: cosines and sines of every position.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "tensor/matrix.h"

namespace assay {

// Frequencies f_i = theta^(-2i/d), i < d/2, d = rope.dimensions, after scaling (linear: f/factor; llama3: by
// wavelength bands, interpolated between; yarn: from f at high to f/factor at low frequencies, by a linear
// ramp (Peng et al. 2023, eq. 23); divisors: f/divisor), rounded to f32 as transformers and llama.cpp hold
// them. Unit: radians per position.
std::vector<float> rope_frequencies(const RopeConfig& rope);

struct RopeTables {
    Matrix<float> cosines;  // [positions, dimensions / 2], times the attention factor
    Matrix<float> sines;
};

// cos and sin of f32(position · f_i): the angle is rounded to f32 because that is what deployed runtimes
// compute.
RopeTables rope_tables(const RopeConfig& rope, std::int64_t positions);

// The rotations of windows of up to `positions`, by the windows' length: longrope has other divisors for
// windows longer than original_max_positions, all others are the same for any length.
struct RopeVariant {
    std::int64_t max_positions = 0;
    RopeConfig rope;
};
std::vector<RopeVariant> rope_variants(const RopeConfig& rope, std::int64_t positions);

}  // namespace assay
