// A logarithmic axis of a figure: where a value sits, and which ticks to print.
#pragma once

#include <optional>
#include <vector>

namespace assay {

// Maps positive values to pixels. Only positive finite values have a place.
class LogAxis {
  public:
    struct Pixels {
        double low = 0,
               high = 1;  // where the smallest and the largest value go; low > high for an upward axis
    };

    // Spans the positive finite ones of `values`, but no more than `decades` below the largest (smaller ones
    // go to the low end), and widened by `margin` of its length on both sides; 0.1 to 1 where there are none.
    LogAxis(const std::vector<double>& values, Pixels pixels, double margin = 0.05, double decades = 12);

    // The place of `value`, within the axis; nothing for one that is not positive and finite.
    std::optional<double> at(double value) const;

    double low_value() const;
    double high_value() const;

    // Round values inside the axis, ascending: powers of ten, or 1-2-5 steps or finer where the axis is
    // short.
    std::vector<double> ticks() const;

  private:
    double low_, high_;  // log10
    Pixels pixels_;
};

}  // namespace assay
