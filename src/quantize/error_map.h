// Where in a matrix rounding errs, in a picture of bounded size.
#pragma once

#include <cstdint>
#include <vector>

#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

inline constexpr std::int64_t kMostMapCells = 64;  // down, and across

// Root mean square errors of the cells, [rows, columns]. Cell (i, j) holds the rows r with ⌊r · rows / out⌋ =
// i and the groups g of a row with ⌊g · columns / groups⌋ = j.
struct ErrorMap {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::vector<double> rms;  // row by row
};

// Groups are those of the format that share a scale in a row; where that is the whole row, runs of 32
// columns.
class ErrorMapSums {
  public:
    // Shape: of a matrix [out, in].
    ErrorMapSums(const NumberFormat& format, std::int64_t out, std::int64_t in);

    // Shape: w, rounded [rows, in], from `first_row` on.
    void add(MatrixView<const float> w, MatrixView<const float> rounded, std::int64_t first_row);
    void merge(const ErrorMapSums& other);
    ErrorMap map() const;

  private:
    struct Cell {
        double squares = 0;
        std::int64_t count = 0;
    };
    std::int64_t out_, width_ = 1, groups_ = 0, rows_, columns_ = 0;
    std::vector<Cell> cells_;  // empty until the first rows come
};

}  // namespace assay
