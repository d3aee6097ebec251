// Rotary tables: cosines and sines of every position.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "tensor/matrix.h"

namespace assay {

// Frequencies f_i = theta^(-2i/d), i < d/2, after scaling (linear: f/factor; llama3: by wavelength bands,
// interpolated between; divisors: f/divisor), rounded to f32 as transformers and llama.cpp hold them. Unit:
// radians per position.
std::vector<float> rope_frequencies(const RopeConfig& rope, std::int64_t head_dim);

struct RopeTables {
    Matrix<float> cosines;  // [positions, head_dim / 2]
    Matrix<float> sines;
};

// cos and sin of f32(position · f_i): the angle is rounded to f32 because that is what deployed runtimes
// compute.
RopeTables rope_tables(const RopeConfig& rope, std::int64_t head_dim, std::int64_t positions);

}  // namespace assay
