// Some rows of a weight, column after column in the order of an input's factor, on their way through it.
#pragma once

#include <cstdint>
#include <functional>

#include "quantize/input_factor.h"

namespace assay {

// Column k holds what is rounded there (from when it is loaded on), and after it is rounded, its error.
class RowPanel {
  public:
    static constexpr std::int64_t kRows = 64;  // at most

    explicit RowPanel(const InputFactor& factor) : factor_(factor), columns_(factor.feedback.size(), kRows) {}

    // The numbers of the panel's rows; past the last row 0.
    double* column(std::int64_t k) { return columns_.row(k).data(); }

    // Adds to each column k of [first, end), all in one tile, Σ_j error_j f_jk over the columns j of
    // [error_first, error_end), which come before them.
    void feed_back(std::int64_t error_first, std::int64_t error_end, std::int64_t first, std::int64_t end);

    // Σ_k m_kk² Σ_rows (e_k + Σ_{j<k} e_j f_jk)² of all columns as errors.
    double weighted_square();

  private:
    const InputFactor& factor_;
    Matrix<double> columns_;  // [in, kRows]
};

// Calls work(first row, rows) for panels of at most RowPanel::kRows of `rows` rows, in parallel, and adds up
// what they return in the order of the rows.
double sum_over_panels(std::int64_t rows, ThreadPool& pool,
                       const std::function<double(std::int64_t first, std::int64_t rows)>& work);

}  // namespace assay
