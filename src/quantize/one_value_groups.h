// Groups whose range one weight sets.
#pragma once

#include <cstdint>
#include <optional>

#include "number/number_format.h"
#include "quantize/row_scan.h"

namespace assay {

// A group counts where its range without one weight is at most half of what it is, so that this weight costs
// the others a bit. The range is what the format's codes span: from min(0, smallest w) to max(0, largest w)
// for asymmetric integers, max |w| for all others. Groups of one weight and groups of zeros do not count.
struct OneValueGroups {
    std::int64_t groups = 0;
    std::int64_t of_one_value = 0;
};

// Of the groups of a format whose scales serve one row each.
class OneValueSums {
  public:
    // Shape: of a matrix with `cols` columns.
    OneValueSums(const NumberFormat& format, std::int64_t cols);

    void add(const RowPanel& panel);
    void merge(const OneValueSums& other);
    // None where scales serve several rows.
    std::optional<OneValueGroups> groups() const;

  private:
    std::int64_t width_ = 0;  // 0: scales serve several rows
    bool symmetric_ = false;
    OneValueGroups groups_;
};

}  // namespace assay
