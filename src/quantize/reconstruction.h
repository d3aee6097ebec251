// How far dequantized weights are from the original ones.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/parallel.h"
#include "tensor/matrix.h"

namespace assay {

// E = w - dequantized, each difference rounded to float32; sums in double. Unit: that of the weights where
// not said.
struct ReconstructionError {
    double frobenius = 0;  // ‖E‖_F = sqrt(Σ E²)
    double relative = 0;   // ‖E‖_F / ‖w‖_F; 0 for E = 0; infinite for w = 0 and E ≠ 0
    double max_abs = 0;    // max |E|
    double mean_abs = 0;   // mean |E|
    // Signal to quantization noise, 10·log10(‖w‖² / ‖E‖²), in decibels. None where E = 0 (it would be
    // infinite).
    std::optional<double> sqnr_db;
};

// The sums behind it.
struct ErrorTotals {
    double error2 = 0;     // Σ E²
    double weight2 = 0;    // Σ w²
    double abs_error = 0;  // Σ |E|
    double max_abs = 0;    // max |E|
    std::int64_t count = 0;

    // Adds a row. Shape: w, dequantized [in].
    void add_row(std::span<const float> w, std::span<const float> dequantized);
    void merge(const ErrorTotals& other);
};

// All zero without elements. Throws NumericError where an element was NaN or infinite.
ReconstructionError error_of(const ErrorTotals& totals);

// Sums over fixed chunks of rows, in order: the same bits for any number of threads. All zero without
// elements.
// Shape: w, dequantized [out, in].
// Throws: InvalidArgument where the shapes differ, NumericError for NaN or Inf.
// Source: SQNR as in Lin et al. 2016, "Fixed Point Quantization of Deep Convolutional Networks".
ReconstructionError reconstruction_error(MatrixView<const float> w, MatrixView<const float> dequantized,
                                         ThreadPool& pool);

}  // namespace assay
