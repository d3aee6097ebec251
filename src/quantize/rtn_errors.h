// The errors of rounding to nearest, without making the rounded matrix.
#pragma once

#include "number/int_format.h"
#include "quantize/grid_batch.h"
#include "quantize/reconstruction.h"
#include "quantize/row_scan.h"

namespace assay {

// What reconstruction_error() says of rtn() in an integer format whose scales serve one row each.
// Accuracy: 1e-6; weights at the middle between two numbers may round to the other one, which is as far.
// Throws: NumericError as int_grid().
class RtnErrorSums {
  public:
    // Shape: of a matrix with `cols` columns.
    RtnErrorSums(const IntFormat& format, std::int64_t cols);

    void add(const RowPanel& panel);
    void merge(const RtnErrorSums& other);
    // weight_squares: Σ w².
    ReconstructionError error(double weight_squares) const;

  private:
    IntFormat format_;
    std::int64_t width_;
    std::int64_t count_ = 0;
    compute::ErrorRow errors_;
    GridBatch batch_;  // scratch
};

}  // namespace assay
